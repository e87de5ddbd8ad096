package collector_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

// BenchmarkPost sends posts of 20 batches of 8 records each over HTTP to a
// collector on DuckDB, as many at a time as there are agents, and reports how
// many records a second are durable.
func BenchmarkPost(b *testing.B) {
	const agents, batches, gpus = 64, 20, 8
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
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: agents}}
	var agent, sent atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(agents)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		id := fmt.Sprintf("%032x", agent.Add(1))
		seq := uint64(1)
		for pb.Next() {
			body := packed(b, manyLines(b, id, &seq, batches, gpus))
			sent.Add(int64(len(body)))
			if err := send(client, server.URL, body); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N*batches*gpus)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(sent.Load())/float64(b.N*batches*gpus), "wire-B/record")
}

// manyLines is the body of a post of n batches that follow seq.
func manyLines(b *testing.B, agent string, seq *uint64, n, gpus int) []byte {
	var out []byte
	for range n {
		x := batch(agent, *seq)
		*seq++
		r := x.Records[0]
		x.GPUs, x.Records = nil, nil
		for i := range gpus {
			r.GPU = fmt.Sprintf("GPU-%s-%d", agent[24:], i)
			x.GPUs = append(x.GPUs, usage.GPU{UUID: r.GPU, Model: "H100", Index: i})
			x.Records = append(x.Records, r)
		}
		s := seal(b, x)
		out = usage.AppendLine(out, s.Body, s.Hash)
	}
	return out
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
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
