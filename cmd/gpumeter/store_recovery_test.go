package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
)

// TestDamagedStoreComesBackFromItsDaysAndItsAgents loses the database of a
// collector that runs. What was received up to the end of a day is rebuilt, and
// what came later the agent sends again.
func TestDamagedStoreComesBackFromItsDaysAndItsAgents(t *testing.T) {
	dir := t.TempDir()
	data, addr := filepath.Join(dir, "data"), freeAddress(t)
	col := &victim{t: t, role: "collector", args: func() []string { return []string{data, addr} }}
	ag := &victim{t: t, role: "agent"}
	from := -120
	ag.args = func() []string {
		from = max(from, ag.sec) + 120
		return []string{filepath.Join(dir, "agent"), "http://" + addr, strconv.Itoa(from)}
	}
	live := func() {
		t.Helper()
		col.start()
		waitFor(t, "http://"+addr+"/healthz")
		ag.start()
		time.Sleep(time.Second)
		ag.kill()
		col.kill()
	}
	live()
	st, err := duckdb.Open(t.Context(), data, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := st.CloseDays(t.Context(), time.Now().AddDate(0, 0, 1)); n == 0 || err != nil {
		t.Fatalf("%d days closed, %v", n, err)
	}
	closed, err := st.Counts(t.Context())
	if err != nil || closed.Batches == 0 {
		t.Fatalf("counts = %+v, %v", closed, err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	live()
	if err := os.Truncate(filepath.Join(data, "gpumeter.duckdb"), 5000); err != nil {
		t.Fatal(err)
	}
	out, err := gpumeter(t, "store", "rebuild", "--data", data)
	if err != nil || !strings.Contains(out, "what was in "+data+" is in ") {
		t.Fatalf("rebuild: %q, %v", out, err)
	}
	st, err = duckdb.Open(t.Context(), data, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if counts, err := st.Counts(t.Context()); err != nil || counts != closed {
		t.Errorf("rebuilt counts = %+v, %v, want those of the day's end, %+v", counts, err, closed)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	live()
	col.start()
	waitFor(t, "http://"+addr+"/healthz")
	drain := &victim{t: t, role: "agent", args: func() []string { return []string{filepath.Join(dir, "agent"), "http://" + addr, "drain"} }}
	drain.start()
	<-drain.done
	if err := drain.cmd.Wait(); err != nil {
		t.Fatalf("drain: %v", err)
	}
	col.kill()
	checkKilled(t, dir, ag)
}
