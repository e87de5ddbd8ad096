package slurm

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Bounds of job files: a GPU that more jobs share is none.
const (
	maxFiles    = 1024
	maxFile     = 16 << 10 // bytes
	maxFileJobs = 64
)

// readFiles reads the job files; none without a folder. A folder that is not
// there yet has no files: the first prolog makes it.
func (n *Node) readFiles() (map[string][]string, error) {
	if n.cfg.JobFiles == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(n.cfg.JobFiles)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, e := range entries {
		if !e.Type().IsRegular() || !isFileName(e.Name()) || len(out) == maxFiles {
			continue
		}
		jobs, err := readJobFile(filepath.Join(n.cfg.JobFiles, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the epilog was quicker
		}
		if err != nil {
			return nil, err
		}
		out[e.Name()] = jobs
	}
	return out, nil
}

// isFileName reports whether a file is named after a GPU or an instance of one.
func isFileName(name string) bool {
	gpu, instance, divided := strings.Cut(name, ".")
	_, err := strconv.ParseUint(gpu, 10, 16)
	if err == nil && divided {
		_, err = strconv.ParseUint(instance, 10, 16)
	}
	return err == nil
}

func readJobFile(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	return ParseJobFile(string(b)), nil
}

// ParseJobFile returns the job ids of a job file: one in each line, each once.
func ParseJobFile(text string) []string {
	var out []string
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		if id := strings.TrimSpace(line); id != "" && !seen[id] && len(out) < maxFileJobs {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
