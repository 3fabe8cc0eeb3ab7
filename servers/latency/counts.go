package latency

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/http"
	"time"
)

// Counts are what the service has done since it was started, as sums, so that
// the difference of two is what it has done between them. Times are of calls
// that have come to their end.
type Counts struct {
	Calls    uint64 `json:"calls"`    // that have come
	Answered uint64 `json:"answered"` // 200
	Failed   uint64 `json:"failed"`   // 503, as configured
	Closed   uint64 `json:"closed"`   // connections closed, as configured
	Refused  uint64 `json:"refused"`  // 503: the line was full

	Waited time.Duration `json:"waited"` // in line
	Worked time.Duration `json:"worked"` // the delays that were drawn
	Late   time.Duration `json:"late"`   // from when answers were due to when they were given
	// Lateness counts answers by how late they were: entry i those of less than
	// 2^i µs that are in no entry before it.
	Lateness [LatenessBins]uint64 `json:"lateness"`
}

// LatenessBins reach to half a minute.
const LatenessBins = 25

func bin(late time.Duration) int {
	return min(bits.Len64(uint64(max(0, late.Microseconds()))), LatenessBins-1)
}

// Since is what was done after an earlier reading.
func (c Counts) Since(earlier Counts) Counts {
	c.Calls -= earlier.Calls
	c.Answered -= earlier.Answered
	c.Failed -= earlier.Failed
	c.Closed -= earlier.Closed
	c.Refused -= earlier.Refused
	c.Waited -= earlier.Waited
	c.Worked -= earlier.Worked
	c.Late -= earlier.Late
	for i := range c.Lateness {
		c.Lateness[i] -= earlier.Lateness[i]
	}
	return c
}

// Ended is how many calls have come to an end.
func (c Counts) Ended() uint64 { return c.Answered + c.Failed + c.Closed + c.Refused }

// LatenessQuantile is a time than which the share q of the answers was not
// later; it is an upper bound, less than twice as long as the quantile. 0 if
// there were none.
func (c Counts) LatenessQuantile(q float64) time.Duration {
	var all, below uint64
	for _, n := range c.Lateness {
		all += n
	}
	if all == 0 {
		return 0
	}
	for i, n := range c.Lateness {
		if below += n; float64(below) >= q*float64(all) {
			return time.Microsecond << i
		}
	}
	return time.Microsecond << (LatenessBins - 1)
}

// ReadCounts asks a running service what it has done.
func ReadCounts(ctx context.Context, addr string) (c Counts, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+CountsPath, nil)
	if err != nil {
		return c, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return c, fmt.Errorf("ask the latency server for its counts: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return c, fmt.Errorf("read the latency server's counts: %w", err)
	}
	return c, nil
}
