package scan

import (
	"encoding/json"
	"io"
	"math"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Schema is the version of the JSON document. A field may be added to it; what
// there is keeps its name and meaning.
const Schema = 1

type document struct {
	Schema   int               `json:"schema"`
	At       time.Time         `json:"at"`
	Node     string            `json:"node"`
	Place    []Place           `json:"place,omitempty"`
	Expected int               `json:"expected_gpus,omitempty"`
	Verdict  string            `json:"verdict"`
	ExitCode int               `json:"exit_code"`
	Driver   driverDocument    `json:"driver"`
	GPUs     []gpuDocument     `json:"gpus"`
	Findings []findingDocument `json:"findings"`
	Errors   []errorDocument   `json:"errors"`
	Bus      []deviceDocument  `json:"bus,omitempty"`
	Log      logDocument       `json:"kernel_log"`
}

type driverDocument struct {
	Up      bool   `json:"up"`
	Version string `json:"version,omitempty"`
	NVML    string `json:"nvml,omitempty"`
	GPUs    int    `json:"gpus"`
	Reason  string `json:"reason,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

type gpuDocument struct {
	Index       int      `json:"index"`
	UUID        string   `json:"uuid"`
	Verdict     string   `json:"verdict"`
	Model       string   `json:"model"`
	Name        string   `json:"name"`
	Serial      string   `json:"serial,omitempty"`
	PCI         string   `json:"pci,omitempty"`
	VBIOS       string   `json:"vbios,omitempty"`
	Observed    bool     `json:"observed"`
	Reason      string   `json:"reason,omitempty"`
	Utilization *float64 `json:"utilization_ratio,omitempty"`
	SMActive    *float64 `json:"sm_active_ratio,omitempty"`
	Processes   *int     `json:"processes,omitempty"`
	// Readings is everything that the GPU said.
	Readings []readingDocument `json:"readings"`
}

type readingDocument struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Unit   string            `json:"unit,omitempty"`
	Value  float64           `json:"value"`
}

type findingDocument struct {
	Rule     string `json:"rule"`
	Level    string `json:"level"`
	GPU      *int   `json:"gpu,omitempty"`
	UUID     string `json:"uuid,omitempty"`
	PCI      string `json:"pci,omitempty"`
	What     string `json:"what"`
	Evidence string `json:"evidence"`
	Remedy   string `json:"remedy"`
}

type errorDocument struct {
	Code     int       `json:"code"`
	Name     string    `json:"name,omitempty"`
	Severity string    `json:"severity,omitempty"`
	UUID     string    `json:"uuid,omitempty"`
	PCI      string    `json:"pci,omitempty"`
	Count    uint64    `json:"count"`
	Last     time.Time `json:"last"`
	Detail   string    `json:"detail,omitempty"`
	Action   string    `json:"action"`
}

type deviceDocument struct {
	PCI   string `json:"pci"`
	Bound string `json:"bound,omitempty"`
}

type logDocument struct {
	Read    bool   `json:"read"`
	Trouble string `json:"trouble,omitempty"`
	Records uint64 `json:"records"`
	Lost    uint64 `json:"lost"`
}

// JSON writes a report with everything that was read.
func JSON(w io.Writer, r *Report) error {
	d := document{
		Schema: Schema, At: r.Frame.Wall.UTC(), Node: plain(r.Node), Verdict: r.Verdict.Verdict(), ExitCode: r.Verdict.ExitCode(),
		Driver: driverDocument{
			Up: r.Frame.Driver.Up, Version: r.Frame.Driver.Version, NVML: r.Frame.Driver.NVML,
			GPUs: r.Frame.Driver.GPUs, Reason: r.Frame.Driver.Reason, Detail: r.Frame.Driver.Detail,
		},
		Place: r.Place, Expected: r.Expected,
		GPUs: []gpuDocument{}, Findings: []findingDocument{}, Errors: []errorDocument{},
		Log: logDocument{Read: r.Log.Trouble == "", Trouble: r.Log.Trouble, Records: r.Log.Records, Lost: r.Log.Lost},
	}
	for i := range r.Frame.Looks {
		d.GPUs = append(d.GPUs, r.gpuDocument(&r.Frame.Looks[i]))
	}
	for i := range r.Findings {
		d.Findings = append(d.Findings, findingDocumentOf(&r.Findings[i]))
	}
	for i := range r.Errors {
		e := &r.Errors[i]
		d.Errors = append(d.Errors, errorDocument{
			Code: e.Code, Name: e.Name, Severity: e.Severity.String(), UUID: e.UUID, PCI: e.PCI, Count: e.Count,
			Last: r.Frame.Wall.Add(e.Last - r.Frame.Boot).UTC().Truncate(time.Millisecond), Detail: e.Detail, Action: e.Action,
		})
	}
	for _, b := range r.Bus {
		d.Bus = append(d.Bus, deviceDocument(b))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(d)
}

func (r *Report) gpuDocument(l *metric.Look) gpuDocument {
	g := &l.GPU
	d := gpuDocument{
		Index: g.Index, UUID: g.UUID, Verdict: r.Of(g.UUID).Verdict(), Model: metric.Model(g.Name), Name: g.Name, Serial: g.Serial,
		PCI: g.PCI, VBIOS: g.VBIOS, Observed: l.Condition == metric.Good, Reason: l.Reason, Readings: []readingDocument{},
	}
	if l.Condition != metric.Good {
		return d
	}
	d.Utilization, d.SMActive = ratio(l.Util), ratio(l.SMActive)
	if l.ProcessesKnown {
		n := len(l.Processes)
		d.Processes = &n
	}
	for _, x := range l.Readings {
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			continue // JSON has no word for it
		}
		one := readingDocument{Name: x.Desc.Name, Unit: string(x.Desc.Unit), Value: x.Value}
		for _, label := range x.Desc.Labels {
			if one.Labels == nil {
				one.Labels = map[string]string{}
			}
			one.Labels[label.Name] = label.Value
		}
		d.Readings = append(d.Readings, one)
	}
	return d
}

func ratio(s metric.Share) *float64 {
	if !s.Known || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		return nil
	}
	return &s.Value
}

func findingDocumentOf(f *Finding) findingDocument {
	d := findingDocument{Rule: f.Rule, Level: f.Level.String(), PCI: f.PCI, What: f.What, Evidence: plain(f.Evidence), Remedy: f.Remedy}
	if f.GPU != nil {
		index := f.GPU.Index
		d.GPU, d.UUID, d.PCI = &index, f.GPU.UUID, bus(f.GPU.PCI)
	}
	return d
}
