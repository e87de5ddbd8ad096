package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/contract"
)

// Revisions of a closed month that an Ask can name, besides a number.
const (
	LatestRevision = "latest"
	ClosedRevision = "closed" // as it was closed: revision 0
)

// ErrNoRevision is wrapped by errors about a revision that is not in the
// ledger.
var ErrNoRevision = errors.New("no such revision")

// Report answers with what was closed where a whole month is asked for that is
// closed, the latest revision if none is named, and with Report otherwise: also
// for a breakdown, which is no part of what is closed; its Edition says that the
// month is closed, and names no revision. The contracts are those in force; what
// is closed keeps its own.
func (b *Books) Report(ctx context.Context, contracts []contract.Contract, ask Ask, now time.Time) (contract.Report, error) {
	if err := ask.Check(); err != nil {
		return contract.Report{}, err
	}
	if ask.Month == "" {
		return Report(ctx, b.store, contracts, ask, now)
	}
	entries, err := b.journal.Entries(ctx)
	if err != nil {
		return contract.Report{}, err
	}
	revisions := ledger.Revisions(entries, ask.Month)
	if ask.By != "" || len(revisions) == 0 && ask.Revision == "" {
		rep, err := Report(ctx, b.store, contracts, ask, now)
		if err == nil && len(revisions) > 0 {
			rep.Edition.State = contract.Closed
		}
		return rep, err
	}
	e, err := pick(revisions, ask)
	if err != nil {
		return contract.Report{}, err
	}
	rep, err := b.closedReport(ctx, e)
	if err == nil && ask.Contract != "" {
		err = b.only(ctx, e, &rep, ask.Contract)
	}
	return rep, err
}

// pick returns the revision that is asked for.
func pick(revisions []ledger.Sealed, ask Ask) (ledger.Sealed, error) {
	last := len(revisions) - 1
	if last < 0 {
		return ledger.Sealed{}, fmt.Errorf("%w of %s: the month is not closed", ErrNoRevision, ask.Month)
	}
	switch ask.Revision {
	case "", LatestRevision:
		return revisions[last], nil
	case ClosedRevision:
		return revisions[0], nil
	}
	n, err := strconv.Atoi(ask.Revision)
	if err != nil || n > last {
		return ledger.Sealed{}, fmt.Errorf("%w: %s has no revision %s, the latest is %d", ErrNoRevision, ask.Month, ask.Revision, last)
	}
	return revisions[n], nil
}

// closedReport reads the report of an entry, with the bytes that were stored.
func (b *Books) closedReport(ctx context.Context, e ledger.Sealed) (contract.Report, error) {
	body, err := b.journal.Part(ctx, e.Entry.Report)
	if err != nil {
		return contract.Report{}, fmt.Errorf("revision %d of %s: %w", e.Revision, e.Month, err)
	}
	var rep contract.Report
	if err := json.Unmarshal(body, &rep); err != nil {
		return contract.Report{}, fmt.Errorf("revision %d of %s: decode report: %w", e.Revision, e.Month, err)
	}
	rep.Stored = body
	if rep.Edition != nil {
		rep.Edition.Head = e.SHA256
	}
	return rep, nil
}

// only leaves one contract in the report of an entry, and counts its GPUs: it is
// no longer the bytes that were stored.
func (b *Books) only(ctx context.Context, e ledger.Sealed, rep *contract.Report, id string) error {
	i := slices.IndexFunc(rep.Contracts, func(s contract.Statement) bool { return s.Contract == id })
	if i < 0 {
		return fmt.Errorf("%w %q: it was not in force when %s was closed", ErrUnknownContract, id, rep.Period)
	}
	rep.Contracts, rep.Uncontracted, rep.Stored = rep.Contracts[i:i+1], []contract.Stray{}, nil
	rep.Remarks = slices.DeleteFunc(rep.Remarks, func(m contract.Remark) bool { return m.Contract != id })
	placed, _, err := b.placements(ctx, e)
	if err != nil {
		return err
	}
	s, gpus := &rep.Contracts[0], map[string]bool{}
	for _, p := range placed.List {
		// A report has the contracts of its terms, in their order.
		if p.Contract == i && p.FromMs < s.To.UnixMilli() && s.From.UnixMilli() < p.ToMs {
			gpus[p.GPU] = true
		}
	}
	rep.Quality.GPUs = len(gpus)
	return nil
}

// placements reads those of an entry, and returns their bytes as well.
func (b *Books) placements(ctx context.Context, e ledger.Sealed) (placed contract.Placements, body []byte, err error) {
	if body, err = b.journal.Part(ctx, e.Placements); err != nil {
		return placed, nil, err
	}
	if err := json.Unmarshal(body, &placed); err != nil {
		return placed, nil, fmt.Errorf("read placements of %s: %w", e.Month, err)
	}
	return placed, body, nil
}

// checkRevision says whether a revision can be meant by anything.
func checkRevision(s string) error {
	if s == "" || s == LatestRevision || s == ClosedRevision {
		return nil
	}
	if n, err := strconv.Atoi(s); err != nil || n < 0 || strconv.Itoa(n) != s {
		return badAsk("revision %q is neither a number from 0 nor %q nor %q", s, LatestRevision, ClosedRevision)
	}
	return nil
}

// liveEdition says how final the report of a month is that is not closed: it is
// provisional also while its closing is due.
func liveEdition(contracts []contract.Contract, month string, now time.Time) (*contract.Edition, error) {
	if month == "" {
		return nil, nil
	}
	m, err := contract.ParseMonth(month)
	if err != nil {
		return nil, err
	}
	terms, err := contract.Canonical(contracts)
	if err != nil {
		return nil, err
	}
	e := &contract.Edition{
		State: m.StateAt(contracts, now.UnixMilli()), Terms: contract.Hash(terms),
		ClosesAt: time.UnixMilli(m.ClosesMs(contracts)).UTC(),
	}
	if e.State == contract.Closed {
		e.State = contract.Provisional
	}
	return e, nil
}
