package claim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/contract"
)

// TestDocsNameEveryKind reads the list in which every kind happens once.
func TestDocsNameEveryKind(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "claims.md"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "testdata", "claims.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d contract.Docket
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{"| `" + string(contract.BeforeMetering) + "` | undelivered |": true}
	for _, x := range d.Incidents {
		words["| `"+string(x.Kind)+"` | "+x.Bucket+" |"] = true
	}
	for _, f := range good(t, "late") {
		words["`"+f.Name+"`"] = true
	}
	for _, c := range contract.Classes {
		words["| `"+string(c)+"` |"] = true
	}
	if len(words) < 20 {
		t.Errorf("only %d words: %v", len(words), words)
	}
	for w := range words {
		if !strings.Contains(string(page), w) {
			t.Errorf("docs/claims.md does not have %q", w)
		}
	}
}
