package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shirou/gopsutil/v3/disk"

	"github.com/gpumeter/gpumeter/metric"
)

var filesystemRows = []row[disk.UsageStat]{
	{metric.Desc{Name: "host.filesystem.total", Unit: metric.Bytes, Help: "Size of the filesystem.",
		Labels: []metric.Label{{Name: "path"}},
		OTel:   metric.Alias{Name: "system.filesystem.limit", Attributes: []metric.Label{{Name: "system.filesystem.mountpoint"}}}},
		func(u *disk.UsageStat) float64 { return float64(u.Total) }},
	filesystem("used", "Space in use.", func(u *disk.UsageStat) float64 { return float64(u.Used) }),
	filesystem("free", "Space that users may still take.", func(u *disk.UsageStat) float64 { return float64(u.Free) }),
	filesystem("reserved", "Space that only root may still take.",
		func(u *disk.UsageStat) float64 { return float64(u.Total - min(u.Total, u.Used+u.Free)) }),
}

func filesystem(state, help string, value func(*disk.UsageStat) float64) row[disk.UsageStat] {
	return row[disk.UsageStat]{metric.Desc{Name: "host.filesystem." + state, Unit: metric.Bytes, Help: help,
		Labels: []metric.Label{{Name: "path"}},
		OTel: metric.Alias{Name: "system.filesystem.usage",
			Attributes: []metric.Label{{Name: "system.filesystem.mountpoint"}, {Name: "system.filesystem.state", Value: state}}}}, value}
}

// readFilesystems reads the root filesystem and the one that the state folder
// is on, which may be the same.
func readFilesystems(ctx context.Context, d *devices[disk.UsageStat], state string) ([]metric.Reading, error) {
	root := os.Getenv("HOST_ROOT")
	if root == "" {
		root = "/"
	}
	there := map[string]*disk.UsageStat{}
	u, err := disk.UsageWithContext(ctx, root)
	if err != nil {
		err = fmt.Errorf("read filesystem %s: %w", root, err)
	} else {
		there["/"] = u
	}
	if state != "" {
		err = errors.Join(err, readState(ctx, there, state))
	}
	return d.read(there), err
}

func readState(ctx context.Context, there map[string]*disk.UsageStat, state string) error {
	mount, err := mountpoint(state)
	if err != nil {
		return fmt.Errorf("read filesystem of %s: %w", state, err)
	}
	if there[mount] != nil {
		return nil
	}
	u, err := disk.UsageWithContext(ctx, mount)
	if err != nil {
		return fmt.Errorf("read filesystem %s: %w", mount, err)
	}
	there[mount] = u
	return nil
}

// mountpoint returns the uppermost folder on the path of a folder that is on the
// same filesystem.
func mountpoint(folder string) (string, error) {
	at, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if at, err = filepath.EvalSymlinks(at); err != nil {
		return "", err
	}
	dev, err := device(at)
	for err == nil && at != "/" {
		var above uint64
		up := filepath.Dir(at)
		if above, err = device(up); err == nil && above != dev {
			return at, nil
		}
		at = up
	}
	return at, err
}

func device(name string) (uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", name, err)
	}
	return st.Dev, nil
}
