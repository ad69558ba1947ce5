package config

import (
	"io/fs"

	"fuin.dev/keys"
)

// A Former is a key that a cluster, by its committed files, seals with no more.
type Former struct {
	Cluster string
	keys.Former
}

// Former reads the former keys of one of the cluster's files.
func (c Cluster) Former(file string, files fs.FS) (out []keys.Former, err error) {
	err = c.parse(file, files, func(data []byte) (err error) {
		out, err = keys.ParseFormer(data)
		return err
	})
	return out, err
}

// Former tells for each fingerprint of which clusters it is a former key, in
// the order of the file. Files that cannot be read tell of none.
func (c *Config) Former(files fs.FS) map[string][]Former {
	out := map[string][]Former{}
	for _, cluster := range c.Clusters {
		for _, file := range cluster.Recipients {
			all, err := cluster.Former(file, files)
			if err != nil {
				continue
			}
			for _, f := range all {
				out[f.Fingerprint] = append(out[f.Fingerprint], Former{cluster.Name, f})
			}
		}
	}
	return out
}

const hintFormer = "fuin keys sync decides which it is"

// refuseFormer stops sealing with a key that one of a cluster's files gives up,
// though another has it.
func (c Cluster) refuseFormer(rs []*keys.Recipient, files fs.FS) error {
	for _, file := range c.Recipients {
		all, err := c.Former(file, files)
		if err != nil {
			return err
		}
		for _, f := range all {
			for _, r := range rs {
				if r.Fingerprint() == f.Fingerprint {
					return refuseAt(c.Line, hintFormer, "cluster %s has the key %s to seal with, and by %s it is %s", c.Name, f.Fingerprint, file, f)
				}
			}
		}
	}
	return nil
}
