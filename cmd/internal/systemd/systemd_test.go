package systemd

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// TestFindSendsDatagrams speaks to a socket as systemd has it.
func TestFindSendsDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	for _, name := range []string{path, "@gpumeter-test-" + strconv.Itoa(os.Getpid())} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		t.Setenv("NOTIFY_SOCKET", name)
		m, err := Find(quiet)
		if err != nil {
			t.Fatal(err)
		}
		m.tell("READY=1", "STATUS=x")
		if err := l.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		n, err := l.Read(buf)
		if got := string(buf[:n]); err != nil || got != "READY=1\nSTATUS=x" {
			t.Errorf("%s heard %q, %v", name, got, err)
		}
	}
}

// TestFindTakesTheVariablesAway holds that a child process is told nothing.
func TestFindTakesTheVariablesAway(t *testing.T) {
	f := func(usec, pid string, want time.Duration, problem string) {
		t.Helper()
		t.Setenv("NOTIFY_SOCKET", "/nowhere")
		t.Setenv("WATCHDOG_USEC", usec)
		t.Setenv("WATCHDOG_PID", pid)
		m, err := Find(quiet)
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("WATCHDOG_USEC=%s: %v, want %q", usec, err, problem)
		}
		if m.watchdog != want {
			t.Errorf("WATCHDOG_USEC=%s WATCHDOG_PID=%s: %s, want %s", usec, pid, m.watchdog, want)
		}
		for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
			if v, ok := os.LookupEnv(name); ok {
				t.Errorf("%s=%s is still there", name, v)
			}
		}
	}
	f("60000000", strconv.Itoa(os.Getpid()), time.Minute, "")
	f("60000000", "", time.Minute, "")
	f("60000000", "1", 0, "") // another process's
	f("", "", 0, "")
	f("soon", "", 0, `WATCHDOG_USEC "soon"`)
	f("-1", "", 0, `WATCHDOG_USEC "-1"`)
}

func TestNobodyIsToldWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m, err := Find(quiet)
	if err != nil {
		t.Fatal(err)
	}
	m.Follow(t.Context(), Service{Progress: func() uint64 { t.Error("was asked"); return 0 }})
}

func TestCredentialIsAFileWithAWordInIt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for name, text := range map[string]string{"token": "secret\n", "empty": "", "blank": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"token": filepath.Join(dir, "token"), "empty": "", "blank": "", "other": ""} {
		if got := Credential(name); got != want {
			t.Errorf("credential %s is %q, want %q", name, got, want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if got := Credential("token"); got != "" {
		t.Errorf("without credentials there is %q", got)
	}
}

// TestFollowSpeaksForAServiceThatMoves lets a service start after 3 s, work for
// 60 s and then stand still.
func TestFollowSpeaksForAServiceThatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var heard []string
		m := Manager{watchdog: 40 * time.Second, log: quiet, send: func(words string) error {
			heard = append(heard, time.Since(begin).Round(time.Second).String()+" "+words)
			return nil
		}}
		s := Service{
			Progress: func() uint64 {
				work := min(time.Since(begin), time.Minute) - 3*time.Second + time.Millisecond
				return uint64(max(0, work) / time.Millisecond)
			},
			Status: func() string { return "8 GPUs\nREADY=0" },
		}
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
		defer stop()
		m.Follow(ctx, s)
		status := "\nSTATUS=8 GPUs READY=0"
		want := []string{"3s READY=1" + status}
		for _, at := range []string{"13s", "23s", "33s", "43s", "53s", "1m3s"} {
			want = append(want, at+" WATCHDOG=1"+status)
		}
		want = append(want, "2m0s STOPPING=1")
		if !slices.Equal(heard, want) {
			t.Errorf("heard\n%q, want\n%q", heard, want)
		}
	})
}

// TestFollowGivesUpWithAServiceThatNeverStarts holds that such a one is never
// called ready.
func TestFollowGivesUpWithAServiceThatNeverStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := Manager{log: quiet, send: func(words string) error { t.Errorf("heard %q", words); return nil }}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		m.Follow(ctx, Service{Progress: func() uint64 { return 0 }})
	})
}
