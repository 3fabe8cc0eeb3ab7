package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxArrivals = 10_000_000      // of one file; they take 8 bytes each
	maxArrival  = 240 * time.Hour // up to here a float64 of seconds is good to the nanosecond
	form        = "seconds since the start, such as 0.125, or a duration, such as 125ms"
)

// ReadArrivals reads a recorded arrival file, for a Stage's Times: one arrival
// a line, in order, as decimal seconds since the start or as a duration of
// Go's. Blank lines, and what follows a #, are skipped. Errors begin with
// name:line:column; columns count characters, from 1.
//
// Other records are turned into this first, where it can be seen what becomes
// of them. Hits that vegeta recorded, say, are in the order in which they ended
// and carry the time of day:
//
//	vegeta encode -to csv hits.bin | cut -d, -f1 | sort -n |
//	  awk 'NR == 1 {first = $1} {printf "%.6f\n", ($1 - first) / 1e9}'
func ReadArrivals(name string, r io.Reader) ([]time.Duration, error) {
	var times []time.Duration
	last := 0 // the line of the last arrival
	lines := bufio.NewScanner(r)
	number := 1
	for ; lines.Scan(); number++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if number == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // some editors' mark of UTF-8
		}
		word := strings.TrimSpace(text)
		if word == "" {
			continue
		}
		indent, _, _ := strings.Cut(text, word)
		column := 1 + utf8.RuneCountInString(indent)
		fail := func(format string, args ...any) ([]time.Duration, error) {
			return nil, fmt.Errorf("%s:%d:%d: %s", name, number, column, fmt.Sprintf(format, args...))
		}
		at, ok := parseArrival(word)
		switch {
		case !ok:
			return fail("expected %s; found %q", form, cropped(word))
		case at < 0:
			return fail("expected a time from 0 on, the start; found %s", cropped(word))
		case at > maxArrival:
			return fail("expected a time of at most %.0f hours; found %s", maxArrival.Hours(), cropped(word))
		case len(times) > 0 && at < times[len(times)-1]:
			return fail("expected a time from %v on, which line %d has; found %s; sort the file",
				times[len(times)-1], last, cropped(word))
		case len(times) == maxArrivals:
			return fail("expected at most %d arrivals; replay a part of them", maxArrivals)
		}
		times, last = append(times, at), number
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s:%d:1: expected %s; found a line of over %d bytes", name, number, form, bufio.MaxScanTokenSize)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(times) == 0:
		return nil, fmt.Errorf("%s:%d:1: expected %s; found the end of the file", name, max(1, number-1), form)
	}
	return times, nil
}

// parseArrival parses one time. It may be negative, or as long as can be.
func parseArrival(word string) (time.Duration, bool) {
	// What ParseFloat takes besides decimals: hexadecimals, NaN, infinities.
	if strings.Trim(word, "0123456789.eE+-") != "" {
		d, err := time.ParseDuration(word)
		return d, err == nil
	}
	seconds, err := strconv.ParseFloat(word, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, false
	case seconds > 2*maxArrival.Seconds():
		return math.MaxInt64, true
	case seconds < -2*maxArrival.Seconds():
		return math.MinInt64, true
	}
	return time.Duration(math.Round(seconds * float64(time.Second))), true
}

// cropped is a word of a message, not longer than a line.
func cropped(word string) string {
	const most = 40
	if utf8.RuneCountInString(word) <= most {
		return word
	}
	return string([]rune(word)[:most]) + "…"
}

// ReplayLength is how long a replay lasts if nothing else is said: until the
// first whole second after its last arrival.
func ReplayLength(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return times[len(times)-1].Truncate(time.Second) + time.Second
}
