package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// The kill test runs an agent and a collector as processes of their own (this
// test binary, started again in a role) and kills them while they send.
const (
	roleEnv  = "GPUMETER_TEST_ROLE"
	roundEnv = "GPUMETER_KILL_ROUNDS"
	killGPUs = 4
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "collector":
		err = runCollector(context.Background(), collectorArgs{
			Data: os.Args[1], Address: collector.Address{Addr: os.Args[2]}, LogLevel: "error", MemoryMiB: 256,
		})
	case "command":
		main()
	case "agent":
		err = killedAgent(context.Background(), os.Args[1], os.Args[2], os.Args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killedAgent meters from a virtual second on, as fast as the disk takes it,
// and prints the second that each durable window reached. With the second
// "drain" it only sends what is left.
func killedAgent(ctx context.Context, dir, url, from string) error {
	l := &line{url: url}
	s, err := l.openStation(ctx, dir, usage.Node{Name: "n1", Cloud: usage.Cloud{Provider: "aws"}},
		meter.Config{Interval: 10 * time.Second, BootID: "b", Basis: usage.BasisProcess,
			Holders: func(metric.Look) ([]usage.Holder, bool) {
				return []usage.Holder{{Basis: usage.BasisProcess, Kind: "user", Name: "train"}}, true
			}})
	if err != nil {
		return err
	}
	if from == "drain" {
		for s.spool.Stats().PendingBatches > 0 {
			time.Sleep(5 * time.Millisecond)
		}
		return s.kill()
	}
	start, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	for sec := start; ; sec += 10 {
		closed := s.meter.Observe(killFrame(sec, sec == start))
		for _, c := range closed {
			if _, err := s.spool.Append(c.Batch(s.node, s.every), nil); err != nil {
				return err
			}
			fmt.Println(s.spool.Stats().Seq, sec)
			s.push.Wake()
		}
	}
}

func killFrame(sec int, first bool) metric.Frame {
	at := time.Duration(sec) * time.Second
	f := metric.Frame{Boot: at, Wall: workedHour.Add(at), Driver: metric.Driver{Up: true, Load: 1}}
	for g := range killGPUs {
		l := metric.Look{GPU: metric.GPU{UUID: fmt.Sprintf("GPU-%d", g), Index: g, Name: "NVIDIA H100 80GB HBM3"},
			Condition: metric.Good, Since: at - 10*time.Second, At: at, Util: metric.KnownShare(float64((sec/10+g)%7) / 7)}
		if first {
			l.Since = at
		}
		f.Looks = append(f.Looks, l)
	}
	return f
}

// victim is a process that is killed and started again.
type victim struct {
	t    *testing.T
	role string
	args func() []string
	cmd  *exec.Cmd
	done chan struct{}
	// seq and sec are what the agent printed last. Only read after kill.
	seq, sec int
}

func (v *victim) start() {
	v.t.Helper()
	v.cmd = exec.Command(os.Args[0], v.args()...)
	v.cmd.Env = append(os.Environ(), roleEnv+"="+v.role)
	v.cmd.Stderr = os.Stderr
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.done = make(chan struct{})
	go v.read(out)
}

func (v *victim) read(out io.Reader) {
	defer close(v.done)
	for sc := bufio.NewScanner(out); sc.Scan(); {
		var seq, sec int
		if _, err := fmt.Sscan(sc.Text(), &seq, &sec); err == nil {
			v.seq, v.sec = seq, sec
		}
	}
}

// kill ends the process without a warning.
func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	<-v.done
	_ = v.cmd.Wait()
}

func TestKilledAgentAndCollectorLoseNothingCommitted(t *testing.T) {
	rounds := 20
	if s := os.Getenv(roundEnv); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s: %v", roundEnv, err)
		}
		rounds = n
	}
	seed := rand.Uint64()
	t.Logf("seed %d, %d rounds", seed, rounds)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	addr := freeAddress(t)
	col := &victim{t: t, role: "collector", args: func() []string { return []string{filepath.Join(dir, "data"), addr} }}
	ag := &victim{t: t, role: "agent"}
	from := -120
	ag.args = func() []string {
		// At most one window is durable but not printed, and one is open: the
		// seconds of neither are metered again.
		from = max(from, ag.sec) + 120
		return []string{filepath.Join(dir, "agent"), "http://" + addr, strconv.Itoa(from)}
	}
	col.start()
	ag.start()
	for range rounds {
		time.Sleep(time.Duration(50+rnd.IntN(250)) * time.Millisecond)
		who := rnd.IntN(3)
		if who != 0 {
			col.kill()
		}
		if who != 1 {
			ag.kill()
			ag.start()
		}
		if who != 0 {
			col.start()
		}
	}
	time.Sleep(300 * time.Millisecond)
	ag.kill()
	drain := &victim{t: t, role: "agent", args: func() []string { return []string{filepath.Join(dir, "agent"), "http://" + addr, "drain"} }}
	waitFor(t, "http://"+addr+"/healthz")
	drain.start()
	<-drain.done
	if err := drain.cmd.Wait(); err != nil {
		t.Fatalf("drain: %v", err)
	}
	col.kill()
	checkKilled(t, dir, ag)
}

// checkKilled compares the store with what the agent's spool says was
// committed: every batch once, and no time from nowhere.
func checkKilled(t *testing.T, dir string, ag *victim) {
	t.Helper()
	truth := spooled(t, filepath.Join(dir, "agent", "spool.db"))
	if len(truth) < ag.seq || len(truth) == 0 {
		t.Fatalf("the spool holds %d batches, but batch %d was reported durable", len(truth), ag.seq)
	}
	ctx := t.Context()
	st, err := duckdb.Open(ctx, filepath.Join(dir, "data"), duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	counts, err := st.Counts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Batches != int64(len(truth)) || counts.Conflicts != 0 || counts.Quarantined != 0 {
		t.Errorf("store holds %d batches, %d conflicts, %d quarantined; the agent committed %d", counts.Batches, counts.Conflicts, counts.Quarantined, len(truth))
	}
	var want usage.Sums
	first, last := int64(1<<62), int64(0)
	for _, b := range truth {
		for _, r := range b.Records {
			want.Add(r.Sums)
			first, last = min(first, r.StartMs), max(last, r.EndMs)
		}
	}
	contracts := []contract.Contract{{
		ID: "c", Provider: "aws", Currency: "USD", Zone: time.UTC,
		Tranches: []contract.Tranche{{ID: "t", Model: "H100", Steps: []contract.Step{{FromMs: first - first%86_400_000, GPUs: killGPUs}}, EndMs: last + 30*86_400_000}},
	}}
	ask := collector.Ask{From: utcText(first), To: utcText(last)}
	rep, err := collector.Report(ctx, st, contracts, ask, time.UnixMilli(last).Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	got := rep.Contracts[0].Total.Buckets
	if got[contract.Busy] != want.BusyMs || got[contract.Idle] != want.IdleMs {
		t.Errorf("report has busy %d, idle %d ms; committed were %d and %d", got[contract.Busy], got[contract.Idle], want.BusyMs, want.IdleMs)
	}
	if hole := killGPUs*(last-first) - want.ObservedMs(); got[contract.Unobserved] != hole || hole == 0 {
		t.Errorf("report has %d ms unobserved, want the %d ms of the lost windows", got[contract.Unobserved], hole)
	}
	t.Logf("%d batches committed, none lost, none doubled; %d GPU-s of open windows are unobserved", len(truth), got[contract.Unobserved]/1000)
}

func utcText(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// spooled returns every batch that a spool keeps, acknowledged or not: to a
// collector with another store, all of them are still to be sent.
func spooled(t *testing.T, path string) []usage.Batch {
	t.Helper()
	sp, err := spool.Open(path, spool.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	if err := sp.Ack("another-store", nil, nil); err != nil {
		t.Fatal(err)
	}
	var out []usage.Batch
	err = sp.Unacked(1<<40, func(_ usage.ID, body []byte, _ usage.Hash) {
		s, err := usage.Open(body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s.Batch)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func waitFor(t *testing.T, url string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", url)
}
