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
