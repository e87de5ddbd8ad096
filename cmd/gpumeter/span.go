package main

import (
	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
)

// spanFlags say which span of time is meant, in one word or in parts.
type spanFlags struct{ Period, Month, From, To, Since string }

func (s *spanFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.Period, "period", "", "2026-10, 2026-10-03, 2026-Q4, 2026, FROM/TO, or so long back from now: 7d, 12h (default: the month to date)")
	f.StringVar(&s.Month, "month", "", "the same in parts: a month, 2026-10")
	f.StringVar(&s.Since, "since", "", "the same in parts: so long back from now, 7d, 12h")
	f.StringVar(&s.From, "from", "", "the same in parts: start, 2026-10-01 (in the billing time zone) or 2026-10-01T12:00:00Z")
	f.StringVar(&s.To, "to", "", "the same in parts: end, exclusive (default: now)")
}

// of returns ask with the span in it. The error is an *AskError. It may be
// called again with what it returned.
func (s *spanFlags) of(ask collector.Ask) (collector.Ask, error) {
	ask.Month, ask.From, ask.To, ask.Since = s.Month, s.From, s.To, 0
	if s.Since != "" {
		var err error
		if ask.Since, err = collector.ParseSince(s.Since); err != nil {
			return ask, err
		}
	}
	if s.Period == "" {
		return ask, nil
	}
	return ask.ParsePeriod(s.Period)
}

// monthFlags are those of a command that is about whole months.
func monthFlags(cmd *cobra.Command, month *string, help string) {
	f := cmd.Flags()
	f.StringVar(month, "period", "", help)
	f.StringVar(month, "month", "", "the same as --period")
	eitherFlag(cmd, "period", "month", "one of them, they say the same")
}
