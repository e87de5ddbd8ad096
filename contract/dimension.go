package contract

import (
	"fmt"
	"slices"
)

// dimensions are what scope rules of a tranche can look at: FOCUS's columns
// where it has one, else columns of ours.
var dimensions = []struct {
	name string
	of   func(*Presence) string
}{
	{"ServiceProviderName", func(p *Presence) string { return p.Provider }},
	{"SubAccountId", func(p *Presence) string { return p.Account }},
	{"RegionId", func(p *Presence) string { return p.Region }},
	{"AvailabilityZone", func(p *Presence) string { return p.Zone }},
	{"CapacityReservationId", func(p *Presence) string { return p.Reservation }},
	{"ResourceId", func(p *Presence) string { return p.InstanceID }},
	{"x_InstanceType", func(p *Presence) string { return p.InstanceType }},
	{"x_Cluster", func(p *Presence) string { return p.Cluster }},
	{"x_NodePool", func(p *Presence) string { return p.NodePool }},
	{"x_Rack", func(p *Presence) string { return p.Rack }},
	{"x_Node", func(p *Presence) string { return p.Node }},
	{"x_GpuModel", func(p *Presence) string { return p.Model }},
	{"x_GpuUuid", func(p *Presence) string { return p.GPU }},
}

// Dimensions returns the names of what scope rules of a tranche can look at.
func Dimensions() []string {
	var out []string
	for _, d := range dimensions {
		out = append(out, d.name)
	}
	return out
}

// Dimension returns the presence's value of a dimension; empty where it is
// not known or there is no such dimension.
func (p *Presence) Dimension(name string) string {
	for i := range dimensions {
		if dimensions[i].name == name {
			return dimensions[i].of(p)
		}
	}
	return ""
}

// takes says whether a GPU is in the scope. A GPU counts wholly or not at all:
// shares are for cost.
func (a *Applicability) takes(p *Presence) bool {
	_, ok := a.Of(p.Dimension)
	return ok
}

// dimensions lists what the rules look at.
func (a *Applicability) dimensions() []string {
	var out []string
	for _, r := range slices.Concat(a.Inclusions, a.Exclusions) {
		out = append(out, r.Dimension)
	}
	return out
}

// whyNot names the rule for which a does not take p.
func (a *Applicability) whyNot(p *Presence) string {
	if a.Complex {
		return "its scope is complex: it takes only what it pins"
	}
	if _, ok := matches(a.Inclusions, a.IncludeAny, p.Dimension); !ok {
		for i := range a.Inclusions {
			if r := &a.Inclusions[i]; !r.Holds(p.Dimension(r.Dimension)) {
				return fmt.Sprintf("%s %s is not %s", r.Dimension, word(p.Dimension(r.Dimension)), r.wants())
			}
		}
	}
	for i := range a.Exclusions {
		if r := &a.Exclusions[i]; r.Holds(p.Dimension(r.Dimension)) {
			return fmt.Sprintf("%s %s is excluded: %s", r.Dimension, word(p.Dimension(r.Dimension)), r.wants())
		}
	}
	return ""
}

// wants is the rule without its dimension: In [a, b].
func (r *Rule) wants() string {
	if len(r.Values) == 0 {
		return string(r.Operator)
	}
	return string(r.Operator) + " " + listed(r.Values)
}
