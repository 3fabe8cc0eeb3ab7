//go:build !unix

package process

import "time"

func machineNow() int64 { return time.Now().UnixNano() }
