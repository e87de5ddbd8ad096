package duckdb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// maxManifest bounds a day.json, in bytes: it has a few lines for each table.
const maxManifest = 1 << 20

// writtenDay is a closed day as its files tell it.
type writtenDay struct {
	dayManifest
	folder string
	body   []byte // day.json
	sha256 string // of body
}

// first is the SHA-256 of the day's first day.json, which the next day names.
func (w *writtenDay) first() string {
	if w.Edition == 0 {
		return w.sha256
	}
	return w.First
}

// readDay reads the day.json in a folder.
func readDay(folder string) (*writtenDay, error) {
	body, err := readBounded(filepath.Join(folder, manifestName), maxManifest)
	if err != nil {
		return nil, err
	}
	w := &writtenDay{folder: folder, body: body, sha256: contract.Hash(body)}
	in := json.NewDecoder(bytes.NewReader(body))
	if err := in.Decode(&w.dayManifest); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	switch _, err := time.Parse(time.DateOnly, w.Day); {
	case w.Schema != DaySchema:
		return nil, fmt.Errorf("%s has schema %q, this program reads %s", manifestName, w.Schema, DaySchema)
	case w.Tables > len(migrations):
		return nil, fmt.Errorf("%s was written by a newer gpumeter, with tables of schema %d", manifestName, w.Tables)
	case err != nil || w.Day != strings.TrimSuffix(filepath.Base(folder), unfinishedSuffix):
		return nil, fmt.Errorf("%s is of day %q, and lies in %s", manifestName, w.Day, folder)
	}
	for _, f := range w.Files {
		if !slices.ContainsFunc(dayTables, func(t dayTable) bool { return t.table == f.Table }) {
			return nil, fmt.Errorf("%s names a table %q, which there is not", manifestName, f.Table)
		}
	}
	if w.Edition < 0 || w.Edition > 0 && len(w.First) != 2*len(usage.Hash{}) {
		return nil, fmt.Errorf("%s has edition %d, and names no first one", manifestName, w.Edition)
	}
	return w, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return body, err
}

// check calls found for each file of the day that is not what day.json says.
func (w *writtenDay) check(ctx context.Context, found func(file, problem string)) error {
	there := map[string]bool{manifestName: true}
	for _, f := range w.Files {
		there[f.name()] = true
		file, err := os.Open(filepath.Join(w.folder, f.name()))
		if err != nil {
			found(f.name(), err.Error())
			continue
		}
		n, sum, err := hashOf(ctx, file)
		switch err = errors.Join(err, file.Close(), ctx.Err()); {
		case ctx.Err() != nil:
			return err
		case err != nil:
			found(f.name(), err.Error())
		case n != f.Bytes || sum != f.SHA256:
			found(f.name(), fmt.Sprintf("it was changed: its SHA-256 is %s, and was %s", sum, f.SHA256))
		}
	}
	entries, err := os.ReadDir(w.folder)
	for _, e := range entries {
		if !there[e.Name()] {
			found(e.Name(), "it is no file of the day")
		}
	}
	return err
}

// AuditDays holds the files of the closed days against what the ledger says of
// them, calls found for each that is not what was written, and returns how many
// days there are.
func (d *DB) AuditDays(ctx context.Context, found func(store.Finding)) (days int, err error) {
	d.closing.Lock()
	defer d.closing.Unlock()
	listed, err := d.listedDays(ctx)
	if err != nil {
		return 0, fmt.Errorf("audit closed days: %w", err)
	}
	for _, day := range sortedDays(listed) {
		where := filepath.Join(daysName, date(day))
		w, err := readDay(d.folder.dayFolder(day))
		if err != nil {
			found(store.Finding{Where: where, Problem: err.Error()})
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("audit closed days: %w", err)
		}
		if w.sha256 != listed[day] {
			found(store.Finding{Where: filepath.Join(where, manifestName), Problem: fmt.Sprintf("it was changed: its SHA-256 is %s, and the ledger has %s", w.sha256, listed[day])})
			continue
		}
		err = w.check(ctx, func(file, problem string) {
			found(store.Finding{Where: filepath.Join(where, file), Problem: problem})
		})
		if err != nil {
			return 0, fmt.Errorf("audit day %s: %w", date(day), err)
		}
	}
	return len(listed), nil
}

// listedDays returns the SHA-256 of the latest day.json of each closed day, as
// the ledger has it.
func (d *DB) listedDays(ctx context.Context) (map[int32]string, error) {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	list, err := daysInLedger(ctx, conn)
	out := map[int32]string{}
	for _, c := range list { // editions ascend
		out[c.day] = hex.EncodeToString(c.sha256)
	}
	return out, err
}

// daysInLedger returns the closed days that the ledger lists, by day and
// edition.
func daysInLedger(ctx context.Context, conn *sql.Conn) ([]closedDay, error) {
	var out []closedDay
	err := each(ctx, conn, "SELECT name, body FROM store.main.documents WHERE starts_with(name, '"+store.DayPrefix+"')", func(scan func(...any) error) error {
		var name string
		var body []byte
		if err := scan(&name, &body); err != nil {
			return err
		}
		w := writtenDay{body: body}
		if err := json.Unmarshal(body, &w.dayManifest); err != nil {
			return fmt.Errorf("document %s: %w", name, err)
		}
		day, err := time.Parse(time.DateOnly, w.Day)
		if err != nil || name != dayName(w.number(), w.Edition) {
			return fmt.Errorf("document %s is about day %q, edition %d", name, w.Day, w.Edition)
		}
		out = append(out, closedDay{int32(day.UnixMilli() / dayMs), w.Edition, hashBytes(contract.Hash(body)), w.Extent})
		return nil
	})
	slices.SortFunc(out, func(a, b closedDay) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.edition, b.edition)) })
	return out, err
}

// number is the day since 1970; w.Day is one.
func (w *writtenDay) number() int32 {
	t, _ := time.Parse(time.DateOnly, w.Day) // readDay has looked
	return int32(t.UnixMilli() / dayMs)
}

func sortedDays[V any](m map[int32]V) []int32 {
	var out []int32
	for day := range m {
		out = append(out, day)
	}
	slices.Sort(out)
	return out
}

// writtenDays reads the days in a folder, in order, and sees that every file is
// what was written and that each day follows the one before it.
func writtenDays(ctx context.Context, dir string) ([]*writtenDay, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []*writtenDay
	for _, e := range entries { // by name, which is by day
		if strings.HasSuffix(e.Name(), unfinishedSuffix) {
			continue
		}
		w, err := readDay(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read day %s: %w", e.Name(), err)
		}
		var wrong error
		err = w.check(ctx, func(file, problem string) { wrong = errors.Join(wrong, fmt.Errorf("%s: %s", file, problem)) })
		if err = errors.Join(err, wrong); err != nil {
			return nil, fmt.Errorf("read day %s: %w", w.Day, err)
		}
		if err := w.follows(out); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there is no closed day in %s", dir)
	}
	return out, nil
}

// follows reports what is wrong if a day does not follow those before it.
func (w *writtenDay) follows(before []*writtenDay) error {
	if len(before) == 0 {
		if w.Prev != "" {
			return fmt.Errorf("the first day is %s, and there was one before it: it is missing", w.Day)
		}
		return nil
	}
	last := before[len(before)-1]
	switch {
	case w.Origin != last.Origin || w.StoreID != last.StoreID:
		return fmt.Errorf("day %s is of store %s, day %s of store %s", last.Day, last.StoreID, w.Day, w.StoreID)
	case w.Prev != last.first():
		return fmt.Errorf("day %s does not follow day %s: one between them is missing", w.Day, last.Day)
	}
	return nil
}
