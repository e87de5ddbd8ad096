package cloud

import (
	"context"
	"net/http"
)

// service is the metadata service of a provider.
type service struct {
	provider string
	// addresses are all that it may be asked at.
	addresses []string
	// mark is a header, with its value, that all its answers have.
	mark, value string
	// ask returns what the service says, and an error if that is not
	// everything. The values are still foreign text.
	ask func(context.Context, *http.Client) (reply, error)
}

// services has those whose interface is documented in public.
var services = []service{
	{provider: "aws", addresses: []string{linkLocal, "[fd00:ec2::254]:80"}, ask: askAWS},
	{provider: "azure", addresses: []string{linkLocal}, ask: askAzure},
	// metadata.google.internal and metadata.nebius.internal are this address.
	{provider: "google", addresses: []string{linkLocal}, mark: "Metadata-Flavor", value: "Google", ask: askGoogle},
	{provider: "oracle", addresses: []string{linkLocal}, ask: askOracle},
	{provider: "nebius", addresses: []string{linkLocal}, ask: askNebius},
}

func (s *service) door(d dial) *http.Client { return newDoor(d, s.addresses, s.mark, s.value) }
