package report

import "strings"

// maxRemarks is how many remarks stand in the text; all are in the JSON.
const maxRemarks = 20

// remarks writes what stands out.
func (t *text) remarks() {
	if len(t.r.Remarks) == 0 {
		return
	}
	t.blank()
	t.line("%s", t.paint(bold, "What stands out"))
	for i := range t.r.Remarks {
		if i == maxRemarks {
			t.note("", "%d more are in the JSON form", len(t.r.Remarks)-i)
			break
		}
		text, who := t.r.Remarks[i].Sentence()
		t.note(who, "%s", strings.ReplaceAll(text, " %", nbsp+"%"))
	}
}
