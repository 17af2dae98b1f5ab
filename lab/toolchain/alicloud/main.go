// Command pulumi-resource-alicloud is the Pulumi plugin for Alibaba Cloud: the published Terraform provider behind
// Pulumi's published bridge, with a map of the resources and functions this project uses. It stands in for the
// ready-made plugin of the same version where that can't be downloaded.
package main

import (
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// version is the published plugin's whose provider and bridge versions go.mod pins.
const version = "3.105.0"

func main() {
	info := providerInfo()
	if len(os.Args) == 2 && os.Args[1] == "-property-names" {
		if err := printPropertyNames(os.Stdout, info); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	// Python programs never ask for the schema; name and version are all the engine needs.
	tfbridge.Main("alicloud", version, info, []byte(`{"name":"alicloud","version":"`+version+`"}`))
}
