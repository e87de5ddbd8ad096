package collector

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/contract"
)

// Book holds the contracts of a file and reads them anew when the file
// changes. A file that cannot be read leaves the last good contracts in
// force. The zero Book has no file and no contracts. It may be used
// concurrently.
type Book struct {
	path string
	log  *slog.Logger

	mu        sync.Mutex // guards what follows
	contracts []contract.Contract
	seen      fingerprint // of the file when it was last read
	loadedAt  time.Time   // modification time of the file that is in force
	err       error       // why the file as it is now is not in force
	failures  int
}

// fingerprint tells two states of a file apart.
type fingerprint struct {
	modified time.Time
	size     int64
}

// OpenBook reads the contract file at path. A file that is wrong at the start
// is an error.
func OpenBook(path string, log *slog.Logger) (*Book, error) {
	b := &Book{path: path, log: log}
	return b, b.Reload()
}

// FixedBook returns a book of the contracts given, without a file.
func FixedBook(contracts []contract.Contract) *Book { return &Book{contracts: contracts} }

// Contracts returns the contracts in force, after it has looked whether the
// file changed. The caller must not change them.
func (b *Book) Contracts() []contract.Contract {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.path != "" && b.changed() {
		b.reload()
	}
	return b.contracts
}

// Reload reads the file now. With an error, the contracts that were in force
// stay.
func (b *Book) Reload() error {
	if b.path == "" {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reload()
	return b.err
}

// changed looks at the file; one that is gone has changed once.
func (b *Book) changed() bool {
	now, err := look(b.path)
	if err != nil {
		return b.seen != fingerprint{}
	}
	return now != b.seen
}

func (b *Book) reload() {
	// Looked at before it is read: a change in between is noticed next time.
	seen, err := look(b.path)
	var contracts []contract.Contract
	if err == nil {
		contracts, err = contractfile.Load(b.path)
	}
	b.seen, b.err = seen, err
	if err != nil {
		b.failures++
		if b.contracts != nil {
			b.log.Error("contract file not in force, the contracts before it are", "err", err)
		}
		return
	}
	b.contracts, b.loadedAt = contracts, seen.modified
	b.log.Info("contracts in force", "file", b.path, "contracts", len(contracts))
}

func look(path string) (fingerprint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fingerprint{}, fmt.Errorf("look at contract file: %w", err)
	}
	return fingerprint{info.ModTime(), info.Size()}, nil
}

// bookState is what the metrics say of a book.
type bookState struct {
	contracts, failures int
	modified            time.Time // of the file in force
	failing             bool
}

func (b *Book) state() bookState {
	n := len(b.Contracts())
	b.mu.Lock()
	defer b.mu.Unlock()
	return bookState{n, b.failures, b.loadedAt, b.err != nil}
}
