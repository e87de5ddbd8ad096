package contract

import (
	"cmp"
	"slices"
)

// Parcel is what of a line falls to one group. The parcels of a line add up
// to the line: in every bucket, in GPU-milliseconds and in money.
type Parcel struct {
	Kind ParcelKind `json:"kind"`
	// Group names the group; empty for other kinds.
	Group string `json:"group,omitempty"`
	// Others is how many groups are in others.
	Others        int   `json:"others,omitempty"`
	ContractedMs  int64 `json:"contracted_gpu_ms"`
	Buckets       Time  `json:"buckets_gpu_ms"`
	SMActiveMs    int64 `json:"sm_active_gpu_ms"`
	SMKnownMs     int64 `json:"sm_known_gpu_ms"`
	EnergyMJ      int64 `json:"energy_mj"`
	EnergyKnownMs int64 `json:"energy_known_gpu_ms"`
	OverageMs     int64 `json:"overage_gpu_ms"`
	Cost          Cost  `json:"cost"`
}

// ParcelKind says what a Parcel is of.
type ParcelKind string

// Others are the groups that were not asked for one by one. Unattributed is
// what no group can be named for; it is in every list of parcels, also where
// it is nothing.
const (
	OfGroup        ParcelKind = "group"
	OfOthers       ParcelKind = "others"
	OfUnattributed ParcelKind = "unattributed"
	OfTotal        ParcelKind = "total"
)

// HeldMs is the time that a group had its GPUs for work: healthy, and held or
// not known to be free.
func (p *Parcel) HeldMs() int64 { return p.Buckets[Idle] + p.Buckets[Unmeasured] + p.Buckets[Busy] }

// add adds another parcel's time and money, in the same currency.
func (p *Parcel) add(o *Parcel) error {
	p.Others += o.Others
	p.ContractedMs += o.ContractedMs
	p.Buckets.Add(o.Buckets)
	p.SMActiveMs += o.SMActiveMs
	p.SMKnownMs += o.SMKnownMs
	p.EnergyMJ += o.EnergyMJ
	p.EnergyKnownMs += o.EnergyKnownMs
	p.OverageMs += o.OverageMs
	return p.Cost.add(&o.Cost)
}

// empty reports whether there is nothing in it.
func (p *Parcel) empty() bool {
	return *p == Parcel{Kind: p.Kind, Group: p.Group, Others: p.Others}
}

// parcels gathers parcels by group.
type parcels map[string]*Parcel

// of returns the parcel of a group.
func (ps parcels) of(group string) *Parcel {
	p, ok := ps[group]
	if !ok {
		p = &Parcel{Kind: OfGroup, Group: group}
		if group == unattributed {
			p.Kind = OfUnattributed
		}
		ps[group] = p
	}
	return p
}

// merge adds a list.
func (ps parcels) merge(list []Parcel) error {
	for i := range list {
		if err := ps.of(list[i].Group).add(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// list returns the parcels by cost, then time, then name, without those that
// are nothing; what has no group is last, and always there.
func (ps parcels) list() []Parcel {
	ps.of(unattributed)
	out := make([]Parcel, 0, len(ps))
	for _, p := range ps {
		if !p.empty() || p.Kind == OfUnattributed {
			out = append(out, *p)
		}
	}
	slices.SortFunc(out, func(a, b Parcel) int {
		return cmp.Or(cmp.Compare(rankOf(a.Kind), rankOf(b.Kind)), cmp.Compare(b.Cost.Contracted, a.Cost.Contracted),
			cmp.Compare(b.Buckets.Total(), a.Buckets.Total()), cmp.Compare(b.OverageMs, a.OverageMs), cmp.Compare(a.Group, b.Group))
	})
	return out
}

func rankOf(k ParcelKind) int {
	return slices.Index([]ParcelKind{OfGroup, OfOthers, OfUnattributed, OfTotal}, k)
}

// Top leaves in every list of groups the n that cost most, and adds the rest
// of them up as others: the lists add up to the same as before. It changes r.
func (r *Report) Top(n int) error {
	lists := []*[]Parcel{}
	for i := range r.Contracts {
		s := &r.Contracts[i]
		for t := range s.Tranches {
			lists = append(lists, &s.Tranches[t].Groups)
		}
		lists = append(lists, &s.Total.Groups)
	}
	if b := r.Breakdown; b != nil {
		for i := range b.Currencies {
			lists = append(lists, &b.Currencies[i].Groups)
		}
		lists = append(lists, &b.Uncontracted)
	}
	for _, list := range lists {
		var err error
		if *list, err = top(*list, n); err != nil {
			return err
		}
	}
	return nil
}

// top leaves the first n groups of a list and adds the rest up as others.
func top(list []Parcel, n int) ([]Parcel, error) {
	groups := 0
	for groups < len(list) && list[groups].Kind == OfGroup {
		groups++
	}
	if groups <= n {
		return list, nil
	}
	others := Parcel{Kind: OfOthers, Others: groups - n}
	for i := n; i < len(list); i++ {
		if list[i].Kind == OfUnattributed {
			break
		}
		if err := others.add(&list[i]); err != nil {
			return nil, err
		}
	}
	out := append(slices.Clone(list[:n]), others)
	return append(out, list[len(list)-1]), nil
}
