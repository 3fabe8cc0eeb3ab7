package iface

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"gatewaylab/servers/app"
)

func read(s string) (*Response, string, error) {
	r := bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(s)), MaxHeaderLine)
	resp, err := ReadResponse(r)
	if err != nil {
		return nil, "", err
	}
	rest, err := io.ReadAll(r)
	return resp, string(rest), err
}

// The forms are those of RFC 3875 §6.2, literally.
func TestReadResponse(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Response
		body     string
	}{
		{"document, LF", "Content-Type: text/html\n\n<p>",
			Response{Kind: Document, Status: 200, Header: []app.Field{{Name: "Content-Type", Value: "text/html"}}, Length: -1}, "<p>"},
		{"document, CRLF, status, length", "Status: 404 Not Found\r\ncontent-type:text/plain\r\nContent-Length: 2\r\n\r\nno",
			Response{Kind: Document, Status: 404, Reason: "Not Found", Header: []app.Field{{Name: "Content-Type", Value: "text/plain"}}, Length: 2}, "no"},
		{"line ends mixed, status without a phrase", "Status: 201\r\nContent-Type: a/b\n\r\n",
			Response{Kind: Document, Status: 201, Header: []app.Field{{Name: "Content-Type", Value: "a/b"}}, Length: -1}, ""},
		{"protocol fields in order, hop-by-hop and extensions left out", "Content-Type: a/b\nX-B: 2\nConnection: close\nTransfer-Encoding: chunked\nX-CGI-Mark: 1\nSet-Cookie: a\nSet-Cookie: b\n\n",
			Response{Kind: Document, Status: 200, Header: []app.Field{{Name: "Content-Type", Value: "a/b"}, {Name: "X-B", Value: "2"}, {Name: "Set-Cookie", Value: "a"}, {Name: "Set-Cookie", Value: "b"}}, Length: -1}, ""},
		{"status alone", "Status: 204 No Content\n\n", Response{Kind: Document, Status: 204, Reason: "No Content", Length: -1}, ""},
		{"local redirect", "Location: /a?b=c\n\n", Response{Kind: LocalRedirect, Location: "/a?b=c", Length: -1}, ""},
		{"client redirect", "Location: http://example.org/x#y\n\n",
			Response{Kind: ClientRedirect, Status: 302, Location: "http://example.org/x#y", Header: []app.Field{{Name: "Location", Value: "http://example.org/x#y"}}, Length: -1}, ""},
		{"client redirect with document", "Status: 301 Moved\nLocation: http://example.org/\nContent-Type: a/b\n\nthere",
			Response{Kind: ClientRedirect, Status: 301, Reason: "Moved", Location: "http://example.org/",
				Header: []app.Field{{Name: "Content-Type", Value: "a/b"}, {Name: "Location", Value: "http://example.org/"}}, Length: -1}, "there"},
		{"client redirect to a path", "Status: 303 See Other\nLocation: /next\n\n",
			Response{Kind: ClientRedirect, Status: 303, Reason: "See Other", Location: "/next", Header: []app.Field{{Name: "Location", Value: "/next"}}, Length: -1}, ""},
		{"a body that looks like a header", "Content-Type: a/b\n\nStatus: 500 No\n\n",
			Response{Kind: Document, Status: 200, Header: []app.Field{{Name: "Content-Type", Value: "a/b"}}, Length: -1}, "Status: 500 No\n\n"},
	} {
		got, body, err := read(tc.in)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if fmt.Sprint(*got) != fmt.Sprint(tc.want) || body != tc.body {
			t.Errorf("%s:\n got %+v %q\nwant %+v %q", tc.name, *got, body, tc.want, tc.body)
		}
	}
}

func TestReadResponseRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ in, says string }{
		"nothing":                 {"", "no output"},
		"no end of the header":    {"Content-Type: a/b\n", "ends before the empty line"},
		"a line cut off":          {"Content-Type: a/b", "ends before the empty line"},
		"no fields":               {"\nbody", "none of Content-Type"},
		"no CGI field":            {"X-A: b\n\n", "none of Content-Type"},
		"not a field":             {"hello\n\n", "not a header field"},
		"no name":                 {": x\n\n", "not a header field"},
		"space before the colon":  {"Content-Type : a/b\n\n", "not allowed"},
		"continuation line":       {"Content-Type: a/b\n ;x=y\n\n", "not a header field"},
		"continued with a colon":  {"Content-Type: a/b\n x: y\n\n", "not allowed"},
		"control byte":            {"Content-Type: a\x00b\n\n", "control byte"},
		"bare CR":                 {"Content-Type: a/b\rX-A: c\n\n", "control byte"},
		"type twice":              {"Content-Type: a/b\ncontent-type: a/b\n\n", "twice"},
		"status twice":            {"Status: 200 OK\nStatus: 200 OK\nContent-Type: a/b\n\n", "twice"},
		"location twice":          {"Location: /a\nLocation: /a\n\n", "twice"},
		"length twice":            {"Content-Type: a/b\nContent-Length: 1\nContent-Length: 1\n\nx", "twice"},
		"empty CGI field":         {"Content-Type:\n\n", "no value"},
		"empty first, then again": {"Location:\nLocation: /x\n\n", "no value"},
		"length not a number":     {"Content-Type: a/b\nContent-Length: +1\n\nx", "not a number"},
		"length too large":        {"Content-Type: a/b\nContent-Length: 9223372036854775808\n\nx", "not a number"},
		"status not a number":     {"Status: OK\nContent-Type: a/b\n\n", "three digits"},
		"status of one digit":     {"Status: 2\nContent-Type: a/b\n\n", "three digits"},
		"status interim":          {"Status: 100 Continue\nContent-Type: a/b\n\n", "three digits"},
		"document without type":   {"Status: 200 OK\n\nbody", "without a Content-Type"},
		"local with a type":       {"Location: /a\nContent-Type: a/b\n\n", "alone"},
		"local with a field":      {"Location: /a\nX-A: b\n\n", "alone"},
		"local with a body":       {"Location: /a\n\nbody", "after a redirect"},
		"local, bad path":         {"Location: /%zz\n\n", "invalid URL"},
		"relative":                {"Location: a/b\n\n", "neither"},
		"path with status 200":    {"Status: 200 OK\nLocation: /a\n\n", "local redirect"},
		"redirect, type only":     {"Location: http://a/\nContent-Type: a/b\n\nx", "needs a Status"},
		"redirect, body only":     {"Location: http://a/\n\nx", "after a redirect"},
		"long line":               {"Content-Type: " + strings.Repeat("x", MaxHeaderLine) + "\n\n", "longer than"},
		"endless line":            {strings.Repeat("x", 10*MaxHeaderLine), "longer than"},
		"many fields":             {"Content-Type: a/b\n" + strings.Repeat("X: y\n", MaxHeaderCount+1) + "\n", "longer than"},
		"long header":             {"Content-Type: a/b\n" + strings.Repeat("X: "+strings.Repeat("y", 4000)+"\n", 20) + "\n", "longer than"},
	} {
		_, _, err := read(tc.in)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, tc.says)
		}
	}
	if _, _, err := read(""); !errors.Is(err, ErrEmpty) {
		t.Error("no output is not ErrEmpty")
	}
}

func TestReadResponsePassesReadErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, in := range []string{"", "Content-", "Status: 204\n\n"} {
		r := bufio.NewReaderSize(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), MaxHeaderLine)
		if _, err := ReadResponse(r); !errors.Is(err, broken) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// Whatever a program prints, what is let through could be sent on as it is.
func FuzzReadResponse(f *testing.F) {
	f.Add("Content-Type: a/b\r\nStatus: 200 OK\r\n\r\nbody")
	f.Add("Location: /a?b\n\n")
	f.Fuzz(func(t *testing.T, in string) {
		resp, body, err := read(in)
		if err != nil {
			return
		}
		if !strings.HasSuffix(in, body) {
			t.Errorf("the body %q is not the end of the input", body)
		}
		if resp.Kind < Document || resp.Kind > ClientRedirect {
			t.Errorf("kind %d", resp.Kind)
		}
		if resp.Kind != LocalRedirect && (resp.Status < 200 || resp.Status > 599) {
			t.Errorf("status %d", resp.Status)
		}
		if (resp.Kind == Document) != (resp.Location == "") {
			t.Errorf("kind %d with location %q", resp.Kind, resp.Location)
		}
		for _, field := range resp.Header {
			if strings.ContainsAny(field.Name, " \t\r\n:") || strings.ContainsAny(field.Value, "\r\n\x00") || app.HopByHop(field.Name) && field.Name != "Upgrade" {
				t.Errorf("field %q", field)
			}
		}
		typed := slices.ContainsFunc(resp.Header, func(f app.Field) bool { return f.Name == "Content-Type" })
		if body != "" && !typed {
			t.Errorf("a body %q without a type", body)
		}
	})
}
