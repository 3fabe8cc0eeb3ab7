package servers_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"gatewaylab/servers"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]servers.Target{
		"mine=http://127.0.0.1:8000":       {Label: "mine", URL: "http://127.0.0.1:8000", Host: "127.0.0.1:8000"},
		"it = http://lab.example/":         {Label: "it", URL: "http://lab.example", Host: "lab.example:80"},
		"six=http://[::1]:81":              {Label: "six", URL: "http://[::1]:81", Host: "[::1]:81"},
		"compose=http://gunicorn:8000":     {Label: "compose", URL: "http://gunicorn:8000", Host: "gunicorn:8000"},
		"odd name=http://127.0.0.1:8000/#": {Label: "odd name", URL: "http://127.0.0.1:8000", Host: "127.0.0.1:8000"},
	} {
		got, err := servers.ParseTarget(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got.Label != want.Label || got.URL != want.URL || got.Host != want.Host {
			t.Errorf("%s: found %+v", text, got)
		}
	}
	for text, want := range map[string]string{
		"http://127.0.0.1:8000":              "it has no name",
		"http://127.0.0.1:8000/?a=http://b":  "it has no name",
		"mine":                               "it has no name",
		"mine=127.0.0.1:8000":                "expected NAME=http://HOST:PORT",
		"mine=localhost:8000":                "no http:// before it",
		"mine=https://127.0.0.1:8000":        "doesn't speak TLS",
		"mine=ftp://127.0.0.1":               "no http://",
		"mine=http://:80":                    "no host",
		"mine=http://a:b@127.0.0.1:80":       "passwords are not sent",
		"mine=http://127.0.0.1:80/path":      "leave /path out",
		"mine=http://127.0.0.1:80/?q":        "leave /?q out",
		"mine=http://127.0.0.1:70000":        "is no port",
		"mine=http://127.0.0.1:0":            "is no port",
		"mine=http://host name:80":           "expected NAME=http://HOST:PORT",
		"mine=http://127.0.0.1:80\nother=no": "expected NAME=http://HOST:PORT",
	} {
		if got, err := servers.ParseTarget(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, error %v, want one with %q", text, got, err, want)
		}
	}
}

// found is a lookup that knows one name.
func found(addrs ...string) func(context.Context, string, string) ([]netip.Addr, error) {
	return func(context.Context, string, string) ([]netip.Addr, error) {
		var all []netip.Addr
		for _, a := range addrs {
			all = append(all, netip.MustParseAddr(a))
		}
		return all, nil
	}
}

// Local is what is on this machine, and nothing else: not a private network,
// and no name of which one address is elsewhere.
func TestFindTarget(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		addrs []string
		local bool
		fails string
	}{
		{[]string{"127.0.0.1"}, true, ""},
		{[]string{"127.8.9.10", "::1"}, true, ""},
		{[]string{"::ffff:127.0.0.1"}, true, ""},
		{[]string{"127.0.0.1", "192.0.2.7"}, false, ""},
		{[]string{"10.255.255.7"}, false, ""},
		{[]string{"fe80::7%lo"}, false, ""},
		{[]string{"0.0.0.0"}, false, "on this machine it is 127.0.0.1"},
		{[]string{"::"}, false, "not the address of a server"},
		{[]string{"224.0.0.1"}, false, "not the address of a server"},
		{[]string{"255.255.255.255"}, false, "not the address of a server"},
		{nil, false, "has no address"},
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			cases = append(cases, struct {
				addrs []string
				local bool
				fails string
			}{[]string{p.Addr().String()}, true, ""})
		}
	}
	for _, c := range cases {
		target, err := servers.ParseTarget("it=http://name:8000")
		if err != nil {
			t.Fatal(err)
		}
		err = target.Find(t.Context(), found(c.addrs...))
		switch {
		case c.fails == "" && err != nil, c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%v: error %v, want %q", c.addrs, err, c.fails)
		case err == nil && target.Local != c.local:
			t.Errorf("%v: local is %v", c.addrs, target.Local)
		}
	}
	unknown := func(context.Context, string, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
	target, err := servers.ParseTarget("it=http://name:8000")
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Find(t.Context(), unknown); err == nil || !strings.Contains(err.Error(), "target it: look name up: no such host") {
		t.Errorf("error %v", err)
	}
}

// A name is looked up once. What it says later, and where a redirect leads to,
// changes nothing.
func TestTargetIsPinned(t *testing.T) {
	strangers := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers++ }))
	defer stranger.Close()
	var hosts []string
	leads := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host)
		http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusFound)
	}))
	defer leads.Close()
	_, port, err := net.SplitHostPort(leads.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	target, err := servers.ParseTarget("it=http://lab.example:" + port)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing listens at the first address, so the second is kept to.
	if err := target.Find(t.Context(), found("127.0.0.9", "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if err := target.Pin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := target.Pinned.String(); got != "127.0.0.1:"+port {
		t.Errorf("pinned to %s", got)
	}
	inst, err := servers.Start(t.Context(), target.Configured(), servers.Launch{})
	if err != nil {
		t.Fatal(err)
	}
	if err := inst.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "answered status 302, the application says 200") {
		t.Errorf("error %v, want that it redirects", err)
	}
	if strangers > 0 {
		t.Errorf("followed the redirect %d times", strangers)
	}
	if len(hosts) == 0 || hosts[0] != "lab.example:"+port {
		t.Errorf("asked for %q", hosts)
	}
	if _, err := inst.Usage(); err == nil {
		t.Error("it says what a server uses that it didn't start")
	}
	if st := inst.Status(); inst.Observed() || st.Workers != 0 || inst.PIDs() != nil || inst.Log() != "" || inst.Err() != nil {
		t.Errorf("it knows of a server that it didn't start: %+v", st)
	}
	if err := inst.Close(0); err != nil {
		t.Error(err)
	}
	leads.Close()
	if _, err := servers.Start(t.Context(), target.Configured(), servers.Launch{}); err == nil || !strings.Contains(err.Error(), "nothing accepts connections any more") {
		t.Errorf("error %v", err)
	}
	if err := target.Pin(t.Context()); err == nil || !strings.Contains(err.Error(), "is it running?") {
		t.Errorf("error %v", err)
	}
}
