package dcgm_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
	"github.com/gpumeter/gpumeter/metric"
)

// value returns what is written for one value under one name.
func value(t *testing.T, names dcgm.Names, name string, unit metric.Unit, v float64) string {
	t.Helper()
	d := &metric.Desc{Name: "gpu.x", Unit: unit, DCGM: name, DCGMOld: name}
	s := node()
	s.Frame.Looks[0].Readings = []metric.Reading{{Desc: d, Value: v}}
	e, err := dcgm.New(dcgm.Options{
		Snapshot: func() exporters.Snapshot { return s }, Known: []*metric.Desc{d}, Now: func() time.Time { return now },
		Names: names, Counters: []dcgm.Counter{{Field: name, Type: "gauge", Help: "X."}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, out, _ := strings.Cut(string(e.AppendText(nil)), "} ")
	return strings.TrimSuffix(out, "\n")
}

// TestUnitsAreDCGMs has a line for each rule: a name that says its unit is in
// it, and all others in what DCGM has always had.
func TestUnitsAreDCGMs(t *testing.T) {
	f := func(name string, unit metric.Unit, v float64, want string) {
		t.Helper()
		if got := value(t, dcgm.OldNames, name, unit, v); got != want {
			t.Errorf("%s of %v %s: %q, want %q", name, v, unit, got, want)
		}
	}
	f("DCGM_FI_DEV_MEM_COPY_UTIL", metric.Ratio, 0.57, "57")
	f("DCGM_FI_DEV_GPU_UTIL_RATIO", metric.Ratio, 0.29, "29")
	f("DCGM_FI_PROF_SM_ACTIVE", metric.Ratio, 2.0/3, "0.666667")
	f("DCGM_FI_DEV_NVLINK_SYMBOL_BER_RATIO", metric.Ratio, 0.5, "0.500000")
	f("DCGM_FI_DEV_FB_USED_PERCENT", metric.Ratio, 0.5, "0.500000")
	f("DCGM_FI_DEV_FB_USED", metric.Bytes, 2<<20-1, "1")
	f("DCGM_FI_DEV_BAR1_TOTAL", metric.Bytes, 128<<30, "131072")
	f("DCGM_FI_DEV_NVLINK_TX_BYTES_TOTAL", metric.Bytes, 123, "123")
	f("DCGM_FI_DEV_FB_USED_BYTES", metric.Bytes, 123, "123")
	f("DCGM_FI_PROF_PCIE_TX_BYTES", metric.BytesPerSecond, 1e9+0.6, "1000000001")
	f("DCGM_FI_DEV_SM_CLOCK", metric.Hertz, 1980e6, "1980")
	f("DCGM_FI_DEV_SM_CLOCK_HERTZ", metric.Hertz, 1980e6, "1980000000")
	f("DCGM_FI_DEV_POWER_USAGE", metric.Watts, 74.123, "74.123000")
	f("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", metric.Joules, 0.0015, "2")
	f("DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL", metric.Joules, 1.9, "1")
	f("DCGM_FI_DEV_POWER_VIOLATION", metric.Seconds, 1.5, "1500000000")
	f("DCGM_FI_DEV_GPU_POWER_THROTTLE_SECONDS_TOTAL", metric.Seconds, 1.5, "1.500000")
	f("DCGM_FI_DEV_GPU_TEMP", metric.Celsius, 54, "54")
	f("DCGM_FI_DEV_GPU_TEMP_LIMIT", metric.Celsius, -3, "-3")
	f("DCGM_FI_DEV_PSTATE", metric.Count, 0, "0")
	f("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", metric.Count, 1e19, "")
	if got := value(t, dcgm.BaseNames, "DCGM_FI_DEV_GPU_UTIL_RATIO", metric.Ratio, 0.29); got != "0.290000" {
		t.Errorf("utilisation since DCGM 4.7: %q, want 0–1", got)
	}
}

// TestConversionAgreesWithWholeNumbers compares with the driver's own units in
// integers: there and back again nothing is lost.
func TestConversionAgreesWithWholeNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := r.Uint64N(1 << 48)
		for _, c := range []struct {
			name  string
			unit  metric.Unit
			v     float64
			whole uint64
		}{
			{"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", metric.Joules, float64(n) * 1e-3, n},
			{"DCGM_FI_DEV_POWER_VIOLATION", metric.Seconds, float64(n) * 1e-9, n},
			{"DCGM_FI_DEV_FB_FREE", metric.Bytes, float64(n), n >> 20},
			{"DCGM_FI_DEV_SM_CLOCK", metric.Hertz, float64(n%10000) * 1e6, n % 10000},
			{"DCGM_FI_DEV_GPU_UTIL", metric.Ratio, float64(n%101) * 0.01, n % 101},
		} {
			if got := value(t, dcgm.OldNames, c.name, c.unit, c.v); got != fmt.Sprint(c.whole) {
				t.Fatalf("%s: %s, want %d", c.name, got, c.whole)
			}
		}
	}
}

// TestEveryNameOfTheTableCanBeShown asks for all of them at once.
func TestEveryNameOfTheTableCanBeShown(t *testing.T) {
	var cs []dcgm.Counter
	want := map[dcgm.Names]map[string]bool{dcgm.OldNames: {}, dcgm.NewNames: {}}
	s := node()
	for _, d := range known() {
		s.Frame.Looks[0].Readings = append(s.Frame.Looks[0].Readings, metric.Reading{Desc: d, Value: 1})
		for names, name := range map[dcgm.Names]string{dcgm.OldNames: d.DCGMOld, dcgm.NewNames: d.DCGM} {
			if name != "" {
				cs = append(cs, dcgm.Counter{Field: name, Type: d.Kind.String(), Help: d.Help})
				want[names][name] = true
			}
		}
	}
	for names, wanted := range want {
		var log bytes.Buffer
		got := parse(t, page(t, s, dcgm.Options{Names: names, Counters: cs, Log: slog.New(slog.NewTextHandler(&log, nil))}))
		for name := range wanted {
			if got[name] == nil {
				t.Errorf("%s: no %s; log %s", names, name, log.String())
			}
		}
		t.Logf("%s: %d names", names, len(got))
	}
}
