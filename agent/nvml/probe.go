package nvml

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// ProbeOptions says how thoroughly to probe. The zero ProbeOptions reads every
// row of every group, five times.
type ProbeOptions struct {
	// Rounds is how often everything is read and timed, Pause the time in
	// between: at least 100 ms, for GPM.
	Rounds int
	Pause  time.Duration
	// Groups are the rows besides those without a group; nil is all.
	Groups []string
}

// Defaults of ProbeOptions.
const (
	DefaultProbeRounds = 5
	DefaultProbePause  = 250 * time.Millisecond
)

// ProbeReport is what a driver answers: each row's value or why there is none,
// and what each call costs.
type ProbeReport struct {
	Library, Driver, NVML string // path and versions
	GPUs                  []ProbeGPU
	Calls                 []ProbeCall // the most expensive first
}

// ProbeGPU is one GPU of a report.
type ProbeGPU struct {
	GPU       metric.GPU
	Condition metric.Condition
	Reason    string // why it is not Good
	Rows      []ProbeRow
	Instances []ProbeInstance // of a divided GPU
}

// ProbeInstance is one GPU instance of a divided GPU.
type ProbeInstance struct {
	ID      int
	Profile string
	Compute []string // UUIDs of its compute instances
	Rows    []ProbeRow
}

// ProbeRow is one row of the table for one GPU.
type ProbeRow struct {
	Desc   *metric.Desc
	Source string // as Source.String has it
	// Value is in the base unit, if Known; Why is the driver's word otherwise.
	Known bool
	Value float64
	Why   string
}

// ProbeCall is what one kind of driver call cost, on all GPUs together.
type ProbeCall struct {
	Name     string
	Count    int
	P50, Max time.Duration
}

// Probe asks the driver for everything, in this very process: call it only in
// a process of its own, because a driver that hangs takes it along. library is
// an absolute path, or empty for the usual places. Nothing on a GPU is changed.
func Probe(library string, o ProbeOptions) (ProbeReport, error) {
	if o.Rounds <= 0 {
		o.Rounds = DefaultProbeRounds
	}
	if o.Pause <= 0 {
		o.Pause = DefaultProbePause
	}
	if o.Groups == nil {
		o.Groups = []string{AllGroups}
	}
	if err := CheckGroups(o.Groups); err != nil {
		return ProbeReport{}, err
	}
	lib, err := openLibrary(library)
	if err != nil {
		return ProbeReport{}, err
	}
	p := &probe{ProbeOptions: o, lib: lib, costs: map[string][]time.Duration{}}
	p.time("nvmlInit_v2", func() { err = lib.init() })
	if err != nil {
		return ProbeReport{}, err
	}
	defer lib.shutdown()
	return p.report()
}

// probe is a Probe that is going on.
type probe struct {
	ProbeOptions
	lib   *library
	costs map[string][]time.Duration
}

func (p *probe) time(name string, f func()) {
	start := time.Now()
	f()
	p.costs[name] = append(p.costs[name], time.Since(start))
}

func (p *probe) report() (ProbeReport, error) {
	r := ProbeReport{Library: p.lib.path, Driver: p.lib.text(fnDriverVersion), NVML: p.lib.text(fnNVMLVersion)}
	n, code := p.lib.count()
	if code != nvml.SUCCESS {
		return r, &driverError{"count GPUs", code}
	}
	for i := range min(n, maxSlots) {
		r.GPUs = append(r.GPUs, p.gpu(i))
	}
	for name, spent := range p.costs {
		slices.Sort(spent)
		r.Calls = append(r.Calls, ProbeCall{name, len(spent), spent[len(spent)/2], spent[len(spent)-1]})
	}
	slices.SortFunc(r.Calls, func(a, b ProbeCall) int {
		if a.P50 != b.P50 {
			return int(b.P50 - a.P50)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return r, nil
}

// gpu probes the GPU at an index.
func (p *probe) gpu(index int) ProbeGPU {
	d := newDevice(p.lib, newPlan(Table, p.Groups...), time.Duration(maxHold+p.Rounds)*p.Pause, BootClock)
	defer d.close()
	var g ProbeGPU
	var code nvml.Return
	p.time("nvmlDeviceGetHandleByIndex_v2 and identity", func() { g.GPU, code = d.open(index) })
	if code != nvml.SUCCESS {
		g.GPU.Index = index
		g.Condition, g.Reason = (&outcome{worst: code}).verdict()
		return g
	}
	for range p.Rounds {
		var o outcome
		p.time("a whole look", func() { o = d.read(d.clock()) })
		if g.Condition, g.Reason = o.verdict(); o.over() {
			return g
		}
		p.calls(d)
		time.Sleep(p.Pause)
	}
	for row := range Table {
		if v := &Table[row]; v.Group == "" || p.asked(v.Group) {
			g.Rows = append(g.Rows, probeRow(v, d.values[row], d.askRow))
		}
	}
	for _, in := range d.mig.instances {
		g.Instances = append(g.Instances, d.probeInstance(in))
	}
	return g
}

// probeInstance returns what the last look said of an instance. Its memory is
// asked through one of its compute instances, its activity with its number.
func (d *device) probeInstance(in *instance) ProbeInstance {
	out := ProbeInstance{ID: in.id, Profile: in.profile}
	for _, c := range in.compute {
		out.Compute = append(out.Compute, c.uuid)
	}
	ask := func(s *Source) nvml.Return {
		if s.GPM == 0 {
			defer d.turnTo(d.turnTo(in.compute[0].handle))
			return s.Call.read(d, s.Arg, &d.out)
		}
		return d.askGPM(&in.pair, s.GPM)
	}
	for row := range InstanceTable {
		out.Rows = append(out.Rows, probeRow(&InstanceTable[row], in.values[row], ask))
	}
	return out
}

func (p *probe) asked(group string) bool {
	return slices.Contains(p.Groups, group) || slices.Contains(p.Groups, AllGroups)
}

// calls times every call that a look may consist of, once.
func (p *probe) calls(d *device) {
	for i := range d.plan.calls {
		c := &d.plan.calls[i]
		p.time(c.Name, func() { _ = c.read(d, c.arg, &d.out) })
	}
	for _, kind := range []nvml.SamplingType{nvml.GPU_UTILIZATION_SAMPLES, nvml.MEMORY_UTILIZATION_SAMPLES, nvml.ENC_UTILIZATION_SAMPLES} {
		p.time(fmt.Sprintf("nvmlDeviceGetSamples(%d)", kind), func() { _, _ = d.getSamples(kind, 0) })
	}
	for n := range batches {
		clear(d.fieldDue)
		if d.wantFields(n); len(d.batch) == 0 {
			continue
		}
		p.time(fmt.Sprintf("nvmlDeviceGetFieldValues, %d at once", len(d.batch)), func() { _ = d.getFields(d.batch) })
		for i := range d.batch {
			p.time("nvmlDeviceGetFieldValues, one", func() { _ = d.getFields(d.batch[i : i+1]) })
		}
	}
	for _, f := range processLists {
		p.time(symbols[f][0], func() { _, _ = d.getProcesses(f) })
	}
	if _, _, ok := d.gpm.pair.span(); ok {
		time.Sleep(gpmApart)
		p.time("nvmlGpmSampleGet", func() { _ = d.gpm.pair.take(d, whole) })
		p.time("nvmlGpmMetricsGet", func() { _ = d.gpm.pair.metrics(d, d.gpm.request, len(d.gpm.of)) })
		d.gpm.cycles = cycles{} // they were not read for this pair
	}
}

// probeRow returns a row's value of the last look, or asks once more, for it
// alone, to learn why there is none.
func probeRow(row *Row, v float64, ask func(*Source) nvml.Return) ProbeRow {
	r := ProbeRow{Desc: &row.Desc, Source: row.Source.String()}
	if !math.IsNaN(v) {
		r.Known, r.Value = true, v
		return r
	}
	r.Why = "no value"
	if code := ask(&row.Source); code != nvml.SUCCESS {
		r.Why = codeWords(code)
	}
	return r
}

// askRow asks for one row and returns the driver's code.
func (d *device) askRow(s *Source) nvml.Return {
	switch {
	case s.GPM != 0:
		return d.askGPM(&d.gpm.pair, s.GPM)
	case s.Field != 0:
		v := []nvml.FieldValue{{FieldId: s.Field, ScopeId: s.Scope}}
		if code := d.getFields(v); code != nvml.SUCCESS {
			return code
		}
		return nvml.Return(v[0].NvmlReturn)
	}
	return s.Call.read(d, s.Arg, &d.out)
}

// askGPM asks for one GPM metric of the newest samples of a pair.
func (d *device) askGPM(p *samplePair, id uint32) nvml.Return {
	if code := d.supportsGPM(); code != nvml.SUCCESS {
		return code
	}
	if _, _, ok := p.span(); !ok {
		return nvml.ERROR_NOT_FOUND
	}
	r := d.gpm.request
	r.metrics[0] = gpmMetric{id: id}
	if code := p.metrics(d, r, 1); code != nvml.SUCCESS {
		return code
	}
	_, code := r.metrics[0].number()
	return code
}
