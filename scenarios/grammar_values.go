package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gatewaylab/servers"
)

const (
	// MinWindow is the shortest measuring window: below it a trial holds too
	// little to say anything.
	MinWindow = 50 * time.Millisecond
	// MaxWindow bounds every duration, and all stages together.
	MaxWindow = 24 * time.Hour
	// MaxClients and MaxRate bound a load to what one machine can make.
	MaxClients = 100_000
	MaxRate    = 1_000_000
	// MaxStages bounds what one scenario holds, as do the three after it.
	MaxStages   = 1000
	MaxLevels   = 1000
	MaxRequests = 100
	MaxCrowds   = 100
	// MaxBody bounds made-up bodies, and the bytes per second of slow clients.
	MaxBody = 64 << 20

	minLength = time.Millisecond // of what takes time at all
	maxWeight = 1e6
)

// A piece is one value of a text form or of a scenario file: the key that it
// belongs to, its text, and how to say what is wrong with it, at an offset in
// bytes into the text.
type piece struct {
	key, text string
	wrong     func(at int, msg string) error
}

func (c piece) fail(format string, args ...any) error {
	return c.wrong(0, fmt.Sprintf(format, args...))
}

// ends splits a range into its ends; ok is false if it is a single value.
func (c piece) ends() (from, to piece, ok bool) {
	i := strings.Index(c.text, "..")
	if i < 0 {
		return c, c, false
	}
	from, to = c, c
	from.text, to.text = c.text[:i], c.text[i+2:]
	to.wrong = func(at int, msg string) error { return c.wrong(i+2+at, msg) }
	return from, to, true
}

func (c piece) rate(zero bool) (float64, error) {
	v, err := parseRate(c.text, zero)
	if err != nil {
		return 0, c.fail("%v", err)
	}
	return v, nil
}

func (c piece) rates() (from, to float64, err error) {
	low, high, ok := c.ends()
	if !ok {
		return 0, 0, c.fail("expected two rates with .. between, such as 10/s..500/s, found %s", found(c.text))
	}
	if from, err = low.rate(true); err != nil {
		return 0, 0, err
	}
	if to, err = high.rate(true); err != nil {
		return 0, 0, err
	}
	if from == 0 && to == 0 {
		return 0, 0, c.fail("%s from 0/s to 0/s sends nothing: one of the rates must be above 0", c.key)
	}
	return from, to, nil
}

// ParseRate reads a rate: "200/s", "1.5/ms", "90/m", or a plain number per
// second.
func ParseRate(s string) (float64, error) { return parseRate(s, false) }

func parseRate(s string, zero bool) (float64, error) {
	number, unit, slash := strings.Cut(strings.TrimSpace(s), "/")
	per := map[string]float64{"ms": 1e-3, "s": 1, "m": 60, "h": 3600}[strings.TrimSpace(unit)]
	if !slash {
		per = 1
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	v /= per
	switch {
	case err == nil && (v > 0 || zero && v == 0) && v <= MaxRate:
		return math.Abs(v), nil // -0 is 0
	case zero:
		return 0, fmt.Errorf("expected a rate from 0 to %d/s, such as 200/s or 30/m, found %s", MaxRate, found(s))
	}
	return 0, fmt.Errorf("expected a rate above 0 and up to %d/s, such as 200/s or 30/m, found %q", MaxRate, s)
}

// count reads a whole number of what is counted.
func (c piece) count(what string, low, high int) (int, error) {
	n, err := strconv.Atoi(c.text)
	if err != nil || n < low || n > high {
		return 0, c.fail("expected %s from %d to %d, found %s", what, low, high, found(c.text))
	}
	return n, nil
}

func (c piece) duration(low time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(c.text)
	switch {
	case err != nil || d < low:
		return 0, c.fail("expected a duration of at least %s, such as 500ms or 10s, found %s", low, found(c.text))
	case d > MaxWindow:
		return 0, c.fail("expected a duration of at most %s, found %q", durationText(MaxWindow), c.text)
	}
	return d, nil
}

var sizeUnits = [...]struct {
	name  string
	bytes float64
}{{"", 1}, {"B", 1}, {"KB", 1e3}, {"MB", 1e6}, {"KiB", 1 << 10}, {"MiB", 1 << 20}}

// bytes reads a number of bytes from 1 to MaxBody.
func (c piece) bytes(text, want string) (float64, error) {
	number := strings.TrimRight(text, "BKMkmbi ")
	unit := strings.TrimSpace(text[len(number):])
	v, err := strconv.ParseFloat(number, 64)
	for _, u := range sizeUnits {
		if n := v * u.bytes; err == nil && strings.EqualFold(u.name, unit) && n >= 1 && n <= MaxBody {
			return n, nil
		}
	}
	return 0, c.fail("expected %s, found %s", want, found(c.text))
}

func (c piece) size() (int64, error) {
	const want = "a size of whole bytes from 1B to 64MiB, such as 10KB or 1MiB"
	v, err := c.bytes(c.text, want)
	if err == nil && v != math.Trunc(v) {
		err = c.fail("expected %s, found %q", want, c.text)
	}
	return int64(v), err
}

func (c piece) byteRate() (float64, error) {
	const want = "bytes per second from 1B/s to 64MiB/s, such as 100B/s or 10KB/s"
	size, ok := strings.CutSuffix(c.text, "/s")
	if !ok || !strings.HasSuffix(strings.ToUpper(size), "B") {
		return 0, c.fail("expected %s, found %s", want, found(c.text))
	}
	return c.bytes(size, want)
}

func (c piece) weight() (float64, error) {
	v, err := strconv.ParseFloat(c.text, 64)
	if err != nil || !(v > 0) || v > maxWeight {
		return 0, c.fail("expected a weight above 0 and up to %d, such as 95 or 0.5, found %s", int(maxWeight), found(c.text))
	}
	return v, nil
}

// named checks the name of a stage, a request or a crowd.
func (c piece) named() (string, error) {
	for i, r := range c.text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || (r < '0' || r > '9') && r != '-' && r != '_') {
			return "", c.fail("expected a name that begins with a letter and goes on with letters, digits, - and _, found %q", c.text)
		}
	}
	if c.text == "" || len(c.text) > maxName {
		return "", c.fail("expected a name of 1 to %d letters, digits, - and _, found %q", maxName, c.text)
	}
	return c.text, nil
}

const maxName = 40

// truth reads a flag of a text form, which has no value, or a file's.
func (c piece) truth() (bool, error) {
	switch c.text {
	case c.key, "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, c.fail("expected true or false, found %s%s", found(c.text), servers.Nearest(c.text, []string{"true", "false"}))
}

// durationText is a duration without the zeros that Go's form ends in.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func numberText(v float64) string {
	if v != 0 && v < 1e-4 {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func rateText(v float64) string { return numberText(v) + "/s" }

// sizeText uses the largest unit that divides a whole number of bytes.
func sizeText(v float64) string {
	for _, unit := range []int{3, 5, 2, 4} { // MB, MiB, KB, KiB
		u := sizeUnits[unit]
		if math.Mod(v, u.bytes) == 0 && v > 0 {
			return numberText(v/u.bytes) + u.name
		}
	}
	return numberText(v) + "B"
}

// valueText quotes a text that could not stand bare.
func valueText(s string) string {
	if q := strconv.Quote(s); s == "" || strings.HasPrefix(s, `"`) || strings.ContainsAny(s, space) || !plain(q, s) {
		return q
	}
	return s
}

// plain says whether quoting had to escape nothing but quotes and backslashes.
func plain(quoted, s string) bool {
	return quoted == `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)+`"`
}
