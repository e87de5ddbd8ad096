package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// result are the figures of one run: by the part of the benchmark, then by unit.
type result map[string]map[string]float64

// String is the run as one would type it.
func (r run) String() string { return "go " + strings.Join(r.arguments(), " ") }

func (r run) arguments() []string {
	// Each level of the name is an expression of its own.
	levels := strings.Split(r.bench, "/")
	levels[0] = "^Benchmark" + levels[0] + "$"
	args := []string{"test", "-run", "^$", "-bench", strings.Join(levels, "/"), "-benchtime", r.time, "-benchmem", "-timeout", "1h", r.folder}
	return append(args, strings.Fields(r.flags)...)
}

// measure runs it. The error has what go test said.
func (r run) measure(ctx context.Context) (result, error) {
	text, err := exec.CommandContext(ctx, "go", r.arguments()...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", r, err, text)
	}
	got, err := parse(strings.NewReader(string(text)))
	if err == nil && len(got) == 0 {
		err = fmt.Errorf("no benchmark has run")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r, err)
	}
	return got, nil
}

// parse reads what go test prints of benchmarks: a line each, of its name, how
// often it ran, and pairs of a figure and its unit.
func parse(text io.Reader) (result, error) {
	out := result{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") || len(f)%2 != 0 {
			continue
		}
		figures := map[string]float64{}
		for i := 2; i < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("read %q: %q is not a figure", lines.Text(), f[i])
			}
			figures[f[i+1]] = v
		}
		out[partOf(f[0])] = figures
	}
	return out, lines.Err()
}

// partOf is "whole" of "BenchmarkReport/whole-2", and nothing of
// "BenchmarkReport-2".
func partOf(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		name = name[:i]
	}
	_, part, _ := strings.Cut(name, "/")
	return part
}
