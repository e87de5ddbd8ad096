package duckdb

import "embed"

// migrations are run in order, each once; the number of the last is the
// schema's. A file that was released is never edited.
var migrations = []string{read("0001_schema"), read("0002_who_and_where"), read("0003_documents"), read("0004_lives"),
	read("0005_digests"), read("0006_hours"), read("0007_hours_lost"), read("0008_prunings"),
	read("0009_days")}

//go:embed sql/*.sql
var files embed.FS

var (
	sqlLoadCourses      = read("load_courses")
	sqlLoadSeqs         = read("load_seqs")
	sqlLoadHoles        = read("load_holes")
	sqlLoadNodes        = read("load_nodes")
	sqlLoadInventory    = read("load_inventory")
	sqlFirstHashes      = read("first_hashes")
	sqlEvents           = read("events")
	sqlAsk              = read("ask")
	sqlCountedAll       = read("counted_all")
	sqlCountedOwned     = read("counted_owned")
	sqlSums             = read("sums")
	sqlSumsByHolder     = read("sums_by_holder")
	sqlHourSums         = read("hour_sums")
	sqlHourSumsByHolder = read("hour_sums_by_holder")
	sqlRoll             = read("roll")
	sqlAuditHours       = read("audit_hours")
	sqlRollLost         = read("roll_lost")
	sqlLostRecords      = read("lost_records")
	sqlHourOverlaps     = read("hour_overlaps")
	sqlDropOverlaps     = read("drop_overlaps")
	sqlTorn             = read("torn")
	sqlLoadRough        = read("load_rough")
	sqlDropHours        = read("drop_hours")
	sqlStraddles        = read("straddles")
	sqlOverlaps         = read("overlaps")
	sqlAuditBatches     = read("audit_batches")
	sqlAuditRecords     = read("audit_records")
	sqlAuditEvents      = read("audit_events")
	sqlAuditInventory   = read("audit_inventory")
	sqlAuditDoubts      = read("audit_doubts")
	sqlAuditStrangers   = read("audit_strangers")
	sqlAuditTwins       = read("audit_twins")
	sqlAuditChain       = read("audit_chain")
	sqlAuditGaps        = read("audit_gaps")
	sqlClaims           = read("claims")
	sqlStretches        = read("stretches")
	sqlEntries          = read("entries")
	sqlLinks            = read("links")
	sqlExport           = read("export")
	sqlRuns             = read("runs")
	sqlRerun            = read("rerun")
	sqlEventsOf         = read("events_of")
	sqlLoadPruned       = read("load_pruned")
	sqlLoadGoneSeqs     = read("load_gone_seqs")
	sqlMerged           = read("merged")
	sqlAuditLate        = read("audit_late")
	sqlLoadDays         = read("load_days")
	sqlDayParts         = read("day_parts")
	sqlDayRows          = read("day_rows")
	sqlDayHeads         = read("day_heads")

	sqlPruneWhole         = read("prune_whole")
	sqlPruneHours         = read("prune_hours")
	sqlPruneBatches       = read("prune_batches")
	sqlPruneSaid          = read("prune_said")
	sqlPruneLessHours     = read("prune_less_hours")
	sqlPruneLessBatches   = read("prune_less_batches")
	sqlPruneRuns          = read("prune_runs")
	sqlPruneCourses       = read("prune_courses")
	sqlPruneDeleteRecords = read("prune_delete_records")
	sqlPruneDelete        = read("prune_delete")
	sqlSealHours          = read("seal_hours")
	sqlSealOverlaps       = read("seal_overlaps")
)

// read returns a statement by its file's name. The files are part of the
// program: one that is missing is an empty statement, which no test survives.
func read(name string) string {
	text, _ := files.ReadFile("sql/" + name + ".sql")
	return string(text)
}
