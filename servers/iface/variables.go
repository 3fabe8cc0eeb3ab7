// Package iface is the server's side of the application interfaces: what a
// gateway hands an application (CGI's meta-variables, which FastCGI, SCGI,
// uwsgi and WSGI took over) and what it makes of the answer. Being strict
// here is the point: a response header with two readings is how one program's
// output becomes another's request.
package iface

import (
	"errors"
	"net"
	"net/http"
	"net/textproto"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
)

// A Mount says where an application is attached and what the server knows
// about a request beside the request.
type Mount struct {
	// ScriptName is the leading part of the path that led to the application:
	// "" for one that serves the whole site, or "/shop", without a final "/".
	ScriptName string
	// Root is the folder that PATH_INFO is translated below, as if it were a
	// document's path (PATH_TRANSLATED); "" = not translated.
	Root     string
	Software string // SERVER_SOFTWARE: "gatewaylab/1"
	// AuthType and RemoteUser are set when the server has authenticated the
	// client itself ("Basic", "alice"). The credentials are never passed on.
	AuthType, RemoteUser string
}

// Variables builds the CGI/1.1 meta-variables of a request (RFC 3875 §4.1),
// sorted by name. Length is the size of the body in bytes after the transfer
// coding was undone; -1 means that the request has none, which is not the
// same as an empty one. REMOTE_IDENT is not set, nobody asks for it (§4.1.10
// makes it optional); REMOTE_HOST is the address, as §4.1.9 says for a server
// that doesn't look names up.
func Variables(r *http.Request, m Mount, length int64) ([]app.Field, error) {
	pathInfo, ok := strings.CutPrefix(r.URL.Path, m.ScriptName)
	if !ok || pathInfo != "" && pathInfo[0] != '/' {
		return nil, errors.New("path " + strconv.Quote(r.URL.Path) + " is not below " + strconv.Quote(m.ScriptName))
	}
	name, port := serverName(r)
	vars := []app.Field{
		{Name: "GATEWAY_INTERFACE", Value: "CGI/1.1"},
		{Name: "PATH_INFO", Value: pathInfo},
		{Name: "QUERY_STRING", Value: r.URL.RawQuery},
		{Name: "REQUEST_METHOD", Value: r.Method},
		{Name: "SCRIPT_NAME", Value: m.ScriptName},
		{Name: "SERVER_NAME", Value: name},
		{Name: "SERVER_PORT", Value: port},
		{Name: "SERVER_PROTOCOL", Value: r.Proto},
		{Name: "SERVER_SOFTWARE", Value: m.Software},
	}
	set := func(name, value string) { vars = append(vars, app.Field{Name: name, Value: value}) }
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		set("REMOTE_ADDR", host)
		set("REMOTE_HOST", host)
		set("REMOTE_PORT", port)
	}
	if m.Root != "" && pathInfo != "" {
		set("PATH_TRANSLATED", filepath.Join(m.Root, filepath.FromSlash(path.Clean(pathInfo))))
	}
	if m.AuthType != "" {
		set("AUTH_TYPE", m.AuthType)
	}
	if m.RemoteUser != "" {
		set("REMOTE_USER", m.RemoteUser)
	}
	if r.TLS != nil {
		set("HTTPS", "on")
	}
	if length >= 0 {
		set("CONTENT_LENGTH", strconv.FormatInt(length, 10))
	}
	for _, f := range Fields(r) {
		switch f.Name {
		case "Content-Type":
			set("CONTENT_TYPE", f.Value)
		default:
			set("HTTP_"+variable(f.Name), f.Value)
		}
	}
	for _, v := range vars {
		if strings.IndexByte(v.Value, 0) >= 0 {
			return nil, errors.New(v.Name + " would contain a NUL byte, which no variable can")
		}
	}
	slices.SortFunc(vars, func(a, b app.Field) int { return strings.Compare(a.Name, b.Name) })
	return vars, nil
}

// Environ writes variables as an environment.
func Environ(vars []app.Field) []string {
	words := make([]string, len(vars))
	for i, v := range vars {
		words[i] = v.Name + "=" + v.Value
	}
	return words
}

// Fields lists a request's header as every model shows it to the
// application: each name once, in canonical form, sorted, repeated values
// merged, Host among them. Left out are
//
//   - hop-by-hop fields, those that Connection names included, and Expect and
//     Content-Length, which the server has dealt with;
//   - Authorization and Proxy-Authorization, which RFC 3875 §4.1.18 withholds
//     because other users of the machine can see a process's environment;
//   - Proxy, because HTTP_PROXY means something else to many programs
//     (CVE-2016-5385, "httpoxy");
//   - names with anything but letters, digits and "-": X_User and X-User would
//     become one variable, and one of them may come from a proxy that checked
//     who is calling. nginx drops them too.
func Fields(r *http.Request) []app.Field {
	fields := append(make([]app.Field, 0, 1+len(r.Header)), app.Field{Name: "Host", Value: r.Host})
	named := connectionNames(r.Header)
	for name, values := range r.Header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if !passed(name) || slices.Contains(named, name) {
			continue
		}
		for _, v := range values {
			if name == "Content-Type" && v == "" {
				continue // an empty CONTENT_TYPE says that there is none
			}
			fields = append(fields, app.Field{Name: name, Value: v})
		}
	}
	return app.Merge(fields)
}

func passed(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	switch name {
	case "", "Host", "Content-Length", "Expect", "Authorization", "Proxy-Authorization", "Proxy":
		return false
	}
	return !app.HopByHop(name)
}

// connectionNames lists the fields that Connection declares hop-by-hop, in
// canonical form.
func connectionNames(h http.Header) []string {
	var names []string
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			names = append(names, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	return names
}

// variable turns X-Request-Id into X_REQUEST_ID.
func variable(name string) string {
	return strings.ReplaceAll(strings.ToUpper(name), "-", "_")
}

// serverName splits what the client called this server into SERVER_NAME and
// SERVER_PORT. The port is the one it connected to (§4.1.15), the name the one
// it asked for, or the address where it didn't ask for any.
func serverName(r *http.Request) (name, port string) {
	port = "80"
	if r.TLS != nil {
		port = "443"
	}
	name = r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
		if strings.Contains(host, ":") {
			name = "[" + host + "]"
		}
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if host, p, err := net.SplitHostPort(local.String()); err == nil {
			port = p
			if name == "" {
				name = host
			}
		}
	}
	return name, port
}
