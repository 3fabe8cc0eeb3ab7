package servers_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers"
)

func TestParseSpec(t *testing.T) {
	part := func(name string, kv ...string) servers.Part {
		p := servers.Part{Name: name}
		for i := 0; i < len(kv); i += 2 {
			p.Options = append(p.Options, servers.Setting{Key: kv[i], Value: kv[i+1]})
		}
		return p
	}
	nginx, front := part("nginx"), part("front", "instances", "4", "balance", "round-robin")
	for text, want := range map[string]servers.Spec{
		"async":                        {Model: part("async")},
		"prefork:workers=8":            {Model: part("prefork", "workers", "8")},
		"prefork:workers=8,timeout=5s": {Model: part("prefork", "workers", "8", "timeout", "5s")},
		"nginx+gunicorn:workers=4,class=gthread": {
			Front: &nginx, Model: part("gunicorn", "workers", "4", "class", "gthread")},
		"front:instances=4,balance=round-robin+async": {Front: &front, Model: part("async")},
		`uwsgi:args="a,b+c \"d\" \\"`:                 {Model: part("uwsgi", "args", `a,b+c "d" \`)},
		`x:empty=""`:                                  {Model: part("x", "empty", "")},
		"x:path=/tmp/a:b=c":                           {Model: part("x", "path", "/tmp/a:b=c")},
	} {
		got, err := servers.ParseSpec(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: parsed as %+v, want %+v", text, got, want)
		}
		if got.String() != text {
			t.Errorf("%s: written as %s", text, got)
		}
	}
}

func TestParseSpecErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                   `column 1: expected a model name, found the end`,
		"Prefork":            `column 1: expected a model name, found "P"`,
		"prefork:":           `column 9: expected key=value, found the end`,
		"prefork:workers":    `column 16: expected = after workers, found the end`,
		"prefork:workers=":   `column 17: expected a value, found the end`,
		"prefork:workers=4,": `column 19: expected key=value, found the end`,
		"prefork workers=4":  `column 8: expected ':', '+' or the end, found " "`,
		"prefork:a=1:b=2":    ``, // ':' is part of a bare value
		"prefork:a=1,a=2":    `column 16: a is set twice`,
		"nginx+":             `column 7: expected a model name, found the end`,
		"a+b+c":              `column 4: a second +: one front at most, as in FRONT+MODEL`,
		`x:a="b`:             `column 5: no closing " for this one`,
		`x:a="b\c"`:          `column 8: expected \" or \\ after a backslash, found "c"`,
		`x:a="b"c`:           `column 8: expected ',', '+' or the end, found "c"`,
		"x:a=b c":            `column 6: expected ',', '+' or the end, found " "`,
		"prefork,workers=4":  `column 8: expected ':', '+' or the end, found ","`,
		"prefork:workers==4": ``, // '=' is part of a bare value
		"préfork":            `column 3: expected ':', '+' or the end, found "é"`,
		"+async":             `column 1: expected a model name, found "+"`,
	} {
		_, err := servers.ParseSpec(text)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v, want no error", text, err)
			}
			continue
		}
		var spec *servers.SpecError
		if !errors.As(err, &spec) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: error %v, want one that ends in %s", text, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	c, err := servers.Resolve("prefork:workers=8")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Settings["workers"]; got != "8" {
		t.Errorf("workers is %q, want the value given, 8", got)
	}
	if got := c.Settings["timeout"]; got != "30s" {
		t.Errorf("timeout is %q, want the default, 30s", got)
	}
	if c.Slots() != 8 {
		t.Errorf("%d slots, want 8", c.Slots())
	}
	for text, want := range map[string]string{
		"prefrok":              "did you mean prefork?",
		"prefork:worker=4":     "did you mean workers?",
		"prefork:workers=0":    "expected a whole number from 1 to 1024",
		"prefork:workers=many": "expected a whole number from 1 to 1024",
		"prefork:timeout=5":    "expected a duration of at least 100ms",
		"nginks+async":         `no front is called "nginks"; did you mean nginx?`,
		"zzz":                  "(known: cgi, ",
	} {
		if _, err := servers.Resolve(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

// Two specs mean the same if all settings are, however they were come by.
func TestSame(t *testing.T) {
	for _, two := range []struct {
		a, b string
		same bool
	}{
		{"prefork", "prefork:workers=4", true},
		{"prefork:workers=4,timeout=30s", "prefork:timeout=30s", true},
		{"prefork", "prefork:workers=2", false},
		{"prefork", "front+prefork", false},
		{"fastcgi", "front+fastcgi", true}, // which it gets by itself
		{"front+fastcgi", "nginx+fastcgi", false},
		{"front+prefork", "front:balance=random+prefork", false},
		{"threads", "threads:db_pool=2", false},
		{"gunicorn", "gunicorn:class=gthread", false},
	} {
		a, err := servers.Resolve(two.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := servers.Resolve(two.b)
		if err != nil {
			t.Fatal(err)
		}
		if a.Same(b) != two.same || b.Same(a) != two.same {
			t.Errorf("%s and %s are the same: %v, want %v", two.a, two.b, !two.same, two.same)
		}
	}
	all := slices.Concat(servers.OwnTryouts(), servers.Tryouts())
	for i, spec := range all {
		c, err := servers.Resolve(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range all[:i] {
			if o, err := servers.Resolve(other); err == nil && c.Same(o) {
				t.Errorf("%s and %s are tried, and are the same", other, spec)
			}
		}
	}
}

func TestResolveChain(t *testing.T) {
	c, err := servers.Resolve("front:instances=3,balance=random+prefork:workers=8")
	if err != nil {
		t.Fatal(err)
	}
	if c.Front.Name != "front" || c.FrontSettings["balance"] != "random" || c.FrontSettings["socket"] != "unix" || c.Settings["workers"] != "8" {
		t.Errorf("front %s %v, model %v", c.Front.Name, c.FrontSettings, c.Settings)
	}
	if c.Slots() != 24 {
		t.Errorf("%d slots, want 3 × 8", c.Slots())
	}
	if c.Spec.String() != "front:instances=3,balance=random+prefork:workers=8" {
		t.Errorf("spec %s", c.Spec)
	}
	for text, want := range map[string]string{
		"frond+async":               "did you mean front?",
		"async+async":               `no front is called "async"`,
		"front:instance=4+async":    "front has no option \"instance\"; did you mean instances?",
		"front:instances=0+async":   "expected a whole number from 1 to 64",
		"front:balance=fair+async":  "expected random or round-robin or least-connections or shared",
		"front+asinc":               "did you mean async?",
		"front+async:tls=on":        "leave tls=on out",
		"front+prefork:instances=4": "prefork has no option",
		"front":                     "front stands before a model",
	} {
		if _, err := servers.Resolve(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

// Every row of the table must be usable as it stands.
func TestModelTable(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range servers.Models() {
		if seen[m.Name] {
			t.Errorf("%s stands twice in the table", m.Name)
		}
		seen[m.Name] = true
		if m.Doc == "" || m.Process == "" || m.Wire == "" || m.Interface == "" || m.HTTP == "" || m.Noun == "" {
			t.Errorf("%s: a description is missing: %+v", m.Name, m)
		}
		for _, o := range m.Options {
			if o.Doc == "" {
				t.Errorf("%s:%s has no description", m.Name, o.Key)
			}
			if err := o.Check(o.Default); err != nil {
				t.Errorf("%s:%s: the default is refused: %v", m.Name, o.Key, err)
			}
		}
		if _, err := servers.Resolve(m.Name); err != nil {
			t.Error(err)
		}
	}
}

// What can be set of one model can be set of each, or there is a reason.
func TestModelsHaveTheirOptions(t *testing.T) {
	for _, m := range servers.Models() {
		if m.Real != nil {
			continue // whose options are its own
		}
		for _, want := range []string{"workers", "threads", "backlog", "timeout", "keepalive", "max_requests", "queue", "socket", "buffer"} {
			has := slices.ContainsFunc(m.Options, func(o servers.Option) bool {
				return o.Key == want || want == "buffer" && strings.HasSuffix(o.Key, want)
			})
			if named := regexp.MustCompile(`(^|; |, | and )` + want + `\b[^:;]*:`).MatchString(m.Lacks); has == named {
				t.Errorf("%s: %s is an option: %v, and explained as one that there can't be: %v (%s)", m.Name, want, has, named, m.Lacks)
			}
		}
	}
}

func TestFrontTable(t *testing.T) {
	for _, f := range servers.Fronts() {
		if f.Doc == "" || f.Process == "" || f.HTTP == "" || len(f.Wires) == 0 || f.Commands == nil {
			t.Errorf("%s: a description is missing: %+v", f.Name, f)
		}
		for _, o := range f.Options {
			if o.Doc == "" {
				t.Errorf("%s:%s has no description", f.Name, o.Key)
			}
			if err := o.Check(o.Default); err != nil {
				t.Errorf("%s:%s: the default is refused: %v", f.Name, o.Key, err)
			}
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{"async", "prefork:workers=8", "nginx+gunicorn:class=gthread", `x:a="b,\"c"`, "a+b+c", ":", "x:a=1,a=2", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := servers.ParseSpec(text)
		if err != nil {
			var at *servers.SpecError
			if !errors.As(err, &at) || at.Offset < 0 || at.Offset > len(text) {
				t.Fatalf("%q: error without a place in the text: %v", text, err)
			}
			return
		}
		again, err := servers.ParseSpec(spec.String())
		if err != nil || !reflect.DeepEqual(again, spec) {
			t.Fatalf("%q: written as %q and read back as %+v, %v", text, spec.String(), again, err)
		}
	})
}

func ExampleParseSpec() {
	spec, err := servers.ParseSpec("nginx+prefork:workers=8,timeout=5s")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(spec.Front.Name, "in front of", spec.Model.Name)
	for _, o := range spec.Model.Options {
		fmt.Println(o.Key, "is", o.Value)
	}
	// Output:
	// nginx in front of prefork
	// workers is 8
	// timeout is 5s
}
