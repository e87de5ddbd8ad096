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
	} {
		for _, f := range fieldsOf(s) {
			if !strings.Contains(page, "`"+f.key+"`") {
				t.Errorf("docs/contracts.md does not name %s", f.key)
			}
		}
	}
	_, rest, ok := strings.Cut(page, "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("docs/contracts.md has no example")
	}
	if got, err := Parse("docs/contracts.md", strings.NewReader(example)); err != nil || len(got) != 2 {
		t.Errorf("its example: %d contracts, %v", len(got), err)
	}
}
