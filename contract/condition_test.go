package contract_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/contract"
)

func TestConditionComparesExactly(t *testing.T) {
	// 19 of 20 delivered; of these 1 is idle, 2 unmeasured, and 16 busy.
	line := &contract.Line{ContractedMs: 20, Buckets: contract.Time{contract.Undelivered: 1, contract.Idle: 1, contract.Unmeasured: 2, contract.Busy: 16}}
	f := func(s string, want bool) {
		t.Helper()
		c, err := contract.ParseCondition(s)
		if err != nil {
			t.Error(err)
			return
		}
		if got := c.Met(line); got != want {
			t.Errorf("%q is %v", s, got)
		}
	}
	f("delivered < 0.95", false)
	f("delivered<=95%", true)
	f(" delivered > 94.999999999 % ", true)
	f("delivered < 0.950000001", true)
	f("delivered >= 0.95", true)
	f("delivered > 0.95", false)
	f("busy < 0.8", false)
	f("busy <= 0.8", true)
	f("allocated < 1", true)
	f("idle > 0", true)
	f("unhealthy > 0", false)
	f("contracted < 1", false)
	line = &contract.Line{}
	f("delivered < 0.95", false)
	f("idle >= 0", false)
}

func TestConditionSaysWhatIsWrong(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if _, err := contract.ParseCondition(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
	f("delivered", `condition "delivered" is not of the form delivered < 0.95`)
	f("delivered = 1", `condition "delivered = 1" is not of the form delivered < 0.95`)
	f("delivered < -1", `condition "delivered < -1" is not of the form delivered < 0.95`)
	f("delivered < 95", `condition "delivered < 95": a share is not above 1 (or 100%)`)
	f("used < 0.5", `condition "used < 0.5": "used" is not contracted, undelivered, delivered, unobserved, observed, unhealthy, healthy, unallocated, allocated, idle, unmeasured or busy`)
}

// FuzzParseCondition holds that what is read is written the same, and that a
// condition and its opposite never hold together.
func FuzzParseCondition(f *testing.F) {
	for _, s := range []string{"delivered < 0.95", "busy>=50%", "idle <= 100 %", "x < 1", "idle<0.1.2"} {
		f.Add(s)
	}
	opposite := map[string]string{"<": ">=", ">=": "<", ">": "<=", "<=": ">"}
	line := &contract.Line{ContractedMs: 7, Buckets: contract.Time{1, 1, 1, 1, 1, 1, 1}}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := contract.ParseCondition(s)
		if err != nil {
			return
		}
		again, err := contract.ParseCondition(c.String())
		if err != nil || again.String() != c.String() || again.Met(line) != c.Met(line) {
			t.Errorf("%q is read as %q, %v", s, again.String(), err)
		}
		other, err := contract.ParseCondition(strings.Replace(c.String(), " "+c.Op+" ", " "+opposite[c.Op]+" ", 1))
		if err != nil || other.Met(line) == c.Met(line) {
			t.Errorf("%q and %q are both %v: %v", c.String(), other.String(), c.Met(line), err)
		}
	})
}

// Quantities that are stages are what stands in Line.Stages, and each is what the
// one before is without the bucket between.
func TestQuantitiesAreTheStages(t *testing.T) {
	line := workedReport(t).Contracts[0].Total
	for _, s := range line.Stages {
		f, err := contract.ParseQuantity(s.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := f.Ms(line.Buckets); got != s.Ms {
			t.Errorf("%s is %d GPU-ms, the stage is %d", f.Name, got, s.Ms)
		}
	}
	for b := range contract.Buckets {
		f, err := contract.ParseQuantity(b.String())
		if err != nil || !slices.Equal(f.Buckets, []contract.Bucket{b}) || f.Rule == "" || f.Actor() != b.Actor() {
			t.Errorf("bucket %s is the quantity %+v, %v", b, f, err)
		}
	}
	all, _ := contract.ParseQuantity("contracted")
	if all.Cost(line.Cost.Buckets) != line.Cost.Contracted || all.Actor() != "" || all.Ms(line.Buckets) != line.ContractedMs {
		t.Errorf("contracted is %d for %s", all.Ms(line.Buckets), all.Cost(line.Cost.Buckets))
	}
}
