package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSameXidFromDriverAndKernelIsOne has a whole agent that hears of one error
// through the driver and of the same one, and of another, in the kernel's log.
func TestSameXidFromDriverAndKernelIsOne(t *testing.T) {
	log := filepath.Join(t.TempDir(), "kmsg")
	if err := syscall.Mkfifo(log, 0o600); err != nil {
		t.Fatal(err)
	}
	kernel, err := os.OpenFile(log, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	n := startNode(t, "gpus 2 h100\n", "--kmsg", log)
	n.until("with two GPUs", 30*time.Second, func(s map[string]float64) bool { return s["gpu_up{0}"]+s["gpu_up{1}"] == 2 })
	n.setScenario("start file\ngpus 2 h100\ngpu 0 at 2s xid 31\n")
	page, _, err := n.page()
	if err != nil {
		t.Fatal(err)
	}
	line := func(seq, bus, code string) string {
		return "3," + seq + ",100000,-;NVRM: Xid (PCI:" + bus[4:] + "): " + code + ", pid=1, name=python, Ch 00000008\n"
	}
	time.Sleep(1500 * time.Millisecond)
	for _, l := range []string{line("1", busOf(t, page, "0"), "31"), line("2", busOf(t, page, "1"), "43")} {
		if _, err := kernel.WriteString(l); err != nil {
			t.Fatal(err)
		}
	}
	n.until("with both errors", 15*time.Second, func(s map[string]float64) bool { return s["gpu_xid_total{0}"] > 0 && s["gpu_xid_total{1}"] > 0 })
	time.Sleep(2 * time.Second) // the twin must not be counted either
	series, _, err := n.scrape()
	if err != nil {
		t.Fatal(err)
	}
	if series["gpu_xid_total{0}"] != 1 || series["gpu_xid_total{1}"] != 1 {
		t.Errorf("counted %v and %v errors, want one each", series["gpu_xid_total{0}"], series["gpu_xid_total{1}"])
	}
}

// busOf returns the bus id of a GPU from a page, "00000000:1B:00.0".
func busOf(t *testing.T, page, index string) string {
	t.Helper()
	for line := range strings.Lines(page) {
		if labels, ok := strings.CutPrefix(line, "gpu_info{"); ok && label(labels, "gpu") == index {
			return label(labels, "pci")
		}
	}
	t.Fatalf("no gpu_info of GPU %s in\n%s", index, page)
	return ""
}
