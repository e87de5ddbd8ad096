package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gpumeter/gpumeter/collector/store"
)

// BatchesSchema names the JSON form of Batches.
const BatchesSchema = "gpumeter.batches/v1"

// Batches are what a revision was computed from: every run of batches of the
// month that the store held then. They are a part of the ledger, so that the
// hash of an entry stands for each row behind it as well.
type Batches struct {
	Schema string      `json:"schema"`
	FromMs int64       `json:"from_ms"` // Unix
	ToMs   int64       `json:"to_ms"`   // exclusive
	Runs   []store.Run `json:"runs"`
}

// PutBatches makes the part of a span durable and returns its SHA-256; it is
// empty for a store that cannot say what it holds.
func (j *Journal) PutBatches(ctx context.Context, fromMs, toMs int64) (string, error) {
	st, ok := j.docs.(store.Anchors)
	if !ok {
		return "", nil
	}
	runs, err := st.Runs(ctx, fromMs, toMs)
	if err != nil {
		return "", err
	}
	if runs == nil {
		runs = []store.Run{}
	}
	body, err := json.Marshal(Batches{BatchesSchema, fromMs, toMs, runs})
	if err != nil {
		return "", fmt.Errorf("write part of ledger: %w", err)
	}
	return j.PutPart(ctx, body)
}

// runs holds the store to the batches that the entries were made of. Parts that
// were changed are found elsewhere.
func (v *verifier) runs(ctx context.Context) error {
	st, ok := v.docs.(store.Anchors)
	if !ok {
		return nil
	}
	seen := map[store.Run]bool{}
	for _, s := range v.chain {
		body, err := v.docs.Document(ctx, partPrefix+s.Batches)
		var b Batches
		if s.Batches == "" || err != nil || json.Unmarshal(body, &b) != nil {
			continue
		}
		var then []store.Run
		for _, r := range b.Runs {
			if !seen[r] {
				seen[r] = true
				then = append(then, r)
			}
		}
		now, err := st.Rerun(ctx, then)
		if err != nil {
			return fmt.Errorf("verify ledger: %w", err)
		}
		v.audit.Runs += len(then)
		for i, was := range then {
			if now[i].Pruned {
				v.audit.Pruned++
			} else if now[i] != was {
				v.found(entryName(s.N), fmt.Sprintf("revision %d of %s was made of the batches %d to %d of agent %s, epoch %s: what is kept of them is not what it was",
					s.Revision, s.Month, was.Lo, was.Hi, was.Agent, was.Epoch))
			}
		}
	}
	return nil
}
