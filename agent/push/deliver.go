package push

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/gpumeter/gpumeter/usage"
)

// maxAnswer bounds what is read of an answer. The largest honest ones list the
// holes of one stream's numbers.
const maxAnswer = 16 << 20

// minBytes is how far a request shrinks when the collector finds it too large.
const minBytes = 16 << 10

// item is one batch to send.
type item struct {
	id   usage.ID
	body []byte
	hash usage.Hash
}

// answer is what a collector says to a request that it took.
type answer struct {
	StoreID     string                  `json:"store_id"`
	Committed   map[string]usage.Ranges `json:"committed"`
	Conflicts   []uint64                `json:"conflicts"`
	Quarantined []struct {
		Seq    uint64 `json:"seq"`
		Reason string `json:"reason"`
	} `json:"quarantined"`
}

// deliver sends items and hands the answer to the source. What the collector
// finds too large or malformed is sent again by halves, until single batches
// show which one it is.
func (p *Pusher) deliver(ctx context.Context, src Source, items []item) error {
	a, err := p.post(ctx, items)
	if err == nil {
		return p.settle(src, items, a)
	}
	var f *Failure
	if !errors.As(err, &f) || !f.ofSize() {
		return err
	}
	if f.Reason == ReasonTooLarge {
		p.maxBytes = max(minBytes, min(p.maxBytes, rawSize(items))/2)
	}
	if len(items) == 1 {
		return p.setAside(src, items[0], f)
	}
	half := len(items) / 2
	first := p.deliver(ctx, src, items[:half])
	if first != nil && (!errors.As(first, &f) || !f.ofSize()) {
		return first
	}
	if err := p.deliver(ctx, src, items[half:]); err != nil {
		return err
	}
	return first
}

// setAside lets go of a batch that was refused alone. Whether it was is
// believed only of a collector: a proxy's word must not set data aside.
func (p *Pusher) setAside(src Source, it item, f *Failure) error {
	if !f.verdict {
		return f
	}
	if err := src.SetAside(it.id, f.Error()); err != nil {
		return &Failure{Reason: ReasonSource, Err: err}
	}
	p.stats.setAside()
	return nil
}

// settle acknowledges what the answer covers. An answer that covers nothing of
// what was sent is a failure: otherwise it would be sent again at once, for ever.
func (p *Pusher) settle(src Source, items []item, a answer) error {
	numbers := a.Committed[items[0].id.Agent+"/"+items[0].id.Epoch]
	var have int
	sent := usage.Ranges{}
	for _, it := range items {
		sent = sent.Add(it.id.Seq)
		if numbers.Has(it.id.Seq) {
			have++
		}
	}
	var conflicts []usage.ID
	for _, seq := range a.Conflicts {
		if sent.Has(seq) {
			id := items[0].id
			id.Seq = seq
			conflicts = append(conflicts, id)
		}
	}
	for _, q := range a.Quarantined {
		p.cfg.Log.Error("collector cannot count a batch; it keeps it apart", "seq", q.Seq, "reason", q.Reason)
	}
	if err := src.Ack(a.StoreID, a.Committed, conflicts); err != nil {
		return &Failure{Reason: ReasonSource, Err: err}
	}
	if have == 0 {
		return &Failure{Reason: ReasonAnswer, Err: fmt.Errorf("the answer acknowledges none of the %d batches sent", len(items))}
	}
	p.stats.took(p.cfg.Now(), have, len(a.Quarantined), len(conflicts))
	return nil
}

// post sends one request. All its items are of one agent and epoch, so that
// bare numbers in the answer say whose they are.
func (p *Pusher) post(ctx context.Context, items []item) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	body, err := pack(items)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	token, err := p.token()
	if err != nil {
		return answer{}, &Failure{Reason: ReasonToken, Err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("Content-Encoding", "gzip")
	res, err := p.client.Do(req)
	if err != nil {
		return answer{}, &Failure{Reason: ReasonNetwork, Err: err}
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, &Failure{Reason: ReasonNetwork, Err: fmt.Errorf("read answer: %w", err)}
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, refusal(res, got, p.cfg.Now())
	}
	var a answer
	if err := json.Unmarshal(got, &a); err != nil || a.StoreID == "" {
		return answer{}, &Failure{Reason: ReasonAnswer, Err: fmt.Errorf("status 200, but not a collector's answer (is %s its address?)", p.url)}
	}
	return a, nil
}

// pack makes the body of a request.
func pack(items []item) ([]byte, error) {
	var out bytes.Buffer
	zw, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	var line []byte
	for _, it := range items {
		line = usage.AppendLine(line[:0], it.body, it.hash)
		if _, err := zw.Write(line); err != nil {
			return nil, err
		}
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func rawSize(items []item) (n int) {
	for _, it := range items {
		n += len(it.body)
	}
	return n
}

// verdict returns the sentence with which a collector refuses a request; ok is
// false if the answer is not a collector's.
func verdict(h http.Header, body []byte) (sentence string, ok bool) {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || t != "application/json" {
		return "", false
	}
	var v struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return "", false
	}
	return v.Error, v.Error != ""
}
