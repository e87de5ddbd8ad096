package focus

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// Options say how files are imported.
type Options struct {
	// Feed names exports that do not replace each other although they are of
	// the same account and month: those of single subscriptions, for instance.
	Feed string
	// Add lets the files stand beside what was imported of the same bills:
	// exports that bring each day once.
	Add bool
	// Provider is whose export it is, as contracts name it; empty is what the
	// rows say.
	Provider string
	// Complete says that nothing more will come for any bill, also where its
	// metered charges end before its period does.
	Complete bool
	Now      time.Time
	Parquet  OpenParquet // nil reads no Parquet
}

// Result says what an import did.
type Result struct {
	Delivery *Delivery
	// Known is true if the same files were imported before: nothing changed.
	Known bool
	// Replaced is how many bills of earlier deliveries are no longer counted.
	Replaced int
}

// Import reads files together as one delivery and keeps it, durably, or
// returns an error that names file, row and column, and keeps nothing.
func (f *Folder) Import(paths []string, o Options) (Result, error) {
	before, err := f.Load()
	if err != nil {
		return Result{}, err
	}
	d := &Delivery{Schema: deliverySchema, ImportedAt: o.Now.UTC(), Feed: o.Feed, Adds: o.Add}
	if d.Files, d.Digest, err = hashAll(paths, o); err != nil {
		return Result{}, err
	}
	for _, old := range before.Deliveries {
		if old.Digest == d.Digest {
			return Result{Delivery: old, Known: true}, nil
		}
	}
	draft := newDraft(o)
	for i, path := range paths {
		if d.Files[i].Rows, err = readFile(path, o.Parquet, draft); err != nil {
			return Result{}, err
		}
	}
	if d.Bills, err = draft.finish(); err != nil {
		return Result{}, err
	}
	d.Stated, d.Charges = draft.stated, len(draft.order)
	if d.Charges == 0 && len(d.Stated) == 0 {
		return Result{}, fmt.Errorf("%s: there is no row to import", strings.Join(paths, ", "))
	}
	if d.Name, err = f.keep(d); err != nil {
		return Result{}, fmt.Errorf("keep import: %w", err)
	}
	return Result{Delivery: d, Replaced: replaced(before, d)}, nil
}

// readFile reads one file into a draft and returns the number of its rows.
func readFile(path string, parquet OpenParquet, d *draft) (n int, err error) {
	rows, err := open(path, parquet)
	if err != nil {
		return 0, fmt.Errorf("import %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	t, err := newTable(path, rows)
	if err != nil {
		return 0, err
	}
	read := readCosts
	if isCommitments(t) {
		read = readCommitments
	}
	err = read(t, d)
	return t.row, err
}

// hashAll hashes the files. The digest does not depend on their order or
// their names.
func hashAll(paths []string, o Options) (files []File, digest string, err error) {
	var sums []string
	for _, path := range paths {
		sum, err := hashFile(path)
		if err != nil {
			return nil, "", fmt.Errorf("import %s: %w", path, err)
		}
		if slices.Contains(sums, sum) {
			return nil, "", fmt.Errorf("import %s: another file that is given has the same content", path)
		}
		sums = append(sums, sum)
		files = append(files, File{Name: filepath.Base(path), SHA256: sum})
	}
	slices.Sort(sums)
	said := o.Feed + "\n"
	if o.Complete {
		said += "complete\n"
	}
	all := sha256.Sum256([]byte(said + strings.Join(sums, "\n")))
	return files, hex.EncodeToString(all[:]), nil
}

func hashFile(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// keep writes a delivery under the next number. A file appears under its name
// complete and durable, or not at all.
func (f *Folder) keep(d *Delivery) (name string, err error) {
	if err := os.MkdirAll(f.dir, 0o750); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(f.dir, "import-*.tmp")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	err = d.write(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return "", err
	}
	return f.link(tmp.Name())
}

// link gives a file the next free number. Linking fails where a name is taken,
// so that of two imports at one time the second gets a later number.
func (f *Folder) link(tmp string) (string, error) {
	names, err := f.list()
	if err != nil {
		return "", err
	}
	n := 0
	if len(names) > 0 {
		n, _ = strconv.Atoi(names[len(names)-1][:6]) // the form was checked
	}
	name := ""
	for err = fs.ErrExist; errors.Is(err, fs.ErrExist); {
		if n++; n > 999_999 {
			return "", errors.New("there are no numbers left after 999999")
		}
		name = fmt.Sprintf("%06d.json.gz", n)
		err = os.Link(tmp, filepath.Join(f.dir, name))
	}
	if err != nil {
		return "", err
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return "", err
	}
	return name, errors.Join(dir.Sync(), dir.Close())
}

// replaced counts the bills of a ledger that a delivery replaces.
func replaced(l *Ledger, d *Delivery) int {
	if d.Adds {
		return 0
	}
	feeds := map[string]string{}
	for _, old := range l.Deliveries {
		feeds[old.Name] = old.Feed
	}
	n := 0
	for i := range l.Bills {
		old := &l.Bills[i]
		if feeds[old.Source] == d.Feed && slices.ContainsFunc(d.Bills, func(b contract.Bill) bool { return sameBill(&b, old) }) {
			n++
		}
	}
	return n
}

func sameBill(a, b *contract.Bill) bool {
	return a.Provider == b.Provider && a.Account == b.Account && a.Currency == b.Currency && a.FromMs == b.FromMs && a.ToMs == b.ToMs
}

func compareBills(a, b contract.Bill) int {
	return cmp.Or(
		strings.Compare(a.Provider, b.Provider), strings.Compare(a.Account, b.Account), strings.Compare(a.Currency, b.Currency),
		cmp.Compare(a.FromMs, b.FromMs), cmp.Compare(a.ToMs, b.ToMs), strings.Compare(a.Source, b.Source),
	)
}
