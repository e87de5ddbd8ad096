package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is what a process has used of its machine.
type cost struct {
	cpu    time.Duration // of all cores
	memory int64         // bytes resident
}

// ownCost is this process's; its memory is the most that it had.
func ownCost() cost {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return cost{} // it fails for a process that there is not
	}
	return cost{time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss << 10}
}

// cost reads what the collector says of itself; its memory is what it has now.
func (s *source) cost(ctx context.Context) (c cost, err error) {
	a, err := s.get(ctx, "/metrics", nil)
	if err != nil {
		return cost{}, fmt.Errorf("read what the collector costs: %w", err)
	}
	for line := range strings.Lines(string(a.body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil: // a comment
		case name == "process_cpu_seconds_total":
			c.cpu = time.Duration(v * float64(time.Second))
		case name == "process_resident_memory_bytes":
			c.memory = int64(v)
		}
	}
	return c, nil
}

// costs are of the sending alone, without what came before and after.
type costs struct{ own, collector cost }

// costs are those up to now. A collector that runs in this process has none of
// its own.
func (a *simulateArgs) costs(ctx context.Context) (c costs, err error) {
	c.own = ownCost()
	if !a.alone {
		c.collector, err = a.cost(ctx)
	}
	return c, err
}

// print says what was used since before.
func (c costs) print(w io.Writer, before costs) {
	text := func(now, before cost) string {
		return fmt.Sprintf("%.1f s of CPU, %d MiB", (now.cpu - before.cpu).Seconds(), now.memory>>20)
	}
	if c.collector == (cost{}) {
		fmt.Fprintf(w, "cost     simulation and collector together %s\n", text(c.own, before.own))
		return
	}
	fmt.Fprintf(w, "cost     collector %s; simulation %s\n", text(c.collector, before.collector), text(c.own, before.own))
}
