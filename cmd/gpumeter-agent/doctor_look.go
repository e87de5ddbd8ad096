package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/pods"
	"github.com/gpumeter/gpumeter/agent/holder/slurm"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/agent/scan"
	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

// nodeFacts is everything that the checks of a node rest on.
type nodeFacts struct {
	config config
	files  []string // that filled it
	wrong  error    // what is wrong with the settings; then nothing else was looked at

	library driverFile
	paused  bool        // the agent here is paused: the driver was left alone
	scan    scan.Report // of a look at the GPUs, unless paused
	devices []access    // the driver's device files
	slurm   error
	kubelet error
	labels  error // of asking for pods' labels
	procs   processView
	cloud   cloud.Found
	clock   doctor.Clock
	state   folder
	agent   error // why the agent here does not answer; nil if it does
	listen  map[string]error
	answer  *doctor.Answer // of the collector; nil without one
}

// driverFile is the driver's library as a file.
type driverFile struct {
	path  string // empty where it is in none of the usual places
	err   error
	owner uint32
	mode  fs.FileMode
}

// access is whether this user may open a file for reading and writing.
type access struct {
	path string
	err  error
}

// processView is which processes this one sees.
type processView struct {
	container bool // those of its own container only
	others    error
}

// folder is where the agent keeps its state.
type folder struct {
	path string
	// near is the folder itself or, where it is not there yet, the nearest one
	// above it that is.
	near  string
	write error // why this user may not write there
	free  uint64
}

// sourceLimit is how long a source of holders may take to answer.
const sourceLimit = 5 * time.Second

// doctorWait is for how long the GPUs are looked at.
const doctorWait = 2 * time.Second

// look gathers the facts, all at the same time.
func (n *nodeFacts) look(ctx context.Context) error {
	c := &n.config
	node, err := thisNode(*c)
	if err != nil {
		return err
	}
	n.lookAtAgent(ctx)
	n.clock, n.state, n.procs = doctor.ReadClock(), lookAtFolder(c.State), lookAtProcesses()
	n.library, n.devices = lookAtLibrary(c.NVML), lookAtDevices("/dev")
	n.listen = n.tryAddresses(ctx)
	var g errgroup.Group
	g.Go(func() error { return n.lookAtGPUs(ctx, node.Name) })
	g.Go(func() error {
		n.askSources(ctx, node.Name)
		return nil
	})
	g.Go(func() error {
		if c.Collector != "" {
			a := doctor.Ask(ctx, doctor.Target{URL: c.Collector, TokenFile: c.TokenFile, CAFile: c.CAFile, Agent: true})
			n.answer = &a
		}
		return nil
	})
	return g.Wait()
}

// lookAtAgent asks the agent that has the state folder.
func (n *nodeFacts) lookAtAgent(ctx context.Context) {
	body, err := call(ctx, n.config.State, http.MethodGet, "/status", nil)
	n.agent = err
	var s agent.Status
	if err == nil && json.Unmarshal(body, &s) == nil {
		n.paused = s.Paused
	}
	if n.config.PauseFile != "" {
		_, err := os.Stat(n.config.PauseFile)
		n.paused = n.paused || err == nil
	}
}

// lookAtGPUs looks at GPUs and kernel log as a scan does, and at where the node
// stands.
func (n *nodeFacts) lookAtGPUs(ctx context.Context, node string) error {
	c := &n.config
	f := scanFlags{nvml: c.NVML, kmsg: c.Kmsg, wait: doctorWait, cloud: c.Cloud, expected: c.ExpectedGPUs}
	in := scan.Input{Node: node, Bus: busGPUs("/sys/bus/pci/devices"), Files: deviceFiles("/dev")}
	log := make(chan scan.Log, 1)
	go func() { log <- readKernelLog(c.Kmsg) }() // bounded, and received below
	stands := make(chan cloud.Found, 1)
	go func() { stands <- c.Cloud.new(node, nil).Look(ctx) }() // three seconds at most, and received below
	var err error
	if !n.paused {
		began := time.Now()
		in.Frame, err = watchGPUs(ctx, &f)
		in.Looked = time.Since(began)
	}
	in.Log, n.cloud = <-log, <-stands
	f.place(&in, n.cloud)
	if n.paused {
		n.scan = scan.Report{Input: in}
		return err
	}
	n.scan = scan.Judge(in)
	return err
}

// askSources asks the sources of holders that run asks with these settings.
func (n *nodeFacts) askSources(ctx context.Context, node string) {
	ctx, cancel := context.WithTimeout(ctx, sourceLimit)
	defer cancel()
	c := &n.config.Holders
	if c.Slurm != holderOff {
		_, n.slurm = slurm.New(slurm.Config{JobFiles: c.JobFiles}).List(ctx)
	}
	if c.Kubelet != holderOff {
		n.kubelet = askKubelet(ctx, c.Kubelet)
	}
	if len(c.Labels) > 0 {
		p, err := pods.New(pods.Config{Node: node, Labels: c.Labels})
		if err == nil {
			_, err = p.List(ctx)
		}
		n.labels = err
	}
}

// askKubelet connects first: the client waits for a socket that it may not open.
func askKubelet(ctx context.Context, socket string) error {
	if socket == holderAuto {
		socket = kubelet.DefaultSocket
	}
	if _, err := os.Stat(socket); errors.Is(err, fs.ErrNotExist) {
		return kubelet.ErrAbsent
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	k, err := kubelet.New(socket)
	if err != nil {
		return err
	}
	_, err = k.List(ctx)
	return errors.Join(err, k.Close())
}

// lookAtLibrary finds the driver's library without opening it.
func lookAtLibrary(path string) driverFile {
	l := driverFile{path: path}
	if path == "" {
		if l.path = nvml.Find(); l.path == "" {
			return l
		}
	}
	i, err := os.Stat(l.path)
	if err != nil {
		l.err = err
		return l
	}
	l.mode = i.Mode()
	if s, ok := i.Sys().(*syscall.Stat_t); ok {
		l.owner = s.Uid
	}
	return l
}

// lookAtDevices tries the driver's device files in a folder without opening them:
// an open one would hold up a driver that is being unloaded.
func lookAtDevices(dev string) []access {
	var out []access
	entries, _ := os.ReadDir(dev) // without /dev there are none
	for _, e := range entries {
		if e.Name() == "nvidiactl" || deviceFile.MatchString(e.Name()) {
			path := filepath.Join(dev, e.Name())
			out = append(out, access{path, unix.Access(path, unix.R_OK|unix.W_OK)})
		}
	}
	return out
}

// lookAtProcesses tries what is mostly another user's: the first process.
func lookAtProcesses() processView {
	_, err := os.ReadFile("/proc/1/cgroup")
	return processView{container: !holder.SeesAll(), others: err}
}

func lookAtFolder(path string) folder {
	f := folder{path: path, near: path}
	for {
		_, err := os.Stat(f.near)
		if !errors.Is(err, fs.ErrNotExist) || f.near == filepath.Dir(f.near) {
			break
		}
		f.near = filepath.Dir(f.near)
	}
	f.write = unix.Access(f.near, unix.W_OK|unix.X_OK)
	var s unix.Statfs_t
	if err := unix.Statfs(f.near, &s); err != nil {
		f.write = errors.Join(f.write, fmt.Errorf("look at its disk: %w", err))
	} else {
		f.free = s.Bavail * uint64(s.Bsize) //nolint:gosec // a block's size is positive
	}
	return f
}

// tryAddresses listens where the metrics would be served, for a moment.
func (n *nodeFacts) tryAddresses(ctx context.Context) map[string]error {
	out := map[string]error{}
	for _, addr := range n.config.Listen {
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err == nil {
			err = ln.Close()
		}
		out[addr] = err
	}
	return out
}
