package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// place is where the node stands and how many GPUs it should have there. It is
// of the loop only.
type place struct {
	node   usage.Node
	found  cloud.Found
	stored cloud.Found // what the spool has of found
	// missing is how many of the expected GPUs were never seen although the driver
	// answers.
	missing int
	// elsewhere is what Config.Elsewhere said at a boot time.
	elsewhere   int
	elsewhereAt time.Duration
}

// elsewhereEvery is how often it is looked where GPUs are that the driver does
// not show.
const elsewhereEvery = 10 * time.Second

// locate asks where the node stands before anything is metered: it takes three
// seconds at most.
func (a *Agent) locate(ctx context.Context) {
	a.place.node = a.cfg.Node
	if a.cfg.Cloud != nil {
		a.cfg.Cloud.Look(ctx)
	}
}

// placeKey names in the spool what was found of where the node stands.
const placeKey = "place"

// placeState is what was found in a boot of the node: in another it may be
// another instance's.
type placeState struct {
	BootID string      `json:"boot_id"`
	Found  cloud.Found `json:"found"`
}

// recallPlace tells the finder what was found before a restart of the agent.
func (a *Agent) recallPlace() error {
	if a.cfg.Cloud == nil {
		return nil
	}
	raw, err := a.cfg.Spool.State(placeKey)
	if err != nil {
		return fmt.Errorf("read where the node stood: %w", err)
	}
	if raw == nil {
		return nil
	}
	var s placeState
	if err := json.Unmarshal(raw, &s); err != nil {
		a.cfg.Log.Warn("where the node stood is damaged and left out", "err", err)
		return nil
	}
	if s.BootID == a.cfg.BootID && s.BootID != "" {
		a.cfg.Cloud.Remember(s.Found)
	}
	return nil
}

// rememberPlace adds what was found to the parts of a state, if it is new.
func (a *Agent) rememberPlace(parts map[string][]byte) error {
	p := &a.place
	if p.found.Cloud == p.stored.Cloud && maps.Equal(p.found.From, p.stored.From) {
		return nil
	}
	raw, err := json.Marshal(placeState{a.cfg.BootID, cloud.Found{Cloud: p.found.Cloud, From: p.found.From, Signed: p.found.Signed}})
	if err != nil {
		return fmt.Errorf("encode where the node stands: %w", err)
	}
	parts[placeKey], p.stored = raw, p.found
	return nil
}

// follow takes over what is known by now of where the node stands, and has the
// meter expect the GPUs that a node of its type has.
func (a *Agent) follow(f *metric.Frame) {
	p := &a.place
	p.node.Driver = f.Driver.Version
	if a.cfg.Cloud != nil {
		p.found = a.cfg.Cloud.Found()
		p.node.Cloud = p.found.Cloud
	}
	s, known := a.siblings()
	if !known {
		s = a.meter.Expected() // go on
	}
	s.Elsewhere = 0
	if s.GPUs > 0 && f.Driver.Up && f.Driver.GPUs < s.GPUs && a.cfg.Elsewhere != nil {
		if p.elsewhereAt == 0 || f.Boot-p.elsewhereAt >= elsewhereEvery {
			p.elsewhere, p.elsewhereAt = a.cfg.Elsewhere(f), f.Boot
		}
		s.Elsewhere = p.elsewhere
	}
	a.meter.Expect(s)
}

// siblings returns the GPUs that this node should have. known is false while
// somebody who may know it has not answered.
func (a *Agent) siblings() (s meter.Siblings, known bool) {
	f := &a.place.found
	n, model, ok := cloud.Expected(f.Cloud.Provider, f.Cloud.InstanceType)
	switch {
	case a.cfg.ExpectedGPUs > 0:
		return meter.Siblings{GPUs: a.cfg.ExpectedGPUs, Model: model}, true
	case ok:
		return meter.Siblings{GPUs: n, Model: model}, true
	}
	return meter.Siblings{}, f.Cloud.InstanceType != "" || len(f.Failed) == 0
}

// count tells of GPUs that are missing, once for each change.
func (a *Agent) count() {
	p := &a.place
	expected := a.meter.Expected().GPUs
	_, missing := a.meter.Missing()
	switch {
	case missing > p.missing:
		a.cfg.Log.Warn("GPUs that the node should have are missing", "missing", missing, "expected", expected)
	case missing < p.missing:
		a.cfg.Log.Info("GPUs that were missing are there or not expected any more", "missing", missing, "expected", expected)
	}
	p.node.ExpectedGPUs, p.missing = expected, missing
}

var (
	expectedDesc = &metric.Desc{Name: "gpumeter.node.gpus.expected", Help: "GPUs that a node of this instance type has, or that the operator says it has. Absent where nobody says."}
	missingDesc  = &metric.Desc{Name: "gpumeter.node.gpus.missing", Help: "Expected GPUs that were never seen although the driver answers. They are on record as unhealthy."}
	sourceDescs  = failing(cloud.Sources())
)

func failing(sources []string) (out []*metric.Desc) {
	for _, s := range sources {
		out = append(out, &metric.Desc{
			Name: "gpumeter.cloud.source.failing", Labels: []metric.Label{{Name: "source", Value: s}},
			Help: "1 for a source of the node's identity that did not answer in full at the last look. `gpumeter-agent status` says why.",
		})
	}
	return out
}

// Descs lists the metrics of where the node stands.
func Descs() []*metric.Desc {
	return append([]*metric.Desc{expectedDesc, missingDesc}, sourceDescs...)
}

func (p *place) readings() []metric.Reading {
	var out []metric.Reading
	if p.node.ExpectedGPUs > 0 {
		out = append(out, metric.Reading{Desc: expectedDesc, Value: float64(p.node.ExpectedGPUs)}, metric.Reading{Desc: missingDesc, Value: float64(p.missing)})
	}
	for _, d := range sourceDescs {
		if _, fails := p.found.Failed[d.Labels[0].Value]; fails {
			out = append(out, metric.Reading{Desc: d, Value: 1})
		}
	}
	return slices.Clip(out)
}
