// Package gpumeter_test holds the rules of the whole repository: who may
// import whom, and what every package owes its reader.
package gpumeter_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gpumeter/gpumeter"

// rule says what the packages below a folder may import besides the standard
// library. Prefixes ending in "/" stand for all below them.
type rule struct {
	folder  string
	allowed []string
	why     string
}

var vocabulary = []string{module + "/metric", module + "/usage", module + "/contract"}

// rules are tried in order; the first whose folder holds the package decides.
var rules = []rule{
	{"metric", nil, "the vocabulary imports the standard library only"},
	{"usage", nil, "the vocabulary imports the standard library only"},
	{"contract", []string{module + "/usage"}, "the vocabulary imports the standard library and itself only"},
	{"agent/nvml", []string{module + "/metric", "github.com/NVIDIA/go-nvml/", "golang.org/x/sys/"}, "the driver is its only outside thing"},
	{"agent/meter", []string{module + "/metric", module + "/usage"}, "metering is pure"},
	{"agent/holder/kubelet", []string{"google.golang.org/grpc", "google.golang.org/grpc/", "k8s.io/kubelet/"}, "the kubelet is its only outside thing"},
	{"agent/holder/cgroup", []string{}, "the paths of control groups are only words"},
	{"agent/holder/pods", []string{module + "/usage"}, "the API server is asked with the standard library"},
	{"agent/holder/slurm", []string{}, "what Slurm leaves on a node is read with the standard library"},
	{"agent/holder", []string{module + "/agent/holder/", module + "/metric", module + "/usage"}, "it composes its sources; the process table is its own"},
	{"agent/trace", []string{module + "/metric", module + "/usage"}, "a recording is read with the standard library"},
	{"agent/spool", []string{module + "/usage", "go.etcd.io/bbolt", "go.etcd.io/bbolt/"}, "bbolt is its only outside thing"},
	{"agent/push", []string{module + "/usage"}, "the collector's HTTP answer is its only outside thing"},
	{"agent/kmsg", []string{module + "/metric", "golang.org/x/sys/"}, "the kernel's log is its only outside thing"},
	{"agent/xid", []string{module + "/metric"}, "errors are counted purely"},
	{"agent/host", []string{module + "/metric", "github.com/shirou/gopsutil/"}, "gopsutil is its only outside thing"},
	{"agent/cloud", []string{module + "/usage", "github.com/aws/aws-sdk-go-v2/", "cloud.google.com/go/compute/metadata"}, "the metadata services are its only outside thing"},
	{"agent/scan", []string{module + "/metric"}, "a verdict is a pure function of what was read"},
	{"agent", append([]string{module + "/agent/", "golang.org/x/"}, vocabulary...), "the root composes its children and never the collector"},
	{"exporters/prom", append([]string{module + "/exporters", "github.com/prometheus/"}, vocabulary...), "Prometheus is its only outside thing"},
	{"exporters/otlp", append([]string{module + "/exporters", "go.opentelemetry.io/", "google.golang.org/grpc", "google.golang.org/grpc/"}, vocabulary...), "OpenTelemetry is its only outside thing"},
	{"exporters/influx", append([]string{module + "/exporters", "github.com/influxdata/line-protocol/"}, vocabulary...), "the line protocol is its only outside thing"},
	{"exporters", vocabulary, "what there is to show is said in the vocabulary"},
	{"collector/store/storetest", append([]string{module + "/collector/store", "github.com/google/go-cmp/"}, vocabulary...), "the suite knows the vocabulary and the interface"},
	{"collector/store/duckdb", append([]string{module + "/collector/store", "github.com/duckdb/", "golang.org/x/sys/"}, vocabulary...), "DuckDB is its only outside thing"},
	{"collector/store/clickhouse", append([]string{module + "/collector/store", module + "/collector/store/owner", "github.com/ClickHouse/clickhouse-go/"}, vocabulary...), "ClickHouse is its only outside thing"},
	{"collector/store", append([]string{module + "/collector/store"}, vocabulary...), "a store knows the vocabulary only"},
	{"collector/ledger", append([]string{module + "/collector/store"}, vocabulary...), "the ledger of closed months is documents of a store"},
	{"collector/contractfile", append([]string{"go.yaml.in/yaml/"}, vocabulary...), "YAML is its only outside thing"},
	{"collector/focus/parquet", []string{"github.com/duckdb/"}, "Parquet, read by DuckDB, is its only outside thing"},
	{"collector/focus", vocabulary, "CSV is read with the standard library; who can read Parquet is handed in"},
	{"collector/claim", append([]string{module + "/collector/store"}, vocabulary...), "a claim is written from the vocabulary and what a store says"},
	{"collector/report", vocabulary, "a report is written from the vocabulary"},
	{"collector/web", vocabulary, "a page is written from the vocabulary"},
	{"collector", append([]string{module + "/collector/", "github.com/prometheus/", "golang.org/x/"}, vocabulary...), "the root composes its children and never the agent"},
	{"dashboards", []string{"go.yaml.in/yaml/"}, "dashboards and rules are rows; YAML is their only outside thing"},
	{"sim/driver", []string{}, "the simulated driver is plain C"},
	{"sim", append([]string{module + "/sim/"}, vocabulary...), "a simulated fleet knows the vocabulary only"},
	{"packaging/bom", []string{}, "a bill of materials is what Go noted in a program"},
	{"docs/img", []string{}, "a picture is what the demo and Chromium show"},
	{"bench", []string{}, "a table is made of what go test prints"},
	{"cmd", []string{"*"}, "the commands know everybody"},
}

// source is one parsed Go file.
type source struct {
	name string // from the repository's root, with slashes
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	fset := token.NewFileSet()
	var out []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" || name == "tools" || name == "third_party" || name == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, source{filepath.ToSlash(name), f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("found %d Go files: the test does not stand at the repository's root", len(out))
	}
	return out
}

// TestArrows parses the imports instead of asking the go tool: the result of a
// test that runs another program is cached although the sources changed.
func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		folder := path.Dir(s.name)
		if strings.HasSuffix(s.name, "_test.go") || folder == "." {
			continue
		}
		r, ok := ruleFor(folder)
		if !ok {
			t.Errorf("%s: no rule for folder %s in arrows_test.go", s.name, folder)
			continue
		}
		for _, spec := range s.file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !allows(r, p) {
				t.Errorf("%s imports %s: %s", s.fset.Position(spec.Pos()), p, r.why)
			}
			if p == "testing" && r.folder != "collector/store/storetest" {
				t.Errorf("%s imports testing outside of a test", s.name)
			}
		}
	}
}

func ruleFor(folder string) (rule, bool) {
	for _, r := range rules {
		if folder == r.folder || strings.HasPrefix(folder, r.folder+"/") {
			return r, true
		}
	}
	return rule{}, false
}

func allows(r rule, imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return true // the standard library
	}
	for _, a := range r.allowed {
		if a == "*" || imported == a || strings.HasSuffix(a, "/") && strings.HasPrefix(imported, a) {
			return true
		}
	}
	return false
}

// TestEveryPackageSaysWhatItDoes wants one package comment per package, in one
// file.
func TestEveryPackageSaysWhatItDoes(t *testing.T) {
	docs := map[string][]string{}
	for _, s := range sources(t) {
		folder := path.Dir(s.name)
		if strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		if _, ok := docs[folder]; !ok {
			docs[folder] = nil
		}
		if s.file.Doc != nil {
			docs[folder] = append(docs[folder], s.name)
		}
	}
	for _, folder := range keys(docs) {
		if n := len(docs[folder]); n != 1 {
			t.Errorf("%s has %d package comments, want exactly one: %v", folder, n, docs[folder])
		}
	}
}

// TestErrorsReadAsAPath wants error texts that name what was tried.
func TestErrorsReadAsAPath(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 || !isErrorCall(call) {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				return true
			}
			text := strings.ToLower(strings.Trim(lit.Value, "\"`"))
			for _, bad := range []string{"failed to", "unable to", "could not", "cannot ", "error "} {
				if strings.HasPrefix(text, bad) {
					t.Errorf("%s: error text begins with %q; say what was tried", s.fset.Position(lit.Pos()), bad)
				}
			}
			return true
		})
	}
}

func isErrorCall(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && (x.Name == "fmt" && sel.Sel.Name == "Errorf" || x.Name == "errors" && sel.Sel.Name == "New")
}

func keys(m map[string][]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
