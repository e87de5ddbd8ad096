package contract

import (
	"cmp"
	"slices"
	"time"
)

// Notice is time that a provider announced, or that is otherwise known not to be
// its fault: what was down then is no downtime to promises that exclude its
// kind.
type Notice struct {
	ID    string // unique within the contract
	Title string
	Kind  SLAExclusion // any but ExcludeCapacity, which tranches say
	// FromMs and ToMs are the time, half-open.
	FromMs, ToMs int64
	// Scope says which GPUs it concerns, as that of a tranche does; the zero
	// Scope is all of the contract.
	Scope Scope
}

// covers reports whether the scope takes a GPU, of whatever provider.
func (s *Scope) covers(p *Presence) bool {
	pinned := slices.Contains(s.Pins, p.GPU) || slices.Contains(s.Pins, p.Node)
	return accepts(s.Accounts, p.Account) && accepts(s.Regions, p.Region) && accepts(s.Reservations, p.Reservation) &&
		(s.Rules.takes(p) || s.Rules.Complex && pinned) && (len(s.Pins) == 0 || pinned)
}

// excludes reports whether the promise does not count a cause.
func (s *SLA) excludes(x SLAExclusion) bool { return slices.Contains(s.Excludes, x) }

// excused cuts a lapse at the notices that excuse it: what of it lies within one
// has that notice, the first by time and then by id. Only what a promise could
// count is excused by it.
func (q *inquest) excused(l lapse) []lapse {
	l.sinceMs = l.fromMs
	c := &q.w.Contracts[l.contract]
	s := c.slaOf(&c.Tranches[l.tranche])
	if s == nil || l.p == nil || l.kind != Unreachable && l.kind.bucketOf() != Unhealthy {
		return []lapse{l}
	}
	free, out := []timeSpan{l.timeSpan}, []lapse(nil)
	for i := range q.notices[l.contract] {
		n := q.notices[l.contract][i]
		if !s.excludes(n.Kind) || !n.Scope.covers(l.p) {
			continue
		}
		window := timeSpan{n.FromMs, n.ToMs}
		var rest []timeSpan
		for _, span := range free {
			if part := span.clip(window); part.ms() > 0 {
				x := l
				x.timeSpan, x.notice = part, n
				out = append(out, x)
			}
			rest = append(rest, span.without([]timeSpan{window})...)
		}
		free = rest
	}
	for _, span := range free {
		x := l
		x.timeSpan = span
		out = append(out, x)
	}
	return out
}

// id is that of a notice, and empty where there is none.
func (n *Notice) id() string {
	if n == nil {
		return ""
	}
	return n.ID
}

// words says which notice it is.
func (n *Notice) words(c *Contract) string {
	at := func(ms int64) string { return c.local(ms).Format("2006-01-02 15:04") }
	return string(n.Kind) + " " + n.ID + ", " + at(n.FromMs) + " to " + at(n.ToMs) + " " + c.Zone.String()
}

// noticesOf returns a contract's notices by time, then by id.
func noticesOf(c *Contract) []*Notice {
	var out []*Notice
	for i := range c.Notices {
		out = append(out, &c.Notices[i])
	}
	slices.SortFunc(out, func(a, b *Notice) int {
		return cmp.Or(cmp.Compare(a.FromMs, b.FromMs), cmp.Compare(a.ToMs, b.ToMs), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// maxNotice bounds a notice: what is longer is no window.
const maxNotice = 366 * 24 * time.Hour
