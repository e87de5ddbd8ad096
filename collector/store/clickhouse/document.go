package clickhouse

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// storeName is the name under which the store's id is a document. No document
// of others can have it.
const storeName = "~store"

// mint returns a new store id.
func mint() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, says its documentation
	return hex.EncodeToString(id[:])
}

// PutDocument takes twice the store's grace, to be sure that nobody else was
// first: see store.Documents.
func (d *DB) PutDocument(ctx context.Context, name string, body []byte) error {
	if err := store.CheckDocument(name, body); err != nil {
		return fmt.Errorf("put document: %w", err)
	}
	err := ctx.Err()
	if err == nil {
		var kept []byte
		if kept, err = d.claim(ctx, name, body); err == nil && !bytes.Equal(kept, body) {
			err = store.ErrTaken
		}
	}
	if err != nil {
		return fmt.Errorf("put document %q: %w", name, err)
	}
	return nil
}

// claim keeps body under a name if it is free, and returns what is there.
//
// Nobody can write a row only if there is none. So a claim says when its name
// was found free and when it was written, by the server's clock; one that was
// on its way for longer than the grace counts for nothing. Whoever finds a
// claim writes none. Some time after the first claim, all that will ever count
// are there, and the one with the lowest hash has the name.
func (d *DB) claim(ctx context.Context, name string, body []byte) ([]byte, error) {
	d.naming.Lock()
	defer d.naming.Unlock()
	hash := usage.Hash(sha256.Sum256(body))
	for {
		c, err := d.claims(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(c.hashes) == 0 {
			err := d.shards[0].insert(ctx, rows{table: "claims", columns: "name, hash, asked_s, grace_s, body",
				list: [][]any{{name, hash[:], c.nowS, int64(d.options.Grace), string(body)}}})
			if err != nil {
				return nil, err
			}
			continue
		}
		if c.settled() {
			if c.hashes[0] == hash {
				return body, nil
			}
			return d.body(ctx, name, c.hashes[0])
		}
		if err := wait(ctx, settling); err != nil {
			return nil, err
		}
	}
}

// settling is how often the claims to a name are looked at until its grace is
// over; the servers' clocks are read in seconds.
const settling = 200 * time.Millisecond

func wait(ctx context.Context, t time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t):
		return nil
	}
}

// claims are those to one name that count so far.
type claims struct {
	nowS   int64        // the server's clock
	sinceS int64        // when the first was written
	graceS int64        // the longest of them
	hashes []usage.Hash // ascending
}

// settled reports whether no other claim will count: one grace for the way of a
// claim, another for the time until its row is seen and for clocks that differ.
func (c *claims) settled() bool { return c.nowS > c.sinceS+2*c.graceS }

func (d *DB) claims(ctx context.Context, name string) (c claims, err error) {
	asked, err := table("asked", []string{name}, func(s string) []any { return []any{s} }, ext.Column("name", "String"))
	if err != nil {
		return c, err
	}
	err = d.shards[0].each(ctx, ask(sqlClaims, nil, asked), func() { c = claims{} }, func(r driver.Rows) error {
		var hashes [][]byte
		if err := r.Scan(&c.nowS, &c.sinceS, &c.graceS, &hashes); err != nil {
			return err
		}
		for _, h := range hashes {
			c.hashes = append(c.hashes, usage.Hash(h))
		}
		return nil
	})
	return c, err
}

// body returns the body of a claim, and sees that it is what was put.
func (d *DB) body(ctx context.Context, name string, hash usage.Hash) ([]byte, error) {
	asked, err := table("asked", []string{name}, func(s string) []any { return []any{s, hash[:]} },
		ext.Column("name", "String"), ext.Column("hash", "FixedString(32)"))
	if err != nil {
		return nil, err
	}
	var body string
	found := false
	err = d.shards[0].each(ctx, ask(sqlBody, nil, asked), func() {}, func(r driver.Rows) error {
		found = true
		return r.Scan(&body)
	})
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256([]byte(body)); !found || sum != hash {
		return nil, fmt.Errorf("its SHA-256 is %x, and was %x when it was put: it was changed", sum, hash)
	}
	return []byte(body), nil
}

// Document waits until it is settled who has the name: see store.Documents.
func (d *DB) Document(ctx context.Context, name string) ([]byte, error) {
	for {
		c, err := d.claims(ctx, name)
		switch {
		case err != nil:
		case len(c.hashes) == 0:
			err = store.ErrNoDocument
		case !c.settled():
			if err = wait(ctx, settling); err == nil {
				continue
			}
		default:
			var body []byte
			if body, err = d.body(ctx, name, c.hashes[0]); err == nil {
				return body, nil
			}
		}
		return nil, fmt.Errorf("read document %q: %w", name, err)
	}
}

// DocumentNames reads no body: see store.Documents.
func (d *DB) DocumentNames(ctx context.Context, prefix string) ([]string, error) {
	var all []string
	err := d.shards[0].each(ctx, query{text: sqlNames}, func() { all = nil }, func(r driver.Rows) error {
		var name string
		err := r.Scan(&name)
		if strings.HasPrefix(name, prefix) && name != storeName {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	return all, nil
}
