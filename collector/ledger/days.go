package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// day is what the ledger reads of a document that lists a closed day.
type day struct {
	Edition int    `json:"edition"`
	Prev    string `json:"prev_sha256"`
	First   string `json:"first_sha256"`
}

// LastDay returns the SHA-256 of the first edition of the last closed day. It
// stands for all days before, whose hashes follow from one another; it is empty
// if there is none.
func LastDay(ctx context.Context, docs store.Documents) (string, error) {
	names, err := docs.DocumentNames(ctx, store.DayPrefix)
	if err != nil {
		return "", fmt.Errorf("read closed days: %w", err)
	}
	for i := len(names) - 1; i >= 0; i-- {
		if path.Base(names[i]) != "0" {
			continue
		}
		body, err := docs.Document(ctx, names[i])
		if err != nil {
			return "", fmt.Errorf("read closed days: %w", err)
		}
		return contract.Hash(body), nil
	}
	return "", nil
}

// day holds a closed day to the one before it. Days come in order, the editions
// of each one after the other.
func (v *verifier) day(name string, body []byte) {
	v.audit.Days++
	var d day
	hash := contract.Hash(body)
	switch err := json.Unmarshal(body, &d); {
	case err != nil:
		v.found(name, err.Error())
	case !strings.HasSuffix(name, fmt.Sprintf("/%d", d.Edition)):
		v.found(name, fmt.Sprintf("it has the edition %d", d.Edition))
	case d.Edition == 0 && d.Prev != v.lastDay:
		v.found(name, fmt.Sprintf("it follows a day with SHA-256 %q, the one before it has %q", d.Prev, v.lastDay))
	case d.Edition > 0 && d.First != v.lastDay:
		v.found(name, fmt.Sprintf("its first edition has SHA-256 %q, the one before it has %q", d.First, v.lastDay))
	}
	if d.Edition == 0 {
		v.lastDay = hash
		v.days[hash] = true
	}
}
