package fleet

import (
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// Agent writes the minute records of one node, one minute after the other. It
// is not for concurrent use; different agents may be used at the same time.
type Agent struct {
	f  *Fleet
	n  *node
	t  tail
	at int64 // Unix minute
}

// Agents begins at the first whole minute from a time on: one agent for each
// node, also for those that come later. Together they write what Minutes
// writes.
func (f *Fleet) Agents(from time.Time) []*Agent {
	at := ceil(from.Unix(), 60)
	s := f.stream("minutes", at)
	out := make([]*Agent, len(f.nodes))
	for i, n := range f.nodes {
		out[i] = &Agent{f, n, s.tails[i], at}
	}
	return out
}

// Start is when the minute begins that Next will return.
func (a *Agent) Start() time.Time { return time.Unix(a.at*60, 0).UTC() }

// Next returns the next minute; ok is false if the node has nothing to say of
// it.
func (a *Agent) Next() (s usage.Sealed, ok bool, err error) {
	w := a.f.writer(a.n, a.at, a.at+1)
	w.records(a.at, a.at+1)
	a.at++
	if len(w.b.Records) == 0 {
		return usage.Sealed{}, false, nil
	}
	s, err = a.t.seal(w.b)
	return s, err == nil, err
}
