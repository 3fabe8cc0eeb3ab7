// Package load makes the traffic: when each request is due, who sends it, and
// what came of it. It has what an honest measurement needs and a load tester
// usually lacks: the time each request was due, the requests that were due and
// never sent, and a transport that is fast enough not to be the bottleneck
// itself. Plain HTTP/1.1 is sent from loops, a thread with many users each (see
// loop); where that can't be, users have goroutines, and in open loops vegeta
// drives. Hits, their times and what is written of them are the same.
package load

import "time"

// A Hit is what came of one request. Times count from the start of the attack.
type Hit struct {
	Seq       uint64
	Stage     int           // index of the stage it was due in
	Request   int           // index of what was sent
	Due       time.Duration // when it should have been sent; closed loop: when it was
	Sent      time.Duration // when it was sent
	FirstByte time.Duration // sent → first byte of the final response's head; 0 if none came
	Latency   time.Duration // sent → last byte, or the error: the service time
	Code      int           // HTTP status; 0 if none came; 200 for a WebSocket's echo
	Bytes     int64         // body bytes received
	Kind      string        // "" for success, else what went wrong, in a few words: "timeout", "connection refused", "status 503" …
	Err       string        // the whole error text
	Reused    bool          // went over a connection that had served an earlier hit
	Cut       bool          // still in flight when the attack was ended on purpose; neither success nor error

	// Gaps are the pauses between the pieces in which the body of a streamed
	// response came (see Request.Stream).
	Gaps []time.Duration
}

// Response is due → last byte, which is what a user waits.
func (h *Hit) Response() time.Duration { return h.Sent - h.Due + h.Latency }

// Done is when the hit ended, counted from the start of the attack.
func (h *Hit) Done() time.Duration { return h.Sent + h.Latency }
