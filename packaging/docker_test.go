package packaging_test

import (
	"regexp"
	"strings"
	"testing"
)

// instructions are those of the image itself, the last stage of a Dockerfile.
func instructions(t *testing.T, file string) []string {
	t.Helper()
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(read(t, file), "")
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "FROM ") {
			return lines[i:]
		}
	}
	t.Fatalf("%s has no stage", file)
	return nil
}

// TestImagesAreBuiltFromThePackagesPrograms holds what an image may consist of:
// a base with glibc, the program that the packages have, files; nothing that runs
// while it is built, no root, and labels that say what it is.
func TestImagesAreBuiltFromThePackagesPrograms(t *testing.T) {
	for file, program := range map[string]string{"docker/agent.Dockerfile": "gpumeter-agent", "docker/collector.Dockerfile": "gpumeter"} {
		if !strings.Contains(read(t, file), "\nARG BASE=docker.io/library/debian:bookworm-slim\n") {
			t.Errorf("%s has another base", file)
		}
		lines := instructions(t, file)
		all := strings.Join(lines, "\n")
		for _, want := range []string{
			"FROM ${BASE}", "USER 65532:65532", "VOLUME /var/lib/gpumeter", `ENTRYPOINT ["/usr/bin/` + program + `"]`,
			"COPY --chmod=0755 bin/stage/${TARGETARCH}/" + program + " /usr/bin/" + program,
			"COPY --chown=65532:65532 bin/stage/common/empty/ /var/lib/gpumeter/",
		} {
			if !strings.Contains("\n"+all+"\n", "\n"+want+"\n") {
				t.Errorf("%s lacks %s", file, want)
			}
		}
		for _, label := range []string{"title", "description", "version", "revision", "created", "source", "licenses"} {
			if !regexp.MustCompile(`(?m)^LABEL .*\borg\.opencontainers\.image\.` + label + `="[^"]+"`).MatchString(all) {
				t.Errorf("%s lacks the label %s", file, label)
			}
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "RUN ") || strings.HasPrefix(line, "ADD ") {
				t.Errorf("%s: %s would run or fetch something for another architecture", file, line)
			}
		}
	}
}

// TestAgentsImageAsksToLookOnly holds what NVIDIA's runtime gives to it.
func TestAgentsImageAsksToLookOnly(t *testing.T) {
	all := strings.Join(instructions(t, "docker/agent.Dockerfile"), "\n")
	if !strings.Contains(all, "NVIDIA_DRIVER_CAPABILITIES=utility\n") {
		t.Error("the agent's image asks for more than the driver's management library")
	}
}
