package contract

import (
	"fmt"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// Limits of what counts as seen at the same time.
const (
	// maxPause is how long a neighbour may be silent and still have been heard
	// throughout.
	maxPause = 5 * 60 * 1000 // ms
	// nearMs is how close to an edge an event of the agent belongs to it.
	nearMs = 5 * 60 * 1000
)

// weigh gathers the witnesses of an incident and says whose it is, before the
// promise of uptime has its word.
func (q *inquest) weigh(x *caseOf) {
	switch x.Kind {
	case Unreachable:
		q.weighSilence(x)
	case CollectorDown:
		x.Witnesses = append(x.Witnesses, Witness{"collector", "did not run", true})
		x.Class, x.Rule = Ours, "our collector did not run: what it could not hear is not the provider's"
	case NotObserved:
		b := blameOf(x.Cause)
		x.Witnesses = append(x.Witnesses, Witness{"agent", "ran on the node", true})
		x.Class, x.Rule = b.class, b.rule
	case BeforeMetering:
		x.Class, x.Rule = Unknown, "nothing was metered before "+x.c.local(q.beganMs).Format(momentLayout)+": nobody recorded whether the GPUs stood"
	case LateDelivery:
		x.Class, x.Rule = Claimable, x.lateRule()
		x.Owed = x.Amount
	case Departed:
		x.Class, x.Rule = Unknown, "the GPUs said goodbye: whether we returned them or the provider took them is not on record"
	case FellSilent:
		x.Class, x.Rule = Unknown, "the GPUs fell silent and never said goodbye: undelivered, unconfirmed"
	default:
		x.Witnesses = append(x.Witnesses, Witness{"agent", "saw " + x.evidence(), false})
		q.promise(x, x.evidence())
	}
}

// evidence says in words what the agent had on record.
func (x *caseOf) evidence() string {
	if x.Kind == UnitDown {
		return x.wholeDown()
	}
	return causeWords(x.Cause)
}

// causeWords says in words what a fault was.
func causeWords(cause string) string {
	if cause == "" {
		return "a GPU that is not usable, without a reason"
	}
	return Words(cause)
}

// Words writes the name of an incident's kind or cause for people: "GPU lost",
// "Xid 79".
func Words(name string) string {
	list := strings.Split(name, "_")
	for i, w := range list {
		switch w {
		case "gpu", "ecc":
			list[i] = strings.ToUpper(w)
		case "xid":
			list[i] = "Xid"
		}
	}
	return strings.Join(list, " ")
}

func (x *caseOf) lateRule() string {
	rule := fmt.Sprintf("up to %d of the GPUs contracted from %s had not been delivered", x.Most, x.due())
	if g := x.t.Delivery.GraceMs; g > 0 {
		rule += fmt.Sprintf(", beyond the grace of %s", daysOrHours(time.Duration(g)*time.Millisecond))
	}
	return rule
}

// due is the date of the last step that added GPUs before the incident ended.
func (x *caseOf) due() string {
	ms, before := x.t.StartMs(), 0
	for _, s := range x.t.Steps {
		if s.FromMs < x.span.toMs && s.GPUs > before {
			ms = s.FromMs
		}
		before = s.GPUs
	}
	return x.c.local(ms).Format(time.DateOnly)
}

// daysOrHours writes whole days as days.
func daysOrHours(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == day:
		return "1 day"
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// weighSilence judges a node of which nothing was heard. The silence itself is
// one witness: it makes the node suspected. What is missing could also be our
// agent's, so that everything that speaks for it is asked first.
func (q *inquest) weighSilence(x *caseOf) {
	p := x.lapses[0].p
	ran := len(q.lives) > 0 && throughout(x.span, q.lives, maxPause)
	if ran {
		x.say("collector", "ran throughout")
	}
	near, who := q.neighbours(p, x.span)
	if near {
		x.say(who, "other agents there were heard throughout")
	}
	excuse := q.excuse(x)
	switch {
	case excuse != "":
		x.Class, x.Rule = Ours, excuse
	case !ran:
		x.Class, x.Rule = Unknown, "only suspected: nobody recorded whether the collector ran"
	case x.Open:
		x.Class, x.Rule = Unknown, "only suspected: the node is still silent, and its agent may be metering without a way to us"
	case q.last[x.machine()] <= x.span.toMs:
		x.Class, x.Rule = Unknown, "only suspected: the node never came back, and nobody confirmed that the provider took it"
	case !near:
		x.Class, x.Rule = Unknown, "only suspected: no other agent of its rack or zone was heard throughout"
	case q.stopped(x.machine(), x.silence()):
		x.Class, x.Rule = Unknown, "the agent stopped in order before the silence: who shut the node down is not on record"
	default:
		q.promise(x, "a node that cannot be reached")
	}
}

// machine is the node that the incident is of.
func (x *caseOf) machine() Machine { return x.lapses[0].machine }

// silence is the incident from where it began before a notice cut it: what the
// agent said then tells of all of it.
func (x *caseOf) silence() timeSpan {
	s := x.span
	for i := range x.lapses {
		if x.lapses[i].fromMs == x.span.fromMs {
			s.fromMs = min(s.fromMs, x.lapses[i].sinceMs)
		}
	}
	return s
}

func (x *caseOf) say(who, says string) { x.Witnesses = append(x.Witnesses, Witness{who, says, false}) }

func (x *caseOf) object(who, says string) {
	x.Witnesses = append(x.Witnesses, Witness{who, says, true})
}

// neighbours reports whether other agents of the node's rack, or else of its
// zone, were heard throughout. The node itself was not heard at all.
func (q *inquest) neighbours(p *Presence, s timeSpan) (heard bool, who string) {
	if rack := q.rack(p); rack != (bundle{}) && throughout(s, q.racks[rack], maxPause) {
		return true, "rack"
	}
	if zone := q.zone(p); zone != (bundle{}) && throughout(s, q.zones[zone], maxPause) {
		return true, "zone"
	}
	return false, ""
}

// excuse looks for what says that the silence is our agent's; empty is nothing.
func (q *inquest) excuse(x *caseOf) string {
	node, silence := x.machine(), x.silence()
	booted, known := q.boot(node, silence)
	switch {
	case known && booted < silence.fromMs-nearMs:
		x.object("node", "had been up since "+x.c.local(booted).Format(time.RFC3339)+" when its agent started again")
		return "the node was up all the time: only our agent did not run"
	case known:
		x.say("node", "booted at "+x.c.local(booted).Format(time.RFC3339))
	}
	for _, e := range q.events[node] {
		lost := e.Kind == usage.EventDropped && e.Value > 0 && !strings.HasPrefix(e.Detail, "events")
		if lost && silence.fromMs <= e.AtMs && e.AtMs <= x.span.toMs+hourMs {
			x.object("agent", fmt.Sprintf("lost %d records that it had", e.Value))
			return "our agent metered and lost its records"
		}
	}
	if q.stopped(node, silence) {
		x.object("agent", "stopped in order")
		if !known {
			return "our agent was stopped"
		}
	}
	return ""
}

// boot returns when the node had booted at the first start of its agent since
// the silence began.
func (q *inquest) boot(node Machine, s timeSpan) (ms int64, known bool) {
	for _, e := range q.events[node] {
		if e.Kind == usage.EventAgentStart && e.AtMs >= s.fromMs {
			return e.Value, e.Value > 0
		}
	}
	return 0, false
}

// stopped reports whether the last that the agent said before the silence was
// that it stops.
func (q *inquest) stopped(node Machine, s timeSpan) bool {
	stopped := false
	for _, e := range q.events[node] {
		if s.fromMs-nearMs <= e.AtMs && e.AtMs <= s.fromMs+nearMs && e.AtMs < s.toMs {
			stopped = e.Kind == usage.EventAgentStop || stopped && e.Kind != usage.EventAgentStart
		}
	}
	return stopped
}

// sla returns the promise that the tranche names, or nil.
func (x *caseOf) sla() *SLA { return x.c.slaOf(x.t) }

// slaOf returns the promise that a tranche names, or nil.
func (c *Contract) slaOf(t *Tranche) *SLA {
	for i := range c.SLAs {
		if c.SLAs[i].ID == t.SLA {
			return &c.SLAs[i]
		}
	}
	return nil
}

// promise asks the tranche's promise of uptime about an incident that is the
// provider's. Claimable is final only after claim has measured the uptime.
func (q *inquest) promise(x *caseOf, what string) {
	s, notice := x.sla(), x.lapses[0].notice
	switch {
	case s == nil:
		x.Class, x.Rule = Uncovered, what+": the tranche names no promise of uptime"
	case x.t.Prepaid && s.excludes(ExcludeCapacity):
		x.Class, x.Rule = Uncovered, fmt.Sprintf("%s: SLA %q excludes prepaid capacity", what, s.ID)
	case notice != nil:
		x.Class, x.Rule = Uncovered, fmt.Sprintf("%s: SLA %q excludes %s (%s)", what, s.ID, notice.Kind, notice.words(x.c))
	case x.Kind != Unreachable && !s.CountsDegraded:
		x.Class, x.Rule = Uncovered, fmt.Sprintf("%s: degraded, and SLA %q counts only what cannot be reached", what, s.ID)
	default:
		x.Class, x.Rule = Claimable, fmt.Sprintf("%s: SLA %q counts it as down", what, s.ID)
	}
}
