package cloud

import (
	"bytes"
	_ "embed" // the table
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Expected returns how many GPUs an instance type has, and of which model as
// it is bought. ok is false for a type that the table does not have; case does
// not matter. A node that shows fewer has siblings missing.
func Expected(provider, instanceType string) (n int, model string, ok bool) {
	t, ok := instances()[typeOf(provider, instanceType)]
	return t.gpus, t.model, ok
}

// instance is a row of the table.
type instance struct {
	provider, name, model, source, checked string
	gpus                                   int
}

//go:embed instances.csv
var instancesCSV []byte

// instances holds the table by provider and type. A row that cannot be read is
// left out: a test finds it, and an agent in the field must run without it.
var instances = sync.OnceValue(func() map[string]instance {
	rows, _ := parseInstances(instancesCSV)
	out := make(map[string]instance, len(rows))
	for _, t := range rows {
		out[typeOf(t.provider, t.name)] = t
	}
	return out
})

func typeOf(provider, instanceType string) string {
	return canonical(provider) + "/" + strings.ToLower(instanceType)
}

// parseInstances reads a table. It returns all rows that are well, and what is
// wrong with the others.
func parseInstances(table []byte) ([]instance, error) {
	r := csv.NewReader(bytes.NewReader(table))
	r.Comment, r.FieldsPerRecord = '#', 6
	var out []instance
	var wrong []error
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, errors.Join(wrong...)
		}
		if err == nil && row[0] == "provider" {
			continue
		}
		var t instance
		if err == nil {
			t, err = parseInstance(row)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		out = append(out, t)
	}
}

// maxGPUs is what a rack of one NVLink domain has.
const maxGPUs = 72

// parseInstance reads one row: provider, type, model, GPUs, source, date.
func parseInstance(row []string) (instance, error) {
	n, err := strconv.Atoi(row[3])
	t := instance{provider: row[0], name: row[1], model: row[2], source: row[4], checked: row[5], gpus: n}
	switch {
	case t.provider == "" || t.name == "" || t.model == "":
		return t, fmt.Errorf("instance type %q of %q: provider, type or model is missing", t.name, t.provider)
	case err != nil || n < 1 || n > maxGPUs:
		return t, fmt.Errorf("instance type %q of %q: %q GPUs are not between 1 and %d", t.name, t.provider, row[3], maxGPUs)
	}
	return t, nil
}
