// Package slurm reads what Slurm leaves on a node about its jobs: the control
// groups of their processes, the environment that it gave them, and the files
// that a prolog may write for each GPU.
//
// A process can write anything into its environment. The control group is
// Slurm's own, and the environment is read of the first process of a step,
// which Slurm started itself.
package slurm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrAbsent means that there is no trace of Slurm on this node.
var ErrAbsent = errors.New("no Slurm here")

// Config says where to read. The zero Config reads this node, without job files.
type Config struct {
	// Cgroup is the root of the control groups, "/sys/fs/cgroup" if empty.
	Cgroup string
	// Proc is the root of the process file system, "/proc" if empty.
	Proc string
	// JobFiles is a folder with a file per GPU that is allocated, named by the
	// GPU's index, or by index and GPU instance ("3", "3.7"), with a job id in
	// each line. Empty for none.
	JobFiles string
}

// Job is one job that runs on this node. What could not be read is empty.
type Job struct {
	ID                 string
	Account, User      string
	Partition, Cluster string
	// GPUs holds the numbers of the device nodes that the job was given on this
	// node, UUIDs the GPUs and MIG instances that it was given by UUID; sorted.
	GPUs  []int
	UUIDs []string
}

// Jobs is what runs on a node.
type Jobs struct {
	// ByID holds the jobs that have processes here, by their ids.
	ByID map[string]Job
	// Files holds the job ids of each job file, by its name: "3" or "3.7".
	Files map[string][]string
}

// Node reads one node. Its methods may be called concurrently.
type Node struct {
	cfg Config

	mu    sync.Mutex // guards what follows
	known steps      // of the newest list
	met   bool       // there was Slurm once
}

// New returns what reads a node.
func New(cfg Config) *Node {
	if cfg.Cgroup == "" {
		cfg.Cgroup = "/sys/fs/cgroup"
	}
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	return &Node{cfg: cfg}
}

// maxJobs bounds the jobs that are read of one node.
const maxJobs = 1024

// List returns the jobs on this node. It is ErrAbsent where Slurm was never seen
// and there is no folder of job files. Once seen, it has no jobs where its
// control groups are gone: it takes them away with the last job. The environment is read of steps that
// are new: reading that of a process which the kernel holds up can take for
// ever, whatever ctx says.
func (n *Node) List(ctx context.Context) (Jobs, error) {
	out := Jobs{ByID: map[string]Job{}}
	files, err := n.readFiles()
	if err != nil {
		return Jobs{}, fmt.Errorf("read job files: %w", err)
	}
	out.Files = files
	roots := n.roots()
	n.mu.Lock()
	n.met = n.met || len(roots) > 0 || n.cfg.JobFiles != ""
	met, before, now := n.met, n.known, steps{}
	n.mu.Unlock()
	if !met {
		return Jobs{}, ErrAbsent
	}
	for _, root := range roots {
		for _, j := range jobsBelow(root) {
			if err := ctx.Err(); err != nil {
				return Jobs{}, err
			}
			if _, seen := out.ByID[j.id]; !seen && len(out.ByID) < maxJobs {
				out.ByID[j.id] = n.read(j, before, now)
			}
		}
	}
	n.mu.Lock()
	n.known = now
	n.mu.Unlock()
	return out, nil
}

// read asks the first process of each step of a job.
func (n *Node) read(g group, before, now steps) Job {
	j := Job{ID: g.id}
	for _, step := range stepsBelow(g.dir) {
		e := before.environ(step)
		if e == nil {
			e = n.environOf(step, g.id)
		}
		if e == nil {
			continue
		}
		now[step.dir] = told{step.made, e}
		j.Account, j.User = cmp.Or(j.Account, e["SLURM_JOB_ACCOUNT"]), cmp.Or(j.User, e["SLURM_JOB_USER"])
		j.Partition, j.Cluster = cmp.Or(j.Partition, e["SLURM_JOB_PARTITION"]), cmp.Or(j.Cluster, e["SLURM_CLUSTER_NAME"])
		numbers, uuids := e.gpus(step.batch)
		j.GPUs, j.UUIDs = append(j.GPUs, numbers...), append(j.UUIDs, uuids...)
	}
	j.GPUs, j.UUIDs = sorted(j.GPUs), sorted(j.UUIDs)
	return j
}

// sorted sorts and keeps one of each.
func sorted[T cmp.Ordered](s []T) []T {
	slices.Sort(s)
	return slices.Compact(s)
}
