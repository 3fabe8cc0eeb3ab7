package http1

import (
	"strings"

	"gatewaylab/servers/app"
)

// Framing is how a request's body ends.
type Framing uint8

// The framings of RFC 9112 §6.3.
const (
	NoBody  Framing = iota // there is none
	Counted                // Content-Length
	Chunked                // Transfer-Encoding: chunked
)

// A Request is the head of a request. Its strings stay valid for as long as
// somebody has them; the slice of fields is used again by the next Parse into
// the same Request.
type Request struct {
	Method string // case-sensitive; a token
	Target string // as it came: "/a%20b?x=1", "http://lab.test/a%20b?x=1"
	Path   string // percent-decoded, starts with "/", holds no NUL byte
	Query  string // raw, without "?"
	// Host is the target's authority or else the value of the Host field; ""
	// if the field is empty or, in HTTP/1.0, missing.
	Host  string
	Minor int // HTTP/1.Minor: 0, or 1 for all that is later

	// Fields are in the order in which they came, names in canonical form
	// (X-Request-Id), values without white space around them. Framing, Host
	// and connection fields are among them.
	Fields []app.Field

	Framing Framing
	Length  int64 // of a Counted body; -1 for a Chunked one, 0 for none

	KeepAlive bool   // the client wants the connection kept
	Upgrade   string // the Upgrade field, where Connection names it (HTTP/1.1 only)
	Continue  bool   // the client waits for 100 Continue before it sends the body
}

// Get returns the first value of a field, given its name in canonical form.
func (r *Request) Get(name string) string {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return r.Fields[i].Value
		}
	}
	return ""
}

// Proto is the version as CGI writes it.
func (r *Request) Proto() string {
	if r.Minor == 0 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// HasToken says whether a list of tokens ("keep-alive, Upgrade") has one, given
// in lower case.
func HasToken(list, token string) bool {
	for list != "" {
		var word string
		word, list, _ = strings.Cut(list, ",")
		if equalFold(strings.Trim(word, " \t"), token) {
			return true
		}
	}
	return false
}

// settle reads what the fields say about the message and the connection.
func (r *Request) settle(authority string) error {
	hosts, lengths, codings := 0, 0, 0
	var length, coding, connection, upgrade string
	closing, keeping, upgrading := false, false, false
	for i := range r.Fields {
		value := r.Fields[i].Value
		switch r.Fields[i].Name {
		case "Host":
			hosts++
			r.Host = value
		case "Content-Length":
			lengths++
			length = value
		case "Transfer-Encoding":
			codings++
			coding = value
		case "Connection":
			connection = value
			closing = closing || HasToken(connection, "close")
			keeping = keeping || HasToken(connection, "keep-alive")
			upgrading = upgrading || HasToken(connection, "upgrade")
		case "Upgrade":
			upgrade = value
		case "Expect":
			if !equalFold(value, "100-continue") {
				return refuse(417, "only 100-continue can be expected here")
			}
			r.Continue = r.Minor > 0
		}
	}
	if err := r.settleHost(hosts, authority); err != nil {
		return err
	}
	if err := r.settleFraming(lengths, length, codings, coding); err != nil {
		return err
	}
	r.Continue = r.Continue && (r.Framing == Chunked || r.Length > 0)
	r.KeepAlive = !closing && (r.Minor > 0 || keeping)
	if upgrading && r.Minor > 0 {
		r.Upgrade = upgrade
	}
	return nil
}

func (r *Request) settleHost(hosts int, authority string) error {
	switch {
	case hosts > 1:
		return refuse(400, "there is more than one Host field")
	case hosts == 0 && r.Minor > 0:
		return refuse(400, "there is no Host field")
	}
	if !validHost(r.Host) {
		return refuse(400, "the Host field is malformed")
	}
	if authority != "" { // RFC 9112 §3.2.2: the field is ignored then
		r.Host = authority
	}
	return nil
}

func (r *Request) settleFraming(lengths int, length string, codings int, coding string) error {
	switch {
	case codings > 0 && lengths > 0:
		return refuse(400, "both Content-Length and Transfer-Encoding say where the body ends")
	case lengths > 1:
		return refuse(400, "there is more than one Content-Length field")
	case codings > 1:
		return refuse(400, "there is more than one Transfer-Encoding field")
	case lengths == 1:
		n, err := parseLength(length)
		if err != nil {
			return err
		}
		r.Framing, r.Length = Counted, n
	case codings == 1 && r.Minor == 0:
		return refuse(400, "HTTP/1.0 has no Transfer-Encoding")
	case codings == 1 && !equalFold(coding, "chunked"):
		if coding == "" || HasToken(coding, "chunked") && !lastIsChunked(coding) || chunkedTwice(coding) {
			return refuse(400, "the transfer coding does not say where the body ends")
		}
		return refuse(501, "the only transfer coding known here is chunked")
	case codings == 1:
		r.Framing, r.Length = Chunked, -1
	}
	return nil
}

func lastIsChunked(codings string) bool {
	return equalFold(strings.Trim(codings[strings.LastIndexByte(codings, ',')+1:], " \t"), "chunked")
}

func chunkedTwice(codings string) bool {
	i := strings.LastIndexByte(codings, ',')
	return i >= 0 && HasToken(codings[:i], "chunked")
}

// parseLength takes digits and nothing else: no sign, no list, no 0x.
func parseLength(s string) (int64, error) {
	if s == "" {
		return 0, refuse(400, "Content-Length is empty")
	}
	var n int64
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, refuse(400, "Content-Length is not a number of bytes")
		}
		if n > (1<<63-1-9)/10 {
			return 0, errLarge()
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

func errLarge() *Error { return refuse(413, "the body is larger than this server takes") }
