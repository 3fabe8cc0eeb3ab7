package expect_test

import (
	"errors"
	"testing"
	"unicode/utf8"

	"gatewaylab/scenarios/expect"
)

// Whatever the text, there is an error within it or an answer.
func FuzzEval(f *testing.F) {
	for _, text := range []string{
		"async.goodput > 10 * prefork.goodput", `model("prefork:workers=2").stages["1"].response.p999 < 1m30s`,
		"within(a.goodput, 4 / b.response.mean, 10%) or not (a.spoken and 1 < b.failed < 5%)",
		"abs(a.goodput - 5) / (a.goodput - 5) >= min(a.goodput, -3, max(2))", "a.memory<16MiB+10KB/s*1s",
		`a.errors["x\"y"] == 'b' + b"c"`, "a.goodput > 1e", "((((((", "not not !a.spoken", "a.b.c.1.2", "`", "a ?? b", "1..5 | map(# + 1)",
		"µ.goodput > 5µs", "a.goodput > 5 /* x */", "let a = if b {1} else {2}; a", "a?.b?.[1]", "{a: 1}", "count(a, {# > 1})", "\x00", "a.goodput\n>\n5",
	} {
		f.Add(text, 1.0, 2.0, 3.0)
		f.Add(text, 0.0, 0.0, 0.0)
	}
	f.Fuzz(func(t *testing.T, text string, low, median, high float64) {
		err := expect.Check(text, nil)
		v, eerr := expect.Eval(text, func(expect.Quantity) expect.Value { return known(low, median, high) })
		if err != nil {
			var where *expect.Error
			if !errors.As(err, &where) || where.Column < 1 || where.Column > utf8.RuneCountInString(text)+1 || where.Msg == "" {
				t.Fatalf("%q: error %#v", text, err)
			}
			if eerr == nil || eerr.Error() != err.Error() {
				t.Fatalf("%q: Check says %v, Eval %v", text, err, eerr)
			}
			return
		}
		if eerr != nil {
			t.Fatalf("%q: Check took it, Eval says %v", text, eerr)
		}
		switch v.Outcome {
		case expect.Held, expect.NotHeld, expect.Undecided, expect.Unknown:
		default:
			t.Fatalf("%q: outcome %q", text, v.Outcome)
		}
		if v.Detail == "" || len(v.Readings) == 0 || !utf8.ValidString(v.Detail) {
			t.Fatalf("%q: verdict %+v", text, v)
		}
	})
}
