package usage

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// slotMark stands between the node and the number in the id of a slot.
const slotMark = "/slot-"

// maxSlotNode is what a node's name may have of a slot's id, which is bounded as
// all texts are. Longer names are cut.
const maxSlotNode = maxText - len(slotMark) - len("1024")

// Slot returns the id under which a GPU stands on record that a node should
// have and that nobody has seen: "node-7/slot-k". It passes wherever a UUID does.
func Slot(node string, k int) string {
	return cut(node, maxSlotNode) + slotMark + strconv.Itoa(k)
}

// SlotNode returns what stands for a node in the ids of its slots: its name, and
// a mark of its machine where that is known, since two clouds may have nodes of
// one name.
func SlotNode(n Node) string {
	if n.MachineID == "" {
		return n.Name
	}
	mark := sha256.Sum256([]byte(n.MachineID))
	suffix := "@" + hex.EncodeToString(mark[:4])
	return cut(n.Name, maxSlotNode-len(suffix)) + suffix
}

// cut leaves at most n bytes of a text.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// IsSlot reports whether id is one of Slot's and no GPU's UUID.
func IsSlot(id string) bool {
	i := strings.LastIndex(id, slotMark)
	if i <= 0 {
		return false
	}
	_, err := strconv.ParseUint(id[i+len(slotMark):], 10, 32)
	return err == nil
}
