//go:build e2e_clickhouse

package clickhouse_test

import (
	"fmt"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// Times of the comparison: an hour of the load, in which an edge and a span
// cut windows.
var (
	fromMs = start.UnixMilli() + 600_000
	toMs   = start.UnixMilli() + 4_200_000
	cutMs  = start.UnixMilli() + 1_830_000

	lifeOfTheTest = contract.Life{FromMs: 1, ToMs: 2}
)

var numbers = strings.NewReplacer("@from", fmt.Sprint(fromMs), "@to", fmt.Sprint(toMs), "@width", "3600000",
	"@low", "20260901", "@high", "20260930", "@day", "20260914", "@attempt", "77", "@pruning", "77", "@since", "1900000000000", "@first", fmt.Sprint(fromMs/3_600_000-24), "@last", fmt.Sprint(fromMs/3_600_000+24), "@limit", "100", "@every_node", "0", "@every_kind", "0", "now()", "toDateTime(1790000000)")

// temporaries are the temporary tables that a statement asks about.
var temporaries = map[string][]string{
	"aside": {"asked"}, "committed": {"asked"}, "seqs": {"asked"}, "seqs_aside": {"asked"}, "links": {"asked", "asked_parts", "pruned", "losers"},
	"units": {"asked"}, "nodes": {"asked"}, "holders": {"asked"}, "claims": {"asked"}, "body": {"asked"},
	"stays": {"asked"}, "part_feeds": {"asked"}, "part_bundles": {"asked"}, "raced": {"suspects"},
	"days": {"losers", "asked_parts", "pruned"}, "returns": {"asked_parts", "pruned"}, "gone": {"asked"}, "goodbyes": {"losers"}, "extent": {"losers"},
	"events": {"losers", "asked_nodes", "asked_kinds"}, "disputed": {"losers", "disputed", "asked_parts", "pruned"},
	"sums":           {"losers", "lost", "asked_parts", "pruned", "told", "rough", "asked_spans", "asked_slots"},
	"sums_by_holder": {"losers", "lost", "asked_parts", "pruned", "told", "rough", "asked_spans", "asked_slots"},
	"straddle_spans": {"losers", "lost", "asked_parts", "pruned", "told", "rough", "cut_spans"},
	"straddle_edges": {"losers", "lost", "asked_parts", "pruned", "told", "rough", "asked_spans", "asked_edges"},
	"overlaps":       {"losers", "lost", "asked_parts", "pruned", "told", "rough", "asked_spans"},
	"entries":        {"losers", "lost", "asked_parts", "pruned", "asked_spans"},
	"stretch_days":   {"losers", "lost", "asked_parts", "pruned"}, "stretch_windows": {"losers", "lost", "asked_parts", "pruned", "lapsed"},
	"roll": {"losers", "lost", "asked_parts", "pruned"}, "hour_stays": {"used"},
	"cut_by_edges": {"used", "hour_edges"}, "cut_by_spans": {"used", "hour_ends"},
	"hour_sums":           {"used", "rough", "hour_slots", "split", "asked_spans", "slot_spans"},
	"hour_sums_by_holder": {"used", "rough", "hour_slots", "split", "asked_spans", "slot_spans"},
	"cut_sums":            {"used", "rough", "hour_slots", "split", "asked_spans", "asked_slots"},
	"cut_sums_by_holder":  {"used", "rough", "hour_slots", "split", "asked_spans", "asked_slots"},
	"hour_overlaps":       {"used", "rough", "asked_spans"},
	"prune_hours":         {"losers", "lost", "asked_parts", "pruned", "used", "wanted", "asked_hours"},
	"prune_keep":          {"asked_parts", "pruned", "going"}, "prune_merge": {"asked_parts", "pruned", "going"},
}

// rowsOf says what stands in the temporary table of a statement.
var rowsOf = func() map[string]string {
	common := map[string]string{
		"losers":      "SELECT agent, epoch, seq, hash FROM batches ORDER BY agent, epoch, seq LIMIT 2",
		"lost":        "SELECT records.unit[1] AS unit, agent, epoch, seq, records.start_ms[1] AS start_ms FROM batches ORDER BY agent, epoch, seq LIMIT 90",
		"asked_spans": fmt.Sprintf("SELECT unit, toInt64(%d) AS lo, toInt64(%d) AS hi, toInt64(unit %% 3) AS key FROM units", fromMs+30_000, toMs),
		"cut_spans":   fmt.Sprintf("SELECT unit, toInt64(%d) AS lo, toInt64(%d) AS hi FROM units", fromMs+30_000, toMs),
		"asked_slots": fmt.Sprintf("SELECT toInt64(%d + number) AS bucket, toInt64(%d) AS from_ms, toInt64(%d) AS to_ms, toInt64(4) AS slot FROM (SELECT number FROM system.numbers LIMIT 3)", fromMs/3_600_000, fromMs, cutMs),
		"asked_edges": fmt.Sprintf("SELECT toInt64(%d - number) AS bucket, toInt64(%d) AS edge FROM (SELECT number FROM system.numbers LIMIT 2)", cutMs/3_600_000, cutMs),
		"disputed":    fmt.Sprintf("SELECT unit, toInt64(%d) AS lo, toInt64(%d) AS hi FROM units", fromMs, cutMs),
		"lapsed":      fmt.Sprintf("SELECT unit, toInt64(%d) AS day FROM units", fromMs/86_400_000),
		"asked_parts": "SELECT DISTINCT day, part FROM batches WHERE part < 2 OR part IN (SELECT pruning FROM prunings)",
		"pruned":      "SELECT day, since_ms FROM prunings",
		"wanted":      fmt.Sprintf("SELECT unit, toInt64(%d) AS hour FROM units ORDER BY unit LIMIT 1", fromMs/3_600_000+3),
		"asked_hours": fmt.Sprintf("SELECT toInt64(%d) AS hour", fromMs/3_600_000+4),
		"going":       "SELECT agent, epoch, node, intDiv(from_ms, 3600000) AS hour, min(seq) AS lo, count() AS batches, sum(length(records.unit)) AS records FROM batches WHERE part = 0 GROUP BY agent, epoch, node, hour ORDER BY agent, hour LIMIT 7",
		"suspects":    "SELECT DISTINCT agent, epoch FROM batches",
		"used":        "SELECT day, max(attempt) AS attempt FROM rolls GROUP BY day",
		"told":        fmt.Sprintf("SELECT toInt64(%d) AS hour", fromMs/3_600_000),
		"rough":       fmt.Sprintf("SELECT unit, toInt64(%d) AS hour FROM units ORDER BY unit LIMIT 3", fromMs/3_600_000),
		"hour_edges":  fmt.Sprintf("SELECT toInt64(%d) AS hour, toInt64(%d) AS edge", cutMs/3_600_000, cutMs),
		"hour_ends":   fmt.Sprintf("SELECT unit, toInt64(%d) AS hour, toInt64(%d) AS edge FROM units ORDER BY unit LIMIT 5", cutMs/3_600_000, cutMs),
		"hour_slots":  fmt.Sprintf("SELECT toInt64(%d + number) AS hour, toInt64(4 + number) AS slot FROM (SELECT number FROM system.numbers LIMIT 2)", fromMs/3_600_000),
		"slot_spans":  fmt.Sprintf("SELECT toInt64(4 + number) AS slot, toInt64(%d + number) AS from_ms, toInt64(%d) AS to_ms FROM (SELECT number FROM system.numbers LIMIT 2)", fromMs+30_000, toMs),
		"split":       "SELECT unit, toInt64(4) AS slot FROM units ORDER BY unit LIMIT 2 OFFSET 3",
		"asked_nodes": "SELECT 'node-1' AS text",
		"asked_kinds": "SELECT 'goodbye' AS text",
	}
	asked := map[string]string{
		"aside": "SELECT agent, epoch, seq FROM batches", "committed": "SELECT agent, epoch, seq FROM aside",
		"seqs":       "SELECT agent, epoch, toUInt64(3) AS frontier FROM batches ORDER BY agent LIMIT 1",
		"seqs_aside": "SELECT agent, epoch, toUInt64(3) AS frontier FROM aside ORDER BY agent LIMIT 1",
		"links":      "SELECT agent, epoch, toUInt64(2) AS lo, toUInt64(9) AS hi FROM batches ORDER BY agent LIMIT 1",
		"units":      "SELECT unit AS number FROM units", "nodes": "SELECT node AS number FROM nodes", "holders": "SELECT holder AS number FROM holders",
		"stays": "SELECT DISTINCT day, part FROM batches", "part_feeds": "SELECT DISTINCT day, part FROM batches",
		"part_bundles": "SELECT DISTINCT day, part FROM batches",
		"gone":         "SELECT DISTINCT pruning FROM prunings",
		"claims":       "SELECT 'a/1' AS name", "body": "SELECT name, hash FROM claims WHERE name = 'a/1'",
	}
	out := map[string]string{}
	for name, list := range temporaries {
		for _, temporary := range list {
			out[temporary+" of "+name] = common[temporary]
			if temporary == "asked" {
				out[temporary+" of "+name] = asked[name]
			}
		}
	}
	return out
}()
