package duckdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// documentRow is what a draft adds to the table documents.
type documentRow struct {
	name string
	seal usage.Hash
	body []byte
}

func (d *draft) documentTable() rows {
	return rows{"documents", len(d.documents), func(i int) []driver.Value {
		r := &d.documents[i]
		body := append([]byte{}, r.body...) // nil would be NULL
		return []driver.Value{r.name, r.seal[:], body}
	}}
}

// sealOf is the SHA-256 of a document with its name.
func sealOf(name string, body []byte) usage.Hash {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write(body)
	return usage.Hash(h.Sum(nil))
}

// PutDocument takes its turn with Append: see store.Documents.
func (d *DB) PutDocument(ctx context.Context, name string, body []byte) error {
	if err := store.CheckDocument(name, body); err != nil {
		return fmt.Errorf("put document: %w", err)
	}
	seal := sealOf(name, body)
	err := d.transact(ctx, func(conn *sql.Conn, w *draft) error {
		var kept []byte
		err := conn.QueryRowContext(ctx, "SELECT seal FROM documents WHERE name = ?", name).Scan(&kept)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			w.documents = append(w.documents, documentRow{name, seal, body})
			return nil
		case err == nil && string(kept) != string(seal[:]):
			return store.ErrTaken
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("put document %q: %w", name, err)
	}
	return nil
}

// Document compares what is kept with its seal: see store.Documents.
func (d *DB) Document(ctx context.Context, name string) ([]byte, error) {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read document %q: %w", name, err)
	}
	defer release()
	var seal, body []byte
	err = conn.QueryRowContext(ctx, "SELECT seal, body FROM documents WHERE name = ?", name).Scan(&seal, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = store.ErrNoDocument
	case err == nil:
		if now := sealOf(name, body); string(now[:]) != string(seal) {
			err = fmt.Errorf("its seal is %s, and was %x when it was put: it was changed", now, seal)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read document %q: %w", name, err)
	}
	return body, nil
}

// DocumentNames reads no body: see store.Documents.
func (d *DB) DocumentNames(ctx context.Context, prefix string) ([]string, error) {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	defer release()
	var out []string
	err = each(ctx, conn, "SELECT name FROM documents WHERE starts_with(name, ?) ORDER BY name", func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		out = append(out, name)
		return err
	}, prefix)
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	return out, nil
}
