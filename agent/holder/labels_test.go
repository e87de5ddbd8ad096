package holder_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/holder/pods"
	"github.com/gpumeter/gpumeter/usage"
)

// labelled is what the API server says of pods x and y.
func labelled(x, y string) map[pods.Pod]string {
	return map[pods.Pod]string{{Namespace: "n", Name: "x"}: x, {Namespace: "n", Name: "y"}: y, {Namespace: "other", Name: "x"}: "team=other"}
}

// ofTeam is the holder of a pod with labels.
func ofTeam(pod, labels string) usage.Holder {
	h := podHolder(pod)
	h.Labels = labels
	return h
}

func TestPodsHaveTheirLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA), use("y", gpuA)}}
		f := find(t, holder.Config{Kubelet: k, Pods: &source[map[pods.Pod]string]{value: labelled("cost-centre=42,team=search", "")}})
		start(t, f)
		check(t, f, look(gpuA, 1), ofTeam("x", "cost-centre=42,team=search"), podHolder("y"))
	})
}

func TestLabelsAreToldBesideHashesAndNotWithoutNames(t *testing.T) {
	told := func(cfg holder.Config) string {
		cfg.Pods = &source[map[pods.Pod]string]{value: labelled("team=search", "")}
		return ofPods(t, cfg, use("x", gpuA))[0].Labels
	}
	if got := told(holder.Config{Names: holder.NamesHashed, Key: []byte("0123456789abcdef")}); got != "team=search" {
		t.Errorf("labels beside hashed names are %q, want them as they are", got)
	}
	if got := told(holder.Config{Names: holder.NamesOff}); got != "" {
		t.Errorf("labels without names are %q, want none", got)
	}
}

func TestNewPodHasItsLabelsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, api := &source[[]kubelet.Use]{}, &source[map[pods.Pod]string]{}
		f := find(t, holder.Config{Kubelet: k, Pods: api})
		start(t, f)
		time.Sleep(3 * time.Second)
		k.set([]kubelet.Use{use("x", gpuA)}, nil)
		api.set(labelled("team=search", ""), nil)
		time.Sleep(8 * time.Second) // the kubelet is asked
		check(t, f, look(gpuA, 1), ofTeam("x", "team=search"))
		if n := api.count(); n != 2 {
			t.Errorf("the API server was asked %d times, want 2", n)
		}
	})
}

func TestPodOfAnOldNameHasItsOwnLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA)}}
		api := &source[map[pods.Pod]string]{value: labelled("team=search", "")}
		f := find(t, holder.Config{Kubelet: k, Pods: api})
		start(t, f)
		check(t, f, look(gpuA, 1), ofTeam("x", "team=search"))
		k.set(nil, nil)
		time.Sleep(11 * time.Second)
		check(t, f, look(gpuA, 2), usage.Holder{Basis: usage.BasisKubelet})
		k.set([]kubelet.Use{use("x", gpuA)}, nil)
		api.set(labelled("team=ads", ""), nil)
		time.Sleep(10 * time.Second)
		check(t, f, look(gpuA, 3), ofTeam("x", "team=ads"))
	})
}

// TestAPIServerIsAskedSeldom has a pod that it never hears of, and one that comes
// and goes ten times a minute.
func TestAPIServerIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, api := &source[[]kubelet.Use]{}, &source[map[pods.Pod]string]{value: labelled("", "team=ads")}
		p := newProc(t)
		p.add(10, "/kubepods/besteffort/pod"+podX+"/"+container)
		f := find(t, holder.Config{Kubelet: k, Pods: api, Proc: p.dir})
		start(t, f)
		for sec := range 600 {
			time.Sleep(time.Second)
			uses := []kubelet.Use{use("stranger", gpuA)}
			var pids []int
			if sec%6 < 3 {
				uses, pids = append(uses, use("y", gpuA)), []int{10}
			}
			k.set(uses, nil)
			hs, _ := f.Holders(look(gpuA, time.Duration(sec+1), pids...))
			if sec%6 < 3 && sec > 0 && !cmp.Equal(hs, []usage.Holder{podHolder("stranger"), ofTeam("y", "team=ads")}) {
				t.Fatalf("second %d: holders %+v", sec, hs)
			}
		}
		// For 100 arrivals and, every ten seconds, for the stranger.
		if n := api.count(); n > 160 {
			t.Errorf("the API server was asked %d times in ten minutes, want at most 160", n)
		}
		k.set([]kubelet.Use{use("y", gpuA)}, nil)
		before := 0
		for sec := range 630 {
			time.Sleep(time.Second)
			f.Holders(look(gpuA, time.Duration(sec+1000)))
			if sec == 30 {
				before = api.count()
			}
		}
		if n := api.count() - before; n != 2 {
			t.Errorf("it was asked %d times in ten minutes without news, want 2", n)
		}
	})
}

func TestLabelsOfASilentAPIServerAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA)}}
		api := &source[map[pods.Pod]string]{value: labelled("team=search", "")}
		f := find(t, holder.Config{Kubelet: k, Pods: api})
		start(t, f)
		api.set(nil, errors.New("403 Forbidden"))
		time.Sleep(14 * time.Minute)
		check(t, f, look(gpuA, 1), ofTeam("x", "team=search"))
		time.Sleep(2 * time.Minute)
		check(t, f, look(gpuA, 2), podHolder("x"))
		if up := reading(f, "gpumeter.holder.source.up", "pod-labels"); up != 0 {
			t.Errorf("up = %v, want 0", up)
		}
	})
}

// TestNoAPIServerIsAFailure: labels were asked for, so there must be one.
func TestNoAPIServerIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := find(t, holder.Config{Pods: &source[map[pods.Pod]string]{err: errors.New("no service account")}})
		start(t, f)
		want := []holder.Source{{Name: "pod-labels", State: "fails", Detail: "no service account"}, {Name: "processes", State: "works"}}
		if diff := cmp.Diff(want, f.Sources()); diff != "" {
			t.Errorf("sources (-want +got):\n%s", diff)
		}
	})
}
