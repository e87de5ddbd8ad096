package usage_test

import (
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

func TestWithoutProcess(t *testing.T) {
	for detail, want := range map[string]string{
		"Xid (PCI:0000:00:05): 43, pid=1045242, name=pt_main_thread, Ch 00000008":               "Xid (PCI:0000:00:05): 43, pid=(left out), name=(left out), Ch 00000008",
		"Xid (PCI:0000:cb:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus": "Xid (PCI:0000:cb:00): 79, pid=(left out), name=(left out), GPU has fallen off the bus",
		"13, pid=7, name=ray::acme fusion, Ch 00000008":                                         "13, pid=(left out), name=(left out), Ch 00000008",
		"13, pid=7, name=acme, fusion v2, Ch 00000008":                                          "13, pid=(left out), name=(left out), Ch 00000008",
		"13, pid=7, name=a name=b, Ch 00000008":                                                 "13, pid=(left out), name=(left out), Ch 00000008",
		"13, name=acme":                                                                         "13, name=(left out)",
		"filename=acme, x":                                                                      "filename=acme, x",
		"uncorrected ECC":                                                                       "uncorrected ECC",
		"":                                                                                      "",
	} {
		if got := usage.WithoutProcess(detail); got != want {
			t.Errorf("WithoutProcess(%q) = %q, want %q", detail, got, want)
		}
	}
}

// FuzzWithoutProcess puts a name where the driver does: nothing of it stays, and
// what was left out once is not left out again.
func FuzzWithoutProcess(f *testing.F) {
	for _, name := range []string{"acme", "a, b", ", ", "name=x", "x,pid=1, y", "<unknown>"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 15 || strings.ContainsAny(name, "\n") {
			return
		}
		got := usage.WithoutProcess("13, pid=7, name=" + name + ", Channel-of-an-engine 8")
		if want := "13, pid=(left out), name=(left out), Channel-of-an-engine 8"; got != want {
			t.Errorf("name %q: %q, want %q", name, got, want)
		}
		if again := usage.WithoutProcess(got); again != got {
			t.Errorf("again %q, want %q", again, got)
		}
	})
}
