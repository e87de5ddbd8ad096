package clickhouse

import (
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
)

// TestEmptyTablesLeaveAStatementWhole holds that what is left out with an empty
// table is a condition on a line of its own.
func TestEmptyTablesLeaveAStatementWhole(t *testing.T) {
	entries, err := files.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range entries {
		text := read(strings.TrimSuffix(e.Name(), ".sql"))
		if asks, heeds := strings.Contains(text, "FROM asked_parts"), strings.Contains(text, "FROM pruned"); asks != heeds {
			t.Errorf("%s asks for parts: %v, and heeds since when what was received counts: %v", e.Name(), asks, heeds)
		}
		for _, name := range []string{"losers", "lost", "told", "rough", "hour_slots", "split", "pruned", "wanted", "asked_hours"} {
			empty, err := ext.NewTable(name, ext.Column("unit", "Int64"))
			if err != nil {
				t.Fatal(err)
			}
			left := ask(text, nil, empty)
			gone := len(text) - len(left.text)
			for line := range strings.Lines(text) {
				if _, rest, ok := strings.Cut(line, "NOT IN ("); ok && strings.Contains(rest, "FROM "+name+")") {
					found++
					if gone -= len(line); !strings.HasPrefix(strings.TrimSpace(line), "AND ") || strings.Count(line, "(") != strings.Count(line, ")") {
						t.Errorf("%s: %q is not a condition of its own", e.Name(), line)
					}
				}
			}
			if gone != 0 || strings.Contains(left.text, "FROM "+name) != (len(left.tables) == 1) {
				t.Errorf("%s without %s: %d bytes too many are gone, tables %v\n%s", e.Name(), name, gone, left.tables, left.text)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d conditions were found", found)
	}
}
