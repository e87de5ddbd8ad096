package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
)

// newStore returns the commands for the files of a data folder.
func newStore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Back up a data folder, restore it, rebuild it, write its records as Parquet",
		Long: `store works on the data folder of a collector with the embedded store, while no
collector runs in it. To find changed bytes in it, see gpumeter verify. A
collector that runs backs its store up by itself: gpumeter collector --backups.`,
		Example: `  gpumeter store backup --data /var/lib/gpumeter --to /backup/gpumeter-november`,
		Args:    noArgs,
	}
	cmd.AddCommand(newStoreBackup(), newStoreRestore(), newStoreSetAside(), newStoreRebuild(), newStoreExport())
	return cmd
}

func newStoreBackup() *cobra.Command {
	var data, to string
	cmd := &cobra.Command{
		Use:   "backup --data DIR --to DIR",
		Short: "Copy a data folder, and see that the copy is whole",
		Long: `backup copies a data folder into a folder that is not there yet, opens the copy
to see that it is whole, and only then gives it its name.`,
		Example: `  gpumeter store backup --data /var/lib/gpumeter --to /backup/gpumeter-november`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return backUp(cmd.Context(), cmd.OutOrStdout(), data, to)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder of a collector that does not run (required)")
	cmd.Flags().StringVar(&to, "to", "", "folder to make (required)")
	mustRequire(cmd, "data", "to")
	return cmd
}

func backUp(ctx context.Context, w io.Writer, data, to string) error {
	st, err := duckdb.Open(ctx, data, duckdb.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	counts, err := st.Counts(ctx)
	if err == nil {
		err = st.Backup(ctx, to)
	}
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s holds store %s: %d batches, %d records\n", to, st.ID(), counts.Batches, counts.Records)
	return err
}

func newStoreRestore() *cobra.Command {
	var data, from string
	cmd := &cobra.Command{
		Use:   "restore --data DIR --from DIR",
		Short: "Make a data folder what a backup is",
		Long: `restore copies a backup into a data folder. What is there is set aside within
the folder, in aside-TIME; nothing is deleted. A damaged backup is refused, and
the data folder then left as it is.

Start the collector afterwards. Agents see that it has less than it had, and
send again what is missing: they keep acknowledged batches for 72 hours.`,
		Example: `  gpumeter store restore --data /var/lib/gpumeter --from /backup/gpumeter-november`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			aside, err := duckdb.Restore(cmd.Context(), from, data, time.Now())
			return errors.Join(sayAside(cmd.OutOrStdout(), data, aside), err)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder of a collector that does not run, or of none (required)")
	cmd.Flags().StringVar(&from, "from", "", "backup (required)")
	mustRequire(cmd, "data", "from")
	return cmd
}

func newStoreSetAside() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "set-aside --data DIR",
		Short: "Make room for a new store where one is damaged",
		Long: `set-aside moves all that is in a data folder into aside-TIME within it. The
collector then begins a new store there, and agents send it what they keep: at
least the last 72 hours. Nothing is deleted: what is older stays in the files
that were set aside. Where there is a backup, see gpumeter store restore; where
the days in the folder are whole, see gpumeter store rebuild.`,
		Example: `  gpumeter store set-aside --data /var/lib/gpumeter`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			aside, err := duckdb.SetAside(data, time.Now())
			return errors.Join(sayAside(cmd.OutOrStdout(), data, aside), err)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder of a collector that does not run (required)")
	mustRequire(cmd, "data")
	return cmd
}

// sayAside says where what was in a data folder is now.
func sayAside(w io.Writer, data, aside string) error {
	text := fmt.Sprintf("what was in %s is in %s\n", data, aside)
	if aside == "" {
		text = fmt.Sprintf("there was nothing in %s\n", data)
	}
	_, err := io.WriteString(w, text)
	return err
}
