package focus

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// applied is one element of ContractApplied that applies a cost. FOCUS 1.3 has
// the ids in its examples with ID, its rules and 1.4 have Id; an element that
// has both is refused.
type applied struct {
	commitment string
	own        bool
	cost       *decimal
}

// parseApplied reads a ContractApplied cell. Elements that apply a quantity
// and no cost are left out: a spend commitment is drawn by cost.
func parseApplied(s, resource string) ([]applied, error) {
	var object struct{ Elements []element }
	if err := json.Unmarshal([]byte(s), &object); err != nil {
		return nil, fmt.Errorf("is not a ContractApplied object: %w", err)
	}
	if len(object.Elements) == 0 {
		return nil, errors.New("is a ContractApplied object without Elements")
	}
	var out []applied
	for i, e := range object.Elements {
		a, err := parseElement(e, resource)
		if err != nil {
			return nil, fmt.Errorf("element %d %w", i+1, err)
		}
		if a != nil {
			out = append(out, *a)
		}
	}
	return out, nil
}

// element is one element of ContractApplied.
type element map[string]json.RawMessage

func parseElement(e element, resource string) (*applied, error) {
	id, err := e.commitment()
	if err != nil {
		return nil, err
	}
	cost, hasCost := number(e["ContractCommitmentAppliedCost"])
	_, hasQuantity := number(e["ContractCommitmentAppliedQuantity"])
	switch {
	case hasCost == hasQuantity:
		return nil, errors.New("applies not either a cost or a quantity")
	case hasQuantity:
		return nil, nil
	}
	d, err := parseDecimal(cost)
	if err != nil {
		return nil, fmt.Errorf("has a ContractCommitmentAppliedCost: %w", err)
	}
	return &applied{commitment: id, own: id == resource, cost: d}, nil
}

// commitment returns the id of the commitment that it applies to.
func (e element) commitment() (string, error) {
	has := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { _, ok := e[key]; return ok })
	}
	if has("ContractID", "ContractCommitmentID") && has("ContractId", "ContractCommitmentId") {
		return "", errors.New("mixes the spellings Id and ID")
	}
	if _, err := e.text("ContractId", "ContractID"); err != nil {
		return "", err
	}
	return e.text("ContractCommitmentId", "ContractCommitmentID")
}

// text returns the value under the first of the keys that is there.
func (e element) text(keys ...string) (string, error) {
	for _, key := range keys {
		if raw, ok := e[key]; ok {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil || s == "" || len(s) > maxCell {
				return "", fmt.Errorf("has a %s that is not a short text", key)
			}
			return s, nil
		}
	}
	return "", fmt.Errorf("has no %s", keys[0])
}

// number is the text of a JSON number, or of a number in quotes; false is null
// or absent.
func number(raw json.RawMessage) (string, bool) {
	var n *json.Number
	if len(raw) == 0 || json.Unmarshal(raw, &n) != nil || n == nil {
		var s string
		if len(raw) > 0 && json.Unmarshal(raw, &s) == nil && s != "" {
			return s, true
		}
		return "", false
	}
	return n.String(), true
}
