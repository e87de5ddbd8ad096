package main

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

func newStoreExport() *cobra.Command {
	var data, to, from, until string
	cmd := &cobra.Command{
		Use:   "export --data DIR --to DIR",
		Short: "Write records as Parquet files, by provider and day",
		Long: `export writes the records that own their time, with GPU, node, cloud, holder and
the batch that said so, into a folder that is not there yet:
provider=P/day=YYYY-MM-DD/….parquet, days of UTC. Of hours whose records were
pruned it writes hour records. Their sums are those of the reports.`,
		Example: `  gpumeter store export --data /var/lib/gpumeter --to /tmp/records
  gpumeter store export --data /var/lib/gpumeter --to /tmp/october --from 2026-10-01 --until 2026-11-01`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fromMs, err := dayFlag("from", from, 0)
			if err != nil {
				return err
			}
			untilMs, err := dayFlag("until", until, math.MaxInt64)
			if err != nil {
				return err
			}
			if fromMs >= untilMs {
				return usageError{fmt.Errorf("--until %s is not after --from %s", until, from)}
			}
			n, err := duckdb.Export(cmd.Context(), data, to, fromMs, untilMs)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s records in %s\n", contract.Grouped(n), to)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data folder of a collector that does not run, or a backup (required)")
	f.StringVar(&to, "to", "", "folder to make (required)")
	f.StringVar(&from, "from", "", "first day, UTC (default: the first that there is)")
	f.StringVar(&until, "until", "", "day after the last, UTC (default: none)")
	mustRequire(cmd, "data", "to")
	return cmd
}

// dayFlag reads a day, as the moment in which it begins in UTC.
func dayFlag(name, value string, without int64) (ms int64, err error) {
	if value == "" {
		return without, nil
	}
	t, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return 0, usageError{fmt.Errorf("--%s %q is not a day such as 2026-10-01", name, value)}
	}
	return t.UnixMilli(), nil
}
