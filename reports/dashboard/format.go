package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const unknown = "–"

// whole writes 12345 as "12,345".
func whole[T int | int64 | uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	digits := strings.TrimPrefix(s, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}

// rate writes responses per second in at most 8 characters.
func rate(v float64) string {
	switch {
	case math.IsNaN(v):
		return unknown
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	case v < 99_999.5:
		return whole(int(math.Round(v))) + "/s"
	default:
		return whole(int(math.Round(v/1000))) + "k/s"
	}
}

// ms writes milliseconds in at most 7 characters.
func ms(v float64) string {
	switch {
	case math.IsNaN(v):
		return unknown
	case v < 0.995:
		return strconv.FormatFloat(v, 'f', 2, 64) + " ms"
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64) + " ms"
	case v < 999.5:
		return strconv.FormatFloat(v, 'f', 0, 64) + " ms"
	case v < 9995:
		return strconv.FormatFloat(v/1000, 'f', 2, 64) + " s"
	default:
		return strconv.FormatFloat(v/1000, 'f', 0, 64) + " s"
	}
}

func size(b int64) string {
	mib := float64(b) / (1 << 20)
	switch {
	case mib < 9.95:
		return strconv.FormatFloat(mib, 'f', 1, 64) + " MiB"
	case mib < 1023.5:
		return strconv.FormatFloat(mib, 'f', 0, 64) + " MiB"
	default:
		return strconv.FormatFloat(mib/1024, 'f', 1, 64) + " GiB"
	}
}

func cores(v float64) string { return strconv.FormatFloat(max(0, v), 'f', 2, 64) + " cores" }

// clock writes a time left as minutes and seconds, rounded up.
func clock(d time.Duration) string {
	s := int((max(0, d) + time.Second - 1) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// count writes "1 worker", "3 workers", "2 child processes".
func count(n int, noun string) string {
	return whole(n) + " " + plural(n, noun)
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return noun
	case strings.HasSuffix(noun, "s"):
		return noun + "es"
	default:
		return noun + "s"
	}
}
