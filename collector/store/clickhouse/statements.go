package clickhouse

import "embed"

// migrations are run in order, each once on each server; the number of the
// last is the schema's. A file that was released is never edited.
var migrations = []string{unreleased: read("0002_schema")}

// unreleased is a schema that stores had before there was a release. They
// cannot be brought up to date.
const unreleased = 1

//go:embed sql/*.sql
var files embed.FS

var (
	sqlMembers        = read("members")
	sqlCommitted      = read("committed")
	sqlAside          = read("aside")
	sqlRaced          = read("raced")
	sqlSeqs           = read("seqs")
	sqlSeqsAside      = read("seqs_aside")
	sqlUnits          = read("units")
	sqlNodes          = read("nodes")
	sqlHolders        = read("holders")
	sqlClaims         = read("claims")
	sqlBody           = read("body")
	sqlNames          = read("names")
	sqlStamps         = read("stamps")
	sqlStays          = read("stays")
	sqlDays           = read("days")
	sqlGoodbyes       = read("goodbyes")
	sqlReturns        = read("returns")
	sqlDisputed       = read("disputed")
	sqlSums           = read("sums")
	sqlSumsByHolder   = read("sums_by_holder")
	sqlStraddleSpans  = read("straddle_spans")
	sqlStraddleEdges  = read("straddle_edges")
	sqlOverlaps       = read("overlaps")
	sqlEvents         = read("events")
	sqlExtent         = read("extent")
	sqlCountsAside    = read("counts_aside")
	sqlEntries        = read("entries")
	sqlStretchDays    = read("stretch_days")
	sqlStretchWindows = read("stretch_windows")
	sqlLinks          = read("links")
	sqlLives          = read("lives")
	sqlPartFeeds      = read("part_feeds")
	sqlPartBundles    = read("part_bundles")
	sqlRolls          = read("rolls")
	sqlHourRows       = read("hour_rows")
	sqlRoll           = read("roll")
	sqlHourStays      = read("hour_stays")
	sqlCutByEdges     = read("cut_by_edges")
	sqlCutBySpans     = read("cut_by_spans")
	sqlHourSums       = read("hour_sums")
	sqlHourSumsBy     = read("hour_sums_by_holder")
	sqlCutSums        = read("cut_sums")
	sqlCutSumsBy      = read("cut_sums_by_holder")
	sqlHourOverlaps   = read("hour_overlaps")
	sqlPrunings       = read("prunings")
	sqlGone           = read("gone")
	sqlPruneHours     = read("prune_hours")
	sqlPruneKeep      = read("prune_keep")
	sqlPruneMerge     = read("prune_merge")
	sqlMutations      = read("mutations")
)

// read returns a statement by its file's name. The files are part of the
// program: one that is missing is an empty statement, which no test survives.
func read(name string) string {
	text, _ := files.ReadFile("sql/" + name + ".sql")
	return string(text)
}
