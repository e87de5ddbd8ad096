package host

import (
	"context"
	"fmt"
	"regexp"

	"github.com/shirou/gopsutil/v3/disk"

	"github.com/gpumeter/gpumeter/metric"
)

var diskRows = []row[disk.IOCountersStat]{
	diskIO("read", func(d *disk.IOCountersStat) float64 { return float64(d.ReadBytes) }),
	diskIO("write", func(d *disk.IOCountersStat) float64 { return float64(d.WriteBytes) }),
	diskOperations("read", func(d *disk.IOCountersStat) float64 { return float64(d.ReadCount) }),
	diskOperations("write", func(d *disk.IOCountersStat) float64 { return float64(d.WriteCount) }),
	{metric.Desc{Name: "host.disk.busy", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time in which the disk had at least one operation under way.",
		Labels: []metric.Label{{Name: "device"}},
		OTel:   metric.Alias{Name: "system.disk.io_time", Attributes: []metric.Label{{Name: "system.device"}}}},
		func(d *disk.IOCountersStat) float64 { return float64(d.IoTime) / 1e3 }},
}

func diskIO(direction string, value func(*disk.IOCountersStat) float64) row[disk.IOCountersStat] {
	return row[disk.IOCountersStat]{metric.Desc{Name: "host.disk.io", Unit: metric.Bytes, Kind: metric.Counter, Help: "Bytes read from or written to the disk.",
		Labels: []metric.Label{{Name: "device"}, {Name: "direction", Value: direction}},
		OTel:   metric.Alias{Name: "system.disk.io", Attributes: []metric.Label{{Name: "system.device"}, {Name: "disk.io.direction", Value: direction}}}}, value}
}

func diskOperations(direction string, value func(*disk.IOCountersStat) float64) row[disk.IOCountersStat] {
	return row[disk.IOCountersStat]{metric.Desc{Name: "host.disk.operations", Kind: metric.Counter, Help: "Operations that the disk has completed.",
		Labels: []metric.Label{{Name: "device"}, {Name: "direction", Value: direction}},
		OTel:   metric.Alias{Name: "system.disk.operations", Attributes: []metric.Label{{Name: "system.device"}, {Name: "disk.io.direction", Value: direction}}}}, value}
}

// noDisk matches block devices that are no disks, and those whose bytes another
// device has already: partitions, and volumes made of several disks.
var noDisk = regexp.MustCompile(`^(` +
	`(loop|ram|zram|fd|sr|dm-|md)\d+.*|` + // memory, files, removable media, volumes
	`(sd|vd|xvd|hd)[a-z]+\d+|` + // partitions
	`(nvme\d+n\d+|mmcblk\d+|nbd\d+)p\d+|` +
	`mmcblk\d+(boot\d+|rpmb)` +
	`)$`)

func readDisks(ctx context.Context, d *devices[disk.IOCountersStat]) ([]metric.Reading, error) {
	all, err := disk.IOCountersWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read disks: %w", err)
	}
	there := make(map[string]*disk.IOCountersStat, len(all))
	for name, s := range all {
		if !noDisk.MatchString(name) {
			there[name] = &s
		}
	}
	return d.read(there), nil
}
