package duckdb

import (
	"cmp"
	"maps"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// unit is a GPU in a node; node numbers state.nodes.
type unit struct {
	node       int32
	gpu, model string
}

// stream is one source of records. Streams are ordered by who owns a GPU's
// time when several claim it.
type stream struct {
	agent, epoch string
	evidence     usage.Evidence
}

// compare is negative if s owns what both claim.
func (s stream) compare(o stream) int {
	if s.evidence != o.evidence {
		if s.evidence == usage.EvidenceAgent {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(s.agent, o.agent), cmp.Compare(s.epoch, o.epoch))
}

// feed is what sequence numbers count in.
type feed struct{ agent, epoch string }

// course is all that one stream recorded of one unit.
type course struct{ unit, stream int32 }

// goodbye is a goodbye event of a GPU, or of its node if gpu is empty.
type goodbye struct {
	gpu  string
	atMs int64
}

// traits is what may change of a unit while it stays the same unit.
type traits struct {
	name, serial, pci string
	index             int
	memoryBytes       uint64
	driver, agent     string // versions
}

// state is what the tables say, in the form in which batches are judged and
// presence is told without reading them: its size follows the number of units,
// streams, holders and gaps, not that of records. Slices and maps in it are
// replaced or grown by draft.keep and not changed otherwise.
type state struct {
	origin string // of the store: its id and when it was made

	nodes   dict[usage.Node] // versions are empty
	units   dict[unit]
	streams dict[stream]
	holders dict[usage.Holder]
	reasons dict[string]

	seqs     map[feed]usage.Ranges
	aside    map[usage.ID][]usage.Hash
	courses  map[course]spans
	byGPU    map[string][]course
	doubts   map[string][]span // by GPU
	traits   map[int32]traits  // by unit
	goodbyes map[int32][]goodbye
	counts   store.Counts // Units is not kept here
	// Hours before rolled are told by hour records, but for rough ones. Those
	// before rolling are becoming so, and touched like them; it is guarded by
	// DB.writing. moves counts what was kept.
	rolled, rolling int32
	rough           roughness
	moves           uint64
	others          int64 // documents and signs of life
	// gone is, by unit, the hours whose records were pruned, goneSeqs the
	// batches. The slices in them are never changed.
	gone     map[int32]hourRuns
	goneSeqs map[feed]usage.Ranges
	lastDay  closedDay // the last that was closed
}

func newState() *state {
	return &state{
		seqs: map[feed]usage.Ranges{}, aside: map[usage.ID][]usage.Hash{},
		courses: map[course]spans{}, byGPU: map[string][]course{}, doubts: map[string][]span{},
		traits: map[int32]traits{}, goodbyes: map[int32][]goodbye{}, rough: roughness{},
		gone: map[int32]hourRuns{}, goneSeqs: map[feed]usage.Ranges{}, lastDay: closedDay{day: -1},
	}
}

// addCourse makes a course known that was not known before.
func (s *state) addCourse(c course, spans spans) {
	s.courses[c] = spans
	gpu := s.units.list[c.unit-1].gpu
	s.byGPU[gpu] = append(s.byGPU[gpu], c)
}

// nodeOf returns a node without what may change: the versions.
func nodeOf(n usage.Node) usage.Node {
	n.Driver, n.Agent = "", ""
	return n
}

// follow makes s, which was read from the tables, the successor of the state
// that old was: every rough hour may have been touched in between.
func (s *state) follow(old *state) {
	s.rolling, s.moves = old.rolling, old.moves+1
	for _, hours := range s.rough {
		for hour, t := range hours {
			t.at = s.moves
			hours[hour] = t
		}
	}
}

// frozen returns a copy of the state that does not change, for readers that
// take long.
func (s *state) frozen() *state {
	out := *s
	out.courses, out.byGPU, out.doubts = maps.Clone(s.courses), maps.Clone(s.byGPU), maps.Clone(s.doubts)
	out.gone = maps.Clone(s.gone)
	out.rough = roughness{}
	for unit, hours := range s.rough {
		out.rough[unit] = maps.Clone(hours)
	}
	return &out
}
