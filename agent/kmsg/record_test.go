package kmsg

import (
	"strings"
	"testing"
	"time"

	simkmsg "github.com/gpumeter/gpumeter/sim/kmsg"
)

func TestRecordIsReadAsTheKernelWritesIt(t *testing.T) {
	f := func(line string, ok bool, seq uint64, stamp time.Duration, code int) {
		t.Helper()
		r, got := parseRecord([]byte(line), false)
		if got != ok || r.seq != seq || r.stamp != stamp || r.report.Code != code {
			t.Errorf("%q: %+v, %v, want %v, sequence %d, stamp %v, code %d", line, r, got, ok, seq, stamp, code)
		}
	}
	f("4,341,11722428932,-;NVRM: Xid (PCI:0000:9b:00): 13, x", true, 341, 11722428932*time.Microsecond, 13)
	f("4,7,5,c,caller=T1;NVRM: Xid (0000:9b:00): 13", true, 7, 5*time.Microsecond, 13)
	f(`4,7,5,-;NVRM: The NVIDIA GPU 0000:b3:00.0\x0aNVRM: (PCI ID: 10de:26b5) installed in this system has\x0aNVRM: fallen off the bus`, true, 7, 5*time.Microsecond, 79)
	f("6,7,5,-;anything; else", true, 7, 5*time.Microsecond, 0)
	f("12,7,5,-;NVRM: Xid (PCI:0000:9b:00): 13, x", true, 7, 5*time.Microsecond, 0)
	f(" SUBSYSTEM=pci", false, 0, 0, 0)
	f(" 4,7,5,-;NVRM: Xid (PCI:0000:9b:00): 13, x", false, 0, 0, 0)
	f("", false, 0, 0, 0)
	f("4,7,5;x", false, 0, 0, 0)
	f("4,-7,5,-;x", false, 0, 0, 0)
	f("4,7,99999999999999999999,-;x", false, 0, 0, 0)
	f("4,18446744073709551615,5,-;x", false, 0, 0, 0)
}

func TestQueueRefusesOnlyWhatItHasNoRoomFor(t *testing.T) {
	var q queue
	x := (&record{report: Report{Code: 45}}).xid()
	for i := range 3 * maxQueue {
		x.Code, x.At = 1+i, time.Duration(i)*time.Second
		if got, want := q.push(x), i < maxQueue; got != want {
			t.Fatalf("push of source %d: %v, want %v", i, got, want)
		}
	}
	x.Code = 1
	if !q.push(x) || q.xids[0].More != 1 || len(q.xids) != maxQueue {
		t.Error("a source that is known is not counted when the queue is full")
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("4,341,11722428932,-", "NVRM: Xid (PCI:0000:9b:00): 13, \\x")
	f.Add("4,3,1,c,caller=T1", "a\nb\x00\\x0a\xff")
	f.Fuzz(func(t *testing.T, head, text string) {
		r, ok := parseRecord([]byte(head+";"+simkmsg.Escape(text)), false)
		if !ok && (r.seq != 0 || r.reports) {
			t.Errorf("%q is no record but %+v", head, r)
		}
		if ok && (r.stamp < 0 || r.seq > 1<<63) {
			t.Errorf("%q: %+v", head, r)
		}
		if len(text) <= maxText/4 {
			if got := unescape([]byte(simkmsg.Escape(text))); got != text {
				t.Errorf("text %q came back as %q", text, got)
			}
		}
		if ok && r.reports && !strings.HasPrefix(text, "NVRM: ") && !strings.HasPrefix(text, "nvidia-nvswitch") && !strings.Contains(head, ";") {
			t.Errorf("%q reports an error", text)
		}
	})
}
