package focus

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// csvRows reads a CSV file, compressed or not.
type csvRows struct {
	r       *csv.Reader
	budget  *budgetReader
	file    io.Closer
	columns []string
}

// readCSV reads the header. It closes the file with the rows, not on an error.
func readCSV(file io.ReadCloser, zipped bool) (*csvRows, error) {
	var in io.Reader = bufio.NewReaderSize(file, 64<<10)
	if zipped {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		in = z
	}
	budget := &budgetReader{r: in, left: 2 * maxRecord}
	text := bufio.NewReader(budget)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = text.Discard(3)
	}
	c := &csvRows{r: csv.NewReader(text), budget: budget, file: file}
	c.r.ReuseRecord = true
	header, err := c.r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("is empty")
	case err != nil:
		return nil, fmt.Errorf("read header: %w", cause(err))
	}
	for _, name := range header {
		c.columns = append(c.columns, strings.Clone(strings.TrimSpace(name)))
	}
	return c, nil
}

func (c *csvRows) Columns() []string { return c.columns }

func (c *csvRows) Next() ([]string, error) {
	c.budget.left = 2 * maxRecord // what is buffered may belong to two rows
	cells, err := c.r.Read()
	if err != nil {
		return nil, cause(err)
	}
	for i, s := range cells {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("column %s is not UTF-8", c.columns[i])
		}
	}
	return cells, nil
}

func (c *csvRows) Close() error { return c.file.Close() }

// cause leaves out the line numbers of the csv package: rows are counted here,
// and the two would contradict each other.
func cause(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return parse.Err
	}
	return err
}

// budgetReader bounds what one row may make the reader hold in memory: a
// quote that is never closed would otherwise take the whole file.
type budgetReader struct {
	r    io.Reader
	left int
}

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("is longer than %d bytes (is a quote left open?)", maxRecord)
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}
