package usage

import (
	"strings"
	"testing"
)

func TestSlotIsAcceptedWhateverTheNodeIsCalled(t *testing.T) {
	for _, node := range []string{"n1", strings.Repeat("n", maxText), strings.Repeat("é", maxText/2), "rack/slot-3"} {
		id := Slot(node, MaxBatchGPUs)
		b := Batch{
			Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("e", 32), Seq: 1, Evidence: EvidenceAgent,
			Node: Node{Name: node}, GPUs: []GPU{{UUID: id, Model: "H100"}},
			Records: []Record{{GPU: id, EndMs: 60_000, Holder: Holder{Basis: BasisNone}, Sums: Sums{UnhealthyMs: 60_000}, Reason: "missing_sibling"}},
			Events:  []Event{{Kind: EventGoodbye, GPU: id}},
		}
		if err := b.Check(); err != nil {
			t.Errorf("node of %d bytes: %v", len(node), err)
		}
		if !IsSlot(id) {
			t.Errorf("%q is not taken for a slot", id)
		}
	}
	// Two machines of one name have slots of their own.
	for _, name := range []string{"n1", strings.Repeat("é", maxText)} {
		a, b := SlotNode(Node{Name: name, MachineID: "a"}), SlotNode(Node{Name: name, MachineID: "b"})
		if Slot(a, 7) == Slot(b, 7) || len(Slot(a, 1024)) > maxText || SlotNode(Node{Name: "n1"}) != "n1" {
			t.Errorf("slots %q and %q", Slot(a, 7), Slot(b, 7))
		}
	}
	for _, id := range []string{"", "GPU-1", "/slot-1", "n1/slot-", "n1/slot-x", "n1/slot--1", "MIG-n1/slot-1/2"} {
		if IsSlot(id) {
			t.Errorf("%q is taken for a slot", id)
		}
	}
}
