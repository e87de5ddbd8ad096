// Package contractfile reads contracts from a YAML file.
//
// It is strict: an unknown key, a value of the wrong form or a contract that
// makes no sense is an error that names file, line and key, and then nothing
// of the file counts. docs/contracts.md is the reference of the format.
package contractfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	_ "time/tzdata" // billing time zones work where the system has no zone database

	"go.yaml.in/yaml/v3"

	"github.com/gpumeter/gpumeter/contract"
)

// MaxBytes is the size that a contract file may have.
const MaxBytes = 4 << 20

// Error says what is wrong in a contract file, and where.
type Error struct {
	File    string // as it was given to Load or Parse
	Line    int    // from 1
	Problem string // one sentence that names the key
}

// Error returns FILE:LINE: PROBLEM.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem) }

// Load reads the contract file at path. What is wrong inside the file is an
// *Error.
func Load(path string) ([]contract.Contract, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open contract file: %w", err)
	}
	defer f.Close()
	return Parse(path, f)
}

// Parse reads contracts from r; name stands for r in errors. The contracts
// that it returns have passed contract.ValidateAll; their Source is NAME:LINE.
// What is wrong in the text is an *Error; other errors are r's.
func Parse(name string, r io.Reader) ([]contract.Contract, error) {
	root, err := parseYAML(name, r)
	if err != nil {
		return nil, err
	}
	var doc document
	d := decoder{name}
	if err := d.fill(root, reflect.ValueOf(&doc).Elem(), place{what: "the file"}); err != nil {
		return nil, err
	}
	out := make([]contract.Contract, len(doc.Contracts))
	for i := range doc.Contracts {
		if out[i], err = (build{decoder: d, entry: &doc.Contracts[i]}).contract(); err != nil {
			return nil, err
		}
	}
	if err := contract.ValidateAll(out); err != nil {
		return nil, d.locate(err, root)
	}
	return out, nil
}

// parseYAML returns the one value of a YAML text.
func parseYAML(name string, r io.Reader) (*yaml.Node, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read contract file %s: %w", name, err)
	}
	if len(text) > MaxBytes {
		return nil, &Error{name, 1, fmt.Sprintf("the file is larger than %d bytes", MaxBytes)}
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, &Error{name, 1, "the file is empty: it needs the key contracts"}
	} else if err != nil {
		return nil, syntaxError(name, err)
	}
	if err := d.Decode(&second); err == nil {
		return nil, &Error{name, max(second.Line, 1), "a second document begins here: one file has one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(name, err)
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxError puts the line that the YAML library names in front.
func syntaxError(name string, err error) error {
	line, problem := 1, err.Error()
	if m := yamlLine.FindStringSubmatch(strings.ReplaceAll(problem, "\n", " ")); m != nil {
		problem = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			line = n
		}
	}
	return &Error{name, line, "not YAML: " + problem}
}
