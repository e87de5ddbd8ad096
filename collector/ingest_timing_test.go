package collector_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	simulated "github.com/gpumeter/gpumeter/sim/fleet"
	"github.com/gpumeter/gpumeter/usage"
)

// What BenchmarkPost sends: the minutes of a simulated fleet of 1,260 nodes in
// five clouds, packed as agents pack them before the clock runs.
const postGPUs = 8000

// BenchmarkPost sends posts to a collector on DuckDB over HTTP and waits until
// each is durable. In minute, a post is one minute of a node, as agents send
// when all is well, from 512 of them at a time; in backlog it is 250 minutes of
// one, as they send after an outage, from 64. The client is on the same cores.
// Bare puts the records of minute into a table of the same columns with
// nothing but DuckDB's appender, as many in a transaction as the collector
// takes at most.
func BenchmarkPost(b *testing.B) {
	b.Run("minute", func(b *testing.B) { benchmarkPost(b, 1, 512) })
	b.Run("backlog", func(b *testing.B) { benchmarkPost(b, 250, 64) })
	b.Run("bare", benchmarkBareInsert)
}

func benchmarkPost(b *testing.B, minutes, senders int) {
	st, err := duckdb.Open(b.Context(), b.TempDir(), duckdb.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	server := httptest.NewServer(start(b, collector.Config{Store: st, Now: time.Now}))
	b.Cleanup(server.Close)
	posts, records, size := fleetPosts(b, minutes)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	waits := make([]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range min(senders, b.N) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				begin := time.Now()
				if err := send(client, server.URL, posts[i]); err != nil {
					b.Error(err)
					return
				}
				waits[i] = time.Since(begin)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	b.ReportMetric(float64(size)/float64(records), "wire-B/record")
	b.ReportMetric(waits[(b.N-1)*99/100].Seconds()*1e3, "p99-ms")
}

// fleetPosts are b.N bodies of so many minutes of a node each, and how many
// records and bytes they are.
func fleetPosts(b *testing.B, minutes int) (posts [][]byte, records, size int) {
	agents := fleetAgents(b)
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		var line []byte
		var post bytes.Buffer
		z.Reset(&post)
		for range minutes {
			s := nextMinute(b, agents[i%len(agents)])
			records += len(s.Batch.Records)
			line = usage.AppendLine(line[:0], s.Body, s.Hash)
			if _, err := z.Write(line); err != nil {
				b.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			b.Fatal(err)
		}
		posts = append(posts, post.Bytes())
		size += post.Len()
	}
	return posts, records, size
}

// fleetAgents stand where no node comes any more.
func fleetAgents(b *testing.B) []*simulated.Agent {
	now := time.Now()
	f, err := simulated.New(simulated.Config{Seed: 1, GPUs: postGPUs, Start: now.Add(-21 * 24 * time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	return f.Agents(now.Add(-5 * time.Minute))
}

// nextMinute is the next minute of which a node says anything.
func nextMinute(b *testing.B, a *simulated.Agent) usage.Sealed {
	for {
		s, ok, err := a.Next()
		if err != nil {
			b.Fatal(err)
		}
		if ok {
			return s
		}
	}
}

func send(client *http.Client, url string, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, url+"/v1/usage", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // or the connection is not used again
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

// bareGroup is how many rows share a transaction.
const bareGroup = 32_768

func benchmarkBareInsert(b *testing.B) {
	var rows []usage.Record
	agents := fleetAgents(b)
	for i := range b.N {
		rows = append(rows, nextMinute(b, agents[i%len(agents)]).Batch.Records...)
	}
	connector, err := duck.NewConnector(filepath.Join(b.TempDir(), "bare.duckdb"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer connector.Close()
	conn, err := connector.Connect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	exec := func(text string) {
		if _, err := conn.(driver.ExecerContext).ExecContext(context.Background(), text, nil); err != nil {
			b.Fatal(err)
		}
	}
	exec(`CREATE TABLE records (unit INTEGER, stream INTEGER, seq UBIGINT, holder INTEGER, reason INTEGER, start_ms BIGINT, end_ms BIGINT,
		unhealthy_ms INTEGER, unallocated_ms INTEGER, idle_ms INTEGER, unmeasured_ms INTEGER, busy_ms INTEGER,
		sm_active_ms INTEGER, sm_known_ms INTEGER, energy_mj BIGINT, energy_known_ms INTEGER)`)
	b.ResetTimer()
	for at := 0; at < len(rows); at += bareGroup {
		exec("BEGIN")
		a, err := duck.NewAppenderFromConn(conn, "", "records")
		if err != nil {
			b.Fatal(err)
		}
		for i, r := range rows[at:min(at+bareGroup, len(rows))] {
			err := a.AppendRow(int32(i), int32(i/8), uint64(at), int32(i%100), int32(1), r.StartMs, r.EndMs,
				r.UnhealthyMs, r.UnallocatedMs, r.IdleMs, r.UnmeasuredMs, r.BusyMs, r.SMActiveMs, r.SMKnownMs, r.EnergyMJ, r.EnergyKnownMs)
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := a.Close(); err != nil {
			b.Fatal(err)
		}
		exec("COMMIT")
	}
	b.StopTimer()
	b.ReportMetric(float64(len(rows))/b.Elapsed().Seconds(), "records/s")
}
