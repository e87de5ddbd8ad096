package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/usage"
)

// simulatedPost is one request of a simulated agent. It is made once and sent
// as often as it takes, byte for byte the same.
type simulatedPost struct {
	stream string // AGENT/EPOCH
	seqs   usage.Ranges
	n      int    // batches
	body   []byte // packed
}

// packers are gzip writers, each of a megabyte.
var packers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // it fails only for a level that there is not
	return z
}}

// newPost makes a request of batches of one agent.
func newPost(batches []usage.Sealed) (p simulatedPost, err error) {
	p = simulatedPost{stream: batches[0].Batch.Agent + "/" + batches[0].Batch.Epoch, n: len(batches)}
	for i := range batches {
		p.seqs = p.seqs.Add(batches[i].Batch.Seq)
	}
	p.body, err = pack(batches)
	return p, err
}

func pack(batches []usage.Sealed) ([]byte, error) {
	var out bytes.Buffer
	z := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	z.Reset(&out)
	var line []byte
	for i := range batches {
		line = usage.AppendLine(line[:0], batches[i].Body, batches[i].Hash)
		if _, err := z.Write(line); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// whole is the body of a request that gets through.
func (p *simulatedPost) whole() io.Reader { return bytes.NewReader(p.body) }

// errCut is how a request ends that is cut off on the way.
var errCut = errors.New("cut off")

// cutOff is a body of which only the first half gets through.
func (p *simulatedPost) cutOff() io.Reader {
	return io.MultiReader(bytes.NewReader(p.body[:len(p.body)/2]), errReader{})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errCut }

// simulatedClient posts to a collector. It may be used concurrently.
type simulatedClient struct {
	url, authorization string
	client             *http.Client
}

// newSimulatedClient keeps so many connections.
func newSimulatedClient(s *source, connections int) (*simulatedClient, error) {
	req := &http.Request{Header: http.Header{}}
	client, err := s.client(req)
	if err != nil {
		return nil, err
	}
	if t, ok := client.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = connections
	}
	return &simulatedClient{s.URL, req.Header.Get("Authorization"), client}, nil
}

// greet fails where no collector answers.
func (c *simulatedClient) greet(ctx context.Context) error {
	body, err := pack(nil)
	if err != nil {
		return err
	}
	p := simulatedPost{body: body}
	_, err = c.try(ctx, &p, p.whole())
	return err
}

// try sends a post once. wait is how long the collector wants to be left alone
// before the next try; zero is success.
func (c *simulatedClient) try(ctx context.Context, p *simulatedPost, body io.Reader) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/usage", body)
	if err != nil {
		return 0, fmt.Errorf("post usage: %w", err)
	}
	req.ContentLength = int64(len(p.body))
	req.Header.Set("Content-Encoding", "gzip")
	if c.authorization != "" {
		req.Header.Set("Authorization", c.authorization)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("post usage: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("post usage: read answer: %w", err)
	}
	switch res.StatusCode {
	case http.StatusOK:
		var a collector.Answer
		if err := json.Unmarshal(text, &a); err != nil {
			return 0, fmt.Errorf("post usage: decode answer: %w", err)
		}
		return 0, p.check(&a)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return time.Duration(max(seconds, 1)) * time.Second, nil
	}
	return 0, fmt.Errorf("post usage: %s: %.300s", res.Status, bytes.TrimSpace(text))
}

// check wants all that was sent committed, and counted.
func (p *simulatedPost) check(a *collector.Answer) error {
	if len(a.Quarantined) > 0 || len(a.Conflicts) > 0 {
		return fmt.Errorf("post usage: of %s, %d batches are quarantined and %d in conflict (does the collector hold another simulation of the same seed?)",
			p.stream, len(a.Quarantined), len(a.Conflicts))
	}
	for _, r := range p.seqs {
		for seq := r.Lo; seq <= r.Hi; seq++ {
			if !a.Committed[p.stream].Has(seq) {
				return fmt.Errorf("post usage: the answer does not acknowledge batch %d of %s", seq, p.stream)
			}
		}
	}
	return nil
}
