package contract_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// valid is two good contracts of two tranches each.
func valid() []contract.Contract {
	var out []contract.Contract
	for _, id := range []string{"one", "two"} {
		c := contract.Contract{ID: id, Provider: "aws", Currency: "USD", Zone: time.UTC}
		for _, id := range []string{"x", "y"} {
			t := tranche(id, 8, 0, 1000)
			t.Steps = append(t.Steps, contract.Step{FromMs: h(100), GPUs: 16})
			t.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(50), PerGPUHour: 2_000_000}, {FromMs: h(50), ToMs: h(900), PerGPUHour: 1, OveragePerGPUHour: 5, HasOverage: true}}
			t.Scope = contract.Scope{Accounts: []string{"1"}, Regions: []string{"r"}, Reservations: []string{"v"}, Pins: []string{"GPU-1"}}
			c.Tranches = append(c.Tranches, t)
		}
		out = append(out, c)
	}
	return out
}

func TestValidateAcceptsWhatMakesSense(t *testing.T) {
	cs := valid()
	if err := contract.ValidateAll(cs); err != nil {
		t.Errorf("ValidateAll = %v", err)
	}
	if err := cs[0].Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
	cs[0].Provider, cs[0].Currency, cs[1].Provider = "firm-without-a-name", "CHF", "lambda"
	if err := contract.ValidateAll(cs); err != nil {
		t.Errorf("ValidateAll of other clouds = %v", err)
	}
	cs[0].Tranches[0].Rates, cs[0].Tranches[0].Scope, cs[0].Tranches[0].Steps[0].GPUs = nil, contract.Scope{}, 0
	if err := contract.ValidateAll(cs); err != nil {
		t.Errorf("ValidateAll without prices and scope, from zero GPUs = %v", err)
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	// f breaks the second contract or its second tranche.
	f := func(want, field string, item int, with func(c *contract.Contract, t *contract.Tranche)) {
		t.Helper()
		cs := valid()
		with(&cs[1], &cs[1].Tranches[1])
		err := contract.ValidateAll(cs)
		var e *contract.FieldError
		if !errors.As(err, &e) || err.Error() != want {
			t.Errorf("ValidateAll = %v\nwant %s", err, want)
			return
		}
		tranche := -1
		if strings.Contains(want, "tranche \"") {
			tranche = 1
		}
		if e.Contract != 1 || e.Tranche != tranche || e.Field != field || e.Item != item {
			t.Errorf("%v: contract %d, tranche %d, field %s %d; want 1, %d, %s %d", err, e.Contract, e.Tranche, e.Field, e.Item, tranche, field, item)
		}
	}
	type C = contract.Contract
	type T = contract.Tranche

	f(`contract "": id is empty or not clean text`, "id", -1, func(c *C, _ *T) { c.ID = "" })
	f("contract \"a\\u009b\": id is empty or not clean text", "id", -1, func(c *C, _ *T) { c.ID = "a\u009b" })
	f(`contract "a\nb": id is empty or not clean text`, "id", -1, func(c *C, _ *T) { c.ID = "a\nb" })
	f(`contract "one": id is used by an earlier contract`, "id", -1, func(c *C, _ *T) { c.ID = "one" })
	f(`contract "two": provider "" is empty or not clean text`, "provider", -1, func(c *C, _ *T) { c.Provider = "" })
	f(`contract "two": title "\xff" is not clean text`, "title", -1, func(c *C, _ *T) { c.Title = "\xff" })
	f(`contract "two": currency "usd" is not three capital letters`, "currency", -1, func(c *C, _ *T) { c.Currency = "usd" })
	f(`contract "two": currency "XYZ" is not a currency of ISO 4217`, "currency", -1, func(c *C, _ *T) { c.Currency = "XYZ" })
	f(`contract "two": currency "UDS" is not a currency of ISO 4217; did you mean "USD"?`, "currency", -1, func(c *C, _ *T) { c.Currency = "UDS" })
	f(`contract "two": provider "AWS" is not how agents name a cloud; did you mean "aws"?`, "provider", -1, func(c *C, _ *T) { c.Provider = "AWS" })
	f(`contract "two": provider "corewaeve" is not how agents name a cloud; did you mean "coreweave"?`, "provider", -1, func(c *C, _ *T) { c.Provider = "corewaeve" })
	f(`contract "two": provider "gcp" is not how agents name a cloud; did you mean "google"?`, "provider", -1, func(c *C, _ *T) { c.Provider = "gcp" })
	f(`contract "two": cut-off is -1s, not between nothing and 366 days`, "cut-off", -1, func(c *C, _ *T) { c.CutOff = -time.Second })
	f(`contract "two": zone is missing`, "zone", -1, func(c *C, _ *T) { c.Zone = nil })
	f(`contract "two": tranches are missing: a contract has at least one, or a spend commitment`, "tranches", -1, func(c *C, _ *T) { c.Tranches = nil })

	f(`contract "two", tranche "": id is empty or not clean text`, "id", -1, func(_ *C, t *T) { t.ID = "" })
	f(`contract "two", tranche "x": id is used by an earlier tranche of the contract`, "id", -1, func(_ *C, t *T) { t.ID = "x" })
	f(`contract "two", tranche "y": model " H100" is empty or not clean text`, "model", -1, func(_ *C, t *T) { t.Model = " H100" })

	f(`contract "two", tranche "y": steps never have a GPU`, "steps", -1, func(_ *C, t *T) { t.Steps = nil })
	f(`contract "two", tranche "y": steps never have a GPU`, "steps", -1, func(_ *C, t *T) { t.Steps[0].GPUs, t.Steps[1].GPUs = 0, 0 })
	f(`contract "two", tranche "y": steps 2 has -1 GPUs: not between 0 and 1000000`, "steps", 1, func(_ *C, t *T) { t.Steps[1].GPUs = -1 })
	f(`contract "two", tranche "y": steps 2 begins at 2026-10-01T00:00:00Z, not after the one before it`, "steps", 1, func(_ *C, t *T) { t.Steps[1].FromMs = h(0) })
	f(`contract "two", tranche "y": steps 2 begins at 2026-10-05T04:01:00Z, not on a whole 5 minutes UTC: usage is metered in windows that are cut there`,
		"steps", 1, func(_ *C, t *T) { t.Steps[1].FromMs += 60_000 })
	f(`contract "two", tranche "y": steps 1 begins at 1969-12-31T23:55:00Z, not between 1970 and 2100`, "steps", 0, func(_ *C, t *T) { t.Steps[0].FromMs = -300_000 })
	f(`contract "two", tranche "y": end is 2026-10-05T04:00:00Z, not after the last step at 2026-10-05T04:00:00Z`, "end", -1, func(_ *C, t *T) { t.EndMs = h(100) })
	f(`contract "two", tranche "y": end is at 2026-11-11T16:00:00.001Z, not on a whole 5 minutes UTC: usage is metered in windows that are cut there`,
		"end", -1, func(_ *C, t *T) { t.EndMs++ })
	f(`contract "two", tranche "y": end is at 2100-01-01T00:05:00Z, not between 1970 and 2100`, "end", -1, func(_ *C, t *T) { t.EndMs = 4_102_444_800_000 + 300_000 })

	f(`contract "two", tranche "y": rates 2 ends at 2026-10-03T02:00:00Z, not after it begins`, "rates", 1, func(_ *C, t *T) { t.Rates[1].ToMs = h(50) })
	f(`contract "two", tranche "y": rates 2 begins at 2026-10-03T01:00:00Z, before the one before it ends at 2026-10-03T02:00:00Z`, "rates", 1, func(_ *C, t *T) { t.Rates[1].FromMs = h(49) })
	f(`contract "two", tranche "y": rates 1 begins at 2026-09-30T23:59:00Z, not on a whole 5 minutes UTC: usage is metered in windows that are cut there`,
		"rates", 0, func(_ *C, t *T) { t.Rates[0].FromMs -= 60_000 })
	f(`contract "two", tranche "y": rates 2 ends at 2026-11-07T12:01:00Z, not on a whole 5 minutes UTC: usage is metered in windows that are cut there`,
		"rates", 1, func(_ *C, t *T) { t.Rates[1].ToMs += 60_000 })
	f(`contract "two", tranche "y": rates 1 has a negative price`, "rates", 0, func(_ *C, t *T) { t.Rates[0].PerGPUHour = -1 })
	f(`contract "two", tranche "y": rates 1 has an overage price that is marked as not known`, "rates", 0, func(_ *C, t *T) { t.Rates[0].OveragePerGPUHour = 1 })
	f(`contract "two", tranche "y": rates make the contract worth more than nine trillion USD`, "rates", -1, func(_ *C, t *T) { t.Rates[0].PerGPUHour = math.MaxInt64 })

	f(`contract "two", tranche "y": rates 1 has a list price that is marked as not known`, "rates", 0, func(_ *C, t *T) { t.Rates[0].ListPerGPUHour = 1 })
	f(`contract "two", tranche "y": rates make the contract worth more than nine trillion USD`, "rates", -1, func(_ *C, t *T) {
		t.Rates[0].PerGPUHour, t.Accepts = 1e16, []contract.Substitute{{Model: "H200", Factor: 100 * contract.Whole}}
	})

	f(`contract "two", tranche "y": accounts 1 "" is empty or not clean text`, "accounts", 0, func(_ *C, t *T) { t.Scope.Accounts[0] = "" })
	f(`contract "two", tranche "y": regions 2 "\x00" is empty or not clean text`, "regions", 1, func(_ *C, t *T) { t.Scope.Regions = append(t.Scope.Regions, "\x00") })
	f(`contract "two", tranche "y": reservations 1 "x " is empty or not clean text`, "reservations", 0, func(_ *C, t *T) { t.Scope.Reservations[0] = "x " })
	f(`contract "two", tranche "y": pins 1 "" is empty or not clean text`, "pins", 0, func(_ *C, t *T) { t.Scope.Pins[0] = "" })
}

func TestValidateRefusesMoreTimeThanFits(t *testing.T) {
	c := valid()[0]
	for i, id := range []string{"a", "b", "c"} { // two still fit into 64 bits
		c.Tranches = append(c.Tranches[:i], contract.Tranche{ID: id, Model: "H100", EndMs: 4_102_444_800_000, Steps: []contract.Step{{GPUs: 1_000_000}}})
		if err := c.Validate(); (err == nil) != (i < 2) {
			t.Errorf("Validate with %d tranches of a million GPUs until 2100 = %v", i+1, err)
		}
	}
}
