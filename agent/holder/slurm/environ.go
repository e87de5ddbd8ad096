package slurm

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Environ is what Slurm put into the environment of a process: the variables
// that this package knows and nothing else of it.
type Environ map[string]string

// variables are the ones that are kept. Everything else in an environment is
// nobody's business.
var variables = map[string]bool{
	"SLURM_JOB_ID": true, "SLURM_JOB_ACCOUNT": true, "SLURM_JOB_USER": true, "SLURM_JOB_PARTITION": true,
	"SLURM_CLUSTER_NAME": true, "SLURM_JOB_GPUS": true, "SLURM_STEP_GPUS": true, "CUDA_VISIBLE_DEVICES": true,
}

const (
	maxEnviron = 1 << 20 // bytes that are read of one environment
	maxValue   = 4 << 10 // bytes of a value; longer ones are left out
	maxNumber  = 1024    // of a device node
)

// ParseEnviron reads the environment of a process as /proc has it. Of a
// variable that is there twice the first counts, as for the C library.
func ParseEnviron(b []byte) Environ {
	e := Environ{}
	for len(b) > 0 {
		var entry []byte
		entry, b, _ = bytes.Cut(b, []byte{0})
		name, value, ok := bytes.Cut(entry, []byte{'='})
		if !ok || !variables[string(name)] || len(value) > maxValue {
			continue
		}
		if _, twice := e[string(name)]; !twice {
			e[string(name)] = string(value)
		}
	}
	return e
}

// ReadEnviron reads what Slurm told a process. proc is the root of the process
// file system. Only the process's user and root may read it, and it can take
// for ever where the kernel holds up the process.
func ReadEnviron(proc string, pid int) (Environ, error) {
	f, err := os.Open(filepath.Join(proc, strconv.Itoa(pid), "environ"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxEnviron))
	if err != nil {
		return nil, err
	}
	return ParseEnviron(b), nil
}

// Job returns the job of a process by its own word; false if it has none.
func (e Environ) Job() (Job, bool) {
	id := e["SLURM_JOB_ID"]
	return Job{
		ID: id, Account: e["SLURM_JOB_ACCOUNT"], User: e["SLURM_JOB_USER"],
		Partition: e["SLURM_JOB_PARTITION"], Cluster: e["SLURM_CLUSTER_NAME"],
	}, isJobID(id)
}

// maxAsked is how many processes of a step are asked for its environment.
const maxAsked = 8

// steps are what Slurm told the steps of a node, by their folders.
type steps map[string]told

type told struct {
	made    fs.FileInfo
	environ Environ
}

// environ returns what Slurm told a step; nil if that is not known. A folder of
// the same name that was made later is another step's.
func (s steps) environ(x step) Environ {
	t, ok := s[x.dir]
	if !ok || !os.SameFile(t.made, x.made) || !t.made.ModTime().Equal(x.made.ModTime()) {
		return nil
	}
	return t.environ
}

// environOf asks a step of a job what Slurm told it; nil if no process of it can
// be read.
func (n *Node) environOf(s step, job string) Environ {
	for i, pid := range processesOf(s) {
		if i == maxAsked {
			break
		}
		e, err := ReadEnviron(n.cfg.Proc, pid)
		if err == nil && e["SLURM_JOB_ID"] == job {
			return e
		}
	}
	return nil
}

// gpus returns the GPUs that a step was given, by the numbers of their device
// nodes or by UUID. What a step inherits from the script that started it is of
// the script's node, which may be another one.
func (e Environ) gpus(batch bool) (numbers []int, uuids []string) {
	list := e["SLURM_STEP_GPUS"]
	if batch {
		list = e["SLURM_JOB_GPUS"]
	}
	if list == "" {
		return nil, nil // whatever CUDA is told, Slurm gave none
	}
	for _, word := range strings.Split(e["CUDA_VISIBLE_DEVICES"], ",") {
		if strings.HasPrefix(word, "GPU-") || strings.HasPrefix(word, "MIG-") {
			uuids = append(uuids, word)
		}
	}
	return parseNumbers(list), uuids
}

// parseNumbers reads "0,2-3". What is no number is left out, and what goes on
// beyond as many as there can be.
func parseNumbers(list string) []int {
	var out []int
	for _, word := range strings.Split(list, ",") {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || to > maxNumber {
			continue
		}
		for n := from; n <= to && len(out) <= maxNumber; n++ {
			out = append(out, int(n))
		}
	}
	return out
}
