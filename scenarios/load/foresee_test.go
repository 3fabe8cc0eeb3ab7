package load

import (
	"strconv"
	"testing"
	"time"
)

// What is foreseen is what is sent: times, requests and drawn numbers.
func TestForesight(t *testing.T) {
	a := &Attack{
		Stages: []Stage{
			{Shape: Constant, From: 300, Poisson: true, For: 100 * time.Millisecond},
			{Shape: Ramp, From: 100, To: 400, For: 100 * time.Millisecond},
		},
		Requests: []Request{
			{URL: "http://127.0.0.1:1/wait?ms={exponential 50}&x={uniform 3 9}", Weight: 2}, {URL: "http://127.0.0.1:1/hello"},
		},
		Seed: 7,
	}
	f, err := a.Foresee()
	if err != nil {
		t.Fatal(err)
	}
	s := &schedule{stages: a.Stages, seed: a.Seed}
	due := s.begin()
	prepared, weights, err := a.prepare()
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for ; ; n++ {
		at, stage, ok := due.next()
		gotAt, gotStage, number, gotOK := f.Next()
		if at != gotAt || stage != gotStage && ok || number != n || ok != gotOK {
			t.Fatalf("hit %d: %v in stage %d, foreseen as hit %d, %v in stage %d", n, at, stage, number, gotAt, gotStage)
		}
		if !ok {
			break
		}
		request := f.Request(number)
		if want := pick(weights, a.Seed, n); request != want {
			t.Errorf("hit %d sends request %d, foreseen as %d", n, want, request)
		}
		url, err := Drawn(a.Requests[request].URL, f.Draws(nil, request, number))
		if err != nil {
			t.Fatal(err)
		}
		if want := "http://127.0.0.1:1" + prepared[request].message(a.Seed, n).req.URL.RequestURI(); url != want {
			t.Errorf("hit %d sends %s, foreseen as %s", n, want, url)
		}
	}
	if n < 30 {
		t.Errorf("%d hits; the test needs some", n)
	}
	u := user{number: 3, crew: &crew{run: &run{attack: a}}}
	think := a.Thinking(3)
	for range 5 {
		got, want := time.Duration(think()*float64(time.Second)), u.draw(&Stage{Think: time.Second, ThinkExponential: true})
		if got != want {
			t.Errorf("a user thinks %v, foreseen as %v", want, got)
		}
	}
	if number := UsersHit(1, 5); strconv.FormatUint(number, 16) != "20000000005" {
		t.Errorf("a user's hit is number %x", number)
	}
}
