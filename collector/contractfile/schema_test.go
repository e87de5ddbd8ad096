package contractfile

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// object is the part of a JSON Schema that says which keys there are.
type object struct {
	Properties           map[string]json.RawMessage
	Required             []string
	AdditionalProperties *bool
}

// TestSchemaHasTheKeysThatAreRead compares the schema and the structs both
// ways, and which keys are needed.
func TestSchemaHasTheKeysThatAreRead(t *testing.T) {
	var root struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	structs := map[string]reflect.Type{
		"contract": reflect.TypeFor[contractEntry](), "tranche": reflect.TypeFor[trancheEntry](),
		"scope": reflect.TypeFor[scopeEntry](), "step": reflect.TypeFor[stepEntry](), "rate": reflect.TypeFor[rateEntry](),
		"substitute": reflect.TypeFor[substituteEntry](), "applicability": reflect.TypeFor[applicabilityEntry](),
		"rule": reflect.TypeFor[ruleEntry](), "portion": reflect.TypeFor[portionEntry](),
		"commitment": reflect.TypeFor[commitmentEntry](), "floor": reflect.TypeFor[floorEntry](),
		"sla": reflect.TypeFor[slaEntry](), "notice": reflect.TypeFor[noticeEntry](), "tier": reflect.TypeFor[tierEntry](), "claim": reflect.TypeFor[claimEntry](),
	}
	compare(t, "the file", root.object, reflect.TypeFor[document]())
	for name, s := range structs {
		compare(t, name, root.Defs[name], s)
	}
	for name, def := range root.Defs {
		if def.Properties != nil && structs[name] == nil {
			t.Errorf("schema.json describes %s, which is not read", name)
		}
	}
}

func compare(t *testing.T, name string, def object, s reflect.Type) {
	t.Helper()
	if def.AdditionalProperties == nil || *def.AdditionalProperties {
		t.Errorf("schema.json lets %s have unknown keys", name)
	}
	fields := fieldsOf(s)
	for _, f := range fields {
		if _, ok := def.Properties[f.key]; !ok {
			t.Errorf("schema.json lacks %s of %s", f.key, name)
		}
		if needed := slices.Contains(def.Required, f.key); needed != f.need {
			t.Errorf("schema.json says that %s needs %s: %v, the reader %v", name, f.key, needed, f.need)
		}
	}
	for key := range def.Properties {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.key == key }) {
			t.Errorf("schema.json has %s in %s, which is not read", key, name)
		}
	}
}

// TestSchemaRefersToWhatIsThere holds every $ref.
func TestSchemaRefersToWhatIsThere(t *testing.T) {
	var root struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	refs := 0
	for _, part := range strings.Split(string(Schema()), `"#/$defs/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		refs++
		if root.Defs[name] == nil {
			t.Errorf("schema.json refers to %s, which it does not have", name)
		}
	}
	if refs == 0 {
		t.Error("no references found")
	}
}
