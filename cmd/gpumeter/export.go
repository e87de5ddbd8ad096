package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/dashboards"
)

// newExport returns the command that writes what other programs show.
func newExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write dashboards for Grafana, and rules for Prometheus",
		Long: `export writes what is built on the metrics of agents and collectors: dashboards
for Grafana, and recording rules, alerts and their runbooks for Prometheus.`,
		Example: `  gpumeter export dashboards --out dashboards
  gpumeter export rules --out rules`,
		Args: noArgs,
	}
	cmd.AddCommand(newExportDashboards(), newExportRules())
	return cmd
}

func newExportDashboards() *cobra.Command {
	var datasource, out string
	cmd := &cobra.Command{
		Use:   "dashboards --out DIR",
		Short: "Write dashboards for Grafana",
		Long: `dashboards writes six dashboards for Grafana 10 and later, how Grafana is told
of them (provisioning/), and the same as ConfigMaps for the sidecar of Grafana's
Helm chart (kubernetes/). They use panels that come with Grafana only.`,
		Example: `  gpumeter export dashboards --out /var/lib/grafana/dashboards/gpumeter
  gpumeter export dashboards --datasource thanos --out dashboards && kubectl apply -f dashboards/kubernetes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := dashboards.DashboardFiles(datasource)
			if err != nil {
				return err
			}
			return writeFiles(cmd.OutOrStdout(), out, files)
		},
	}
	cmd.Flags().StringVar(&datasource, "datasource", "", "uid or name of the Prometheus that they open with (default: Grafana's default one)")
	cmd.Flags().StringVar(&out, "out", "", "folder (required)")
	mustRequire(cmd, "out")
	return cmd
}

func newExportRules() *cobra.Command {
	var runbooks, out string
	cmd := &cobra.Command{
		Use:   "rules --out DIR",
		Short: "Write recording rules and alerts for Prometheus, with their runbooks",
		Long: `rules writes recording rules and alerts as a rule file of Prometheus
(alerts/rules.yaml) and as an object of its operator (alerts/prometheusrule.yaml),
and a runbook for each alert (runbooks/). With --runbooks the alerts lead to your
copy of these pages.`,
		Example: `  gpumeter export rules --out /etc/prometheus/gpumeter
  gpumeter export rules --runbooks https://wiki.example/gpumeter --out rules && kubectl apply -f rules/alerts/prometheusrule.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := dashboards.RuleFiles(runbooks)
			if err != nil {
				return err
			}
			return writeFiles(cmd.OutOrStdout(), out, files)
		},
	}
	cmd.Flags().StringVar(&runbooks, "runbooks", dashboards.DefaultRunbooks, "address of the runbooks")
	cmd.Flags().StringVar(&out, "out", "", "folder (required)")
	mustRequire(cmd, "out")
	return cmd
}

// writeFiles writes files below a folder, over those of the same names, and
// says how many.
func writeFiles(w io.Writer, folder string, files []dashboards.File) error {
	for _, f := range files {
		name := filepath.Join(folder, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
		if err := os.WriteFile(name, f.Body, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	_, err := fmt.Fprintf(w, "%d files in %s\n", len(files), folder)
	return err
}
