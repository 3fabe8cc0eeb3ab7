//go:build !linux

package process

// MemoryFolder is a folder whose files stay in memory.
func MemoryFolder(int64) string { return "" }
