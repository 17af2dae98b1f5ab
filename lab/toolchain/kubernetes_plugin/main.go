// Command pulumi-resource-kubernetes is the Pulumi plugin for Kubernetes: the published plugin's own package, served as its own
// command does. It is built where the published binary of the same version can't be downloaded.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is the release whose commit go.mod pins.
const version = "4.25.0"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "-version" {
		fmt.Println(version)
		return
	}
	// Python programs never ask for the schema; name and version are all the engine needs.
	provider.Serve("kubernetes", version, []byte(`{"name":"kubernetes","version":"`+version+`"}`), []byte(`{}`))
}
