package nvml

import (
	"cmp"
	"math"
	"slices"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// readInstances reads all instances of a divided GPU, and finds from them how
// busy the GPU was in the span of the look: the GPU does not say so itself.
// What an instance's calls return says nothing about the GPU, whose handle is
// another.
func (d *device) readInstances(*outcome) {
	m := &d.mig
	if !m.on {
		return
	}
	var o outcome
	m.waits = false
	for _, in := range m.instances {
		d.sampleInstance(in, &o)
		d.readInstanceCalls(in, &o)
	}
	d.readInstanceProcesses(&o)
	m.doubt = m.doubt || o.dying
	d.addUp()
}

// addUp finds the shares of the look. They are unknown where an instance may
// have come or gone within its span.
func (d *device) addUp() {
	m, u := &d.mig, &d.util
	for _, in := range m.instances {
		in.util, in.sm = in.busy.mean(u.since, u.at), in.active.mean(u.since, u.at)
	}
	u.share, d.gpm.active = metric.Share{}, metric.Share{}
	if begun := u.since == u.at; begun || m.altered {
		// The next look begins after the first samples, so that they cover it.
		u.at = max(u.at, d.clock())
		if begun {
			u.since = u.at
		}
		return
	}
	if m.waits {
		u.at = u.since // what was since then is for the next look
		return
	}
	if m.complete && !m.changed.Load() {
		u.share = wholeOf(m.of, m.instances, func(in *instance) metric.Share { return in.util })
		d.gpm.active = wholeOf(m.of, m.instances, func(in *instance) metric.Share { return in.sm })
	}
}

// wholeOf returns the share of a GPU's compute slices, so many in all, that
// its instances kept busy. It is known if that of every instance is.
func wholeOf(of int, instances []*instance, share func(*instance) metric.Share) metric.Share {
	if len(instances) == 0 {
		return metric.KnownShare(0) // nothing can run
	}
	var busy float64
	used := 0
	for _, in := range instances {
		s := share(in)
		if !s.Known || in.slices <= 0 {
			return metric.Share{}
		}
		busy += s.Value * float64(in.slices)
		used += in.slices
	}
	if used > of {
		return metric.Share{} // who counts wrong is not known
	}
	return metric.KnownShare(min(busy/float64(of), 1))
}

// sampleInstance takes a sample, and the averages since the sample before.
func (d *device) sampleInstance(in *instance, o *outcome) {
	if !in.next.now(d.now) {
		return
	}
	if d.now-in.pair.at[in.pair.newest] < gpmApart {
		d.mig.waits = true
		return
	}
	for _, p := range d.mig.plan.gpm {
		if p.row >= 0 {
			in.values[p.row] = math.NaN()
		}
	}
	code := in.pair.take(d, in.id)
	o.note(code)
	if !dying(code) {
		in.next.after(code, d.now, 0)
	}
	if _, _, ok := in.pair.span(); ok && code == nvml.SUCCESS {
		o.note(d.measureInstance(in))
	}
}

// measureInstance takes over the averages between an instance's two samples.
func (d *device) measureInstance(in *instance) nvml.Return {
	if d.gpm.request == nil {
		d.gpm.request = &gpmRequest{}
	}
	p, r := d.mig.plan, d.gpm.request
	for i := range p.gpm {
		r.metrics[i] = gpmMetric{id: p.gpm[i].id}
	}
	code := in.pair.metrics(d, r, len(p.gpm))
	if code != nvml.SUCCESS {
		in.cycles = cycles{}
		return code
	}
	var seen sight
	for i := range p.gpm {
		v, _ := r.metrics[i].number()
		seen.note(p.gpm[i].id, v)
		if row := p.gpm[i].row; row >= 0 {
			in.values[row] = gpmValue(&p.rows[row].Source, v)
		}
	}
	from, to, _ := in.pair.span()
	if busy := in.values[instanceBusyRow]; !math.IsNaN(busy) {
		in.busy.add(from, to, busy)
	}
	if share := in.cycles.share(&seen); share.Known {
		in.active.add(from, to, share.Value)
	}
	return code
}

// readInstanceCalls reads what the driver tells by the handle of any of an
// instance's compute instances: its memory, which they share.
func (d *device) readInstanceCalls(in *instance, o *outcome) {
	defer d.turnTo(d.turnTo(in.compute[0].handle))
	p := d.mig.plan
	for i := range p.calls {
		c := &p.calls[i]
		code := c.read(d, c.arg, &d.out)
		o.note(code)
		for _, row := range c.rows {
			s := &p.rows[row].Source
			in.values[row] = math.NaN()
			if code == nvml.SUCCESS {
				in.values[row] = baseValue(s, d.out[s.Part])
			}
		}
	}
}

// readInstanceProcesses lists the processes of every compute instance, and all
// of them as those of the GPU, which itself lists them to privileged users only.
func (d *device) readInstanceProcesses(o *outcome) {
	all := &d.procs
	all.known, all.list = d.mig.complete, all.list[:0]
	for _, in := range d.mig.instances {
		for _, c := range in.compute {
			d.readComputeProcesses(c, o)
			if len(all.list)+len(c.procs.list) > maxProcesses {
				c.procs.known, c.procs.list = false, c.procs.list[:0]
			}
			all.known = all.known && c.procs.known
			all.list = append(all.list, c.procs.list...)
		}
	}
	if !all.known {
		all.list = all.list[:0]
	}
	all.list = sumProcesses(all.list)
}

func (d *device) readComputeProcesses(c *compute, o *outcome) {
	defer d.turnTo(d.turnTo(c.handle))
	d.listProcesses(&c.procs, o)
}

// sumProcesses sorts by process id and keeps one entry of each process, with
// the memory that it has in all instances.
func sumProcesses(list []metric.Process) []metric.Process {
	slices.SortFunc(list, func(a, b metric.Process) int { return cmp.Compare(a.PID, b.PID) })
	out := list[:0]
	for _, p := range list {
		if n := len(out); n > 0 && out[n-1].PID == p.PID {
			out[n-1].MemoryBytes += p.MemoryBytes
		} else {
			out = append(out, p)
		}
	}
	return out
}
