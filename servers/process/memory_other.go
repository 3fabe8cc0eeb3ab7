//go:build !unix

package process

import (
	"errors"
	"os"
)

func anonymousFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func mapShared(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte) error { return nil }
