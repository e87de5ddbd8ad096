package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"github.com/gpumeter/gpumeter/usage"
)

// askAWS speaks version 2 of the instance metadata service only: every value
// is asked for with a session token, and without one nothing is asked.
//
// The service does not tell which capacity reservation or Capacity Block an
// instance runs in; its reservation-id is that of the launch request. The
// reservation comes from Kubernetes or the operator.
func askAWS(ctx context.Context, hc *http.Client) (reply, error) {
	c := imds.New(imds.Options{
		Endpoint: base, HTTPClient: hc, ClientEnableState: imds.ClientEnabled,
		EnableFallback: aws.FalseTernary, Retryer: aws.NopRetryer{}, DisableDefaultTimeout: true,
	})
	var r reply
	doc, err := c.GetInstanceIdentityDocument(ctx, nil)
	if err != nil {
		return r, err
	}
	r.Cloud = usage.Cloud{
		Account: doc.AccountID, Region: doc.Region, Zone: doc.AvailabilityZone,
		InstanceType: doc.InstanceType, InstanceID: doc.InstanceID,
	}
	// Tags are there where the instance allows it; managed node groups of EKS
	// have these.
	for _, tag := range []struct {
		key string
		to  *string
	}{{"eks:cluster-name", &r.Cluster}, {"eks:nodegroup-name", &r.NodePool}} {
		out, err := c.GetMetadata(ctx, &imds.GetMetadataInput{Path: "tags/instance/" + tag.key})
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return r, err
		}
		text, err := io.ReadAll(out.Content)
		if err != nil {
			return r, err
		}
		*tag.to = string(text)
	}
	r.Signed, err = signedByAWS(ctx, c)
	return r, err
}

// signedByAWS reports whether the identity document can be had with its
// RSA-2048 signature.
func signedByAWS(ctx context.Context, c *imds.Client) (bool, error) {
	out, err := c.GetDynamicData(ctx, &imds.GetDynamicDataInput{Path: "instance-identity/rsa2048"})
	if isAbsent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	signature, err := io.ReadAll(out.Content)
	return len(strings.TrimSpace(string(signature))) > 0, err
}

// isAbsent reports whether an error is the answer 404.
func isAbsent(err error) bool {
	var status interface{ HTTPStatusCode() int }
	return errors.As(err, &status) && status.HTTPStatusCode() == http.StatusNotFound
}
