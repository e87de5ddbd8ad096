// Package scan judges a node by one look at it: what is wrong with which GPU,
// how anybody can see that, and what to do.
//
// A verdict is a pure function of what was read. What could not be read is
// unknown, never healthy.
package scan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Level says how bad a finding is, and as the worst of them how bad a node is.
type Level uint8

// Levels, from the best to the worst: a node with a GPU at fault is critical,
// whatever else could not be looked at.
const (
	Note     Level = iota // worth knowing; the node is healthy
	Warning               // do something at the next opportunity
	Unknown               // could not be looked at
	Critical              // take the GPU or the node out of service
)

// String returns the word for a finding of this level.
func (l Level) String() string {
	return [...]string{"note", "warning", "unknown", "critical"}[min(l, Critical)]
}

// Verdict returns the word for what has this as its worst level.
func (l Level) Verdict() string {
	if l == Note {
		return "healthy"
	}
	return l.String()
}

// ExitCode returns what a program that found this ends with, as monitoring
// systems have it: 0 healthy, 1 warning, 2 critical, 3 unknown.
func (l Level) ExitCode() int { return [...]int{0, 1, 3, 2}[min(l, Critical)] }

// Device is an NVIDIA GPU on the PCI bus, as the kernel lists it.
type Device struct {
	PCI   string // bus id, in any spelling of metric.BusID
	Bound string // the kernel driver that has it, "nvidia"; empty for none
}

// Log is what the kernel's log holds of this boot.
type Log struct {
	Xids []metric.Xid
	// Records is how many records were read; Lost how many of this boot the
	// kernel has overwritten before.
	Records, Lost uint64
	// Firmware counts lines in which the driver says that a GPU's firmware does
	// not answer.
	Firmware uint64
	// Trouble says why the log was not read; empty if it was.
	Trouble string
}

// Input is what was read of a node. Judge changes none of it.
type Input struct {
	Node string
	// Place is where the node stands, as far as it is known: in the cloud's words.
	Place []Place
	// Expected is how many GPUs the node should have, by what Basis says; zero
	// where nobody says.
	Expected int
	Basis    string
	Frame    metric.Frame // the newest, with the Xids of all
	// Bus lists the GPUs on the PCI bus; nil where it could not be read.
	Bus []Device
	// Files is how many device files of GPUs there are (/dev/nvidia0 …). A
	// container has those of its own GPUs only, and sees the whole bus.
	Files int
	Log   Log
	// Looked is for how long the GPUs were looked at.
	Looked time.Duration
}

// Place is one field of where a node stands, as "region", and who said so.
type Place struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// Finding is one thing that a rule found.
type Finding struct {
	Rule  string
	Level Level
	// GPU is what it is about; nil for the node. PCI is the bus id where there is
	// no GPU to name.
	GPU *metric.GPU
	PCI string
	// What is the finding, Evidence what shows it, Remedy what to do about it.
	What, Evidence, Remedy string
}

// Report is a judged node.
type Report struct {
	Input
	Verdict Level
	// Findings are sorted: the worst first, then by GPU.
	Findings []Finding
	// Errors are the error reports of this boot, by GPU and code.
	Errors []Error
}

// Judge judges a node.
func Judge(in Input) Report {
	r := Report{Input: in, Errors: errorsOf(&in)}
	for _, find := range nodeRules {
		r.Findings = append(r.Findings, find(&r)...)
	}
	for i := range in.Frame.Looks {
		r.Findings = append(r.Findings, r.judgeGPU(&in.Frame.Looks[i])...)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if a.Level != b.Level {
			return cmp.Compare(b.Level, a.Level)
		}
		return cmp.Compare(position(&a), position(&b))
	})
	for _, f := range r.Findings {
		r.Verdict = max(r.Verdict, f.Level)
	}
	return r
}

// position sorts what is about the node before what is about GPUs.
func position(f *Finding) int {
	if f.GPU == nil {
		return -1
	}
	return f.GPU.Index
}

// judgeGPU returns what the rules find of one GPU.
func (r *Report) judgeGPU(l *metric.Look) []Finding {
	s := &subject{look: l, report: r}
	var out []Finding
	add := func(f Finding) {
		f.GPU = &l.GPU
		out = append(out, f)
	}
	if l.Condition != metric.Good {
		if f, ok := silence(r, l); ok {
			add(f)
		}
	}
	for i := range gpuRules {
		rule := &gpuRules[i]
		if evidence := rule.shows(s); evidence != "" {
			add(Finding{Rule: rule.name, Level: rule.level, What: rule.what, Evidence: evidence, Remedy: rule.remedy})
		}
	}
	for _, f := range errorFindings(s) {
		add(f)
	}
	return out
}

// Of returns the worst level found of a GPU. One that was not looked at is
// unknown at best, also where the finding that says why is about the node.
func (r *Report) Of(uuid string) Level {
	worst := Note
	for i := range r.Frame.Looks {
		if l := &r.Frame.Looks[i]; l.GPU.UUID == uuid && l.Condition != metric.Good {
			worst = Unknown
		}
	}
	for _, f := range r.Findings {
		if f.GPU != nil && f.GPU.UUID == uuid {
			worst = max(worst, f.Level)
		}
	}
	return worst
}

// count returns "1 GPU", "8 GPUs".
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
