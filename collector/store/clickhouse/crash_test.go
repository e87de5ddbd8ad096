package clickhouse_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

var crash = storetest.Crash{Open: open}

func TestDBSurvivesKill(t *testing.T) {
	options(t, "") // skips without a server
	crash.AtRandom(t, 10)
}

// TestDBSurvivesKillAtEachStep kills a process each time that it has sent the
// server something: the server gets that and nothing more.
func TestDBSurvivesKillAtEachStep(t *testing.T) {
	if storetest.InCrash() {
		crash.AtEachStep(t, nil)
		return
	}
	a := options(t, "").Address
	if a.Cluster != "" {
		t.Skip("one node: a cluster's servers say themselves where they are, and are not reached through a relay")
	}
	steps := crash.AtEachStep(t, func(p *exec.Cmd, kill func(), _ string, step int) {
		address := strings.Replace(os.Getenv("GPUMETER_CLICKHOUSE"), a.Hosts[0], relay(t, a.Hosts[0], int64(step), kill), 1)
		p.Env = append(p.Env, "GPUMETER_CLICKHOUSE="+address)
	})
	t.Logf("killed at %d steps", steps)
	if steps < 20 {
		t.Errorf("killed at %d steps: the process takes more than that", steps)
	}
}

// relay listens for a server. It calls kill after it has passed on what clients
// sent in as many pieces, and passes on nothing more.
func relay(t *testing.T, server string, pieces int64, kill func()) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var passed atomic.Int64
	pass := func(client, to net.Conn) {
		defer to.Close()
		piece := make([]byte, 1<<20)
		for {
			n, err := client.Read(piece)
			if err != nil {
				return
			}
			turn := passed.Add(1)
			if turn > pieces {
				return
			}
			_, err = to.Write(piece[:n])
			if turn == pieces {
				kill()
			}
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			go pass(client, to)
			go func() {
				_, _ = io.Copy(client, to)
				client.Close()
			}()
		}
	}()
	return l.Addr().String()
}
