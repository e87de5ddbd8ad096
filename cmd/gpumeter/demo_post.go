package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/usage"
)

// demoPoster sends batches to the collector the way that agents do. It may be
// used concurrently.
type demoPoster struct {
	url    string // of the collector
	client *http.Client
}

// post returns when the batches are durable. A collector that is busy is asked
// again until ctx ends.
func (p *demoPoster) post(ctx context.Context, batches []usage.Sealed) error {
	var body []byte
	for i := range batches {
		body = usage.AppendLine(body, batches[i].Body, batches[i].Hash)
	}
	for {
		wait, err := p.try(ctx, body)
		if err != nil || wait == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// try posts once. wait is how long the collector wants to be left alone before
// the next try; zero is success.
func (p *demoPoster) try(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/usage", bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("post usage: %w", err)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("post usage: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return 0, fmt.Errorf("post usage: read answer: %w", err)
	}
	switch res.StatusCode {
	case http.StatusOK:
		return 0, checkAnswer(text)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return time.Duration(max(seconds, 1)) * time.Second, nil
	}
	return 0, fmt.Errorf("post usage: %s: %.300s", res.Status, bytes.TrimSpace(text))
}

// checkAnswer wants everything committed and counted.
func checkAnswer(text []byte) error {
	var a collector.Answer
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("post usage: decode answer: %w", err)
	}
	switch {
	case len(a.Quarantined) > 0:
		return fmt.Errorf("post usage: batch %d of %d quarantined ones: %s", a.Quarantined[0].Seq, len(a.Quarantined), a.Quarantined[0].Reason)
	case len(a.Conflicts) > 0:
		return fmt.Errorf("post usage: %d batches differ from those that the store has under their names: the data folder is another version's (gpumeter demo --fresh starts anew)", len(a.Conflicts))
	}
	return nil
}
