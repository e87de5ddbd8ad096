package slurm

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// JobOf returns the id of the job that a path of control groups belongs to;
// false for a path that Slurm did not make. Both of its layouts are known:
//
//	/slurm/uid_1000/job_123/step_0/task_0
//	/system.slice/slurmstepd.scope/job_123/step_0/user/task_0
//
// A node with several Slurm daemons has their names in front of or behind the
// word slurm. What is below /user.slice users may have made themselves.
func JobOf(path string) (id string, ok bool) {
	if strings.HasPrefix(path, "/user.slice/") {
		return "", false
	}
	for before := ""; path != ""; {
		var word string
		word, path, _ = strings.Cut(path, "/")
		id, isJob := strings.CutPrefix(word, "job_")
		if isJob && isJobID(id) && (strings.HasPrefix(before, "uid_") || isScope(before)) {
			return strings.Clone(id), true
		}
		if word != "" {
			before = word
		}
	}
	return "", false
}

// isScope reports whether a control group is the one of Slurm's step daemons.
func isScope(name string) bool { return strings.HasSuffix(name, "slurmstepd.scope") }

// isJobID reports whether s is a job id: a number, and with newer versions
// perhaps letters.
func isJobID(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// group is the control group of one job.
type group struct{ id, dir string }

// step is the control group of one step.
type step struct {
	dir   string
	batch bool        // the job's script
	made  fs.FileInfo // of its folder
}

// controllers are where Slurm makes groups in the first version of control
// groups. All of them have the same groups, as far as they are in use.
var controllers = []string{"freezer", "memory", "cpuset", "devices"}

// roots returns the folders below which Slurm has groups of jobs.
func (n *Node) roots() []string {
	var out []string
	// A pattern that is well formed matches or not; it gives no error.
	scopes, _ := filepath.Glob(filepath.Join(n.cfg.Cgroup, "system.slice", "*slurmstepd.scope"))
	out = append(out, scopes...)
	for _, c := range controllers {
		users, _ := filepath.Glob(filepath.Join(n.cfg.Cgroup, c, "slurm*", "uid_*"))
		if len(users) > 0 {
			return append(out, users...)
		}
	}
	return out
}

// jobsBelow lists the jobs of a root.
func jobsBelow(root string) []group {
	var out []group
	for _, name := range folders(root) {
		if id, ok := strings.CutPrefix(name, "job_"); ok && isJobID(id) {
			out = append(out, group{id, filepath.Join(root, name)})
		}
	}
	return out
}

// stepsBelow lists the steps of a job.
func stepsBelow(dir string) []step {
	var out []step
	for _, name := range folders(dir) {
		if !strings.HasPrefix(name, "step_") {
			continue
		}
		s := step{dir: filepath.Join(dir, name), batch: name == "step_batch"}
		var err error
		if s.made, err = os.Stat(s.dir); err == nil { // else it has just gone
			out = append(out, s)
		}
	}
	return out
}

// folders lists the folders in a folder; none if it has just gone.
func folders(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// maxDepth is how deep below a step its tasks can be: user/task_0, and what a
// container of a job adds.
const maxDepth = 4

// processesOf returns the ids of a step's processes, lowest first.
func processesOf(s step) []int {
	out := processesBelow(nil, s.dir, maxDepth)
	slices.Sort(out)
	return out
}

func processesBelow(to []int, dir string, depth int) []int {
	list, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err == nil {
		for _, word := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				to = append(to, pid)
			}
		}
	}
	if depth == 0 {
		return to
	}
	for _, name := range folders(dir) {
		if name != "slurm" { // the step daemon itself
			to = processesBelow(to, filepath.Join(dir, name), depth-1)
		}
	}
	return to
}
