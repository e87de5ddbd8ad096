package push

import (
	"errors"
	"maps"
	"sync"
	"time"
)

// Stats is what a Pusher did so far.
type Stats struct {
	// LastSuccess is when the collector last acknowledged something; zero if
	// it never did.
	LastSuccess time.Time
	// Acknowledged counts batches, Quarantined and Conflicts those of them
	// that the collector cannot count. Aside counts those it refused.
	Acknowledged, Quarantined, Conflicts, Aside uint64
	// Failures counts requests that did not succeed. It has every reason.
	Failures map[Reason]uint64
	// LastError is why nothing is sent now, and LastReason what kind of failure
	// that is; both are empty while all is well.
	LastError  string
	LastReason Reason
}

type stats struct {
	mu sync.Mutex // guards what follows
	s  Stats
}

// Stats returns what was done so far. It may be called at any time.
func (p *Pusher) Stats() Stats {
	p.stats.mu.Lock()
	defer p.stats.mu.Unlock()
	out := p.stats.s
	out.Failures = make(map[Reason]uint64, len(Reasons()))
	for _, r := range Reasons() {
		out.Failures[r] = 0
	}
	maps.Copy(out.Failures, p.stats.s.Failures)
	return out
}

func (s *stats) took(at time.Time, acknowledged, quarantined, conflicts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.LastSuccess = at
	s.s.Acknowledged += uint64(acknowledged)
	s.s.Quarantined += uint64(quarantined)
	s.s.Conflicts += uint64(conflicts)
}

func (s *stats) setAside() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Aside++
}

// failed counts a failure, and logs it if all was well before or the reason is
// another one.
func (p *Pusher) failed(err error) {
	reason := ReasonUnexpected
	var f *Failure
	if errors.As(err, &f) {
		reason = f.Reason
	}
	p.stats.mu.Lock()
	defer p.stats.mu.Unlock()
	if p.stats.s.Failures == nil {
		p.stats.s.Failures = map[Reason]uint64{}
	}
	p.stats.s.Failures[reason]++
	if p.stats.s.LastError == "" || p.stats.s.LastReason != reason {
		p.cfg.Log.Warn("usage is not sent; it stays in the spool", "reason", reason, "err", err)
	}
	p.stats.s.LastError, p.stats.s.LastReason = err.Error(), reason
}

func (p *Pusher) recovered() {
	p.stats.mu.Lock()
	defer p.stats.mu.Unlock()
	if p.stats.s.LastError != "" {
		p.cfg.Log.Info("usage is sent again")
		p.stats.s.LastError, p.stats.s.LastReason = "", ""
	}
}
