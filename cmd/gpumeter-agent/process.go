package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// processTree returns a process and all that descend from it.
func processTree(root int) []int {
	parents := map[int]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if f, err := statFields(pid); err == nil {
			parents[pid], _ = strconv.Atoi(f[1])
		}
	}
	out := []int{root}
	for i := 0; i < len(out); i++ {
		for pid, parent := range parents {
			if parent == out[i] {
				out = append(out, pid)
			}
		}
	}
	return out
}

// statFields returns the fields of /proc/PID/stat after the command's name:
// state, parent, …
func statFields(pid int) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(f) < 2 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	return f, nil
}

// cpuTime returns the CPU time of a process's living threads. The kernel's count
// of ticks is too coarse for a process that works for microseconds at a time.
func cpuTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("/proc/%d has no scheduler statistics", pid)
	}
	var sum time.Duration
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // the thread ended
		}
		first, _, _ := strings.Cut(string(raw), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// memoryOf returns what a process holds in memory, in bytes: shared pages
// divided among those who share them (PSS), and counted whole (RSS).
func memoryOf(pid int) (pss, rss int64, err error) {
	name := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	raw, err := os.ReadFile(name)
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "Pss:" && f[0] != "Rss:" {
			continue
		}
		kib, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", name, err)
		}
		if f[0] == "Pss:" {
			pss = kib << 10
		} else {
			rss = kib << 10
		}
	}
	return pss, rss, nil
}

// driverHandles returns which device files of the driver a process has open,
// and whether it has the driver's library mapped.
func driverHandles(pid int) (files []string, mapped bool) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, "/dev/nvidia") {
			files = append(files, to)
		}
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	return files, err == nil && strings.Contains(string(maps), "libnvidia-ml.so")
}
