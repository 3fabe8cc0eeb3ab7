package reports

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// decimals is how many decimals give v three significant digits, at most
// three: 0.052, 5.21, 52.1, 521, 5,210.
func decimals(v float64) int {
	switch a := math.Abs(v); {
	case a == 0 || a >= 99.95:
		return 0
	case a >= 9.995:
		return 1
	case a >= 0.9995:
		return 2
	}
	return 3
}

// fixed formats v with thousands separators.
func fixed(v float64, decimals int) string {
	return message.NewPrinter(language.English).Sprint(number.Decimal(v, number.Scale(decimals)))
}

// figure formats v for a table.
func figure(v float64) string {
	if v > 0 && v < 0.0005 {
		return "<0.001"
	}
	return fixed(v, decimals(v))
}

// said formats v for a sentence: 50, not 50.0.
func said(v float64) string {
	s := figure(v)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

func saidTime(seconds float64) string {
	if seconds < 1 {
		return said(seconds*1e3) + " ms"
	}
	return said(seconds) + " s"
}

// window formats a planned duration: 330 ms, 1.3 s, 2 min.
func window(d time.Duration) string {
	if d >= 2*time.Minute {
		return said(d.Minutes()) + " min"
	}
	return saidTime(d.Seconds())
}

// percent formats a share.
func percent(share float64) string { return percentFigure(share) + " %" }

func percentFigure(share float64) string {
	switch p := share * 100; {
	case p > 0 && p < 0.1:
		return "<0.1"
	case p > 0 && p < 0.95:
		return fixed(p, 1)
	default:
		return fixed(p, 0)
	}
}

// count formats n with its noun, in the plural where it must be.
func count[T int | uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fixed(float64(n), 0) + " " + plural(noun)
}

func plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "s"):
		return noun + "es"
	case strings.HasSuffix(noun, "ry"):
		return strings.TrimSuffix(noun, "y") + "ies"
	}
	return noun + "s"
}

func bytesFigure(b int64) string {
	const gib = 1 << 30
	if b >= gib {
		return fmt.Sprintf("%s GiB", said(float64(b)/gib))
	}
	return fmt.Sprintf("%s MiB", said(float64(b)/mib))
}

// dur is a number of seconds as a duration.
func dur(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// lower begins a clause with what begins a sentence.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
