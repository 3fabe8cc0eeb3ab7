package expect_test

import (
	"errors"
	"strings"
	"testing"

	"gatewaylab/scenarios/expect"
)

var labels = []string{"async", "prefork", "prefork:workers=2", "a-b"}

func TestCheckTakesTheLanguage(t *testing.T) {
	for _, text := range []string{
		"async.goodput > 10 * prefork.goodput",
		"prefork.response.p99 < 200ms",
		"prefork.response.p999 < 1m30s",
		"prefork.cpu_per_request < 50us and prefork.cpu_per_request > 50µs",
		`model("prefork:workers=2").stages.calm.response.mean < 1.5s`,
		`model('a-b').goodput > 1_000/s`,
		"prefork.requests.short.failed == 0",
		`prefork.beside["slow-read"].bytes_per_second <= 10KB/s`,
		`prefork.stages["1"].unsent < 5%`,
		`async.errors["timeout"] < 1% || async.errors["status 503"] < 1%`,
		"!prefork.spoken && not (async.failed > 5%)",
		"async.memory < 16MiB + 10KB",
		"5 < async.processes < 7",
		"min(async.goodput, prefork.goodput) >= 10/s",
		"max(async.goodput, 3) > abs(prefork.goodput - async.goodput)",
		"between(async.goodput * prefork.response.mean, 3.8, 4.2)",
		"within(prefork.goodput, 4 / prefork.response.mean, 10%)",
		"async.faults.hurt < 1% and async.faults.recovery.p90 < 1s and async.faults.unrecovered == 0",
		"-async.restarts < 1",
		"async.attempted / async.offered != 1.0e3",
		"async.gaps.max > 90/m * 1s * 1s",
		"(async.goodput > 5)",
	} {
		if err := expect.Check(text, labels); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCheckSaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `column 1: expected an expectation, such as async.goodput > 10 * prefork.goodput; found nothing`},
		{" \n", `column 1: expected an expectation, such as async.goodput > 10 * prefork.goodput; found nothing`},
		{strings.Repeat("x", 1001), "column 1: an expectation of 1001 characters: expected at most 1000"},
		{"async.goodput > \xff", "column 1: the text isn't UTF-8"},
		{"1 < 2", "column 1: nothing measured is in it: expected a quantity such as async.goodput"},
		{"async.goodput", "column 1: expected a comparison, found a rate alone: say what it should be, such as > 5"},
		{"2 * (async.goodput)", "column 1: expected a comparison, found a rate alone: say what it should be, such as > 5"},

		{"async.gooput > 5", `column 7: unknown quantity "gooput"; did you mean goodput?`},
		{"async.response.p95 < 5ms", `column 16: unknown quantity "p95"; did you mean p90?`},
		{"async.xyzzyx > 5", `column 7: unknown quantity "xyzzyx" (known: attempted, beside, connections_per_request, cpu_per_request, errors, failed, faults, first_byte, gaps, goodput, lag, memory, offered, processes, requests, response, restarts, service, spoken, stages, threads, unsent)`},
		{"asinc.goodput > 5", `column 1: unknown model "asinc"; did you mean async?`},
		{"5 > nginx.goodput", `column 5: unknown model "nginx" (known: async, prefork, model("prefork:workers=2"), model("a-b"))`},
		{`model("prefork:workers=3").goodput > 5`, `column 7: unknown model "prefork:workers=3"; did you mean model("prefork:workers=2")?`},
		{"a-b.goodput > 5", `column 1: unknown model "a"; did you mean model("a-b")?`},
		{"goodput > 5", "column 1: goodput of which model? Write async.goodput"},
		{"response.p99 > 5", "column 1: response of which model? Write async.response.p99"},
		{"async > 5", "column 1: async is a model: expected a quantity of it, such as async.goodput"},
		{"async.response < 5ms", "column 7: async.response holds several quantities: expected one of .max .mean .p50 .p90 .p99 .p999"},
		{"async.errors < 1%", "column 7: async.errors holds one quantity for each error: expected its name, such as async.errors.timeout"},
		{"async.stages > 1", "column 7: async.stages holds one quantity for each stage: expected its name, such as async.stages.NAME.goodput"},
		{"async.goodput.p99 < 5", "column 15: async.goodput is a quantity, and has no p99"},
		{"async.stages.calm > 5", "column 14: async.stages.calm holds several quantities: expected one of .bytes_per_second .failed .first_byte .goodput .offered .response .sent .service .unsent"},
		{"async.stages.1.goodput > 3", `column 14: a name that begins with a digit goes in brackets: ["1"]`},
		{"async[goodput] > 1", `column 7: expected a name in quotes, such as ["1"]`},
		{"async?.goodput > 4", "column 8: expected quantities, numbers, comparisons and functions only"},
		{"model(async).goodput > 4", `column 1: expected model("LABEL") with one label in quotes`},
		{"prefork:workers=2.goodput > 5", `column 8: unexpected ":"; a model whose label isn't a plain word is written model("prefork:workers=2")`},
		{"(async.goodput + 1).p50 > 3", "column 16: only models have quantities: expected a model's name before the point"},
		{"async.goodput() > 3", "column 7: a quantity can't be called: the ( doesn't belong here"},

		{"async.goodput > 200ms", "column 15: > takes like and like: its left is a rate, its right a time"},
		{"async.goodput + async.memory > 5", "column 15: + takes like and like: its left is a rate, its right an amount of bytes"},
		{"async.failed < 5KB/s", "column 14: < takes like and like: its left is a share, its right bytes per second"},
		{"async.goodput * async.goodput > 5%", "column 31: > takes like and like: its left is a number in s^-2, its right a share"},
		{"max(async.goodput, 5ms) > 3", "column 20: a time can't go with a rate in max"},
		{"between(async.goodput, 1s, 2s)", "column 24: a time can't go with a rate in between"},
		{"async.spoken > 1", "column 14: > takes numbers, found something true or false"},
		{"async.goodput > 5 > (3 < 4)", "column 19: > takes numbers, found something true or false"},
		{"-async.spoken", "column 1: - takes a number, found something true or false"},
		{"abs(async.spoken) > 0", "column 5: abs takes numbers, found something true or false"},
		{"not async.goodput > 5", "column 1: not takes something true or false, found a rate: put parentheses around a comparison"},
		{"async.goodput > 5 and async.restarts", "column 23: and takes comparisons, found a count or share"},
		{`async.goodput > "5"`, "column 17: a text can't be compared with anything: expected a quantity or a number"},
		{"async.spoken == true", "column 17: true isn't needed: write async.spoken, or not async.spoken"},

		{"async.goodput >", "column 16: expected more, found the end"},
		{"async.goodput > (3", "column 19: expected more, found the end"},
		{"async.", "column 7: expected more, found the end"},
		{"async. > 5", "column 7: expected a name after the point"},
		{`async.errors["timeout < 5`, "column 26: expected a quotation mark, found the end"},
		{"async.goodput > 4)", `column 18: unexpected ")"`},
		{"async.goodput = 5", `column 15: unexpected "="; equality is written ==`},
		{"async.goodput > 5% 3", `column 20: unexpected "3"`},
		{"async.goodput > #", `column 17: unexpected "#"`},
		{"async.goodput > 5; 3", "column 15: expected quantities, numbers, comparisons and functions only"},
		{"let x = 4; x > 3", "column 5: expected quantities, numbers, comparisons and functions only"},
		{"async.goodput > 5 ? 1 : 2", "column 25: expected quantities, numbers, comparisons and functions only"},
		{"async.goodput > [1]", "column 17: expected quantities, numbers, comparisons and functions only"},
		{"async.goodput ** 2 > 4", "column 15: expected one of + - * / < <= > >= == != and or, found **"},
		{"async.goodput > 5 // why", "column 19: an expectation can't hold a comment"},
		{"async.goodput > +3", "column 17: the + isn't needed"},

		{"async.goodput > 200mss", `column 20: unknown unit "mss" after 200; did you mean ms?`},
		{"async.goodput > 0x10", `column 18: unknown unit "x10" after 0 (known: ns, us, ms, s, m, h, B, KB, MB, GB, KiB, MiB, GiB, %)`},
		{"async.memory > 5Mib", `column 17: unknown unit "Mib" after 5; did you mean MiB?`},
		{"async.goodput > 1.2.3", `column 20: unknown unit ".3" after 1.2 (known: ns, us, ms, s, m, h, B, KB, MB, GB, KiB, MiB, GiB, %)`},
		{"async.goodput > .5", "column 17: expected a digit before the point: 0.5"},
		{"async.goodput > 1e999", "column 17: 1e999 is too large a number"},
		{"async.goodput > 100/min", `column 21: unknown model "min"`},

		{"betveen(async.goodput, 1, 2)", `column 1: unknown function "betveen"; did you mean between?`},
		{"round(async.goodput) > 1", `column 1: unknown function "round" (known: abs, between, max, min, within, model)`},
		{"between(async.goodput, 1)", "column 1: expected between(x, low, high), found 2 values"},
		{"min() > async.goodput", "column 1: expected min(x, y…), found 0 values"},
		{"within(async.goodput, prefork.goodput, 110%)", "column 40: expected a tolerance from 0% to 100%, such as 10%"},
		{"within(async.goodput, prefork.goodput, async.failed)", "column 40: expected a tolerance from 0% to 100%, such as 10%"},
	} {
		err := expect.Check(c.text, labels)
		var where *expect.Error
		if !errors.As(err, &where) {
			t.Errorf("%s: error %v, want an *Error", c.text, err)
			continue
		}
		if got := err.Error(); got != c.want && !(strings.HasSuffix(c.want, `"min"`) && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s\n  error %s\n  want  %s", c.text, got, c.want)
		}
	}
}

func TestCheckOfParts(t *testing.T) {
	names := expect.Names{Stages: []string{"calm", "storm"}, Requests: []string{}, Beside: []string{"slow-read"}}
	for _, c := range []struct{ text, want string }{
		{"any.stages.calm.goodput > 5", ""},
		{`any.beside["slow-read"].failed < 1%`, ""},
		{"any.stages.clam.goodput > 5", `column 12: unknown stage "clam"; did you mean calm?`},
		{"any.beside.slow-read.failed < 1%", `column 12: unknown crowd "slow"; did you mean ["slow-read"]?`},
		{"any.requests.short.failed < 1%", `column 14: unknown request "short": the scenario has no requests to tell apart`},
	} {
		got := ""
		if err := names.Check(c.text); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\n  error %s\n  want  %s", c.text, got, c.want)
		}
	}
}
