package contractfile

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gpumeter/gpumeter/contract"
)

// decoder fills the structs of document.go from YAML nodes and remembers the
// lines. The YAML library's own decoder says neither the line of a good value
// nor, in a sentence for people, what an unknown key should have been.
type decoder struct{ name string }

// place is where in the file a value stands, for people.
type place struct {
	key  string // "rates"; empty for the whole file and for items of lists
	what string // "a rate"
}

func (p place) String() string {
	if p.key != "" {
		return p.key
	}
	return p.what
}

func (d decoder) wrong(line int, problem string, args ...any) *Error {
	return &Error{d.name, line, fmt.Sprintf(problem, args...)}
}

var scalarType = reflect.TypeFor[scalar]()

// fill puts a node into a scalar, a struct or a list of either.
func (d decoder) fill(n *yaml.Node, v reflect.Value, p place) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return d.wrong(n.Line, "%s is the alias *%s: aliases are not read, write the value out", p, n.Value)
	case v.Type() == scalarType:
		return d.fillScalar(n, v, p)
	case v.Kind() == reflect.Slice:
		return d.fillList(n, v, p)
	}
	return d.fillStruct(n, v, p)
}

func (d decoder) fillScalar(n *yaml.Node, v reflect.Value, p place) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return d.wrong(n.Line, "%s is %s, not a single value", p, form(n))
	}
	v.Set(reflect.ValueOf(scalar{n}))
	return nil
}

func (d decoder) fillList(n *yaml.Node, v reflect.Value, p place) error {
	if n.Kind != yaml.SequenceNode {
		return d.wrong(n.Line, "%s is %s, not a list", p, form(n))
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	item := place{what: p.what}
	if item.what == "" {
		item.what = "an entry of " + p.key
	}
	for i, c := range n.Content {
		if err := d.fill(c, v.Index(i), item); err != nil {
			return err
		}
	}
	return nil
}

func (d decoder) fillStruct(n *yaml.Node, v reflect.Value, p place) error {
	if n.Kind != yaml.MappingNode {
		return d.wrong(n.Line, "%s is %s, not a mapping of keys to values", p, form(n))
	}
	v.FieldByName("Line").SetInt(int64(n.Line))
	fields := fieldsOf(v.Type())
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		f, ok := find(fields, key)
		if !ok {
			return d.wrong(key.Line, "unknown key %q in %s, which knows %s%s", clip(key.Value), p.what, strings.Join(names(fields), ", "), orNearest(key.Value, fields))
		}
		if seen[f.key] {
			return d.wrong(key.Line, "key %q stands twice in %s", f.key, p.what)
		}
		seen[f.key] = true
		value := n.Content[i+1]
		if f.filled && value.Kind == yaml.SequenceNode && len(value.Content) == 0 {
			return d.wrong(value.Line, "%s is an empty list: leave the key out, or fill it", f.key)
		}
		if err := d.fill(value, v.Field(f.index), place{f.key, f.item}); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if f.need && !seen[f.key] {
			return d.wrong(n.Line, "%s lacks the key %q", p.what, f.key)
		}
	}
	return nil
}

// field is one key of a mapping.
type field struct {
	key, item    string
	need, filled bool
	index        int
}

func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		if key := f.Tag.Get("yaml"); key != "" {
			out = append(out, field{key, f.Tag.Get("item"), f.Tag.Get("need") != "", f.Tag.Get("filled") != "", i})
		}
	}
	return out
}

func find(fields []field, key *yaml.Node) (field, bool) {
	for _, f := range fields {
		if key.Kind == yaml.ScalarNode && key.Value == f.key {
			return f, true
		}
	}
	return field{}, false
}

func names(fields []field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.key)
	}
	return out
}

func orNearest(key string, fields []field) string {
	if near, ok := contract.Nearest(key, names(fields)); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// form says what a node is.
func form(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Tag == "!!null":
		return "empty"
	}
	return fmt.Sprintf("%q", clip(n.Value))
}

// clip keeps a long value from filling the screen.
func clip(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
