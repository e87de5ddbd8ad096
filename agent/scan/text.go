package scan

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/metric"
)

// Options fit a report to the screen.
type Options struct {
	Color bool
	Width int // columns; 0 is 100
}

// colors are the escape codes of the levels; a word always stands with them.
var colors = map[Level]string{Note: "32", Warning: "33", Unknown: "35", Critical: "31"}

// Text writes a report for people: a line about the node, one about each GPU,
// and then what was found, the worst first, each with its remedy.
func Text(w io.Writer, r *Report, o Options) error {
	o.Width = max(cmp.Or(o.Width, 100), 40)
	var b strings.Builder
	b.WriteString(headline(r, o))
	b.WriteString(place(r, o))
	if len(r.Frame.Looks) > 0 {
		b.WriteByte('\n')
		if err := table(&b, r, o); err != nil {
			return err
		}
	}
	for _, same := range alike(r.Findings) {
		b.WriteByte('\n')
		writeFindings(&b, same, o)
	}
	if len(r.Findings) == 0 {
		b.WriteString("\nNothing is wrong with what was looked at.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func headline(r *Report, o Options) string {
	driver := "no driver"
	switch d := &r.Frame.Driver; {
	case d.Up:
		driver = "driver " + plain(cmp.Or(d.Version, "of unknown version"))
	case d.Reason != metric.ReasonNoDriver:
		driver = "driver not usable"
	}
	gpus := count(max(r.Frame.Driver.GPUs, len(r.Frame.Looks)), "GPU")
	return fmt.Sprintf("node %s   %s   %s   %s\n", plain(cmp.Or(r.Node, "-")), driver, gpus, o.paint(r.Verdict, r.Verdict.Verdict()))
}

// place says where the node stands, in as many lines as it takes.
func place(r *Report, o Options) string {
	line, out := "", ""
	for _, p := range r.Place {
		word := plain(p.Name + " " + p.Value)
		if line != "" && utf8.RuneCountInString(line)+3+utf8.RuneCountInString(word) > o.Width {
			out += line + "\n"
			line = ""
		}
		if line != "" {
			line += "   "
		}
		line += word
	}
	if line == "" {
		return out
	}
	return out + line + "\n"
}

// table writes one line about each GPU. The verdict stands last: its colour has
// no width on a screen, which a column would have to know.
func table(b *strings.Builder, r *Report, o Options) error {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GPU\tMODEL\tUUID\tPCI\tTEMP\tPOWER\tMEMORY\tUTIL\tVERDICT")
	for i := range r.Frame.Looks {
		l := &r.Frame.Looks[i]
		level := r.Of(l.GPU.UUID)
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.GPU.Index, plain(metric.Model(l.GPU.Name)), short(l.GPU.UUID), bus(l.GPU.PCI),
			cell(l, "gpu.temperature", "%.0f °C"), cell(l, "gpu.power.usage", "%.0f W"), memory(l), utilization(l), o.paint(level, level.Verdict()))
	}
	return t.Flush()
}

// short returns enough of a UUID to find its GPU by.
func short(uuid string) string {
	uuid = plain(uuid)
	if rest, ok := strings.CutPrefix(uuid, "GPU-"); ok && len(rest) > 8 {
		return uuid[:12]
	}
	return uuid
}

func bus(pci string) string {
	if id, ok := metric.BusID(pci); ok {
		return id
	}
	return plain(cmp.Or(pci, "-"))
}

// cell prints a reading; a dash where there is none.
func cell(l *metric.Look, name, format string) string {
	v, known := valueOf(l, name, "")
	if !known {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

const gib = 1 << 30

func memory(l *metric.Look) string {
	used, known := valueOf(l, "gpu.memory.used", "")
	total, all := valueOf(l, "gpu.memory.total", "")
	if !known || !all {
		return "-"
	}
	return fmt.Sprintf("%.1f/%.0f GiB", used/gib, total/gib)
}

func utilization(l *metric.Look) string {
	if l.Condition != metric.Good || !l.Util.Known {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*l.Util.Value)
}

// alike puts the findings together that say the same of several GPUs, in the
// order of their first.
func alike(fs []Finding) [][]*Finding {
	type sentence struct{ rule, what, remedy string }
	at := map[sentence]int{}
	var out [][]*Finding
	for i := range fs {
		f := &fs[i]
		k := sentence{f.Rule, f.What, f.Remedy}
		n, seen := at[k]
		if !seen || f.GPU == nil || out[n][0].Level != f.Level {
			n = len(out)
			at[k] = n
			out = append(out, nil)
		}
		out[n] = append(out[n], f)
	}
	return out
}

// writeFindings writes what was found of one or several GPUs, and indented below
// it what shows it and what to do.
func writeFindings(b *strings.Builder, same []*Finding, o Options) {
	first := same[0]
	b.WriteString(o.paint(first.Level, first.Level.String()) + "  " + subjects(same) + ": " + first.What + "\n")
	wrap(b, "  shown by: ", plain(evidence(same)), o.Width)
	wrap(b, "  remedy:   ", first.Remedy, o.Width)
}

func subjects(same []*Finding) string {
	first := same[0]
	switch {
	case first.GPU == nil && first.PCI != "":
		return "PCI " + first.PCI
	case first.GPU == nil:
		return "node"
	case len(same) == 1:
		return fmt.Sprintf("GPU %d", first.GPU.Index)
	}
	numbers := make([]string, len(same))
	for i, f := range same {
		numbers[i] = strconv.Itoa(f.GPU.Index)
	}
	return "GPUs " + strings.Join(numbers, ", ")
}

// evidence is said once where it is the same of all.
func evidence(same []*Finding) string {
	each, differ := make([]string, len(same)), false
	for i, f := range same {
		differ = differ || f.Evidence != same[0].Evidence
		if f.GPU != nil {
			each[i] = fmt.Sprintf("GPU %d: %s", f.GPU.Index, f.Evidence)
		}
	}
	if !differ {
		return same[0].Evidence
	}
	return strings.Join(each, "; ")
}

// wrap writes words behind a lead, in lines of a width.
func wrap(b *strings.Builder, lead, text string, width int) {
	b.WriteString(lead)
	indent := utf8.RuneCountInString(lead)
	at := indent
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		case i > 0:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	b.WriteByte('\n')
}

func (o Options) paint(l Level, s string) string {
	if !o.Color {
		return s
	}
	return "\x1b[" + colors[l] + "m" + s + "\x1b[0m"
}
