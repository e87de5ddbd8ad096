package cloud

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// slurmFiles are where a node has Slurm's configuration: its own, and the one
// that slurmd gets from the controller.
var slurmFiles = []string{"etc/slurm/slurm.conf", "run/slurm/conf/slurm.conf"}

// askSlurm returns the name of the Slurm cluster that the node belongs to.
func askSlurm(cfg Config) reply {
	var r reply
	if r.Cluster = name(cfg.Getenv("SLURM_CLUSTER_NAME")); r.Cluster != "" {
		return r
	}
	files := slurmFiles
	if conf := cfg.Getenv("SLURM_CONF"); filepath.IsAbs(conf) {
		files = append([]string{conf}, files...)
	}
	for _, file := range files {
		if r.Cluster = slurmCluster(filepath.Join(cfg.Root, file)); r.Cluster != "" {
			break
		}
	}
	return r
}

// slurmCluster returns the ClusterName of a slurm.conf, whose keys are of
// either case.
func slurmCluster(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		for _, word := range strings.Fields(line) {
			key, value, ok := strings.Cut(word, "=")
			if ok && strings.EqualFold(key, "ClusterName") {
				return name(value)
			}
		}
	}
	return ""
}
