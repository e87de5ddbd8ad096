package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// Environment of the process that is killed.
const (
	crashDir   = "STORETEST_CRASH_DIR"
	crashRound = "STORETEST_CRASH_ROUND"
	crashLimit = "STORETEST_CRASH_CALLS" // how many calls it makes
)

// Crash kills a process that appends to a store, with SIGKILL, and holds what is
// left against a Model: every batch that was acknowledged is there, once, and
// the same calls again complete the rest. The process is the test's own program,
// started again with the calling test as its only one. For stores that outlive
// the process.
type Crash struct {
	Open Open
	// Whole says that the call that did not return is there as a whole or not
	// at all; otherwise that is so for each of its batches.
	Whole bool
}

// AtRandom kills processes that append to one store at random moments, every
// other one while it closes the store.
func (c Crash) AtRandom(t *testing.T, rounds int) {
	if c.isProcess(t) {
		return
	}
	dir, model := t.TempDir(), NewModel()
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))) // moments differ anyway
	for round := range rounds {
		line, after := "appending", time.Duration(r.IntN(150))*time.Millisecond
		if round%2 == 1 {
			line, after = "closing", time.Duration(r.IntN(15_000))*time.Microsecond
		}
		var kill *time.Timer
		p := process(t.Context(), t, dir, round)
		acked, _ := follow(t, p, func(said string) {
			if kill == nil && said == line {
				kill = time.AfterFunc(after, func() { _ = p.Process.Kill() })
			}
		})
		if kill == nil {
			t.Fatalf("round %d: the process did not get to %q", round, line)
		}
		kill.Stop()
		c.check(t, dir, round, crashCalls(round), acked, model)
	}
}

// AtEachStep starts a process for each step of a few calls and two closings, on
// a store of its own that holds something. at sees to it that the process is
// killed at a step, the first of which is 1, by itself or by kill. AtEachStep
// ends with the first process that lives, and returns how many were killed.
func (c Crash) AtEachStep(t *testing.T, at func(p *exec.Cmd, kill func(), dir string, step int)) (steps int) {
	if c.isProcess(t) {
		return 0
	}
	const limit = 6
	before, calls := crashCalls(0)[:limit], crashCalls(1)[:limit]
	for ; ; steps++ {
		dir, model := t.TempDir(), NewModel()
		st := c.Open(t, dir)
		for _, call := range before {
			add(t, st, call)
			add(t, model, call)
		}
		closeStore(t, st)
		ctx, kill := context.WithCancel(t.Context())
		p := process(ctx, t, dir, 1)
		p.Env = append(p.Env, fmt.Sprintf("%s=%d", crashLimit, limit))
		at(p, kill, dir, steps+1)
		acked, killed := follow(t, p, func(string) {})
		kill()
		c.check(t, dir, steps+1, calls, acked, model)
		if !killed {
			return steps
		}
	}
}

// check opens what a killed process left.
func (c Crash) check(t *testing.T, dir string, round int, calls [][]usage.Sealed, acked int, model *Model) {
	t.Helper()
	st := c.Open(t, dir)
	for i, call := range calls[:min(acked+1, len(calls))] {
		got, err := st.Append(context.Background(), call)
		if err != nil {
			t.Fatalf("round %d: append after the kill: %v", round, err)
		}
		for _, s := range got {
			if i < acked && s != store.Duplicate {
				t.Errorf("round %d: a batch of call %d of %d was acknowledged, and is %s after the kill", round, i, acked, s)
			}
			if c.Whole && s != got[0] {
				t.Errorf("round %d: half of a call is there: %v", round, got)
			}
		}
		add(t, model, call)
	}
	compareStores(t, st, model, uint64(round))
	closeStore(t, st)
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

// process is one that appends what crashCalls of the round returns.
func process(ctx context.Context, t *testing.T, dir string, round int) *exec.Cmd {
	p := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	p.Env = append(os.Environ(), crashDir+"="+dir, crashRound+"="+strconv.Itoa(round))
	return p
}

// follow starts a process, lets heard hear each line that it prints, and returns
// how many calls it acknowledged, and whether it was killed. Anything else that
// ends it fails the test.
func follow(t *testing.T, p *exec.Cmd, heard func(line string)) (acked int, killed bool) {
	t.Helper()
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "acked %d", &n); err == nil {
			acked = n
		}
		heard(lines.Text())
	}
	_, _ = io.Copy(io.Discard, out)
	err = p.Wait()
	how, ok := p.ProcessState.Sys().(syscall.WaitStatus)
	killed = ok && how.Signaled() && how.Signal() == syscall.SIGKILL
	if !killed && !p.ProcessState.Success() {
		t.Fatalf("the process that was to be killed failed after %d calls: %v", acked, err)
	}
	return acked, killed
}

// InCrash reports whether this is a process that a Crash kills.
func InCrash() bool { return os.Getenv(crashDir) != "" }

// isProcess is true in the process that is killed, after all that it does: it
// says after every call that it returned, and closes and opens the store now
// and then, so that it can be killed while doing that.
func (c Crash) isProcess(t *testing.T) bool {
	if !InCrash() {
		return false
	}
	dir := os.Getenv(crashDir)
	round, err := strconv.Atoi(os.Getenv(crashRound))
	if err != nil {
		t.Fatal(err)
	}
	calls := crashCalls(round)
	if limit, err := strconv.Atoi(os.Getenv(crashLimit)); err == nil {
		calls = calls[:limit]
	}
	st := c.Open(t, dir)
	fmt.Println("\nappending")
	for i, call := range calls {
		add(t, st, call)
		fmt.Printf("acked %d\n", i+1)
		if i%4 == 3 {
			fmt.Println("closing")
			closeStore(t, st)
			st = c.Open(t, dir)
		}
	}
	closeStore(t, st)
	return true
}
