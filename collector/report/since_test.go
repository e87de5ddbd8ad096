package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/report"
)

// TestTimeBeforeTheFirstRecordIsNamed holds that nobody takes for missing GPUs
// what was before the meter.
func TestTimeBeforeTheFirstRecordIsNamed(t *testing.T) {
	const want = "nothing was metered before 2026-10-05 10:00:37 UTC: what was contracted until then is undelivered"
	r := fleet(t)
	for _, since := range []*time.Time{nil, new(time.Date(2026, 10, 5, 10, 0, 37, 0, time.UTC))} {
		r.Quality.RecordedSince = since
		var text, markdown bytes.Buffer
		if err := report.Text(&text, r, report.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := report.Markdown(&markdown, r); err != nil {
			t.Fatal(err)
		}
		for form, out := range map[string]string{"text": text.String(), "markdown": markdown.String()} {
			if strings.Contains(out, want) != (since != nil) {
				t.Errorf("%s, recorded since %v: %s", form, since, out)
			}
		}
	}
}
