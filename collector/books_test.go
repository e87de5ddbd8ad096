package collector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// october is the month that the tests close; it is due at closes.
var (
	october = contract.Month{Year: 2026, Month: time.October}
	closes  = time.Date(2026, 11, 4, 4, 0, 0, 0, time.UTC) // midnight in New York, three days later
)

// bookContracts are two contracts with calendars of their own.
func bookContracts(t testing.TB) []contract.Contract {
	t.Helper()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	tranche := func(id, model string, gpus int, price contract.Money) contract.Tranche {
		from, to := at("2026-10-01T00:00:00Z"), at("2027-10-01T00:00:00Z")
		return contract.Tranche{
			ID: id, Model: model, EndMs: to, Steps: []contract.Step{{FromMs: from, GPUs: gpus}},
			Rates: []contract.Rate{{FromMs: from, ToMs: to, PerGPUHour: price, OveragePerGPUHour: 2 * price, HasOverage: true}},
		}
	}
	return []contract.Contract{
		{ID: "aws", Provider: "aws", Currency: "USD", Zone: time.UTC, Tranches: []contract.Tranche{tranche("h100", "H100", 20, 2_350_001)}},
		{ID: "cw", Provider: "coreweave", Currency: "USD", Zone: newYork, Tranches: []contract.Tranche{tranche("h200", "H200", 6, 3_333_333)}},
	}
}

// nodeMonth makes the batches of a node over October, a window of 50 minutes
// each, so that days and months cut windows.
func nodeMonth(t testing.TB, r *rand.Rand, n int, provider, model string, gpus int) []usage.Sealed {
	t.Helper()
	var out []usage.Sealed
	prev := ""
	const window = 50 * 60_000
	for from := at("2026-09-30T11:25:00Z"); from < at("2026-11-01T20:00:00Z"); from += window {
		b := usage.Batch{
			Agent: fmt.Sprintf("%032x", n), Epoch: epoch, Seq: uint64(len(out) + 1), Prev: prev, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
			Node: usage.Node{Name: fmt.Sprintf("node-%d", n), Cloud: usage.Cloud{Provider: provider}},
		}
		for g := range gpus {
			uuid := fmt.Sprintf("GPU-%d-%d", n, g)
			b.GPUs = append(b.GPUs, usage.GPU{UUID: uuid, Model: model, Index: g})
			rec := usage.Record{GPU: uuid, StartMs: from, EndMs: from + window}
			rec.BusyMs = r.Int64N(window)
			rec.IdleMs = r.Int64N(window - rec.BusyMs)
			rec.SMKnownMs, rec.SMActiveMs = window, rec.BusyMs/3
			rec.EnergyKnownMs, rec.EnergyMJ = window, rec.BusyMs*7
			b.Records = append(b.Records, rec)
		}
		s, err := usage.Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		prev = s.Hash.String()
		out = append(out, s)
	}
	return out
}

// otherwise is a batch with the identity of another and other content.
func otherwise(t testing.TB, s usage.Sealed) usage.Sealed {
	t.Helper()
	b := s.Batch
	b.Records = append([]usage.Record{}, b.Records...)
	for i := range b.Records {
		b.Records[i].IdleMs, b.Records[i].BusyMs = b.Records[i].BusyMs, b.Records[i].IdleMs
	}
	out, err := usage.Seal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// delivery is a month's batches by when they come.
type delivery struct{ onTime, second, third, conflicts, node []usage.Sealed }

// deliver lets 5 % of the batches come in two late waves and 1 % come again
// with other content. The first and the last of a node are on time; one node
// comes wholly late.
func deliver(t testing.TB) delivery {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	var d delivery
	for n := range 4 {
		provider, model := "aws", "H100"
		if n == 3 {
			provider, model = "coreweave", "H200"
		}
		batches := nodeMonth(t, r, n+1, provider, model, 8)
		for i, s := range batches {
			switch edge := i == 0 || i == len(batches)-1; {
			case !edge && r.IntN(100) < 3:
				d.second = append(d.second, s)
			case !edge && r.IntN(100) < 2:
				d.third = append(d.third, s)
			default:
				d.onTime = append(d.onTime, s)
			}
			if r.IntN(100) == 0 {
				d.conflicts = append(d.conflicts, otherwise(t, s))
			}
		}
	}
	d.node = nodeMonth(t, r, 9, "aws", "H100", 2)
	return d
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := duckdb.Open(context.Background(), t.TempDir(), duckdb.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func put(t testing.TB, st store.Store, batches []usage.Sealed, want store.Status) {
	t.Helper()
	got, err := st.Append(context.Background(), batches)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got {
		if s != want {
			t.Fatalf("batch %s: %s, want %s", batches[i].Batch.ID(), s, want)
		}
	}
}

// revisionOf reads a revision of October.
func revisionOf(t testing.TB, b *collector.Books, revision string) contract.Report {
	t.Helper()
	rep, err := b.Report(context.Background(), nil, collector.Ask{Month: "2026-10", Revision: revision}, closes.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// truth is what a store says that had everything from the start, in another
// order.
func truth(t testing.TB, waves ...[]usage.Sealed) contract.Report {
	t.Helper()
	st := openStore(t)
	for i := len(waves) - 1; i >= 0; i-- {
		put(t, st, waves[i], store.Committed)
	}
	rep, err := collector.Report(context.Background(), st, bookContracts(t), collector.Ask{Month: "2026-10"}, closes)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// sameLedger compares what two reports say of contracts and other GPUs.
func sameLedger(t testing.TB, what string, got, want contract.Report) {
	t.Helper()
	if d := cmp.Diff(want.Contracts, got.Contracts, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
		t.Errorf("%s (-truth +ledger):\n%s", what, d)
	}
	if d := cmp.Diff(want.Uncontracted, got.Uncontracted); d != "" {
		t.Errorf("%s: uncontracted (-truth +ledger):\n%s", what, d)
	}
}

// TestClosedMonthAndItsCorrections is the life of a month: it is closed, then
// 5 % of its records come late and 1 % in conflict, then a whole node.
func TestClosedMonthAndItsCorrections(t *testing.T) {
	t.Parallel()
	ctx, d, contracts := context.Background(), deliver(t), bookContracts(t)
	if all := len(d.onTime) + len(d.second) + len(d.third); (len(d.second)+len(d.third))*100/all < 4 || len(d.conflicts)*200 < all {
		t.Fatalf("%d + %d of %d are late, %d in conflict: too few", len(d.second), len(d.third), all, len(d.conflicts))
	}
	st := openStore(t)
	put(t, st, d.onTime, store.Committed)
	books := collector.NewBooks(st)
	closing, err := books.Close(ctx, contracts, october, closes)
	if err != nil {
		t.Fatal(err)
	}
	closed := revisionOf(t, books, "closed")
	sameLedger(t, "closed", closed, truth(t, d.onTime))

	for i, wave := range [][]usage.Sealed{d.second, d.third} {
		put(t, st, wave, store.Committed)
		put(t, st, wave, store.Duplicate)
		e, err := books.Correct(ctx, october, closes.AddDate(0, 0, i+1))
		if err != nil || e.Revision != i+1 || e.Kind != ledger.Correction || e.UnplacedMs != 0 || len(e.Corrections) != 2 {
			t.Fatalf("correction %d = %+v, %v", i+1, e, err)
		}
	}
	put(t, st, d.conflicts, store.Conflict)
	if e, err := books.Correct(ctx, october, closes.AddDate(0, 0, 3)); err != nil || e.Revision != 2 {
		t.Errorf("conflicts made revision %d, %v: they change no figure", e.Revision, err)
	}
	all := truth(t, d.onTime, d.second, d.third)
	sameLedger(t, "after the corrections", revisionOf(t, books, "latest"), all)
	addsUp(t, ctx, st, closed, all)

	// A node that nobody knew of stands outside of the placements that were
	// closed: it is told, and placed on request.
	put(t, st, d.node, store.Committed)
	e, err := books.Correct(ctx, october, closes.AddDate(0, 0, 4))
	newYork := october.In(contracts[1].Zone)
	if want := 2 * (newYork.ToMs - at("2026-10-01T00:00:00Z")); err != nil || e.Revision != 3 || len(e.Corrections) != 0 || e.UnplacedMs != want {
		t.Fatalf("a node that stood outside made %+v, %v, want no line and %d GPU-ms unplaced", e, err, want)
	}
	sameLedger(t, "with a node outside", revisionOf(t, books, "latest"), all)
	if e, err = books.Restate(ctx, contracts, october, closes.AddDate(0, 0, 5)); err != nil || e.Revision != 4 || e.Kind != ledger.Restatement || e.UnplacedMs != 0 {
		t.Fatalf("restatement = %+v, %v", e, err)
	}
	everything := truth(t, d.onTime, d.second, d.third, d.node)
	sameLedger(t, "after the restatement", revisionOf(t, books, "4"), everything)
	addsUp(t, ctx, st, closed, everything)

	// Of one contract, a closed month counts the GPUs that a live report does.
	one, err := books.Report(ctx, contracts, collector.Ask{Month: "2026-10", Contract: "cw"}, closes.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	live, err := collector.Report(ctx, st, contracts, collector.Ask{Month: "2026-10", Contract: "cw"}, closes.AddDate(1, 0, 0))
	if err != nil || one.Quality.GPUs != live.Quality.GPUs || one.Quality.GPUs != 8 || closed.Quality.GPUs != 32 {
		t.Errorf("%d GPUs of one contract, live %d, of all %d, %v", one.Quality.GPUs, live.Quality.GPUs, closed.Quality.GPUs, err)
	}

	// Nothing of this has touched what was closed.
	again := revisionOf(t, collector.NewBooks(st), "0")
	if string(again.Stored) != string(closed.Stored) || contract.Hash(again.Stored) != closing.Entry.Report {
		t.Error("the closed report is no longer the same bytes")
	}
	entries, err := ledger.New(st).Entries(ctx)
	if err != nil || len(entries) != 5 || entries[0].SHA256 != closing.SHA256 {
		t.Errorf("ledger = %+v, %v", entries, err)
	}
	if _, err := ledger.Verify(ctx, st, closing.SHA256, func(d, p string) { t.Errorf("%s: %s", d, p) }); err != nil {
		t.Error(err)
	}
}

// addsUp adds the corrections that the ledger has to the closed report, line by
// line.
func addsUp(t *testing.T, ctx context.Context, st store.Store, closed, want contract.Report) {
	t.Helper()
	entries, err := ledger.New(st).Entries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range closed.Contracts {
		for j, l := range s.Tranches {
			buckets, cost, overage := l.Buckets, l.Cost.Buckets, l.Cost.Overage
			for _, e := range entries {
				for _, c := range e.Corrections {
					if c.Contract != s.Contract || c.Tranche != l.Tranche {
						continue
					}
					overage += c.Cost.Overage
					for b := range buckets {
						buckets[b] += c.Buckets[b]
						cost[b] += c.Cost.Buckets[b]
					}
				}
			}
			w := want.Contracts[i].Tranches[j]
			if buckets != w.Buckets || cost != w.Cost.Buckets || overage != w.Cost.Overage {
				t.Errorf("%s: closed + corrections = %v, %v, %v, want %v, %v, %v", s.Contract, buckets, cost, overage, w.Buckets, w.Cost.Buckets, w.Cost.Overage)
			}
		}
	}
}

// smallMonth is a store with a little of October.
func smallMonth(t *testing.T) store.Store {
	t.Helper()
	st := storetest.NewModel()
	put(t, st, nodeMonth(t, rand.New(rand.NewPCG(1, 1)), 1, "aws", "H100", 1)[:60], store.Committed)
	return st
}

// TestManyClosersMakeOneClosing lets collectors race, each with a clock of its
// own, so that none would write the same bytes.
func TestManyClosersMakeOneClosing(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	put(t, st, nodeMonth(t, rand.New(rand.NewPCG(1, 1)), 1, "aws", "H100", 8), store.Committed)
	contracts := bookContracts(t)
	var running sync.WaitGroup
	var seen [6]ledger.Sealed
	for i := range seen {
		running.Go(func() {
			b := collector.NewBooks(st)
			var err error
			if seen[i], err = b.Close(context.Background(), contracts, october, closes.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Error(err)
			}
			if _, err := b.Correct(context.Background(), october, closes.Add(time.Duration(24+i)*time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	for _, s := range seen {
		if s.SHA256 != seen[0].SHA256 || s.Revision != 0 {
			t.Errorf("closers see %s and %s", s.SHA256, seen[0].SHA256)
		}
	}
	if entries, err := ledger.New(st).Entries(context.Background()); err != nil || len(entries) != 1 {
		t.Errorf("%d entries, %v, want 1", len(entries), err)
	}
}

// dying is a store whose process dies at the n-th document that it puts:
// before it is durable, or after.
type dying struct {
	store.Store
	left  int
	after bool
}

var errDied = errors.New("killed")

func (d *dying) PutDocument(ctx context.Context, name string, body []byte) error {
	d.left--
	if d.left > 0 {
		return d.Store.PutDocument(ctx, name, body)
	}
	if d.after {
		_ = d.Store.PutDocument(ctx, name, body)
	}
	return errDied
}

// TestClosingGoesOnAfterAKill kills a closing and a correction at each document
// that they write.
func TestClosingGoesOnAfterAKill(t *testing.T) {
	ctx, contracts := context.Background(), bookContracts(t)
	late := nodeMonth(t, rand.New(rand.NewPCG(1, 1)), 1, "aws", "H100", 1)[60:80]
	for n := 1; n <= 4; n++ {
		for _, after := range []bool{false, true} {
			st := smallMonth(t)
			if _, err := collector.NewBooks(&dying{st, n, after}).Close(ctx, contracts, october, closes); !errors.Is(err, errDied) {
				t.Fatalf("killed at document %d: %v", n, err)
			}
			first, err := collector.NewBooks(st).Close(ctx, contracts, october, closes.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			put(t, st, late, store.Committed)
			if _, err := collector.NewBooks(&dying{st, n, after}).Restate(ctx, contracts, october, closes.Add(2*time.Hour)); !errors.Is(err, errDied) {
				t.Fatalf("killed at document %d: %v", n, err)
			}
			if _, err := collector.NewBooks(st).Restate(ctx, contracts, october, closes.Add(3*time.Hour)); err != nil {
				t.Fatal(err)
			}
			audit, err := ledger.Verify(ctx, st, first.SHA256, func(d, p string) { t.Errorf("%s: %s", d, p) })
			if err != nil || audit.Entries != 2 {
				t.Errorf("killed at document %d: %+v, %v, want two entries", n, audit, err)
			}
		}
	}
}

func TestCloseSaysWhyNot(t *testing.T) {
	ctx, st, contracts := context.Background(), smallMonth(t), bookContracts(t)
	b := collector.NewBooks(st)
	f := func(err, want error, text string) {
		t.Helper()
		if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("err = %v, want %v with %q", err, want, text)
		}
	}
	_, err := b.Close(ctx, contracts, october, closes.Add(-time.Millisecond))
	f(err, collector.ErrNotDue, "2026-10 is provisional, and closes at 2026-11-04T04:00:00Z")
	_, err = b.Close(ctx, contracts, contract.Month{Year: 2026, Month: time.August}, closes)
	f(err, collector.ErrNoData, "2026-08")
	_, err = b.Correct(ctx, october, closes)
	f(err, collector.ErrNoRevision, "is not closed")
	_, err = b.Restate(ctx, contracts, october, closes)
	f(err, collector.ErrNoRevision, "is not closed")
	_, err = b.Report(ctx, contracts, collector.Ask{Month: "2026-10", Revision: "0"}, closes)
	f(err, collector.ErrNoRevision, "is not closed")
	if _, err := b.Close(ctx, contracts, october, closes); err != nil {
		t.Fatal(err)
	}
	_, err = b.Report(ctx, contracts, collector.Ask{Month: "2026-10", Revision: "1"}, closes)
	f(err, collector.ErrNoRevision, "2026-10 has no revision 1, the latest is 0")
	_, err = b.Report(ctx, contracts, collector.Ask{Month: "2026-10", Contract: "new"}, closes)
	f(err, collector.ErrUnknownContract, `"new": it was not in force when 2026-10 was closed`)
	for _, ask := range []collector.Ask{{Revision: "0"}, {Month: "2026-10", Revision: "-1"}, {Month: "2026-10", Revision: "01"}, {Month: "2026-10", Revision: "x"}} {
		var wrong *collector.AskError
		if _, err := b.Report(ctx, contracts, ask, closes); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v, want an AskError", ask, err)
		}
	}
}

// renamed is a store under another id, as one that was rebuilt has.
type renamed struct{ store.Store }

func (renamed) ID() string { return "another" }

// TestRebuiltStoreIsRestatedNotCorrected has the placements of a closing name
// the units of another store.
func TestRebuiltStoreIsRestatedNotCorrected(t *testing.T) {
	ctx, st, contracts := context.Background(), smallMonth(t), bookContracts(t)
	if _, err := collector.NewBooks(st).Close(ctx, contracts, october, closes); err != nil {
		t.Fatal(err)
	}
	b := collector.NewBooks(renamed{st})
	if _, err := b.Correct(ctx, october, closes); err == nil || !strings.Contains(err.Error(), "this is store another: restate it") {
		t.Errorf("Correct = %v, want a word about the other store", err)
	}
	if e, err := b.Restate(ctx, contracts, october, closes); err != nil || e.Revision != 1 || e.Store != "another" || len(e.Corrections) != 0 {
		t.Errorf("restated with the same figures: %+v, %v", e, err)
	}
	if e, err := b.Correct(ctx, october, closes); err != nil || e.Revision != 1 {
		t.Errorf("corrected after that: revision %d, %v", e.Revision, err)
	}
}

// TestClosedMonthIsReadUnderItsOwnTerms changes the contract file after the
// closing.
func TestClosedMonthIsReadUnderItsOwnTerms(t *testing.T) {
	ctx, st, contracts := context.Background(), smallMonth(t), bookContracts(t)
	b := collector.NewBooks(st)
	if _, err := b.Close(ctx, contracts, october, closes); err != nil {
		t.Fatal(err)
	}
	dearer := bookContracts(t)
	dearer[0].Tranches[0].Rates[0].PerGPUHour *= 2
	ask := collector.Ask{Month: "2026-10"}
	all, err := b.Report(ctx, dearer, ask, closes.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if e := all.Edition; e == nil || e.State != contract.Closed || *e.Revision != 0 || all.Contracts[0].Total.Cost.Contracted != 20*744*2_350_001 {
		t.Errorf("edition %+v, cost %v", all.Edition, all.Contracts[0].Total.Cost.Contracted)
	}
	if e, err := b.Correct(ctx, october, closes.AddDate(0, 1, 0)); err != nil || e.Revision != 0 {
		t.Errorf("another price made the correction %+v, %v", e, err)
	}
	ask.Contract = "cw"
	one, err := b.Report(ctx, dearer, ask, closes)
	if err != nil || len(one.Contracts) != 1 || one.Contracts[0].Contract != "cw" || one.Stored != nil {
		t.Errorf("one contract = %+v, %v", one, err)
	}
	others := func(m contract.Remark) bool { return m.Contract != "cw" }
	if !slices.ContainsFunc(all.Remarks, others) || len(one.Remarks) == 0 || slices.ContainsFunc(one.Remarks, others) {
		t.Errorf("remarks on one contract = %+v, on all %+v", one.Remarks, all.Remarks)
	}
	e, err := b.Restate(ctx, dearer, october, closes.AddDate(0, 1, 0))
	if err != nil || e.Revision != 1 || len(e.Corrections) != 1 || e.Corrections[0].Cost.Contracted != 20*744*2_350_001 || e.Corrections[0].ContractedMs != 0 {
		t.Errorf("restated under another price: %+v, %v", e, err)
	}
	open, err := b.Report(ctx, contracts, collector.Ask{Since: time.Hour}, time.UnixMilli(at("2026-10-02T00:00:00Z")))
	if err != nil || open.Edition != nil {
		t.Errorf("edition of no month = %+v, %v", open.Edition, err)
	}
}

func TestReportOverHTTPIsWhatWasClosed(t *testing.T) {
	st, contracts := smallMonth(t), bookContracts(t)
	if _, err := collector.NewBooks(st).Close(context.Background(), contracts, october, closes); err != nil {
		t.Fatal(err)
	}
	var now atomic.Pointer[time.Time] // the tallies look at it meanwhile
	now.Store(&closes)
	h := start(t, collector.Config{Store: st, Book: collector.FixedBook(contracts), Now: func() time.Time { return *now.Load() }})
	first := do(h, "GET", "/api/v1/report?month=2026-10", nil)
	later := closes.AddDate(0, 6, 0)
	now.Store(&later)
	again := do(h, "GET", "/api/v1/report?month=2026-10&revision=closed", nil)
	if first.Code != 200 || first.Body.String() != again.Body.String() {
		t.Errorf("status %d: the closed month is not the same bytes", first.Code)
	}
	// A breakdown is of what is known now, and says that the month is closed;
	// the page shows the month as it was closed unless it is asked for one.
	var grouped contract.Report
	body := do(h, "GET", "/api/v1/report?month=2026-10&by=team", nil).Body.Bytes()
	if err := json.Unmarshal(body, &grouped); err != nil || grouped.Breakdown == nil || grouped.Edition.State != contract.Closed || grouped.Edition.Revision != nil {
		t.Errorf("closed month by team: %v: edition %+v, breakdown %+v", err, grouped.Edition, grouped.Breakdown)
	}
	for query, want := range map[string]bool{"month=2026-10": false, "month=2026-10&by=team": true} {
		if page := do(h, "GET", "/?"+query, nil).Body.String(); strings.Contains(page, `<b aria-current="true">team`) != want {
			t.Errorf("page %s is by team: %v, want %v", query, !want, want)
		}
	}
	problem(t, do(h, "GET", "/api/v1/report?month=2026-10&revision=1", nil), 404)
	problem(t, do(h, "GET", "/api/v1/report?revision=1", nil), 400)
	w := do(h, "GET", "/api/v1/periods", nil)
	var list []collector.Standing
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Month != "2026-09" || list[0].State != contract.Provisional || list[1].State != contract.Closed ||
		len(list[1].Revisions) != 1 || list[1].Revisions[0].Report != contract.Hash(first.Body.Bytes()) {
		t.Errorf("periods = %s", w.Body)
	}
}
