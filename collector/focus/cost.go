package focus

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// costColumns are the costs of a row, in the order of contract.CostBases.
var costColumns = [4]string{"ListCost", "ContractedCost", "BilledCost", "EffectiveCost"}

// required are the columns without which a file is no Cost and Usage export of
// any version.
var required = []string{
	"BilledCost", "EffectiveCost", "BillingCurrency", "BillingAccountId", "ChargeCategory",
	"BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd",
}

// wanted are all columns that are read, of either dataset.
func wanted() []string {
	out := slices.Concat(required, costColumns[:], contract.SpendDimensions, commitmentColumns,
		[]string{"ProviderName", "ContractApplied", "ResourceId"})
	slices.Sort(out)
	return slices.Compact(out)
}

// categories and frequencies are the values that FOCUS allows; exports vary
// their case.
var (
	categories  = []string{"Usage", "Purchase", "Tax", "Credit", "Adjustment"}
	frequencies = []string{"One-Time", "Recurring", "Usage-Based"}
)

// readCosts adds all rows of a Cost and Usage file to a delivery.
func readCosts(t *table, d *draft) error {
	for _, column := range required {
		if !t.has(column) {
			return fmt.Errorf("%s has no column %s: it is no FOCUS Cost and Usage export", t.name, column)
		}
	}
	if !t.has("ServiceProviderName") && !t.has("ProviderName") && d.provider == "" {
		return fmt.Errorf("%s has neither ServiceProviderName nor ProviderName: say whose it is with --provider", t.name)
	}
	for {
		more, err := t.next()
		if !more || err != nil {
			return err
		}
		if err := readCost(t, d); err != nil {
			return err
		}
	}
}

func readCost(t *table, d *draft) error {
	bill, err := readBill(t, d)
	if err != nil {
		return err
	}
	charge, err := readPeriod(t, "ChargePeriodStart", "ChargePeriodEnd", true)
	if err != nil {
		return err
	}
	columns, err := readColumns(t)
	if err != nil {
		return err
	}
	costs, known, err := readAmounts(t)
	if err != nil {
		return err
	}
	var of []applied
	if s := t.cell("ContractApplied"); s != "" {
		if of, err = parseApplied(s, t.cell("ResourceId")); err != nil {
			return t.wrong("ContractApplied", err)
		}
	}
	// The metered rows say how far the export goes: recurring ones are often
	// there for the whole month on its first day.
	metered := columns[frequencyAt] == "Usage-Based" || columns[frequencyAt] == ""
	if err := d.put(bill, columns, charge, costs, known, of, metered); err != nil {
		return fmt.Errorf("%s, row %d: %w", t.name, t.row, err)
	}
	return nil
}

// readBill finds which bill a row belongs to.
func readBill(t *table, d *draft) (billKey, error) {
	account, err := t.need("BillingAccountId")
	if err != nil {
		return billKey{}, err
	}
	currency, err := t.need("BillingCurrency")
	if err != nil {
		return billKey{}, err
	}
	if len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return billKey{}, t.wrong("BillingCurrency", fmt.Errorf("%q is not three capital letters", currency))
	}
	period, err := readPeriod(t, "BillingPeriodStart", "BillingPeriodEnd", false)
	if err != nil {
		return billKey{}, err
	}
	by := d.provider
	if by == "" {
		by = provider(serviceProvider(t), t.cell("InvoiceIssuerName"))
	}
	if by == "" {
		return billKey{}, t.wrong("ServiceProviderName", errors.New("is null: say whose it is with --provider"))
	}
	return billKey{provider: by, account: account, currency: currency, span: period}, t.tidy("ServiceProviderName", by)
}

// serviceProvider is the column of 1.3 and later, or what it was before.
func serviceProvider(t *table) string {
	if s := t.cell("ServiceProviderName"); s != "" {
		return s
	}
	return t.cell("ProviderName")
}

// maxPeriodMs bounds a billing or charge period: prepaid terms last some years.
const maxPeriodMs = 12 * 366 * dayMs

// readPeriod reads a half-open period; an empty one is a moment.
func readPeriod(t *table, start, end string, momentIsGood bool) (span, error) {
	var s span
	for _, x := range []struct {
		column string
		to     *int64
	}{{start, &s.from}, {end, &s.to}} {
		text, err := t.need(x.column)
		if err != nil {
			return s, err
		}
		if *x.to, err = parseTime(text); err != nil {
			return s, t.wrong(x.column, err)
		}
	}
	switch {
	case s.to < s.from, s.to == s.from && !momentIsGood:
		return s, t.wrong(end, fmt.Errorf("is not after %s", start))
	case s.to-s.from > maxPeriodMs:
		return s, t.wrong(end, fmt.Errorf("is more than twelve years after %s", start))
	}
	return s, nil
}

var frequencyAt = slices.Index(contract.SpendDimensions, "ChargeFrequency")

// readColumns reads the dimensions of a row, in their order.
func readColumns(t *table) ([]string, error) {
	out := make([]string, len(contract.SpendDimensions))
	for i, column := range contract.SpendDimensions {
		s := t.cell(column)
		if err := t.tidy(column, s); err != nil {
			return nil, err
		}
		var ok bool
		switch column {
		case "ServiceProviderName":
			s = serviceProvider(t)
		case "ChargeCategory":
			if s, ok = fold(s, categories); !ok {
				return nil, t.wrong(column, fmt.Errorf("%.40q is not one of %s", t.cell(column), strings.Join(categories, ", ")))
			}
		case "ChargeFrequency":
			if s, ok = fold(s, frequencies); !ok && s != "" {
				return nil, t.wrong(column, fmt.Errorf("%.40q is not one of %s", t.cell(column), strings.Join(frequencies, ", ")))
			}
		}
		out[i] = s
	}
	return out, nil
}

// fold finds a value in a list without regard to case.
func fold(s string, list []string) (string, bool) {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return v, true
		}
	}
	return s, false
}

// readAmounts reads the four costs; a null is not known.
func readAmounts(t *table) (costs [4]*decimal, known uint8, err error) {
	for i, column := range costColumns {
		s := t.cell(column)
		if s == "" {
			continue
		}
		if costs[i], err = parseDecimal(s); err != nil {
			return costs, 0, t.wrong(column, err)
		}
		known |= 1 << i
	}
	return costs, known, nil
}
