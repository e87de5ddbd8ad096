package cloud

import "github.com/gpumeter/gpumeter/usage"

// Remember tells the finder what it found before a restart of the program, in
// the same boot of the node: sources that fail are believed to stand by it. It is
// called before the first look. What was found of another provider than the
// operator now says is not remembered.
func (f *Finder) Remember(found Found) {
	given := canonical(f.cfg.Given.Provider)
	if f.cfg.Off || given != "" && given != found.Cloud.Provider {
		return
	}
	f.turn.Lock()
	defer f.turn.Unlock()
	for _, source := range Sources() {
		if r, said := found.of(source); said {
			f.last[source] = r
		}
	}
}

// of returns what a source said of what was found. Whatever another source says
// now is better.
func (f *Found) of(source string) (r reply, said bool) {
	for _, d := range fields {
		if f.From[d.name] != source {
			continue
		}
		said = true
		*d.of(&r.Otherwise) = name(*d.of(&f.Cloud))
	}
	// A source is known by its provider and a service by its instance.
	r.Provider, r.InstanceID = r.Otherwise.Provider, r.Otherwise.InstanceID
	if serviceOf(source) != nil {
		r.Provider = source
	}
	r.Otherwise.Provider, r.Otherwise.InstanceID = "", ""
	r.Signed = f.Signed && serviceOf(source) != nil
	if r.Otherwise == (usage.Cloud{}) && r.Cloud == (usage.Cloud{}) {
		return reply{}, false
	}
	return r, said
}
