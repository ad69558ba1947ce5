package render

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"

	"fuin.dev/render/wire"

	"sigs.k8s.io/yaml"
)

// override does what d asks for whatever the renderer is.
func (s *Set) override(d Directory) error {
	images := d.Images
	if d.ImagesFrom != "" {
		more, err := readImages(d.Files, d.ImagesFrom)
		if err != nil {
			return err
		}
		images = merged(more, images)
	}
	s.setImages(images)
	if d.TargetNamespace != "" {
		s.setNamespace(d.TargetNamespace)
	}
	return nil
}

// Bounds of a file of images: each image is looked for in every workload.
const (
	maxImages     = 1000
	maxImagesFile = 256 << 10
)

// readImages reads a file of images: a list as in a kustomization, or a
// mapping with that list as images.
func readImages(files fs.FS, name string) ([]Image, error) {
	fail := func(reason DirectoryReason, message, hint string) ([]Image, error) {
		return nil, &DirectoryError{File: name, Reason: reason, Message: message, hint: hint}
	}
	a := answers{files: files}
	_, _, refusal := a.resolve(name)
	var answer wire.Answer
	if refusal == "" {
		answer = a.content(files, name)
		refusal = answer.Refusal
	}
	switch {
	case refusal == wire.Missing:
		return fail(NotFound, "is named by imagesFrom, and is not there", "add the file, or correct imagesFrom")
	case refusal == wire.Outside:
		return fail(OutsideRefused, "is named by imagesFrom, and is not in the checkout", "name it relative to the root of the repository")
	case refusal != "":
		return fail(SourceFailed, "is named by imagesFrom, and cannot be read", "")
	case len(answer.Data) > maxImagesFile:
		return fail(LimitExceeded, "is larger than a file of images may be, 256 KiB", "")
	}
	images, err := parseImages(answer.Data)
	switch {
	case err != nil:
		return fail(Malformed, "is no list of images", "write it as images of a kustomization are written: name, newName, newTag, digest")
	case len(images) > maxImages:
		return fail(LimitExceeded, "names more than 1,000 images", "")
	case slices.ContainsFunc(images, func(i Image) bool { return i.Name == "" }):
		return fail(Malformed, "has an image without name", "write the name that the manifests have, without tag")
	}
	return images, nil
}

func parseImages(data []byte) ([]Image, error) {
	data, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	var file struct {
		Images []Image `json:"images"`
	}
	if data[0] == '[' {
		err = json.Unmarshal(data, &file.Images)
	} else {
		err = json.Unmarshal(data, &file)
	}
	return file.Images, err
}

// merged returns images in which those of over replace others of their name.
func merged(images, over []Image) []Image {
	named := func(name string) func(Image) bool { return func(i Image) bool { return i.Name == name } }
	kept := slices.DeleteFunc(slices.Clone(images), func(i Image) bool { return slices.ContainsFunc(over, named(i.Name)) })
	return append(kept, over...)
}

// setImages overrides images as kustomize does: in all that is called
// containers or initContainers, but in no CustomResourceDefinition, and in
// image volumes of pods.
func (s *Set) setImages(images []Image) {
	for _, image := range images {
		o := override{image, regexp.MustCompile("^" + regexp.QuoteMeta(image.Name) + imageRest)}
		for _, object := range s.Objects {
			if object.Kind() != "CustomResourceDefinition" {
				o.containers(object.Content)
			}
			for _, path := range podSpecs {
				o.volumes(mapping(object.Content, path...))
			}
		}
	}
}

// imageRest is what may follow a name, from kustomize's image.IsImageMatched.
const imageRest = `((:[a-zA-Z0-9_.{}-]*)?)((@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?)$`

// podSpecs are the paths below which kustomize looks for image volumes.
var podSpecs = [][]string{
	{"spec"},
	{"spec", "template", "spec"},
	{"spec", "jobTemplate", "spec", "template", "spec"},
}

type override struct {
	Image
	matches *regexp.Regexp
}

// containers goes through all of a value.
func (o override) containers(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, field := range value {
			o.containers(field)
			if key == "containers" || key == "initContainers" {
				o.each(field, "image")
			}
		}
	case []any:
		for _, item := range value {
			o.containers(item)
		}
	}
}

func (o override) volumes(spec map[string]any) {
	for _, v := range sequence(spec, "volumes") {
		if volume, ok := v.(map[string]any); ok {
			o.set(mapping(volume, "image"), "reference")
		}
	}
}

func (o override) each(list any, key string) {
	items, _ := list.([]any)
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			o.set(fields, key)
		}
	}
}

func (o override) set(fields map[string]any, key string) {
	match := o.matches.FindStringSubmatch(field(fields, key))
	if match == nil {
		return
	}
	name, tag, digest := o.Name, match[1], match[3]
	if o.NewName != "" {
		name = o.NewName
	}
	if o.NewTag != "" || o.Digest != "" {
		tag, digest = "", ""
	}
	if o.NewTag != "" {
		tag = ":" + o.NewTag
	}
	if o.Digest != "" {
		digest = "@" + o.Digest
	}
	fields[key] = name + tag + digest
}
