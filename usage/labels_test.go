package usage_test

import (
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

func TestLabelsHaveOneForm(t *testing.T) {
	f := func(labels map[string]string, want string) {
		t.Helper()
		if got := usage.JoinLabels(labels); got != want {
			t.Errorf("JoinLabels(%v) = %q, want %q", labels, got, want)
		}
	}
	f(nil, "")
	f(map[string]string{"": "x"}, "")
	f(map[string]string{"team": "search", "cost-centre": "42"}, "cost-centre=42,team=search")
	f(map[string]string{"team": ""}, "team=")
	f(map[string]string{"a,b": "c=d,e\n\xff"}, "a_b=c_d_e__")
	f(map[string]string{"a,b": "1", "a-b": "2", "a_b": "3"}, "a-b=2,a_b=3")
}

func TestLabelIsFoundByItsName(t *testing.T) {
	h := usage.Holder{Labels: "cost-centre=42,example.com/team=web,team=search"}
	for key, want := range map[string]string{"team": "search", "cost-centre": "42", "example.com/team": "web", "tea": "", "": ""} {
		if got := h.Label(key); got != want {
			t.Errorf("label %q = %q, want %q", key, got, want)
		}
	}
	if got := (usage.Holder{}).Label("team"); got != "" {
		t.Errorf("a holder without labels has the team %q", got)
	}
}

// FuzzLabels holds that every batch takes what JoinLabels writes, and that
// another order or form of the same labels is refused.
func FuzzLabels(f *testing.F) {
	f.Add("team", "search", "cost-centre", "42")
	f.Add("a,b", "=", "a_b", "\x00")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		if k1 == "" || k2 == "" || len(k1+v1+k2+v2) > 300 {
			t.Skip()
		}
		b := sample()
		b.Records[0].Holder.Labels = usage.JoinLabels(map[string]string{k1: v1, k2: v2})
		if err := b.Check(); err != nil {
			t.Errorf("labels %q: %v", b.Records[0].Holder.Labels, err)
		}
		x, y, ok := strings.Cut(b.Records[0].Holder.Labels, ",")
		if b.Records[0].Holder.Labels = y + "," + x; ok && b.Check() == nil {
			t.Errorf("labels %q are taken in another order", b.Records[0].Holder.Labels)
		}
	})
}
