//go:build linux

package interop

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"gatewaylab/servers"
)

// pairs is the table: who is put before whom.
func pairs(t *testing.T) []pair {
	// One browser serves all rows that need it, and ends with the test.
	started := sync.OnceValues(func() (*browser, error) { return startBrowser(t) })
	return slices.Concat(beforeOurs(), runningOurs(), runByOurs(), beforeTheirs(), cgiFCGI(), curls(), browsers(started))
}

// nginx before the lab's servers, Apache and lighttpd before some of them.
func beforeOurs() []pair {
	var all []pair
	for _, spec := range models(servers.WireHTTP, servers.WireFastCGI, servers.WireSCGI, servers.WireUWSGI) {
		p := pair{
			from: "nginx", to: named(spec), via: wireOf(spec),
			needs:   []string{"nginx"},
			open:    behindNginx(spec),
			known:   noMark(wireOf(spec)),
			uploads: uploadsBehindNginx(spec),
		}
		if p.via == servers.WireFastCGI {
			p.known["cut, chunked"] = difference{errComplete.Error(), "nginx takes the end of the connection for the answer's, whether END_REQUEST has come or not"}
		}
		all = append(all, p)
	}
	modules := map[string]string{servers.WireHTTP: "http", servers.WireFastCGI: "fcgi", servers.WireSCGI: "scgi", servers.WireUWSGI: "uwsgi"}
	for _, spec := range append([]string{"prefork:workers=2", "async"}, models(servers.WireFastCGI, servers.WireSCGI, servers.WireUWSGI)...) {
		wire := wireOf(spec)
		p := pair{
			from: "Apache", to: named(spec), via: wire,
			needs: []string{"apache2"},
			open:  behindApache(spec, modules[wire]),
			known: noMark(wire),
		}
		if wire != servers.WireFastCGI {
			p.uploads = apacheLater
		}
		switch wire {
		case servers.WireSCGI, servers.WireUWSGI:
			p.uploads.chunked = "411"
			p.known["chunked up"] = difference{"answered 411", "Apache hands on no body without a Content-Length by this protocol, and answers 411"}
		}
		switch wire {
		case servers.WireFastCGI, servers.WireSCGI:
			p.known["fixed down"] = difference{`Content-Length ""`, apacheNoLength}
		}
		if wire == servers.WireSCGI {
			p.known["cut, fixed"] = difference{errComplete.Error(), apacheNoLength + "; its end is then the end of the connection"}
		}
		all = append(all, p)
		if module, ok := map[string]string{servers.WireHTTP: "proxy", servers.WireFastCGI: "fastcgi", servers.WireSCGI: "scgi"}[wire]; ok {
			all = append(all, pair{
				from: "lighttpd", to: named(spec), via: wire,
				needs:   []string{"lighttpd"},
				open:    behindLighttpd(spec, module),
				known:   noMark(wire),
				uploads: lighttpdWhole,
			})
		}
	}
	return all
}

// Who keeps a body back until it has all of it, and why.
var (
	apacheLater   = uploading{later, later, "Apache hands a body on as it comes, but looks for the answer only after its end"}
	lighttpdWhole = uploading{buffered, buffered, "lighttpd takes a request in as a whole, unless server.stream-request-body says otherwise"}
	cgiWhole      = uploading{buffered, buffered, "a CGI program is told the length of its body, and a slow client is to hold none: the lab's CGI host takes the body in first"}
)

// goAway is how HTTP/2 ends what is too much to be told so.
const goAway = "a header that is more than twice what is taken ends the connection (Go's HTTP/2 server)"

const toldLength = "without a Content-Length a body is taken in as a whole first: the protocol, or the application, is to be told its length"

func uploadsBehindNginx(spec string) uploading {
	switch c, wire := named(spec), wireOf(spec); {
	case c == "**cgi**":
		return cgiWhole
	case wire == servers.WireSCGI:
		return uploading{buffered, buffered, "nginx 1.22 that buffers no SCGI requests gives what it has read so far as the CONTENT_LENGTH; so the lab has it buffer them"}
	case wire == servers.WireUWSGI:
		return uploading{streamed, buffered, toldLength}
	}
	return uploading{}
}

// apacheNoLength says what Apache does with an answer that isn't HTTP.
const apacheNoLength = "Apache drops the Content-Length of an answer in CGI's form (unless ap_trust_cgilike_cl is set), and sends it chunked if it isn't short"

// noMark is the difference that comes of a protocol in which an answer has no
// mark of its end.
func noMark(wire string) map[string]difference {
	if wire != servers.WireSCGI && wire != servers.WireUWSGI {
		return map[string]difference{}
	}
	return map[string]difference{"cut, chunked": {errComplete.Error(), noMarkWhy}}
}

const noMarkWhy = "the answer has no mark of its end but that of the connection, which comes when a worker is killed, too"

// Web servers that run the lab's CGI program.
func runningOurs() []pair {
	const noEnd = "CGI has no mark for a complete answer: without a Content-Length its end is the end of the output, and %s doesn't look at how the program ended"
	return []pair{
		{
			from: "Apache", to: "**labapp**", via: "CGI (mod_cgid)", needs: []string{"apache2"}, open: apacheRunning,
			known: map[string]difference{
				"fixed down":   {`Content-Length ""`, apacheNoLength},
				"cut, fixed":   {errComplete.Error(), apacheNoLength + "; its end is then the end of the output"},
				"cut, chunked": {errComplete.Error(), fmt.Sprintf(noEnd, "Apache")},
			},
			uploads: apacheLater,
		},
		{
			from: "lighttpd", to: "**labapp**", via: "CGI (mod_cgi)", needs: []string{"lighttpd"}, open: lighttpdRunning,
			known:   map[string]difference{"cut, chunked": {errComplete.Error(), fmt.Sprintf(noEnd, "lighttpd")}},
			uploads: lighttpdWhole,
		},
	}
}

// The lab's CGI host with programs in other languages.
func runByOurs() []pair {
	var all []pair
	for _, l := range []struct{ language, program, interpreter string }{
		{"Perl", "cgi.pl", "perl"}, {"shell", "cgi.sh", "sh"}, {"Python", "cgi_program.py", "python3"},
	} {
		all = append(all, pair{
			from: "**cgi**", to: l.language, via: "CGI",
			needs:   []string{l.interpreter},
			open:    hosting(l.program),
			uploads: cgiWhole,
		})
	}
	return all
}

// hosting is the lab's CGI host with one of the programs in testdata.
func hosting(program string) func(*testing.T) *site {
	return func(t *testing.T) *site {
		dir := foreignPrograms(t)
		inst := host(t, "cgi:children=2", filepath.Join(dir, program))
		s := siteOf(t, inst)
		s.do = httpClient(inst.URL(), nil)
		return s
	}
}

// models are those that speak one of the protocols on their own listener, with
// so few places that one which isn't given back is missed.
func models(wires ...string) []string {
	places := map[string]string{"cgi": "cgi:children=2", "prefork": "prefork:workers=2", "threads": "threads:workers=1,threads=2",
		"fastcgi": "fastcgi:workers=2", "scgi": "scgi:workers=2", "uwsgi": "uwsgi:workers=2"}
	var specs []string
	for _, m := range servers.Models() {
		if m.Real != nil || !slices.Contains(wires, m.Wire) {
			continue
		}
		spec, ok := places[m.Name]
		if !ok {
			spec = m.Name
		}
		specs = append(specs, spec)
	}
	return specs
}

// httpModels are those that clients speak to: all but those that have the
// lab's front before them anyway, and that front once.
func httpModels() []string { return append(models(servers.WireHTTP), "front+async") }

func wireOf(spec string) string {
	c, err := servers.Resolve(spec)
	if err != nil {
		panic(err) // the specs are in this file
	}
	return c.Model.Wire
}

// named is a model as the matrix has it: in bold, without its options.
func named(spec string) string {
	return "**" + regexp.MustCompile(":[^+]*").ReplaceAllString(spec, "") + "**"
}

// speaks says whether a model speaks a protocol to its clients.
func speaks(spec, protocol string) bool {
	c, err := servers.Resolve(spec)
	if err != nil {
		panic(err) // the specs are in this file
	}
	spoken := c.Model.HTTP
	if c.Front != nil {
		spoken = c.Front.HTTP
	}
	return strings.Contains(" "+spoken+",", " "+protocol+",")
}

// webSocketAt is a WebSocket client of Go's.
func webSocketAt(url string) func(context.Context, []string) ([]string, error) {
	return func(ctx context.Context, messages []string) (got []string, err error) {
		conn, _, _, err := ws.Dial(ctx, url)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return nil, err
		}
		for _, m := range messages {
			if err := wsutil.WriteClientText(conn, []byte(m)); err != nil {
				return got, err
			}
			b, err := wsutil.ReadServerText(conn)
			if err != nil {
				return got, err
			}
			got = append(got, string(b))
		}
		return got, nil
	}
}
