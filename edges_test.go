package gpumeter_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEdgeCasesAreHeldByTestsThatExist reads the last column of
// docs/edge-cases.md: every name in it is a test, or a case of the stores'
// suite.
func TestEdgeCasesAreHeldByTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("docs/edge-cases.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, s := range sources(t) {
		if strings.HasSuffix(s.name, "_test.go") || strings.HasPrefix(s.name, "collector/store/storetest/") {
			text, err := os.ReadFile(s.name)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	cases := 0
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 || !strings.HasPrefix(line, "| ") || cells[0] == "| case" {
			continue
		}
		names := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[2], -1)
		if len(names) == 0 {
			t.Errorf("no test holds %q", cells[0])
		}
		for _, n := range names {
			if !strings.Contains(code.String(), "func "+n[1]+"(") && !strings.Contains(code.String(), `{"`+n[1]+`", `) {
				t.Errorf("%q is held by %s, which does not exist", cells[0], n[1])
			}
		}
		cases++
	}
	if cases < 24 {
		t.Errorf("found %d cases only", cases)
	}
}
