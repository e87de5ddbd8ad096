package nvml_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
)

// BenchmarkNode is eight GPUs at one look a second, in real time: run it with
// -benchtime=30x. It reports the CPU time of parent and worker as a share of
// one core, and what both hold in memory.
func BenchmarkNode(b *testing.B) {
	n := start(b, "gpus 8 h100\ngpu * util square period=1s on=0.4s\ngpu * process pid=100 memory=1GiB\n", func(c *nvml.Config) {
		c.Interval = time.Second
	})
	n.until("with eight good looks", good(8))
	worker, self := strconv.Itoa(n.workers()[0]), strconv.Itoa(os.Getpid())
	cpu, began := cpuOf(b, worker)+cpuOf(b, self), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		time.Sleep(time.Second)
		if f := n.Frame(); !good(8)(f) {
			b.Fatalf("looks %s", conditions(f))
		}
	}
	used := cpuOf(b, worker) + cpuOf(b, self) - cpu
	b.ReportMetric(100*used.Seconds()/time.Since(began).Seconds(), "%core")
	b.ReportMetric(kib(b, worker, "Pss:")/1024, "worker-PSS-MiB")
	b.ReportMetric(kib(b, self, "Pss:")/1024, "parent-PSS-MiB")
}

// cpuOf returns the CPU time of a process, in steps of 10 ms.
func cpuOf(b *testing.B, pid string) time.Duration {
	b.Helper()
	raw, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')'):]))
	var ticks time.Duration
	for _, f := range fields[12:14] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}

// kib returns a line of the summary of a process's memory.
func kib(b *testing.B, pid, line string) float64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), line)
	v, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}
