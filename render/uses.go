package render

import (
	"slices"
	"strconv"
	"strings"
)

// Use is a Secret or ConfigMap that the pods of a workload name, in one place.
type Use struct {
	Kind string // Secret or ConfigMap
	Name string
	// Keys are those that count, in the order of the workload; nil is all.
	Keys []string
	// Optional tells that the pods start without it.
	Optional bool
	// Pull tells that it fetches images, and never reaches a container.
	Pull bool
	// Path of the field that names it, as spec.template.spec.volumes[0].secret.
	Path string
}

// Uses lists what the pods of a workload name, place by place; one object may
// stand there several times. It is nil for what is no workload. Whatever the
// shape of content, it does not panic: what the API server would refuse is
// passed over.
func Uses(content map[string]any) []Use {
	path, spec := podSpec(content)
	u := uses{}
	at := strings.Join(path, ".")
	for _, list := range containerLists {
		for i, container := range mapsAt(spec, list) {
			u.container(container, index(at, list, i))
		}
	}
	for i, volume := range mapsAt(spec, "volumes") {
		u.volume(volume, index(at, "volumes", i))
	}
	for i, ref := range mapsAt(spec, "imagePullSecrets") {
		u.add(Use{Kind: secretKind, Name: textAt(ref, "name"), Pull: true, Path: index(at, "imagePullSecrets", i)})
	}
	return u.found
}

const (
	secretKind    = "Secret"
	configMapKind = "ConfigMap"
)

type uses struct{ found []Use }

func (u *uses) add(use Use) {
	if use.Name != "" {
		u.found = append(u.found, use)
	}
}

// ref adds what a reference with a name names, if it is one.
func (u *uses) ref(kind string, ref map[string]any, name string, keys []string, path string) {
	optional, _ := ref["optional"].(bool)
	u.add(Use{Kind: kind, Name: textAt(ref, name), Keys: keys, Optional: optional, Path: path})
}

func (u *uses) container(c map[string]any, at string) {
	for i, env := range mapsAt(c, "env") {
		from, at := mapAt(env, "valueFrom"), index(at, "env", i)+".valueFrom."
		for kind, field := range fieldsOf("secretKeyRef", "configMapKeyRef") {
			ref := mapAt(from, field)
			if key := textAt(ref, "key"); key != "" {
				u.ref(kind, ref, "name", []string{key}, at+field)
			}
		}
	}
	for i, from := range mapsAt(c, "envFrom") {
		for kind, field := range fieldsOf("secretRef", "configMapRef") {
			u.ref(kind, mapAt(from, field), "name", nil, index(at, "envFrom", i)+"."+field)
		}
	}
}

func (u *uses) volume(v map[string]any, at string) {
	secret, config := mapAt(v, "secret"), mapAt(v, "configMap")
	u.ref(secretKind, secret, "secretName", itemKeys(secret), at+".secret")
	u.ref(configMapKind, config, "name", itemKeys(config), at+".configMap")
	for i, source := range mapsAt(mapAt(v, "projected"), "sources") {
		for kind, field := range fieldsOf("secret", "configMap") {
			ref := mapAt(source, field)
			u.ref(kind, ref, "name", itemKeys(ref), index(at, "projected.sources", i)+"."+field)
		}
	}
	u.driver(v, at)
}

// driver adds what a volume's driver logs in with.
func (u *uses) driver(v map[string]any, at string) {
	u.ref(secretKind, mapAt(v, "azureFile"), "secretName", nil, at+".azureFile")
	u.ref(secretKind, mapAt(v, "csi", "nodePublishSecretRef"), "name", nil, at+".csi.nodePublishSecretRef")
	for _, driver := range []string{"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"} {
		u.ref(secretKind, mapAt(v, driver, "secretRef"), "name", nil, at+"."+driver+".secretRef")
	}
}

// fieldsOf gives the two kinds with the fields that name them, Secrets first.
func fieldsOf(secret, configMap string) func(yield func(kind, field string) bool) {
	return func(yield func(kind, field string) bool) {
		_ = yield(secretKind, secret) && yield(configMapKind, configMap)
	}
}

// itemKeys are the keys that a volume picks; nil is all.
func itemKeys(source map[string]any) (keys []string) {
	for _, item := range mapsAt(source, "items") {
		if key := textAt(item, "key"); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func index(at, field string, i int) string {
	return at + "." + field + "[" + strconv.Itoa(i) + "]"
}
