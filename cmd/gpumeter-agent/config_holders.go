package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/pods"
	"github.com/gpumeter/gpumeter/agent/holder/slurm"
)

// holdersConfig says whom the agent asks who has the GPUs, and what it tells.
type holdersConfig struct {
	Names    string   `yaml:"holders"`
	KeyFile  string   `yaml:"holder_key_file"`
	Kubelet  string   `yaml:"kubelet_socket"`
	Slurm    string   `yaml:"slurm"`
	JobFiles string   `yaml:"slurm_job_files"`
	Labels   []string `yaml:"pod_labels"`
}

// Words of --kubelet-socket and --slurm besides a path.
const (
	holderAuto = "auto" // asked where it is there
	holderOff  = "off"
)

func (c *holdersConfig) flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Names, "holders", string(holder.NamesOn), "names of those who have the GPUs that leave the node: on, hashed or off; that a GPU is held is measured in any case")
	fs.StringVar(&c.KeyFile, "holder-key-file", "", "file with the key of hashed names; nodes with the same key hash alike (default: a key of this node's own, in the state folder)")
	fs.StringVar(&c.Kubelet, "kubelet-socket", holderAuto, "socket of the kubelet's pod-resources API: auto ("+kubelet.DefaultSocket+", if it is there), off or a path")
	fs.StringVar(&c.Slurm, "slurm", holderAuto, "look for Slurm's jobs in the node's control groups: auto or off")
	fs.StringVar(&c.JobFiles, "slurm-job-files", "", "folder in which a Slurm prolog keeps a file of job ids for each GPU, as dcgm-exporter reads them")
	fs.StringSliceVar(&c.Labels, "pod-labels", nil, "keys of pods' labels that may leave the node, as team,cost-centre; asks the API server, whose service account must be allowed to list pods")
}

func (c *holdersConfig) validate() error {
	names, err := holder.ParseNames(c.Names)
	switch {
	case err != nil:
		return err
	case c.KeyFile != "" && names != holder.NamesHashed:
		return fmt.Errorf("holder-key-file is given, but holders is %s", names)
	case c.Kubelet != holderAuto && c.Kubelet != holderOff && !filepath.IsAbs(c.Kubelet):
		return fmt.Errorf("kubelet-socket %q is not auto, off or an absolute path", c.Kubelet)
	case c.Slurm != holderAuto && c.Slurm != holderOff:
		return fmt.Errorf("slurm %q is not auto or off", c.Slurm)
	case c.JobFiles != "" && c.Slurm == holderOff:
		return errors.New("slurm-job-files is given, but slurm is off")
	case c.JobFiles != "" && !filepath.IsAbs(c.JobFiles):
		return fmt.Errorf("slurm-job-files %q is not an absolute path", c.JobFiles)
	case len(c.Labels) > 0 && names == holder.NamesOff:
		return errors.New("pod-labels are given, but holders is off")
	}
	return pods.Check(c.Labels)
}

// new returns what finds the holders on a node of this name; the key of hashed names is made in the
// state folder if there is none.
func (c *holdersConfig) new(state, node string, log *slog.Logger) (*holder.Finder, error) {
	cfg := holder.Config{Names: holder.Names(c.Names), Log: log}
	var err error
	if cfg.Names == holder.NamesHashed {
		if cfg.Key, err = c.key(state); err != nil {
			return nil, err
		}
	}
	if c.Slurm != holderOff {
		cfg.Slurm = slurm.New(slurm.Config{JobFiles: c.JobFiles})
	}
	if len(c.Labels) > 0 {
		if cfg.Pods, err = pods.New(pods.Config{Node: node, Labels: c.Labels}); err != nil {
			return nil, err
		}
	}
	switch c.Kubelet {
	case holderOff:
	case holderAuto:
		cfg.Kubelet, err = kubelet.New("")
	default:
		cfg.Kubelet, err = kubelet.New(c.Kubelet)
	}
	if err != nil {
		return nil, err
	}
	return holder.New(cfg)
}

func (c *holdersConfig) key(state string) ([]byte, error) {
	if c.KeyFile != "" {
		return holder.ReadKey(c.KeyFile)
	}
	return holder.NodeKey(state)
}
