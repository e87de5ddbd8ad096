package contract

import "strings"

// Providers are the clouds that are known to rent out GPUs, as agents name
// them. Others are accepted under any name.
var Providers = []string{
	"aws", "azure", "google", "oracle", "coreweave", "nebius", "crusoe", "lambda", "together", "fireworks",
	"voltagepark", "runpod", "vultr", "digitalocean", "ibm", "alibaba", "tencent", "ovh", "scaleway", "nscale",
}

// otherNames are what clouds are called elsewhere.
var otherNames = map[string]string{
	"amazon": "aws", "ec2": "aws", "amazon web services": "aws", "microsoft": "azure", "microsoft azure": "azure",
	"gcp": "google", "gce": "google", "google cloud": "google", "oci": "oracle", "oracle cloud": "oracle",
}

// misnamed returns the name that agents use for a cloud that is spelt
// otherwise: they would never match.
func misnamed(provider string) (string, bool) {
	for _, known := range Providers {
		if provider == known {
			return "", false
		}
	}
	if name, ok := otherNames[strings.ToLower(provider)]; ok {
		return name, true
	}
	return Nearest(provider, Providers)
}
