//go:build unix && !linux

package process

func withCores(cores []int, f func() error) error {
	if cores != nil {
		return errPin
	}
	return f()
}
