//go:build e2e_clickhouse

package clickhouse_test

import (
	"os"
	"os/exec"
	"testing"
)

// conforms runs the tests of the store's own package on some servers.
func conforms(t *testing.T, c *cluster) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=20m", "-v", "../../collector/store/clickhouse")
	cmd.Env = append(os.Environ(), "GPUMETER_CLICKHOUSE="+c.store("test"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestStoreConformsOnOneNode(t *testing.T) { conforms(t, startServers(t, 1, 1)) }

func TestStoreConformsOnACluster(t *testing.T) { conforms(t, startServers(t, 2, 2)) }
