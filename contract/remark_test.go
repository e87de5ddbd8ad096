package contract_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// oneLine is a report of a tranche of ten H100 over days of 240 GPU-hours each,
// of which hours[i] fell into a bucket, at a dollar per GPU-hour.
func oneLine(b contract.Bucket, hours ...int64) (contract.Report, []contract.Contract) {
	const hour = 3_600_000
	first := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	l := contract.Line{Tranche: "t", Model: "H100", GPUs: 10}
	for i, h := range hours {
		d := contract.Day{Date: first.AddDate(0, 0, i).Format(time.DateOnly), ContractedMs: 240 * hour}
		d.Buckets[b], d.Buckets[contract.Busy] = h*hour, (240-h)*hour
		d.Cost[b] = contract.Money(h) * 1_000_000
		l.Days = append(l.Days, d)
		l.ContractedMs += d.ContractedMs
		l.Buckets.Add(d.Buckets)
		l.Cost.Buckets[b] += d.Cost[b]
	}
	to := first.AddDate(0, 0, len(hours))
	s := contract.Statement{Contract: "c", Provider: "aws", Currency: "USD", From: first, To: to, Tranches: []contract.Line{l}, Total: l}
	c := contract.Contract{ID: "c", Provider: "aws", Currency: "USD", Zone: time.UTC, Tranches: []contract.Tranche{{
		ID: "t", Model: "H100", EndMs: to.UnixMilli(),
		Steps: []contract.Step{{FromMs: first.AddDate(0, -1, 0).UnixMilli(), GPUs: 4}, {FromMs: first.AddDate(0, 0, 2).UnixMilli(), GPUs: 10}},
	}}}
	return contract.Report{Contracts: []contract.Statement{s}}, []contract.Contract{c}
}

// brief writes remarks as KIND GPUS HOURS/OF COST FROM..TO.
func brief(list []contract.Remark) string {
	var out []string
	for _, m := range list {
		span := ""
		if !m.From.IsZero() {
			span = " " + m.From.Format("02") + ".."
		}
		if !m.To.IsZero() {
			span += m.To.Format("02")
		}
		out = append(out, fmt.Sprintf("%s %d %d/%d %s%s", m.Kind, m.GPUs, m.Ms/3_600_000, m.OfMs/3_600_000, m.Cost.Figure(), span))
	}
	return strings.Join(out, "; ")
}

func TestRemarksOnTheDaysOfABucket(t *testing.T) {
	f := func(b contract.Bucket, hours []int64, want string) {
		t.Helper()
		r, cs := oneLine(b, hours...)
		if got := brief(contract.Remarks(&r, cs, nil)); got != want {
			t.Errorf("%s on days %v:\n got %q\nwant %q", b, hours, got, want)
		}
	}
	f(contract.Undelivered, []int64{0, 0, 0, 0, 0}, "")
	f(contract.Undelivered, []int64{0, 0, 144, 48, 0}, "late 6 192/480 192.00 03..05")
	f(contract.Undelivered, []int64{0, 0, 144, 48, 24}, "late 6 216/720 216.00 03..")
	f(contract.Undelivered, []int64{24, 0, 144, 0, 0}, "late 6 144/240 144.00 03..04; short 0 24/240 24.00 01..02")
	f(contract.Undelivered, []int64{0, 0, 0, 24, 0}, "short 0 24/240 24.00 04..05") // not the day of the step
	// Some are missing already when those of the step do not come, or do.
	f(contract.Undelivered, []int64{24, 24, 144, 144, 0}, "late 6 288/480 288.00 03..05; short 0 48/480 48.00 01..03")
	f(contract.Undelivered, []int64{24, 24, 26, 144, 0}, "late 6 170/480 170.00 03..05; short 0 48/480 48.00 01..03") // from noon on, nearly
	f(contract.Undelivered, []int64{24, 24, 24, 24, 0}, "short 0 96/960 96.00 01..05")
	f(contract.Undelivered, []int64{24, 24, 0, 24, 0}, "short 0 48/480 48.00 01..03; short 0 24/240 24.00 04..05")
	f(contract.Undelivered, []int64{2, 2, 2, 2, 2}, "") // below one in a hundred
	f(contract.Undelivered, []int64{240, 240, 240, 240, 240}, "short 0 1200/1200 1,200.00 01..")
	f(contract.Unobserved, []int64{0, 5, 0, 12, 0}, "silent 0 12/240 12.00 04..05; silent 0 5/240 5.00 02..03")
	f(contract.Unobserved, []int64{0, 4, 0, 0, 0}, "")
	f(contract.Unhealthy, []int64{0, 12, 0, 0, 0}, "unhealthy 0 12/1200 12.00")
	f(contract.Unhealthy, []int64{0, 11, 0, 0, 0}, "")
	f(contract.Unallocated, []int64{60, 60, 60, 60, 60}, "free 0 300/1200 300.00")
	f(contract.Unallocated, []int64{60, 60, 60, 60, 59}, "")
	f(contract.Unmeasured, []int64{60, 0, 0, 0, 0}, "unmeasured 0 60/1200 60.00")
	f(contract.Idle, []int64{200, 200, 200, 200, 200}, "") // a team's, see below
}

// TestShortOnTheDayOfAStepDown has GPUs missing from the day on which fewer are
// contracted: none of them is late.
func TestShortOnTheDayOfAStepDown(t *testing.T) {
	r, cs := oneLine(contract.Undelivered, 0, 0, 24, 0)
	cs[0].Tranches[0].Steps[0].GPUs = 12
	if got, want := brief(contract.Remarks(&r, cs, nil)), "short 0 24/240 24.00 03..04"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRemarksOnATeamThatHoldsMuchAndUsesLittle(t *testing.T) {
	const hour = 3_600_000
	f := func(idle, busy int64, want string) {
		t.Helper()
		r, cs := oneLine(contract.Idle, 100, 100)
		r.Breakdown = &contract.Breakdown{By: contract.ByTeam}
		p := contract.Parcel{Kind: contract.OfGroup, Group: "research"}
		p.Buckets[contract.Idle], p.Buckets[contract.Busy] = idle*hour, busy*hour
		p.Cost.Buckets[contract.Idle] = contract.Money(idle) * 1_000_000
		rest := contract.Parcel{Kind: contract.OfUnattributed}
		rest.Buckets[contract.Idle] = 400 * hour
		r.Contracts[0].Total.Groups = []contract.Parcel{p, rest}
		if got := brief(contract.Remarks(&r, cs, nil)); got != want {
			t.Errorf("idle %d, busy %d: got %q, want %q", idle, busy, got, want)
		}
		r.Breakdown.By = contract.ByHolder
		if got := brief(contract.Remarks(&r, cs, nil)); got != "" {
			t.Errorf("by holder: got %q", got)
		}
	}
	f(100, 50, "hoarding 0 100/150 100.00")
	f(100, 70, "") // uses 41 %
	f(9, 0, "")    // 1.9 % of what is contracted
	f(0, 0, "")
}

func TestRemarksOnReplacedGPUs(t *testing.T) {
	r, cs := oneLine(contract.Busy, 0, 0, 0, 0, 0)
	at := func(day, hour int) int64 { return time.Date(2026, 10, day, hour, 0, 0, 0, time.UTC).UnixMilli() }
	p := func(gpu, node string, from, to int64, goodbye bool) contract.Presence {
		return contract.Presence{GPU: gpu, Node: node, Model: "H100", Provider: "aws", StartMs: from, EndMs: to, Goodbye: goodbye}
	}
	elsewhere := p("F", "n3", at(1, 0), at(2, 0), true)
	elsewhere.Provider = "azure"
	next := p("G", "n3", at(2, 0), at(9, 0), false)
	next.Provider = "azure"
	other := p("L", "n5", at(2, 1), at(9, 0), false)
	other.Model = "H200"
	list := []contract.Presence{
		p("A", "n1", at(1, 0), at(2, 0), true), p("B", "n1", at(2, 1), at(9, 0), false), // a swap
		p("C", "n1", at(1, 0), at(9, 0), false),                                         // was there before
		p("D", "n2", at(1, 0), at(2, 0), true), p("E", "n2", at(4, 0), at(9, 0), false), // too late for one
		p("I", "n5", at(1, 0), at(2, 0), true), other, // another model: no swap
		p("J", "n6", at(1, 0), at(2, 0), true), p("K", "n6", at(1, 0), at(1, 9), false), p("K", "n6", at(2, 1), at(9, 0), false), // was silent meanwhile
		p(usage.Slot("n4", 7), "n4", at(1, 0), at(2, 0), true), p("H", "n4", at(2, 0), at(9, 0), false), // a sibling that came
		elsewhere, next,
	}
	got := contract.Remarks(&r, cs, list)
	want := []contract.Swap{{Node: "n1", Old: "A", New: "B", At: time.UnixMilli(at(2, 1)).UTC()}}
	if len(got) != 1 || got[0].Kind != contract.RemarkReplaced || got[0].GPUs != 1 {
		t.Fatalf("remarks = %+v, want one GPU replaced", got)
	}
	if diff := cmp.Diff(want, got[0].Swaps); diff != "" {
		t.Errorf("swaps (-want +got):\n%s", diff)
	}
	slices.Reverse(list)
	if diff := cmp.Diff(got, contract.Remarks(&r, cs, list)); diff != "" {
		t.Errorf("the order of presences matters:\n%s", diff)
	}
}
