package kmsg_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gpumeter/gpumeter/agent/kmsg"
)

func kmsgBoot() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(xid79)))
	for b.Loop() {
		if _, ok := kmsg.Parse(xid79); !ok {
			b.Fatal("not read")
		}
	}
}
