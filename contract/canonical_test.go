package contract_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// fill gives every field of a struct, at any depth, a value that is not zero
// and no other field's; it knows no field by name but Source.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Source" {
				fill(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*time.Location]() {
			v.Set(reflect.ValueOf(time.UTC))
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(strings.Repeat("x", 1+int(*n%7)) + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	default:
		v.SetInt(*n)
	}
}

// TestEveryTermSurvives fills every field there is, so that a new one cannot
// be forgotten: a closed period is computed again from what is read.
func TestEveryTermSurvives(t *testing.T) {
	var want [2]contract.Contract
	n := int64(0)
	fill(reflect.ValueOf(&want[0]).Elem(), &n)
	want[1] = contract.Contract{ID: "small", Zone: zone(t, "Europe/Berlin")}
	text, err := contract.Canonical(want[:])
	if err != nil {
		t.Fatal(err)
	}
	got, err := contract.ReadCanonical(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got[:1], want[:1]) {
		t.Errorf("read %+v, want %+v", got[0], want[0])
	}
	if got[1].Zone.String() != "Europe/Berlin" || got[1].ID != "small" || got[1].Tranches != nil {
		t.Errorf("read %+v, want %+v", got[1], want[1])
	}
	if again, err := contract.Canonical(got); err != nil || !bytes.Equal(again, text) {
		t.Errorf("written again: %s, %v, want %s", again, err, text)
	}
}

// TestCanonicalLeavesOutWhatIsZero holds that a program with more terms writes
// the same bytes.
func TestCanonicalLeavesOutWhatIsZero(t *testing.T) {
	c := contract.Contract{ID: "small", Zone: zone(t, "Europe/Berlin"), Source: "contracts.yaml:1", Tranches: []contract.Tranche{
		{ID: "t", Steps: []contract.Step{{FromMs: 7}, {FromMs: 8, GPUs: 2}}, Rates: []contract.Rate{{ToMs: 9, HasOverage: true}}},
	}}
	got, err := contract.Canonical([]contract.Contract{c})
	want := `[{"ID":"small","Tranches":[{"ID":"t","Rates":[{"HasOverage":true,"ToMs":9}],"Steps":[{"FromMs":7},{"FromMs":8,"GPUs":2}]}],"Zone":"Europe/Berlin"}]`
	if err != nil || string(got) != want {
		t.Errorf("canonical form = %s, %v, want %s", got, err, want)
	}
}

// TestEveryTermIsInTheHash changes one field after the other.
func TestEveryTermIsInTheHash(t *testing.T) {
	var c contract.Contract
	n := int64(0)
	fill(reflect.ValueOf(&c).Elem(), &n)
	hash := func() string {
		t.Helper()
		text, err := contract.Canonical([]contract.Contract{c})
		if err != nil {
			t.Fatal(err)
		}
		return contract.Hash(text)
	}
	before, leaves := hash(), 0
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i).Name; f != "Source" && f != "Zone" {
					walk(v.Field(i), path+"."+f)
				}
			}
			return
		case reflect.Slice:
			walk(v.Index(1), path)
			return
		}
		leaves++
		kept := reflect.New(v.Type()).Elem()
		kept.Set(v)
		v.SetZero()
		if hash() == before {
			t.Errorf("%s is not in the hash", path)
		}
		v.Set(kept)
	}
	walk(reflect.ValueOf(&c).Elem(), "Contract")
	if leaves < 30 {
		t.Errorf("only %d terms were looked at", leaves)
	}
	c.Source = "contracts.yaml:7"
	if hash() != before {
		t.Error("where a contract was read from is in the hash")
	}
	c.Zone = zone(t, "Europe/Berlin")
	if hash() == before {
		t.Error("the zone is not in the hash")
	}
}

func TestReadCanonicalRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `[{"ID":"a","Zone":"UTC","Penalty":7}]`, `[{"ID":"a","Zone":"Mars/Olympus"}]`, `[{"ID":"a","Zone":"UTC","Tranches":[{"Bonus":1}]}]`,
	} {
		if got, err := contract.ReadCanonical([]byte(text)); err == nil {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
	if _, err := contract.Canonical([]contract.Contract{{ID: "a"}}); err == nil {
		t.Error("a contract without a zone is written")
	}
}

// TestStoredPlacementsMakeTheSameReport cuts placements to a period, writes the
// terms down and reads them, and makes the report of random fleets from both.
func TestStoredPlacementsMakeTheSameReport(t *testing.T) {
	forFleets(t, 100, func(t *testing.T, _ *rand.Rand, f *fleet) {
		placed, want, err := f.report()
		if err != nil {
			t.Fatal(err)
		}
		text, err := contract.Canonical(f.contracts)
		if err != nil {
			t.Fatal(err)
		}
		contracts, err := contract.ReadCanonical(text)
		if err != nil {
			t.Fatal(err)
		}
		from, to := f.stray.FromMs, f.stray.ToMs
		for _, p := range f.periods {
			from, to = min(from, p.FromMs), max(to, p.ToMs)
		}
		cut := placed.Within(from, to)
		if n := cut.Missing(placed, from, to); n != 0 {
			t.Errorf("%d GPU-ms are missing from the cut", n)
		}
		plan := contract.NewPlan(contracts, contract.Ground(contracts, cut, f.presences, f.outages), f.periods, f.stray)
		got, err := plan.Build(answer(plan.Query(), f.records), want.AsOf)
		if err != nil {
			t.Fatal(err)
		}
		want.Quality, got.Quality = contract.Quality{}, contract.Quality{}
		if !sameJSON(t, got, want) {
			t.Errorf("the report of stored placements differs")
		}
	})
}
