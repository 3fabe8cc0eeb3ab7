//go:build !unix

package process

// FileLimit is how many files this process may have open; this system sets no
// such limit, or none that is known here.
func FileLimit() (uint64, error) { return 1 << 24, nil }

// RaiseFileLimit has nothing to raise here.
func RaiseFileLimit() (uint64, error) { return FileLimit() }
