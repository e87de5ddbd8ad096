package cloud_test

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/sim/metadata"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	linkLocal = "169.254.169.254:80"
	ipv6      = "[fd00:ec2::254]:80"
)

// rented is an instance of one cloud, as its firmware and its metadata service
// show it.
type rented struct {
	provider  string
	dmi       map[string]string
	files     map[string]string
	service   func(metadata.Instance) http.Handler
	instance  metadata.Instance
	addresses []string
}

var rents = []rented{
	{
		provider: "aws", dmi: map[string]string{"sys_vendor": "Amazon EC2", "product_name": "p5.48xlarge"},
		service: metadata.AWS, addresses: []string{linkLocal, ipv6},
		instance: metadata.Instance{
			Account: "111122223333", Region: "us-east-1", Zone: "us-east-1d", Type: "p5.48xlarge", ID: "i-0123456789abcdef0",
			Cluster: "train", NodePool: "h100", Signed: true,
		},
	},
	{
		provider: "azure", dmi: map[string]string{"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
		service: metadata.Azure, addresses: []string{linkLocal},
		instance: metadata.Instance{
			Account: "11111111-2222-3333-4444-555555555555", Region: "eastus", Zone: "2", Type: "Standard_ND96isr_H100_v5",
			ID: "02aab8a4-74ef-476e-8182-f6d2ba4166a6", ScaleSet: "aks-gpu-12345678-vmss", ResourceGroup: "MC_ml_train_eastus", Signed: true,
		},
	},
	{
		provider: "google", dmi: map[string]string{"sys_vendor": "Google", "product_name": "Google Compute Engine"},
		service: metadata.Google, addresses: []string{linkLocal},
		instance: metadata.Instance{
			Account: "example-ml-prod", Region: "us-central1", Zone: "us-central1-b", Type: "a3-ultragpu-8g", ID: "4520031799277581759",
			Cluster: "train", Rack: "4d1e/77a0/0b3c", Signed: true,
		},
	},
	{
		provider: "oracle", dmi: map[string]string{"chassis_asset_tag": "OracleCloud.com"},
		service: metadata.Oracle, addresses: []string{linkLocal},
		instance: metadata.Instance{
			Account: "ocid1.tenancy.oc1..exampletenancy", Region: "us-ashburn-1", Zone: "US-ASHBURN-AD-2", Type: "BM.GPU.GB200.4",
			ID: "ocid1.instance.oc1.iad.exampleinstance", Compartment: "ocid1.compartment.oc1..examplecompartment",
			Cluster: "ocid1.hpcisland.oc1.iad.exampleisland", Rack: "ocid1.computegpumemoryfabric.oc1.iad.examplefabric",
		},
	},
	{
		provider: "nebius", dmi: map[string]string{"sys_vendor": "QEMU"}, files: map[string]string{"mnt/cloud-metadata/instance-id": "computeinstance-e00example"},
		service: metadata.Nebius, addresses: []string{linkLocal},
		instance: metadata.Instance{
			Account: "project-e00example", Region: "eu-north1", Type: "gpu-h200-sxm_8gpu-128vcpu-1600gb", ID: "computeinstance-e00example",
			Cluster: "computegpucluster-e00example",
		},
	},
}

// root returns a node's files.
func (r rented) root(t testing.TB) string {
	files := map[string]string{}
	for name, text := range r.dmi {
		files["sys/class/dmi/id/"+name] = text
	}
	for name, text := range r.files {
		files[name] = text
	}
	return folder(t, files)
}

func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func nothing(string) string { return "" }

// config looks at the node's files, in no pod and no Slurm job.
func config(root string, n *metadata.Network) cloud.Config {
	return cloud.Config{Root: root, Getenv: nothing, Dial: n.Dial}
}

func golden(t *testing.T, name string, found cloud.Found) {
	t.Helper()
	found.At = time.Time{}
	got, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got, -update writes it):\n%s", file, diff)
	}
}

func TestLookFindsTheIdentityOfEachCloud(t *testing.T) {
	for _, r := range rents {
		t.Run(r.provider, func(t *testing.T) {
			var n metadata.Network
			defer n.Close()
			n.Serve(linkLocal, r.service(r.instance))
			f := cloud.New(config(r.root(t), &n))
			golden(t, r.provider, f.Look(t.Context()))
			if diff := cmp.Diff([]string{linkLocal}, n.Dialled()); diff != "" {
				t.Errorf("addresses dialled (-want +got):\n%s", diff)
			}
			if _, _, ok := cloud.Expected(r.provider, f.Cloud().InstanceType); !ok {
				t.Errorf("no number of GPUs is expected of %q", f.Cloud().InstanceType)
			}
		})
	}
}

// TestTroubleDoesNoHarm holds, for every cloud and trouble, what the package
// promises: three seconds at most, no other address, no value that is not
// fit to travel, and nothing made up.
func TestTroubleDoesNoHarm(t *testing.T) {
	for _, r := range rents {
		for _, trouble := range metadata.Troubles() {
			if trouble == metadata.NoToken && r.provider != "aws" || trouble == metadata.NoFlavor && r.provider != "google" {
				continue // this trouble is none to that cloud
			}
			t.Run(r.provider+"/"+string(trouble), func(t *testing.T) {
				root := r.root(t)
				synctest.Test(t, func(t *testing.T) {
					var n metadata.Network
					defer n.Close()
					n.Serve(linkLocal, metadata.With(trouble, r.service(r.instance)))
					n.Serve(ipv6, metadata.With(trouble, r.service(r.instance)))
					start := time.Now()
					found := cloud.New(config(root, &n)).Look(t.Context())
					checkHarmless(t, r, found, &n)
					if why := found.Failed[r.provider]; !strings.Contains(why, reasons[trouble]) {
						t.Errorf("failed %q, want %q in it", why, reasons[trouble])
					}
					if took := time.Since(start); took > 3*time.Second {
						t.Errorf("look took %s", took)
					}
				})
			})
		}
	}
}

// reasons is what a trouble is called where it has a name of its own.
var reasons = map[metadata.Trouble]string{
	metadata.Redirect: "redirects", metadata.HTML: "is HTML", metadata.Flood: "longer than 64 KiB", metadata.NoFlavor: "lacks the header",
	metadata.Slow: "deadline", metadata.Drip: "deadline",
}

func checkHarmless(t *testing.T, r rented, found cloud.Found, n *metadata.Network) {
	t.Helper()
	if diff := cmp.Diff(usage.Cloud{Provider: r.provider}, found.Cloud); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if found.From["provider"] != "dmi" {
		t.Errorf("provider is from %q, want dmi", found.From["provider"])
	}
	if found.Signed || found.Failed[r.provider] == "" {
		t.Errorf("signed %v, failed %v: want an unsigned identity and a reason", found.Signed, found.Failed)
	}
	if len(found.Failed[r.provider]) > 500 {
		t.Errorf("reason has %d bytes", len(found.Failed[r.provider]))
	}
	for _, a := range n.Dialled() {
		if !slices.Contains(r.addresses, a) {
			t.Errorf("%s was dialled", a)
		}
	}
}

func TestSilenceCostsSecondsAtMost(t *testing.T) {
	root := rents[0].root(t)
	synctest.Test(t, func(t *testing.T) {
		var n metadata.Network
		defer n.Close()
		n.Silence(linkLocal)
		n.Silence(ipv6)
		start := time.Now()
		found := cloud.New(config(root, &n)).Look(t.Context())
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("look took %s", took)
		}
		if found.Cloud != (usage.Cloud{Provider: "aws"}) {
			t.Errorf("identity %+v, want the provider only", found.Cloud)
		}
	})
}

// TestASluggishServiceIsCutShort keeps what was said in time.
func TestASluggishServiceIsCutShort(t *testing.T) {
	r := rents[2]
	root := r.root(t)
	synctest.Test(t, func(t *testing.T) {
		var n metadata.Network
		defer n.Close()
		n.Serve(linkLocal, metadata.With(metadata.Sluggish, r.service(r.instance)))
		start := time.Now()
		found := cloud.New(config(root, &n)).Look(t.Context())
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("look took %s", took)
		}
		if want := (usage.Cloud{Provider: "google", Account: r.instance.Account, InstanceID: r.instance.ID}); found.Cloud != want {
			t.Errorf("identity %+v, want %+v", found.Cloud, want)
		}
	})
}

func TestAWSIsFoundOverIPv6Only(t *testing.T) {
	r := rents[0]
	root := r.root(t)
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var n metadata.Network
			defer n.Close()
			n.Serve(ipv6, r.service(r.instance))
			if silent {
				n.Silence(linkLocal)
			}
			if got := cloud.New(config(root, &n)).Look(t.Context()).Cloud.InstanceID; got != r.instance.ID {
				t.Errorf("instance %q, want %q (IPv4 silent: %v)", got, r.instance.ID, silent)
			}
		})
	}
}

func TestAWSIsNeverAskedWithoutAToken(t *testing.T) {
	r := rents[0]
	var without atomic.Int64
	watched := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet && req.Header.Get("X-aws-ec2-metadata-token") == "" {
			without.Add(1)
		}
		r.service(r.instance).ServeHTTP(w, req)
	})
	for _, trouble := range []metadata.Trouble{metadata.NoToken, ""} {
		var n metadata.Network
		if h := http.Handler(watched); trouble == "" {
			n.Serve(linkLocal, h)
		} else {
			n.Serve(linkLocal, metadata.With(trouble, h))
		}
		cloud.New(config(r.root(t), &n)).Look(t.Context())
		n.Close()
	}
	if got := without.Load(); got != 0 {
		t.Errorf("%d values were asked for without a token", got)
	}
}

// TestGoogleTokenOfAnotherInstanceIsALie has a service that mixes two
// instances' answers.
func TestGoogleTokenOfAnotherInstanceIsALie(t *testing.T) {
	r := rents[2]
	other := r.instance
	other.ID = "1"
	lies := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/identity") {
			r.service(other).ServeHTTP(w, req)
			return
		}
		r.service(r.instance).ServeHTTP(w, req)
	})
	var n metadata.Network
	defer n.Close()
	n.Serve(linkLocal, lies)
	found := cloud.New(config(r.root(t), &n)).Look(t.Context())
	if found.Cloud != (usage.Cloud{Provider: "google"}) || !strings.Contains(found.Failed["google"], "another instance") {
		t.Errorf("found %+v, failed %v", found.Cloud, found.Failed)
	}
}

func TestConfigWinsPerField(t *testing.T) {
	r := rents[0]
	var n metadata.Network
	defer n.Close()
	n.Serve(linkLocal, r.service(r.instance))
	cfg := config(r.root(t), &n)
	cfg.Given = usage.Cloud{Account: "mine", Reservation: "cr-1"}
	found := cloud.New(cfg).Look(t.Context())
	want := usage.Cloud{
		Provider: "aws", Account: "mine", Region: r.instance.Region, Zone: r.instance.Zone, InstanceType: r.instance.Type,
		InstanceID: r.instance.ID, Reservation: "cr-1", Cluster: "train", NodePool: "h100",
	}
	if diff := cmp.Diff(want, found.Cloud); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if found.From["account"] != "config" || found.From["region"] != "aws" {
		t.Errorf("from %v, want account of config and region of aws", found.From)
	}
}

// TestConfiguredProviderIsAskedByAnyOfItsNames has no mark in the firmware: only
// the operator says whose node it is.
func TestConfiguredProviderIsAskedByAnyOfItsNames(t *testing.T) {
	r := rents[2]
	for _, provider := range []string{"google", "gcp", "GCP"} {
		var n metadata.Network
		n.Serve(linkLocal, r.service(r.instance))
		cfg := config(t.TempDir(), &n)
		cfg.Given.Provider = provider
		found := cloud.New(cfg).Look(t.Context())
		n.Close()
		if found.Cloud.Provider != provider || found.Cloud.InstanceID != r.instance.ID || len(found.Failed) > 0 {
			t.Errorf("%s: found %+v, failed %v", provider, found.Cloud, found.Failed)
		}
	}
}

func TestUnknownNodeAsksNobody(t *testing.T) {
	for name, dmi := range map[string]map[string]string{
		"nothing":         {},
		"virtual machine": {"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)"},
		"hostile":         {"sys_vendor": "Amazon EC2\x00", "chassis_asset_tag": strings.Repeat("7", 5000)},
	} {
		var n metadata.Network
		found := cloud.New(config(folder(t, prefixed(dmi)), &n)).Look(t.Context())
		if found.Cloud != (usage.Cloud{}) || len(n.Dialled()) > 0 || len(found.Failed) > 0 {
			t.Errorf("%s: found %+v, failed %v, dialled %v", name, found.Cloud, found.Failed, n.Dialled())
		}
	}
}

func prefixed(dmi map[string]string) map[string]string {
	out := map[string]string{}
	for name, text := range dmi {
		out["sys/class/dmi/id/"+name] = text
	}
	return out
}

func TestBareMetalIsKnownByItsMachine(t *testing.T) {
	var n metadata.Network
	root := folder(t, prefixed(map[string]string{"sys_vendor": "NVIDIA", "product_name": "DGXH100"}))
	found := cloud.New(config(root, &n)).Look(t.Context())
	if want := (usage.Cloud{InstanceType: "NVIDIA DGXH100"}); found.Cloud != want {
		t.Errorf("found %+v, want %+v", found.Cloud, want)
	}
}

func TestOffAsksNobody(t *testing.T) {
	r := rents[0]
	var n metadata.Network
	defer n.Close()
	n.Serve(linkLocal, r.service(r.instance))
	cfg := config(r.root(t), &n)
	cfg.Off, cfg.Given.Region = true, "eu"
	f := cloud.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.Run(ctx)
	f.Refresh()
	if found := f.Look(t.Context()); found.Cloud != (usage.Cloud{Region: "eu"}) || len(n.Dialled()) > 0 {
		t.Errorf("found %+v, dialled %v", found.Cloud, n.Dialled())
	}
}

func TestWhatASourceSaidOutlivesItsFailure(t *testing.T) {
	r := rents[3]
	root := r.root(t)
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Pointer[http.Handler]
		set := func(h http.Handler) { now.Store(&h) }
		var n metadata.Network
		defer n.Close()
		n.Serve(linkLocal, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { (*now.Load()).ServeHTTP(w, req) }))
		f := cloud.New(config(root, &n))

		set(r.service(r.instance))
		first := f.Look(t.Context())
		for _, trouble := range []metadata.Trouble{metadata.Slow, metadata.Unavailable, metadata.Braces} {
			set(metadata.With(trouble, r.service(r.instance)))
			if got := f.Look(t.Context()); got.Cloud != first.Cloud || got.Failed["oracle"] == "" {
				t.Errorf("%s: found %+v, failed %v; want the first identity, and a reason", trouble, got.Cloud, got.Failed)
			}
		}
		moved := r.instance
		moved.Rack = ""
		set(r.service(moved))
		if got := f.Look(t.Context()); got.Cloud.Rack != "" || len(got.Failed) > 0 {
			t.Errorf("rack %q, failed %v after the service says that there is none", got.Cloud.Rack, got.Failed)
		}
	})
}

func TestAnotherInstanceInheritsNothing(t *testing.T) {
	r := rents[3]
	var broken atomic.Bool
	instance := r.instance
	var n metadata.Network
	defer n.Close()
	n.Serve(linkLocal, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if broken.Load() && strings.HasPrefix(req.URL.Path, "/opc/v2/host") {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		i := instance
		if broken.Load() {
			i.ID += "2"
		}
		r.service(i).ServeHTTP(w, req)
	}))
	f := cloud.New(config(r.root(t), &n))
	f.Look(t.Context())
	broken.Store(true)
	if got := f.Look(t.Context()); got.Cloud.Rack != "" || got.Cloud.InstanceID != r.instance.ID+"2" {
		t.Errorf("instance %q has the rack %q of another one", got.Cloud.InstanceID, got.Cloud.Rack)
	}
}

func TestRunLooksAgain(t *testing.T) {
	r := rents[0]
	root := r.root(t)
	synctest.Test(t, func(t *testing.T) {
		var pool atomic.Pointer[string]
		set := func(s string) { pool.Store(&s) }
		set("a")
		var n metadata.Network
		defer n.Close()
		n.Serve(linkLocal, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			i := r.instance
			i.NodePool = *pool.Load()
			h := r.service(i)
			if i.NodePool == "down" {
				h = metadata.With(metadata.Unavailable, h)
			}
			h.ServeHTTP(w, req)
		}))
		f := cloud.New(config(root, &n))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			f.Run(ctx)
			close(ended)
		}()
		after := func(d time.Duration, want string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := f.Cloud().NodePool; got != want {
				t.Errorf("node pool %q, want %q", got, want)
			}
		}
		after(time.Second, "a")
		set("b")
		after(7*time.Minute, "a")
		after(6*time.Minute, "b")
		set("c")
		f.Refresh()
		after(time.Second, "c")
		set("down")
		f.Refresh()
		after(time.Second, "c")
		set("d")
		after(time.Minute, "d") // a source that fails is asked again soon
		cancel()
		<-ended
	})
}
