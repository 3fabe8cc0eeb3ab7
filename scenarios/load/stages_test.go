package load

import "time"

// arriving is an open loop at a constant rate.
func arriving(rate float64, d time.Duration) []Stage {
	return []Stage{{Shape: Constant, From: rate, For: d}}
}

// looping is a closed loop of n users.
func looping(n int, d time.Duration) []Stage {
	return []Stage{{Shape: Users, UsersFrom: n, For: d}}
}
