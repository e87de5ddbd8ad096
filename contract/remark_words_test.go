package contract_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

func TestSentencesReadAsPeopleSpeak(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 10, d, 0, 0, 0, 0, time.UTC) }
	m := contract.Remark{
		Contract: "acme", Tranche: "h100", Model: "H100", GPUs: 40, Ms: 36_000_000, OfMs: 72_000_000,
		Priced: true, Cost: 25_000_000, Currency: "USD", Group: "research", From: day(5), To: day(9),
		Swaps: []contract.Swap{{Node: "n1", Old: "GPU-aaaaaaaa-1", New: "GPU-bbbbbbbb-2", At: day(6)}},
	}
	f := func(kind contract.RemarkKind, wantWho, want string) {
		t.Helper()
		m.Kind = kind
		got, who := m.Sentence()
		if who != wantWho || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s: %q, want %s: %q", kind, who, got, wantWho, want)
		}
	}
	f(contract.RemarkLate, "provider", "acme/h100: 40 H100 were due on 2026-10-05, and were not all there before 2026-10-09: 10.00 GPU-hours, 25.00 USD undelivered (50.00 %")
	f(contract.RemarkShort, "provider", "acme/h100: H100 were missing from 2026-10-05 to 2026-10-09: 10.00 GPU-hours, 25.00 USD undelivered")
	f(contract.RemarkUnhealthy, "provider", "acme/h100: H100 stood there and could not be used for 10.00 GPU-hours, 25.00 USD (50.00 % of contracted).")
	f(contract.RemarkReplaced, "provider", "acme: 40 H100 were replaced: GPU-aaaaaaaa by GPU-bbbbbbbb in n1 on 2026-10-06.")
	f(contract.RemarkSubstitute, "provider", "acme/h100: H100 stood for research, as the contract accepts")
	f(contract.RemarkSilent, "us", "acme/h100: no telemetry from 2026-10-05 to 2026-10-09: 10.00 GPU-hours")
	f(contract.RemarkUnmeasured, "us", "acme/h100: 10.00 GPU-hours, 25.00 USD (50.00 % of contracted) in which nobody can tell")
	f(contract.RemarkFree, "platform", "acme/h100: 10.00 GPU-hours, 25.00 USD (50.00 % of contracted) were held by nobody.")
	f(contract.RemarkHoarding, "team", "acme: team research computed nothing in 50.00 % of the GPU time that it held: 10.00 GPU-hours, 25.00 USD idle.")
	m.To, m.Priced = time.Time{}, false
	f(contract.RemarkLate, "provider", "acme/h100: 40 H100 were due on 2026-10-05, and are not all there yet: 10.00 GPU-hours undelivered")
	f(contract.RemarkShort, "provider", "acme/h100: H100 have been missing since 2026-10-05: 10.00")
	m.Group, m.Near = "", "acme/h100: region"
	f(contract.RemarkStray, "platform", "40 H100 of an unknown cloud in no contract, for 10.00 GPU-hours; nearest is acme/h100: region.")
}
