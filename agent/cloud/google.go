package cloud

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"cloud.google.com/go/compute/metadata"
)

// googleRows are the values that are asked for one by one: the answer to a
// question for all of them would bring keys and start-up scripts along.
var googleRows = []struct {
	key  string
	to   func(*reply) *string
	must bool
}{
	{"instance/id", func(r *reply) *string { return &r.InstanceID }, true},
	{"project/project-id", func(r *reply) *string { return &r.Account }, true},
	{"instance/zone", func(r *reply) *string { return &r.Zone }, true},
	// GKE's own metadata server, which pods see, has no machine type.
	{"instance/machine-type", func(r *reply) *string { return &r.InstanceType }, false},
	{"instance/attributes/cluster-name", func(r *reply) *string { return &r.Cluster }, false},
	{"instance/attributes/physical_host", func(r *reply) *string { return &r.Rack }, false},
}

// askGoogle asks through Google's own client. The service does not tell which
// reservation an instance consumes.
func askGoogle(ctx context.Context, hc *http.Client) (reply, error) {
	c := metadata.NewWithOptions(&metadata.Options{Client: hc})
	var r reply
	for _, row := range googleRows {
		v, err := c.GetWithContext(ctx, row.key)
		if notDefined(err) && !row.must {
			continue
		}
		if err != nil {
			return r, fmt.Errorf("ask for %s: %w", row.key, err)
		}
		*row.to(&r) = v
	}
	r.Zone, r.InstanceType = path.Base(r.Zone), path.Base(r.InstanceType) // projects/1/zones/us-central1-a
	if r.InstanceType == "." {
		r.InstanceType = ""
	}
	if i := strings.LastIndexByte(r.Zone, '-'); i > 0 {
		r.Region = r.Zone[:i]
	}
	r.Rack = rackOf(r.Rack)
	var err error
	if r.Signed, err = signedByGoogle(ctx, c, r); errors.Is(err, errOther) {
		return reply{}, err
	}
	return r, err
}

// errOther is an identity token that contradicts the rest of the answers.
var errOther = errors.New("identity token is another instance's")

// rackOf returns cluster and rack of a physical host: "/cluster/rack/host".
func rackOf(host string) string {
	parts := strings.Split(strings.Trim(strings.TrimSpace(host), "/"), "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

// signedByGoogle asks for an identity token and drops it. It returns an error
// if the token is another instance's than r.
func signedByGoogle(ctx context.Context, c *metadata.Client, r reply) (bool, error) {
	token, err := c.GetWithContext(ctx, "instance/service-accounts/default/identity?audience=gpumeter&format=full")
	if notDefined(err) {
		return false, nil // the instance has no service account
	}
	if err != nil {
		return false, fmt.Errorf("ask for an identity token: %w", err)
	}
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return false, errors.New("identity token is not of three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false, fmt.Errorf("decode identity token: %w", err)
	}
	var claims struct {
		Google struct {
			Engine struct {
				InstanceID string `json:"instance_id"`
				ProjectID  string `json:"project_id"`
			} `json:"compute_engine"`
		} `json:"google"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return false, fmt.Errorf("decode identity token: %w", err)
	}
	if e := claims.Google.Engine; e.InstanceID != "" && (e.InstanceID != strings.TrimSpace(r.InstanceID) || e.ProjectID != strings.TrimSpace(r.Account)) {
		return false, fmt.Errorf("%w: instance %q in project %q", errOther, e.InstanceID, e.ProjectID)
	}
	return claims.Google.Engine.InstanceID != "", nil
}

func notDefined(err error) bool {
	var nd metadata.NotDefinedError
	return errors.As(err, &nd)
}
