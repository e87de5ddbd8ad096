package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// promised is one subject of one promise in one of its periods.
type promised struct {
	contract, tranche int
	period            timeSpan
	subject           subject
}

// subject is what uptime is measured of: one GPU, or a machine of which no more
// is set than the promise's scope looks at.
type subject struct {
	machine Machine
	gpu     string
}

// trial is what counts toward the uptime of a promised subject.
type trial struct {
	sla    *SLA
	cases  []*caseOf
	downMs []int64         // of each case, of this subject
	lapses []lapse         // of all cases
	gpus   map[string]bool // that the subject had in the period
	stood  []lapse         // what it is charged for
	uptime int64
	charge Money
	credit Money
}

// claim measures the uptime of every subject that has incidents, and says what
// each incident is owed.
func (q *inquest) claim(cases []*caseOf) error {
	trials := map[promised]*trial{}
	for _, x := range cases {
		if x.Class == Claimable && x.Kind != LateDelivery {
			q.try(trials, x)
		}
	}
	q.charge(trials)
	order := make([]promised, 0, len(trials))
	for k, t := range trials {
		if err := t.measure(&q.w.Contracts[k.contract], k); err != nil {
			return fmt.Errorf("contract %q, %s: %w", q.w.Contracts[k.contract].ID, k.subject.name(t.sla.Scope, q.machines), err)
		}
		order = append(order, k)
	}
	slices.SortFunc(order, comparePromised)
	for _, k := range order {
		trials[k].award(&q.w.Contracts[k.contract], k, k.subject.name(trials[k].sla.Scope, q.machines))
	}
	for _, x := range cases {
		q.conclude(x)
	}
	return nil
}

func comparePromised(a, b promised) int {
	return cmp.Or(cmp.Compare(a.contract, b.contract), cmp.Compare(a.tranche, b.tranche),
		a.period.compare(b.period), a.subject.machine.Compare(b.subject.machine), cmp.Compare(a.subject.gpu, b.subject.gpu))
}

// of returns the subject that a GPU's time counts toward. A region is one for
// all accounts.
func (s SLAScope) of(p *Presence, m Machine) subject {
	switch s {
	case SLAPerGPU:
		return subject{gpu: p.GPU}
	case SLAPerCluster:
		m.Node = ""
	case SLAPerRegion:
		m = Machine{Provider: m.Provider, Region: m.Region}
	}
	return subject{machine: m}
}

// name is the subject for people.
func (s subject) name(scope SLAScope, machines Machines) string {
	name := s.gpu
	switch scope {
	case SLAPerGPU:
		return "GPU " + cmp.Or(name, "unknown")
	case SLAPerCluster:
		name = s.machine.Cluster
	case SLAPerRegion:
		name = s.machine.Region
	default:
		name = machines.Name(s.machine)
	}
	return string(scope) + " " + cmp.Or(name, "unknown")
}

// try adds an incident to the trials of its subjects.
func (q *inquest) try(trials map[promised]*trial, x *caseOf) {
	s := x.sla()
	bySubject := map[subject][]lapse{}
	for _, l := range x.lapses {
		k := s.Scope.of(l.p, l.machine)
		bySubject[k] = append(bySubject[k], l)
	}
	for subject, list := range bySubject {
		k := promised{list[0].contract, list[0].tranche, s.Period.around(list[0].month, x.c), subject}
		t := trials[k]
		if t == nil {
			t = &trial{sla: s, gpus: map[string]bool{}}
			trials[k] = t
		}
		t.cases, t.downMs = append(t.cases, x), append(t.downMs, s.Scope.down(list))
		t.lapses = append(t.lapses, list...)
	}
}

// down is the downtime of one subject. A node is down while any of its GPUs is:
// an instance of eight that has seven is not what was bought. In a cluster or
// region each GPU counts for itself.
func (s SLAScope) down(list []lapse) int64 {
	if s == SLAPerGPU || s == SLAPerNode {
		return down(list)
	}
	byGPU := map[string][]timeSpan{}
	for _, l := range list {
		byGPU[l.p.GPU] = append(byGPU[l.p.GPU], l.timeSpan)
	}
	var sum int64
	for _, spans := range byGPU {
		sum += length(union(spans))
	}
	return sum
}

// charge finds what the subjects of the trials stood for in their periods.
func (q *inquest) charge(trials map[promised]*trial) {
	for i := range q.placed.List {
		x := &q.placed.List[i]
		if x.Fate != Placed {
			continue
		}
		c := &q.w.Contracts[x.Contract]
		p := q.units[x.Unit]
		for j := range c.SLAs {
			s := &c.SLAs[j]
			if s.ID != c.Tranches[x.Tranche].SLA {
				continue
			}
			var last timeSpan
			for _, m := range c.months(timeSpan{x.FromMs, x.ToMs}.clip(q.reach[x.Contract])) {
				period := s.Period.around(m, c)
				t := trials[promised{x.Contract, x.Tranche, period, s.Scope.of(p, q.machines.Of(p))}]
				if t == nil || period == last {
					continue
				}
				last = period
				t.gpus[p.GPU] = true
				t.stood = append(t.stood, lapse{timeSpan: timeSpan{x.FromMs, x.ToMs}.clip(period), p: p, gpus: 1})
			}
		}
	}
}

// measure finds the uptime and the credit. Uptime is of the whole period, also
// while it is not over: what has not happened yet counts as up.
func (t *trial) measure(c *Contract, k promised) error {
	members := int64(1)
	if t.sla.Scope == SLAPerCluster || t.sla.Scope == SLAPerRegion {
		members = int64(len(t.gpus))
	}
	t.uptime = uptime(t.sla.Scope.down(t.lapses), members, k.period.ms())
	var err error
	if t.charge, _, err = c.Tranches[k.tranche].cost(t.stood); err != nil {
		return err
	}
	t.credit, err = truncDiv(t.charge, t.sla.Credit(t.uptime), Whole)
	return err
}

// uptime is the share of members × periodMs that was not down, in millionths
// and rounded down: it is below a target exactly if the share is.
func uptime(downMs, members, periodMs int64) int64 {
	up, whole := members*periodMs-downMs, members*periodMs
	if whole <= 0 || up <= 0 {
		return 0
	}
	n, _ := muldiv(up, Whole, whole)
	return n
}

// award shares the credit out over the incidents, by their downtime.
func (t *trial) award(c *Contract, k promised, name string) {
	parts := proportion(int64(t.credit), t.downMs)
	for i, x := range t.cases {
		x.Owed += Money(parts[i]) // parts of a checked sum
		if x.Claim == nil {
			x.Claim = &Claim{
				SLA: t.sla.ID, Subject: name, From: c.local(k.period.fromMs), To: c.local(k.period.toMs),
				Uptime: t.uptime, Target: t.sla.Target, Share: t.sla.Credit(t.uptime), Charge: t.charge, Credit: t.credit, Incidents: len(t.cases),
			}
			continue
		}
		v := x.Claim
		v.Charge += t.charge
		v.Credit += t.credit
		if t.uptime < v.Uptime {
			v.Subject, v.Uptime, v.Share, v.Incidents = name, t.uptime, t.sla.Credit(t.uptime), len(t.cases)
		}
	}
}

// conclude compares the uptime with what was promised, and sets the deadline.
func (q *inquest) conclude(x *caseOf) {
	v := x.Claim
	if v == nil {
		return
	}
	if v.Uptime >= v.Target {
		x.Class = Uncovered
		x.Rule += fmt.Sprintf(", but the uptime of %s is %s, not below the %s promised", v.Subject, Percent(v.Uptime), Percent(v.Target))
	} else {
		x.Rule += fmt.Sprintf("; the uptime of %s is %s, below the %s promised", v.Subject, Percent(v.Uptime), Percent(v.Target))
	}
	s := x.sla()
	if x.Open && s.Claim.From == ClaimFromIncident {
		return
	}
	if d, ok := s.Claim.Deadline(time.UnixMilli(x.span.toMs), x.c.Zone); ok {
		v.Deadline, v.Expired = &d, d.UnixMilli() <= q.w.AsOfMs
	}
}

// Percent writes millionths as a percentage, exactly: "99.95 %".
func Percent(millionths int64) string {
	s := strconv.FormatInt(millionths/10_000, 10)
	if rest := millionths % 10_000; rest > 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%04d", rest), "0")
	}
	return s + " %"
}
