package dashboards

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a file to be written, below some folder.
type File struct {
	Name string // with slashes
	Body []byte
}

// DashboardFiles are the dashboards, how Grafana is told of them, and the same
// as ConfigMaps for the sidecar of Grafana's chart.
func DashboardFiles(datasource string) ([]File, error) {
	var out []File
	for _, b := range Boards() {
		body, err := b.JSON(datasource)
		if err != nil {
			return nil, err
		}
		out = append(out, File{b.UID + ".json", body})
	}
	config, err := configMaps(out)
	if err != nil {
		return nil, err
	}
	return append(out, File{"provisioning/gpumeter.yaml", []byte(generated + provisioning)}, File{"kubernetes/configmaps.yaml", config}), nil
}

// provisioning tells Grafana where the dashboards are.
const provisioning = `# Into /etc/grafana/provisioning/dashboards; the dashboards into the folder of path.
apiVersion: 1
providers:
  - name: gpumeter
    folder: GPU Meter
    type: file
    allowUiUpdates: false
    options:
      path: /var/lib/grafana/dashboards/gpumeter
`

// configMaps hold the dashboards for the sidecar of Grafana's Helm chart, which
// looks for the label. Each has its own: what kubectl notes of one object must be
// below 256 KiB.
func configMaps(dashboards []File) ([]byte, error) {
	var out bytes.Buffer
	for i, f := range dashboards {
		if i > 0 {
			out.WriteString("---\n")
		}
		base := path.Base(f.Name)
		body, err := encodeYAML(configMap{"v1", "ConfigMap",
			metadata{strings.TrimSuffix(base, ".json"), map[string]string{"app.kubernetes.io/name": "gpumeter", "grafana_dashboard": "1"}},
			map[string]*yaml.Node{base: {Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.LiteralStyle, Value: string(f.Body)}},
		})
		if err != nil {
			return nil, err
		}
		out.Write(body)
	}
	return out.Bytes(), nil
}

// configMap is an object of Kubernetes.
type configMap struct {
	APIVersion string                `yaml:"apiVersion"`
	Kind       string                `yaml:"kind"`
	Metadata   metadata              `yaml:"metadata"`
	Data       map[string]*yaml.Node `yaml:"data"`
}

// RuleFiles are the rules for Prometheus and for its operator, and the pages
// that the alerts lead to. runbooks is the address at which these can be read.
func RuleFiles(runbooks string) ([]File, error) {
	groups := Rules(strings.TrimSuffix(runbooks, "/"))
	plain, err := RuleFile(groups)
	if err != nil {
		return nil, err
	}
	operator, err := PrometheusRule(groups)
	if err != nil {
		return nil, err
	}
	out := []File{{"alerts/rules.yaml", plain}, {"alerts/prometheusrule.yaml", operator}}
	all := names(AllAlerts())
	for _, name := range all {
		out = append(out, File{"runbooks/" + name + ".md", []byte(Runbook(name))})
	}
	return append(out, File{"runbooks/README.md", index(all)}), nil
}

// index lists the runbooks.
func index(all []string) []byte {
	var b bytes.Buffer
	b.WriteString("<!-- Written by make dashboards. -->\n# Runbooks\n\n| alert | severity | first | who can act |\n|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, a := range AllAlerts() {
		if !seen[a.Name] {
			seen[a.Name] = true
			fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | %s |\n", a.Name, a.Name, a.Severity, a.Action, a.Audience)
		}
	}
	fmt.Fprintf(&b, "\n%d alerts.\n", len(all))
	return b.Bytes()
}
