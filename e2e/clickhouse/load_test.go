//go:build e2e_clickhouse

package clickhouse_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// The load: every agent is a node that recorded so many minutes before it
// could reach a collector.
const (
	agents  = 24
	gpus    = 8
	minutes = 120
	perPost = 6
)

// start is when the load begins: a day of September 2026.
var start = time.Date(2026, 9, 14, 0, 0, 0, 0, time.UTC)

// history returns what one agent recorded, in order of seq.
func history(t *testing.T, agent int) []usage.Sealed {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(agent), 1))
	var out []usage.Sealed
	prev := ""
	for seq := uint64(1); seq <= minutes; seq++ {
		b := usage.Batch{
			Agent: fmt.Sprintf("%032x", agent+1), Epoch: fmt.Sprintf("%032x", 7), Seq: seq, Prev: prev,
			Evidence: usage.EvidenceAgent, IntervalMs: 1000,
			Node: usage.Node{Name: fmt.Sprintf("node-%d", agent), Cloud: usage.Cloud{Provider: "aws", Account: "a", Region: "r"}},
		}
		from := start.UnixMilli() + int64(seq-1)*60_000
		for g := range gpus {
			id := fmt.Sprintf("GPU-%d-%d", agent, g)
			b.GPUs = append(b.GPUs, usage.GPU{UUID: id, Model: "H100", Index: g})
			busy := r.Int64N(60_001)
			b.Records = append(b.Records, usage.Record{GPU: id, StartMs: from, EndMs: from + 60_000,
				Holder: usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: fmt.Sprintf("team-%d", g%3), Name: fmt.Sprint(r.IntN(50))},
				Sums:   usage.Sums{BusyMs: busy, IdleMs: r.Int64N(60_001 - busy), EnergyMJ: r.Int64N(40_000_000), EnergyKnownMs: 60_000}})
		}
		s, err := usage.Seal(b)
		if err == nil {
			err = s.Batch.Check()
		}
		if err != nil {
			t.Fatal(err)
		}
		prev = s.Hash.String()
		out = append(out, s)
	}
	return out
}

// load is agents that send what they have until all of it is acknowledged.
type load struct {
	url          string
	acknowledged atomic.Int64 // batches
	refused      atomic.Int64 // posts without an answer, or with another one than 200
	running      sync.WaitGroup
}

// send starts the agents.
func (l *load) send(histories [][]usage.Sealed) {
	for i, h := range histories {
		l.running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for len(h) > 0 {
				n := min(1+r.IntN(perPost), len(h))
				for !l.post(h[:n]) {
					l.refused.Add(1)
					time.Sleep(time.Duration(50+r.IntN(200)) * time.Millisecond)
				}
				if r.IntN(8) == 0 {
					l.post(h[:n]) // an agent that did not hear the answer
				}
				l.acknowledged.Add(int64(n))
				h = h[n:]
			}
		})
	}
}

// post sends batches and reports whether they are acknowledged.
func (l *load) post(batches []usage.Sealed) bool {
	var body []byte
	for _, s := range batches {
		body = usage.AppendLine(body, s.Body, s.Hash)
	}
	// A connection for each post: every one goes to the next collector.
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(l.url+"/v1/usage", "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

// balance listens on one address and hands each connection to the next of some
// others that answers.
func balance(t *testing.T, backends ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var turn atomic.Int64
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { forward(c, backends, int(turn.Add(1))) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return "http://" + l.Addr().String()
}

// forward copies both ways until one side ends.
func forward(c net.Conn, backends []string, turn int) {
	defer c.Close()
	for i := range backends {
		b, err := net.DialTimeout("tcp", backends[(turn+i)%len(backends)], time.Second)
		if err != nil {
			continue
		}
		var back sync.WaitGroup
		back.Go(func() {
			_, _ = io.Copy(c, b)
			c.Close()
		})
		_, _ = io.Copy(b, c)
		b.Close()
		back.Wait()
		return
	}
}
