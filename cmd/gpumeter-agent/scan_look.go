package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/agent/scan"
	"github.com/gpumeter/gpumeter/metric"
)

// How a scan looks. All GPUs are asked at the same time, so what is wanted of
// them has to fit once into patience.
const (
	scanInterval = 500 * time.Millisecond
	// patience is how long a GPU or the driver may take to answer at all, without
	// a longer --wait.
	patience = 10 * time.Second
	// notice is how long before that a call has to hang for the scan to see it,
	// and maxDeadline the longest that a call may take whatever --wait says.
	notice      = 3 * time.Second
	maxDeadline = 30 * time.Second
	scanStep    = 100 * time.Millisecond
)

// look reads everything that a verdict rests on.
func look(ctx context.Context, f *scanFlags) (scan.Input, error) {
	name, err := os.Hostname()
	if err != nil {
		return scan.Input{}, fmt.Errorf("find the node's name: %w", err)
	}
	in := scan.Input{Node: name, Bus: busGPUs("/sys/bus/pci/devices"), Files: deviceFiles("/dev")}
	log := make(chan scan.Log, 1)
	go func() { log <- readKernelLog(f.kmsg) }() // bounded, and received below
	stands := make(chan cloud.Found, 1)
	go func() { stands <- f.cloud.new(name, nil).Look(ctx) }() // three seconds at most, and received below
	began := time.Now()
	in.Frame, err = watchGPUs(ctx, f)
	in.Looked = time.Since(began)
	in.Log = <-log
	f.place(&in, <-stands)
	return in, err
}

// place says where the node stands, and how many GPUs it should have.
func (f *scanFlags) place(in *scan.Input, found cloud.Found) {
	for _, x := range found.Fields() {
		in.Place = append(in.Place, scan.Place(x))
	}
	if f.expected > 0 {
		in.Expected, in.Basis = f.expected, "--expected-gpus"
		return
	}
	if n, model, ok := cloud.Expected(found.Cloud.Provider, found.Cloud.InstanceType); ok {
		in.Expected, in.Basis = n, fmt.Sprintf("%s has %d %s", found.Cloud.InstanceType, n, model)
	}
}

// watchGPUs looks at the GPUs through a worker process until all have answered
// and f.wait is over, or patience is. It returns the newest frame, with all Xids.
func watchGPUs(ctx context.Context, f *scanFlags) (metric.Frame, error) {
	deadline := min(max(f.wait, patience)-notice, maxDeadline)
	r := nvml.NewReader(nvml.Config{
		Library: f.nvml, Interval: scanInterval, Deadline: deadline, ColdDeadline: deadline, Groups: []string{nvml.AllGroups},
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return r.Run(ctx) })
	frame, err := settle(ctx, r, f.wait)
	stop()
	return frame, errors.Join(err, g.Wait())
}

// settle takes frames until they say all that they are going to say.
func settle(ctx context.Context, r *nvml.Reader, wait time.Duration) (metric.Frame, error) {
	tick := time.NewTicker(scanStep)
	defer tick.Stop()
	var xids []metric.Xid
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return metric.Frame{}, errors.New("interrupted before all GPUs were looked at")
		case <-tick.C:
		}
		f := r.Frame()
		xids = append(xids, f.Xids...)
		took := time.Since(began)
		if final(&f.Driver) || answered(&f) && took >= wait || took >= max(wait, patience) {
			f.Xids = xids
			return f, nil
		}
	}
}

// final reports whether a driver that cannot be asked will not be by waiting.
func final(d *metric.Driver) bool {
	switch d.Reason {
	case metric.ReasonNoDriver, metric.ReasonNotLoaded, metric.ReasonMismatch, metric.ReasonPermission, metric.ReasonError, metric.ReasonHang:
		return true
	}
	return false
}

// answered reports whether every GPU that the driver counts was looked at over
// some time, or has a reason that waiting does not change.
func answered(f *metric.Frame) bool {
	lost := 0
	for _, n := range f.Nameless {
		if n.Reason == metric.ReasonLost {
			lost++
		}
	}
	if !f.Driver.Up || len(f.Looks)+lost < f.Driver.GPUs {
		return false
	}
	for i := range f.Looks {
		l := &f.Looks[i]
		waiting := l.Reason == metric.ReasonNeverSeen || l.Reason == metric.ReasonNotSampled || l.Reason == ""
		if waiting && (l.Condition != metric.Good || l.Since == l.At) && l.Condition != metric.Lost {
			return false
		}
	}
	return true
}

// readKernelLog reads what the kernel's log has of this boot: auto, off or a
// path.
func readKernelLog(where string) scan.Log {
	c := kmsg.Config{BootID: readLine("/proc/sys/kernel/random/boot_id")}
	switch where {
	case "off":
		return scan.Log{Trouble: "switched off (--kmsg=off)"}
	case "auto":
	default:
		c.Path = where
	}
	s, err := kmsg.Scan(c)
	l := scan.Log{Xids: s.Xids, Records: s.Records, Lost: s.Lost, Firmware: s.Firmware}
	switch {
	case errors.Is(err, fs.ErrPermission):
		l.Trouble = "permission denied"
	case errors.Is(err, fs.ErrNotExist):
		l.Trouble = "it is not there"
	case err != nil:
		l.Trouble = err.Error()
	}
	return l
}

// busGPUs lists the NVIDIA GPUs below a folder like /sys/bus/pci/devices; nil if
// it cannot be read. The kernel answers from memory: no device is asked.
func busGPUs(folder string) []scan.Device {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	out := []scan.Device{}
	for _, e := range entries {
		dir := filepath.Join(folder, e.Name())
		class := readLine(filepath.Join(dir, "class"))
		display := strings.HasPrefix(class, "0x0300") || strings.HasPrefix(class, "0x0302")
		if !display || readLine(filepath.Join(dir, "vendor")) != "0x10de" {
			continue
		}
		d := scan.Device{PCI: e.Name()}
		if driver, err := os.Readlink(filepath.Join(dir, "driver")); err == nil {
			d.Bound = filepath.Base(driver)
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b scan.Device) int { return strings.Compare(a.PCI, b.PCI) })
	return out
}

var deviceFile = regexp.MustCompile(`^nvidia\d+$`)

// deviceFiles counts the device files of GPUs in a folder like /dev.
func deviceFiles(folder string) int {
	n := 0
	entries, _ := os.ReadDir(folder) // without /dev there are none
	for _, e := range entries {
		if deviceFile.MatchString(e.Name()) {
			n++
		}
	}
	return n
}
