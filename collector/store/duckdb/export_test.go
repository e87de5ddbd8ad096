package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"syscall"

	"github.com/gpumeter/gpumeter/collector/store"
)

// AuditAfter runs a statement, opens what it left as Open would, audits it, and
// undoes the statement. refused is what the tables said to the statement, err
// how Open or the audit refused the store.
func (d *DB) AuditAfter(ctx context.Context, statement string, found func(store.Finding)) (changed int64, refused, err error) {
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	if err := exec(ctx, conn, "BEGIN"); err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, end(ctx, conn, "ROLLBACK")) }()
	res, refused := conn.ExecContext(ctx, statement)
	if refused != nil {
		return 0, refused, nil
	}
	if changed, err = res.RowsAffected(); err != nil {
		return 0, nil, err
	}
	return changed, nil, d.auditAnew(ctx, conn, found)
}

func (d *DB) auditAnew(ctx context.Context, conn *sql.Conn, found func(store.Finding)) error {
	id, _, err := upgrade(ctx, conn, true)
	if err != nil {
		return err
	}
	s, err := load(ctx, conn)
	if err != nil {
		return err
	}
	if err := d.folder.checkTally(tallyOf(id, s)); err != nil {
		return err
	}
	return newAuditor(s, found).audit(ctx, conn)
}

// SaveBlocks does what precedes a checkpoint, and leaves it there.
func (d *DB) SaveBlocks(ctx context.Context) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	conn, release, err := d.conn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return d.folder.saveBlocks(ctx, conn, d.id)
}

// DupLock copies the descriptor of the folder's lock, as a fork does.
func (d *DB) DupLock() (fd int, err error) { return syscall.Dup(int(d.folder.lock.Fd())) }

// Writing calls f while nobody else writes.
func (d *DB) Writing(f func()) {
	d.writing.Lock()
	defer d.writing.Unlock()
	f()
}

// View calls f while a transaction reads.
func (d *DB) View(ctx context.Context, f func()) error {
	return d.view(ctx, func(*state) {}, func(*sql.Conn) error { f(); return nil })
}
