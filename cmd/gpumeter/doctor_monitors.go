package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

// prometheus is a server that the Prometheus Operator runs, by what it selects.
type prometheus struct {
	object
	Spec struct {
		PodMonitors       *labelSelector `json:"podMonitorSelector"`
		PodNamespaces     *labelSelector `json:"podMonitorNamespaceSelector"`
		ServiceMonitors   *labelSelector `json:"serviceMonitorSelector"`
		ServiceNamespaces *labelSelector `json:"serviceMonitorNamespaceSelector"`
		Rules             *labelSelector `json:"ruleSelector"`
		RuleNamespaces    *labelSelector `json:"ruleNamespaceSelector"`
	} `json:"spec"`
}

// labelSelector is that of Kubernetes: an empty one selects all.
type labelSelector struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values"`
	} `json:"matchExpressions"`
}

// misses returns what labels lack to be selected; nothing if they are.
func (s *labelSelector) misses(labels map[string]string) []string {
	var out []string
	for key, want := range s.MatchLabels {
		if got, ok := labels[key]; !ok || got != want {
			out = append(out, key+"="+want)
		}
	}
	slices.Sort(out)
	for _, e := range s.MatchExpressions {
		got, ok := labels[e.Key]
		in := ok && slices.Contains(e.Values, got)
		switch e.Operator {
		case "In":
			ok = in
		case "NotIn":
			ok = !in
		case "Exists":
		case "DoesNotExist":
			ok = !ok
		default:
			ok = false
		}
		if !ok {
			out = append(out, strings.TrimSpace(e.Key+" "+e.Operator+" "+strings.Join(e.Values, ", ")))
		}
	}
	return out
}

// selection is what a server selects of a kind, in which namespaces, and what the
// fields are called.
type selection struct {
	objects, namespaces *labelSelector
	field               string // "podMonitor", of podMonitorSelector
}

func (p *prometheus) selection(kind string) selection {
	switch kind {
	case "PodMonitor":
		return selection{p.Spec.PodMonitors, p.Spec.PodNamespaces, "podMonitor"}
	case "ServiceMonitor":
		return selection{p.Spec.ServiceMonitors, p.Spec.ServiceNamespaces, "serviceMonitor"}
	}
	return selection{p.Spec.Rules, p.Spec.RuleNamespaces, "rule"}
}

// refusal says why a server does not select an object, and what to do; empty if it
// does. Without a selector nothing is selected, without one of namespaces the
// server's own only.
func (p *prometheus) refusal(o *object, namespaces map[string]map[string]string) (why, remedy string) {
	s := p.selection(o.Kind)
	if s.objects == nil {
		return "it selects none of that kind", fmt.Sprintf("Give the Prometheus %s a %sSelector; {} selects all.", p.name(), s.field)
	}
	if s.namespaces == nil && o.Metadata.Namespace != p.Metadata.Namespace {
		return "it looks into its own namespace only", fmt.Sprintf("Give the Prometheus %s a %sNamespaceSelector; {} selects all.", p.name(), s.field)
	}
	if s.namespaces != nil {
		if miss := s.namespaces.misses(namespaces[o.Metadata.Namespace]); len(miss) > 0 {
			return "the namespace lacks " + strings.Join(miss, ", "), fmt.Sprintf("Label the namespace: kubectl label namespace %s %s", o.Metadata.Namespace, strings.Join(miss, " "))
		}
	}
	if miss := s.objects.misses(o.Metadata.Labels); len(miss) > 0 {
		return "it lacks the labels " + strings.Join(miss, ", "), "Upgrade the chart with --set monitoring.labels." + strings.Join(miss, " --set monitoring.labels.") + ", or widen what that Prometheus selects."
	}
	return "", ""
}

const letList = "Ask with an account that may list it: another --context, or through kubectl proxy with --kubernetes http://127.0.0.1:8001."

// unasked is what is found of a cluster that was not asked.
func (c *cluster) unasked() doctor.Finding {
	if errors.Is(c.left, errFound) {
		return doctor.Leave(upper(c.left.Error()) + "." + letCount)
	}
	return doctor.Leave(upper(c.left.Error()) + ".")
}

// silent is what is found of a cluster that does not say one thing.
func (c *cluster) silent(what string, err error) doctor.Finding {
	text := fmt.Sprintf("%s does not say %s: %v.", upper(c.name), what, err)
	if c.found != "" {
		return doctor.Leave(text + letCount)
	}
	return doctor.Unsure(text, letList)
}

// letCount says how a cluster counts that lies in a kubeconfig by chance.
const letCount = " This counts only for a cluster that is named, with --kubeconfig or --context."

// upper begins a sentence.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// checkAgents looks at the DaemonSets of agents.
func checkAgents(s *siteFacts) []doctor.Finding {
	c := &s.cluster
	switch {
	case !c.asked:
		return one(c.unasked())
	case c.agents != nil:
		return one(c.silent("how the agents are", c.agents))
	case len(c.sets) == 0:
		return one(doctor.Leave("No agent is installed in " + c.name + ": docs/kubernetes.md says how."))
	}
	var out []doctor.Finding
	for i := range c.sets {
		out = append(out, c.findSet(&c.sets[i]))
	}
	return out
}

func (c *cluster) findSet(d *daemonSet) doctor.Finding {
	class := d.Spec.Template.Spec.RuntimeClassName
	text := fmt.Sprintf("%s: %d of %d agents are ready.", d.name(), d.Status.Ready, d.Status.Desired)
	switch {
	case class != "" && !slices.Contains(c.classes, class):
		return doctor.Bad(fmt.Sprintf("%s wants the runtime class %s, which is not there: no agent starts.", d.name(), class),
			"Install NVIDIA's container toolkit or GPU operator, which make it; or set agent.driver.access=cdi, or another class.")
	case d.Status.Desired == 0:
		return doctor.Warn(d.name()+": no node fits.", "Look at the labels of a GPU node (kubectl get nodes --show-labels) and at agent.gpuNodes of the chart; a node with gpumeter/agent=paused is left out.")
	case d.Status.Ready < d.Status.Desired:
		return doctor.Warn(text, fmt.Sprintf("Look at those that are not: kubectl -n %s get pods -l %s,app.kubernetes.io/component=agent, and their logs.", d.Metadata.Namespace, ours))
	}
	return doctor.Ok(text)
}

// checkMonitors says of each monitor and rule whether some Prometheus selects it.
func checkMonitors(s *siteFacts) []doctor.Finding {
	c := &s.cluster
	switch {
	case !c.asked:
		return one(c.unasked())
	case c.monitoring != nil:
		return one(c.silent("what its Prometheus selects", c.monitoring))
	case !c.operator:
		return one(doctor.Leave("There is no Prometheus Operator in " + c.name + "."))
	case len(c.monitors) == 0:
		return one(doctor.Warn("No monitor of gpumeter is installed: the operator's Prometheus sees neither agents nor collector.", "Set monitoring.monitors=true of the chart, and monitoring.labels to what your Prometheus selects by."))
	case len(c.prometheuses) == 0:
		return one(doctor.Leave("The operator runs no Prometheus in " + c.name + "."))
	}
	var out []doctor.Finding
	for i := range c.monitors {
		out = append(out, c.findMonitor(&c.monitors[i]))
	}
	return out
}

// findMonitor says who selects an object or, if nobody does, why not.
func (c *cluster) findMonitor(o *object) doctor.Finding {
	var reasons []string
	var first string
	for i := range c.prometheuses {
		p := &c.prometheuses[i]
		why, remedy := p.refusal(o, c.namespaces)
		if why == "" {
			return doctor.Ok(fmt.Sprintf("%s %s is selected by Prometheus %s.", o.Kind, o.name(), p.name()))
		}
		reasons, first = append(reasons, p.name()+": "+why), cmp.Or(first, remedy)
	}
	return doctor.Bad(fmt.Sprintf("No Prometheus selects %s %s (%s).", o.Kind, o.name(), strings.Join(reasons, "; ")), first)
}
