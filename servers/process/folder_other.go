//go:build !unix

package process

import "os"

// ClaimFolder marks a folder as in use.
func ClaimFolder(string) (*os.File, error) { return nil, ErrPlatform }

// RemoveAbandoned removes folders whose owner is dead.
func RemoveAbandoned(string) {}
