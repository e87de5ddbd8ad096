package ledger

import (
	"context"
	"fmt"
	"strings"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// Audit is what Verify looked at.
type Audit struct {
	Entries int `json:"entries"`
	Parts   int `json:"parts"`
	// Runs are the rows of batches that revisions were made of, and that the
	// store was held to.
	Runs int `json:"runs"`
	// Pruned are those of the runs that the store lacks batches of because it
	// pruned them: what is left of these is held elsewhere.
	Pruned int `json:"pruned_runs"`
	// Days are the closed days that the ledger lists, with each edition.
	Days int `json:"days"`
	// Head is the SHA-256 of the last entry that follows all before it. It
	// stands for the whole ledger: kept elsewhere, it shows later whether the
	// ledger was made anew.
	Head string `json:"head"`
}

// Verify reads every byte of the ledger and calls found, with the document and
// what is wrong, for each that is not what it was, and for each run of batches
// that is not what a revision was made of. head, unless empty, is the
// SHA-256 of an entry as it was known before: the ledger must have it.
func Verify(ctx context.Context, docs store.Documents, head string, found func(document, problem string)) (Audit, error) {
	names, err := docs.DocumentNames(ctx, prefix)
	if err != nil {
		return Audit{}, fmt.Errorf("verify ledger: %w", err)
	}
	v := verifier{docs: docs, found: found, head: head, there: map[string]bool{}, days: map[string]bool{}}
	for _, name := range names {
		v.there[name] = true
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return Audit{}, fmt.Errorf("verify ledger: %w", err)
		}
		v.look(ctx, name)
	}
	if err := v.runs(ctx); err != nil {
		return Audit{}, err
	}
	if head != "" && !v.headSeen {
		found(entryPrefix, withoutHead(head))
	}
	return v.audit, nil
}

// NoHead is the finding that the ledger has no entry with a hash.
func NoHead(head string) store.Finding {
	return store.Finding{Where: "document " + entryPrefix, Problem: withoutHead(head)}
}

func withoutHead(head string) string {
	return fmt.Sprintf("no entry has the SHA-256 %s: the ledger was made anew, or cut off before it", head)
}

type verifier struct {
	docs     store.Documents
	found    func(document, problem string)
	head     string
	headSeen bool
	there    map[string]bool
	days     map[string]bool // SHA-256 of first editions
	lastDay  string          // the latest of them
	chain    []Sealed
	broken   bool // an entry does not follow: those after it are not compared
	audit    Audit
}

func (v *verifier) look(ctx context.Context, name string) {
	body, err := v.docs.Document(ctx, name)
	if err != nil {
		v.found(name, err.Error())
		v.broken = v.broken || strings.HasPrefix(name, entryPrefix)
		return
	}
	switch {
	case strings.HasPrefix(name, entryPrefix):
		v.audit.Entries++
		v.entry(name, body)
	case strings.HasPrefix(name, partPrefix):
		v.audit.Parts++
		if hash := contract.Hash(body); name != partPrefix+hash {
			v.found(name, "its SHA-256 is "+hash+": it was changed")
		}
	case strings.HasPrefix(name, store.DayPrefix):
		v.day(name, body)
	default:
		v.found(name, "it is neither an entry nor a part of the ledger, nor a day")
	}
}

func (v *verifier) entry(name string, body []byte) {
	if v.broken {
		return
	}
	s, err := open(body, v.chain)
	if err == nil && name != entryName(s.N) {
		err = fmt.Errorf("it has the number %d", s.N)
	}
	if err != nil {
		v.broken = true
		v.found(name, err.Error())
		return
	}
	v.chain = append(v.chain, s)
	v.audit.Head = s.SHA256
	v.headSeen = v.headSeen || s.SHA256 == v.head
	if s.Days != "" && !v.days[s.Days] {
		v.found(name, fmt.Sprintf("the day %s that was closed last is missing", s.Days))
	}
	for _, part := range []string{s.Terms, s.Placements, s.Report, s.Batches} {
		if part != "" && !v.there[partPrefix+part] {
			v.found(name, fmt.Sprintf("its part %s is missing", part))
		}
	}
}
