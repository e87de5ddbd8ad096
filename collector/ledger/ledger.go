// Package ledger is the journal of closed months: what was closed, with which
// placements and terms, of which batches, and every correction since.
//
// An entry is a small document under the next number of a series, so that of
// several collectors that close one month only one can. It names its parts by
// their SHA-256 and the entry before it by its own: whoever holds the hash of
// one entry can tell whether a byte of it, of what it names, or of any entry
// before it was changed.
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// Schema names the JSON form of an Entry. A field that changes meaning or goes
// away makes it v2; new fields do not.
const Schema = "gpumeter.ledger/v1"

// Kind says how a revision came about.
type Kind string

// A closing is a month's revision 0. A correction is the month computed again
// with the terms and placements of its closing and all records that are there
// by now. A restatement is made on request, under the terms of that day and
// with new placements.
const (
	Closing     Kind = "closing"
	Correction  Kind = "correction"
	Restatement Kind = "restatement"
)

// Entry is one revision of one month. Hashes are SHA-256, 64 hex digits.
type Entry struct {
	Schema   string    `json:"schema"`
	N        int       `json:"n"`                     // from 1
	Prev     string    `json:"prev_sha256,omitempty"` // of the entry N-1
	Store    string    `json:"store_id"`              // units in Placements are this store's
	Month    string    `json:"month"`
	Revision int       `json:"revision"` // from 0
	Kind     Kind      `json:"kind"`
	AsOf     time.Time `json:"as_of"` // nothing after this moment is in it
	// Terms, Placements and Report name the parts: the contracts in their
	// canonical form, contract.Placements as JSON, and the report.
	Terms      string `json:"contracts_sha256"`
	Placements string `json:"placements_sha256"`
	Report     string `json:"report_sha256"`
	// Batches names the part with what the store held of the month: see the type
	// Batches. It is empty where the store cannot say.
	Batches string `json:"batches_sha256,omitempty"`
	// Days is of the closed day that was the last one then, see LastDay; absent
	// if there was none.
	Days string `json:"days_sha256,omitempty"`
	// UnplacedMs is GPU time of the month that stood, as is known by now, and
	// is not in Placements: only a restatement can place it.
	UnplacedMs int64 `json:"unplaced_gpu_ms"`
	// Corrections are what the revision says otherwise than the one before.
	Corrections []contract.Correction `json:"corrections"`
}

// Sealed is an Entry that is in the journal, with the SHA-256 of its bytes.
type Sealed struct {
	Entry
	SHA256 string
}

// ErrBehind is wrapped by the error of an Append that came too late: the
// journal has entries that the caller did not know.
var ErrBehind = errors.New("the ledger has moved on")

// Journal reads and writes the entries in a store. It may be used
// concurrently, beside other Journals of the same store.
type Journal struct {
	docs store.Documents

	mu   sync.Mutex
	read []Sealed // what was read and checked: entries do not change
}

// New returns the journal in a store. It reads nothing yet.
func New(docs store.Documents) *Journal { return &Journal{docs: docs} }

// Names of documents.
const (
	prefix      = "ledger/"
	entryPrefix = prefix + "entry/"
	partPrefix  = prefix + "part/"
)

func entryName(n int) string { return fmt.Sprintf("%s%08d", entryPrefix, n) }

// Entries returns all entries, in order. An entry that does not follow the one
// before it is an error: a ledger that was changed is not to be believed. The
// caller must not change the slice.
func (j *Journal) Entries(ctx context.Context) ([]Sealed, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	names, err := j.docs.DocumentNames(ctx, entryPrefix)
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	if len(names) < len(j.read) {
		return nil, fmt.Errorf("read ledger: %d entries are left of %d", len(names), len(j.read))
	}
	for i := len(j.read); i < len(names); i++ {
		if names[i] != entryName(i+1) {
			return nil, fmt.Errorf("read ledger: entry %d is missing: found %s in its place", i+1, names[i])
		}
		body, err := j.docs.Document(ctx, names[i])
		if err != nil {
			return nil, fmt.Errorf("read ledger entry %d: %w", i+1, err)
		}
		s, err := open(body, j.read)
		if err != nil {
			return nil, fmt.Errorf("read ledger entry %d: %w", i+1, err)
		}
		j.read = append(j.read, s)
	}
	return j.read[:len(j.read):len(j.read)], nil
}

// open decodes the entry that follows those before it.
func open(body []byte, before []Sealed) (Sealed, error) {
	s := Sealed{SHA256: contract.Hash(body)}
	if err := json.Unmarshal(body, &s.Entry); err != nil {
		return s, err
	}
	return s, s.follows(before)
}

// follows says whether an entry can stand after those before it.
func (e *Entry) follows(before []Sealed) error {
	prev := ""
	if len(before) > 0 {
		prev = before[len(before)-1].SHA256
	}
	revision := len(Revisions(before, e.Month))
	switch {
	case e.Schema != Schema:
		return fmt.Errorf("its schema is %q, this program reads %q", e.Schema, Schema)
	case e.N != len(before)+1:
		return fmt.Errorf("it has the number %d", e.N)
	case e.Prev != prev:
		return fmt.Errorf("it was made after an entry with SHA-256 %s, the one before it has %s: one of them was changed", e.Prev, prev)
	case e.Revision != revision || (e.Kind == Closing) != (revision == 0):
		return fmt.Errorf("it is the %s with revision %d of %s, which has %d revisions before it", e.Kind, e.Revision, e.Month, revision)
	}
	return nil
}

// Revisions returns the entries of one month, in order: the index of each is
// its revision.
func Revisions(entries []Sealed, month string) []Sealed {
	var out []Sealed
	for _, e := range entries {
		if e.Month == month {
			out = append(out, e)
		}
	}
	return out
}

// Append makes an entry durable as the one that follows those in before, which
// Entries returned; it sets Schema, N and Prev. The error wraps ErrBehind if
// somebody else was faster: then nothing was written. Its parts are there
// already.
func (j *Journal) Append(ctx context.Context, before []Sealed, e Entry) (Sealed, error) {
	e.Schema, e.N, e.Prev = Schema, len(before)+1, ""
	if len(before) > 0 {
		e.Prev = before[len(before)-1].SHA256
	}
	if e.Corrections == nil {
		e.Corrections = []contract.Correction{}
	}
	if err := e.follows(before); err != nil {
		return Sealed{}, fmt.Errorf("append to ledger: %w", err)
	}
	body, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return Sealed{}, fmt.Errorf("append to ledger: %w", err)
	}
	err = j.docs.PutDocument(ctx, entryName(e.N), body)
	if errors.Is(err, store.ErrTaken) {
		err = fmt.Errorf("%w: %w", ErrBehind, err)
	}
	if err != nil {
		return Sealed{}, fmt.Errorf("append to ledger: %w", err)
	}
	return Sealed{e, contract.Hash(body)}, nil
}

// PutPart makes a part durable and returns its SHA-256. The same part again
// changes nothing; one that no entry names is harmless.
func (j *Journal) PutPart(ctx context.Context, body []byte) (string, error) {
	hash := contract.Hash(body)
	if err := j.docs.PutDocument(ctx, partPrefix+hash, body); err != nil {
		return "", fmt.Errorf("write part of ledger: %w", err)
	}
	return hash, nil
}

// Part returns a part, exactly as it was put, or an error.
func (j *Journal) Part(ctx context.Context, hash string) ([]byte, error) {
	body, err := j.docs.Document(ctx, partPrefix+hash)
	if err == nil && contract.Hash(body) != hash {
		err = fmt.Errorf("part %s of the ledger now has the SHA-256 %s: it was changed", hash, contract.Hash(body))
	}
	if err != nil {
		return nil, fmt.Errorf("read part of ledger: %w", err)
	}
	return body, nil
}
