package meter_test

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/usage"
)

func TestStartSaysWhenTheNodeBooted(t *testing.T) {
	m := meter.New(meter.Config{Holders: held("ada")}, meter.State{})
	f := frame(90*time.Second, second("a", 90, 1))
	m.Observe(f)
	m.Event(usage.EventAgentStart, "1.0")
	m.Observe(frame(91*time.Second, second("a", 91, 1)))
	for _, c := range m.Flush() {
		for _, e := range c.Events {
			if e.Kind == usage.EventAgentStart {
				if want := f.Wall.Add(-f.Boot).UnixMilli(); e.Value != want || e.AtMs != f.Wall.UnixMilli() {
					t.Errorf("start = %+v, want the boot at %d", e, want)
				}
				return
			}
		}
	}
	t.Error("no start on record")
}
