package cloud_test

import (
	"context"
	"fmt"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/sim/metadata"
	"github.com/gpumeter/gpumeter/usage"
)

func Example() {
	var n metadata.Network // in place of the instance's network
	defer n.Close()
	n.Serve("169.254.169.254:80", metadata.AWS(metadata.Instance{
		Account: "111122223333", Region: "us-east-1", Zone: "us-east-1d", Type: "p5.48xlarge", ID: "i-0123456789abcdef0",
	}))
	f := cloud.New(cloud.Config{
		Given: usage.Cloud{Provider: "aws", Reservation: "cr-0123"}, Root: "/nowhere",
		Getenv: func(string) string { return "" }, Dial: n.Dial,
	})
	found := f.Look(context.Background())
	fmt.Println(found.Cloud.InstanceType, "from", found.From["instance_type"])
	fmt.Println(found.Cloud.Reservation, "from", found.From["reservation"])
	gpus, model, _ := cloud.Expected(found.Cloud.Provider, found.Cloud.InstanceType)
	fmt.Println(gpus, model)
	// Output:
	// p5.48xlarge from aws
	// cr-0123 from config
	// 8 H100
}
