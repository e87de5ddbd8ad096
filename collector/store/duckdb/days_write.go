package duckdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// DaySchema names the JSON form of day.json, which says what a day's files are.
const DaySchema = "gpumeter.day/v1"

// manifestName is the file that says what the others of a day are.
const manifestName = "day.json"

// dayManifest is day.json. Hashes are SHA-256, 64 hex digits.
type dayManifest struct {
	Schema  string `json:"schema"`
	StoreID string `json:"store_id"`
	// Origin is what the digests of batches begin with: the store's id and when
	// it was made.
	Origin  string `json:"origin"`
	Tables  int    `json:"tables"` // the number of the last migration
	Day     string `json:"day"`    // of UTC, in which it was received
	Edition int32  `json:"edition"`
	Prev    string `json:"prev_sha256,omitempty"`  // of the first day.json of the closed day before
	First   string `json:"first_sha256,omitempty"` // of edition 0; absent in it
	Batches int64  `json:"batches"`
	// Rows is over the hashes and digests of the batches, by stream and seq: these
	// stand for all their rows. Heads is over the last batch of each agent and
	// epoch, as known when the day was closed.
	Rows   string    `json:"rows_sha256"`
	Heads  string    `json:"heads_sha256"`
	Extent dayExtent `json:"extent"`
	Files  []dayFile `json:"files"`
}

// dayFile is one Parquet file: rows of one table.
type dayFile struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (f dayFile) name() string { return f.Table + ".parquet" }

// dayWriter writes one day.
type dayWriter struct {
	origin, storeID string
	day, edition    int32
	prev            []byte    // SHA-256 of the day before; nil if none
	first, heads    string    // of edition 0; empty in it
	from, to        dayExtent // what earlier days have, and this one too
	dir             string

	batches  int64
	manifest []byte
}

// dayTable is a table and which of its rows a day has.
type dayTable struct{ table, where string }

// dayTables are the tables that a day has rows of, and which. Those of batches
// come by when the batch was received.
var dayTables = []dayTable{
	{"nodes", "WHERE id > $nodes_from AND id <= $nodes_to"},
	{"units", "WHERE id > $units_from AND id <= $units_to"},
	{"streams", "WHERE id > $streams_from AND id <= $streams_to"},
	{"holders", "WHERE id > $holders_from AND id <= $holders_to"},
	{"reasons", "WHERE id > $reasons_from AND id <= $reasons_to"},
	{"documents", "WHERE rowid >= $documents_from AND rowid < $documents_to"},
	{"lives", "WHERE rowid >= $lives_from AND rowid < $lives_to"},
	{"batches", "WHERE received_ms >= $day_from AND received_ms < $day_to"},
	{"records", "SEMI JOIN temp.main.day_batches USING (stream, seq) WHERE start_ms >= $first AND start_ms <= $last"},
	{"events", "SEMI JOIN temp.main.day_batches USING (stream, seq)"},
	{"inventory", "SEMI JOIN temp.main.day_batches USING (stream, seq)"},
	{"doubts", "SEMI JOIN temp.main.day_batches USING (stream, seq)"},
	{"late", "SEMI JOIN temp.main.day_batches USING (stream, seq)"},
	{"aside", "WHERE received_ms >= $day_from AND received_ms < $day_to"},
	{"prunings", "WHERE at_ms >= $day_from AND at_ms < $day_to"},
	{"pruned_hours", "WHERE pruning IN (SELECT id FROM temp.main.day_prunings)"},
	{"pruned_courses", "WHERE pruning IN (SELECT id FROM temp.main.day_prunings)"},
	{"pruned_batches", "WHERE pruning IN (SELECT id FROM temp.main.day_prunings)"},
	{"hours", "SEMI JOIN temp.main.day_hours USING (unit, hour)"},
	{"hours_lost", "SEMI JOIN temp.main.day_hours USING (unit, hour)"},
}

// write writes the files of the day and day.json.
func (w *dayWriter) write(ctx context.Context, conn *sql.Conn) error {
	if w.edition == 0 {
		err := conn.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM lives)").Scan(&w.to.Documents, &w.to.Lives)
		if err != nil {
			return err
		}
	}
	m := dayManifest{
		Schema: DaySchema, StoreID: w.storeID, Origin: w.origin, Tables: len(migrations), Day: date(w.day), Edition: w.edition,
		Prev: hex.EncodeToString(w.prev), First: w.first, Extent: w.to, Files: []dayFile{},
	}
	fill, err := w.prepare(ctx, conn)
	if err != nil {
		return err
	}
	for _, t := range dayTables {
		f, err := w.copy(ctx, conn, t.table, fill.Replace("SELECT * FROM store.main."+t.table+" "+t.where))
		if err != nil {
			return fmt.Errorf("write table %s: %w", t.table, err)
		}
		if f.Rows > 0 {
			m.Files = append(m.Files, f)
		}
		if t.table == "batches" {
			m.Batches, w.batches = f.Rows, f.Rows
		}
	}
	if m.Rows, err = hashRows(ctx, conn, fill.Replace(sqlDayRows)); err != nil {
		return err
	}
	if m.Heads = w.heads; w.edition == 0 {
		if m.Heads, err = hashRows(ctx, conn, fill.Replace(sqlDayHeads)); err != nil {
			return err
		}
	}
	if w.manifest, err = json.MarshalIndent(m, "", "  "); err != nil {
		return err
	}
	w.manifest = append(w.manifest, '\n')
	return writeDurably(filepath.Join(w.dir, manifestName), w.manifest)
}

// prepare lists the batches of the day, and returns what fills in the bounds in
// statements.
func (w *dayWriter) prepare(ctx context.Context, conn *sql.Conn) (*strings.Replacer, error) {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var pairs []string
	for i, name := range []string{"nodes", "units", "streams", "holders", "reasons", "documents", "lives"} {
		pairs = append(pairs, "$"+name+"_from", number(*w.from.fields()[i].(*int64)), "$"+name+"_to", number(*w.to.fields()[i].(*int64)))
	}
	pairs = append(pairs, "$day_from", number(int64(w.day)*dayMs), "$day_to", number((int64(w.day)+1)*dayMs))
	fill := strings.NewReplacer(pairs...)
	for _, statement := range strings.Split(sqlDayParts, ";") {
		if err := exec(ctx, conn, fill.Replace(statement)); err != nil {
			return nil, err
		}
	}
	var first, last int64
	err := conn.QueryRowContext(ctx, "SELECT coalesce(min(from_ms), 0), coalesce(max(to_ms), -1) FROM temp.main.day_batches").Scan(&first, &last)
	return strings.NewReplacer(append(pairs, "$first", number(first), "$last", number(last))...), err
}

// copy writes one table's rows, durably; no file if there are none.
func (w *dayWriter) copy(ctx context.Context, conn *sql.Conn, table, query string) (dayFile, error) {
	f := dayFile{Table: table}
	path := filepath.Join(w.dir, f.name())
	res, err := conn.ExecContext(ctx, fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd)", query, quote(path)))
	if err != nil {
		return f, err
	}
	if f.Rows, err = res.RowsAffected(); err != nil {
		return f, err
	}
	if f.Rows == 0 {
		return f, os.Remove(path)
	}
	f.Bytes, f.SHA256, err = seal(ctx, path)
	return f, err
}

// seal makes a file durable and returns its length and SHA-256.
func seal(ctx context.Context, path string) (int64, string, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	n, sum, err := hashOf(ctx, file)
	return n, sum, errors.Join(err, file.Sync(), file.Close())
}

func hashOf(ctx context.Context, r io.Reader) (int64, string, error) {
	h := sha256.New()
	n, err := io.Copy(h, patient{ctx, r})
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// hashRows hashes the rows of an answer, in order.
func hashRows(ctx context.Context, conn *sql.Conn, query string) (string, error) {
	h := sha256.New()
	var line imprint
	err := each(ctx, conn, query, func(scan func(...any) error) error {
		var agent, epoch string
		var seq uint64
		var sum, digest []byte
		if err := scan(&agent, &epoch, &seq, &sum, &digest); err != nil {
			return err
		}
		line.reset()
		line.text(agent, epoch, strconv.FormatUint(seq, 10), string(sum), string(digest))
		h.Write(line.buf)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func writeDurably(path string, body []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(body)
	return errors.Join(err, file.Sync(), file.Close())
}

func hashBytes(sum string) []byte {
	out, _ := hex.DecodeString(sum) // our own
	return out
}
