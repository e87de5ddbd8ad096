package contract

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// written is a Contract in its canonical form: with its zone by name.
type written struct {
	bare
	Zone string
}

// bare has the fields of a Contract and none of its methods.
type bare Contract

// Canonical writes contracts in the one form that means the same terms: JSON
// with sorted keys and without what is zero. Comments, layout and the place in
// a file do not matter, the order of contracts and tranches does. A program
// that knows more terms writes the same bytes for contracts that have none of
// them.
func Canonical(contracts []Contract) ([]byte, error) {
	all := make([]written, len(contracts))
	for i, c := range contracts {
		if c.Zone == nil {
			return nil, fmt.Errorf("write contract %q: it has no billing time zone", c.ID)
		}
		c.Source = ""
		c.Commitments = slices.Clone(c.Commitments)
		for j := range c.Commitments {
			c.Commitments[j].Source = ""
		}
		all[i] = written{bare(c), c.Zone.String()}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("write contracts: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("write contracts: %w", err)
	}
	return json.Marshal(prune(tree))
}

// prune takes members that are zero out of objects, at any depth.
func prune(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, member := range x {
			if x[k] = prune(member); isZero(x[k]) {
				delete(x, k)
			}
		}
	case []any:
		for i := range x {
			x[i] = prune(x[i])
		}
	}
	return v
}

func isZero(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case bool:
		return !x
	case string:
		return x == ""
	case json.Number:
		f, err := x.Float64()
		return err == nil && f == 0
	case map[string]any:
		return len(x) == 0
	case []any:
		return len(x) == 0
	}
	return false
}

// Hash is the SHA-256 of the canonical form, as hex digits.
func Hash(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// ReadCanonical reads what Canonical writes. A term that this program does not
// know is an error: what was closed under it must not be computed without it.
func ReadCanonical(text []byte) ([]Contract, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var all []written
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("read contracts: %w", err)
	}
	out := make([]Contract, len(all))
	for i, w := range all {
		zone, err := time.LoadLocation(w.Zone)
		if err != nil {
			return nil, fmt.Errorf("read contract %q: %w", w.ID, err)
		}
		out[i] = Contract(w.bare)
		out[i].Zone = zone
	}
	return out, nil
}
