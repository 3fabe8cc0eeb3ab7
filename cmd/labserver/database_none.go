//go:build !database

package main

import (
	"fmt"
	"io"
)

// tendDatabase is for a program that is built with the drivers.
func tendDatabase(_ []string, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "labserver: built without the drivers of databases; build it with -tags database")
	return exitUsage
}
