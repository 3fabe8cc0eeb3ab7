// Package expect holds results against what theory says should come out:
// "async.goodput > 10 * prefork.goodput", "prefork.response.p99 < 200ms".
//
// A measured quantity is an interval, so an expectation has more answers than
// two. It is held where it is true whatever the true values within their
// intervals are, not held where it is false whatever they are, and undecided in
// between: then more or longer trials are what decides, not a kinder reading.
//
// # Language
//
// A quantity is named after its model and a dot; a model whose label isn't a
// plain word is written model("prefork:workers=2").
//
//	goodput offered attempted                          per second
//	response service first_byte lag gaps               in seconds, each .mean .p50 .p90 .p99 .p999 .max
//	failed unsent errors["timeout"]                    as shares of the requests that were due
//	cpu_per_request                                    in seconds
//	memory                                             in bytes
//	processes threads restarts connections_per_request
//	faults.sent faults.others faults.unrecovered       counts for each trial
//	faults.failed faults.slow faults.hurt              as shares of faults.others; hurt is both
//	faults.recovery                                    in seconds, .mean .p50 .p90 .p99 .p999 .max
//	stages.NAME requests.NAME beside.NAME              goodput, offered, failed, unsent, sent, bytes_per_second, response, service, first_byte
//	spoken                                             whether the model speaks the scenario's protocol
//
// A name that isn't a plain word goes in brackets: stages["1"],
// beside["slow-read"]. Numbers may carry a unit: 200ms 1.5s 16MiB 10KB 5% 200/s
// 10KB/s; one without fits whatever it is compared with, in seconds, bytes or
// per second. There are + - * /, < <= > >= == !=, and or not, min, max and abs
// of numbers, between(x, low, high), and within(x, y, 10%), which is true if x
// is at most 10 % of y away from y. A time is never compared with a rate.
//
// # Method
//
// Package github.com/expr-lang/expr, which is cared for and has no dependencies,
// knows the grammar: cel-go brings protocol buffers and a language for access
// rules, and govaluate has rested for years. None of them computes with
// intervals, so the evaluation is ours: arithmetic on intervals, and
// three-valued logic above comparisons. Where every quantity of a comparison
// occurs once in it and goes one way, that is the same as trying all corners,
// the combinations of lowest and highest values. Corners alone would call
// between(x, 4, 6) not held for an x in [0, 10]; this way a decided verdict is
// right for expressions of every form. Where a quantity occurs several times,
// its interval is cut into pieces, and what they leave open is undecided.
package expect
