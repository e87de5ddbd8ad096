package agent_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/sim/metadata"
	"github.com/gpumeter/gpumeter/usage"
)

const linkLocal = "169.254.169.254:80"

// p5 is an instance that has eight H100.
var p5 = metadata.Instance{Account: "123456789012", Region: "us-east-1", Zone: "us-east-1a", Type: "p5.48xlarge", ID: "i-1", NodePool: "blue"}

// inAWS has an agent ask the services of a network.
func inAWS(t *testing.T, n *metadata.Network) func(*agent.Config) {
	return func(c *agent.Config) {
		c.Cloud = cloud.New(cloud.Config{
			Given: usage.Cloud{Provider: "aws", Reservation: "cr-1"}, Root: t.TempDir(), Dial: n.Dial, Getenv: func(string) string { return "" },
		})
	}
}

func TestEveryBatchSaysWhereTheNodeStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n metadata.Network
		defer n.Close()
		n.Serve(linkLocal, metadata.AWS(p5))
		_, _, stop := start(t, t.TempDir(), "", inAWS(t, &n))
		time.Sleep(5 * time.Minute)
		green := p5
		green.NodePool = "green"
		n.Serve(linkLocal, metadata.AWS(green))
		time.Sleep(15 * time.Minute)
		bs := stop()
		for i, b := range bs {
			want := usage.Cloud{Provider: "aws", Account: p5.Account, Region: p5.Region, Zone: p5.Zone, InstanceType: p5.Type, InstanceID: p5.ID, Reservation: "cr-1", NodePool: "blue"}
			if i == len(bs)-1 {
				want.NodePool = "green"
			}
			if i < 5 || i == len(bs)-1 {
				if b.Node.Cloud != want || b.Node.ExpectedGPUs != 8 {
					t.Errorf("batch %d: %+v, want %+v and 8 expected GPUs", i, b.Node, want)
				}
			}
			if err := b.Check(); err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
		}
	})
}

// unhealthy returns the unhealthy time of a node's slots, and how many there are.
func unhealthy(bs []usage.Batch) (ms int64, slots int) {
	ids := map[string]bool{}
	for _, b := range bs {
		for _, r := range b.Records {
			if usage.IsSlot(r.GPU) {
				ids[r.GPU] = true
				ms += r.UnhealthyMs
			}
		}
	}
	return ms, len(ids)
}

func TestNodeThatShowsOneOfEightHasSevenMissingSiblings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n metadata.Network
		defer n.Close()
		n.Serve(linkLocal, metadata.AWS(p5))
		a, _, stop := start(t, t.TempDir(), "", inAWS(t, &n))
		time.Sleep(time.Minute)
		s := status(t, a)
		if s.Expected != 8 || s.Missing != 7 {
			t.Errorf("status: %d of %d missing", s.Missing, s.Expected)
		}
		if ms, slots := unhealthy(stop()); slots != 7 || ms < 7*59_000 {
			t.Errorf("%d slots are unhealthy for %d ms, want 7 for a minute each", slots, ms)
		}
	})
}

func TestExpectedGPUsOfTheOperatorCount(t *testing.T) {
	for expected, elsewhere := range map[int]int{1: 0, 2: 0, 3: 1} {
		synctest.Test(t, func(t *testing.T) {
			var n metadata.Network
			defer n.Close()
			n.Serve(linkLocal, metadata.AWS(p5))
			_, _, stop := start(t, t.TempDir(), "", inAWS(t, &n), func(c *agent.Config) {
				c.ExpectedGPUs, c.Elsewhere = expected, func(*metric.Frame) int { return elsewhere }
			})
			time.Sleep(time.Minute)
			ms, slots := unhealthy(stop())
			if want := expected - 1 - elsewhere; slots != expected-1 || ms < int64(want)*59_000 || ms > int64(want)*60_000 {
				t.Errorf("of %d expected, %d elsewhere: %d slots, unhealthy for %d ms", expected, elsewhere, slots, ms)
			}
		})
	}
}

// TestServiceThatComesLateIsHeard holds that an agent whose cloud does not
// answer meters all the same, says so, and asks again.
func TestServiceThatComesLateIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n metadata.Network
		defer n.Close()
		a, _, stop := start(t, t.TempDir(), "", inAWS(t, &n))
		time.Sleep(15 * time.Second)
		if s := status(t, a); s.Cloud.Failed["aws"] == "" || s.Cloud.From["reservation"] != "config" || s.Expected != 0 {
			t.Errorf("status: %+v", s)
		}
		if !slices.ContainsFunc(a.Snapshot().Host, func(r metric.Reading) bool { return r.Desc.Name == "gpumeter.cloud.source.failing" }) {
			t.Error("no metric says that the source fails")
		}
		n.Serve(linkLocal, metadata.AWS(p5))
		time.Sleep(2 * time.Minute)
		if s := status(t, a); len(s.Cloud.Failed) > 0 || s.Cloud.Cloud.Account != p5.Account || s.Missing != 7 {
			t.Errorf("status: %+v", s)
		}
		bs := stop()
		if last := bs[len(bs)-1].Node; bs[0].Node.Cloud.Provider != "aws" || last.Cloud.Account != p5.Account || last.ExpectedGPUs != 8 {
			t.Errorf("nodes %+v … %+v", bs[0].Node, last)
		}
	})
}

// TestRestartKeepsTheIdentityWhileTheCloudIsSilent holds that neither a contract
// loses its GPUs nor a missing sibling is forgotten because a metadata service
// has a bad day.
func TestRestartKeepsTheIdentityWhileTheCloudIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var well, ill metadata.Network
		defer well.Close()
		well.Serve(linkLocal, metadata.AWS(p5))
		ill.Silence(linkLocal)
		ill.Silence("[fd00:ec2::254]:80")
		boot := "1"
		booted := func(c *agent.Config) { c.BootID = boot }
		_, _, stop := start(t, dir, "", inAWS(t, &well), booted)
		time.Sleep(30 * time.Second)
		stop()
		began := time.Now()
		a, _, stop := start(t, dir, "", inAWS(t, &ill), booted)
		time.Sleep(4 * time.Second)
		if a.Stats().Frames == 0 {
			t.Errorf("no frame %s after the start", time.Since(began))
		}
		time.Sleep(time.Minute)
		bs := stop()
		if n := bs[len(bs)-1].Node.ExpectedGPUs; n != 8 {
			t.Errorf("%d GPUs expected, want 8 as before", n)
		}
		for _, b := range bs {
			for _, e := range b.Events {
				if e.Kind == usage.EventGoodbye {
					t.Errorf("goodbye of %s", e.GPU)
				}
			}
		}
		if c := bs[len(bs)-1].Node.Cloud; c.Account != p5.Account || c.InstanceType != p5.Type {
			t.Errorf("after the restart it stands in %+v", c)
		}
		boot = "2" // perhaps another machine
		_, _, stop = start(t, dir, "", inAWS(t, &ill), booted)
		time.Sleep(10 * time.Second)
		bs = stop()
		if c := bs[len(bs)-1].Node.Cloud; c != (usage.Cloud{Provider: "aws", Reservation: "cr-1"}) {
			t.Errorf("after a reboot it stands in %+v", c)
		}
	})
}

func status(t *testing.T, a *agent.Agent) agent.Status {
	t.Helper()
	w := httptest.NewRecorder()
	a.ControlHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/status", nil))
	var s agent.Status
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}
