package dcgm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Hostname is how the label of the node's name is spelled.
type Hostname string

// dcgm-exporter had Hostname up to 4.8.2, and has hostname since.
const (
	UpperHostname Hostname = "Hostname"
	LowerHostname Hostname = "hostname"
	BothHostnames Hostname = "both"
)

// Check returns an error for a word that is none of them.
func (h Hostname) Check() error {
	if h != UpperHostname && h != LowerHostname && h != BothHostnames {
		return fmt.Errorf("dcgm hostname %q is not Hostname, hostname or both", string(h))
	}
	return nil
}

// label is a row of type label in a counter file: it stands on every metric.
type label struct {
	name  string
	value func(*metric.GPU, *metric.Driver) string
}

// labelRows are the labels that can be shown, under their old and new names.
var labelRows = []struct {
	names [2]string
	value func(*metric.GPU, *metric.Driver) string
}{
	{[2]string{"DCGM_FI_DRIVER_VERSION", "DCGM_FI_SYSTEM_DRIVER_VERSION"}, func(_ *metric.GPU, d *metric.Driver) string { return d.Version }},
	{[2]string{"DCGM_FI_NVML_VERSION", "DCGM_FI_SYSTEM_NVML_VERSION"}, func(_ *metric.GPU, d *metric.Driver) string { return d.NVML }},
	{[2]string{"DCGM_FI_DEV_NAME", "DCGM_FI_DEV_GPU_NAME"}, func(g *metric.GPU, _ *metric.Driver) string { return g.Name }},
	{[2]string{"DCGM_FI_DEV_UUID", "DCGM_FI_DEV_GPU_UUID"}, func(g *metric.GPU, _ *metric.Driver) string { return g.UUID }},
	{[2]string{"DCGM_FI_DEV_PCI_BUSID", "DCGM_FI_DEV_PCI_BUS_ID"}, func(g *metric.GPU, _ *metric.Driver) string { return g.PCI }},
	{[2]string{"DCGM_FI_DEV_SERIAL", "DCGM_FI_DEV_BOARD_SERIAL"}, func(g *metric.GPU, _ *metric.Driver) string { return g.Serial }},
	{[2]string{"DCGM_FI_DEV_INFOROM_IMAGE_VER", "DCGM_FI_DEV_INFOROM_IMAGE_VERSION"}, func(g *metric.GPU, _ *metric.Driver) string { return g.InfoROM }},
	{[2]string{"DCGM_FI_DEV_VBIOS_VERSION", "DCGM_FI_DEV_VBIOS_VERSION"}, func(g *metric.GPU, _ *metric.Driver) string { return g.VBIOS }},
}

// planLabel adds a label to the generations that are shown.
func (e *Exporter) planLabel(c Counter) {
	for _, row := range labelRows {
		if c.Field != row.names[0] && c.Field != row.names[1] {
			continue
		}
		for _, g := range e.o.Names.generations() {
			l := label{row.names[min(g, genNew)], row.value}
			if slices.ContainsFunc(e.labels[g], func(has label) bool { return has.name == l.name }) {
				continue
			}
			e.labels[g] = append(e.labels[g], l)
			slices.SortFunc(e.labels[g], func(a, b label) int { return cmp.Compare(a.name, b.name) })
		}
		return
	}
	e.o.Log.Warn("label is not known and left out", "field", c.Field, "at", c.At)
}

// head is what says which GPU and which part of it.
func (e *Exporter) head(n *usage.Node, g *metric.GPU, in *metric.Instance) string {
	index := strconv.Itoa(g.Index)
	b := appendLabel([]byte{'{'}, "gpu", index)
	b = appendLabel(b, "UUID", g.UUID)
	b = appendLabel(b, "pci_bus_id", g.PCI)
	b = appendLabel(b, "device", "nvidia"+index)
	b = appendLabel(b, "modelName", g.Name)
	if in != nil {
		b = appendLabel(b, "GPU_I_PROFILE", in.Profile)
		b = appendLabel(b, "GPU_I_ID", strconv.Itoa(in.ID))
	}
	if n.Name == "" {
		return string(b)
	}
	if e.o.Hostname != LowerHostname {
		b = appendLabel(b, "Hostname", n.Name)
	}
	if e.o.Hostname != UpperHostname {
		b = appendLabel(b, "hostname", n.Name)
	}
	return string(b)
}

func appendLabels(ls []label, g *metric.GPU, d *metric.Driver) string {
	var b []byte
	for _, l := range ls {
		if v := l.value(g, d); v != "" {
			b = append(b, ',')
			b = appendLabel(b, l.name, v)
		}
	}
	return string(b)
}

// attributes are the labels of the holder, in the order of their names, where
// those of an error come between the two parts.
type attributes struct{ container, rest string }

// attributesOf names one pod and one job. Where a GPU is shared it is the first
// of each: a series for each of them would count the GPU as often.
func attributesOf(holders []usage.Holder) attributes {
	var pod, job *usage.Holder
	for i := range holders {
		switch h := &holders[i]; {
		case h.Kind == "pod" && pod == nil:
			pod = h
		case h.Kind == "job" && job == nil:
			job = h
		}
	}
	var a attributes
	var b []byte
	add := func(name, value string) {
		if value != "" {
			b = appendLabel(append(b, ','), name, value)
		}
	}
	if pod != nil {
		add("container", pod.Part)
	}
	a.container, b = string(b), nil
	if job != nil {
		add("hpc_job", job.Name)
	}
	if pod != nil {
		add("namespace", pod.Group)
		add("pod", pod.Name)
	}
	a.rest = string(b)
	return a
}

// appendLabels appends the braces of a line.
func (s *subject) appendLabels(dst []byte, f *family) []byte {
	dst = append(append(dst, s.head...), s.labels[f.generation]...)
	dst = append(dst, s.holder.container...)
	if f.name == xidOld || f.name == xidNew {
		code := int(s.values[f.field])
		dst = appendLabel(append(dst, ','), "err_code", strconv.Itoa(code))
		dst = appendLabel(append(dst, ','), "err_msg", xidText(code))
	}
	return append(append(dst, s.holder.rest...), '}')
}

// appendLabel appends name="value", after a comma where it is not the first in
// the braces.
func appendLabel(dst []byte, name, value string) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' && dst[n-1] != ',' {
		dst = append(dst, ',')
	}
	dst = append(append(dst, name...), '=', '"')
	dst = append(dst, escapeValue(value)...)
	return append(dst, '"')
}

var (
	valueEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

func escapeValue(s string) string { return valueEscapes.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

func escapeHelp(s string) string { return helpEscapes.Replace(strings.ToValidUTF8(s, "\uFFFD")) }
