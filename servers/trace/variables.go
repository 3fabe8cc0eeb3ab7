package trace

import "strings"

// A variable of CGI, or of an interface that built on it.
type variable struct {
	meaning   string
	reference string
	// source names where in an HTTP request the value stands; nil if it can't.
	source func(o *origin, v string) string
	// own words where the value comes from otherwise; SERVER is who sent it.
	own string
}

const (
	rfc = "RFC 3875 §4.1."
	pep = "PEP 3333, environ Variables"
)

// variables is what is known of variables. Those of CGI/1.1 are in the order
// and in the words of RFC 3875 §4.1, shortened; HTTP_ stands for all that
// begin with it.
func variables() map[string]variable {
	all := map[string]variable{}
	for _, group := range []map[string]variable{cgiVariables(), otherVariables(), wsgiVariables()} {
		for name, v := range group {
			all[name] = v
		}
	}
	return all
}

func cgiVariables() map[string]variable {
	return map[string]variable{
		"AUTH_TYPE":         {"how the server authenticated the client", rfc + "1", nil, "SERVER, which asked for credentials"},
		"CONTENT_LENGTH":    {"size of the body in bytes; not set if there is none", rfc + "2", (*origin).fromLength, "SERVER, which counted the body"},
		"CONTENT_TYPE":      {"what the body is", rfc + "3", func(o *origin, v string) string { return o.field("Content-Type", v) }, "SERVER: the request has no such field"},
		"GATEWAY_INTERFACE": {"version of CGI between server and program", rfc + "4", nil, "a constant of SERVER"},
		"PATH_INFO":         {"the part of the path that is for the program to interpret", rfc + "5", (*origin).fromPath, "SERVER, which took SCRIPT_NAME off the path"},
		"PATH_TRANSLATED":   {"PATH_INFO as if it were a file's path on the server", rfc + "6", nil, "SERVER: its document root and PATH_INFO"},
		"QUERY_STRING":      {"the query, raw; always set, even if empty", rfc + "7", (*origin).fromQuery, ""},
		"REMOTE_ADDR":       {"network address of the client", rfc + "8", (*origin).fromClientAddr, ""},
		"REMOTE_HOST":       {"the client's name, or its address where names aren't looked up", rfc + "9", (*origin).fromClientAddr, "SERVER, which looked the client's name up"},
		"REMOTE_IDENT":      {"what the client's host says of the user (RFC 1413)", rfc + "10", nil, "SERVER, which asked the client's host"},
		"REMOTE_USER":       {"who the server found the client to be", rfc + "11", nil, "SERVER, which checked credentials"},
		"REQUEST_METHOD":    {"what is to be done", rfc + "12", (*origin).fromMethod, ""},
		"SCRIPT_NAME":       {"the part of the path that led to the program; empty if it has the whole site", rfc + "13", nil, "SERVER's configuration: where the program is mounted"},
		"SERVER_NAME":       {"name of the server that the request is for", rfc + "14", (*origin).fromHost, "SERVER's configuration"},
		"SERVER_PORT":       {"port on which the request came", rfc + "15", (*origin).fromServerPort, ""},
		"SERVER_PROTOCOL":   {"protocol and version of the request", rfc + "16", (*origin).fromVersion, ""},
		"SERVER_SOFTWARE":   {"name and version of the server", rfc + "17", nil, "SERVER, which names itself"},
		"HTTP_":             {"a header field of the request: upper case, - as _", rfc + "18", nil, "SERVER, which made it up or changed it"},
	}
}

// otherVariables are set by many servers and are in no specification of CGI.
func otherVariables() map[string]variable {
	const not = "not in RFC 3875"
	return map[string]variable{
		"DOCUMENT_ROOT":       {"folder of the site's files", not, nil, "SERVER's configuration"},
		"DOCUMENT_URI":        {"the path, normalised", not, (*origin).fromPath, "SERVER, which normalised the path"},
		"HTTPS":               {"on if the request came through TLS", not, nil, "the socket"},
		"REDIRECT_STATUS":     {"a guard of PHP's: without it php-cgi takes itself for being called directly", not, nil, "SERVER's configuration"},
		"REMOTE_PORT":         {"the client's port", not, (*origin).fromClientPort, ""},
		"REQUEST_SCHEME":      {"http or https", not, nil, "the socket: TLS or not"},
		"REQUEST_URI":         {"the target, raw", not, (*origin).fromTarget, ""},
		"SCRIPT_FILENAME":     {"file of the program", not, nil, "SERVER's configuration"},
		"SERVER_ADDR":         {"address on which the request came", not, (*origin).fromServerAddr, ""},
		"UWSGI_SCHEME":        {"http or https, for uWSGI", not, nil, "SERVER: the socket, TLS or not"},
		"SCGI":                {"says that this is SCGI; always 1", "SCGI", nil, "a constant of the protocol"},
		"PATH":                {"where programs are looked for", "not CGI: environ(7)", nil, "SERVER's own environment"},
		"GATEWAYLAB_LOCK":     {"file of the lock that /locked takes", "not CGI: the lab's", nil, "the lab, through SERVER's environment"},
		"GATEWAYLAB_SLOW":     {"how many times as long it waits", "not CGI: the lab's", nil, "the lab, through SERVER's environment"},
		"GATEWAYLAB_UPSTREAM": {"address of what /upstream calls", "not CGI: the lab's", nil, "the lab, through SERVER's environment"},
		"GATEWAYLAB_TRACE":    {"where recorders tell what they see", "not CGI: the lab's", nil, "this trace"},
	}
}

func wsgiVariables() map[string]variable {
	return map[string]variable{
		"wsgi.version":             {"version of the interface", pep, nil, "a constant of SERVER"},
		"wsgi.url_scheme":          {"http or https: the start of the URL", pep, nil, "SERVER: the socket, TLS or not, or what a front said"},
		"wsgi.input":               {"stream of the request's body", pep, nil, "SERVER, which reads it from its connection"},
		"wsgi.errors":              {"stream for complaints", pep, nil, "SERVER: its log"},
		"wsgi.multithread":         {"may another thread of this process call the application meanwhile?", pep, nil, "SERVER: it knows its own model"},
		"wsgi.multiprocess":        {"may another process call it meanwhile?", pep, nil, "SERVER: it knows its own model"},
		"wsgi.run_once":            {"is it called only once in this process's life, as by CGI?", pep, nil, "SERVER: it knows its own model"},
		"wsgi.input_terminated":    {"does the body's stream end by itself?", "a common extension", nil, "SERVER"},
		"gatewaylab.offer_upgrade": {"has the server add Upgrade to an answer of 426", "the lab's", nil, "SERVER"},
		"wsgi.file_wrapper":        {"how to hand over a file to be sent", "PEP 3333, Optional Platform-Specific File Handling", nil, "SERVER"},
	}
}

// scope explains an entry of an ASGI scope.
func (o *origin) scope(f *Field) {
	const spec = "ASGI 3.0, HTTP & WebSocket"
	path := func(v string) string { return o.fromPath(v) }
	know := map[string]variable{
		"type":              {"what kind of connection this scope is for", spec, nil, "the server: the request is HTTP, or an upgrade to WebSocket"},
		"asgi.version":      {"version of the interface", "ASGI 3.0", nil, "a constant of the server"},
		"asgi.spec_version": {"version of the HTTP & WebSocket part", spec, nil, "a constant of the server"},
		"http_version": {"1.0, 1.1 or 2", spec, func(o *origin, v string) string {
			return o.fromVersion("HTTP/" + v)
		}, ""},
		"method":       {"what is to be done, in upper case", spec, func(o *origin, v string) string { return o.fromMethod(v) }, ""},
		"scheme":       {"http, https, ws or wss", spec, nil, "the socket: TLS or not"},
		"path":         {"percent-decoded", spec, func(_ *origin, v string) string { return path(v) }, ""},
		"raw_path":     {"as it was sent, without the query", spec, func(_ *origin, v string) string { return path(v) }, ""},
		"query_string": {"after the ?, raw bytes", spec, func(o *origin, v string) string { return o.fromQuery(v) }, ""},
		"root_path":    {"where the application is mounted, as SCRIPT_NAME", spec, nil, "the server's configuration"},
		"client":       {"address and port of the client", spec, func(o *origin, v string) string { return o.fromEnd(v, o.hop.Local, "its other end") }, ""},
		"server":       {"address and port that the client connected to", spec, func(o *origin, v string) string { return o.fromEnd(v, o.hop.Address, "what was connected to") }, ""},
		"extensions":   {"what this server can beyond the specification", "ASGI 3.0, Extensions", nil, "the server"},
		"subprotocols": {"what the client offers to speak over the WebSocket", spec, nil, "the field Sec-WebSocket-Protocol"},
		"state":        {"what the application kept at start-up", "ASGI 3.0, Lifespan", nil, "the application's own lifespan"},
	}[f.Name]
	if name, ok := strings.CutPrefix(f.Name, "header "); ok {
		know = variable{"a header field, its name in lower case", spec, func(o *origin, v string) string { return o.field(name, v) }, ""}
	}
	if know.meaning != "" {
		f.Meaning, f.Reference = know.meaning, know.reference
	}
	if know.source != nil && o.hop != nil && o.method != "" {
		f.Source = know.source(o, f.Value)
	}
	if f.Source == "" {
		f.Source = know.own
	}
	if f.Source == "" {
		f.Source = "the server itself"
	}
}

// fromEnd compares an address, however it is written, with one end of the
// socket.
func (o *origin) fromEnd(v, end, which string) string {
	plain := strings.NewReplacer(" ", "", "(", "", ")", "", "[", "", "]", "", ",", ":", "\"", "").Replace(v)
	if end == "" || plain != strings.NewReplacer("[", "", "]", "").Replace(end) {
		return ""
	}
	return o.at("the socket") + ": " + which
}
