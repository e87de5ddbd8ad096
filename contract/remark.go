package contract

import (
	"cmp"
	"slices"
	"time"
)

// RemarkKind says what a Remark is about.
type RemarkKind string

// What stands out in a report.
const (
	RemarkLate       RemarkKind = "late"       // GPUs that a step of the ramp added came late, or not yet
	RemarkShort      RemarkKind = "short"      // GPUs were missing that no step had just added
	RemarkUnhealthy  RemarkKind = "unhealthy"  // GPUs stood there and could not be used
	RemarkReplaced   RemarkKind = "replaced"   // GPUs said goodbye, and others took their place
	RemarkSubstitute RemarkKind = "substitute" // an accepted model stood for the one bought
	RemarkSilent     RemarkKind = "silent"     // no telemetry
	RemarkFree       RemarkKind = "free"       // bought, and held by nobody
	RemarkHoarding   RemarkKind = "hoarding"   // a team held GPUs and computed little on them
	RemarkUnmeasured RemarkKind = "unmeasured" // who held the GPUs is not known
	RemarkStray      RemarkKind = "stray"      // GPUs that no contract covers
)

// Remark is one thing in a report that a reader should know, with its figures.
// Those that do not belong to its kind are zero.
type Remark struct {
	Kind     RemarkKind `json:"kind"`
	Contract string     `json:"contract,omitempty"`
	Tranche  string     `json:"tranche,omitempty"`
	Model    string     `json:"model,omitempty"`
	// From and To are the first day that it is seen on, and the moment since
	// when it is not: zero if it is still so.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	GPUs int       `json:"gpus,omitempty"`
	// Ms is what it is about, OfMs what that is a part of: the contracted time
	// or, of a team, the time that it held.
	Ms       int64  `json:"gpu_ms"`
	OfMs     int64  `json:"of_gpu_ms,omitempty"`
	Priced   bool   `json:"priced"`
	Cost     Money  `json:"cost"` // if Priced
	Currency string `json:"currency,omitempty"`
	// Group is the team.
	Group string `json:"group,omitempty"`
	// Near is the rule that failed, of GPUs that no contract covers.
	Near string `json:"nearest,omitempty"`
	// Swaps are the GPUs that were replaced.
	Swaps []Swap `json:"swaps,omitempty"`
}

// Swap is a GPU that another took the place of.
type Swap struct {
	Node string    `json:"node"`
	Old  string    `json:"old"` // UUID
	New  string    `json:"new"`
	At   time.Time `json:"at"` // when the new one was first seen
}

// What is worth a remark, in hundredths of what is contracted, or of what a
// team held.
const (
	worthMissing    = 1
	worthUnhealthy  = 1
	worthSilent     = 2 // of a day
	worthUnmeasured = 5
	worthFree       = 25
	worthTeam       = 2
	worthIdle       = 60 // of what the team held
)

// Remarks finds what stands out in a report, the dearest of each contract
// first. Teams are looked at only where the report is broken down by them.
// The contracts and presences are those that the report is made of. It is a
// pure function.
func Remarks(r *Report, contracts []Contract, presences []Presence) []Remark {
	var out []Remark
	swaps := swapsOf(presences)
	for i := range r.Contracts {
		s := &r.Contracts[i]
		at := slices.IndexFunc(contracts, func(c Contract) bool { return c.ID == s.Contract })
		if at < 0 {
			continue
		}
		var found []Remark
		for k := range s.Tranches {
			found = append(found, ofLine(s, &s.Tranches[k], &contracts[at])...)
		}
		found = append(found, replaced(s, &contracts[at], swaps)...)
		if r.Breakdown != nil && r.Breakdown.By == ByTeam {
			found = append(found, hoarding(s)...)
		}
		slices.SortStableFunc(found, func(a, b Remark) int {
			return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Ms, a.Ms))
		})
		out = append(out, found...)
	}
	for _, x := range r.Uncontracted {
		out = append(out, Remark{Kind: RemarkStray, Model: x.Model, GPUs: x.GPUs, Ms: x.Ms, Group: x.Provider, Near: x.Near})
	}
	return out
}

// remark begins a remark about a line.
func (l *Line) remark(kind RemarkKind, s *Statement, ms int64, cost Money) Remark {
	return Remark{
		Kind: kind, Contract: s.Contract, Tranche: l.Tranche, Model: l.Model, Ms: ms, OfMs: l.ContractedMs,
		Priced: l.Cost.UnpricedMs < l.ContractedMs, Cost: cost, Currency: s.Currency,
	}
}

// hundredth reports whether part is at least so many hundredths of whole.
func hundredth(part, whole int64, n int64) bool { return part > 0 && part/n >= whole/100 }

// ofLine remarks upon one tranche.
func ofLine(s *Statement, l *Line, c *Contract) []Remark {
	out := missing(s, l, c)
	for _, x := range l.spells(Unobserved, worthSilent, nil) {
		out = append(out, x.remark(RemarkSilent, s, l, c))
	}
	for _, x := range []struct {
		kind   RemarkKind
		bucket Bucket
		worth  int64
	}{{RemarkUnhealthy, Unhealthy, worthUnhealthy}, {RemarkUnmeasured, Unmeasured, worthUnmeasured}, {RemarkFree, Unallocated, worthFree}} {
		if ms := l.Buckets[x.bucket]; hundredth(ms, l.ContractedMs, x.worth) {
			out = append(out, l.remark(x.kind, s, ms, l.Cost.Buckets[x.bucket]))
		}
	}
	for _, x := range l.Substitutes {
		m := l.remark(RemarkSubstitute, s, x.Ms+x.OverageMs, x.Cost)
		m.Group, m.Model = l.Model, x.Model
		out = append(out, m)
	}
	return out
}

// missing remarks upon each spell in which GPUs were not delivered. A step whose
// GPUs do not come begins another, also where some were missing before.
func missing(s *Statement, l *Line, c *Contract) []Remark {
	var out []Remark
	lateFrom := func(i int) bool { return l.addedOn(c, l.Days[i].Date) > 0 && l.grewShort(i) }
	for _, x := range l.spells(Undelivered, worthMissing, lateFrom) {
		m := x.remark(RemarkShort, s, l, c)
		if m.GPUs = l.addedOn(c, x.first); m.GPUs > 0 {
			m.Kind = RemarkLate
		}
		out = append(out, m)
	}
	return out
}

// grewShort reports whether more was missing on a day, or on the one after it,
// than before: a step may take effect in the middle of a day.
func (l *Line) grewShort(i int) bool {
	for k := i; k < min(i+2, len(l.Days)); k++ {
		d := &l.Days[k]
		if i == 0 || hundredth(d.Buckets[Undelivered]-l.Days[i-1].Buckets[Undelivered], d.ContractedMs, worthMissing) {
			return true
		}
	}
	return false
}

// addedOn returns how many GPUs a step of the ramp added on a date.
func (l *Line) addedOn(c *Contract, date string) int {
	t := slices.IndexFunc(c.Tranches, func(t Tranche) bool { return t.ID == l.Tranche })
	if t < 0 {
		return 0
	}
	added, before := 0, 0
	for _, step := range c.Tranches[t].Steps {
		if c.local(step.FromMs).Format(time.DateOnly) == date {
			added += step.GPUs - before
		}
		before = step.GPUs
	}
	return max(added, 0)
}

// spell is a run of days with a share of a bucket.
type spell struct {
	first, last string // dates
	ends        bool   // before the report does
	ms          int64
	ofMs        int64
	cost        Money
}

// spells finds the runs of days on which at least so many hundredths of what
// was contracted fell into a bucket. A day for which begins is true begins a run
// of its own; nil is none.
func (l *Line) spells(b Bucket, worth int64, begins func(day int) bool) []spell {
	var out []spell
	open := false
	for i := range l.Days {
		d := &l.Days[i]
		if !hundredth(d.Buckets[b], d.ContractedMs, worth) {
			open = false
			continue
		}
		if !open || begins != nil && begins(i) {
			out = append(out, spell{first: d.Date})
			open = true
		}
		x := &out[len(out)-1]
		x.last, x.ends = d.Date, i < len(l.Days)-1
		x.ms += d.Buckets[b]
		x.ofMs += d.ContractedMs
		x.cost += d.Cost[b]
	}
	return out
}

func (x *spell) remark(kind RemarkKind, s *Statement, l *Line, c *Contract) Remark {
	m := l.remark(kind, s, x.ms, x.cost)
	m.OfMs = x.ofMs
	m.From = dateIn(x.first, c.Zone, 0)
	if x.ends {
		m.To = dateIn(x.last, c.Zone, 1)
	}
	return m
}

// dateIn is the first moment of a date, or of one so many days later.
func dateIn(date string, zone *time.Location, days int) time.Time {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}
	}
	return Midnight(t.AddDate(0, 0, days), zone)
}

// hoarding remarks upon the teams that hold much and use little of it.
func hoarding(s *Statement) []Remark {
	var out []Remark
	for i := range s.Total.Groups {
		p := &s.Total.Groups[i]
		held, idle := p.HeldMs(), p.Buckets[Idle]
		if p.Kind != OfGroup || !hundredth(idle, s.Total.ContractedMs, worthTeam) || !hundredth(idle, held, worthIdle) {
			continue
		}
		m := s.Total.remark(RemarkHoarding, s, idle, p.Cost.Buckets[Idle])
		m.Group, m.OfMs, m.Tranche, m.Model = p.Group, held, "", ""
		out = append(out, m)
	}
	return out
}
