package dashboards

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Rule is one rule of a rule file: a recording rule or an alert.
type Rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Keep        string            `yaml:"keep_firing_for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// Group is a group of a rule file.
type Group struct {
	Name  string `yaml:"name"`
	Rules []Rule `yaml:"rules"`
}

// DefaultRunbooks is where the runbooks are if nobody has a copy of them.
const DefaultRunbooks = "https://github.com/gpumeter/gpumeter/blob/main/dashboards/runbooks"

// Rules lists all groups of rules, the recording rules first.
func Rules(runbooks string) []Group {
	out := []Group{{Name: "gpumeter-records", Rules: recordingRules()}}
	for _, g := range Alerts() {
		group := Group{Name: g.Name}
		for i := range g.Alerts {
			group.Rules = append(group.Rules, g.Alerts[i].Rule(runbooks))
		}
		out = append(out, group)
	}
	return out
}

// ruleFile is what Prometheus reads.
type ruleFile struct {
	Groups []Group `yaml:"groups"`
}

// prometheusRule is the same for the Prometheus Operator.
type prometheusRule struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       ruleFile `yaml:"spec"`
}

// metadata names a Kubernetes object.
type metadata struct {
	Name   string            `yaml:"name"`
	Labels map[string]string `yaml:"labels"`
}

// RuleFile writes groups as a rule file of Prometheus.
func RuleFile(groups []Group) ([]byte, error) { return encodeYAML(ruleFile{groups}) }

// PrometheusRule writes groups as an object of the Prometheus Operator.
func PrometheusRule(groups []Group) ([]byte, error) {
	return encodeYAML(prometheusRule{
		APIVersion: "monitoring.coreos.com/v1", Kind: "PrometheusRule",
		Metadata: metadata{"gpumeter", map[string]string{"app.kubernetes.io/name": "gpumeter"}},
		Spec:     ruleFile{groups},
	})
}

func encodeYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generated)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode as YAML: %w", err)
	}
	return b.Bytes(), e.Close()
}

// generated is the first line of every file that is written.
const generated = "# Written by gpumeter export; the rows that it is made of are in dashboards/*.go.\n"
