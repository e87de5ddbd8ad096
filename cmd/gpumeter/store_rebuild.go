package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

func newStoreRebuild() *cobra.Command {
	var data string
	var memoryMiB int64
	cmd := &cobra.Command{
		Use:   "rebuild --data DIR",
		Short: "Make the database of a data folder anew from its closed days",
		Long: `rebuild reads the closed days in a data folder, DIR/days, sees that each is what
was written and none is missing, and makes the database anew of them: the same
store, with its ledger, so that closed months are what they were. The database
that is there, whole or damaged, is set aside within the folder, in aside-TIME;
nothing is deleted.

Start the collector afterwards. Agents see that it has less than it had, and
send again what came after the last closed day: they keep acknowledged batches
for 72 hours.`,
		Example: `  gpumeter store rebuild --data /var/lib/gpumeter`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := duckdb.Rebuild(cmd.Context(), data, duckdb.Options{MemoryLimit: memoryMiB << 20}, time.Now())
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%s holds store %s again, of %d days up to %s: %s batches, %s records\n",
				data, r.StoreID, r.Days, r.Last, contract.Grouped(r.Batches), contract.Grouped(r.Records))
			if r.Aside == "" {
				return nil
			}
			return sayAside(w, data, r.Aside)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder of a collector that does not run (required)")
	cmd.Flags().Int64Var(&memoryMiB, "memory-mib", 512, "memory limit of the store in MiB")
	mustRequire(cmd, "data")
	return cmd
}
