package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/agent/xid"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// KernelLog reads the driver's error reports from the kernel's log.
// *kmsg.Reader is one.
type KernelLog interface {
	// Run follows the log until ctx ends.
	Run(ctx context.Context) error
	// Take returns what was read since the last Take, without waiting.
	Take() kmsg.Taken
	Stats() kmsg.Stats
}

// xidKey names the errors' state in the spool.
const xidKey = "xid"

// xidState is what has to go on where it left off: the counters, and the place
// in the kernel's log up to which they counted.
type xidState struct {
	Kernel kmsg.Position `json:"kernel"`
	Xids   xid.State     `json:"xids"`
}

// errorCounts merges and counts the errors of both sources. It is of the loop
// only.
type errorCounts struct {
	merger   *xid.Merger
	log      KernelLog     // nil: off
	position kmsg.Position // after what was merged
	full     func()        // says once that there is no room for more counters
	veiled   bool          // no process is named
}

// newErrorCounts goes on where the spool left off. A state that cannot be read
// is left out: the counters begin anew, no record is lost.
func newErrorCounts(cfg *Config) (*errorCounts, error) {
	raw, err := cfg.Spool.State(xidKey)
	if err != nil {
		return nil, fmt.Errorf("read the errors' state: %w", err)
	}
	var s xidState
	if raw != nil {
		if err := json.Unmarshal(raw, &s); err != nil {
			cfg.Log.Warn("errors' state is damaged and left out: their counters begin anew", "err", err)
			s = xidState{}
		}
	}
	log := cfg.Log
	c := &errorCounts{merger: xid.New(cfg.BootID, s.Xids), position: s.Kernel, full: sync.OnceFunc(func() {
		log.Warn("errors of more GPUs and codes than are counted: the rest are events only")
	})}
	if cfg.KernelLog != nil {
		c.log = cfg.KernelLog(s.Kernel)
	}
	return c, nil
}

// merge replaces the errors of a frame by those of both sources.
func (c *errorCounts) merge(f *metric.Frame) {
	var k xid.Kernel
	if c.log != nil {
		t := c.log.Take()
		k = xid.Kernel{Xids: t.Xids, Up: c.log.Stats().Up}
		if t.Position.BootID != "" {
			c.position = t.Position
		}
	}
	f.Xids = c.merger.Merge(f, k)
	for i := range f.Xids {
		if c.veiled {
			f.Xids[i].Detail = usage.WithoutProcess(f.Xids[i].Detail)
		}
	}
	if c.merger.Dropped() > 0 {
		c.full()
	}
}

// state is stored with the window whose events it has counted, never alone:
// what a kill takes from the open window is read from the kernel's log again.
func (c *errorCounts) state() ([]byte, error) {
	b, err := json.Marshal(xidState{c.position, c.merger.State()})
	if err != nil {
		return nil, fmt.Errorf("encode the errors' state: %w", err)
	}
	return b, nil
}

// readings says how reading the kernel's log goes; nothing if it is off.
func (c *errorCounts) readings() []metric.Reading {
	if c.log == nil {
		return nil
	}
	return c.log.Stats().Readings()
}
