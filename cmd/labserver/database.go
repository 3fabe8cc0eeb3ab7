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
func tendDatabase(words []string, stderr io.Writer) int {
	var err error
	switch {
	case len(words) == 2 && words[0] == "make":
		err = database.Make(words[1])
	case len(words) == 1 && words[0] == "ready":
		if err = database.Load(os.Getenv(databaseVariable)); err == nil {
			err = database.Reset(os.Getenv(databaseVariable))
		}
	default:
		fmt.Fprintf(stderr, "usage: labserver database make FILE\n       %s=URL labserver database ready\n", databaseVariable)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitStopped
}

const databaseVariable = "GATEWAYLAB_DB"
