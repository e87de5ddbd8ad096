package holder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/usage"
)

// ofPods returns the holders of a GPU that pods have.
func ofPods(t *testing.T, cfg holder.Config, uses ...kubelet.Use) []usage.Holder {
	t.Helper()
	var out []usage.Holder
	synctest.Test(t, func(t *testing.T) {
		cfg.Kubelet = &source[[]kubelet.Use]{value: uses}
		f := find(t, cfg)
		start(t, f)
		hs, known := f.Holders(look(gpuA, 1))
		if !known {
			t.Error("the holders are not known")
		}
		out = hs
	})
	return out
}

func TestHashedNamesAreTheSameWithTheSameKey(t *testing.T) {
	hashed := func(key string, uses ...kubelet.Use) []usage.Holder {
		return ofPods(t, holder.Config{Names: holder.NamesHashed, Key: []byte(key)}, uses...)
	}
	a := hashed("0123456789abcdef", use("x", gpuA), use("y", gpuA))
	if len(a) != 2 || a[0].Name == a[1].Name || a[0].Group != a[1].Group || len(a[0].Name) != 16 || len(a[0].Part) != 16 {
		t.Errorf("holders = %+v, want two of one group", a)
	}
	// Written down, so that a change of the hash, which would part months from
	// each other, does not go unnoticed.
	want := usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "aa8f9f0906b9f891", Name: "39e7632a45146f95", Part: "75f09d4e76cb8efb"}
	if diff := cmp.Diff(want, hashed("0123456789abcdef", use("x", gpuA))[0]); diff != "" {
		t.Errorf("hashed (-want +got):\n%s", diff)
	}
	if b := hashed("fedcba9876543210", use("x", gpuA)); b[0].Name == want.Name {
		t.Errorf("%q is the hash with another key, too", want.Name)
	}
}

func TestNamesThatAreOffAreNotTold(t *testing.T) {
	got := ofPods(t, holder.Config{Names: holder.NamesOff}, use("x", gpuA), use("y", gpuA))
	if diff := cmp.Diff([]usage.Holder{{Basis: usage.BasisKubelet, Kind: "pod"}}, got); diff != "" {
		t.Errorf("holders (-want +got):\n%s", diff)
	}
}

func TestManyHoldersAreCutToANumber(t *testing.T) {
	var uses []kubelet.Use
	for range 500 {
		uses = append(uses, use(strings.Repeat("x", len(uses)+1), gpuA))
	}
	got := ofPods(t, holder.Config{}, uses...)
	if n := len(got); n != 129 || got[n-1].Kind != "others" || !got[n-1].Held() {
		t.Errorf("%d holders, the last of kind %q, want 128 and others", n, got[n-1].Kind)
	}
}

func TestNewRefusesAKeyThatIsNone(t *testing.T) {
	for _, cfg := range []holder.Config{{Names: holder.NamesHashed}, {Names: holder.NamesHashed, Key: []byte("short")}, {Names: "maybe"}} {
		if _, err := holder.New(cfg); err == nil {
			t.Errorf("New(%+v) is accepted", cfg)
		}
	}
}

func TestNodeKeyIsMadeOnce(t *testing.T) {
	state := t.TempDir()
	a, err := holder.NodeKey(state)
	if err != nil {
		t.Fatal(err)
	}
	b, err := holder.NodeKey(state)
	if err != nil || !cmp.Equal(a, b) || len(a) < 32 {
		t.Errorf("second key %q, %v, want %q", b, err, a)
	}
	st, err := os.Stat(filepath.Join(state, "holder.key"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v, want only its owner to read it", st.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(state, "holder.key"), []byte("cut\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := holder.NodeKey(state); err == nil {
		t.Error("a key that was cut off is used")
	}
	if _, err := holder.ReadKey(filepath.Join(state, "none")); err == nil {
		t.Error("a key that is not there is used")
	}
}

// FuzzNames holds that no name, whatever a user made of it, makes a batch that
// a collector refuses.
func FuzzNames(f *testing.F) {
	f.Add("train-0", "research", "main")
	f.Add("a\nb\x00c\xff", strings.Repeat("é", 300), "\x7f")
	f.Fuzz(func(t *testing.T, name, group, part string) {
		u := kubelet.Use{Namespace: group, Pod: name, Container: part, Device: kubelet.Device{UUID: gpuA}}
		for _, h := range ofPods(t, holder.Config{}, u) {
			b := usage.Batch{
				Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("b", 32), Seq: 1, Evidence: usage.EvidenceAgent,
				Node: usage.Node{Name: "n"}, GPUs: []usage.GPU{{UUID: gpuA}},
				Records: []usage.Record{{GPU: gpuA, EndMs: 60_000, Holder: h}},
			}
			if err := b.Check(); err != nil {
				t.Errorf("holder %+v: %v", h, err)
			}
		}
	})
}
