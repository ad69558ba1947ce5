package check

import (
	"cmp"
	"maps"
	"slices"

	"fuin.dev/render"
	"fuin.dev/seal"
)

// provides notes the Secrets that an object is or will make.
func (r *renderedCheck) provides(one Rendered, o render.Object) {
	note := func(namespace, name string, keys []string, known bool) {
		if name == "" {
			return
		}
		at := secretName{one.Cluster, namespace, name}
		if before, ok := r.made[at]; ok {
			keys, known = append(slices.Clone(before.keys), keys...), known && before.known
		}
		r.made[at] = madeSecret{keys, known}
	}
	namespace := cmp.Or(o.Namespace(), one.Namespace)
	c := o.Content
	switch kind := o.Kind(); {
	case kind == "Secret" && o.Group() == "":
		keys := keysOf(mapAt(c, "data"), mapAt(c, "stringData"))
		note(namespace, o.Name(), keys, textAt(c, "type") != "kubernetes.io/service-account-token")
	case isSealedSecret(o):
		note(namespace, o.Name(), sealedKeys(c), mapAt(c, "spec", "encryptedData") != nil)
	case kind == "ExternalSecret":
		target := mapAt(c, "spec", "target")
		keys, known := externalKeys(c)
		note(namespace, cmp.Or(textAt(target, "name"), o.Name()), keys, known)
	case kind == "ClusterExternalSecret":
		spec := mapAt(c, "spec", "externalSecretSpec", "target")
		note(anyNamespace, cmp.Or(textAt(spec, "name"), textAt(mapAt(c, "spec"), "externalSecretName"), o.Name()), nil, false)
	case kind == "Ingress" || kind == "Gateway":
		if certManagerMakes(mapAt(c, "metadata", "annotations")) {
			for _, use := range usesOf(o) {
				note(namespace, use.name, nil, false)
			}
		}
	case o.Group() == "postgresql.cnpg.io" && kind == "Cluster":
		for _, suffix := range []string{"-app", "-superuser", "-ca", "-server", "-replication"} {
			note(namespace, o.Name()+suffix, nil, false)
		}
	default:
		makers(c, func(name, in string) { note(cmp.Or(in, namespace), name, nil, false) })
		if slices.Contains(namesakes, kind) {
			note(namespace, o.Name(), nil, false)
		}
	}
}

// namesakes are kinds whose operator makes a Secret of the object's name.
var namesakes = []string{"KamusSecret", "OnePasswordItem", "VaultSecret", "KafkaUser", "BitwardenSecret", "AzureKeyVaultSecret", "SopsSecret", "Password"}

// makers finds the fields by which objects tell an operator which Secret to
// make: cert-manager's, Vault's, Crossplane's and the like.
func makers(c map[string]any, visit func(name, namespace string)) {
	spec := mapAt(c, "spec")
	if kind := textAt(c, "kind"); kind == "Certificate" || kind == "CertificateRequest" {
		visit(textAt(spec, "secretName"), "")
	}
	for _, field := range []string{"destination", "managedSecretReference", "writeConnectionSecretToRef", "connectionSecret", "secretTemplate", "outputSecret"} {
		ref := mapAt(spec, field)
		visit(cmp.Or(textAt(ref, "name"), textAt(ref, "secretName")), cmp.Or(textAt(ref, "namespace"), textAt(ref, "secretNamespace")))
	}
	for _, object := range mapsAt(spec, "secretObjects") { // of a SecretProviderClass
		visit(textAt(object, "secretName"), "")
	}
}

func certManagerMakes(annotations map[string]any) bool {
	for name := range annotations {
		switch name {
		case "cert-manager.io/issuer", "cert-manager.io/cluster-issuer", "kubernetes.io/tls-acme", "certmanager.k8s.io/cluster-issuer", "certmanager.k8s.io/issuer":
			return true
		}
	}
	return false
}

// sealedKeys are those of the Secret that a SealedSecret makes.
func sealedKeys(c map[string]any) []string {
	templates := mapAt(c, "spec", "template", "data")
	ob := seal.Object{Annotations: texts(mapAt(c, "metadata", "annotations"))}
	var keys []string
	for key := range mapAt(c, "spec", "encryptedData") {
		if _, isTemplate := templates[key]; isTemplate || !slices.Contains(ob.Inputs(), key) {
			keys = append(keys, key)
		}
	}
	return append(keys, keysOf(templates)...)
}

// externalKeys are those of an ExternalSecret; not known if it takes whole
// objects, or templates in text.
func externalKeys(c map[string]any) (keys []string, known bool) {
	spec := mapAt(c, "spec")
	if from, _ := spec["dataFrom"].([]any); len(from) > 0 {
		return nil, false
	}
	template := mapAt(spec, "target", "template")
	if from, _ := template["templateFrom"].([]any); len(from) > 0 {
		return nil, false
	}
	if data := mapAt(template, "data"); len(data) > 0 && textAt(template, "mergePolicy") != "Merge" {
		return keysOf(data), true
	}
	keys = keysOf(mapAt(template, "data"))
	for _, entry := range mapsAt(spec, "data") {
		keys = append(keys, textAt(entry, "secretKey"))
	}
	return keys, true
}

func keysOf(all ...map[string]any) (keys []string) {
	for _, m := range all {
		keys = append(keys, slices.Collect(maps.Keys(m))...)
	}
	return keys
}

func mapAt(m map[string]any, path ...string) map[string]any {
	for _, key := range path {
		m, _ = m[key].(map[string]any)
	}
	return m
}

func mapsAt(m map[string]any, key string) (out []map[string]any) {
	list, _ := m[key].([]any)
	for _, item := range list {
		if one, ok := item.(map[string]any); ok {
			out = append(out, one)
		}
	}
	return out
}

func textAt(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func texts(m map[string]any) map[string]string {
	out := make(map[string]string, len(m))
	for key, value := range m {
		out[key], _ = value.(string)
	}
	return out
}
