package real

import (
	"slices"
	"strings"
	"testing"
)

func found(versions ...string) (all []Found) {
	for _, v := range versions {
		name, version, _ := strings.Cut(v, " ")
		all = append(all, Found{name, "/x", version})
	}
	return all
}

// Each bound refuses the version before it and takes its own.
func TestVersionsThatDo(t *testing.T) {
	for _, tc := range []struct {
		fits, doesnt []string
		says         string
	}{
		{[]string{"nginx 1.19.5"}, []string{"nginx 1.19.4"}, "is too old: before 1.19.5 it hasn't the option -e"},
		{[]string{"nginx 1.100.0"}, []string{"nginx 1.9.15"}, "too old"},
		{[]string{"apache2 2.4.2"}, []string{"apache2 2.4.1"}, "DefaultRuntimeDir"},
		{[]string{"lighttpd 1.4.56"}, []string{"lighttpd 1.4.55"}, "feature-flags"},
		{[]string{"uwsgi 2.0.21-debian"}, []string{"uwsgi 1.9.21.1-debian"}, "hooks"},
		{[]string{"gunicorn 20.1.0"}, []string{"gunicorn 20.0.4"}, "python -m gunicorn"},
		{[]string{"gunicorn 25.3.0", "eventlet 0.40.3"}, []string{"gunicorn 26.0.0", "eventlet 0.40.3"}, "is too new: since 26.0 it hasn't the worker class eventlet"},
		{[]string{"gunicorn 26.0.0", "gevent 24.10.1"}, []string{"gevent 1.4", "eventlet 0.24", "gunicorn 26.1.0"}, "too new"},
		{[]string{"uvicorn 0.15.0"}, []string{"uvicorn 0.14.0"}, "--fd"},
		{[]string{"hypercorn 0.11.0"}, []string{"hypercorn 0.10.2"}, "fd://"},
		{[]string{"daphne 3.0.0"}, []string{"daphne 2.5.0"}, "ASGI 3"},
		{[]string{"tornado 5.0"}, []string{"tornado 4.5.3"}, "asyncio"},
		{[]string{"django 3.1"}, []string{"django 3.0.14"}, "asynchronous views"},
		{[]string{"python3 3.9.0"}, []string{"python3 3.8.18"}, "removesuffix"},
		{[]string{"python3 3.10.0", "quart 0.18.3"}, []string{"python3 3.9.2", "quart 0.18.3"}, "aiter"},
		{[]string{"python3 3.9.2", "flask 2.2.2"}, []string{"flask 2.2.2", "python3 3.8.2"}, "removesuffix"},
		{[]string{"nginx", "gunicorn", "unheard-of 0.1"}, nil, ""}, // none is known to be too old
	} {
		if err := unfit(found(tc.fits...)); err != nil {
			t.Errorf("%v: %v", tc.fits, err)
		}
		if err := unfit(found(tc.doesnt...)); tc.doesnt != nil && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%v: error %v, want one with %q", tc.doesnt, err, tc.says)
		}
	}
}

func TestVersionsThatDiffer(t *testing.T) {
	for _, tc := range []struct {
		installed string
		settings  Settings
		want      []string // a part of each that is said
	}{
		{"gunicorn 20.1.0", Settings{"class": "sync"}, nil},
		{"gunicorn 20.1.0", Settings{"class": "gthread"}, []string{"gunicorn 20.1.0: with class=gthread a connection takes a thread as soon as it is opened"}},
		{"gunicorn 20.1.0", nil, []string{"takes a thread"}},
		{"gunicorn 21.2.0", nil, []string{"can stop serving"}},
		{"gunicorn 22.0.0", nil, nil},
		{"gunicorn 24.1.1", nil, []string{"take it back after 5 s"}},
		{"gunicorn 25.2.0", nil, nil},
		{"uvicorn 0.17.6", Settings{"workers": "1"}, nil},
		{"uvicorn 0.17.6", Settings{"workers": "2"}, []string{"isn't replaced"}},
		{"uvicorn 0.30.0", Settings{"workers": "2"}, nil},
		{"daphne 4.0.0", nil, []string{"WebSocket"}},
		{"daphne 3.0.2", nil, []string{"Server", "WebSocket"}},
		{"daphne 4.2.2", nil, nil},
		{"werkzeug 2.0.3", nil, []string{"HTTP/1.0", "unread"}},
		{"werkzeug 2.1.1", nil, []string{"keeps connections", "unread"}},
		{"werkzeug 2.2.2", nil, []string{"unread"}},
		{"werkzeug 2.3.0", nil, nil},
		{"nginx 1.19.9", nil, nil},
		{"lighttpd 1.4.69", Settings{"mod": "cgi"}, []string{"fork"}},
		{"lighttpd 1.4.69", Settings{"mod": "fastcgi"}, nil},
		{"lighttpd 1.4.70", Settings{"mod": "cgi"}, nil},
		{"apache2 2.4.58", nil, []string{"Content-Length"}},
		{"apache2 2.4.62", nil, nil},
		{"nginx", nil, nil},
	} {
		got := Behaviours(found(tc.installed), tc.settings)
		if len(got) != len(tc.want) {
			t.Errorf("%s, %v: %q, want those of %q", tc.installed, tc.settings, got, tc.want)
			continue
		}
		for i, want := range tc.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s, %v: %q, want %q in it", tc.installed, tc.settings, got[i], want)
			}
		}
	}
}

// Every bound and behaviour is about something that is looked for and that tells
// its version.
func TestVersionsAreAsked(t *testing.T) {
	asked := func(name string) bool {
		return slices.Contains(pythonModules, name) || versionFlags[name] != ""
	}
	for _, b := range bounds() {
		if !asked(b.name) || b.with != "" && !asked(b.with) || (b.from == "") == (b.until == "") || b.what == "" {
			t.Errorf("%+v", b)
		}
	}
	for _, b := range behaviours() {
		if !asked(b.name) || b.until == "" || b.from != "" && !before(b.from, b.until) || b.does == "" {
			t.Errorf("%s until %s", b.name, b.until)
		}
	}
}
