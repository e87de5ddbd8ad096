package nvml

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// identities are the GPUs that messages name.
func identities(t *testing.T, messages *bytes.Buffer) []metric.GPU {
	t.Helper()
	var out []metric.GPU
	for messages.Len() > 0 {
		k, message, err := readMessage(messages, nil)
		if err != nil {
			t.Fatal(err)
		}
		if k != kindGPU {
			continue
		}
		var m identity
		if err := m.decode(message); err != nil {
			t.Fatal(err)
		}
		out = append(out, m.gpu)
	}
	return out
}

// TestGPUThatJoinsItsDomainSaysSo starts before the fabric is up, as an agent
// does that the node starts early.
func TestGPUThatJoinsItsDomainSaysSo(t *testing.T) {
	w := openBranch(t, "615", "start now\ngpus 2 gb200\ngpu * fabric-state in-progress to=400ms\n")
	var messages bytes.Buffer
	w.out = &messages
	s := w.slots[1]
	s.tick(BootClock())
	before := identities(t, &messages)
	if len(before) != 1 || before[0].Fabric != "" || before[0].Clique != "" || before[0].Platform.Chassis == "" {
		t.Fatalf("at first: %+v, want one GPU without a fabric", before)
	}
	time.Sleep(500 * time.Millisecond)
	s.tick(BootClock() + time.Second)
	if early := identities(t, &messages); len(early) != 0 {
		t.Errorf("a second later: %+v, want nothing", early)
	}
	s.tick(BootClock() + 2*rare)
	after := identities(t, &messages)
	if len(after) != 1 || len(after[0].Fabric) != 36 || after[0].Clique != "32766" || after[0].UUID != before[0].UUID {
		t.Errorf("two minutes later: %+v, want the GPU with its fabric", after)
	}
	s.tick(BootClock() + 4*rare)
	if again := identities(t, &messages); len(again) != 0 {
		t.Errorf("later: %+v, want nothing that was said before", again)
	}
}

// TestIdentityIsWhatTheDriverSays has everything of a GPU that sits in a rack,
// and of one whose driver knows only the older structure of its place.
func TestIdentityIsWhatTheDriverSays(t *testing.T) {
	f := func(branch, scenario string, want func(g *metric.GPU) bool) {
		t.Helper()
		w := openBranch(t, branch, scenario)
		g, code := w.slots[0].dev.open(0)
		if !want(&g) {
			t.Errorf("branch %s: identity = %+v, code %v", branch, g, code)
		}
	}
	f("580", "gpus 1 h100\n", func(g *metric.GPU) bool {
		return g.Device == "nvidia0" && g.Part == "692-2G520-0200-000" && g.Architecture == "hopper" && g.Capability == "9.0" &&
			strings.HasPrefix(g.GSP, "580.") && g.InfoROM == "G520.0200.00.05" && g.Platform.Slot == "" && g.Platform.Chassis == "" && g.Fabric == ""
	})
	f("470", "gpus 1 t4\n", func(g *metric.GPU) bool {
		return g.Device == "nvidia0" && g.Architecture == "turing" && g.Capability == "7.5" && g.GSP == "" && g.Platform == metric.Platform{}
	})
	f("580", "gpus 1 gb200\n", func(g *metric.GPU) bool {
		return g.Architecture == "blackwell" && g.Platform.Chassis != "" && g.Platform.Slot == "1" && g.Platform.Tray == "0" && g.Platform.Host == "1" && len(g.Fabric) == 36
	})
	// With one refusal the older structure is asked, which has no serial number.
	f("580", "gpus 1 gb200\nfault nvmlDeviceGetPlatformInfo return ARGUMENT_VERSION_MISMATCH times=1\n", func(g *metric.GPU) bool {
		return g.Platform.Chassis == "" && g.Platform.Slot == "1" && g.Platform.Module == "1"
	})
	f("580", "gpus 1 gb200\nfault nvmlDeviceGetPlatformInfo return NOT_SUPPORTED\n", func(g *metric.GPU) bool {
		return g.Platform == metric.Platform{} && g.UUID != ""
	})
}
