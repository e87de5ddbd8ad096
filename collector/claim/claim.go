// Package claim writes what can be claimed from a provider: the list of a
// month's incidents, and for each a bundle of evidence that can be checked
// without a collector.
//
// Same evidence, same bytes: nothing in a bundle depends on when or where it was
// written. By default nothing in it says who held a GPU.
package claim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Schema names the JSON form of a bundle's claim.json.
const Schema = "gpumeter.claim/v1"

// Around is how much time before and after an incident a bundle tells of.
const Around = time.Hour

// Bundle is all that proves one incident.
type Bundle struct {
	StoreID string
	AsOf    time.Time // nothing after this moment is in it
	// Closed names the closing of the incident's month in the ledger; nil while it
	// is not closed.
	Closed   *Closed
	Incident contract.Incident
	// Contract is the incident's, with its tranche and promise only.
	Contract contract.Contract
	// Entries are the records of the incident's GPUs and of those that took them
	// down, Events those of their nodes, from Around before to Around after.
	Entries []store.Entry
	Events  []store.Event
	// Course is how many GPUs stood, for incidents of a tranche.
	Course []contract.Standing
	Links  []store.Link // the batches that brought the entries, and those between
	// WithHolders keeps in it who held the GPUs.
	WithHolders bool
}

// Closed is an entry of a store's ledger. Its hash stands for the closed month
// and for the batches that it was made of.
type Closed struct {
	Month  string `json:"month"`
	Entry  int    `json:"entry"`
	SHA256 string `json:"sha256"`
}

// document is claim.json.
type document struct {
	Schema   string            `json:"schema"`
	StoreID  string            `json:"store_id"`
	AsOf     time.Time         `json:"as_of"`
	Closed   *Closed           `json:"closed,omitempty"`
	Incident contract.Incident `json:"incident"`
	Excludes []string          `json:"exclusions_to_check"`
	Evidence []string          `json:"evidence_wanted"`
	Agents   []agent           `json:"agents"`
	Holders  bool              `json:"with_holders"`
}

// agent is who metered, as it is known by its chain of batches.
type agent struct {
	Agent    string `json:"agent"`
	Epoch    string `json:"epoch"`
	Evidence string `json:"evidence"`
	Node     string `json:"node"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
}

func (b *Bundle) sla() *contract.SLA {
	if len(b.Contract.SLAs) == 0 {
		return nil
	}
	return &b.Contract.SLAs[0]
}

func (b *Bundle) document() document {
	d := document{Schema: Schema, StoreID: b.StoreID, AsOf: b.AsOf.UTC(), Closed: b.Closed, Incident: b.Incident, Excludes: []string{}, Evidence: []string{},
		Agents: b.agents(), Holders: b.WithHolders}
	if c := b.Incident.Claim; c != nil {
		timeless := *c
		timeless.Expired = false // that is for the day on which it is read
		d.Incident.Claim = &timeless
	}
	if s := b.sla(); s != nil {
		for _, x := range s.Excludes {
			d.Excludes = append(d.Excludes, string(x))
		}
		d.Evidence = append(d.Evidence, s.Claim.Evidence...)
	}
	return d
}

func (b *Bundle) agents() []agent {
	out := []agent{}
	for _, e := range b.Entries {
		i := slices.IndexFunc(out, func(a agent) bool { return a.Agent == e.Batch.Agent && a.Epoch == e.Batch.Epoch })
		if i < 0 {
			out = append(out, agent{e.Batch.Agent, e.Batch.Epoch, string(e.Evidence), b.nodeOf(e.Batch), e.Batch.Seq, e.Batch.Seq})
			continue
		}
		out[i].FirstSeq, out[i].LastSeq = min(out[i].FirstSeq, e.Batch.Seq), max(out[i].LastSeq, e.Batch.Seq)
	}
	slices.SortFunc(out, func(a, b agent) int { return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Epoch, b.Epoch)) })
	return out
}

// nodeOf is the node that a batch came from.
func (b *Bundle) nodeOf(id usage.ID) string {
	for i := range b.Links {
		if l := &b.Links[i]; l.Agent == id.Agent && l.Epoch == id.Epoch && l.Seq == id.Seq {
			return l.Node
		}
	}
	return b.Incident.Site.Node
}

// witnesses are the GPUs that the bundle tells of: those that were lost, then
// those that took the unit down.
func (b *Bundle) witnesses() []string {
	out := slices.Clone(b.Incident.GPUs)
	for _, gpu := range b.Incident.DownBy {
		if !slices.Contains(out, gpu) {
			out = append(out, gpu)
		}
	}
	return out
}

// encode writes a value as indented JSON.
func encode(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode claim: %w", err)
	}
	return append(text, '\n'), nil
}

// detail is an event's detail as it may leave the house.
func (b *Bundle) detail(e *store.Event) string {
	if b.WithHolders {
		return e.Detail
	}
	return usage.WithoutProcess(e.Detail)
}

// utc writes a moment to the millisecond.
func utc(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
