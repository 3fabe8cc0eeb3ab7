// Package latency is the other service: the one that an application calls and
// waits for, reduced to what matters to its callers. It answers each call after
// a time that is drawn from a distribution, takes calls no faster than a rate,
// works on so many at a time, and fails a share of them. What it does is decided
// by a seed and by the order in which calls come.
//
// It draws on arrival and knows at once when each call will be answered, so it
// holds no queue and runs nothing per place: a line in which calls wait is two
// numbers and a heap (see line). That makes it cheap beside the servers under
// test, on whose machine it runs. How late its answers leave after the moment
// that was drawn it tells itself: a measurement in which it was late is not one
// of its callers.
package latency

// CountsPath is where it tells what it has done, as JSON of Counts. Any other
// path is a call.
const CountsPath = "/counts"

// Answer is the body of a call that succeeds.
const Answer = "done\n"
