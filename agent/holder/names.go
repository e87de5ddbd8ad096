package holder

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/usage"
)

// Names says what leaves the node of the names of holders. That a GPU is held,
// and by what kind of holder, leaves it in any case: the sums rest on it.
type Names string

// NamesOn sends names as they are. NamesHashed sends the first 16 hex digits of
// an HMAC-SHA-256 of each: with one key on all nodes, the same name is the same
// everywhere and nobody without the key can try names out. Labels of pods stay as
// they are: they are on a list because they shall be told. NamesOff sends
// neither; the holders of a GPU are then as many as there are kinds of them.
const (
	NamesOn     Names = "on"
	NamesHashed Names = "hashed"
	NamesOff    Names = "off"
)

// ParseNames reads a setting.
func ParseNames(s string) (Names, error) {
	switch n := Names(s); n {
	case NamesOn, NamesHashed, NamesOff:
		return n, nil
	}
	return "", fmt.Errorf("holders %q is not on, hashed or off", s)
}

// minKey is the shortest key, in bytes.
const minKey = 16

// ReadKey reads the key of NamesHashed from a file: its text without space
// around it, at least 16 bytes. Nodes that share the file's content hash alike.
func ReadKey(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read holder key: %w", err)
	}
	b = bytes.TrimSpace(b)
	if len(b) < minKey {
		return nil, fmt.Errorf("read holder key %s: %d bytes, fewer than %d", file, len(b), minKey)
	}
	return b, nil
}

// NodeKey returns the key that this node keeps in its state folder, and makes
// one at the first call. Names that it hashed match on no other node.
func NodeKey(state string) ([]byte, error) {
	file := filepath.Join(state, "holder.key")
	key, err := ReadKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	// Half a key would be no key, and another one would part the hashes of before
	// from those of after: the file is there whole or not at all.
	err = os.WriteFile(file+".new", []byte(rand.Text()+rand.Text()+"\n"), 0o600)
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return nil, fmt.Errorf("make holder key: %w", err)
	}
	return ReadKey(file)
}

// Kinds of holders, as usage.Holder has them, and names for what has none.
const (
	kindPod       = "pod"
	kindJob       = "job"
	kindContainer = "container"
	kindUser      = "user"
	// kindOthers stands for all holders of a GPU beyond maxHolders.
	kindOthers = "others"
	unknown    = "unknown"
)

// maxHolders bounds the holders of one GPU or instance at a time.
const maxHolders = 128

// publish makes of holders what may leave the node: names that every
// collector takes, as far as they may be told. It is the one place through which
// they go.
func (f *Finder) publish(hs []usage.Holder) []usage.Holder {
	for i := range hs {
		hs[i] = f.veil(hs[i])
	}
	return gather(hs)
}

// gather sorts holders and keeps one of each, and of very many the first.
func gather(hs []usage.Holder) []usage.Holder {
	slices.SortFunc(hs, compare)
	hs = slices.Compact(hs)
	if len(hs) > maxHolders {
		hs = append(hs[:maxHolders:maxHolders], usage.Holder{Basis: hs[maxHolders].Basis, Kind: kindOthers})
	}
	return hs
}

func compare(a, b usage.Holder) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Part, b.Part), cmp.Compare(a.Labels, b.Labels), cmp.Compare(a.Basis, b.Basis))
}

// TellsNames reports whether names leave the node as they are. What the driver
// says of an error names a process, too.
func (f *Finder) TellsNames() bool { return f.cfg.Names == NamesOn }

func (f *Finder) veil(h usage.Holder) usage.Holder {
	h.Group, h.Name, h.Part = tidy(h.Group), tidy(h.Name), tidy(h.Part)
	switch f.cfg.Names {
	case NamesOn:
	case NamesHashed:
		h.Group, h.Name, h.Part = f.hash("group", h.Group), f.hash("name", h.Name), f.hash("part", h.Part)
	default:
		h.Group, h.Name, h.Part, h.Labels = "", "", "", ""
	}
	return h
}

// hash hides a name. Fields have hashes of their own: a user who is named like a
// namespace is not one.
func (f *Finder) hash(field, name string) string {
	if name == "" || name == unknown {
		return name
	}
	m := hmac.New(sha256.New, f.cfg.Key)
	m.Write([]byte(field + "\x00" + name))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// maxText is what a collector takes of a name, in bytes (see usage.Batch.Check):
// it would refuse the whole batch for a longer one, and jobs and containers have
// the names that their users gave them.
const maxText = 256

// tidy makes one clean line of a name.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '_'
		}
		return r
	}, s)
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
