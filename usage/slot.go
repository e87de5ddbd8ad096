package usage

import (
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
	if len(node) > maxSlotNode {
		node = strings.ToValidUTF8(node[:maxSlotNode], "")
	}
	return node + slotMark + strconv.Itoa(k)
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
