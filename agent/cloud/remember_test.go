package cloud_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/sim/metadata"
	"github.com/gpumeter/gpumeter/usage"
)

func TestIdentityOutlivesARestartInSilence(t *testing.T) {
	for _, r := range rents {
		t.Run(r.provider, func(t *testing.T) {
			var well, none metadata.Network
			defer well.Close()
			well.Serve(r.addresses[0], r.service(r.instance))
			root := r.root(t)
			before := cloud.New(config(root, &well)).Look(t.Context())

			f := cloud.New(config(root, &none))
			f.Remember(before)
			got := f.Look(t.Context())
			if d := cmp.Diff(before.Cloud, got.Cloud); d != "" || !cmp.Equal(before.From, got.From) || before.Signed != got.Signed {
				t.Errorf("after the restart (-before +after):\n%s\nfrom %v, before %v", d, got.From, before.From)
			}
			if got.Failed[r.provider] == "" {
				t.Error("the silence is no failure")
			}
		})
	}
}

// TestMemoryGivesWay holds that what is remembered is heard where nobody says
// better, and never of another provider.
func TestMemoryGivesWay(t *testing.T) {
	r := rents[0]
	var n metadata.Network
	defer n.Close()
	other := r.instance
	other.ID, other.Zone, other.Cluster = "i-other", "us-east-1a", ""
	n.Serve(r.addresses[0], r.service(other))
	f := cloud.New(config(r.root(t), &n))
	f.Remember(cloud.Found{
		Cloud: usage.Cloud{Provider: "aws", Zone: "us-east-1d", InstanceID: "i-0", Cluster: "old", Rack: "<rack>"},
		From:  map[string]string{"provider": "dmi", "zone": "aws", "instance_id": "aws", "cluster": "aws", "rack": "node"},
	})
	if got := f.Look(t.Context()); got.Cloud.InstanceID != "i-other" || got.Cloud.Zone != "us-east-1a" || got.Cloud.Cluster != "" || got.Cloud.Rack != "" || len(got.Failed) > 0 {
		t.Errorf("found %+v", got)
	}
	for _, c := range []cloud.Config{{Given: usage.Cloud{Provider: "azure"}}, {Off: true}} {
		c.Root, c.Getenv, c.Dial = t.TempDir(), nothing, n.Dial
		f := cloud.New(c)
		f.Remember(cloud.Found{Cloud: usage.Cloud{Provider: "aws", Zone: "z"}, From: map[string]string{"provider": "aws", "zone": "aws"}})
		if got := f.Look(t.Context()); got.Cloud != c.Given || got.Failed["aws"] != "" {
			t.Errorf("%+v: found %+v", c.Given, got)
		}
	}
}
