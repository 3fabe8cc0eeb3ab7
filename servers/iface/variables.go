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
	"gatewaylab/servers/wire/http1"
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

// A Head is what a server knows of a request before its body, whichever parser
// read it.
type Head struct {
	Method string
	Path   string // percent-decoded
	Query  string // raw
	Proto  string // "HTTP/1.1"
	Host   string // what the client called the server, with a port if it gave one
	// Fields have names in canonical form. Host and the fields about the
	// connection may be among them or not.
	Fields []app.Field
	// Remote and Local are the connection's ends, "127.0.0.1:4321"; "" where
	// they are not known.
	Remote, Local string
	TLS           bool
}

// HeadOf takes over what net/http has read.
func HeadOf(r *http.Request) *Head {
	h := &Head{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Proto: r.Proto, Host: r.Host,
		Fields: make([]app.Field, 0, len(r.Header)),
		Remote: r.RemoteAddr, TLS: r.TLS != nil,
	}
	for name, values := range r.Header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		for _, v := range values {
			h.Fields = append(h.Fields, app.Field{Name: name, Value: v})
		}
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		h.Local = local.String()
	}
	return h
}

// HeadOf1 takes over what package http1 has read. It shares the request's
// slice of fields.
func HeadOf1(r *http1.Request) *Head {
	return &Head{Method: r.Method, Path: r.Path, Query: r.Query, Proto: r.Proto(), Host: r.Host, Fields: r.Fields}
}

// Variables is Head.Variables for a request that net/http has read.
func Variables(r *http.Request, m Mount, length int64) ([]app.Field, error) {
	return HeadOf(r).Variables(m, length)
}

// Fields is AppendFields for a request that net/http has read.
func Fields(r *http.Request) []app.Field {
	h := HeadOf(r)
	return AppendFields(make([]app.Field, 0, 1+len(h.Fields)), h.Host, h.Fields)
}

// Variables builds the CGI/1.1 meta-variables of a request (RFC 3875 §4.1),
// sorted by name. Length is the size of the body in bytes after the transfer
// coding was undone; -1 means that the request has none, which is not the
// same as an empty one. REMOTE_IDENT is not set, nobody asks for it (§4.1.10
// makes it optional); REMOTE_HOST is the address, as §4.1.9 says for a server
// that doesn't look names up.
func (h *Head) Variables(m Mount, length int64) ([]app.Field, error) {
	vars, err := h.AppendVariables(nil, m, length)
	slices.SortFunc(vars, func(a, b app.Field) int { return strings.Compare(a.Name, b.Name) })
	return vars, err
}

// AppendVariables is Variables without the order, for which it has no use: it
// appends to vars, whose memory may have been used before, and makes little
// that is new.
func (h *Head) AppendVariables(vars []app.Field, m Mount, length int64) ([]app.Field, error) {
	pathInfo, ok := strings.CutPrefix(h.Path, m.ScriptName)
	if !ok || pathInfo != "" && pathInfo[0] != '/' {
		return nil, errors.New("path " + strconv.Quote(h.Path) + " is not below " + strconv.Quote(m.ScriptName))
	}
	begin := len(vars)
	name, port := h.serverName()
	vars = append(vars,
		app.Field{Name: "GATEWAY_INTERFACE", Value: "CGI/1.1"},
		app.Field{Name: "PATH_INFO", Value: pathInfo},
		app.Field{Name: "QUERY_STRING", Value: h.Query},
		app.Field{Name: "REQUEST_METHOD", Value: h.Method},
		app.Field{Name: "SCRIPT_NAME", Value: m.ScriptName},
		app.Field{Name: "SERVER_NAME", Value: name},
		app.Field{Name: "SERVER_PORT", Value: port},
		app.Field{Name: "SERVER_PROTOCOL", Value: h.Proto},
		app.Field{Name: "SERVER_SOFTWARE", Value: m.Software})
	if host, port, err := net.SplitHostPort(h.Remote); err == nil {
		vars = append(vars, app.Field{Name: "REMOTE_ADDR", Value: host}, app.Field{Name: "REMOTE_HOST", Value: host},
			app.Field{Name: "REMOTE_PORT", Value: port})
	}
	if m.Root != "" && pathInfo != "" {
		translated := filepath.Join(m.Root, filepath.FromSlash(path.Clean(pathInfo)))
		vars = append(vars, app.Field{Name: "PATH_TRANSLATED", Value: translated})
	}
	if m.AuthType != "" {
		vars = append(vars, app.Field{Name: "AUTH_TYPE", Value: m.AuthType})
	}
	if m.RemoteUser != "" {
		vars = append(vars, app.Field{Name: "REMOTE_USER", Value: m.RemoteUser})
	}
	if h.TLS {
		vars = append(vars, app.Field{Name: "HTTPS", Value: "on"})
	}
	if length >= 0 {
		vars = append(vars, app.Field{Name: "CONTENT_LENGTH", Value: strconv.FormatInt(length, 10)})
	}
	// The fields are written behind the variables where there is room, and
	// become variables where they are.
	fields := AppendFields(vars[len(vars):], h.Host, h.Fields)
	for i := range fields {
		fields[i].Name = variable(fields[i].Name)
	}
	vars = append(vars, fields...)
	for _, v := range vars[begin:] {
		if strings.IndexByte(v.Value, 0) >= 0 {
			return nil, errors.New(v.Name + " would contain a NUL byte, which no variable can")
		}
	}
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

// AppendFields lists a request's header as every model shows it to the
// application: each name once, in canonical form, sorted, repeated values
// merged, Host among them. It uses dst's memory from its start. Left out are
// Content-Length, hop-by-hop fields that Connection names, and what app.Passed
// withholds from every application.
func AppendFields(dst []app.Field, host string, fields []app.Field) []app.Field {
	dst = append(dst[:0], app.Field{Name: "Host", Value: host})
	connection := false
	for i := range fields {
		switch f := &fields[i]; {
		case f.Name == "Connection":
			connection = true
		case f.Name == "Host", f.Name == "Content-Length", !app.Passed(f.Name):
		case f.Name == "Content-Type" && f.Value == "": // an empty CONTENT_TYPE says that there is none
		default:
			dst = append(dst, *f)
		}
	}
	if connection {
		dst = slices.DeleteFunc(dst, func(f app.Field) bool { return f.Name != "Host" && namedByConnection(fields, f.Name) })
	}
	return app.MergeInPlace(dst)
}

// namedByConnection says whether a Connection field declares the name, in
// canonical form, hop-by-hop.
func namedByConnection(fields []app.Field, name string) bool {
	for i := range fields {
		if fields[i].Name != "Connection" {
			continue
		}
		for rest := fields[i].Value; rest != ""; {
			var word string
			word, rest, _ = strings.Cut(rest, ",")
			if strings.EqualFold(strings.TrimSpace(word), name) {
				return true
			}
		}
	}
	return false
}

// variable turns X-Request-Id into HTTP_X_REQUEST_ID. The names that nearly
// every request has cost no memory.
func variable(name string) string {
	switch name {
	case "Content-Type":
		return "CONTENT_TYPE"
	case "Host":
		return "HTTP_HOST"
	case "Accept":
		return "HTTP_ACCEPT"
	case "Accept-Encoding":
		return "HTTP_ACCEPT_ENCODING"
	case "Accept-Language":
		return "HTTP_ACCEPT_LANGUAGE"
	case "Cookie":
		return "HTTP_COOKIE"
	case "Referer":
		return "HTTP_REFERER"
	case "User-Agent":
		return "HTTP_USER_AGENT"
	}
	return "HTTP_" + strings.ReplaceAll(strings.ToUpper(name), "-", "_")
}

// serverName splits what the client called this server into SERVER_NAME and
// SERVER_PORT. The port is the one it connected to (§4.1.15), the name the one
// it asked for, or the address where it didn't ask for any.
func (h *Head) serverName() (name, port string) {
	port = "80"
	if h.TLS {
		port = "443"
	}
	name = h.Host
	if strings.IndexByte(name, ':') < 0 { // then it has no port, and no error need be made to say so
	} else if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
		if strings.Contains(host, ":") {
			name = "[" + host + "]"
		}
	}
	if host, p, err := net.SplitHostPort(h.Local); err == nil {
		port = p
		if name == "" {
			name = host
		}
	}
	return name, port
}
