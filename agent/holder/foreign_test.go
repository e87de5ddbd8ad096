package holder

import (
	"testing"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// In a container of its own the agent sees no process but its own: neither does
// an empty list say that a GPU is free, nor an id who its process is.
func TestProcessesOfAnotherNamespaceSayLittle(t *testing.T) {
	f, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	f.seesAll = false
	l := metric.Look{GPU: metric.GPU{UUID: "GPU-a"}, At: 1, ProcessesKnown: true}
	if hs, known := f.Holders(l); known {
		t.Errorf("an empty list: %+v, want nothing known", hs)
	}
	l.At, l.Processes = 2, []metric.Process{{PID: 1}}
	want := usage.Holder{Basis: usage.BasisProcess, Kind: kindUser, Name: unknown}
	if hs, known := f.Holders(l); !known || len(hs) != 1 || hs[0] != want {
		t.Errorf("a process: %+v, %v, want %+v", hs, known, want)
	}
}
