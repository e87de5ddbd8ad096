package xid_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/xid"
	"github.com/gpumeter/gpumeter/metric"
)

var t0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// frame is a look at a node with two GPUs at a boot time.
func frame(at time.Duration, xids ...metric.Xid) *metric.Frame {
	return &metric.Frame{Boot: at, Wall: t0.Add(at), Xids: xids, Looks: []metric.Look{
		{GPU: metric.GPU{UUID: "GPU-a", PCI: "00000000:9B:00.0"}, Condition: metric.Good},
		{GPU: metric.GPU{UUID: "GPU-b", PCI: "00000008:01:00.0"}, Condition: metric.Good},
	}}
}

func driver(uuid string, code int, at time.Duration) metric.Xid {
	return metric.Xid{UUID: uuid, Code: code, At: at}
}

func kernel(pci string, code int, at time.Duration) metric.Xid {
	return metric.Xid{PCI: pci, Code: code, At: at, Origin: metric.FromKernel, Detail: "line"}
}

func from(xids ...metric.Xid) xid.Kernel { return xid.Kernel{Xids: xids, Up: true} }

// sum says what was counted and what was passed on: "GPU-a/13: 3".
func sum(counts []xid.Count) map[string]uint64 {
	out := map[string]uint64{}
	for _, c := range counts {
		out[fmt.Sprintf("%s/%d", c.UUID, c.Code)] += c.Count
	}
	return out
}

func passed(xids []metric.Xid) map[string]uint64 {
	out := map[string]uint64{}
	for _, x := range xids {
		out[fmt.Sprintf("%s/%d", x.UUID, x.Code)] += 1 + x.More
	}
	return out
}

func want(t *testing.T, m *xid.Merger, all []metric.Xid, want map[string]uint64) {
	t.Helper()
	if diff := cmp.Diff(want, sum(m.Counts())); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, passed(all)); diff != "" {
		t.Errorf("passed on (-want +got):\n%s", diff)
	}
}

func TestThreeXidsInOneMillisecondAreThree(t *testing.T) {
	at := 100 * time.Second
	m := xid.New("b", xid.State{})
	var all []metric.Xid
	k, d := kernel("0000:9b:00", 13, at), driver("GPU-a", 13, at+time.Millisecond)
	all = append(all, m.Merge(frame(at+time.Second, d, d), from(k, k, k))...)
	all = append(all, m.Merge(frame(at+2*time.Second, d), from())...)
	want(t, m, all, map[string]uint64{"GPU-a/13": 3})
}

func TestSameXidFromBothSourcesIsOne(t *testing.T) {
	f := func(name string, frames []*metric.Frame, lines [][]metric.Xid, origin metric.Origin) {
		t.Helper()
		m := xid.New("b", xid.State{})
		var all []metric.Xid
		for i := range frames {
			all = append(all, m.Merge(frames[i], xid.Kernel{Xids: lines[i], Up: true})...)
		}
		want(t, m, all, map[string]uint64{"GPU-a/79": 1})
		if all[0].Origin != origin || all[0].UUID != "GPU-a" {
			t.Errorf("%s: passed on %+v", name, all[0])
		}
	}
	at, s := 100*time.Second, time.Second
	k, d := kernel("0000:9b:00", 79, at), driver("GPU-a", 79, at+s)
	none := frame(at + 4*s)
	f("together", []*metric.Frame{frame(at+s, d)}, [][]metric.Xid{{k}}, metric.FromKernel)
	f("kernel first", []*metric.Frame{frame(at + s), frame(at+4*s, d)}, [][]metric.Xid{{k}, nil}, metric.FromKernel)
	f("library first", []*metric.Frame{frame(at+s, d), none}, [][]metric.Xid{nil, {k}}, metric.FromDriver)
	f("kernel long on its way", []*metric.Frame{frame(at+s, d), frame(at + 30*s)}, [][]metric.Xid{nil, {k}}, metric.FromDriver)
}

// TestReportThatWaitedInTheDriverIsTheSame has the library tell of an error long
// after the kernel did, as it does while waiting for events fails.
func TestReportThatWaitedInTheDriverIsTheSame(t *testing.T) {
	const s = time.Second
	f := func(what string, late time.Duration, libraryFirst bool, errors uint64) {
		t.Helper()
		at := 100 * s
		m := xid.New("b", xid.State{})
		event, line := driver("GPU-a", 13, at+62*s), kernel("0000:9b:00", 13, at)
		event.Late = late
		var all []metric.Xid
		if libraryFirst { // the kernel's line was longer on its way
			all = append(all, m.Merge(frame(at+63*s, event), from())...)
			m = restart(t, m, "b")
			all = append(all, m.Merge(frame(at+64*s), from(line))...)
		} else {
			all = append(all, m.Merge(frame(at+s), from(line))...)
			all = append(all, m.Merge(frame(at+63*s, event), from())...)
		}
		if got := sum(m.Counts())["GPU-a/13"]; got != errors {
			t.Errorf("%s, library first %v: %d errors, want %d", what, libraryFirst, got, errors)
		}
		want(t, m, all, map[string]uint64{"GPU-a/13": errors})
	}
	for _, libraryFirst := range []bool{false, true} {
		f("waited a minute", 61*s, libraryFirst, 1)
		f("did not wait long enough", 30*s, libraryFirst, 2)
		f("did not wait", 0, libraryFirst, 2)
	}
}

func TestReportsFarApartAreTwo(t *testing.T) {
	at := 100 * time.Second
	m := xid.New("b", xid.State{})
	all := m.Merge(frame(at), from(kernel("0000:9b:00", 13, at)))
	all = append(all, m.Merge(frame(at+7*time.Second, driver("GPU-a", 13, at+6*time.Second)), from())...)
	all = append(all, m.Merge(frame(at+8*time.Second, driver("GPU-b", 13, at), driver("GPU-a", 31, at)), from())...)
	want(t, m, all, map[string]uint64{"GPU-a/13": 2, "GPU-b/13": 1, "GPU-a/31": 1})
}

func TestFloodOf10000LinesIsCountedAndPassedOnInFew(t *testing.T) {
	for _, libraryFirst := range []bool{false, true} {
		at := 100 * time.Second
		m := xid.New("b", xid.State{})
		var lines, events []metric.Xid
		for i := range 1024 {
			lines = append(lines, kernel("0000:9b:00", 45, at+time.Duration(i)*time.Microsecond))
		}
		lines[1023].More = 10_000 - 1024
		for range 1000 { // all that the worker hands on
			events = append(events, driver("GPU-a", 45, at+100*time.Millisecond))
		}
		var all []metric.Xid
		if libraryFirst {
			all = append(all, m.Merge(frame(at+time.Second, events...), from())...)
			events = nil
		}
		all = append(all, m.Merge(frame(at+2*time.Second, events...), xid.Kernel{Xids: lines, Up: true})...)
		want(t, m, all, map[string]uint64{"GPU-a/45": 10_000})
		if len(all) > 20 {
			t.Errorf("library first %v: %d errors passed on one by one, want at most 10 for each Merge", libraryFirst, len(all))
		}
		if n := len(m.State().Open); n > 100 {
			t.Errorf("library first %v: %d entries wait for their counterparts", libraryFirst, n)
		}
	}
}

func TestUnknownGPUKeepsItsBusIDAndWaitsForTheList(t *testing.T) {
	at := 100 * time.Second
	m := xid.New("b", xid.State{})
	f := frame(at)
	f.Looks = nil
	if all := m.Merge(f, from(kernel("0000:9b:00", 79, at), kernel("0000:99:00", 79, at), kernel("", 137, at))); len(all) != 1 || all[0].Code != 137 {
		t.Fatalf("passed on %+v, want only the report without a bus id", all)
	}
	all := m.Merge(frame(at+time.Second, driver("GPU-a", 79, at)), from())
	if len(all) != 1 || all[0].UUID != "GPU-a" {
		t.Fatalf("passed on %+v, want the error of GPU-a once", all)
	}
	all = m.Merge(frame(at+5*time.Second), from())
	if len(all) != 1 || all[0].UUID != "" || all[0].PCI != "0000:99:00" || all[0].At != at {
		t.Fatalf("passed on %+v, want the error of an unknown GPU", all)
	}
	if diff := cmp.Diff(map[string]uint64{"GPU-a/79": 1, "/79": 1, "/137": 1}, sum(m.Counts())); diff != "" {
		t.Error(diff)
	}
}

func TestSwitchNeedsNoGPU(t *testing.T) {
	at := 100 * time.Second
	m := xid.New("b", xid.State{})
	x := kernel("0000:05:00", 20034, at)
	x.Severity = metric.Reset
	all := m.Merge(frame(at), from(x, x))
	want(t, m, all, map[string]uint64{"/20034": 2})
	if c := m.Counts()[0]; c.Severity != metric.Reset || !c.Last.Equal(t0.Add(at)) {
		t.Errorf("count %+v", c)
	}
}

func TestLineDecidesSeverityWhicheverComesFirst(t *testing.T) {
	at := 100 * time.Second
	k := kernel("0000:9b:00", 149, at)
	k.Severity = metric.Reset
	d := driver("GPU-a", 149, at)

	m := xid.New("b", xid.State{})
	if all := m.Merge(frame(at, d), from()); len(all) != 0 {
		t.Errorf("passed on %+v before the line was read", all)
	}
	all := m.Merge(frame(at+time.Second), from(k))
	want(t, m, all, map[string]uint64{"GPU-a/149": 1})
	if !all[0].Fatal() {
		t.Errorf("%+v is not fatal", all[0])
	}

	m = xid.New("b", xid.State{}) // the line does not come
	all = m.Merge(frame(at, d), from())
	all = append(all, m.Merge(frame(at+5*time.Second), from())...)
	want(t, m, all, map[string]uint64{"GPU-a/149": 1})

	m = xid.New("b", xid.State{}) // nobody reads the log
	want(t, m, m.Merge(frame(at, d), xid.Kernel{}), map[string]uint64{"GPU-a/149": 1})

	m = xid.New("b", xid.State{}) // two severities are two counters
	k2 := k
	k2.Severity = metric.Record
	m.Merge(frame(at), from(k, k2, k2))
	if c := m.Counts(); len(c) != 2 || c[0].Severity != metric.Record || c[0].Count != 2 || c[1].Count != 1 {
		t.Errorf("counts %+v", c)
	}
}

// restart returns a merger that goes on from what another would store.
func restart(t *testing.T, m *xid.Merger, boot string) *xid.Merger {
	t.Helper()
	b, err := json.Marshal(m.State())
	if err != nil {
		t.Fatal(err)
	}
	var s xid.State
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return xid.New(boot, s)
}

func TestRestartNeitherForgetsNorDoubles(t *testing.T) {
	at := 100 * time.Second
	m := xid.New("b", xid.State{})
	m.Merge(frame(at, driver("GPU-a", 13, at), driver("GPU-a", 149, at)), from(kernel("0000:99:00", 31, at)))
	before := m.Counts()
	m = restart(t, m, "b")
	if diff := cmp.Diff(before, m.Counts()); diff != "" {
		t.Errorf("counts after a restart (-before +after):\n%s", diff)
	}
	m.Merge(frame(at+time.Second), from(kernel("0000:9b:00", 13, at), kernel("0000:9b:00", 149, at)))
	m.Merge(frame(at+10*time.Second), from())
	if diff := cmp.Diff(map[string]uint64{"GPU-a/13": 1, "GPU-a/149": 1, "/31": 1}, sum(m.Counts())); diff != "" {
		t.Error(diff)
	}
	m = restart(t, m, "another boot")
	m.Merge(frame(2*time.Second), from(kernel("0000:9b:00", 13, time.Second)))
	if got := sum(m.Counts())["GPU-a/13"]; got != 2 {
		t.Errorf("%d after a reboot, want 2: the counterparts of another boot are none", got)
	}
}

// truth is one run: what happened, and when each door tells of it.
type truth struct {
	counts map[string]uint64
	kernel []arrival
	driver []arrival
}

type arrival struct {
	metric.Xid
	at time.Duration // when it is handed to the merger
}

var (
	pcis  = []string{"0000:9b:00", "0008:01:00"}
	uuids = []string{"GPU-a", "GPU-b"}
)

// invent makes a truth of bursts that are far enough apart not to be taken for
// each other. Of each burst one door tells all, the other all, a part or
// nothing.
func invent(r *rand.Rand) truth {
	out := truth{counts: map[string]uint64{}}
	for g := range uuids {
		for _, code := range []int{13, 79, 145} {
			at := 100 * time.Second
			for range r.IntN(6) {
				at += xid.Within*2 + time.Duration(r.Int64N(int64(20*time.Second)))
				whole := r.IntN(2) == 0
				other := r.IntN(3)
				for range 1 + r.IntN(12) {
					at += time.Duration(r.Int64N(int64(time.Second)))
					if r.IntN(3) == 0 {
						at = at.Truncate(time.Millisecond)
					}
					out.counts[fmt.Sprintf("%s/%d", uuids[g], code)]++
					too := other == 0 || other == 1 && r.IntN(2) == 0
					if whole || too {
						out.kernel = append(out.kernel, arrival{kernel(pcis[g], code, at-time.Duration(r.Int64N(1e9))), at})
					}
					if !whole || too {
						late := at + time.Duration(r.Int64N(3e9))
						out.driver = append(out.driver, arrival{driver(uuids[g], code, late), late})
					}
				}
			}
		}
	}
	out.kernel = inOrder(r, out.kernel)
	out.driver = inOrder(r, out.driver)
	return out
}

// inOrder delivers reports in the order of their times, with delays.
func inOrder(r *rand.Rand, as []arrival) []arrival {
	slices.SortStableFunc(as, func(a, b arrival) int { return int(a.At - b.At) })
	var last time.Duration
	for i := range as {
		last = max(last, as[i].at+time.Duration(r.Int64N(int64(4*time.Second))))
		as[i].at = last
	}
	return as
}

func due(as *[]arrival, now time.Duration) (out []metric.Xid) {
	for len(*as) > 0 && (*as)[0].at <= now {
		out = append(out, (*as)[0].Xid)
		*as = (*as)[1:]
	}
	return out
}

func TestAnyInterleavingGivesTheTruth(t *testing.T) {
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 7))
		tr := invent(r)
		m := xid.New("b", xid.State{})
		var all []metric.Xid
		rest := 2 * xid.Within // what waits at the end is still to be passed on
		for now := 90 * time.Second; rest > 0; now += time.Second {
			if len(tr.kernel)+len(tr.driver) == 0 {
				rest -= time.Second
			}
			f := frame(now, due(&tr.driver, now)...)
			all = append(all, m.Merge(f, from(due(&tr.kernel, now)...))...)
			if r.IntN(20) == 0 {
				m = restart(t, m, "b")
			}
		}
		got, passedOn := sum(m.Counts()), passed(all)
		if diff := cmp.Diff(tr.counts, got); diff != "" {
			t.Fatalf("seed %d: counts (-truth +got):\n%s", seed, diff)
		}
		if diff := cmp.Diff(got, passedOn); diff != "" {
			t.Fatalf("seed %d: passed on what was not counted (-counted +passed):\n%s", seed, diff)
		}
	}
}

func TestCountersAreBounded(t *testing.T) {
	m := xid.New("b", xid.State{})
	at := 100 * time.Second
	for code := 1; code <= 5000; code++ {
		if all := m.Merge(frame(at, driver("GPU-a", code, at)), xid.Kernel{}); len(all) != 1 {
			t.Fatalf("code %d: passed on %v", code, all)
		}
	}
	if n := uint64(len(m.Counts())); n != 4096 || m.Dropped() != 5000-n {
		t.Errorf("%d counters, %d dropped of 5000", n, m.Dropped())
	}
}
