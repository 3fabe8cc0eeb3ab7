package trace

import (
	"bytes"
	"strconv"
	"strings"
)

// What one side of an HTTP/1 connection needs of the other: the answer to HEAD
// has no body, and after 101 nothing is HTTP any more (RFC 9112 §6.3).
type httpRequests struct{ methods []string }

// decodeRequests cuts what a client sent (RFC 9112).
func decodeRequests(b []byte) (messages []Message, asked httpRequests) {
	d := httpDecoder{b: b}
	for d.at < len(b) {
		head := d.head("request head", requestLine)
		asked.methods = append(asked.methods, find(head.Fields, roleMethod))
		head.Short = strings.TrimSpace(find(head.Fields, roleMethod) + " " + find(head.Fields, roleTarget))
		d.body("request body", head.Fields, false)
	}
	return d.messages, asked
}

// decodeResponses cuts what a server sent (RFC 9112).
func decodeResponses(b []byte, asked httpRequests) []Message {
	d := httpDecoder{b: b}
	for n := 0; d.at < len(b); {
		head := d.head("response head", statusLine)
		status := find(head.Fields, roleStatus)
		head.Short = strings.TrimSpace(status + " " + find(head.Fields, roleReason))
		switch {
		case status == "101" && d.at == len(d.b):
			continue
		case status == "101":
			d.message("upgraded protocol", "upgraded", func(c *cutter) {
				c.cut(len(c.b), "bytes", quote(c.rest()), "after 101 the connection speaks another protocol (RFC 9110 §7.8)")
			})
			continue
		case strings.HasPrefix(status, "1"): // interim: the answer is still to come
			continue
		}
		asks := ""
		if n < len(asked.methods) {
			asks = asked.methods[n]
		}
		n++
		if asks != "HEAD" && status != "204" && status != "304" {
			d.body("response body", head.Fields, true)
		}
	}
	return d.messages
}

// find returns the value of the first field with a role.
func find(fields []Field, r role) string {
	for _, f := range fields {
		if f.role == r {
			return f.Value
		}
	}
	return ""
}

// An httpDecoder walks along a stream of HTTP/1 messages.
type httpDecoder struct {
	b        []byte
	at       int
	messages []Message
}

// message cuts a message off the stream with cut.
func (d *httpDecoder) message(what, short string, cut func(*cutter)) *Message {
	c := &cutter{b: d.b, at: d.at}
	cut(c)
	d.messages = append(d.messages, Message{What: what, Short: short, Offset: d.at, Length: c.at - d.at, Fields: c.fields})
	d.at = c.at
	return &d.messages[len(d.messages)-1]
}

func (d *httpDecoder) head(what string, first func(*cutter)) *Message {
	return d.message(what, what, func(c *cutter) {
		first(c)
		headerFields(c, "the empty line ends the head")
	})
}

// body cuts the body that a head announces.
func (d *httpDecoder) body(what string, head []Field, response bool) {
	if coding := header(head, "Transfer-Encoding"); coding != "" {
		d.chunked(what)
		return
	}
	if length := header(head, "Content-Length"); length != "" {
		n, err := strconv.Atoi(length)
		if err == nil && n > 0 && d.at < len(d.b) {
			n = min(n, len(d.b)-d.at)
			d.message(what, "body", func(c *cutter) {
				c.cut(n, "body", quote(c.rest()[:n]), "as long as Content-Length says")
			}).body = true
		}
		return
	}
	if response && d.at < len(d.b) {
		d.message(what, "body", func(c *cutter) {
			c.cut(len(c.b), "body", quote(c.rest()), "neither Content-Length nor chunks: it ends when the connection does (RFC 9112 §6.3)")
		}).body = true
	}
}

// chunked cuts the chunks of a body (RFC 9112 §7.1), a message for each, since
// each may come at a time of its own.
func (d *httpDecoder) chunked(what string) {
	for last := false; !last && d.at < len(d.b); {
		d.message(what+": chunk", "", func(c *cutter) {
			line, ok := c.line()
			size, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(";"))
			n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
			if !ok || err != nil {
				c.unknown("a chunk's size in hexadecimal and CRLF (RFC 9112 §7.1)")
				return
			}
			c.cut(len(line), "chunk size", string(size)+" hex = "+number(int(n), "byte")+lineEnd.Replace(string(line[len(bytes.TrimRight(line, "\r\n")):])), "how long the chunk is; hexadecimal")
			if last = n == 0; last {
				headerFields(c, "the empty line ends the body")
				return
			}
			data := c.rest()[:min(int(n), len(c.rest()))]
			c.cut(len(data), "chunk data", quote(data), "")
			if !c.done() {
				c.cut(2, "chunk end", lineEnd.Replace(string(c.rest()[:min(2, len(c.rest()))])), "CRLF after the data")
			}
		})
		m := &d.messages[len(d.messages)-1]
		m.Short = "chunk"
		if last {
			m.What, m.Short = what+": last chunk", "last chunk"
		}
	}
}

// requestLine cuts "GET /path?query HTTP/1.1".
func requestLine(c *cutter) {
	line, ok := c.line()
	method, rest, two := bytes.Cut(line, []byte(" "))
	target, version, three := bytes.Cut(rest, []byte(" "))
	if !ok || !two || !three {
		c.unknown("a request line: method, target, version, CRLF (RFC 9112 §3)")
		return
	}
	c.cut(len(method)+1, "method", value(method), "what is to be done; a space ends it").role = roleMethod
	path, query, has := bytes.Cut(target, []byte("?"))
	c.row("target", value(target), "of which resource; a space ends it", func(c *cutter) {
		c.cut(len(path), "path", value(path), "percent-encoded")
		if has {
			c.cut(1+len(query), "query", value(query), "after the question mark, raw")
		}
		c.cut(1, "space", " ", "")
	}).role = roleTarget
	c.cut(len(version), "version", value(bytes.TrimRight(version, "\r\n")), "of HTTP; CRLF ends the line").role = roleVersion
}

// statusLine cuts "HTTP/1.1 200 OK".
func statusLine(c *cutter) {
	line, ok := c.line()
	version, rest, two := bytes.Cut(line, []byte(" "))
	if !ok || !two || !bytes.HasPrefix(version, []byte("HTTP/")) {
		c.unknown("a status line: version, status code, reason phrase, CRLF (RFC 9112 §4)")
		return
	}
	c.cut(len(version)+1, "version", value(version), "of HTTP; a space ends it").role = roleVersion
	code, reason, spaced := bytes.Cut(rest, []byte(" "))
	if !spaced {
		c.cut(len(rest), "status code", value(bytes.TrimRight(rest, "\r\n")), "the outcome; CRLF ends the line").role = roleStatus
		return
	}
	c.cut(len(code)+1, "status code", value(code), "the outcome; a space ends it").role = roleStatus
	c.cut(len(reason), "reason phrase", value(bytes.TrimRight(reason, "\r\n")), "for people; CRLF ends the line").role = roleReason
}

// headerFields cuts lines of "Name: value" and the empty one that ends them.
func headerFields(c *cutter, end string) {
	for !c.done() {
		line, ok := c.line()
		content := bytes.TrimRight(line, "\r\n")
		if !ok {
			c.unknown("a header field and a line end")
			return
		}
		if len(content) == 0 {
			c.cut(len(line), "end of head", lineEnd.Replace(string(line)), end)
			return
		}
		name, val, colon := bytes.Cut(content, []byte(":"))
		if !colon {
			c.unknown("a header field, Name: value (RFC 9112 §5)")
			return
		}
		trimmed := bytes.Trim(val, " \t")
		space := len(val) - len(bytes.TrimLeft(val, " \t"))
		f := c.row(value(name), value(trimmed), fieldMeaning(string(name)), func(c *cutter) {
			c.cut(len(name), "name", value(name), "")
			c.cut(1+space, "separator", quote(content[len(name):len(name)+1+space]), "")
			c.cut(len(val)-space, "value", value(trimmed), "")
			c.cut(len(line)-len(content), "line end", lineEnd.Replace(string(line[len(content):])), "")
		})
		f.role = roleHeader
	}
}

// header finds a header field's value; repeated ones are joined.
func header(fields []Field, name string) string {
	var values []string
	for _, f := range fields {
		if f.role == roleHeader && strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return strings.Join(values, ", ")
}

// fieldMeaning says in a few words what a header field is for.
func fieldMeaning(name string) string {
	return map[string]string{
		"accept":              "media types the client takes",
		"accept-encoding":     "content codings the client takes",
		"allow":               "methods that the resource has",
		"authorization":       "credentials; a gateway must not hand them on in CGI variables",
		"cache-control":       "what caches may do with it",
		"connection":          "what is about this connection only",
		"content-length":      "size of the body in bytes",
		"content-type":        "what the body is",
		"cookie":              "what the server had the client keep",
		"date":                "when the answer was made",
		"expect":              "what the client waits for before it sends the body",
		"forwarded":           "whom a proxy stands before",
		"host":                "which site is asked: the name the client used",
		"keep-alive":          "how long the connection may be idle",
		"location":            "where to go instead",
		"proxy":               "never handed on: HTTP_PROXY means something else to programs (CVE-2016-5385)",
		"proxy-authorization": "credentials for a proxy",
		"retry-after":         "when to ask again",
		"server":              "which program answered",
		"set-cookie":          "what the client shall keep",
		"status":              "becomes the status line (RFC 3875 §6.3.3)",
		"te":                  "transfer codings the client takes",
		"trailer":             "fields that follow the body",
		"transfer-encoding":   "how the body is framed",
		"upgrade":             "another protocol to go on with",
		"user-agent":          "which program asks",
		"x-forwarded-for":     "the client's address, as a proxy tells it",
		"x-forwarded-host":    "the name the client used, as a proxy tells it",
		"x-forwarded-proto":   "the scheme the client used, as a proxy tells it",
		"x-real-ip":           "the client's address, as a proxy tells it",
	}[strings.ToLower(name)]
}
