package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
)

// ErrTaken is wrapped by the error of a PutDocument whose name has another
// body already.
var ErrTaken = errors.New("the name is taken by another document")

// ErrNoDocument is wrapped by the error of a Document that is not there.
var ErrNoDocument = errors.New("no such document")

// Limits of a document. The placements of 100,000 GPUs over a month are some
// 20 MB.
const (
	MaxDocumentName  = 200
	MaxDocumentBytes = 256 << 20
)

// Documents keeps bodies under names, for ever: what is there is never changed
// or taken away. As a name is given once, whoever puts the next number of a
// series first has it, and the others are told. All methods may be called
// concurrently, also by several processes where a store allows that.
type Documents interface {
	// PutDocument makes a document durable before it returns. The same body
	// under the same name again changes nothing; another body is an error
	// that wraps ErrTaken. The caller must not change body until it returns.
	PutDocument(ctx context.Context, name string, body []byte) error

	// Document returns the body, exactly as it was put; it is the caller's. The
	// error wraps ErrNoDocument if there is none, and is another one if what
	// is kept is no longer what was put.
	Document(ctx context.Context, name string) ([]byte, error)

	// DocumentNames returns the names that begin with prefix, sorted by bytes.
	DocumentNames(ctx context.Context, prefix string) ([]string, error)
}

var documentName = regexp.MustCompile(`^[0-9a-z][0-9a-z._-]*(/[0-9a-z][0-9a-z._-]*)*$`)

// CheckDocument says whether a document can be kept: names are lower-case
// paths such as "ledger/entry/00000001".
func CheckDocument(name string, body []byte) error {
	switch {
	case len(name) > MaxDocumentName || !documentName.MatchString(name):
		return fmt.Errorf("document name %.80q is not a lower-case path of at most %d bytes", name, MaxDocumentName)
	case len(body) > MaxDocumentBytes:
		return fmt.Errorf("document %q: %d bytes are more than the limit of %d", name, len(body), MaxDocumentBytes)
	}
	return nil
}
