package kmsg_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gpumeter/gpumeter/agent/kmsg"
	simkmsg "github.com/gpumeter/gpumeter/sim/kmsg"
)

func kmsgBoot() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// BenchmarkScan reads 1000 lines of others and 10 of the driver.
func BenchmarkScan(b *testing.B) {
	log := simkmsg.New(2000, kmsgBoot)
	for i := range 1000 {
		log.Write("audit: type=1400 audit(1700000000.000:1): apparmor=\"DENIED\" operation=\"open\" profile=\"a\" pid=1 comm=\"b\"")
		if i%100 == 0 {
			log.Write(xid13)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := kmsg.Scan(kmsg.Config{Open: func() (kmsg.Source, error) { return log.Open(), nil }})
		if err != nil || s.Records != 1010 || len(s.Xids) != 10 {
			b.Fatal(s, err)
		}
	}
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
