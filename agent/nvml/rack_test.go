package nvml_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/nvml"
)

// busyRack is a GB200 with what a H100 does not have: NVLink 5, a module, a
// link to its CPU.
const busyRack = `start now
root on
gpus 1 gb200
gpu 0 util 50
gpu 0 nvlink-faulty 3
gpu 0 nvlink-malformed 1
gpu 0 nvlink-overrun 2
gpu 0 nvlink-rx-errors 3
gpu 0 nvlink-rx-remote 4
gpu 0 nvlink-rx-general 5
gpu 0 nvlink-integrity 6
gpu 0 nvlink-discards 7
gpu 0 nvlink-recovery 8
gpu 0 nvlink-recovery-failed 9
gpu 0 nvlink-effective-errors 10
gpu 0 nvlink-symbol-errors 11
gpu 0 nvlink-effective-ber 2e-12
gpu 0 nvlink-symbol-ber 1.5e-9
gpu 0 nvlink-fec 44
gpu 0 c2c-errors 21
gpu 0 c2c-replays 22
gpu 0 c2c-replays-b2b 23
gpu 0 edpp 130
gpu 0 power-smoothing on
gpu 0 unrepairable on
gpu 0 odometer 31536000
`

// rackRows are the rows that busyRack is about, by the beginning of their names.
var rackRows = []string{"gpu.nvlink.errors", "gpu.nvlink.link.errors", "gpu.nvlink.link.recoveries", "gpu.nvlink.link.bit", "gpu.nvlink.link.fec",
	"gpu.c2c.", "gpu.module.", "gpu.power.edpp", "gpu.power.smoothing", "gpu.memory.unrepairable"}

func TestReaderReadsARack(t *testing.T) {
	t.Parallel()
	a := &answers{values: map[string]float64{
		"gpu.nvlink.errors{type=receive}": 3, "gpu.nvlink.errors{type=effective}": 10, "gpu.nvlink.errors{type=symbol}": 11,
		"gpu.nvlink.errors{type=recovery_succeeded}": 8, "gpu.nvlink.errors{type=recovery_failed}": 9,
		"gpu.module.power.average": 830, "gpu.module.power.instant": 830,
		"gpu.module.power.limit.enforced": 1350, "gpu.module.power.limit.requested": 1350, "gpu.module.power.limit.default": 1350,
		"gpu.module.power.limit.min": 350, "gpu.module.power.limit.max": 1350, "gpu.power.edpp.multiplier": 1.3,
		"gpu.power.smoothing.enabled": 1, "gpu.power.smoothing.ceiling": 1200, "gpu.power.smoothing.floor": 600,
		"gpu.power.smoothing.lifetime": 1, "gpu.power.smoothing.profile": 0,
		"gpu.memory.unrepairable": 1, "gpu.c2c.links": 5,
	}}
	for n, word := range []string{"malformed", "overrun", "receive", "remote", "general", "integrity", "discard"} {
		a.links(18, 3, "gpu.nvlink.link.errors", ",type="+word, float64(1+n), 0)
	}
	a.links(18, 3, "gpu.nvlink.link.errors", ",type=effective", 10, 0)
	a.links(18, 3, "gpu.nvlink.link.errors", ",type=symbol", 11, 0)
	a.links(18, 3, "gpu.nvlink.link.recoveries", ",result=succeeded", 8, 0)
	a.links(18, 3, "gpu.nvlink.link.recoveries", ",result=failed", 9, 0)
	a.links(18, 3, "gpu.nvlink.link.recoveries", ",result=any", 17, 0)
	a.links(18, 3, "gpu.nvlink.link.bit_error_rate", ",type=effective", 2e-12, 1.5e-254)
	a.links(18, 3, "gpu.nvlink.link.bit_error_rate", ",type=symbol", 1.5e-9, 1.5e-254)
	a.links(18, 3, "gpu.nvlink.link.fec", ",corrected=1", 44, 0)
	for bin := 2; bin < 16; bin++ {
		a.links(18, 3, "gpu.nvlink.link.fec", fmt.Sprintf(",corrected=%d", bin), 0, 0)
	}
	a.links(5, 0, "gpu.c2c.link.errors", ",type=crc", 21, 0)
	a.links(5, 0, "gpu.c2c.link.errors", ",type=replay", 22, 0)
	a.links(5, 0, "gpu.c2c.link.errors", ",type=replay_back_to_back", 23, 0)
	a.links(5, -1, "gpu.c2c.link.up", "", 0, 1)
	a.links(5, -1, "gpu.c2c.link.speed", "", 0, 44712e6)

	n := start(t, busyRack, func(c *nvml.Config) {
		c.Library, c.Groups = nvml.SimDir(t)+"/615/libnvidia-ml.so.1", []string{nvml.AllGroups}
	})
	l := n.until("with a good look", good(1)).Looks[0]
	got := map[string]float64{}
	for k, v := range values(l) {
		for _, prefix := range rackRows {
			if strings.HasPrefix(k, prefix) && !strings.HasSuffix(k, "corrected=0}") { // which grows
				got[k] = v
			}
		}
	}
	if d := cmp.Diff(a.values, got, cmp.Comparer(near)); d != "" {
		t.Errorf("readings (-want +got):\n%s", d)
	}
	if _, ok := values(l)["gpu.nvlink.io{direction=transmit}"]; !ok {
		t.Error("gpu.nvlink.io is absent: NVLink 5 has a field of its own for it")
	}
	if v := values(l)["gpu.board.loaded"]; v < 31536000 || v > 32e6+float64(nvml.BootClock()/time.Second) {
		t.Errorf("gpu.board.loaded = %v, want a year and the time since", v)
	}
	g := l.GPU
	if g.Architecture != "blackwell" || g.Platform.Chassis == "" || g.Platform.Slot != "1" || g.Platform.Tray != "0" || g.Platform.Module != "1" {
		t.Errorf("identity = %+v", g)
	}
}
