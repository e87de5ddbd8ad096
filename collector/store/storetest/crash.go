package storetest

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// Environment of the process that RunCrash kills.
const (
	crashDir   = "STORETEST_CRASH_DIR"
	crashRound = "STORETEST_CRASH_ROUND"
)

// RunCrash kills a process that appends to a store, again and again, at random
// moments and with SIGKILL, in every other round while it closes the store, and holds what is left against a Model: every call
// that returned is there, once; the call that did not is there as a whole or
// not at all. The process is the test's own program, started again with the
// calling test as its only one. For stores whose folder outlives the process.
func RunCrash(t *testing.T, open Open, rounds int) {
	if dir := os.Getenv(crashDir); dir != "" {
		appendUntilKilled(t, open, dir)
		return
	}
	dir, model := t.TempDir(), NewModel()
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))) // moments differ anyway
	for round := range rounds {
		calls := crashCalls(round)
		at := moment{"appending", time.Duration(r.IntN(150)) * time.Millisecond}
		if round%2 == 1 {
			at = moment{"closing", time.Duration(r.IntN(15_000)) * time.Microsecond}
		}
		acked := killWhileAppending(t, dir, round, at)
		st := open(t, dir)
		for i, call := range calls[:min(acked+1, len(calls))] {
			got := sameStatus(t, st, call)
			if i < acked && got != store.Duplicate {
				t.Errorf("round %d: call %d of %d was acknowledged, and is %s after the kill", round, i, acked, got)
			}
			add(t, model, call)
		}
		compareStores(t, st, model, uint64(round))
		closeStore(t, st)
	}
}

// sameStatus appends a call, of which all batches must have one status.
func sameStatus(t *testing.T, st store.Store, call []usage.Sealed) store.Status {
	t.Helper()
	got, err := st.Append(context.Background(), call)
	if err != nil {
		t.Fatalf("append after the kill: %v", err)
	}
	for _, s := range got {
		if s != got[0] {
			t.Errorf("half of a call is there: %v", got)
		}
	}
	return got[0]
}

// crashCalls returns what the process of one round appends.
func crashCalls(round int) [][]usage.Sealed {
	r := rand.New(rand.NewPCG(uint64(round), 4))
	var batches []usage.Sealed
	for _, s := range randomBatches(uint64(round)+8, 400) {
		s.Batch.Epoch = id(100*round + int(s.Batch.Epoch[31]-'0'))
		batches = append(batches, seal(s.Batch))
	}
	var calls [][]usage.Sealed
	for len(batches) > 0 {
		n := min(1+r.IntN(6), len(batches))
		calls = append(calls, batches[:n])
		batches = batches[n:]
	}
	return calls
}

// moment is some time after the process has printed a line.
type moment struct {
	line  string
	after time.Duration
}

// killWhileAppending returns how many calls the process acknowledged.
func killWhileAppending(t *testing.T, dir string, round int, at moment) (acked int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashRound+"="+strconv.Itoa(round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "acked %d", &n); err == nil {
			acked = n
		}
		if kill == nil && lines.Text() == at.line {
			kill = time.AfterFunc(at.after, func() { _ = cmd.Process.Kill() })
		}
	}
	if kill == nil {
		t.Fatalf("round %d: the process did not get to %q: %v", round, at.line, cmd.Wait())
	}
	kill.Stop()
	_ = cmd.Wait() // it was killed
	return acked
}

// appendUntilKilled says after every call that it returned. It closes and
// opens the store now and then, so that it can be killed while doing that.
func appendUntilKilled(t *testing.T, open Open, dir string) {
	round, err := strconv.Atoi(os.Getenv(crashRound))
	if err != nil {
		t.Fatal(err)
	}
	st := open(t, dir)
	fmt.Println("\nappending")
	for i, call := range crashCalls(round) {
		add(t, st, call)
		fmt.Printf("acked %d\n", i+1)
		if i%4 == 3 {
			fmt.Println("closing")
			closeStore(t, st)
			st = open(t, dir)
		}
	}
	closeStore(t, st)
}
