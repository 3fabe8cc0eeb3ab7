package expect

import (
	"fmt"
	"math"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// A unit is what a number counts: powers of seconds and bytes.
type unit struct {
	seconds, bytes int
	share          bool // shown in per cent; otherwise the same as a count
	loose          bool // of numbers without a unit alone: fits every other
	truth          bool // no number at all
}

var (
	loose    = unit{loose: true}
	count    = unit{}
	share    = unit{share: true}
	second   = unit{seconds: 1}
	rate     = unit{seconds: -1}
	byteUnit = unit{bytes: 1}
	byteRate = unit{seconds: -1, bytes: 1}
	truth    = unit{truth: true}
)

func (u unit) same(v unit) bool { return u.seconds == v.seconds && u.bytes == v.bytes }

// fits says whether u and v can be added and compared.
func (u unit) fits(v unit) bool { return u.loose || v.loose || u.same(v) }

// countable says whether "/s" behind a number of this unit makes sense.
func (u unit) countable() bool { return u.loose || u == byteUnit }

// and is the unit of a sum of u and v, which fit.
func (u unit) and(v unit) unit {
	switch {
	case u.loose:
		return v
	case v.loose:
		return u
	}
	u.share = u.share && v.share
	return u
}

func (u unit) times(v unit) unit {
	return unit{
		seconds: u.seconds + v.seconds, bytes: u.bytes + v.bytes,
		share: u.share && (v.share || v.loose) || v.share && u.loose,
		loose: u.loose && v.loose,
	}
}

func (u unit) over(v unit) unit {
	return unit{
		seconds: u.seconds - v.seconds, bytes: u.bytes - v.bytes,
		share: u.share && v.loose,
		loose: u.loose && v.loose,
	}
}

// words is what messages call a number of the unit.
func (u unit) words() string {
	switch {
	case u.truth:
		return "something true or false"
	case u.loose:
		return "a number"
	case u.share:
		return "a share"
	case u.same(count):
		return "a count or share"
	case u.same(second):
		return "a time"
	case u.same(rate):
		return "a rate"
	case u.same(byteUnit):
		return "an amount of bytes"
	case u.same(byteRate):
		return "bytes per second"
	}
	return "a number in " + u.symbol()
}

// symbol stands behind figures of units that have no scale of their own.
func (u unit) symbol() string {
	var s []string
	for _, p := range []struct {
		name  string
		power int
	}{{"B", u.bytes}, {"s", u.seconds}} {
		switch {
		case p.power == 1:
			s = append(s, p.name)
		case p.power != 0:
			s = append(s, fmt.Sprintf("%s^%d", p.name, p.power))
		}
	}
	return strings.Join(s, "·")
}

// scale returns by what to divide a number to read it, and what to write
// behind it.
func (u unit) scale(v float64) (by float64, after string) {
	v = math.Abs(v)
	switch {
	case u.share:
		return 0.01, " %"
	case u.loose || u.same(count):
		return 1, ""
	case u.same(rate):
		return 1, "/s"
	case u.same(second) && v >= 1:
		return 1, " s"
	case u.same(second) && v >= 1e-3 || u.same(second) && v == 0:
		return 1e-3, " ms"
	case u.same(second):
		return 1e-6, " µs"
	case u.same(byteUnit), u.same(byteRate):
		by, after = byteScale(v)
		if u.same(byteRate) {
			after += "/s"
		}
		return by, after
	}
	return 1, " " + u.symbol()
}

func byteScale(v float64) (float64, string) {
	switch {
	case v >= 1<<30:
		return 1 << 30, " GiB"
	case v >= 1<<20:
		return 1 << 20, " MiB"
	case v >= 1<<10:
		return 1 << 10, " KiB"
	}
	return 1, " B"
}

// show prints a number with its interval: "79.1/s [78.9, 79.3]". The interval
// is left out where it says no more than the number.
func (u unit) show(mid float64, s span) string {
	by, after := u.scale(mid)
	at, low, high := figure(mid/by), figure(s.low/by), figure(s.high/by)
	if low == at && high == at {
		return at + after
	}
	return fmt.Sprintf("%s%s [%s, %s]", at, after, low, high)
}

// figure prints three significant digits, without zeros at the end.
func figure(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return map[bool]string{true: "∞", false: "-∞"}[v > 0]
	case a != 0 && (a < 0.0005 || a >= 1e15):
		return fmt.Sprintf("%.2g", v)
	}
	decimals := 3
	switch {
	case a >= 99.95:
		decimals = 0
	case a >= 9.995:
		decimals = 1
	case a >= 0.9995:
		decimals = 2
	}
	s := message.NewPrinter(language.English).Sprint(number.Decimal(v, number.Scale(decimals)))
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
