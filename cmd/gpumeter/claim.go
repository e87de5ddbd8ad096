package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/contract"
)

func newClaim() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "claim",
		Short: "What can be claimed from the providers, and its evidence",
		Long: `claim derives incidents from what was metered: nodes that could not be reached,
GPUs that were lost or faulty, GPUs that came late. Each is classed by the
contract's terms: claimable, the provider's but not covered, ours, or unknown.
Missing data alone proves nothing and is never claimable.`,
		Example: `  gpumeter claim list --period 2026-10
  gpumeter claim export inc-1f0c2a9b7d3e --period 2026-10 --out evidence/
  gpumeter claim verify evidence/`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newClaimList(), newClaimExport(), newClaimVerify())
	return cmd
}

func newClaimList() *cobra.Command {
	var a claimArgs
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the incidents of a month",
		Example: `  gpumeter claim list
  gpumeter claim list --period 2026-10 --contract cw-h100
  gpumeter claim list --data /var/lib/gpumeter --contracts contracts.yaml -o markdown`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := a.list(cmd.Context())
			if err != nil {
				return err
			}
			return writeDocket(cmd.OutOrStdout(), d, output)
		},
	}
	a.flags(cmd)
	outputFlag(cmd, &output, "markdown")
	return cmd
}

func writeDocket(w io.Writer, d contract.Docket, output string) error {
	switch output {
	case "json":
		return claim.JSON(w, d)
	case "csv":
		return claim.CSV(w, d)
	case "markdown":
		return claim.Markdown(w, d)
	}
	return claim.Text(w, d)
}

func newClaimExport() *cobra.Command {
	var a claimArgs
	var out string
	var holders bool
	cmd := &cobra.Command{
		Use:   "export ID --out DIR|FILE.tar.gz",
		Short: "Write the evidence of an incident",
		Long: `export writes a bundle: claim.json, the timeline, the minute records and events
from an hour before to an hour after, the chain of batches that brought them,
the terms that were applied, a text for the provider's ticket, and SHA-256 sums.
Who held the GPUs is left out unless it is asked for.`,
		Example: `  gpumeter claim export inc-1f0c2a9b7d3e --period 2026-10 --out evidence/
  gpumeter claim export inc-1f0c2a9b7d3e --period 2026-10 --out evidence.tar.gz`,
		Args: oneArg("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := a.export(cmd.Context(), args[0], holders)
			if err != nil {
				return err
			}
			if err := writeBundle(out, args[0], files); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d files in %s\n", len(files), out)
			return nil
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "new folder, or FILE.tar.gz (required)")
	cmd.Flags().BoolVar(&holders, "with-holders", false, "say who held the GPUs, and what processes the driver names")
	mustRequire(cmd, "out")
	return cmd
}

func packed(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

func writeBundle(out, id string, files []claim.File) error {
	if !packed(out) {
		return claim.WriteDir(out, files)
	}
	var b bytes.Buffer
	if err := claim.WriteTar(&b, id, files); err != nil {
		return err
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// checkedBundle is what claim verify answers, in JSON.
type checkedBundle struct {
	ID        string         `json:"id"`
	Contract  string         `json:"contract"`
	Class     contract.Class `json:"class"`
	ClaimedMs int64          `json:"claimed_gpu_ms"`
	// ShownMs is what the records show to be lost; absent for incidents of a
	// tranche, which have none.
	ShownMs int64         `json:"shown_gpu_ms,omitempty"`
	Files   int           `json:"files"`
	Records int           `json:"records"`
	Batches int           `json:"batches"`
	Closed  *claim.Closed `json:"closed,omitempty"`
}

func newClaimVerify() *cobra.Command {
	var head, output string
	cmd := &cobra.Command{
		Use:   "verify DIR|FILE.tar.gz",
		Short: "Check a bundle of evidence, without a collector",
		Long: `verify says whether a bundle is whole and unchanged, its batches are a chain,
and its records show at least the loss that is claimed. It cannot say who wrote
the bundle. The bundle of a month that is closed names the ledger's entry; with
--head, it must be the one that was kept elsewhere.`,
		Example: `  gpumeter claim verify evidence/
  gpumeter claim verify evidence.tar.gz --head 4f1c…`,
		Args: oneArg("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := readBundle(args[0])
			if err != nil {
				return err
			}
			v, err := claim.Verify(files)
			if err != nil {
				return err
			}
			if head != "" && (v.Closed == nil || v.Closed.SHA256 != head) {
				return fmt.Errorf("verify bundle: it does not name the ledger's entry %s%s", head, namesInstead(v.Closed))
			}
			return writeChecked(cmd.OutOrStdout(), v, output)
		},
	}
	cmd.Flags().StringVar(&head, "head", "", "SHA-256 of the entry with which its month was closed (see gpumeter periods)")
	outputFlag(cmd, &output)
	return cmd
}

func namesInstead(c *claim.Closed) string {
	if c == nil {
		return ": its month was not closed"
	}
	return ", but " + c.SHA256
}

func writeChecked(w io.Writer, v claim.Verified, output string) error {
	x := &v.Incident
	switch output {
	case "json":
		return writeIndented(w, checkedBundle{x.ID, x.Contract, x.Class, x.GPUMs, v.LostMs, v.Files, v.Records, v.Batches, v.Closed})
	case "csv":
		head := ""
		if v.Closed != nil {
			head = v.Closed.SHA256
		}
		return csv.NewWriter(w).WriteAll([][]string{
			{"id", "contract", "class", "claimed_gpu_ms", "shown_gpu_ms", "files", "records", "batches", "closed_sha256"},
			{x.ID, x.Contract, string(x.Class), fmt.Sprint(x.GPUMs), fmt.Sprint(v.LostMs), fmt.Sprint(v.Files), fmt.Sprint(v.Records), fmt.Sprint(v.Batches), head},
		})
	}
	fmt.Fprintf(w, "ok: %s, %s, %s GPU-hours claimed\n", x.ID, x.Class, contract.Hours(x.GPUMs))
	fmt.Fprintf(w, "%d files, %d records in %d batches\n", v.Files, v.Records, v.Batches)
	if v.Closed != nil {
		fmt.Fprintf(w, "%s is closed: ledger entry %d, %s\n", v.Closed.Month, v.Closed.Entry, v.Closed.SHA256)
	}
	return nil
}

func readBundle(name string) ([]claim.File, error) {
	if !packed(name) {
		return claim.ReadDir(name)
	}
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	defer f.Close()
	return claim.ReadTar(f)
}
