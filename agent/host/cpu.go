package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v3/cpu"
	gohost "github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/load"

	"github.com/gpumeter/gpumeter/metric"
)

// cpuRows are the modes of OpenTelemetry's conventions. They add up to the time
// of all CPUs: time of guests is in user and nice.
var cpuRows = []row[cpu.TimesStat]{
	cpuTime("user", func(t *cpu.TimesStat) float64 { return t.User }),
	cpuTime("nice", func(t *cpu.TimesStat) float64 { return t.Nice }),
	cpuTime("system", func(t *cpu.TimesStat) float64 { return t.System }),
	cpuTime("interrupt", func(t *cpu.TimesStat) float64 { return t.Irq + t.Softirq }),
	cpuTime("iowait", func(t *cpu.TimesStat) float64 { return t.Iowait }),
	cpuTime("steal", func(t *cpu.TimesStat) float64 { return t.Steal }),
	cpuTime("idle", func(t *cpu.TimesStat) float64 { return t.Idle }),
}

func cpuTime(mode string, value func(*cpu.TimesStat) float64) row[cpu.TimesStat] {
	return row[cpu.TimesStat]{metric.Desc{Name: "host.cpu.time", Unit: metric.Seconds, Kind: metric.Counter,
		Help:   "Time of all CPUs since boot, by what they did; the sum over the modes grows by the number of CPUs in a second.",
		Labels: []metric.Label{{Name: "mode", Value: mode}},
		OTel:   metric.Alias{Name: "system.cpu.time", Attributes: []metric.Label{{Name: "cpu.mode", Value: mode}}}}, value}
}

// cpuTimes reads the times of all CPUs. It is for one goroutine.
type cpuTimes struct{ last []metric.Reading }

// backstep is by how many seconds a time may fall without having begun anew: the
// kernel's idle and iowait times of sleeping CPUs are estimates, which it takes
// back by a little, and a counter that falls is taken for a new one.
const backstep = 60

func (c *cpuTimes) read(ctx context.Context) ([]metric.Reading, error) {
	all, err := cpu.TimesWithContext(ctx, false)
	if err == nil && len(all) != 1 {
		err = errors.New("no line of all CPUs in stat") // gopsutil keeps what went wrong to itself
	}
	if err != nil {
		return nil, fmt.Errorf("read CPU times: %w", err)
	}
	out := read(cpuRows, &all[0])
	for i := range c.last {
		if was := c.last[i].Value; out[i].Value < was && out[i].Value > was-backstep {
			out[i].Value = was
		}
	}
	c.last = out
	return out, nil
}

// averages are the load averages and the uptime.
type averages struct {
	load.AvgStat
	uptime uint64 // s
}

var loadRows = []row[averages]{
	loadAverage("1m", func(a *averages) float64 { return a.Load1 }),
	loadAverage("5m", func(a *averages) float64 { return a.Load5 }),
	loadAverage("15m", func(a *averages) float64 { return a.Load15 }),
	{metric.Desc{Name: "host.uptime", Unit: metric.Seconds, Help: "Time since the node booted, sleep included.",
		OTel: metric.Alias{Name: "system.uptime"}}, func(a *averages) float64 { return float64(a.uptime) }},
}

func loadAverage(over string, value func(*averages) float64) row[averages] {
	return row[averages]{metric.Desc{Name: "host.load", Help: "Processes that run, wait for a CPU or sleep uninterruptibly, averaged.",
		Labels: []metric.Label{{Name: "over", Value: over}}}, value}
}

func readLoad(ctx context.Context) ([]metric.Reading, error) {
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read load: %w", err)
	}
	up, err := gohost.UptimeWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read uptime: %w", err)
	}
	return read(loadRows, &averages{*avg, up}), nil
}
