package focus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gpumeter/gpumeter/contract"
)

// Folder is where deliveries are kept: DATA/focus. One file each, numbered in
// the order of the imports, never changed. To take a delivery back, move its
// file away. It may be used concurrently, also by several programs.
type Folder struct {
	dir string

	mu     sync.Mutex // guards what follows
	names  []string   // that the ledger is of
	ledger *Ledger
}

// Ledger is what all deliveries together say.
type Ledger struct {
	Deliveries []*Delivery // in the order of their import
	Bills      []contract.Bill
	Stated     []contract.StatedCommitment
}

// NewFolder returns the folder of a data folder. It need not be there yet.
func NewFolder(data string) *Folder { return &Folder{dir: filepath.Join(data, "focus")} }

// fileName is that of a delivery: its number.
var fileName = regexp.MustCompile(`^\d{6}\.json\.gz$`)

// list returns the names of the deliveries, in order.
func (f *Folder) list() ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	var names []string
	for _, e := range entries {
		if fileName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil // ReadDir sorts
}

// Load reads all deliveries, or returns what it read before if none has come
// since. What it returns must not be changed.
func (f *Folder) Load() (*Ledger, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names, err := f.list()
	if err != nil {
		return nil, err
	}
	if f.ledger != nil && slices.Equal(names, f.names) {
		return f.ledger, nil
	}
	l := &Ledger{}
	seen := map[string]bool{}
	for _, name := range names {
		d, err := f.read(name)
		if err != nil {
			return nil, err
		}
		if !seen[d.Digest] { // two imports of the same at the same time
			seen[d.Digest] = true
			l.Deliveries = append(l.Deliveries, d)
		}
	}
	l.join()
	f.names, f.ledger = names, l
	return l, nil
}

func (f *Folder) read(name string) (*Delivery, error) {
	path := filepath.Join(f.dir, name)
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read import: %w", err)
	}
	defer in.Close()
	d, err := readDelivery(in)
	if err != nil {
		return nil, fmt.Errorf("read import %s: %w", path, err)
	}
	d.Name = name
	return d, nil
}

// place is what a bill has in common with those that replace it.
type place struct {
	feed, provider, account, currency string
	from, to                          int64
}

// join lets later deliveries replace what earlier ones say of the same bill,
// unless they add to it.
func (l *Ledger) join() {
	bills := map[place][]contract.Bill{}
	stated := map[[3]string]contract.StatedCommitment{}
	for _, d := range l.Deliveries {
		fresh := map[place]bool{}
		for i := range d.Bills {
			b := d.Bills[i]
			b.Source = d.Name
			p := place{d.Feed, b.Provider, b.Account, b.Currency, b.FromMs, b.ToMs}
			if !d.Adds && !fresh[p] {
				bills[p] = nil
			}
			fresh[p] = true
			bills[p] = append(bills[p], b)
		}
		for _, s := range d.Stated {
			s.Source = d.Name
			stated[[3]string{d.Feed, s.Provider, strings.ToLower(s.ID)}] = s
		}
	}
	for _, list := range bills {
		l.Bills = append(l.Bills, list...)
	}
	for _, s := range stated {
		l.Stated = append(l.Stated, s)
	}
	slices.SortFunc(l.Bills, compareBills)
	slices.SortFunc(l.Stated, func(a, b contract.StatedCommitment) int {
		return strings.Compare(a.Provider+"\x00"+a.ID+"\x00"+a.Source, b.Provider+"\x00"+b.ID+"\x00"+b.Source)
	})
}
