// Package dcgm shows the newest look at a node's GPUs in dcgm-exporter's words:
// its names, labels, units and number formats, so that dashboards and alerts
// made for it keep working.
//
// Where it knows better it still says the same, except for three things. Label
// values are escaped, which dcgm-exporter does not do. What is about a whole GPU
// is said once and not again for each of its MIG instances, so that sums are
// right. And a GPU that does not answer has no readings here either: only its
// last error stays, as that is what people look for then.
package dcgm

import (
	"cmp"
	"log/slog"
	"math"
	"time"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Options says what to show. Snapshot and Known are required.
type Options struct {
	// Snapshot returns the newest snapshot, which nobody changes afterwards. It
	// is called for each page, concurrently, and must not wait.
	Snapshot func() exporters.Snapshot
	// Known are the metrics that a snapshot can hold. Those of them that have a
	// name in DCGM can be shown.
	Known []*metric.Desc
	// Names are the generations of names; empty means OldNames.
	Names Names
	// Hostname is how the label of the node's name is spelled; empty means both.
	Hostname Hostname
	// Counters select the metrics; nil means those that dcgm-exporter has by
	// default.
	Counters []Counter
	// MaxAge is how old a frame may be; 0 means exporters.DefaultMaxAge.
	MaxAge time.Duration
	Now    func() time.Time
	// Log is told which counters cannot be shown; nil tells nobody.
	Log *slog.Logger
}

// Exporter writes pages. Make one with New.
type Exporter struct {
	o        Options
	fields   map[string]int // by old and new name: index into a subject's values
	count    int            // of fields
	families []family
	labels   [][]label // by generation
	rates    rates
	// directions is how many counters the bytes over all NVLinks have.
	directions int
}

// family is one name of the page.
type family struct {
	name, kind, help string
	field            int
	generation       generation
	number           number
}

// New returns an exporter. A counter that it does not know is logged and left
// out.
func New(o Options) (*Exporter, error) {
	o.setDefaults()
	if err := o.Names.Check(); err != nil {
		return nil, err
	}
	if err := o.Hostname.Check(); err != nil {
		return nil, err
	}
	e := &Exporter{o: o, fields: map[string]int{}, labels: make([][]label, generations)}
	e.plan()
	for _, d := range o.Known {
		if d.Name == nvlinkBytes {
			e.directions++
		}
	}
	return e, nil
}

func (o *Options) setDefaults() {
	o.Names = cmp.Or(o.Names, OldNames)
	o.Hostname = cmp.Or(o.Hostname, BothHostnames)
	if o.Counters == nil {
		o.Counters = DefaultCounters()
		if o.Names == BaseNames {
			// dcgm-exporter 4.9 has one more by default.
			o.Counters = append(o.Counters, Counter{Field: "DCGM_FI_DEV_FB_TOTAL", Type: "gauge", Help: "Framebuffer memory total (in MiB)."})
		}
	}
	if o.MaxAge <= 0 {
		o.MaxAge = exporters.DefaultMaxAge
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// AppendText appends the page as it is now, in the Prometheus text format. It
// may be called concurrently.
func (e *Exporter) AppendText(dst []byte) []byte {
	s := e.o.Snapshot()
	subjects := e.subjects(&s)
	for i := range e.families {
		dst = e.families[i].append(dst, subjects)
	}
	return dst
}

// append appends a family that has values. One that has none is left out: it
// is not supported here.
func (f *family) append(dst []byte, subjects []subject) []byte {
	begun := false
	for i := range subjects {
		s := &subjects[i]
		v := s.values[f.field]
		if !f.number.fits(v) {
			continue
		}
		if !begun {
			begun = true
			dst = append(append(append(append(dst, "# HELP "...), f.name...), ' '), escapeHelp(f.help)...)
			dst = append(append(append(append(append(dst, "\n# TYPE "...), f.name...), ' '), f.kind...), '\n')
		}
		dst = append(dst, f.name...)
		dst = s.appendLabels(dst, f)
		dst = append(f.number.append(append(dst, ' '), v), '\n')
	}
	return dst
}

// subject is a GPU, or a part of one, and what is known of it.
type subject struct {
	values []float64 // by field; NaN is unknown
	// What stands in the braces: before the labels of a counter file, those, and
	// after them.
	head   string
	labels []string // by generation
	holder attributes
}

// subjects are the GPUs of a snapshot and their instances, each once.
func (e *Exporter) subjects(s *exporters.Snapshot) []subject {
	stale := e.o.Now().Sub(s.Frame.Wall) > e.o.MaxAge
	seen := make(map[string]bool, len(s.Frame.Looks))
	var out []subject
	for i := range s.Frame.Looks {
		l := &s.Frame.Looks[i]
		if seen[l.GPU.UUID] {
			continue
		}
		seen[l.GPU.UUID] = true
		good := l.Condition == metric.Good && !stale
		gpu := e.subject(s, l, nil)
		e.lastXid(s, l.GPU.UUID, good, &gpu)
		if !good {
			out = append(out, gpu)
			continue
		}
		gpu.holder = attributesOf(s.Holders[l.GPU.UUID])
		e.read(&gpu, l.Readings)
		e.nvlink(&gpu, l)
		out = append(out, gpu)
		for n := range l.Instances {
			out = append(out, e.instance(s, l, &l.Instances[n]))
		}
	}
	return out
}

func (e *Exporter) instance(s *exporters.Snapshot, l *metric.Look, in *metric.Instance) subject {
	out := e.subject(s, l, in)
	var holders []usage.Holder
	for _, c := range in.Compute {
		holders = append(holders, s.Holders[c.UUID]...)
	}
	out.holder = attributesOf(holders)
	e.read(&out, in.Readings)
	return out
}

func (e *Exporter) subject(s *exporters.Snapshot, l *metric.Look, in *metric.Instance) subject {
	out := subject{values: make([]float64, e.count), head: e.head(&s.Node, &l.GPU, in)}
	for i := range out.values {
		out.values[i] = math.NaN()
	}
	for _, ls := range e.labels {
		out.labels = append(out.labels, appendLabels(ls, &l.GPU, &s.Frame.Driver))
	}
	return out
}

// read takes over readings. Those that share a name are parts of one number,
// such as the errors of all links.
func (e *Exporter) read(to *subject, rs []metric.Reading) {
	for i := range rs {
		d := rs[i].Desc
		name := d.DCGMOld
		if name == "" {
			name = d.DCGM
		}
		if name == "" {
			continue
		}
		if n, ok := e.fields[name]; ok {
			to.add(n, rs[i].Value)
		}
	}
}

func (s *subject) add(field int, v float64) {
	if math.IsNaN(s.values[field]) {
		s.values[field] = v
		return
	}
	s.values[field] += v
}

// lastXid is the code of the last error of a GPU: 0 where there was none as far
// as one that answers can tell.
func (e *Exporter) lastXid(s *exporters.Snapshot, uuid string, good bool, to *subject) {
	n, ok := e.fields[xidOld]
	if !ok {
		return
	}
	var last *exporters.XidCount
	for i := range s.Xids {
		if x := &s.Xids[i]; x.UUID == uuid && (last == nil || x.Last.After(last.Last)) {
			last = x
		}
	}
	switch {
	case last != nil:
		to.values[n] = float64(last.Code)
	case good:
		to.values[n] = 0
	}
}
