package influx

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// Measurements of our own layout that are not named by a rule.
const (
	inGPU      = "gpumeter_gpu"
	inInstance = "gpumeter_gpu_instance"
	inDriver   = "gpumeter_driver"
)

// fieldReason says why a GPU or a driver is not up; empty while it is. "reason"
// is a tag of what tells throttling apart.
const fieldReason = "state_reason"

// infos are the metrics whose labels say everything, with the measurement that
// has them as strings.
var infos = map[*metric.Desc]string{
	exporters.NodeInfo:     "gpumeter_node",
	exporters.DriverInfo:   inDriver,
	exporters.DriverDown:   inDriver,
	exporters.Info:         "gpumeter_gpu_info",
	exporters.HolderInfo:   "gpumeter_gpu_holder",
	exporters.InstanceInfo: "gpumeter_gpu_instance_info",
	exporters.Lost:         inGPU,
	exporters.Unobserved:   inGPU,
}

// layout puts points into lines.
type layout struct {
	*lines
	node    string
	gpu     *metric.GPU
	holders int // of gpu, so far
}

// own puts a snapshot into lines of our own layout.
func own(ls *lines, s *exporters.Snapshot, now time.Time, maxAge time.Duration) {
	o := layout{lines: ls, node: s.Node.Name}
	for p := range exporters.Points(s, now, maxAge) {
		o.point(&p)
	}
}

func (o *layout) point(p *exporters.Point) {
	if p.GPU != o.gpu {
		o.gpu, o.holders = p.GPU, 0
	}
	if m, ok := infos[p.Desc]; ok {
		o.info(m, p)
		return
	}
	m, key := place(p)
	tags := o.subject(p)
	for _, l := range p.Desc.Labels {
		tags = append(tags, tag{l.Name, l.Value})
	}
	for _, l := range p.Extra {
		tags = append(tags, tag{l.Name, l.Value})
	}
	l := o.at(m, tags...)
	switch p.Desc {
	case exporters.Up, exporters.DriverUp:
		o.up(l, p)
	default:
		if v, ok := number(p.Desc, p.Value); ok {
			l.set(key, v)
		}
	}
}

// up says all that the state of a GPU or a driver has, so that the last value
// of each field is true. What is not well says so in points that follow.
func (o *layout) up(l *line, p *exporters.Point) {
	l.set("up", lineprotocol.IntValue(int64(p.Value)))
	l.text(fieldReason, "")
	if p.GPU != nil {
		l.set("lost", lineprotocol.BoolValue(false))
		l.set("unobserved", lineprotocol.BoolValue(false))
	}
}

// info puts labels into fields. Of several holders of a GPU each has a number
// for a tag: their names are as many as users like.
func (o *layout) info(measurement string, p *exporters.Point) {
	tags := o.subject(p)
	if p.Desc == exporters.HolderInfo {
		tags = append(tags, tag{"holder", strconv.Itoa(o.holders)})
		o.holders++
	}
	labels := p.Extra
	if p.Desc == exporters.InstanceInfo {
		tags = append(tags, tag{labels[0].Name, labels[0].Value}) // compute_instance
		labels = labels[1:]
	}
	l := o.at(measurement, tags...)
	switch p.Desc {
	case exporters.Lost:
		l.set("lost", lineprotocol.BoolValue(true))
	case exporters.Unobserved:
		l.set("unobserved", lineprotocol.BoolValue(true))
	}
	for _, x := range labels {
		switch {
		case x.Name == "reason":
			l.text(fieldReason, x.Value)
		case x.Value != "" && !hasTag(tags, x.Name):
			l.text(x.Name, x.Value)
		}
	}
}

// hasTag reports whether there is a tag of a name: a field of the same name
// could not be asked for.
func hasTag(tags []tag, name string) bool {
	return slices.ContainsFunc(tags, func(t tag) bool { return t.key == name })
}

// subject returns the tags that tell what a point is of.
func (o *layout) subject(p *exporters.Point) []tag {
	tags := append(make([]tag, 0, 8), tag{"node", o.node})
	if p.GPU != nil {
		tags = append(tags, tag{"uuid", p.GPU.UUID}, tag{"gpu", strconv.Itoa(p.GPU.Index)}, tag{"model", metric.Model(p.GPU.Name)})
	}
	if p.Instance != nil {
		tags = append(tags, tag{"gpu_instance", strconv.Itoa(p.Instance.ID)}, tag{"profile", p.Instance.Profile})
	}
	return tags
}

// place returns the measurement and the field of a point.
func place(p *exporters.Point) (measurement, key string) {
	name := p.Desc.Name
	switch {
	case p.Instance != nil:
		measurement, name = inInstance, strings.TrimPrefix(strings.TrimPrefix(name, "gpu."), "instance.")
	case p.GPU != nil:
		measurement, name = inGPU, strings.TrimPrefix(name, "gpu.")
	default:
		subject, rest, _ := strings.Cut(strings.TrimPrefix(name, "gpumeter."), ".")
		measurement, name = "gpumeter_"+subject, rest
	}
	key = snake(name)
	if p.Desc.Unit != metric.Count {
		key += "_" + string(p.Desc.Unit)
	}
	if p.Desc.Kind == metric.Counter {
		key += "_total"
	}
	return measurement, key
}

// number returns a value in the type that its metric has for ever.
func number(d *metric.Desc, v float64) (lineprotocol.Value, bool) {
	if d.Unit == metric.Bytes || d.Unit == metric.Count && d.Kind == metric.Counter {
		return integer(v)
	}
	return lineprotocol.FloatValue(v)
}
