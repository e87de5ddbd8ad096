package focus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// commitmentColumns are the columns of a Contract Commitment export that are
// read, of 1.3 and 1.4.
var commitmentColumns = []string{
	"ContractId", "ContractCommitmentId", "ContractCommitmentCategory", "ContractCommitmentCost", "BillingCurrency",
	"ContractCommitmentPeriodStart", "ContractCommitmentPeriodEnd", "ContractCommitmentModel",
	"ContractCommitmentLifecycleStatus", "ServiceProviderName", "InvoiceIssuerName",
}

// isCommitments reports whether a file is a Contract Commitment export.
func isCommitments(t *table) bool {
	return t.has("ContractCommitmentId") && t.has("ContractCommitmentCategory")
}

// readCommitments adds all rows of a Contract Commitment file to a delivery.
func readCommitments(t *table, d *draft) error {
	for _, column := range commitmentColumns[:7] {
		if !t.has(column) {
			return fmt.Errorf("%s has no column %s: it is no FOCUS Contract Commitment export", t.name, column)
		}
	}
	if !t.has("ServiceProviderName") && !t.has("InvoiceIssuerName") && d.provider == "" {
		return fmt.Errorf("%s does not say whose commitments it lists: say it with --provider", t.name)
	}
	for {
		more, err := t.next()
		if !more || err != nil {
			return err
		}
		c, err := readCommitment(t, d)
		if err != nil {
			return err
		}
		if len(d.stated) >= maxStated {
			return fmt.Errorf("%s has more than %d commitments", t.name, maxStated)
		}
		d.stated = append(d.stated, c)
	}
}

func readCommitment(t *table, d *draft) (contract.StatedCommitment, error) {
	c := contract.StatedCommitment{
		Provider: d.provider, Currency: strings.Clone(t.cell("BillingCurrency")),
		Model: strings.Clone(t.cell("ContractCommitmentModel")), Status: strings.Clone(t.cell("ContractCommitmentLifecycleStatus")),
	}
	if c.Provider == "" {
		c.Provider = strings.Clone(provider(t.cell("ServiceProviderName"), t.cell("InvoiceIssuerName")))
	}
	for _, x := range []struct {
		column string
		to     *string
	}{{"ContractCommitmentId", &c.ID}, {"ContractId", &c.Contract}, {"ContractCommitmentCategory", &c.Category}} {
		s, err := t.need(x.column)
		if err != nil {
			return c, err
		}
		*x.to = strings.Clone(s)
	}
	if c.Category != "Spend" && c.Category != "Usage" {
		return c, t.wrong("ContractCommitmentCategory", fmt.Errorf("%.40q is not Spend or Usage", c.Category))
	}
	period, err := readPeriod(t, "ContractCommitmentPeriodStart", "ContractCommitmentPeriodEnd", false)
	if err != nil {
		return c, err
	}
	c.FromMs, c.ToMs = period.from, period.to
	return c, readCommitted(t, &c)
}

func readCommitted(t *table, c *contract.StatedCommitment) error {
	const column = "ContractCommitmentCost"
	s := t.cell(column)
	if s == "" {
		if c.Category == "Spend" {
			return t.wrong(column, errors.New("is null, which a Spend commitment's must not be"))
		}
		return nil
	}
	amount, err := parseDecimal(s)
	if err != nil {
		return t.wrong(column, err)
	}
	if c.Cost, err = money(amount); err != nil {
		return t.wrong(column, err)
	}
	c.HasCost = true
	return nil
}
