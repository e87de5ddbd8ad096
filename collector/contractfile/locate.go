package contractfile

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gpumeter/gpumeter/contract"
)

// locate gives an error of contract.ValidateAll the line of what it is about.
func (d decoder) locate(err error, root *yaml.Node) error {
	var f *contract.FieldError
	if !errors.As(err, &f) {
		return &Error{d.name, 1, err.Error()}
	}
	n := follow(root, "contracts", f.Contract)
	switch {
	case f.Tranche >= 0:
		n = follow(n, "tranches", f.Tranche)
	case f.Commitment > 0:
		n = follow(n, "commitments", f.Commitment-1)
	case f.SLA > 0:
		n = follow(n, "slas", f.SLA-1)
	case f.Notice > 0:
		n = follow(n, "notices", f.Notice-1)
	}
	return &Error{d.name, follow(n, steps(f, n)...).Line, inFileWords(f)}
}

// keys are the file's names of fields that are not called so there.
var keys = map[string]string{
	"zone": "billing_timezone", "pins": "pin", "target": "target_percent", "cap": "cap_percent",
	"inclusions": "Inclusions", "exclusions": "Exclusions",
}

func keyOf(field string) string {
	if key, ok := keys[field]; ok {
		return key
	}
	return strings.NewReplacer(" ", "_", "-", "_").Replace(field)
}

// steps leads from a tranche, commitment, SLA, notice or contract to its field.
func steps(f *contract.FieldError, n *yaml.Node) []any {
	key := keyOf(f.Field)
	switch f.Field {
	case "steps":
		key = either(n, "ramp", "gpus")
	case "rates":
		key = either(n, "rates", "per_gpu_hour")
	case "accounts", "regions", "reservations", "pins":
		return []any{"scope", key, f.Item}
	case "inclusions", "exclusions":
		return []any{"scope", "rules", key, f.Item}
	case "scope":
		if f.Tranche >= 0 {
			return []any{"scope", "rules"}
		}
	}
	return []any{key, f.Item}
}

func either(n *yaml.Node, first, second string) string {
	if follow(n, first) != n {
		return first
	}
	return second
}

// follow goes from a node along keys and indices, as far as there are any.
func follow(n *yaml.Node, path ...any) *yaml.Node {
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func child(n *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && 0 <= step && step < len(n.Content) {
			return n.Content[step]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// inFileWords says what is wrong with the key's name in the file where it
// differs from the vocabulary's.
func inFileWords(f *contract.FieldError) string {
	g := *f
	switch {
	case f.Item >= 0 && (f.Field == "steps" || f.Field == "rates"):
		g.Field = strings.TrimSuffix(f.Field, "s") // "step 2"
	case f.Field == "pins" && f.Item < 0, f.Field == "steps", f.Field == "rates": // "steps never have", "rates make"
	default:
		g.Field = keyOf(f.Field)
	}
	return strings.TrimSpace(g.Error())
}
