package spool

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/gpumeter/gpumeter/usage"
)

// Origin says why the current epoch began.
type Origin string

// Origins of an epoch.
const (
	OriginContinued Origin = "continued" // it did not begin: the spool goes on where it was
	OriginNew       Origin = "new"
	OriginDamaged   Origin = "damaged"   // the file was set aside
	OriginTorn      Origin = "torn"      // the file is sound, but its last transaction may be missing
	OriginMoved     Origin = "moved"     // another machine: also a new agent id
	OriginOvertaken Origin = "overtaken" // the collector has later numbers: this spool is an old copy
)

// identity is who the spool is and how far it has counted. It is one value in
// the file, written with every batch.
type identity struct {
	Format  int    `json:"format"`
	Agent   string `json:"agent"`
	Epoch   string `json:"epoch"`
	Machine string `json:"machine"`
	// Seq is the last number used, Prev the hash of the batch that has it.
	Seq  uint64 `json:"seq"`
	Prev string `json:"prev"`
	// Store is the collector's store that last acknowledged something.
	Store string `json:"store"`
	// Origin is why Epoch began.
	Origin Origin `json:"origin"`
}

// format is the version of the file's layout.
const format = 1

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never returns an error
	return hex.EncodeToString(b[:])
}

// newIdentity mints an agent and its first epoch.
func newIdentity(machine string, why Origin) identity {
	return identity{Format: format, Agent: newID(), Epoch: newID(), Machine: machine, Origin: why}
}

// newEpoch returns id with a new epoch, in which nothing is numbered yet.
func (id identity) newEpoch(why Origin) identity {
	id.Epoch, id.Seq, id.Prev, id.Origin = newID(), 0, "", why
	return id
}

func (id identity) stream() stream { return stream{id.Agent, id.Epoch} }

// after returns id once the sealed batch has been numbered.
func (id identity) after(s usage.Sealed) identity {
	id.Seq, id.Prev = s.Batch.Seq, s.Hash.String()
	return id
}

func parseIdentity(v []byte) (identity, error) {
	var id identity
	if err := json.Unmarshal(v, &id); err != nil {
		return id, fmt.Errorf("decode identity: %w", err)
	}
	if id.Format != format {
		return id, fmt.Errorf("decode identity: format %d is not %d", id.Format, format)
	}
	return id, nil
}
