package contract_test

import "github.com/gpumeter/gpumeter/contract"

// slowMachine names the node that a presence stands in: the one that those of
// its name agree upon of which nobody knows more, if that is one; else as the
// presence says itself.
func slowMachine(p contract.Presence, all []contract.Presence) [5]string {
	say := func(p *contract.Presence) [5]string {
		return [5]string{p.Node, p.Provider, p.Account, p.Region, p.Cluster}
	}
	fits := func(less, more [5]string) bool {
		for i := range less {
			if less[i] != "" && less[i] != more[i] {
				return false
			}
		}
		return less[0] == more[0]
	}
	found := map[[5]string]bool{}
	for i := range all {
		o, most := say(&all[i]), true
		for k := range all {
			most = most && (say(&all[k]) == o || !fits(o, say(&all[k])))
		}
		if most && fits(say(&p), o) {
			found[o] = true
		}
	}
	if len(found) == 1 {
		for o := range found {
			return o
		}
	}
	return say(&p)
}
