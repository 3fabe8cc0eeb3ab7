//go:build !unix

package load

func kinds() map[error]string { return nil }
