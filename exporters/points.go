package exporters

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// maxHolders bounds the holder points of one GPU. Holders has the number of all.
const maxHolders = 8

// Points yields everything there is to show of a snapshot at a time, subject by
// subject and in the order of the tables. A frame older than maxAge speaks for
// no GPU. The points are good until the next one is asked for.
func Points(s *Snapshot, now time.Time, maxAge time.Duration) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		w := walk{s: s, stale: now.Sub(s.Frame.Wall) > maxAge, yield: yield}
		_ = w.node() && w.gpus()
	}
}

// walk goes through a snapshot. Its methods return false when nobody asks for
// more.
type walk struct {
	s     *Snapshot
	stale bool
	yield func(Point) bool
	extra []metric.Label // reused
}

// info yields a metric of the value 1 whose labels say everything.
func (w *walk) info(p Point, labels ...metric.Label) bool {
	w.extra = append(w.extra[:0], labels...)
	p.Value, p.Extra = 1, w.extra
	return w.yield(p)
}

func (w *walk) node() bool {
	n, c := &w.s.Node, &w.s.Node.Cloud
	if !w.info(Point{Desc: NodeInfo}, metric.Label{Name: "node", Value: n.Name}, metric.Label{Name: "cloud", Value: c.Provider},
		metric.Label{Name: "account", Value: c.Account}, metric.Label{Name: "region", Value: c.Region}, metric.Label{Name: "zone", Value: c.Zone},
		metric.Label{Name: "instance_type", Value: c.InstanceType}, metric.Label{Name: "instance_id", Value: c.InstanceID},
		metric.Label{Name: "reservation", Value: c.Reservation}, metric.Label{Name: "cluster", Value: c.Cluster}, metric.Label{Name: "node_pool", Value: c.NodePool},
		metric.Label{Name: "rack", Value: c.Rack}, metric.Label{Name: "agent_version", Value: n.Agent}) {
		return false
	}
	return w.driver() && w.readings(w.s.Host, nil, nil) && w.xids("", nil)
}

func (w *walk) driver() bool {
	d := &w.s.Frame.Driver
	if !d.Up {
		return w.yield(Point{Desc: DriverUp}) && w.info(Point{Desc: DriverDown}, metric.Label{Name: "reason", Value: d.Reason})
	}
	return w.yield(Point{Desc: DriverUp, Value: 1}) &&
		w.info(Point{Desc: DriverInfo}, metric.Label{Name: "driver", Value: d.Version}, metric.Label{Name: "nvml", Value: d.NVML}) &&
		w.yield(Point{Desc: DriverGPUs, Value: float64(d.GPUs)}) && w.nameless()
}

// nameless yields the GPUs that have no identity to stand under.
func (w *walk) nameless() bool {
	for _, n := range w.s.Frame.Nameless {
		if !w.info(Point{Desc: Nameless}, metric.Label{Name: "index", Value: strconv.Itoa(n.Index)}, metric.Label{Name: "reason", Value: n.Reason}) {
			return false
		}
	}
	return true
}

func (w *walk) gpus() bool {
	seen := make(map[string]bool, len(w.s.Frame.Looks))
	for i := range w.s.Frame.Looks {
		l := &w.s.Frame.Looks[i]
		if seen[l.GPU.UUID] {
			continue // a driver that lists a GPU twice must not double it
		}
		seen[l.GPU.UUID] = true
		if !w.gpu(l) {
			return false
		}
	}
	return true
}

func (w *walk) gpu(l *metric.Look) bool {
	g := &l.GPU
	if !w.info(Point{Desc: Info, GPU: g}, identity(g, w.s.Frame.Driver.Version)...) ||
		!w.readings(w.s.Totals[g.UUID], g, nil) || !w.xids(g.UUID, g) {
		return false
	}
	condition, reason := l.Condition, l.Reason
	if w.stale {
		condition, reason = metric.Unobserved, metric.ReasonNotSampled
	}
	why := metric.Label{Name: "reason", Value: reason}
	switch condition {
	case metric.Good:
		return w.yield(Point{Desc: Up, GPU: g, Value: 1}) && w.readings(l.Readings, g, nil) && w.holders(g) && w.instances(l)
	case metric.Lost:
		return w.yield(Point{Desc: Up, GPU: g}) && w.info(Point{Desc: Lost, GPU: g}, why)
	default:
		return w.yield(Point{Desc: Up, GPU: g}) && w.info(Point{Desc: Unobserved, GPU: g}, why)
	}
}

// identity is what gpu.info says of a GPU besides its UUID and index.
func identity(g *metric.GPU, driver string) []metric.Label {
	return []metric.Label{
		{Name: "model", Value: metric.Model(g.Name)}, {Name: "name", Value: g.Name}, {Name: "serial", Value: g.Serial},
		{Name: "pci", Value: g.PCI}, {Name: "device", Value: g.Device}, {Name: "part", Value: g.Part},
		{Name: "architecture", Value: g.Architecture}, {Name: "capability", Value: g.Capability},
		{Name: "vbios", Value: g.VBIOS}, {Name: "inforom", Value: g.InfoROM}, {Name: "gsp", Value: g.GSP}, {Name: "driver", Value: driver},
		{Name: "chassis", Value: g.Platform.Chassis}, {Name: "slot", Value: g.Platform.Slot}, {Name: "tray", Value: g.Platform.Tray},
		{Name: "host", Value: g.Platform.Host}, {Name: "module", Value: g.Platform.Module},
		{Name: "fabric", Value: g.Fabric}, {Name: "clique", Value: g.Clique},
	}
}

func (w *walk) readings(rs []metric.Reading, g *metric.GPU, in *metric.Instance) bool {
	for i := range rs {
		if !w.yield(Point{Desc: rs[i].Desc, Value: rs[i].Value, GPU: g, Instance: in}) {
			return false
		}
	}
	return true
}

// xids yields the errors of one GPU, or those of no known GPU.
func (w *walk) xids(uuid string, g *metric.GPU) bool {
	for i := range w.s.Xids {
		x := &w.s.Xids[i]
		if x.UUID != uuid {
			continue
		}
		w.extra = append(w.extra[:0], metric.Label{Name: "xid", Value: strconv.Itoa(x.Code)}, metric.Label{Name: "severity", Value: x.Severity.String()})
		if !w.yield(Point{Desc: Xids, GPU: g, Value: float64(x.Count), Extra: w.extra}) ||
			!w.yield(Point{Desc: XidLast, GPU: g, Value: float64(x.Last.UnixMilli()) / 1e3, Extra: w.extra}) {
			return false
		}
	}
	return true
}

// holders yields who has a GPU, each once.
func (w *walk) holders(g *metric.GPU) bool {
	hs, known := w.s.Holders[g.UUID]
	if !known {
		return true
	}
	seen := make(map[usage.Holder]bool, len(hs))
	for _, h := range hs {
		// Two names may differ in bad bytes only, and are one series then.
		h.Group, h.Name, h.Part, h.Labels = clean(h.Group), clean(h.Name), clean(h.Part), clean(h.Labels)
		if !h.Held() || seen[h] {
			continue
		}
		seen[h] = true
		if len(seen) <= maxHolders && !w.info(Point{Desc: HolderInfo, GPU: g}, holderLabels(h)...) {
			return false
		}
	}
	return w.yield(Point{Desc: Holders, GPU: g, Value: float64(len(seen))})
}

// holderLabels is what gpu.holder.info says: of the labels of a pod each has a
// label of its own, the label "cost-centre" as label_cost_centre.
func holderLabels(h usage.Holder) []metric.Label {
	out := []metric.Label{
		{Name: "basis", Value: string(h.Basis)}, {Name: "kind", Value: h.Kind}, {Name: "group", Value: h.Group},
		{Name: "name", Value: h.Name}, {Name: "part", Value: h.Part},
	}
	for pair := range strings.SplitSeq(h.Labels, ",") {
		key, value, ok := strings.Cut(pair, "=")
		name := "label_" + strings.Map(nameRune, key)
		if ok && !slices.ContainsFunc(out, func(l metric.Label) bool { return l.Name == name }) {
			out = append(out, metric.Label{Name: name, Value: value})
		}
	}
	return out
}

func nameRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}

// clean makes valid text of what users wrote.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// instances yields the parts of a divided GPU.
func (w *walk) instances(l *metric.Look) bool {
	for i := range l.Instances {
		in := &l.Instances[i]
		for _, c := range in.Compute {
			if !w.info(Point{Desc: InstanceInfo, GPU: &l.GPU, Instance: in}, metric.Label{Name: "compute_instance", Value: strconv.Itoa(c.ID)},
				metric.Label{Name: "mig", Value: c.UUID}, metric.Label{Name: "profile", Value: in.Profile},
				metric.Label{Name: "slices", Value: strconv.Itoa(c.Slices)}) {
				return false
			}
		}
		if !w.readings(in.Readings, &l.GPU, in) {
			return false
		}
	}
	return true
}
