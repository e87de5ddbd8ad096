package otlp

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzHeaders wants of every file that is taken that its headers can be sent,
// and of every other one that the error tells none of it.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"", "# c", "a: b", "A:b\r\nx-y: z:1\n\n", "a", ": b", "a b: c", "a: \x00", "a: é", "a-bin: x", "a: b\na: c", "a:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := map[string]string{}
		if err := parseHeaders(got, "FILE", []byte(text)); err != nil {
			if !strings.HasPrefix(err.Error(), "FILE:") && !strings.HasPrefix(err.Error(), "read headers FILE: ") {
				t.Fatalf("the error does not say where: %v", err)
			}
			return
		}
		var lines strings.Builder
		for k, v := range got {
			if k != http.CanonicalHeaderKey(k) || strings.ContainsAny(k+v, "\r\n\x00") || strings.ContainsAny(k, " :") {
				t.Fatalf("%q: %q cannot be sent", k, v)
			}
			lines.WriteString(k + ": " + v + "\n")
		}
		again := map[string]string{}
		if err := parseHeaders(again, "FILE", []byte(lines.String())); err != nil || len(again) != len(got) {
			t.Fatalf("%q is read as %q, and that as %q, %v", text, got, again, err)
		}
	})
}
