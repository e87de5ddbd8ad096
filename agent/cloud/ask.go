package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
)

// ask gives every source a turn, one after the other: the firmware, the
// metadata service that it or the operator names, Kubernetes, the service that
// only Kubernetes names, Slurm.
func (f *Finder) ask(ctx context.Context) {
	failed := map[string]string{}
	keep := func(source string, r reply, err error) {
		if err != nil {
			// A source that fails is believed to stand by what it said before.
			r.outlive(f.last[source])
			failed[source] = clip(err.Error())
		}
		f.last[source] = r
	}
	keep(fromDMI, recognise(f.cfg.Root), nil)
	s := serviceOf(cmp.Or(f.cfg.Given.Provider, f.last[fromDMI].Provider))
	if s != nil {
		r, err := f.askService(ctx, s)
		keep(s.provider, r, err)
	}
	r, err := askKubernetes(ctx, f.cfg)
	keep(fromNode, r, err)
	if late := serviceOf(f.last[fromNode].Provider); s == nil && f.cfg.Given.Provider == "" && late != nil {
		r, err := f.askService(ctx, late)
		keep(late.provider, r, err)
	}
	keep(fromSlurm, askSlurm(f.cfg), nil)
	f.contradictions(failed)
	f.complain(failed)
}

// serviceOf returns the metadata service of a provider; nil if it has none.
func serviceOf(provider string) *service {
	for i := range services {
		if services[i].provider == canonical(provider) {
			return &services[i]
		}
	}
	return nil
}

// askService returns what a metadata service says. An answer that names no
// instance is not a metadata service's, and nothing of it is kept.
func (f *Finder) askService(ctx context.Context, s *service) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, perService)
	defer cancel()
	c := s.door(f.cfg.Dial)
	defer c.CloseIdleConnections()
	r, err := s.ask(ctx, c)
	r.Cloud, r.Otherwise = named(r.Cloud), named(r.Otherwise)
	if r.InstanceID == "" {
		return reply{}, cmp.Or(err, errors.New("answer names no instance"))
	}
	r.Provider = s.provider
	return r, err
}

// contradictions adds the sources that merge does not hear because they speak
// of another provider than a stronger one.
func (f *Finder) contradictions(failed map[string]string) {
	provider := canonical(f.cfg.Given.Provider)
	for _, source := range ranks() {
		said := f.last[source].Provider
		switch {
		case said == "" || said == provider:
		case provider == "":
			provider = said
		default:
			failed[source] = fmt.Sprintf("speaks of provider %q, not of %q", said, provider)
		}
	}
}

// maxReason bounds what is said of a failure: the official clients quote the
// answer.
const maxReason = 400

func clip(reason string) string {
	if len(reason) > maxReason {
		reason = reason[:maxReason] + "…"
	}
	return strings.ToValidUTF8(reason, "")
}

// complain logs what is wrong since this look, and what no more.
func (f *Finder) complain(failed map[string]string) {
	for source, err := range failed {
		if _, before := f.failing[source]; !before {
			f.cfg.Log.Warn("source of the node's identity fails", "source", source, "err", err)
		}
	}
	for source := range f.failing {
		if _, still := failed[source]; !still {
			f.cfg.Log.Info("source of the node's identity is well again", "source", source)
		}
	}
	f.failing = failed
}
