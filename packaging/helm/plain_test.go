package helm_test

import (
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
)

var update = flag.Bool("update", false, "write plain/gpumeter.yaml anew")

// plainHead makes the namespace. Folders of the node and a container that gives
// one to another user are more than the narrower levels of pod security allow.
const plainHead = `# Written by go test -update in packaging/helm, from the chart and plain/values.yaml.
# docs/kubernetes.md says which secrets have to be there first.
apiVersion: v1
kind: Namespace
metadata:
  name: gpumeter
  labels: {pod-security.kubernetes.io/enforce: privileged}
`

// helms are the lines by which Helm finds what is its own.
var helms = regexp.MustCompile(`(?m)^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n`)

// plain renders the chart for those without Helm.
func plain(t *testing.T) string {
	t.Helper()
	values, err := chartutil.ReadValuesFile("plain/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files, err := render(t, "gpumeter", "gpumeter", values)
	if err != nil {
		t.Fatal(err)
	}
	text := plainHead
	for _, name := range slices.Sorted(maps.Keys(files)) {
		doc := strings.Trim(helms.ReplaceAllString(files[name], ""), "-\n")
		if strings.HasSuffix(name, ".yaml") && doc != "" {
			text += "---\n" + doc + "\n"
		}
	}
	return text
}

func TestPlainManifestsAreTheChart(t *testing.T) {
	const name = "plain/gpumeter.yaml"
	got := plain(t)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the chart renders: run go test -update in packaging/helm", name)
	}
	for _, word := range []string{"Helm", "helm.sh", "{{"} {
		if strings.Contains(strings.TrimPrefix(got, plainHead), word) {
			t.Errorf("%s has %q in it", name, word)
		}
	}
	o := &objects{}
	o.decode(t, name, strings.TrimPrefix(got, plainHead))
	o.checkContainers(t)
	if len(o.byName) != 9 {
		t.Errorf("%d objects: %v", len(o.byName), slices.Sorted(maps.Keys(o.byName)))
	}
}
