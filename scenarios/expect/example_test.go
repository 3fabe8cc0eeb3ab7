package expect_test

import (
	"fmt"

	"gatewaylab/scenarios/expect"
)

func ExampleCheck() {
	fmt.Println(expect.Check("async.gooput > 10 * prefork.goodput", []string{"async", "prefork"}))
	fmt.Println(expect.Check("async.goodput > 200ms", []string{"async", "prefork"}))
	fmt.Println(expect.Check("async.goodput > 200/s", []string{"async", "prefork"}))
	// Output:
	// column 7: unknown quantity "gooput"; did you mean goodput?
	// column 15: > takes like and like: its left is a rate, its right a time
	// <nil>
}

func ExampleNames_Check() {
	names := expect.Names{Models: []string{"async"}, Stages: []string{"calm", "spike"}}
	fmt.Println(names.Check("async.stages.spke.failed < 1%"))
	// Output: column 14: unknown stage "spke"; did you mean spike?
}

func ExampleEval() {
	env := func(q expect.Quantity) expect.Value {
		if q.Model == "async" {
			return expect.Value{Low: 966, Median: 968, High: 971, N: 6, Known: true}
		}
		return expect.Value{Low: 78.9, Median: 79.1, High: 79.3, N: 6, Known: true}
	}
	for _, text := range []string{
		"async.goodput > 10 * prefork.goodput",
		"async.goodput > 970/s",
		"prefork.goodput > 100/s",
	} {
		v, err := expect.Eval(text, env)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%-9s  %s  (%s)\n", v.Outcome, text, v.Detail)
	}
	// Output:
	// held       async.goodput > 10 * prefork.goodput  (968/s [966, 971] v 10 × 79.1/s [78.9, 79.3])
	// undecided  async.goodput > 970/s  (968/s [966, 971] v 970/s)
	// not held   prefork.goodput > 100/s  (79.1/s [78.9, 79.3] v 100/s)
}

func ExampleQuantity_String() {
	fmt.Println(expect.Quantity{Model: "async", Path: []string{"response", "p99"}})
	fmt.Println(expect.Quantity{Model: "prefork:workers=2", Path: []string{"beside", "slow-read", "failed"}})
	// Output:
	// async.response.p99
	// model("prefork:workers=2").beside["slow-read"].failed
}
