package collector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

const (
	clock  = "15:04:05"
	minute = int64(60_000)
)

// trouble is what befell a GPU of a node from one time to another: a reason that
// is a fault, or one why it was not observed, or nothing on record at all.
type trouble struct {
	gpu      string // empty is all of the node
	from, to string
	fault    string
	missing  string
	silent   bool
}

// agentOf is a node with its agent, which records every minute.
type agentOf struct {
	node     usage.Node
	gpus     []string
	from, to string
	troubles []trouble
	events   []usage.Event
}

// batches are what the agent sends, a batch every ten minutes, chained.
func (a *agentOf) batches(t *testing.T, n int) []usage.Sealed {
	t.Helper()
	var out []usage.Sealed
	b := usage.Batch{Agent: fmt.Sprintf("%032x", n), Epoch: fmt.Sprintf("%032x", 1), Evidence: usage.EvidenceAgent, IntervalMs: 1000, Node: a.node}
	for ms := at(a.from); ms < at(a.to); ms += 10 * minute {
		b.GPUs, b.Records, b.Events = nil, nil, nil
		for i, gpu := range a.gpus {
			b.GPUs = append(b.GPUs, usage.GPU{UUID: gpu, Model: modelOf[a.node.Cloud.InstanceType], Index: i})
			for k := range int64(10) {
				if r, ok := a.record(gpu, ms+k*minute); ok {
					b.Records = append(b.Records, r)
				}
			}
		}
		for _, e := range a.events {
			if ms <= e.AtMs && e.AtMs < ms+10*minute {
				b.Events = append(b.Events, e)
			}
		}
		if len(b.Records)+len(b.Events) == 0 {
			continue
		}
		b.Seq++
		s, err := usage.Seal(b)
		if err == nil {
			err = s.Batch.Check()
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Prev = s.Hash.String()
		out = append(out, s)
	}
	return out
}

// modelOf says what GPUs the nodes of an instance type have.
var modelOf = map[string]string{"hgx": "H100", "nvl": "GB200"}

// record is that of one minute. Faults may begin and end within one.
func (a *agentOf) record(gpu string, ms int64) (usage.Record, bool) {
	r := usage.Record{GPU: gpu, StartMs: ms, EndMs: ms + minute, Holder: usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "secret-team", Name: "secret-job"}}
	left := minute
	for _, x := range a.troubles {
		n := min(at(x.to), ms+minute) - max(at(x.from), ms)
		if n <= 0 || x.gpu != "" && x.gpu != gpu {
			continue
		}
		switch {
		case x.silent:
			return r, false
		case x.fault != "":
			r.UnhealthyMs, r.Reason = n, x.fault
		default:
			r.Reason = x.missing
		}
		left -= n
	}
	r.BusyMs = left
	return r, true
}

func day(s string) string { return "2026-10-" + s + ":00Z" }

// sorrows is a fleet on which everything happens once.
func sorrows(t *testing.T) ([]contract.Contract, []usage.Sealed) {
	t.Helper()
	node := func(n int) usage.Node {
		return usage.Node{Name: fmt.Sprintf("n%d", n), Cloud: usage.Cloud{Provider: "coreweave", Region: "us-east", Zone: "us-east-a",
			InstanceID: fmt.Sprintf("i-%d", n), InstanceType: "hgx"}}
	}
	gpus := func(n int) []string { return []string{fmt.Sprintf("GPU-%d-a", n), fmt.Sprintf("GPU-%d-b", n)} }
	from, to := day("01T00:00"), day("03T12:00")
	xid := usage.Event{AtMs: at("2026-10-02T07:00:20Z"), Kind: usage.EventXid, GPU: "GPU-3-a", Value: 79,
		Detail: "pid=4711, name=secret-binary, GPU has fallen off the bus."}
	fleet := []agentOf{
		{node(1), gpus(1), from, to, []trouble{{from: day("02T02:00"), to: day("02T03:30"), silent: true}},
			[]usage.Event{{AtMs: at(day("02T03:30")), Kind: usage.EventAgentStart, Value: at(day("02T03:28")), Detail: "1.0"}}},
		{node(2), gpus(2), from, to, []trouble{{gpu: "GPU-2-b", from: day("02T05:00"), to: day("02T06:00"), fault: "gpu_lost"},
			{from: day("02T15:00"), to: day("02T16:00"), silent: true}, {from: day("02T17:00"), to: day("02T18:00"), silent: true}},
			[]usage.Event{{AtMs: at(day("02T14:59")), Kind: usage.EventAgentStop},
				{AtMs: at(day("02T18:00")), Kind: usage.EventAgentStart, Value: at(day("01T00:00"))}}},
		{node(3), append(gpus(3), "n3/slot-2"), from, to, []trouble{
			{gpu: "n3/slot-2", from: from, to: to, fault: "missing_sibling"},
			{gpu: "GPU-3-a", from: "2026-10-02T07:00:20Z", to: "2026-10-02T08:10:40Z", fault: "xid_79"},
			{gpu: "GPU-3-b", from: day("02T09:00"), to: day("02T09:30"), fault: "ecc_uncorrected"},
			{gpu: "GPU-3-b", from: day("02T09:36"), to: day("02T09:50"), fault: "ecc_uncorrected"}, // joined
			{gpu: "GPU-3-b", from: day("02T10:30"), to: day("02T10:40"), fault: "recovery_action"}},
			[]usage.Event{xid}},
		{node(4), gpus(4), from, to, []trouble{{gpu: "GPU-4-a", from: day("02T09:00"), to: day("02T10:00"), missing: "driver_hang"},
			{from: day("02T11:00"), to: day("02T11:30"), missing: "paused"}, {from: day("02T13:00"), to: day("02T14:00"), silent: true},
			{gpu: "GPU-4-b", from: day("02T20:00"), to: day("02T20:03"), missing: "not_sampled"}, // too short
			{gpu: "GPU-4-b", from: day("03T06:00"), to: to, silent: true}},
			[]usage.Event{{AtMs: at(day("03T06:00")), Kind: usage.EventGoodbye, GPU: "GPU-4-b"}}},
		{node(5), gpus(5), from, day("01T18:00"), nil, nil}, // never heard again
		{node(6), gpus(6), from, to, []trouble{{gpu: "GPU-6-b", from: day("02T05:00"), to: day("02T06:00"), fault: "gpu_lost"}},
			[]usage.Event{{AtMs: at(day("02T05:00")), Kind: usage.EventXid, GPU: "GPU-6-b", Value: 79}}},
		{node(7), gpus(7), from, to, nil, nil}, // of the same rack
	}
	for i := range fleet {
		if i >= 5 {
			fleet[i].node.Cloud.InstanceType, fleet[i].node.Cloud.Rack = "nvl", "r1"
		}
	}
	var out []usage.Sealed
	for i := range fleet {
		out = append(out, fleet[i].batches(t, i+1)...)
	}
	start, end := at(from), at("2027-01-01T00:00:00Z")
	c := contract.Contract{ID: "cw", Title: "H100 in us-east", Provider: "coreweave", Currency: "USD", Zone: time.UTC,
		Tranches: []contract.Tranche{{ID: "h100", Model: "H100", SLA: "node", EndMs: end, Delivery: contract.Delivery{GraceMs: 24 * 60 * minute},
			Steps: []contract.Step{{FromMs: start, GPUs: 13}}, Rates: []contract.Rate{{FromMs: start, ToMs: end, PerGPUHour: 2_500_000}}},
			{ID: "nvl", Model: "GB200", EndMs: end, Delivery: contract.Delivery{Unit: contract.DeliverRack},
				Steps: []contract.Step{{FromMs: start, GPUs: 4}}, Rates: []contract.Rate{{FromMs: start, ToMs: end, PerGPUHour: 5_000_000}}}},
		SLAs: []contract.SLA{{ID: "node", Target: 999_000, Scope: contract.SLAPerNode, Period: contract.SLAByMonth, Cap: 500_000,
			Tiers:    []contract.CreditTier{{Below: 999_000, Credit: 100_000}, {Below: 990_000, Credit: 250_000}},
			Excludes: []contract.SLAExclusion{contract.ExcludeMaintenance},
			Claim:    contract.ClaimRule{From: contract.ClaimFromIncident, Days: 10, Subject: "SLA Credit Request", Evidence: []string{"server logs", "exact dates and times"}}}}}
	contracts := []contract.Contract{c}
	if err := contract.ValidateAll(contracts); err != nil {
		t.Fatal(err)
	}
	return contracts, out
}

// asOf is the moment at which the sorrows are looked at.
var asOf = time.Date(2026, 10, 3, 12, 2, 0, 0, time.UTC)

// sorrowful opens a store with batches in it and the life of its collector, who
// was out for an hour.
func sorrowful(t *testing.T, batches []usage.Sealed) *duckdb.DB {
	t.Helper()
	now := func() time.Time { return asOf }
	st, err := duckdb.Open(t.Context(), t.TempDir(), duckdb.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if _, err := st.Append(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	for _, l := range []contract.Life{{FromMs: at(day("01T00:00")), ToMs: at(day("02T13:00"))}, {FromMs: at(day("02T14:00")), ToMs: asOf.UnixMilli()}} {
		if err := st.Beat(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

func TestClaimsTellEveryKindApart(t *testing.T) {
	contracts, batches := sorrows(t)
	d, err := collector.Claims(t.Context(), sorrowful(t, batches), contracts, collector.ClaimAsk{Month: "2026-10"}, asOf)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range d.Incidents {
		got = append(got, fmt.Sprintf("%s %s %s: %s, %s GPU-h, %s owed", x.Site.Node, x.Kind, x.From.Format("02 "+clock), x.Class, contract.Hours(x.GPUMs), x.Owed.Figure()))
	}
	slices.Sort(got)
	want := []string{
		" departed 03 06:00:00: unknown, 6.00 GPU-h, 0.00 owed",
		" fell_silent 02 18:00:00: unknown, 36.00 GPU-h, 0.00 owed",
		" late_delivery 02 00:00:00: claimable, 72.00 GPU-h, 180.00 owed",
		// Two GPUs for 60 hours at $2.50 are $300, of which a tenth.
		"n1 unreachable 02 02:00:00: claimable, 3.00 GPU-h, 30.00 owed",
		"n2 gpu_lost 02 05:00:00: uncovered, 1.00 GPU-h, 0.00 owed",
		"n2 unreachable 02 15:00:00: ours, 2.00 GPU-h, 0.00 owed",
		"n2 unreachable 02 17:00:00: ours, 2.00 GPU-h, 0.00 owed",
		"n3 memory 02 09:00:00: uncovered, 0.73 GPU-h, 0.00 owed",
		"n3 missing_sibling 01 00:00:00: uncovered, 60.00 GPU-h, 0.00 owed",
		"n3 reset_required 02 10:30:00: uncovered, 0.17 GPU-h, 0.00 owed",
		"n3 xid 02 07:00:20: uncovered, 1.17 GPU-h, 0.00 owed",
		"n4 collector_down 02 13:00:00: ours, 2.00 GPU-h, 0.00 owed",
		"n4 not_observed 02 09:00:00: unknown, 1.00 GPU-h, 0.00 owed",
		"n4 not_observed 02 11:00:00: ours, 1.00 GPU-h, 0.00 owed",
		"n5 collector_down 02 13:00:00: ours, 2.00 GPU-h, 0.00 owed",
		"n5 unreachable 01 18:00:00: unknown, 38.00 GPU-h, 0.00 owed",
		"n5 unreachable 02 14:00:00: unknown, 8.00 GPU-h, 0.00 owed",
		"n6 gpu_lost 02 05:00:00: uncovered, 1.00 GPU-h, 0.00 owed",
		"n6 unit_down 02 05:00:00: uncovered, 1.00 GPU-h, 0.00 owed",
		"n7 unit_down 02 05:00:00: uncovered, 2.00 GPU-h, 0.00 owed",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("incidents (-got +want):\n%s", diff)
	}
	if want := []contract.Minor{{Contract: "cw", Tranche: "h100", GapsMs: 3 * minute, GraceMs: 2 * 24 * 60 * minute}}; !slices.Equal(d.Minor, want) {
		t.Errorf("minor = %+v, want %+v", d.Minor, want)
	}
	for name, write := range map[string]func(io.Writer, contract.Docket) error{
		"claims.txt": claim.Text, "claims.csv": claim.CSV, "claims.md": claim.Markdown, "claims.json": claim.JSON} {
		var b bytes.Buffer
		if err := write(&b, d); err != nil {
			t.Error(err)
		}
		golden(t, filepath.Join("testdata", name), b.Bytes())
	}
}

// TestFreshInstallationClaimsNothingOfTheTimeBefore lets what was bought begin
// three weeks before anybody looked.
func TestFreshInstallationClaimsNothingOfTheTimeBefore(t *testing.T) {
	contracts, batches := sorrows(t)
	other := contracts[0]
	other.ID, other.Tranches = "other", slices.Clone(other.Tranches[1:])
	other.Tranches[0].Model, other.Tranches[0].Steps = "B200", slices.Clone(other.Tranches[0].Steps)
	for i := range contracts[0].Tranches {
		x := &contracts[0].Tranches[i]
		x.Delivery.GraceMs = 0
		x.Steps[0].FromMs = at("2026-09-10T00:00:00Z")
		x.Rates[0].FromMs = x.Steps[0].FromMs
	}
	contracts = append(contracts, other)
	st := sorrowful(t, batches)
	d, err := collector.Claims(t.Context(), st, contracts, collector.ClaimAsk{Month: "2026-09"}, asOf)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range d.Incidents {
		got = append(got, fmt.Sprintf("%s %s: %s, %s GPU-h, %s owed: %s", x.Tranche, x.Kind, x.Class, contract.Hours(x.GPUMs), x.Owed.Figure(), x.Rule))
	}
	const rule = "0.00 owed: nothing was metered before 2026-10-01 00:00 UTC: nobody recorded whether the GPUs stood"
	want := []string{"h100 before_metering: unknown, 6,552.00 GPU-h, " + rule, "nvl before_metering: unknown, 2,016.00 GPU-h, " + rule} // 21 days
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("incidents (-got +want):\n%s", diff)
	}
	const line = "\nNothing was metered before 2026-10-01 00:00 UTC: 8,568.00 GPU-hours contracted until then, worth 26,460.00 USD, cannot be claimed.\n"
	for name, write := range map[string]func(io.Writer, contract.Docket) error{"text": claim.Text, "Markdown": claim.Markdown} {
		var b bytes.Buffer
		if err := write(&b, d); err != nil || strings.Count(b.String(), line) != 1 {
			t.Errorf("%s does not say once how much cannot be claimed: %v\n%s", name, err, b.String())
		}
	}
	ticket := ""
	for _, f := range bundleOf(t, st, contracts, collector.ClaimAsk{Month: "2026-09"}, d.Incidents[0].ID, false) {
		if f.Name == "ticket.txt" {
			ticket = string(f.Body)
		}
	}
	if !strings.HasPrefix(ticket, "NOT TO BE SENT AS IT IS") || !strings.Contains(ticket, "are not on our record") {
		t.Errorf("ticket:\n%s", ticket)
	}
	d, err = collector.Claims(t.Context(), st, contracts, collector.ClaimAsk{Month: "2026-09", Contract: "other"}, asOf)
	if err != nil || len(d.Incidents) != 0 || d.MeteredSince != nil {
		t.Errorf("another contract has %d incidents, metered since %v, %v", len(d.Incidents), d.MeteredSince, err)
	}
}

// find returns the id of the only incident of a kind that begins on a node.
func find(t *testing.T, st store.Store, contracts []contract.Contract, kind contract.IncidentKind, node string) string {
	t.Helper()
	d, err := collector.Claims(t.Context(), st, contracts, collector.ClaimAsk{}, asOf)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range d.Incidents {
		if x.Kind == kind && x.Site.Node == node {
			return x.ID
		}
	}
	t.Fatalf("no %s of %q", kind, node)
	return ""
}

func bundle(t *testing.T, st store.Store, contracts []contract.Contract, id string, holders bool) []claim.File {
	t.Helper()
	return bundleOf(t, st, contracts, collector.ClaimAsk{}, id, holders)
}

func bundleOf(t *testing.T, st store.Store, contracts []contract.Contract, ask collector.ClaimAsk, id string, holders bool) []claim.File {
	t.Helper()
	b, err := collector.ClaimBundle(t.Context(), st, contracts, ask, id, holders, asOf)
	if err != nil {
		t.Fatal(err)
	}
	b.StoreID = "0123456789abcdef0123456789abcdef"
	files, err := b.Files()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim.Verify(files); err != nil {
		t.Errorf("%s: %v", id, err)
	}
	return files
}

func TestClaimBundleProvesTheIncident(t *testing.T) {
	contracts, batches := sorrows(t)
	st := sorrowful(t, batches)
	for name, id := range map[string]string{
		"unreachable": find(t, st, contracts, contract.Unreachable, "n1"),
		"xid":         find(t, st, contracts, contract.FatalXid, "n3"),
		"unit":        find(t, st, contracts, contract.UnitDown, "n7"),
		"late":        find(t, st, contracts, contract.LateDelivery, ""),
	} {
		files := bundle(t, st, contracts, id, false)
		for _, f := range files {
			if bytes.Contains(f.Body, []byte("secret")) || bytes.Contains(f.Body, []byte("4711")) {
				t.Errorf("%s of %s says who held the GPU", f.Name, name)
			}
			golden(t, filepath.Join("testdata", "bundle-"+name, f.Name), f.Body)
		}
		private := false
		for _, f := range bundle(t, st, contracts, id, true) {
			private = private || bytes.Contains(f.Body, []byte("secret-job"))
		}
		if private != (name != "late") {
			t.Errorf("%s with holders says %v of who held the GPUs", name, private)
		}
	}
}

func TestClaimBundleIsTheSameInAnyOrder(t *testing.T) {
	contracts, batches := sorrows(t)
	st := sorrowful(t, batches)
	id := find(t, st, contracts, contract.FatalXid, "n3")
	want := bundle(t, st, contracts, id, true)
	r := rand.New(rand.NewPCG(1, 1))
	mixed := append(slices.Clone(batches), batches[:len(batches)/3]...)
	r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	if diff := cmp.Diff(bundle(t, sorrowful(t, mixed), contracts, id, true), want); diff != "" {
		t.Errorf("bundle of the same batches in another order, some twice (-got +want):\n%s", diff)
	}
}

func TestClaimsRefuseWhatMakesNoSense(t *testing.T) {
	contracts, batches := sorrows(t)
	st := sorrowful(t, batches[:1])
	f := func(contracts []contract.Contract, ask collector.ClaimAsk, want string) {
		t.Helper()
		_, err := collector.Claims(t.Context(), st, contracts, ask, asOf)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("claims of %+v: %v, want %q", ask, err, want)
		}
	}
	f(nil, collector.ClaimAsk{}, "there are no contracts")
	f(contracts, collector.ClaimAsk{Contract: "x"}, `unknown contract "x"`)
	f(contracts, collector.ClaimAsk{Month: "october"}, "not of the form")
	f(contracts, collector.ClaimAsk{Month: "2026-11"}, "it has not begun")
	_, err := collector.ClaimBundle(t.Context(), st, contracts, collector.ClaimAsk{}, "inc-0", false, asOf)
	if !errors.Is(err, collector.ErrUnknownIncident) {
		t.Errorf("bundle of no incident: %v", err)
	}
}

func TestClaimsOverHTTP(t *testing.T) {
	contracts, batches := sorrows(t)
	st := sorrowful(t, batches)
	c := collector.New(collector.Config{Store: st, Book: collector.FixedBook(contracts), Now: func() time.Time { return asOf }, Log: slog.New(slog.DiscardHandler)})
	srv := httptest.NewServer(c.Handler())
	defer srv.Close()
	get := func(path string, status int) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != status {
			t.Errorf("GET %s: %s %v, want %d: %.200s", path, res.Status, err, status, body)
		}
		return body
	}
	want, err := os.ReadFile(filepath.Join("testdata", "claims.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(get("/api/v1/claims?month=2026-10", 200)), string(want)); diff != "" {
		t.Errorf("claims (-got +want):\n%s", diff)
	}
	id := find(t, st, contracts, contract.Unreachable, "n1")
	files, err := claim.ReadTar(bytes.NewReader(get("/api/v1/claims/"+id, 200)))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := claim.Verify(files); err != nil || v.Incident.ID != id {
		t.Errorf("verify = %+v, %v", v, err)
	}
	get("/api/v1/claims?month=x", 400)
	if page := string(get("/claims?month=2026-10", 200)); !strings.Contains(page, id) {
		t.Error("the page of claims does not lead to the evidence")
	}
	get("/claims?month=x", 400)
	get("/claims?contract=x", 404)
	get("/api/v1/claims?year=2026", 400)
	get("/api/v1/claims/"+id+"?holders=perhaps", 400)
	get("/api/v1/claims?contract=x", 404)
	get("/api/v1/claims/inc-none", 404)
	get("/api/v1/claims?month=2027-01", 422)
}

// TestNodesOfOneNameElsewhereChangeNoClaim adds a fleet in another cloud, and
// one in another account, whose nodes have the names of the first and other
// fates: its list and its evidence are what they were.
func TestNodesOfOneNameElsewhereChangeNoClaim(t *testing.T) {
	contracts, batches := sorrows(t)
	mixed := slices.Clone(batches)
	for i, cloud := range []usage.Cloud{{Provider: "aws", Account: "1", Region: "us-east", Zone: "us-east-a"},
		{Provider: "coreweave", Account: "2", Region: "us-west", Zone: "us-west-a"}} {
		for n := range 7 {
			twin := agentOf{node: usage.Node{Name: fmt.Sprintf("n%d", n+1), Cloud: cloud}, gpus: []string{fmt.Sprintf("GPU-%d-%d", i, n)},
				from: day("01T00:00"), to: day("03T12:00"), troubles: []trouble{{from: day("01T10:00"), to: day("01T11:00"), silent: true}}}
			for _, when := range []string{day("02T02:00"), day("02T05:00"), day("02T07:01")} {
				twin.events = append(twin.events, usage.Event{AtMs: at(when), Kind: usage.EventAgentStop},
					usage.Event{AtMs: at(when) + minute, Kind: usage.EventDropped, Value: 5})
			}
			mixed = append(mixed, twin.batches(t, 100+10*i+n)...)
		}
	}
	// What is not the contract's region is not in it.
	for i := range contracts[0].Tranches {
		contracts[0].Tranches[i].Scope.Regions = []string{"us-east"}
	}
	st, both := sorrowful(t, batches), sorrowful(t, mixed)
	ask := collector.ClaimAsk{Month: "2026-10"}
	want, err := collector.Claims(t.Context(), st, contracts, ask, asOf)
	if err != nil {
		t.Fatal(err)
	}
	got, err := collector.Claims(t.Context(), both, contracts, ask, asOf)
	if err != nil {
		t.Fatal(err)
	}
	// A node is named in full where another has its name.
	here := func(rule string) string { return strings.ReplaceAll(rule, "coreweave/us-east/", "") }
	for i := range got.Incidents {
		x := &got.Incidents[i]
		x.Rule = here(x.Rule)
		if x.Claim != nil {
			x.Claim.Subject = here(x.Claim.Subject)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("with others (-alone +with):\n%s", d)
	}
	for _, x := range want.Incidents {
		if x.Kind != contract.Unreachable && x.Kind != contract.FatalXid && x.Kind != contract.UnitDown {
			continue
		}
		var bundles [2]*claim.Bundle
		for i, st := range []store.Store{st, both} {
			if bundles[i], err = collector.ClaimBundle(t.Context(), st, contracts, ask, x.ID, true, asOf); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(bundles[0].Events, bundles[1].Events); d != "" {
			t.Errorf("%s %s of %s: events (-alone +with):\n%s", x.ID, x.Kind, x.Site.Node, d)
		}
		if len(bundles[0].Entries) != len(bundles[1].Entries) || len(bundles[0].Links) != len(bundles[1].Links) {
			t.Errorf("%s %s: %d records in %d batches, with others %d in %d", x.ID, x.Kind,
				len(bundles[0].Entries), len(bundles[0].Links), len(bundles[1].Entries), len(bundles[1].Links))
		}
	}
}
