package nvml_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/metric"
)

func TestReaderNamesEveryGPU(t *testing.T) {
	n := start(t, "gpus 3 h100\n")
	f := n.until("with three good looks", good(3))
	t.Logf("%+v", f)
	_ = metric.Good
}
