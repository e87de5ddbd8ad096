//go:build e2e_clickhouse

package clickhouse_test

import (
	"os"
	"os/exec"
	"testing"
)

// conforms runs tests of a package on some servers.
func conforms(t *testing.T, c *cluster, pkg, tests string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=40m", "-v", "-run", tests, "../../"+pkg)
	cmd.Env = append(os.Environ(), "GPUMETER_CLICKHOUSE="+c.store("test"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestStoreConformsOnOneNode(t *testing.T) {
	c := startServers(t, 1, 1)
	conforms(t, c, "collector/store/clickhouse", ".")
	conforms(t, c, "collector", "InClickHouse$")
}

func TestStoreConformsOnACluster(t *testing.T) {
	conforms(t, startServers(t, 2, 2), "collector/store/clickhouse", ".")
}
