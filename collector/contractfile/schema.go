package contractfile

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema of the contract file, for editors. Parse
// knows more: which dates overlap, for one.
func Schema() []byte { return slices.Clone(schema) }

//go:embed starter.yaml
var starter []byte

// Starter returns a contract file to start from: one example, and in comments
// all else that could be said.
func Starter() []byte { return slices.Clone(starter) }
