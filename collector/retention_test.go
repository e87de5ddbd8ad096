package collector_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// keepDays is how long the tests keep records.
const keepDays = 35 * 24 * time.Hour

// week is around the end of a month.
var week = [2]int64{at("2026-09-28T00:00:00Z"), at("2026-10-04T00:00:00Z")}

// rentals are contracts that begin, grow and change their price at odd moments,
// in calendars that cut hours.
func rentals(t testing.TB, r *rand.Rand) []contract.Contract {
	t.Helper()
	zones := []string{"UTC", "Asia/Kolkata", "America/St_Johns", "America/New_York"}
	odd := func() int64 { return week[0] + r.Int64N((week[1]-week[0])/1000)*1000 }
	var out []contract.Contract
	for i := range 1 + r.IntN(3) {
		zone, err := time.LoadLocation(zones[r.IntN(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		from, grows, price := odd()-int64(r.IntN(2))*30*24*3_600_000, odd(), odd()
		end := at("2027-01-01T00:00:00Z")
		tranche := contract.Tranche{
			ID: "a", Model: "H100", EndMs: end, Steps: []contract.Step{{FromMs: from, GPUs: 1 + r.IntN(3)}},
			Rates: []contract.Rate{{FromMs: from, ToMs: end, PerGPUHour: 2_000_001}},
		}
		if grows > from {
			tranche.Steps = append(tranche.Steps, contract.Step{FromMs: grows, GPUs: 2 + r.IntN(4)})
		}
		if price > from {
			tranche.Rates = []contract.Rate{{FromMs: from, ToMs: price, PerGPUHour: 1_999_999}, {FromMs: price, ToMs: end, PerGPUHour: 3_333_333}}
		}
		if r.IntN(4) > 0 {
			tranche.Delivery = contract.Delivery{Unit: []contract.DeliveryUnit{contract.DeliverNode, contract.DeliverRack}[r.IntN(2)], GPUsPerUnit: 4}
		}
		out = append(out, contract.Contract{ID: fmt.Sprintf("c%d", i), Provider: "aws", Currency: "USD", Zone: zone, Tranches: []contract.Tranche{tranche}})
	}
	return out
}

// rented makes the batches of three nodes of two GPUs, of which two share a
// rack: five minutes a window, from odd moments to odd moments, with teams that
// take turns and GPUs that fail now and then.
func rented(t testing.TB, r *rand.Rand) []usage.Sealed {
	t.Helper()
	const window = 5 * 60_000
	var out []usage.Sealed
	for n := range 3 {
		from, to := week[0], week[1]
		if n > 0 {
			from, to = from+r.Int64N(50*3_600_000), to-r.Int64N(50*3_600_000)
		}
		prev, sick, seq := "", 0, uint64(0)
		for at := from; at+window <= to; at = (at/window + 1) * window {
			end := (at/window + 1) * window
			seq++
			b := usage.Batch{
				Agent: fmt.Sprintf("%032x", n+1), Epoch: epoch, Seq: seq, Prev: prev, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
				Node: usage.Node{Name: fmt.Sprintf("node-%d", n), Cloud: usage.Cloud{Provider: "aws", Account: fmt.Sprint(n / 2), Region: "r", Rack: fmt.Sprint("rack-", n/2)}},
			}
			for g := range 2 {
				uuid := fmt.Sprintf("GPU-%d-%d", n, g)
				b.GPUs = append(b.GPUs, usage.GPU{UUID: uuid, Model: "H100", Index: g})
				rec := usage.Record{GPU: uuid, StartMs: at, EndMs: end, Holder: usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: fmt.Sprint("team-", r.IntN(2)), Name: "j"}}
				rec.BusyMs = r.Int64N(end - at)
				rec.IdleMs = end - at - rec.BusyMs
				rec.SMKnownMs, rec.SMActiveMs, rec.EnergyKnownMs, rec.EnergyMJ = rec.BusyMs, rec.BusyMs/3, end-at, rec.BusyMs*5
				if g == 1 && sick > 0 {
					rec.Sums, rec.Reason = usage.Sums{UnhealthyMs: end - at}, "xid_79"
				}
				b.Records = append(b.Records, rec)
			}
			if sick--; sick < 0 && r.IntN(300) == 0 {
				sick = 1 + r.IntN(30)
			}
			s, err := usage.Seal(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Batch.Check(); err != nil {
				t.Fatal(err)
			}
			prev = s.Hash.String()
			out = append(out, s)
		}
	}
	return out
}

// said is all that can be asked about the week: reports in every dimension,
// incidents, and what proves them.
func said(t testing.TB, st store.Store, contracts []contract.Contract, now time.Time) map[string]string {
	t.Helper()
	out := map[string]string{}
	keep := func(name string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	asks := []collector.Ask{{Month: "2026-09"}, {Month: "2026-10"}, {From: "2026-09-29", To: "2026-10-03"}, {From: "2026-10-01"}}
	for i := range contracts {
		asks = append(asks, collector.Ask{Month: "2026-10", Contract: contracts[i].ID}, collector.Ask{From: "2026-09-30", To: "2026-10-02", Contract: contracts[i].ID})
	}
	for _, ask := range asks {
		for _, by := range append([]contract.By{""}, contract.Bys...) {
			ask.By = by
			rep, err := collector.Report(t.Context(), st, contracts, ask, now)
			if err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			keep(fmt.Sprintf("report %+v", ask), rep.Quality, report.JSON(&text, rep))
			out[fmt.Sprintf("report %+v", ask)] += text.String()
		}
	}
	for _, month := range []string{"2026-09", "2026-10"} {
		ask := collector.ClaimAsk{Month: month}
		d, err := collector.Claims(t.Context(), st, contracts, ask, now)
		keep("claims "+month, d, err)
		for _, x := range d.Incidents {
			b, err := collector.ClaimBundle(t.Context(), st, contracts, ask, x.ID, true, now)
			if err == nil { // agents come in no order
				slices.SortFunc(b.Links, func(x, y store.Link) int {
					return strings.Compare(fmt.Sprintf("%s %9d", x.Agent, x.Seq), fmt.Sprintf("%s %9d", y.Agent, y.Seq))
				})
			}
			keep("bundle "+month+" "+x.ID, b, err)
		}
	}
	return out
}

// TestReportsStayWhatTheyAreWhenRecordsGo prunes random fleets under random
// contracts, and holds every report, incident and proof against the one before,
// byte by byte.
func TestReportsStayWhatTheyAreWhenRecordsGo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			st, err := duckdb.Open(t.Context(), t.TempDir(), duckdb.Options{Threads: 1, Now: func() time.Time { return afterKeeping }})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			reportsStay(t, st, seed)
		})
	}
}

// afterKeeping is when all of the week is old enough to go.
var afterKeeping = time.UnixMilli(week[1]).Add(keepDays + 2*time.Hour).UTC()

// reportsStay prunes a random fleet of an empty store.
func reportsStay(t *testing.T, st store.Store, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 23))
	if _, err := st.Append(t.Context(), rented(t, r)); err != nil {
		t.Fatal(err)
	}
	contracts := rentals(t, r)
	books := collector.NewBooks(st)
	for m := contract.MonthOf(week[0], time.UTC); seed%2 == 0 && !october.Before(m); m = m.Next() {
		if _, err := books.Close(t.Context(), contracts, m, afterKeeping); err != nil {
			t.Fatal(err)
		}
	}
	if seed%2 == 0 {
		contracts = rentals(t, r) // what is closed keeps the edges of those before
	}
	before := said(t, st, contracts, afterKeeping)
	records, err := collector.PruneOnce(t.Context(), st, contracts, afterKeeping, keepDays)
	if err != nil || records < 2000 {
		t.Fatalf("%d records pruned, %v", records, err)
	}
	if d := cmp.Diff(before, said(t, st, contracts, afterKeeping)); d != "" {
		t.Errorf("after %d records went (-before +after):\n%.3000s", records, d)
	}
	for m := contract.MonthOf(week[0], time.UTC); seed%2 == 0 && !october.Before(m); m = m.Next() {
		if s, err := books.Correct(t.Context(), m, afterKeeping.Add(time.Hour)); err != nil || s.Revision != 0 {
			t.Errorf("%s was corrected: revision %d, %v", m, s.Revision, err)
		}
	}
}

// TestNothingGoesThatIsYoungOrOfAnOpenMonth holds what retention waits for.
func TestNothingGoesThatIsYoungOrOfAnOpenMonth(t *testing.T) {
	t.Parallel()
	st, err := duckdb.Open(t.Context(), t.TempDir(), duckdb.Options{Threads: 1, Now: func() time.Time { return time.UnixMilli(week[1]).Add(keepDays) }})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Append(t.Context(), rented(t, rand.New(rand.NewPCG(1, 23)))); err != nil {
		t.Fatal(err)
	}
	contracts := bookContracts(t) // UTC and New York
	f := func(now string, keep time.Duration, latest string) {
		t.Helper()
		if _, err := collector.PruneOnce(t.Context(), st, contracts, time.UnixMilli(at(now)), keep); err != nil {
			t.Fatal(err)
		}
		there, last := map[int64]bool{}, int64(0)
		err := st.Entries(t.Context(), []contract.Span{{Unit: 1, FromMs: week[0], ToMs: week[1]}}, func(e store.Entry) error {
			there[e.StartMs/3_600_000] = true
			return nil
		})
		for h := week[0] / 3_600_000; h < week[1]/3_600_000; h++ {
			if !there[h] {
				last = (h + 1) * 3_600_000
			}
		}
		if err != nil || latest == "" && last != 0 || latest != "" && (last > at(latest) || last < at(latest)-6*3_600_000) {
			t.Errorf("at %s, keeping %s: hours until %s are gone, want some until %q (%v)", now, keep, time.UnixMilli(last).UTC(), latest, err)
		}
	}
	f("2026-10-01T03:59:00Z", 72*time.Hour, "") // September goes on in New York
	f("2026-10-01T04:01:00Z", 72*time.Hour, "2026-09-28T04:00:00Z")
	f("2026-11-01T00:00:00Z", 72*time.Hour, "2026-10-01T00:00:00Z") // October goes on
	f("2026-11-05T00:00:00Z", keepDays, "2026-10-01T00:00:00Z")
	f("2026-11-08T00:00:00Z", keepDays+12*time.Hour, "2026-10-03T12:00:00Z")
}
