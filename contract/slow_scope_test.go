package contract_test

import (
	"regexp"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// slowScope evaluates scope rules as a truth table: every rule becomes a
// regular expression on the dimension's value.
func slowScope(a *contract.Applicability, p *contract.Presence) bool {
	values := map[string]string{
		"ServiceProviderName": p.Provider, "SubAccountId": p.Account, "RegionId": p.Region,
		"AvailabilityZone": p.Zone, "CapacityReservationId": p.Reservation, "ResourceId": p.InstanceID,
		"x_InstanceType": p.InstanceType, "x_Cluster": p.Cluster, "x_NodePool": p.NodePool, "x_Rack": p.Rack,
		"x_Node": p.Node, "x_GpuModel": p.Model, "x_GpuUuid": p.GPU,
	}
	count := func(rules []contract.Rule) (n int) {
		for _, r := range rules {
			if slowHolds(r, values[r.Dimension]) {
				n++
			}
		}
		return n
	}
	in, out := count(a.Inclusions), count(a.Exclusions)
	included := len(a.Inclusions) == 0 || in == len(a.Inclusions) || (a.IncludeAny && in > 0)
	excluded := len(a.Exclusions) > 0 && (out == len(a.Exclusions) || (!a.ExcludeAll && out > 0))
	return included && !excluded && !a.Complex
}

func slowHolds(r contract.Rule, value string) bool {
	name := strings.TrimPrefix(string(r.Operator), "Not")
	deny := name != string(r.Operator)
	switch r.Operator {
	case contract.Exists:
		return value != ""
	case contract.DoesNotExist:
		return value == ""
	}
	var alternatives []string
	for _, v := range r.Values {
		alternatives = append(alternatives, map[bool]string{true: ".+", false: regexp.QuoteMeta(v)}[v == "*"])
	}
	pattern := "(?:" + strings.Join(alternatives, "|") + ")"
	pattern = map[string]string{"In": "^" + pattern + "$", "StartsWith": "^" + pattern, "EndsWith": pattern + "$", "Contains": pattern}[name]
	return (value != "" && regexp.MustCompile("(?is)"+pattern).MatchString(value)) != deny
}
