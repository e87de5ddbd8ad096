// Package storetest is the suite that every store.Store passes, and Model, a
// store in memory that is slow and simple enough to be right.
package storetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// Open opens the store in a folder, and makes it if it is not there. It fails
// the test if it cannot.
type Open func(t *testing.T, dir string) store.Store

// Run holds a store to what store.Store promises. open is called again with
// the same folder after Close, and must find what was there.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		claim string
		run   func(*testing.T, Open)
	}{
		{"KeepsItsID", keepsItsID},
		{"StartsEmpty", startsEmpty},
		{"StoresABatchOnce", storesABatchOnce},
		{"KeepsTheFirstOfAConflict", keepsTheFirstOfAConflict},
		{"JudgesWithinOneCall", judgesWithinOneCall},
		{"TakesSeqsInAnyOrder", takesSeqsInAnyOrder},
		{"AppendsNothingWhenCancelled", appendsNothingWhenCancelled},
		{"AppendsABatchWithoutRecords", appendsABatchWithoutRecords},
		{"QuarantinesOnce", quarantinesOnce},
		{"ReturnsEventsByTime", returnsEventsByTime},
		{"KeepsEveryText", keepsEveryText},
		{"BridgesSilenceUpToDecommission", bridgesSilence},
		{"TellsUnitsApart", tellsUnitsApart},
		{"BelievesAGoodbyeAfterTheLastRecord", believesAGoodbye},
		{"BelievesAGoodbyeInBetween", believesAGoodbyeInBetween},
		{"AddsUpByKeyAndSlot", addsUpByKeyAndSlot},
		{"AddsUpByHolder", addsUpByHolder},
		{"ReturnsWhatStraddles", returnsWhatStraddles},
		{"LetsTheOwnerCount", letsTheOwnerCount},
		{"AddsUpNothingForOddQueries", addsUpNothing},
		{"AgreesWithModel", agreesWithModel},
		{"AgreesWithModelAfterReopening", agreesAfterReopening},
		{"ForgetsArrivalOrder", forgetsArrivalOrder},
		{"TellsWhatWasLost", tellsWhatWasLost},
		{"RemembersWhenItRan", remembersWhenItRan},
		{"KeepsADocumentForEver", keepsADocumentForEver},
		{"RefusesOddDocuments", refusesOddDocuments},
		{"GivesANameOnce", givesANameOnce},
		{"ServesReadersWhileItAppends", servesReadersWhileItAppends},
	} {
		t.Run(test.claim, func(t *testing.T) { test.run(t, open) })
	}
}

// fresh opens a new store that is closed with the test.
func fresh(t *testing.T, open Open) store.Store {
	t.Helper()
	st := open(t, t.TempDir())
	t.Cleanup(func() { closeStore(t, st) })
	return st
}

func closeStore(t *testing.T, st store.Store) {
	t.Helper()
	if err := st.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// add appends in one call and holds the statuses against want; without want,
// all must be committed.
func add(t *testing.T, st store.Store, batches []usage.Sealed, want ...store.Status) {
	t.Helper()
	for range batches {
		if len(want) == len(batches) {
			break
		}
		want = append(want, store.Committed)
	}
	got, err := st.Append(context.Background(), batches)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Fatalf("statuses (-got +want):\n%s", diff)
	}
}

func wantCounts(t *testing.T, st store.Store, want store.Counts) {
	t.Helper()
	got, err := st.Counts(context.Background())
	if err != nil {
		t.Fatalf("counts: %v", err)
	}
	if got != want {
		t.Errorf("counts = %+v, want %+v", got, want)
	}
}

func wantSeqs(t *testing.T, st store.Store, agent, epoch string, want usage.Ranges) {
	t.Helper()
	got, err := st.Seqs(context.Background(), agent, epoch)
	if err != nil {
		t.Fatalf("seqs: %v", err)
	}
	if diff := cmp.Diff([]usage.Range(got), []usage.Range(want)); diff != "" && len(got)+len(want) > 0 {
		t.Errorf("seqs of %.8s (-got +want):\n%s", agent, diff)
	}
}
