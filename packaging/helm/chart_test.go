// Package helm_test holds the chart to what Kubernetes and the programs take.
package helm_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// load reads the chart; the loader's remarks on links are left out.
func load(t *testing.T) *chart.Chart {
	t.Helper()
	log.SetOutput(new(bytes.Buffer))
	defer log.SetOutput(os.Stderr)
	c, err := loader.LoadDir("gpumeter")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render returns what is installed with values, file by file.
func render(t *testing.T, release, namespace string, values map[string]any) (map[string]string, error) {
	t.Helper()
	c := load(t)
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// sets are the files of values that people may begin with.
func sets(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("gpumeter/ci/*-values.yaml")
	if err != nil || len(names) < 6 {
		t.Fatalf("found %d files of values: %v", len(names), err)
	}
	return names
}

// install renders a file of values and decodes every object strictly.
func install(t *testing.T, name string) *objects {
	t.Helper()
	values, err := chartutil.ReadValuesFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files, err := render(t, "gpumeter", "gpu", values)
	if err != nil {
		t.Fatal(err)
	}
	o := &objects{}
	for file, text := range files {
		if strings.HasSuffix(file, ".yaml") {
			o.decode(t, file, text)
		}
	}
	return o
}

// decoder knows Kubernetes' types and the operator's. Unknown and double fields
// are errors.
func decoder(t *testing.T) runtime.Decoder {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, monitoring.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
}

var between = regexp.MustCompile(`(?m)^---\s*$`)

func (o *objects) decode(t *testing.T, file, text string) {
	t.Helper()
	d := decoder(t)
	for _, doc := range between.Split(text, -1) {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		object, _, err := d.Decode([]byte(doc), nil, nil)
		if err != nil {
			t.Errorf("%s: %v\n%s", file, err, doc)
			continue
		}
		o.add(t, object)
	}
}

// TestEverySetIsWhatKubernetesTakes decodes what is rendered.
func TestEverySetIsWhatKubernetesTakes(t *testing.T) {
	for _, name := range sets(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			o := install(t, name)
			if len(o.byName) < 4 {
				t.Errorf("%d objects are too few", len(o.byName))
			}
			o.checkReferences(t)
			o.checkSelectors(t)
			o.checkContainers(t)
			o.checkCertificates(t)
		})
	}
}

// secretCall is where the notes read a key of a Secret.
var secretCall = regexp.MustCompile(`get secret (\S+) -o jsonpath='\{\.data\.([^}]+)\}'`)

// TestNotesReadSecretsThatAreThere wants each key that Helm's notes read to be in
// a Secret that is installed, or in one that the values name.
func TestNotesReadSecretsThatAreThere(t *testing.T) {
	for _, name := range sets(t) {
		values, err := chartutil.ReadValuesFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files, err := render(t, "gpumeter", "gpu", values)
		if err != nil {
			t.Fatal(err)
		}
		o := install(t, name)
		notes := files["gpumeter/templates/NOTES.txt"]
		for _, m := range secretCall.FindAllStringSubmatch(notes, -1) {
			secret, key := m[1], strings.ReplaceAll(m[2], `\.`, ".")
			s, ours := o.byName["Secret/"+secret].(*corev1.Secret)
			if ours && s.Data[key] == nil || !ours && !strings.Contains(fmt.Sprint(values), "secret:"+secret) {
				t.Errorf("%s: the notes read %s of the Secret %s, which is not there", name, key, secret)
			}
		}
		if shell := strings.Contains(notes, "gpumeter doctor --ca-file"); shell != (o.byName["Secret/gpumeter-collector-tls"] != nil) {
			t.Errorf("%s: the notes lead through a shell: %t", name, shell)
		}
	}
}

// TestMistakesAreRefused wants one sentence for values that cannot be meant.
func TestMistakesAreRefused(t *testing.T) {
	f := func(want string, lines ...string) {
		t.Helper()
		values, err := chartutil.ReadValues([]byte(strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := render(t, "gpumeter", "gpu", values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", values, err, want)
		}
	}
	f("'holder' not allowed", "agent: {holder: off}")
	f("agent.collector.url is needed", "collector: {enabled: false}")
	f("agent.collector.tokenSecret is needed", "agent: {collector: {url: 'https://example.com:9410'}}", "collector: {enabled: false}")
	f("collector/url", "agent: {collector: {url: 'http://example.com:9410'}}")
	f("collector.clickhouse.url is needed", "collector: {store: clickhouse, clickhouse: {secret: s}}")
	f("collector.clickhouse.secret is needed", "collector: {store: clickhouse, clickhouse: {url: 'clickhouse://db/x'}}")
	f("clickhouse/url", "collector: {store: clickhouse, clickhouse: {secret: s, url: 'clickhouse://db/x?password=y'}}")
	f("gpuOperator", "agent: {gpuOperator: sometimes}")
	f("memoryMiB", "collector: {memoryMiB: 12}")
}

// TestEveryValueHasADefault wants what a file of values names to be in
// values.yaml, where people look for it.
func TestEveryValueHasADefault(t *testing.T) {
	c := load(t)
	for _, name := range sets(t) {
		values, err := chartutil.ReadValuesFile(name)
		if err != nil {
			t.Fatal(err)
		}
		checkDefaults(t, name, values, c.Values)
	}
}

func checkDefaults(t *testing.T, path string, values, defaults map[string]any) {
	t.Helper()
	for key, value := range values {
		there, ok := defaults[key]
		if !ok {
			t.Errorf("%s.%s is not in values.yaml", path, key)
		}
		below, isMap := value.(map[string]any)
		above, hasDefaults := there.(map[string]any)
		if isMap && hasDefaults && len(above) > 0 {
			checkDefaults(t, fmt.Sprintf("%s.%s", path, key), below, above)
		}
	}
}
