//go:build database

package main

import (
	"fmt"
	"io"
	"os"

	"gatewaylab/servers/database"
)

// tendDatabase makes the table that the application's /db asks, for the lab,
// which has no driver itself. A URL comes by the environment: everybody can see
// a command line, and there may be a password in it.
func tendDatabase(words []string, stdout, stderr io.Writer) int {
	var err error
	switch {
	case len(words) == 2 && words[0] == "make":
		err = database.Make(words[1])
	case len(words) == 1 && words[0] == "ready":
		if err = database.Load(os.Getenv(databaseVariable)); err == nil {
			err = database.Reset(os.Getenv(databaseVariable))
		}
	case len(words) == 1 && words[0] == "versions":
		var versions [][2]string
		versions, err = database.Versions(os.Getenv(databaseVariable))
		for _, v := range versions {
			fmt.Fprintf(stdout, "%s\t%s\n", v[0], v[1])
		}
	default:
		fmt.Fprintf(stderr, "usage: labserver database make FILE\n       %s=URL labserver database ready\n       %[1]s=URL labserver database versions\n", databaseVariable)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitStopped
}

const databaseVariable = "GATEWAYLAB_DB"
