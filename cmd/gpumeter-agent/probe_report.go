package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

// write prints a probe as the Markdown page that docs/hardware keeps.
func (r *probeResult) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, driver %s\n\n", r.title(), r.Driver.Driver)
	fmt.Fprintf(&b, "%s, gpumeter-agent %s, Linux %s %s, %d cores, as %s. Library %s, NVML %s.\n\n",
		r.At.Format("2006-01-02 15:04 MST"), r.Version, r.Machine.Kernel, r.Machine.Arch, r.Machine.Cores, r.Machine.User, r.Driver.Library, r.Driver.NVML)
	r.writeAgent(&b)
	r.writePause(&b)
	writeCalls(&b, r.Driver.Calls)
	for i := range r.Driver.GPUs {
		writeRows(&b, &r.Driver.GPUs[i])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// title names the GPUs: "8 × NVIDIA H100 80GB HBM3".
func (r *probeResult) title() string {
	if len(r.Driver.GPUs) == 0 {
		return "No GPU"
	}
	return fmt.Sprintf("%d × %s", len(r.Driver.GPUs), r.Driver.GPUs[0].GPU.Name)
}

func (r *probeResult) writeAgent(b *strings.Builder) {
	a := &r.Agent
	var pss, rss int64
	for i := range a.PSS {
		pss, rss = pss+a.PSS[i], rss+a.RSS[i]
	}
	fmt.Fprintf(b, "## The agent, over %s\n\n", a.Over.Round(time.Second))
	fmt.Fprintf(b, "%.2f %% of one core, %.1f MiB PSS and %.1f MiB RSS in %d processes. %d GPUs, at most %d series each; a scrape has %d bytes and took %s (median of %d, over loopback).\n\n",
		100*a.CPU, mebibytes(pss), mebibytes(rss), len(a.PSS), a.GPUs, a.SeriesPerGPU, a.ScrapeBytes, a.Scrape.Round(10*time.Microsecond), scrapes)
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

func (r *probeResult) writePause(b *strings.Builder) {
	p := &r.Pause
	fmt.Fprintf(b, "## Pause\n\nTook %s. Before it the agent had %d device files of the driver open (library mapped: %t), after it %d (library mapped: %t), in %d processes. After the resume %d GPUs answered.\n\n",
		p.Took.Round(time.Millisecond), len(p.Before), p.MappedBefore, len(p.After), p.MappedAfter, p.ProcessesAfter, p.ResumedGPUs)
	for _, f := range p.After {
		fmt.Fprintf(b, "* still open: %s\n", f)
	}
}

func writeCalls(b *strings.Builder, calls []nvml.ProbeCall) {
	b.WriteString("## What each driver call costs\n\n| call | times | median | longest |\n|---|---|---|---|\n")
	for _, c := range calls {
		fmt.Fprintf(b, "| %s | %d | %s | %s |\n", c.Name, c.Count, c.P50.Round(100*time.Nanosecond), c.Max.Round(100*time.Nanosecond))
	}
}

func writeRows(b *strings.Builder, g *nvml.ProbeGPU) {
	fmt.Fprintf(b, "\n## GPU %d\n\n%s %s at %s", g.GPU.Index, g.GPU.Name, g.GPU.UUID, g.GPU.PCI)
	if g.Condition != metric.Good {
		fmt.Fprintf(b, ": not well, %s", g.Reason)
	}
	b.WriteString("\n\n| metric | value | unit | source |\n|---|---|---|---|\n")
	for _, row := range g.Rows {
		value := "absent: " + row.Why
		if row.Known {
			value = fmt.Sprintf("%g", row.Value)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", row.Desc.Key(), value, row.Desc.Unit, row.Source)
	}
}
