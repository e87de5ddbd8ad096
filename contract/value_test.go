package contract_test

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// TestValueOfVeryLargeContracts holds the arithmetic where contracts are
// largest: products of time and price need 128 bits.
func TestValueOfVeryLargeContracts(t *testing.T) {
	f := func(gpus, years int, price contract.Money, hours int64, want string) {
		t.Helper()
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		end := start.AddDate(years, 0, 0).UnixMilli()
		lot := contract.Tranche{ID: "all", Model: "GB300", EndMs: end, Steps: []contract.Step{{FromMs: start.UnixMilli(), GPUs: gpus}},
			Rates: []contract.Rate{{FromMs: start.UnixMilli(), ToMs: end, PerGPUHour: price}}}
		c := contract.Contract{ID: "large", Provider: "oracle", Currency: "USD", Zone: time.UTC, Tranches: []contract.Tranche{lot}}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		got, err := lot.Value()
		if err != nil || got.Amount.String() != want || got.GPUMs != hours*3_600_000 || got.UnpricedMs != 0 {
			t.Errorf("Value = %+v, %v; want %s of %d GPU-hours", got, err, want, hours)
		}
	}
	// 61,368 hours in the seven years from 2026, of which two are leap years.
	f(200_000, 7, 3_096_076, 200_000*61_368, "37999998393.600000")
	f(1_000_000, 10, 2_852_000, 1_000_000*87_648, "249972096000.000000")
	f(1_000_000, 10, 2_852_319, 1_000_000*87_648, "250000055712.000000")
}

// TestValueAgreesWithBigIntegers adds up random terms hour by hour.
func TestValueAgreesWithBigIntegers(t *testing.T) {
	forFleets(t, 200, func(t *testing.T, _ *rand.Rand, f *fleet) {
		for _, c := range f.contracts {
			for i := range c.Tranches {
				x := &c.Tranches[i]
				var ms, unpriced int64
				sums := make([]int64, len(x.Rates))
				for at := x.StartMs(); at < x.EndMs; at += gridMs {
					n := int64(x.GPUsAt(at)) * gridMs
					ms += n
					unpriced += n
					for r := range x.Rates {
						if x.Rates[r].FromMs <= at && at < x.Rates[r].ToMs {
							sums[r] += n
							unpriced -= n
						}
					}
				}
				amount := new(big.Int)
				for r, n := range sums {
					amount.Add(amount, big.NewInt(int64(halfEven(priced(n, x.Rates[r].PerGPUHour, &x.Rates[r])))))
				}
				got, err := x.Value()
				if err != nil || got.GPUMs != ms || got.UnpricedMs != unpriced || int64(got.Amount) != amount.Int64() {
					t.Errorf("Value = %+v, %v; want %d GPU-ms, %d unpriced, %s", got, err, ms, unpriced, amount)
				}
			}
		}
	})
}
