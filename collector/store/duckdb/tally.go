package duckdb

import (
	"errors"
	"fmt"
	"os"
)

// tallyName is the file that says how much was committed, beside the database.
const tallyName = "tally"

// tally is what a store holds at least. It is written after every COMMIT and
// not synced: it may lag behind the tables, and is never ahead of them. If it
// is, DuckDB took a damaged log for one that ends early, as it must after a
// power cut, and what was committed is missing.
type tally struct {
	storeID string
	n       int64 // batches, also those kept aside, documents and signs of life
}

func tallyOf(id string, s *state) tally {
	return tally{id, s.counts.Batches + s.counts.Conflicts + s.counts.Quarantined + s.others}
}

// writeTally keeps the file's length, so that it is never half written.
func (f *folder) writeTally(t tally) error {
	file, err := os.OpenFile(f.path(tallyName), os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%s %020d\n", t.storeID, t.n)
	return errors.Join(err, file.Close())
}

// checkTally holds a store that was opened against the file. A folder without
// one, or with one that nobody can read, passes.
func (f *folder) checkTally(held tally) error {
	text, err := os.ReadFile(f.path(tallyName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var noted tally
	if _, err := fmt.Sscanf(string(text), "%s %d", &noted.storeID, &noted.n); err != nil {
		return nil
	}
	const advice = "to go on with what is there, remove the file %s: agents send again what they still keep"
	if noted.storeID != held.storeID {
		return fmt.Errorf("the database is store %s, but the folder belongs to store %s; "+advice, held.storeID, noted.storeID, tallyName)
	}
	if noted.n > held.n {
		return fmt.Errorf("%d batches and documents were committed, but %d are there: the database or its log is damaged, or older than the folder; "+advice,
			noted.n, held.n, tallyName)
	}
	return nil
}
