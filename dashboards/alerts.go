package dashboards

import (
	"slices"
	"strconv"
	"strings"
)

// Severity says how soon a person should look.
type Severity string

// Critical is for a person now, Warning for a ticket, Info for a digest.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Action is the first thing that somebody should do.
type Action string

// The actions, from the hardware to the books.
const (
	Reset        Action = "reset"
	Reboot       Action = "reboot"
	Replace      Action = "replace"
	Inspect      Action = "inspect"
	Claim        Action = "claim"
	Replan       Action = "replan"
	TellHolder   Action = "tell_holder"
	Reclaim      Action = "reclaim"
	FixTelemetry Action = "fix_telemetry"
)

// Audience is who can act.
type Audience string

// The audiences: who keeps the nodes and the meter, who talks to the cloud, who
// plans the money, and who runs the work.
const (
	Platform Audience = "platform"
	Provider Audience = "provider"
	Finance  Audience = "finance"
	Team     Audience = "team"
)

// Alert is one alert rule with its runbook.
type Alert struct {
	Name string
	// Window tells apart the rules of one name, such as "1h"; empty for most.
	Window string
	// Expr is PromQL in which $threshold stands for Threshold.
	Expr      string
	Threshold float64
	// For and Keep are `for` and `keep_firing_for`, in Prometheus' spelling;
	// empty is none.
	For, Keep string
	Severity  Severity
	Action    Action
	Audience  Audience
	// Summary is one line; Description says so what. Both are templates.
	Summary, Description string
	// Command is what to type first; a template too.
	Command string

	// What the runbook says besides.
	Means, See, Do, Claim string
}

// Alerts lists all alert rules by subject.
func Alerts() []AlertGroup {
	return []AlertGroup{
		{"gpumeter-hardware", hardwareAlerts()},
		{"gpumeter-supply", supplyAlerts()},
		{"gpumeter-waste", wasteAlerts()},
		{"gpumeter-pipeline", pipelineAlerts()},
	}
}

// AlertGroup is the rules that are evaluated together.
type AlertGroup struct {
	Name   string
	Alerts []Alert
}

// AllAlerts lists the rules of all groups.
func AllAlerts() []Alert {
	var out []Alert
	for _, g := range Alerts() {
		out = append(out, g.Alerts...)
	}
	return out
}

// ID is unique among all rules.
func (a *Alert) ID() string {
	if a.Window == "" {
		return a.Name
	}
	return a.Name + "/" + a.Window
}

// Query is the expression with the threshold in its place.
func (a *Alert) Query() string {
	return strings.ReplaceAll(a.Expr, "$threshold", strconv.FormatFloat(a.Threshold, 'f', -1, 64))
}

// Rule is the alert as it stands in a rule file; runbooks is where its pages
// are, without a slash at the end.
func (a *Alert) Rule(runbooks string) Rule {
	r := Rule{
		Alert: a.Name, Expr: a.Query(), For: a.For, Keep: a.Keep,
		Labels: map[string]string{"severity": string(a.Severity), "action": string(a.Action), "audience": string(a.Audience)},
		Annotations: map[string]string{
			"summary": a.Summary, "description": a.Description, "command": a.Command, "runbook_url": runbooks + "/" + a.Name + ".md",
		},
	}
	if a.Window != "" {
		r.Labels["window"] = a.Window
	}
	return r
}

// names lists the names of alerts, each once.
func names(alerts []Alert) []string {
	var out []string
	for i := range alerts {
		if !slices.Contains(out, alerts[i].Name) {
			out = append(out, alerts[i].Name)
		}
	}
	return out
}

// nodes is who stands behind a target of a scrape.
const nodes = "group by (job, instance, cloud, node) (gpumeter_node_info)"

// perGPU is a condition on series of GPUs, told by cloud, node and GPU whatever
// address they were scraped from.
func perGPU(condition string) string {
	return "max by (cloud, node, gpu, uuid) ((" + condition + ") * on (job, instance) group_left (cloud, node) " + nodes + ")"
}

// perNode is a condition on series of nodes.
func perNode(condition string) string {
	return "max by (cloud, node) ((" + condition + ") * on (job, instance) group_left (cloud, node) " + nodes + ")"
}

// atGPU says in a summary which GPU it is about.
const atGPU = "GPU {{ $labels.gpu }} of {{ $labels.node }} ({{ $labels.cloud }})"

// lookAtNode is the command that looks at a node on the node.
const lookAtNode = "gpumeter-agent scan    # on {{ $labels.node }}"
