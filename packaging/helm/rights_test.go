package helm_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// rule is a line of a role in the documentation.
var rule = regexp.MustCompile(`(?m)^ *- (\{apiGroups: .*\})$`)

// documented returns the rights that pages ask for.
func documented(t *testing.T, pages ...string) []rbacv1.PolicyRule {
	t.Helper()
	var out []rbacv1.PolicyRule
	for _, page := range pages {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		found := rule.FindAllSubmatch(text, -1)
		if len(found) != 1 {
			t.Fatalf("%s has %d rules", page, len(found))
		}
		var r rbacv1.PolicyRule
		if err := yaml.UnmarshalStrict(found[0][1], &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestRightsAreTheDocumented(t *testing.T) {
	f := func(set string, want []rbacv1.PolicyRule) {
		t.Helper()
		o := install(t, "gpumeter/ci/"+set+"-values.yaml")
		role, ok := o.byName["ClusterRole/gpu-gpumeter-agent"].(*rbacv1.ClusterRole)
		if ok != (want != nil) {
			t.Fatalf("%s: there is a role: %v", set, ok)
		}
		if !ok {
			return
		}
		if diff := cmp.Diff(want, role.Rules); diff != "" {
			t.Errorf("%s (-want +got):\n%s", set, diff)
		}
	}
	f("default", documented(t, "cloud.md"))
	f("everything", documented(t, "cloud.md", "holders.md"))
	f("cdi", nil)
	f("collector-only", nil)
}
