package cloud

import (
	"strings"

	"github.com/gpumeter/gpumeter/usage"
)

// reply is what one source says.
type reply struct {
	usage.Cloud
	// Otherwise counts where no source says better.
	Otherwise usage.Cloud
	Signed    bool
}

// The sources besides the metadata services, which are named for their
// providers.
const (
	fromConfig = "config"
	fromNode   = "node" // its object in Kubernetes
	fromSlurm  = "slurm"
	fromDMI    = "dmi"
)

// canonical returns our word for a provider that operators may call by another.
func canonical(provider string) string {
	switch p := strings.ToLower(provider); p {
	case "gcp", "gce":
		return "google"
	case "oci":
		return "oracle"
	default:
		return p
	}
}

// fields are those of usage.Cloud, by their JSON names.
var fields = []struct {
	name string
	of   func(*usage.Cloud) *string
}{
	{"provider", func(c *usage.Cloud) *string { return &c.Provider }},
	{"account", func(c *usage.Cloud) *string { return &c.Account }},
	{"region", func(c *usage.Cloud) *string { return &c.Region }},
	{"zone", func(c *usage.Cloud) *string { return &c.Zone }},
	{"instance_type", func(c *usage.Cloud) *string { return &c.InstanceType }},
	{"instance_id", func(c *usage.Cloud) *string { return &c.InstanceID }},
	{"reservation", func(c *usage.Cloud) *string { return &c.Reservation }},
	{"cluster", func(c *usage.Cloud) *string { return &c.Cluster }},
	{"node_pool", func(c *usage.Cloud) *string { return &c.NodePool }},
	{"rack", func(c *usage.Cloud) *string { return &c.Rack }},
}

// Sources lists who may say where a node stands besides the configuration, from
// the strongest to the weakest.
func Sources() []string { return ranks()[1:] }

// Field is one field of where a node stands that is known, by its JSON name, and
// who said so.
type Field struct{ Name, Value, From string }

// Fields lists the fields that are known, in their order.
func (f Found) Fields() []Field {
	var out []Field
	for _, d := range fields {
		if v := *d.of(&f.Cloud); v != "" {
			out = append(out, Field{d.name, v, f.From[d.name]})
		}
	}
	return out
}

// ranks lists the sources from the strongest to the weakest.
func ranks() []string {
	out := []string{fromConfig}
	for _, s := range services {
		out = append(out, s.provider)
	}
	return append(out, fromNode, fromSlurm, fromDMI)
}

// merge takes each field from the strongest source that knows it. Once a
// provider is known, sources that speak of another one are not heard: a field
// of theirs would belong to another cloud's node.
func merge(given usage.Cloud, said map[string]reply) Found {
	f := Found{From: map[string]string{}}
	provider := canonical(given.Provider)
	f.take(given, fromConfig)
	var heard []string
	for _, source := range ranks() {
		r, ok := said[source]
		if !ok || provider != "" && r.Provider != "" && r.Provider != provider {
			continue
		}
		if provider == "" {
			provider = r.Provider
		}
		heard = append(heard, source)
		f.take(r.Cloud, source)
		f.Signed = f.Signed || r.Signed
	}
	for _, source := range heard {
		f.take(said[source].Otherwise, source)
	}
	return f
}

// take fills the fields of f that are empty.
func (f *Found) take(from usage.Cloud, source string) {
	for _, d := range fields {
		if to, v := d.of(&f.Cloud), *d.of(&from); *to == "" && v != "" {
			*to = v
			f.From[d.name] = source
		}
	}
}

// outlive fills what a source could not say this time with what it said
// before, unless that was of another instance.
func (r *reply) outlive(old reply) {
	if r.InstanceID != "" && old.InstanceID != "" && r.InstanceID != old.InstanceID {
		return
	}
	for _, d := range fields {
		if to := d.of(&r.Cloud); *to == "" {
			*to = *d.of(&old.Cloud)
		}
		if to := d.of(&r.Otherwise); *to == "" {
			*to = *d.of(&old.Otherwise)
		}
	}
	r.Signed = r.Signed || old.Signed
}

// maxName is far below what a batch may carry, and above the longest names
// that clouds give: an OCID has about 110 characters.
const maxName = 200

// name returns s without space around it, or nothing if it is not a short
// printable name: nobody's account or zone has quotes, brackets or line breaks.
func name(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxName {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte("<>\"'`\\{}", c) >= 0 {
			return ""
		}
	}
	return s
}

// named returns c with every value that is not a name left out.
func named(c usage.Cloud) usage.Cloud {
	for _, d := range fields {
		v := d.of(&c)
		*v = name(*v)
	}
	return c
}
