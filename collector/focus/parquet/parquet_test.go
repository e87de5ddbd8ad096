package parquet_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/gpumeter/gpumeter/collector/focus/parquet"
)

// write makes a Parquet file of a query.
func write(t *testing.T, query string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "o'clock.parquet")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("COPY (" + query + ") TO '" + strings.ReplaceAll(path, "'", "''") + "' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenReadsEverythingAsText(t *testing.T) {
	path := write(t, `SELECT * FROM (VALUES
		(1.1641532182693481e-10::DOUBLE, 12.340000::DECIMAL(18,6), 'a', TIMESTAMP '2026-10-01 00:00:00', TIMESTAMPTZ '2026-10-01 02:00:00+02', 7::BIGINT, {'Elements': [{'ContractId': 'c'}]}),
		(1e16::DOUBLE, NULL, '', NULL, NULL, NULL, NULL)) v(d, m, s, ts, tz, n, j)`)
	f, err := parquet.Open(context.Background(), path, []string{"j", "n", "tz", "ts", "s", "m", "d", "not there"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := strings.Join(f.Columns(), " "); got != "j n tz ts s m d" {
		t.Errorf("columns = %s", got)
	}
	f1(t, f, `{"Elements":[{"ContractId":"c"}]}`, "7", "2026-10-01 00:00:00", "2026-10-01 00:00:00", "a", "12.340000", "1.1641532182693481e-10")
	f1(t, f, "", "", "", "", "", "", "1e+16")
	if _, err := f.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last row: %v", err)
	}
}

func f1(t *testing.T, f *parquet.File, want ...string) {
	t.Helper()
	got, err := f.Next()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("row = %q, %v; want %q", got, err, want)
	}
}

func TestOpenRefusesWhatIsNoParquet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	if err := os.WriteFile(path, []byte("PAR1 but not really PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := parquet.Open(context.Background(), path, []string{"a"}); err == nil {
		f.Close()
		t.Error("a file that is no Parquet opens")
	}
	good := write(t, "SELECT 1 AS other")
	if f, err := parquet.Open(context.Background(), good, []string{"a"}); err == nil || !strings.Contains(err.Error(), "none of the columns") {
		t.Errorf("Open = %v, %v", f, err)
	}
}
