package kmsg

import (
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// scanLimit bounds how long a scan takes while the log grows.
const scanLimit = 5 * time.Second

// Scanned is what the log holds of this boot.
type Scanned struct {
	Xids []metric.Xid // in the order of the log
	// Records is how many records were read. Lost counts those that the kernel
	// has overwritten since it booted.
	Records, Lost uint64
	// Firmware counts lines in which the driver says that a GPU's firmware does
	// not answer.
	Firmware uint64
}

// Scan reads the whole log once, whatever Config.From says, and does not wait
// for more. Its errors match fs.ErrPermission and fs.ErrNotExist.
func Scan(cfg Config) (Scanned, error) {
	cfg.From = Position{BootID: "another than " + cfg.BootID}
	r := New(cfg)
	src, err := r.cfg.Open()
	if err != nil {
		return Scanned{}, fmt.Errorf("scan the kernel log: %w", err)
	}
	defer src.Close()
	t := tail{src: src, clock: r.cfg.Clock, injected: cfg.Injected}
	for began := t.clock().Boot; !t.live && t.clock().Boot-began < scanLimit; {
		b, readErr := t.read(time.Millisecond)
		r.add(b)
		if readErr != nil {
			err = fmt.Errorf("scan the kernel log: %w", readErr)
			break
		}
	}
	s := r.Stats()
	return Scanned{Xids: r.Take().Xids, Records: s.Records, Lost: s.Lost, Firmware: s.Firmware}, err
}
