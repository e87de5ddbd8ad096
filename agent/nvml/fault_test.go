package nvml_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

// TestWedgedGPULeavesTheOthersAlone blocks every kind of call of one GPU of
// eight for ever.
func TestWedgedGPULeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 8 h100\ngpu * util 30\n", func(c *nvml.Config) { c.Interval = 3 * interval })
	n.until("with eight good looks", good(8))
	n.write("gpus 8 h100\ngpu * util 30\nfault * gpu 3 block\n")
	var last [8]time.Duration
	hung := false
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(interval) {
		f := n.Frame()
		for i, l := range f.Looks {
			if i == 3 {
				hung = hung || l.Reason == metric.ReasonHang
				if hung && l.Condition != metric.Unobserved {
					t.Fatalf("wedged GPU has condition %d %q", l.Condition, l.Reason)
				}
				continue
			}
			if l.Condition != metric.Good || last[i] != 0 && l.At-last[i] > 2*time.Second || f.Boot-l.At > 2*time.Second {
				t.Fatalf("GPU %d: condition %d %q, %s after its look before", i, l.Condition, l.Reason, l.At-last[i])
			}
			last[i] = l.At
		}
	}
	if !hung {
		t.Error("the wedged GPU never was unobserved with driver_hang")
	}
	if err := n.Pause(t.Context()); err != nil {
		t.Errorf("Pause beside a wedged GPU = %v", err)
	}
}

// TestWhatNeverSaidWhoItIsHasIndexAndReason loses a GPU, and blocks another,
// before anybody knew them.
func TestWhatNeverSaidWhoItIsHasIndexAndReason(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 4 h100\ngpu 1 lost\nfault nvmlDeviceGetHandleByIndex_v2 gpu 2 block\n", func(c *nvml.Config) { c.ColdDeadline = time.Second })
	want := []metric.Nameless{{Index: 1, Reason: metric.ReasonLost}, {Index: 2, Reason: metric.ReasonHang}}
	f := n.until("with two nameless GPUs", func(f metric.Frame) bool { return slices.Equal(f.Nameless, want) })
	if len(f.Looks) != 2 || f.Driver.GPUs != 4 {
		t.Errorf("%d looks, the driver counts %d", len(f.Looks), f.Driver.GPUs)
	}
}

// TestWedgedInTheBeginningIsNamed blocks a GPU before it can say who it is.
func TestWedgedInTheBeginningIsNamed(t *testing.T) {
	t.Parallel()
	known := metric.GPU{UUID: "GPU-of-yesterday", Index: 1}
	n := start(t, "gpus 2 h100\nfault nvmlDeviceGetHandleByIndex_v2 gpu 1 block\n", func(c *nvml.Config) {
		c.Known = []metric.GPU{known}
		c.ColdDeadline = time.Second
	})
	f := n.until("with a hang at index 1", func(f metric.Frame) bool { return len(f.Looks) == 2 && reason(1, metric.ReasonHang)(f) })
	if f.Looks[1].GPU.UUID != known.UUID || f.Looks[0].Condition != metric.Good || len(f.Nameless) > 0 {
		t.Errorf("looks = %s, nameless = %v", conditions(f), f.Nameless)
	}
}

func TestLostGPUIsLostUntilItIsBack(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\n")
	n.until("with two good looks", good(2))
	n.write("gpus 2 h100\ngpu 1 lost from=now\n")
	f := n.until("with a lost GPU", reason(1, metric.ReasonLost))
	if f.Looks[1].Condition != metric.Lost || f.Looks[1].GPU.UUID == "" || len(f.Looks[1].Readings) > 0 || f.Looks[0].Condition != metric.Good {
		t.Errorf("looks = %s with %d readings", conditions(f), len(f.Looks[1].Readings))
	}
	n.write("gpus 2 h100\ngpu 1 lost from=now code=RESET_REQUIRED\n")
	f = n.until("that wants a reset", reason(1, nvml.ReasonResetRequired))
	if f.Looks[1].Condition != metric.Lost {
		t.Errorf("condition = %d, want Lost", f.Looks[1].Condition)
	}
	n.write("gpus 2 h100\n")
	n.until("with two good looks", good(2))
}

// TestUnknownErrorAtTheHandleIsALoss is how a GPU that is off the bus presents
// itself to a new process.
func TestUnknownErrorAtTheHandleIsALoss(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\nfault nvmlDeviceGetHandleByIndex_v2 gpu 1 return UNKNOWN\n", func(c *nvml.Config) {
		c.Known = []metric.GPU{{UUID: "GPU-of-yesterday", Index: 1}}
	})
	f := n.until("with a lost GPU", reason(1, metric.ReasonLost))
	if f.Looks[1].Condition != metric.Lost {
		t.Errorf("looks = %s", conditions(f))
	}
}

func TestUnknownErrorOnceIsAMissedLook(t *testing.T) {
	t.Parallel()
	scenario := "gpus 2 h100\ngpu * util 50\n"
	const every = 3 * interval
	n := start(t, scenario, func(c *nvml.Config) { c.Interval = every })
	n.until("with two good looks", good(2))
	n.write(scenario + "fault nvmlDeviceGetSamples gpu 0 return UNKNOWN times=1\nfault nvmlDeviceGetUtilizationRates gpu 0 return UNKNOWN times=1\n")
	f := n.until("with a missed look", reason(0, metric.ReasonError))
	if f.Looks[0].Condition != metric.Unobserved {
		t.Errorf("condition = %d, want Unobserved", f.Looks[0].Condition)
	}
	before := f.Boot
	f = n.until("with two good looks", func(f metric.Frame) bool { return good(2)(f) && f.Looks[0].Util.Known })
	l := f.Looks[0]
	if l.Since > before {
		t.Errorf("the look after the missed one speaks from %s, after the miss at %s", l.Since, before)
	}
	if l.At-l.Since > 4*every {
		t.Errorf("the look after the missed one speaks for %s, more than three intervals", l.At-l.Since)
	}
}

func TestForbiddenIsNoPermission(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\nfault init return NO_PERMISSION\n", func(c *nvml.Config) {
		c.Known = []metric.GPU{{UUID: "GPU-of-yesterday"}}
	})
	n.until("without permission", reason(0, metric.ReasonPermission))
}

func TestXidIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 4 h100\n")
	uuid := n.until("with four good looks", good(4)).Looks[2].GPU.UUID
	n.write("gpus 4 h100\ngpu 2 at now+200ms xid 79\n")
	var got []metric.Xid
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(interval) {
		got = append(got, n.Frame().Xids...)
	}
	if len(got) != 1 || got[0].UUID != uuid || got[0].Code != 79 || got[0].At == 0 {
		t.Errorf("xids = %+v, want 79 of %s, once", got, uuid)
	}
}

func TestDriverIsFoundWhenItAppears(t *testing.T) {
	t.Parallel()
	library := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	n := start(t, "gpus 1 h100\n", func(c *nvml.Config) { c.Library = library })
	f := n.until("without driver", func(f metric.Frame) bool { return f.Driver.Reason == metric.ReasonNoDriver })
	if !strings.Contains(f.Driver.Detail, library) || f.Driver.Up || len(f.Looks) != 0 {
		t.Errorf("driver = %+v, want its detail to name %s", f.Driver, library)
	}
	if err := os.Symlink(nvml.SimDir(t)+"/libnvidia-ml.so.1", library); err != nil {
		t.Fatal(err)
	}
	n.until("with a good look", good(1))
}

func TestSearchNamesWhatItTried(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\n", func(c *nvml.Config) { c.Library = "" })
	f := n.until("without driver", func(f metric.Frame) bool { return f.Driver.Reason == metric.ReasonNoDriver || f.Driver.Up })
	if f.Driver.Up {
		t.Skip("this machine has an NVIDIA driver")
	}
	for _, path := range []string{"/usr/lib64/libnvidia-ml.so.1", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"} {
		if !strings.Contains(f.Driver.Detail, path) {
			t.Errorf("detail %q does not name %s", f.Driver.Detail, path)
		}
	}
}

func TestDriverThatIsNotReadyIsAwaited(t *testing.T) {
	t.Parallel()
	known := func(c *nvml.Config) { c.Known = []metric.GPU{{UUID: "GPU-of-yesterday"}} }
	for code, want := range map[string]string{
		"DRIVER_NOT_LOADED":       metric.ReasonNotLoaded,
		"LIB_RM_VERSION_MISMATCH": metric.ReasonMismatch,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			n := start(t, "gpus 1 h100\nfault init return "+code+"\n", known)
			f := n.until("that is not ready", reason(0, want))
			if f.Driver.Reason != want || f.Driver.Detail == "" {
				t.Errorf("driver = %+v", f.Driver)
			}
			n.write("gpus 1 h100\n")
			f = n.until("with a good look", func(f metric.Frame) bool { return f.Driver.Up && len(f.Looks) == 2 })
			if f.Driver.Load != 1 {
				t.Errorf("loads = %d, want 1: the first", f.Driver.Load)
			}
		})
	}
}

// TestDriverThatGoesIsAwaited takes the driver away under the worker.
func TestDriverThatGoesIsAwaited(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\n")
	n.until("with two good looks", good(2))
	n.write("gpus 2 h100\nfault * return DRIVER_NOT_LOADED\n")
	f := n.until("without driver", func(f metric.Frame) bool { return f.Driver.Reason == metric.ReasonNotLoaded })
	if len(f.Looks) != 2 || f.Looks[1].Reason != metric.ReasonNotLoaded {
		t.Errorf("looks = %s", conditions(f))
	}
	n.write("gpus 2 h100\n")
	f = n.until("with two good looks", good(2))
	if f.Driver.Load != 2 {
		t.Errorf("loads = %d, want 2", f.Driver.Load)
	}
}

func TestReloadIsCounted(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\n")
	n.until("with two good looks", good(2))
	n.write("gpus 2 h100\ngpu 1 reset at now+200ms\n")
	n.until("of the reset", func(f metric.Frame) bool { return values(f.Looks[1])["gpu.energy.driver"] < 1000 })
	time.Sleep(3 * interval)
	if f := n.Frame(); f.Driver.Load != 1 {
		t.Errorf("loads = %d after the reset of one GPU, want 1", f.Driver.Load)
	}
	n.write("gpus 2 h100\ngpu 1 reset at now+200ms\ndriver reload at now+200ms\n")
	n.until("of the second load", func(f metric.Frame) bool { return f.Driver.Load == 2 })
}
