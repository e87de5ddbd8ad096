package duckdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// unfinishedSuffix is of a folder or file that is not whole yet.
const unfinishedSuffix = ".unfinished"

// asidePrefix is of a folder, within a data folder, of files set aside.
const asidePrefix = "aside-"

// Backup writes a copy of the data folder, as it is now, into a folder that is
// not there yet, and opens the copy to see that it is whole. Appends wait while
// the database is copied; readers do not. What others keep in the data folder is
// copied as it is found.
func (d *DB) Backup(ctx context.Context, to string) error {
	if err := d.backup(ctx, to); err != nil {
		return fmt.Errorf("back up store to %s: %w", to, err)
	}
	return nil
}

func (d *DB) backup(ctx context.Context, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(errors.New("it is there already"), err)
	}
	if inside, err := within(d.folder.dir, to); err != nil || inside {
		return errors.Join(errors.New("a backup does not belong into the data folder"), err)
	}
	unfinished := to + unfinishedSuffix
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.MkdirAll(unfinished, 0o750); err != nil {
		return err
	}
	if err := d.copyTo(ctx, unfinished); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	if _, err := Inspect(ctx, unfinished, d.options); err != nil {
		return fmt.Errorf("look at the copy: %w", err)
	}
	if err := os.Rename(unfinished, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// copyTo copies the closed days and what others keep first, and then the
// database while nobody writes: DuckDB then changes no file.
func (d *DB) copyTo(ctx context.Context, to string) error {
	d.closing.Lock()
	defer d.closing.Unlock()
	if err := copyOthers(ctx, d.folder.dir, to); err != nil {
		return err
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.revive(ctx); err != nil {
		return err
	}
	info, err := d.folder.database.Stat()
	if err != nil {
		return err
	}
	return copyDatabase(ctx, d.folder.dir, to, io.NewSectionReader(d.folder.database, 0, info.Size()))
}

// Inspect opens the store in a folder for reading, with all its checks, and
// returns its id.
func Inspect(ctx context.Context, dir string, o Options) (id string, err error) {
	o.ReadOnly = true
	d, err := Open(ctx, dir, o)
	if err != nil {
		return "", err
	}
	return d.ID(), d.Close()
}

// Restore makes a data folder what a backup is. What is in the folder is set
// aside within it, and nothing is deleted: aside names where, or is empty. It
// is an error if the backup is damaged, or if a process holds the folder.
// Agents send again what the backup lacks, as far back as they keep it.
func Restore(ctx context.Context, from, dir string, now time.Time) (aside string, err error) {
	if _, err := Inspect(ctx, from, Options{}); err != nil {
		return "", fmt.Errorf("restore store: %w", err)
	}
	if inside, err := within(dir, from); err != nil || inside {
		return "", errors.Join(fmt.Errorf("restore store: the backup %s is in the data folder", from), err)
	}
	err = holding(dir, func(f *folder) error {
		if aside, err = f.setAside(now); err != nil {
			return err
		}
		return copyFolder(ctx, from, dir)
	})
	if err != nil {
		return aside, fmt.Errorf("restore store: %w", err)
	}
	return aside, nil
}

// SetAside moves what is in a data folder aside within it, so that the next
// Open makes a new store. Nothing is deleted; aside names where it is, or is
// empty if there was nothing.
func SetAside(dir string, now time.Time) (aside string, err error) {
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("set store aside: %w", err)
	}
	err = holding(dir, func(f *folder) error {
		aside, err = f.setAside(now)
		return err
	})
	if err != nil {
		return aside, fmt.Errorf("set store aside: %w", err)
	}
	return aside, nil
}

// holding calls f with a data folder that nobody else holds.
func holding(dir string, f func(*folder) error) error {
	held, err := hold(dir, false)
	if err != nil {
		return err
	}
	return errors.Join(f(held), held.release())
}

// setAside moves all but what stays and what is named. It moves the database
// first: if this is cut short, the tally and the log that are left keep anybody
// from making a new store there.
func (f *folder) setAside(now time.Time, but ...string) (string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return "", err
	}
	to := f.path(asidePrefix + now.UTC().Format("20060102T150405.000Z"))
	var names []string
	for _, e := range entries {
		if !stays(e.Name()) && e.Name() != databaseName && !slices.Contains(but, e.Name()) {
			names = append(names, e.Name())
		}
	}
	if _, err := os.Lstat(f.path(databaseName)); err == nil {
		names = append([]string{databaseName}, names...)
	}
	if len(names) == 0 {
		return "", nil
	}
	if err := os.Mkdir(to, 0o750); err != nil {
		return "", err
	}
	for _, name := range names {
		if err := os.Rename(f.path(name), filepath.Join(to, name)); err != nil {
			return to, err
		}
	}
	return to, errors.Join(syncFolder(to), f.sync())
}

// stays reports whether a name is of the folder itself, whatever store is in it.
func stays(name string) bool {
	return name == lockName || name == spillName || strings.HasPrefix(name, asidePrefix)
}

// belongs reports whether a name in a data folder is of what a backup holds.
// Saved blocks are not: no database is copied within a checkpoint.
func belongs(name string) bool {
	return !stays(name) && !strings.HasSuffix(name, unfinishedSuffix) && name != doublewriteName
}

// copyFolder copies a data folder, the database last.
func copyFolder(ctx context.Context, from, to string) error {
	if err := copyOthers(ctx, from, to); err != nil {
		return err
	}
	database, err := os.Open(filepath.Join(from, databaseName))
	if err != nil {
		return err
	}
	defer database.Close()
	return copyDatabase(ctx, from, to, database)
}

// ofDatabase are the files of which a copy must be of one moment.
var ofDatabase = []string{tallyName, databaseName + ".wal", databaseName}

// copyOthers copies all that belongs to a data folder but the database.
func copyOthers(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		top, _, _ := strings.Cut(name, string(filepath.Separator))
		switch {
		case name == ".", slices.Contains(ofDatabase, name):
			return nil
		case e.IsDir() && strings.HasSuffix(name, unfinishedSuffix):
			return filepath.SkipDir
		case !belongs(top) && e.IsDir():
			return filepath.SkipDir
		case !belongs(top):
			return nil
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o750)
		case !e.Type().IsRegular():
			return nil
		}
		return copyFile(ctx, path, filepath.Join(to, name))
	})
}

// copyDatabase copies the database last and under another name until it is
// whole, and makes the names in the copy durable: a copy that was cut short is
// not taken for a store.
func copyDatabase(ctx context.Context, from, to string, database io.Reader) error {
	for _, name := range ofDatabase[:2] {
		err := copyFile(ctx, filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	whole := filepath.Join(to, databaseName)
	if err := writeFile(ctx, database, whole+unfinishedSuffix); err != nil {
		return err
	}
	if err := os.Rename(whole+unfinishedSuffix, whole); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncFolder(path)
	})
}

// copyFile makes a durable copy.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFile(ctx, in, to)
}

// writeFile makes a durable file.
func writeFile(ctx context.Context, in io.Reader, to string) error {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, patient{ctx, in})
	return errors.Join(err, out.Sync(), out.Close())
}

// patient is a reader that ends when nobody waits any more.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

// within reports whether path is the folder dir or in it.
func within(dir, path string) (bool, error) {
	a, err := filepath.Abs(dir)
	if err != nil {
		return false, err
	}
	b, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	name, err := filepath.Rel(a, b)
	return err == nil && name != ".." && !strings.HasPrefix(name, ".."+string(filepath.Separator)), nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
