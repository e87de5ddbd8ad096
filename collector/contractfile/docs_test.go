package contractfile

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestDocsNameEveryKeyAndTheirExampleIsRead holds docs/contracts.md.
func TestDocsNameEveryKeyAndTheirExampleIsRead(t *testing.T) {
	text, err := os.ReadFile("../../docs/contracts.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, s := range []reflect.Type{
		reflect.TypeFor[contractEntry](), reflect.TypeFor[trancheEntry](), reflect.TypeFor[scopeEntry](),
		reflect.TypeFor[rateEntry](), reflect.TypeFor[substituteEntry](), reflect.TypeFor[applicabilityEntry](), reflect.TypeFor[ruleEntry](),
		reflect.TypeFor[commitmentEntry](), reflect.TypeFor[floorEntry](), reflect.TypeFor[slaEntry](), reflect.TypeFor[noticeEntry](), reflect.TypeFor[tierEntry](), reflect.TypeFor[claimEntry](),
	} {
		for _, f := range fieldsOf(s) {
			if !strings.Contains(page, "`"+f.key+"`") {
				t.Errorf("docs/contracts.md does not name %s", f.key)
			}
		}
	}
	parts := strings.Split(page, "```yaml\n")[1:]
	if len(parts) == 0 {
		t.Fatal("docs/contracts.md has no example")
	}
	for i, part := range parts {
		example, _, closed := strings.Cut(part, "```")
		if got, err := Parse("docs/contracts.md", strings.NewReader(example)); err != nil || len(got) == 0 || !closed {
			t.Errorf("its example %d: %d contracts, %v", i+1, len(got), err)
		}
	}
}

// TestDocsHaveTheSchema holds the copy of the schema that editors are pointed
// to.
func TestDocsHaveTheSchema(t *testing.T) {
	got, err := os.ReadFile("../../docs/contracts.schema.json")
	if err != nil || string(got) != string(Schema()) {
		t.Errorf("docs/contracts.schema.json is not collector/contractfile/schema.json, %v: copy it", err)
	}
}
