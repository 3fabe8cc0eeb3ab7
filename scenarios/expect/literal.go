package expect

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A literal is a number of the text with its unit.
type literal struct {
	text  string // as written
	value float64
	unit  unit
}

// units lists the suffixes of numbers, for messages.
var units = []string{"ns", "us", "ms", "s", "m", "h", "B", "KB", "MB", "GB", "KiB", "MiB", "GiB", "%"}

// blank replaces every number of the text by a digit and spaces as long as the
// number was, which the expression parser reads as a number in the same column,
// and returns what the numbers were by their position in runes.
func blank(text string) (string, map[int]literal, error) {
	in := []rune(text)
	out := slices.Clone(in)
	found := map[int]literal{}
	for at := 0; at < len(in); {
		r := in[at]
		switch {
		case r == '"' || r == '\'' || r == '`':
			at = afterQuoted(in, at)
		case r == '/' && at+1 < len(in) && (in[at+1] == '/' || in[at+1] == '*'):
			return "", nil, fail(at, "an expectation can't hold a comment")
		case r == '.' && at+1 < len(in) && digit(in[at+1]):
			return "", nil, strayPoint(in, at)
		case digit(r):
			l, end, err := readNumber(in, at)
			if err != nil {
				return "", nil, err
			}
			found[at] = l
			out[at] = '1'
			for i := at + 1; i < end; i++ {
				out[i] = ' '
			}
			at = end
		case wordRune(r):
			for at < len(in) && wordRune(in[at]) {
				at++
			}
		default:
			at++
		}
	}
	return string(out), found, nil
}

// afterQuoted returns the position behind the string that begins at at.
func afterQuoted(in []rune, at int) int {
	quote := in[at]
	for at++; at < len(in); at++ {
		switch {
		case in[at] == quote:
			return at + 1
		case in[at] == '\\' && quote != '`':
			at++
		}
	}
	return len(in)
}

func strayPoint(in []rune, at int) error {
	end := at + 1
	for end < len(in) && wordRune(in[end]) {
		end++
	}
	name := string(in[at+1 : end])
	if at > 0 && (wordRune(in[at-1]) || in[at-1] == ']' || in[at-1] == ')') {
		return fail(at+1, "a name that begins with a digit goes in brackets: [%q]", name)
	}
	return fail(at, "expected a digit before the point: 0.%s", name)
}

var (
	plainNumber = regexp.MustCompile(`^[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
	ratePer     = regexp.MustCompile(`^/(ms|s|m|h)`)
)

// readNumber reads the number that begins at at, and where it ends.
func readNumber(in []rune, at int) (literal, int, error) {
	rest := string(in[at:])
	digits := plainNumber.FindString(rest)
	end := at + len(digits)
	for end < len(in) && (wordRune(in[end]) || in[end] == '.' && end+1 < len(in) && digit(in[end+1])) {
		end++ // a unit, or the rest of 1m30s
	}
	l := literal{text: string(in[at:end])}
	var err error
	if suffix := l.text[len(digits):]; suffix == "" {
		l.value, err = strconv.ParseFloat(strings.ReplaceAll(digits, "_", ""), 64)
		l.unit = loose
		if end < len(in) && in[end] == '%' {
			end++
			l.value, l.unit = l.value/100, share
		}
	} else if l.value, l.unit, err = withUnit(digits, suffix); err != nil {
		return l, 0, fail(at+len(digits), "%v", err)
	}
	if err != nil {
		return l, 0, fail(at, "%s is too large a number", l.text)
	}
	if per := ratePer.FindStringSubmatch(string(in[end:])); per != nil && l.unit.countable() {
		if stop := end + len(per[0]); stop == len(in) || !wordRune(in[stop]) && !strings.ContainsRune(".([", in[stop]) {
			seconds := map[string]float64{"ms": 1e-3, "s": 1, "m": 60, "h": 3600}[per[1]]
			l.value, l.unit, end = l.value/seconds, l.unit.over(second), stop
		}
	}
	l.text = string(in[at:end])
	return l, end, nil
}

// withUnit is the value of a number with letters behind it: a duration as Go
// writes them, or an amount of bytes.
func withUnit(digits, suffix string) (float64, unit, error) {
	if d, err := time.ParseDuration(digits + suffix); err == nil {
		return d.Seconds(), second, nil
	}
	size := map[string]float64{
		"B": 1, "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	}[suffix]
	v, err := strconv.ParseFloat(strings.ReplaceAll(digits, "_", ""), 64)
	if size == 0 || err != nil {
		return 0, unit{}, fmt.Errorf("unknown unit %q after %s%s", suffix, digits, nearest(suffix, units, plainly))
	}
	return v * size, byteUnit, nil
}

func digit(r rune) bool { return r >= '0' && r <= '9' }

// wordRune is what the expression parser takes for a part of a name, and the
// µ of µs, which is a letter too.
func wordRune(r rune) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
