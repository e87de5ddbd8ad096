package otlp

import (
	"strings"

	"github.com/gpumeter/gpumeter/metric"
)

// kind is OpenTelemetry's kind of an instrument.
type kind uint8

const (
	gauge   kind = iota
	counter      // only grows, until it is reset
	upDown       // adds up over subjects, and goes up and down
)

// instrument is what OpenTelemetry knows of all values of one name.
type instrument struct {
	name string
	kind kind
	unit string // UCUM
	help string
}

// units are the UCUM spellings of our units. A plain count has none: "1" would
// call it a share.
var units = map[metric.Unit]string{
	metric.Ratio: "1", metric.Bytes: "By", metric.Seconds: "s", metric.Joules: "J", metric.Watts: "W",
	metric.Celsius: "Cel", metric.Hertz: "Hz", metric.BytesPerSecond: "By/s",
}

// conventions are the metrics of the semantic conventions that we may send,
// with the instruments and units that they have there.
var conventions = []instrument{
	{"hw.gpu.utilization", gauge, "1", "Share of time in which the GPU was busy with a task."},
	{"hw.gpu.memory.usage", upDown, "By", "Memory of the GPU in use."},
	{"hw.gpu.memory.limit", upDown, "By", "Memory of the GPU."},
	{"hw.gpu.memory.utilization", gauge, "1", "Share of the GPU's memory in use."},
	{"hw.gpu.io", counter, "By", "Bytes that the GPU received and transmitted."},
	{"hw.errors", counter, "{error}", "Errors of the component, by type."},
	{"hw.status", upDown, "1", "1 for the state that the component is in, 0 for the others."},
	{"hw.energy", counter, "J", "Energy that the component used."},
	{"hw.power", gauge, "W", "Power draw of the component."},
	{"hw.temperature", gauge, "Cel", "Temperature."},
	{"hw.temperature.limit", gauge, "Cel", "Limit of a temperature."},
	{"hw.fan.speed", gauge, "rpm", "Speed of a fan."},
	{"hw.fan.speed_ratio", gauge, "1", "Speed of a fan as a share of its highest."},
	{"hw.host.power", gauge, "W", "Power draw of the host."},
	{"hw.host.energy", counter, "J", "Energy that the host used."},

	{"system.cpu.time", counter, "s", "Time of the CPUs, by mode."},
	{"system.cpu.utilization", gauge, "1", "Share of time in which the CPUs were busy, by mode."},
	{"system.cpu.frequency", gauge, "Hz", "Clock frequency of the CPUs."},
	{"system.cpu.logical.count", upDown, "{cpu}", "Logical CPUs."},
	{"system.cpu.physical.count", upDown, "{cpu}", "CPU cores."},
	{"system.memory.usage", upDown, "By", "Memory of the node, by state."},
	{"system.memory.limit", upDown, "By", "Memory of the node."},
	{"system.memory.utilization", gauge, "1", "Share of the node's memory, by state."},
	{"system.memory.linux.available", upDown, "By", "Memory that can be had without swapping."},
	{"system.memory.linux.shared", upDown, "By", "Shared memory."},
	{"system.paging.usage", upDown, "By", "Swap space, by state."},
	{"system.paging.utilization", gauge, "1", "Share of the swap space, by state."},
	{"system.paging.faults", counter, "{fault}", "Page faults."},
	{"system.paging.operations", counter, "{operation}", "Pages swapped in and out."},
	{"system.disk.io", counter, "By", "Bytes read from and written to disks."},
	{"system.disk.io_time", counter, "s", "Time for which disks were busy."},
	{"system.disk.operations", counter, "{operation}", "Reads and writes of disks."},
	{"system.disk.operation_time", counter, "s", "Time that reads and writes of disks took, added up."},
	{"system.disk.merged", counter, "{operation}", "Reads and writes of disks that were merged with others."},
	{"system.disk.limit", upDown, "By", "Size of disks."},
	{"system.filesystem.usage", upDown, "By", "Space of file systems, by state."},
	{"system.filesystem.limit", upDown, "By", "Size of file systems."},
	{"system.filesystem.utilization", gauge, "1", "Share of the space of file systems, by state."},
	{"system.network.io", counter, "By", "Bytes received and transmitted."},
	{"system.network.packet.count", counter, "{packet}", "Packets received and transmitted."},
	{"system.network.packet.dropped", counter, "{packet}", "Packets dropped without an error."},
	{"system.network.errors", counter, "{error}", "Errors of network interfaces."},
	{"system.network.connection.count", upDown, "{connection}", "Network connections."},
	{"system.process.count", upDown, "{process}", "Processes, by state."},
	{"system.process.created", counter, "{process}", "Processes that were started."},
	{"system.uptime", gauge, "s", "Time since the node was started."},
}

// conventional returns the row of a name.
func conventional(name string) (instrument, bool) {
	for _, c := range conventions {
		if c.name == name {
			return c, true
		}
	}
	return instrument{}, false
}

// instrumentOf returns the instrument of a metric: the convention's where there
// is one, else our own.
func instrumentOf(d *metric.Desc) instrument {
	if c, ok := conventional(d.OTel.Name); ok {
		return c
	}
	own := instrument{name: d.Name, unit: units[d.Unit], help: d.Help}
	if d.OTel.Name != "" {
		own.name = d.OTel.Name
	}
	if d.Kind == metric.Counter {
		own.kind = counter
		if d.Unit == metric.Seconds && d.OTel.Name == "" && !strings.HasSuffix(own.name, ".time") {
			own.name += ".time"
		}
	}
	return own
}
