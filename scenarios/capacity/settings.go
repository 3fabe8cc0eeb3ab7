package capacity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// most bounds how many levels or settings one run tries.
const most = 64

// ParseUsers reads numbers of users: a list such as 1,2,4,8, a range such as
// 1..64, which doubles from its lower end and includes both, or a mixture.
func ParseUsers(text string) ([]int, error) {
	users, err := numbers(text, text, 0, 1, scenarios.MaxClients)
	if err != nil {
		return nil, err
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// numbers reads a list whose first byte is the from-th of the whole text.
func numbers(whole, list string, from, low, high int) (all []int, err error) {
	at := from
	fail := func(format string, args ...any) error {
		return &scenarios.GrammarError{Text: whole, Column: utf8.RuneCountInString(whole[:at]) + 1, Msg: fmt.Sprintf(format, args...)}
	}
	number := func(s string) (int, error) {
		n, err := strconv.Atoi(strings.Trim(s, space))
		if err != nil || n < low || n > high {
			return 0, fail("expected a whole number from %d to %d, or a range such as 1..64, found %q", low, high, s)
		}
		return n, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		a, b, ranged := strings.Cut(part, "..")
		first, err := number(a)
		if err != nil {
			return nil, err
		}
		last := first
		if ranged {
			if last, err = number(b); err != nil {
				return nil, err
			}
		}
		if last < first {
			return nil, fail("the range %s runs backwards: write %d..%d", part, last, first)
		}
		for n := first; n < last; n = max(2*n, 1) {
			all = append(all, n)
		}
		if all = append(all, last); len(all) > most {
			return nil, fail("more than %d numbers: a range doubles from its lower end, a list names each", most)
		}
		at += len(part) + 1
	}
	return all, nil
}

// ParseTune reads one option of a model with the values to try:
// "workers=1..16", which doubles, "threads=1,2,4", or words, "class=sync,gthread".
func ParseTune(text string) (key string, values []string, err error) {
	key, list, found := strings.Cut(text, "=")
	fail := func(at int, format string, args ...any) error {
		return &scenarios.GrammarError{Text: text, Column: utf8.RuneCountInString(text[:at]) + 1, Msg: fmt.Sprintf(format, args...)}
	}
	key = strings.Trim(key, space)
	switch {
	case key == "":
		return "", nil, fail(0, "expected an option and its values, such as workers=1..16")
	case !found || strings.Trim(list, space) == "":
		return "", nil, fail(len(text), "expected = and the values to try after %s, such as %s=1..16", key, key)
	case strings.Contains(list, ".."):
		all, err := numbers(text, list, len(text)-len(list), 0, 1<<30)
		for _, n := range all {
			values = append(values, strconv.Itoa(n))
		}
		return key, unique(values), err
	}
	at := len(text) - len(list)
	for v := range strings.SplitSeq(list, ",") {
		if strings.Trim(v, space) == "" {
			return "", nil, fail(at, "expected a value of %s, found nothing", key)
		}
		values = append(values, strings.Trim(v, space))
		at += len(v) + 1
	}
	return key, unique(values), nil
}

func unique(values []string) (all []string) {
	for _, v := range values {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// Settings are the specs of a model with every combination of the values in
// place of its own: of the model itself, or of its front where the option is
// written after its name, as in nginx.workers=1..4.
func Settings(model string, tune []string) ([]string, error) {
	spec, err := servers.ParseSpec(model)
	if err != nil {
		return nil, err
	}
	specs := []servers.Spec{spec}
	keys := map[string]bool{}
	for _, text := range tune {
		key, values, err := ParseTune(text)
		if err != nil {
			return nil, err
		}
		if keys[key] {
			return nil, fmt.Errorf("%s is given twice: put its values into one list", key)
		}
		keys[key] = true
		var next []servers.Spec
		for _, spec := range specs {
			for _, v := range values {
				next = append(next, with(spec, key, v))
			}
		}
		if specs = next; len(specs) > most {
			return nil, fmt.Errorf("%d combinations and more: try at most %d in one run", len(specs), most)
		}
	}
	all := make([]string, len(specs))
	for i, s := range specs {
		all[i] = s.String()
	}
	return all, nil
}

// with sets an option of the model, or of its front.
func with(s servers.Spec, key, value string) servers.Spec {
	part := &s.Model
	if s.Front != nil {
		front := *s.Front
		s.Front = &front
		if rest, ok := strings.CutPrefix(key, front.Name+"."); ok {
			part, key = s.Front, rest
		}
	}
	kept := slices.DeleteFunc(slices.Clone(part.Options), func(o servers.Setting) bool { return o.Key == key })
	part.Options = append(kept, servers.Setting{Key: key, Value: value})
	return s
}
