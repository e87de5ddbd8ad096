package spool_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/usage"
)

// killEnv names the spool that this binary, called by TestKill, appends to.
const killEnv = "GPUMETER_SPOOL_KILL"

func TestMain(m *testing.M) {
	if path := os.Getenv(killEnv); path != "" {
		fmt.Fprintln(os.Stderr, appendUntilKilled(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendUntilKilled prints the identity of each batch once it is durable, and
// acknowledges now and then, so that kills hit every kind of transaction.
func appendUntilKilled(path string) error {
	s, err := spool.Open(path, spool.Options{MachineID: "m", Keep: time.Millisecond})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		b, err := s.Append(batch(n), map[string][]byte{"meter": []byte(strconv.Itoa(n))})
		if err != nil || b.Batch.Seq == 0 {
			return errors.Join(err, errors.New("not durable"))
		}
		fmt.Printf("%s %s %d %s\n", b.Batch.Agent, b.Batch.Epoch, b.Batch.Seq, b.Hash)
		if n%7 == 0 && os.Getenv(killEnv+"_ACK") != "" {
			if err := s.Ack("a", map[string]usage.Ranges{b.Batch.Agent + "/" + b.Batch.Epoch: {{Lo: 1, Hi: b.Batch.Seq}}}, nil); err != nil {
				return err
			}
		}
	}
}

// killRound runs a child, kills it some time after it printed its first line,
// or if cold after its start, and returns what it printed.
func killRound(t *testing.T, path string, after time.Duration, cold, ack bool) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	if ack {
		cmd.Env = append(cmd.Env, killEnv+"_ACK=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { cmd.Process.Kill() }
	if cold {
		time.AfterFunc(after, kill)
	}
	var lines []string
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if lines = append(lines, sc.Text()); len(lines) == 1 && !cold {
			time.AfterFunc(after, kill)
		}
	}
	cmd.Wait()
	if cmd.ProcessState.Exited() {
		t.Fatal("the child ended by itself")
	}
	return lines
}

// TestKillLosesNothingDurable kills an appending process at random moments.
// Every number that it printed is there once, in one unbroken chain.
func TestKillLosesNothingDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var printed []string
	for round := range killRounds() {
		printed = append(printed, killRound(t, path, time.Duration(rng.IntN(100))*time.Millisecond, round%4 == 3, false)...)
	}
	if len(printed) < 20 {
		t.Fatalf("only %d batches in all rounds", len(printed))
	}
	s := mustOpen(t, path, spool.Options{MachineID: "m"})
	stored := map[string]bool{}
	prev := ""
	for i, b := range waiting(t, s) {
		stored[fmt.Sprintf("%s %s %d %s", b.Batch.Agent, b.Batch.Epoch, b.Batch.Seq, b.Hash)] = true
		if b.Batch.Seq != uint64(i+1) || b.Batch.Prev != prev {
			t.Fatalf("batch %d has seq %d after %.8s, want %d after %.8s", i, b.Batch.Seq, b.Batch.Prev, i+1, prev)
		}
		prev = b.Hash.String()
	}
	for _, line := range printed {
		if !stored[line] {
			t.Errorf("lost: %s", line)
		}
	}
	if n := s.Stats().Seq; n > uint64(len(printed)+killRounds()) {
		t.Errorf("%d batches stored of %d printed, want at most one more a round", n, len(printed))
	}
}

// TestKillUnderAcksNeverReusesANumber does the same to a process that also
// acknowledges and lets go.
func TestKillUnderAcksNeverReusesANumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool.db")
	rng := rand.New(rand.NewPCG(1, 0))
	seen := map[string]bool{}
	last := 0
	for round := range killRounds() / 2 {
		for _, line := range killRound(t, path, time.Duration(rng.IntN(100))*time.Millisecond, round%4 == 3, true) {
			f := strings.Fields(line)
			id := strings.Join(f[:3], " ")
			n, err := strconv.Atoi(f[2])
			if err != nil || seen[id] || n <= last {
				t.Fatalf("%s comes after seq %d", line, last)
			}
			seen[id], last = true, n
		}
	}
	if last < 20 {
		t.Fatalf("only %d batches in all rounds", last)
	}
}

func killRounds() int {
	if n, err := strconv.Atoi(os.Getenv("GPUMETER_KILL_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 20
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
