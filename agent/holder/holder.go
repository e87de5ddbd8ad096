// Package holder finds out who holds a GPU: a Slurm job, a pod, a container or a
// user.
//
// It asks several sources, and the first that knows a holder names it: Slurm,
// then the kubelet, then the processes that the driver lists. A GPU is nobody's
// only where a source that works finds no holder; where none works, nobody
// knows.
package holder

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/pods"
	"github.com/gpumeter/gpumeter/agent/holder/slurm"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Kubelet lists the GPUs that pods have. *kubelet.Client is one.
type Kubelet interface {
	// List returns all of them, ErrAbsent where there is no kubelet, when ctx
	// ends at the latest.
	List(ctx context.Context) ([]kubelet.Use, error)
}

// Slurm lists the jobs of this node. *slurm.Node is one.
type Slurm interface {
	// List returns all of them, ErrAbsent where there is no Slurm.
	List(ctx context.Context) (slurm.Jobs, error)
}

// Pods lists the pods of this node with their labels. *pods.Client is one.
type Pods interface {
	// List returns the labels of all pods that may be told, in the form of
	// usage.Holder, when ctx ends at the latest. It is called by one goroutine.
	List(ctx context.Context) (map[pods.Pod]string, error)
}

// Config says whom to ask and what to tell. The zero Config asks the processes
// only and tells all.
type Config struct {
	Kubelet Kubelet // nil asks none
	Slurm   Slurm   // nil asks none
	Pods    Pods    // nil asks for no labels
	// Proc is the root of a process file system that has all of the node's
	// processes. Empty is /proc, and whether it has them all is found out.
	Proc string
	// PodLogs is the folder with the logs of the node's pods, which tells the
	// names of pods where the kubelet does not; "/var/log/pods" if empty.
	PodLogs string
	// Names says what is told, NamesOn if empty; Key is that of NamesHashed.
	Names Names
	Key   []byte
	Log   *slog.Logger // nil discards
}

// Finder finds the holders of this node's GPUs. Make one with New and Run it.
// Its methods may be called concurrently.
type Finder struct {
	cfg     Config
	pods    *poll[[]kubelet.Use] // nil asks none
	jobs    *poll[slurm.Jobs]    // nil asks none
	labels  *poll[map[pods.Pod]string]
	seesAll bool

	mu    sync.Mutex // guards what follows
	procs *processes
	gpus  map[string]*found // by UUID
	match matching
	met   acquaintance
}

// found is what was found at the last look at a GPU.
type found struct {
	at     time.Duration // of the look; negative before the first
	looked metric.Look   // its identity and instances are used
	// whole is who has the GPU, or any part of it; parts who has each compute
	// instance, by UUID.
	whole finding
	parts map[string]finding
}

// finding is who has something. Known without holders does not occur: nobody is
// a holder that says who found none.
type finding struct {
	holders []usage.Holder
	known   bool
}

// New returns what finds holders.
func New(cfg Config) (*Finder, error) {
	if cfg.Names == "" {
		cfg.Names = NamesOn
	}
	if _, err := ParseNames(string(cfg.Names)); err != nil {
		return nil, err
	}
	if cfg.Names == NamesHashed && len(cfg.Key) < minKey {
		return nil, fmt.Errorf("hash holders with a key of %d bytes: fewer than %d", len(cfg.Key), minKey)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Finder{cfg: cfg, seesAll: cfg.Proc != "" || SeesAll(), gpus: map[string]*found{}}
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	if cfg.PodLogs == "" {
		cfg.PodLogs = "/var/log/pods"
	}
	f.procs = newProcesses(cfg.Proc, cfg.PodLogs)
	if cfg.Kubelet != nil {
		f.pods = newPoll(cfg.Kubelet.List, kubelet.ErrAbsent, nodePace, kubeletDescs, cfg.Log)
	}
	if cfg.Slurm != nil {
		f.jobs = newPoll(cfg.Slurm.List, slurm.ErrAbsent, filesPace, slurmDescs, cfg.Log)
	}
	if cfg.Pods != nil {
		f.labels = newPoll(cfg.Pods.List, nil, clusterPace, labelsDescs, cfg.Log)
	}
	return f, nil
}

// Run asks the kubelet, Slurm and the API server from time to time, until ctx
// ends.
func (f *Finder) Run(ctx context.Context) {
	var wg sync.WaitGroup
	if f.pods != nil {
		wg.Go(func() { f.pods.run(ctx) })
	}
	if f.jobs != nil {
		wg.Go(func() { f.jobs.run(ctx) })
	}
	if f.labels != nil {
		wg.Go(func() { f.labels.run(ctx) })
	}
	wg.Wait()
}

// Holders returns who has the GPU of a look or, where it is divided, any part of
// it; sorted. Known is false if no source can tell. Where a source finds no
// holder, the only one is nobody, with the source's basis. Asked again about the
// same look it answers the same. It may wait for a tenth of a second, when
// processes come or go.
func (f *Finder) Holders(l metric.Look) (holders []usage.Holder, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.look(&l).whole
	return x.holders, x.known
}

// Part returns who has one compute instance ("MIG-…") of the GPU of a look, as
// Holders does.
func (f *Finder) Part(l metric.Look, instance string) (holders []usage.Holder, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.look(&l).parts[instance]
	return x.holders, x.known
}

// Add puts the known holders of a look's GPU into a map by UUID, those of its
// compute instances under theirs. Of a GPU that was not looked at it remembers
// that it exists.
func (f *Finder) Add(to map[string][]usage.Holder, l metric.Look) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.Condition != metric.Good {
		if f.gpus[l.GPU.UUID] == nil {
			f.gpus[l.GPU.UUID] = &found{at: -1, looked: l}
			f.match.stale = true
		}
		return
	}
	x := f.look(&l)
	if x.whole.known {
		to[l.GPU.UUID] = x.whole.holders
	}
	for uuid, part := range x.parts {
		if part.known {
			to[uuid] = part.holders
		}
	}
}

// look finds the holders of a look, once. f.mu is held.
func (f *Finder) look(l *metric.Look) *found {
	x := f.gpus[l.GPU.UUID]
	if x != nil && x.at == l.At && x.looked.GPU == l.GPU {
		return x
	}
	if x == nil || !sameShape(&x.looked, l) {
		f.match.stale = true
	}
	if x == nil {
		x = &found{}
		f.gpus[l.GPU.UUID] = x
	}
	*x = found{at: l.At, looked: *l}
	limit := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(limit) })
	defer timer.Stop()
	f.renew(l, limit)
	f.findAll(x)
	if f.met.strangers {
		f.met.strangers = false
		f.labels.renew(limit)
		f.findAll(x)
	}
	return x
}

// findAll finds the holders of a GPU or of its instances.
func (f *Finder) findAll(x *found) {
	l := &x.looked
	if l.MIG {
		f.findParts(x)
		return
	}
	x.whole = f.find(subject{look: l, uuid: l.GPU.UUID, procs: l.Processes, known: l.ProcessesKnown})
}

// findParts finds the holders of all instances of a GPU.
func (f *Finder) findParts(x *found) {
	l := &x.looked
	x.parts, x.whole = map[string]finding{}, finding{known: len(l.Instances) > 0}
	for i := range l.Instances {
		in := &l.Instances[i]
		for k := range in.Compute {
			c := &in.Compute[k]
			part := f.find(subject{look: l, uuid: c.UUID, instance: in, procs: c.Processes, known: c.ProcessesKnown})
			x.parts[c.UUID] = part
			x.whole.holders = append(x.whole.holders, part.holders...)
			x.whole.known = x.whole.known && part.known
		}
	}
	x.whole.holders = gather(x.whole.holders)
}

// renew has the sources asked when the processes of a GPU are others than
// before, so that what they say is not older than the processes.
func (f *Finder) renew(l *metric.Look, limit <-chan struct{}) {
	if f.procs.changed(l.GPU.UUID, f.processesOf(l)) {
		f.jobs.renew(limit)
		f.pods.renew(limit)
	}
	f.procs.learn(l.GPU.UUID, limit)
	f.greet()
}

// processesOf returns the processes of a GPU whose ids mean something here.
func (f *Finder) processesOf(l *metric.Look) []metric.Process {
	if !f.seesAll {
		return nil
	}
	if !l.MIG {
		return l.Processes
	}
	var out []metric.Process
	for i := range l.Instances {
		for k := range l.Instances[i].Compute {
			out = append(out, l.Instances[i].Compute[k].Processes...)
		}
	}
	return out
}
