package nvml

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func TestBacklogIsAsOldAsTheQueueWasLastEmpty(t *testing.T) {
	const s = time.Second
	q := backlog{10 * s}
	f := func(what string, code nvml.Return, from, to, want time.Duration) {
		t.Helper()
		if got := q.after(code, from, to); got != want {
			t.Errorf("%s: late by at most %s, want %s", what, got, want)
		}
	}
	f("an error at once", nvml.SUCCESS, 12*s, 12*s, 2*s)
	f("a wait in vain", nvml.ERROR_TIMEOUT, 12*s, 13*s, 0)
	f("an error that was waited for", nvml.SUCCESS, 13*s, 13500*time.Millisecond, 0)
	f("a wait that failed", nvml.ERROR_GPU_IS_LOST, 13500*time.Millisecond, 13500*time.Millisecond, 0)
	f("an error at once after a minute", nvml.SUCCESS, 73500*time.Millisecond, 73500*time.Millisecond, 60*s)
	f("the next", nvml.SUCCESS, 73501*time.Millisecond, 73501*time.Millisecond, 60001*time.Millisecond)
	f("a wait in vain", nvml.ERROR_TIMEOUT, 74*s, 75*s, 0)
}

// TestXidThatWaitedSaysSo has an error come while waiting for errors fails.
func TestXidThatWaitedSaysSo(t *testing.T) {
	w := openSim(t, "start now\ngpus 1 h100\ngpu 0 at now+300ms xid 63\nfault nvmlEventSetWait_v2 return GPU_IS_LOST times=1\n")
	w.slots[0].tick(BootClock()) // which registers
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var late time.Duration
	w.events.run(ctx, func(_ unsafe.Pointer, code uint64, l time.Duration) {
		late = l
		cancel()
	}, func(unsafe.Pointer) {})
	if late < 700*time.Millisecond || late > 2*time.Second {
		t.Errorf("late by at most %s, want about the %s for which nobody waited", late, firstStorm)
	}
}
