package focus

import (
	"strconv"
	"time"
)

// exportColumn is one column: its name, and what a row has in it. A null is an
// empty cell.
type exportColumn struct {
	name string
	text func(*exportRow, *ExportOptions) string
}

// exportColumns are the thirty columns of the Contract Commitment dataset of
// FOCUS 1.4, and ours after them.
var exportColumns = []exportColumn{
	{"BillingCurrency", func(r *exportRow, _ *ExportOptions) string { return r.c.Currency }},
	{"ContractCommitmentApplicability", func(r *exportRow, _ *ExportOptions) string { return r.scope }},
	{"ContractCommitmentBenefitCategory", func(r *exportRow, _ *ExportOptions) string { return benefit(r) }},
	{"ContractCommitmentCategory", func(r *exportRow, _ *ExportOptions) string { return either(r.spend, "Spend", "Usage") }},
	{"ContractCommitmentCost", func(r *exportRow, _ *ExportOptions) string { return either(r.hasCost, r.cost.String(), "") }},
	{"ContractCommitmentCreated", func(_ *exportRow, o *ExportOptions) string { return focusTime(o.Updated) }},
	{"ContractCommitmentDescription", func(r *exportRow, _ *ExportOptions) string { return r.title }},
	{"ContractCommitmentDiscountPercentage", func(*exportRow, *ExportOptions) string { return "" }},
	{"ContractCommitmentDurationType", func(r *exportRow, _ *ExportOptions) string { return r.duration() }},
	{"ContractCommitmentFulfillmentInterval", func(r *exportRow, _ *ExportOptions) string { return r.interval }},
	{"ContractCommitmentId", func(r *exportRow, _ *ExportOptions) string { return r.id }},
	{"ContractCommitmentLastUpdated", func(_ *exportRow, o *ExportOptions) string { return focusTime(o.Updated) }},
	{"ContractCommitmentLifecycleStatus", func(r *exportRow, o *ExportOptions) string { return r.status(o.Now) }},
	{"ContractCommitmentModel", func(r *exportRow, _ *ExportOptions) string { return string(r.model) }},
	{"ContractCommitmentOfferCategory", func(*exportRow, *ExportOptions) string { return "Negotiated" }},
	{"ContractCommitmentPaymentInterval", func(r *exportRow, _ *ExportOptions) string { return either(r.prepaid, "One-Time", "Monthly") }},
	{"ContractCommitmentPaymentModel", func(r *exportRow, _ *ExportOptions) string { return either(r.prepaid, "All Upfront", "No Upfront") }},
	{"ContractCommitmentPaymentUpfrontPercentage", func(r *exportRow, _ *ExportOptions) string { return either(r.prepaid, "1", "0") }},
	{"ContractCommitmentPeriodEnd", func(r *exportRow, _ *ExportOptions) string { return focusTime(time.UnixMilli(r.toMs)) }},
	{"ContractCommitmentPeriodStart", func(r *exportRow, _ *ExportOptions) string { return focusTime(time.UnixMilli(r.fromMs)) }},
	{"ContractCommitmentQuantity", func(r *exportRow, _ *ExportOptions) string { return either(r.spend, "", r.quantity()) }},
	{"ContractCommitmentType", func(r *exportRow, _ *ExportOptions) string {
		return either(r.spend, "Spend Commitment", "GPU Capacity")
	}},
	{"ContractCommitmentUnit", func(r *exportRow, _ *ExportOptions) string { return either(r.spend, "", "GPU-Hours") }},
	{"ContractId", func(r *exportRow, _ *ExportOptions) string { return r.c.ID }},
	{"ContractPeriodEnd", func(r *exportRow, _ *ExportOptions) string { _, to := term(r); return focusTime(time.UnixMilli(to)) }},
	{"ContractPeriodStart", func(r *exportRow, _ *ExportOptions) string {
		from, _ := term(r)
		return focusTime(time.UnixMilli(from))
	}},
	{"InvoiceIssuerName", func(r *exportRow, _ *ExportOptions) string { return r.c.Provider }},
	{"PricingCurrency", func(r *exportRow, _ *ExportOptions) string { return r.c.Currency }},
	{"PricingCurrencyContractCommitmentCost", func(r *exportRow, _ *ExportOptions) string { return either(r.hasCost, r.cost.String(), "") }},
	{"ServiceProviderName", func(r *exportRow, _ *ExportOptions) string { return r.c.Provider }},
	{"x_GpuModel", ofTranche(func(r *exportRow) string { return r.tranche.Model })},
	{"x_GpuCount", ofTranche(func(r *exportRow) string { return strconv.Itoa(r.gpus) })},
	{"x_CommittedTotal", ofSpend(func(r *exportRow) string { return r.total.String() })},
	{"x_CostBasis", ofSpend(func(r *exportRow) string { return string(r.m.Basis) })},
	{"x_ShortfallRule", ofSpend(func(r *exportRow) string { return string(r.m.Shortfall) })},
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// benefit is what a commitment is for. A discount would need its percentage,
// which a contract file does not have.
func benefit(r *exportRow) string {
	switch {
	case !r.spend:
		return "Availability"
	case r.prepaid:
		return "Entitlement"
	}
	return "Other"
}

func ofTranche(f func(*exportRow) string) func(*exportRow, *ExportOptions) string {
	return func(r *exportRow, _ *ExportOptions) string {
		if r.tranche == nil {
			return ""
		}
		return f(r)
	}
}

func ofSpend(f func(*exportRow) string) func(*exportRow, *ExportOptions) string {
	return func(r *exportRow, _ *ExportOptions) string {
		if r.m == nil {
			return ""
		}
		return f(r)
	}
}

// term is the span of the whole contract: from the first begin in it to the
// last end.
func term(r *exportRow) (fromMs, toMs int64) {
	fromMs, toMs = r.fromMs, r.toMs
	for i := range r.c.Tranches {
		fromMs, toMs = min(fromMs, r.c.Tranches[i].StartMs()), max(toMs, r.c.Tranches[i].EndMs)
	}
	for i := range r.c.Commitments {
		fromMs, toMs = min(fromMs, r.c.Commitments[i].FromMs), max(toMs, r.c.Commitments[i].EndMs)
	}
	return fromMs, toMs
}

// focusTime is how FOCUS writes times.
func focusTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
