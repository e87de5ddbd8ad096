package focus

import "strings"

// providers maps what exports call a cloud to the name that contracts use. A
// word counts wherever it stands, so that "Amazon Web Services EMEA SARL" is
// aws. The first row that matches decides.
var providers = []struct{ word, provider string }{
	{"amazon", "aws"},
	{"aws", "aws"},
	{"microsoft", "azure"},
	{"azure", "azure"},
	{"google", "google"},
	{"gcp", "google"},
	{"oracle", "oracle"},
	{"coreweave", "coreweave"},
	{"lambda", "lambda"},
	{"crusoe", "crusoe"},
	{"nebius", "nebius"},
	{"together", "together"},
	{"fireworks", "fireworks"},
	{"voltage park", "voltagepark"},
}

// provider names the cloud that a row was bought from: by its service
// provider if that is a cloud that is known, else by who sends the invoice
// (which for a marketplace is the cloud), else the service provider's name in
// small letters.
func provider(names ...string) string {
	first := ""
	for _, name := range names {
		low := strings.ToLower(strings.TrimSpace(name))
		if first == "" {
			first = low
		}
		for _, p := range providers {
			if strings.Contains(low, p.word) {
				return p.provider
			}
		}
	}
	return first
}
