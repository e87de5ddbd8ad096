// Package focus reads what clouds bill, in the FinOps Open Cost and Usage
// Specification, and writes what was bought in it.
//
// An import is kept as one delivery: a file of its own in a folder, complete or
// not there at all. The rows of a delivery are summed exactly, by day and by
// the columns that a commitment can ask for, and rounded once. A delivery
// replaces earlier ones of the same bill, because clouds send a month again
// and again until it is closed.
package focus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Rows is a table that is read row by row. It is used by one goroutine.
type Rows interface {
	// Columns are the names in the order of the cells.
	Columns() []string
	// Next returns the next row, valid until the next call, or io.EOF. A null
	// is an empty cell. An error says what is wrong, not where.
	Next() ([]string, error)
	Close() error
}

// OpenParquet opens a Parquet file and reads the named columns of it that it
// has.
type OpenParquet func(path string, columns []string) (Rows, error)

// Limits of what is read of a file that nobody here wrote.
const (
	maxRows    = 100_000_000
	maxColumns = 2_000
	maxRecord  = 1 << 20 // bytes of one row, as text
	maxCell    = 4 << 10 // bytes of a value that is kept
)

// open opens a file by its name: .csv, .csv.gz or .parquet.
func open(path string, parquet OpenParquet) (Rows, error) {
	name := strings.ToLower(filepath.Base(path))
	switch {
	case strings.HasSuffix(name, ".parquet"):
		if parquet == nil {
			return nil, errors.New("is Parquet, which this program cannot read")
		}
		return parquet(path, wanted())
	case strings.HasSuffix(name, ".csv"), strings.HasSuffix(name, ".csv.gz"):
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		rows, err := readCSV(f, strings.HasSuffix(name, ".gz"))
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return rows, nil
	}
	return nil, errors.New("is not named .csv, .csv.gz or .parquet")
}

// table is a file while it is read: it finds cells by column and says where a
// mistake is.
type table struct {
	name  string
	rows  Rows
	index map[string]int
	cells []string
	row   int // from 1; the header is not counted
}

func newTable(name string, rows Rows) (*table, error) {
	t := &table{name: name, rows: rows, index: map[string]int{}}
	columns := rows.Columns()
	if len(columns) > maxColumns {
		return nil, fmt.Errorf("%s has %d columns, more than %d", name, len(columns), maxColumns)
	}
	for i, c := range columns {
		if _, twice := t.index[c]; twice && c != "" {
			return nil, fmt.Errorf("%s has the column %q twice", name, c)
		}
		t.index[c] = i
	}
	return t, nil
}

// next goes to the next row; false is the end.
func (t *table) next() (bool, error) {
	cells, err := t.rows.Next()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	t.row++
	if err == nil && t.row > maxRows {
		err = fmt.Errorf("is beyond the %d rows that an import may have", maxRows)
	}
	if err != nil {
		return false, fmt.Errorf("%s, row %d: %w", t.name, t.row, err)
	}
	t.cells = cells
	return true, nil
}

func (t *table) has(column string) bool { _, ok := t.index[column]; return ok }

// cell is the value of a column in this row; a null and a column that is not
// there are empty.
func (t *table) cell(column string) string {
	i, ok := t.index[column]
	if !ok || i >= len(t.cells) {
		return ""
	}
	switch s := t.cells[i]; s {
	case "NULL", "null":
		return ""
	default:
		return s
	}
}

// wrong is an error about a cell.
func (t *table) wrong(column string, err error) error {
	return fmt.Errorf("%s, row %d, column %s: %w", t.name, t.row, column, err)
}

// need returns a cell that must not be null.
func (t *table) need(column string) (string, error) {
	s := t.cell(column)
	if s == "" {
		return "", t.wrong(column, errors.New("is null"))
	}
	return s, t.tidy(column, s)
}

func (t *table) tidy(column, s string) error {
	if len(s) > maxCell {
		return t.wrong(column, fmt.Errorf("is longer than %d bytes", maxCell))
	}
	return nil
}
