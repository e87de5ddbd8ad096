package contractfile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/contractfile"
)

func TestStarterIsReadAsItIs(t *testing.T) {
	got, err := contractfile.Parse("starter.yaml", bytes.NewReader(contractfile.Starter()))
	if err != nil || len(got) != 1 || got[0].Tranches[0].GPUsAt(got[0].Tranches[0].EndMs-1) != 512 {
		t.Errorf("starter: %+v, %v", got, err)
	}
}

// TestStarterIsReadWithAllThatItOffers takes the comment signs away from every
// indented line that is no sentence.
func TestStarterIsReadWithAllThatItOffers(t *testing.T) {
	var lines []string
	for _, line := range strings.Split(string(contractfile.Starter()), "\n") {
		space := len(line) - len(strings.TrimLeft(line, " "))
		rest, commented := strings.CutPrefix(line[space:], "# ")
		if space > 0 && commented && (rest[0] < 'A' || rest[0] > 'Z') {
			line = line[:space] + rest
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	got, err := contractfile.Parse("starter.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	c := got[0]
	x := c.Tranches[0]
	if c.CutOff == 0 || len(c.Commitments) != 1 || len(c.Commitments[0].Floors) != 3 || len(c.SLAs) != 1 || len(c.SLAs[0].Tiers) != 2 || len(x.Accepts) != 1 ||
		len(x.Scope.Rules.Inclusions) != 1 || len(x.Scope.Rules.Exclusions) != 1 || x.SLA == "" || x.Delivery.GraceMs == 0 || len(x.Scope.Pins) != 2 {
		t.Errorf("starter offers %+v", c)
	}
}
