package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v3/mem"

	"github.com/gpumeter/gpumeter/metric"
)

var memoryRows = []row[mem.VirtualMemoryStat]{
	{metric.Desc{Name: "host.memory.total", Unit: metric.Bytes, Help: "Memory that the kernel has.",
		OTel: metric.Alias{Name: "system.memory.limit"}},
		func(m *mem.VirtualMemoryStat) float64 { return float64(m.Total) }},
	{metric.Desc{Name: "host.memory.available", Unit: metric.Bytes, Help: "Memory that can be had without swapping, by the kernel's estimate.",
		OTel: metric.Alias{Name: "system.memory.linux.available"}},
		func(m *mem.VirtualMemoryStat) float64 { return float64(m.Available) }},
	memoryState("used", "Memory in use: total less available.",
		func(m *mem.VirtualMemoryStat) float64 { return float64(m.Total - min(m.Available, m.Total)) }),
	memoryState("free", "Memory that nothing is in.",
		func(m *mem.VirtualMemoryStat) float64 { return float64(m.Free) }),
	memoryState("cached", "Memory with pages of files and reclaimable kernel objects.",
		func(m *mem.VirtualMemoryStat) float64 { return float64(m.Cached) }),
	memoryState("buffers", "Memory with blocks of devices.",
		func(m *mem.VirtualMemoryStat) float64 { return float64(m.Buffers) }),
}

func memoryState(state, help string, value func(*mem.VirtualMemoryStat) float64) row[mem.VirtualMemoryStat] {
	return row[mem.VirtualMemoryStat]{metric.Desc{Name: "host.memory." + state, Unit: metric.Bytes, Help: help,
		OTel: metric.Alias{Name: "system.memory.usage", Attributes: []metric.Label{{Name: "system.memory.state", Value: state}}}}, value}
}

var swapRows = []row[mem.SwapMemoryStat]{
	swapState("used", "Swap space in use.", func(s *mem.SwapMemoryStat) float64 { return float64(s.Used) }),
	swapState("free", "Swap space that is not in use; 0 with nothing in use is a node without swap.",
		func(s *mem.SwapMemoryStat) float64 { return float64(s.Free) }),
}

func swapState(state, help string, value func(*mem.SwapMemoryStat) float64) row[mem.SwapMemoryStat] {
	return row[mem.SwapMemoryStat]{metric.Desc{Name: "host.swap." + state, Unit: metric.Bytes, Help: help,
		OTel: metric.Alias{Name: "system.paging.usage", Attributes: []metric.Label{{Name: "system.paging.state", Value: state}}}}, value}
}

func readMemory(ctx context.Context) ([]metric.Reading, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err == nil && m.Total == 0 {
		err = errors.New("no total in meminfo") // gopsutil keeps what went wrong to itself
	}
	if err != nil {
		return nil, fmt.Errorf("read memory: %w", err)
	}
	out := read(memoryRows, m)
	s, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return out, fmt.Errorf("read swap: %w", err)
	}
	return append(out, read(swapRows, s)...), nil
}
