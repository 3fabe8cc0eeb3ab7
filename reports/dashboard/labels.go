package dashboard

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatewaylab/scenarios"
)

type modelInfo = scenarios.ModelInfo

func plainInt(n int) string { return strconv.Itoa(n) }

// shorten fits model specs into w characters and keeps them apart: it cuts at
// the end where that is enough, and else leaves out what they share.
func shorten(models []modelInfo, w int) []string {
	cut := make([]string, len(models))
	groups := make(map[string][]int, len(models))
	for i, m := range models {
		cut[i] = clip([]rune(m.Label), w)
		groups[cut[i]] = append(groups[cut[i]], i)
	}
	for _, group := range groups {
		if len(group) < 2 {
			continue
		}
		shared := []rune(models[group[0]].Label)
		for _, i := range group[1:] {
			shared = prefix(shared, []rune(models[i].Label))
		}
		option := len(shared) // go back to the start of the option that differs
		for option > 0 && !strings.ContainsRune(":,+", shared[option-1]) {
			option--
		}
		longest := 0
		for _, i := range group {
			longest = max(longest, utf8.RuneCountInString(models[i].Label))
		}
		end := min(len(shared), longest-(w-w/3-1)) // what shows every label's end
		for _, from := range []int{option, max(option, end), len(shared)} {
			if distinct := omit(models, group, from, w, cut); distinct {
				break
			}
		}
	}
	return cut
}

// omit leaves out what lies before from, but for a few letters, and says
// whether the labels of the group differ then.
func omit(models []modelInfo, group []int, from, w int, cut []string) bool {
	seen := make(map[string]bool, len(group))
	for _, i := range group {
		label := []rune(models[i].Label)
		if head := min(w/3, from-1); head > 0 {
			label = slices.Concat(label[:head], []rune("…"), label[from:])
		}
		cut[i] = clip(label, w)
		seen[cut[i]] = true
	}
	return len(seen) == len(group)
}

func prefix(a, b []rune) []rune {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

func clip(label []rune, w int) string {
	if len(label) <= w || w < 1 {
		return string(label)
	}
	return string(label[:w-1]) + "…"
}
