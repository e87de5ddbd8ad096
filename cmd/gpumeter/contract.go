package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

// contractFile is where contracts stand if nothing else is said.
const contractFile = "contracts.yaml"

func newContract() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Write, check and show contract files",
		Long: `contract works on the file that says what was bought: from whom, until when and
for how much. docs/contracts.md explains the format.`,
		Example: `  gpumeter contract init
  gpumeter contract validate contracts.yaml
  gpumeter contract list
  gpumeter contract show acme-aws`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newContractInit(), newValidate(), newContractList(), newContractShow(), newSchema())
	return cmd
}

func newContractInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a commented contract file to start from",
		Long: `init writes a contract file with one example, and all else that could be said in
comments. It never overwrites a file; "-" writes to standard output.`,
		Example: `  gpumeter contract init
  gpumeter contract init /etc/gpumeter/contracts.yaml`,
		Args: optionalArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := fileOf(args)
			if name == "-" {
				_, err := cmd.OutOrStdout().Write(contractfile.Starter())
				return err
			}
			if err := writeNew(name, contractfile.Starter()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "wrote %s: edit it, then run gpumeter contract validate %s\n", name, name)
			return err
		},
	}
}

// writeNew writes a file that is not there yet.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%s is there already, and is left as it is: name another file", name)
	case err != nil:
		return fmt.Errorf("write contract file: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func newValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE",
		Short: "Say whether a contract file can be used, and what it says",
		Long: `validate reads a contract file as the collector does. What is wrong is one
sentence with file and line, and exit code 1; a good file is listed, so that a
date in the wrong zone is seen.`,
		Example: "  gpumeter contract validate contracts.yaml",
		Args:    oneArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			contracts, err := contractfile.Load(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ok: %s\n", counted(len(contracts), "contract"))
			return listContracts(cmd.OutOrStdout(), contracts, "text")
		},
	}
}

func newContractList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list [FILE]",
		Short: "List every tranche and spend commitment, and what it is worth",
		Example: `  gpumeter contract list
  gpumeter contract list /etc/gpumeter/contracts.yaml -o csv`,
		Args: optionalArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			contracts, err := contractfile.Load(fileOf(args))
			if err != nil {
				return err
			}
			return listContracts(cmd.OutOrStdout(), contracts, format)
		},
	}
	outputFlag(cmd, &format)
	return cmd
}

func newContractShow() *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use:   "show CONTRACT",
		Short: "Show all that one contract says, as it was understood",
		Example: `  gpumeter contract show acme-aws
  gpumeter contract show acme-aws --contracts /etc/gpumeter/contracts.yaml -o json`,
		Args: oneArg("CONTRACT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			contracts, err := contractfile.Load(file)
			if err != nil {
				return err
			}
			c, err := contractOf(contracts, args[0], file)
			if err != nil {
				return err
			}
			return showContract(cmd.OutOrStdout(), c, format)
		},
	}
	cmd.Flags().StringVar(&file, "contracts", contractFile, "contract file")
	outputFlag(cmd, &format)
	return cmd
}

// listContracts writes what contracts hold.
func listContracts(w io.Writer, contracts []contract.Contract, format string) error {
	list, err := report.Agreements(contracts)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return report.AgreementsJSON(w, list)
	case "csv":
		return report.AgreementsCSV(w, list)
	}
	return report.AgreementsText(w, list)
}

// showContract writes what one contract says.
func showContract(w io.Writer, c *contract.Contract, format string) error {
	switch list := report.Terms(c); format {
	case "json":
		return report.TermsJSON(w, list)
	case "csv":
		return report.TermsCSV(w, list)
	default:
		return report.TermsText(w, list)
	}
}

// contractOf finds a contract, or says which there are.
func contractOf(contracts []contract.Contract, id, file string) (*contract.Contract, error) {
	var ids []string
	for i := range contracts {
		if contracts[i].ID == id {
			return &contracts[i], nil
		}
		ids = append(ids, contracts[i].ID)
	}
	hint := ""
	if near, ok := contract.Nearest(id, ids); ok {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return nil, usageError{fmt.Errorf("%s has no contract %q%s", file, id, hint)}
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of contract files",
		Example: "  gpumeter contract schema > contracts.schema.json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(contractfile.Schema())
			return err
		},
	}
}

func fileOf(args []string) string {
	if len(args) == 0 {
		return contractFile
	}
	return args[0]
}

// counted is a number of things: "1 contract", "2 contracts".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return contract.Grouped(int64(n)) + " " + what
}

// oneArg wants exactly one argument.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%s wants one argument: %s", cmd.CommandPath(), name)}
		}
		return nil
	}
}

// optionalArg takes one argument at most.
func optionalArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{fmt.Errorf("%s takes one argument at most: %s", cmd.CommandPath(), name)}
		}
		return nil
	}
}
