package iface

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
)

// Kind is what a CGI response asks the server to do (RFC 3875 §6.2).
type Kind int

// The kinds of response.
const (
	Document       Kind = iota + 1 // send it on
	LocalRedirect                  // serve Location, a path of this server, instead
	ClientRedirect                 // send the client to Location, with a document or without
)

// A Response is the header of a CGI response. The document, if any, is what
// is left in the reader.
type Response struct {
	Kind     Kind
	Status   int    // Document 200, ClientRedirect 302 where the program gave none
	Reason   string // as the program worded it; may be empty
	Location string // of redirects
	// Header holds everything to be sent to the client: Content-Type,
	// Location for client redirects, and other fields in the program's order;
	// names in canonical form. Without fields about the connection, which is
	// the server's (§6.3.4), and without X-CGI-… extensions (§6.3.5).
	Header []app.Field
	// Length is the value of Content-Length, -1 where there is none.
	Length int64
}

// Limits of a response header: a program that exceeds them is broken.
const (
	MaxHeaderLine  = 8 << 10 // bytes, line end included
	MaxHeader      = 64 << 10
	MaxHeaderCount = 256 // fields
)

// ErrEmpty says that a program ended without any output.
var ErrEmpty = errors.New("no output")

// ReadResponse reads the header of a CGI response (RFC 3875 §6). It is strict:
// what has two readings is refused, not guessed at. Lines end in LF or CRLF;
// no continuation lines; no space before the colon; at least one of
// Content-Type, Location and Status and none of them twice; a document has a
// Content-Type. Two things that the RFC forbids are taken, since they have one
// meaning only and most programs do them: a client redirect with fields such
// as Set-Cookie, and "Location: /path" with a 3xx Status, which goes to the
// client as it is (RFC 9110 §10.2.2).
//
// The reader's buffer must hold MaxHeaderLine bytes. It may read one byte
// further than the header, to see whether a document follows.
func ReadResponse(r *bufio.Reader) (*Response, error) {
	resp := &Response{Length: -1}
	var contentType, status string
	read := 0
	for n := 0; ; n++ {
		line, err := headerLine(r)
		if err != nil {
			if err == io.EOF && read == 0 {
				return nil, ErrEmpty
			}
			return nil, fmt.Errorf("CGI header, line %d: %w", n+1, unexpected(err))
		}
		if read += len(line) + 1; read > MaxHeader || n > MaxHeaderCount {
			return nil, fmt.Errorf("CGI header: longer than %d bytes or %d fields", MaxHeader, MaxHeaderCount)
		}
		if line == "" {
			break
		}
		f, err := parseField(line)
		if err != nil {
			return nil, fmt.Errorf("CGI header, line %d: %w", n+1, err)
		}
		switch f.Name {
		case "Status":
			err = once(&status, f)
		case "Location":
			err = once(&resp.Location, f)
		case "Content-Type":
			err = once(&contentType, f)
		case "Content-Length":
			err = resp.setLength(f.Value)
		default:
			// An answer of 426 has to have its Upgrade field (RFC 9110 section 15.5.22).
			if (!app.HopByHop(f.Name) || f.Name == "Upgrade") && !strings.HasPrefix(f.Name, "X-Cgi-") {
				resp.Header = append(resp.Header, f)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("CGI header, line %d: %w", n+1, err)
		}
	}
	return resp, resp.settle(r, contentType, status)
}

// settle decides what kind of response it is.
func (resp *Response) settle(r *bufio.Reader, contentType, status string) error {
	if contentType == "" && status == "" && resp.Location == "" {
		return errors.New("CGI header: none of Content-Type, Location and Status (RFC 3875 §6.2)")
	}
	if status != "" {
		if err := resp.setStatus(status); err != nil {
			return fmt.Errorf("CGI header: %w", err)
		}
	}
	local := strings.HasPrefix(resp.Location, "/")
	others := contentType != "" || len(resp.Header) > 0 || resp.Length > 0
	switch {
	case resp.Location == "":
		resp.Kind = Document
		if resp.Status == 0 {
			resp.Status = 200
		}
	case local && status == "":
		resp.Kind = LocalRedirect
		if others {
			return errors.New("CGI header: a local redirect has the Location field alone (RFC 3875 §6.2.2)")
		}
		if _, err := url.ParseRequestURI(resp.Location); err != nil {
			return fmt.Errorf("CGI header: Location: %w", err)
		}
	default:
		resp.Kind = ClientRedirect
		if err := resp.clientRedirect(contentType, local); err != nil {
			return fmt.Errorf("CGI header: %w", err)
		}
		resp.Header = append([]app.Field{{Name: "Location", Value: resp.Location}}, resp.Header...)
	}
	if contentType != "" {
		resp.Header = append([]app.Field{{Name: "Content-Type", Value: contentType}}, resp.Header...)
		return nil
	}
	if _, err := r.Peek(1); err == nil {
		return errors.New("CGI header: a document without a Content-Type (RFC 3875 §6.3.1), or text after a redirect")
	} else if err != io.EOF {
		return fmt.Errorf("after the CGI header: %w", err)
	}
	return nil
}

func (resp *Response) clientRedirect(contentType string, local bool) error {
	if !local {
		u, err := url.Parse(resp.Location)
		if err != nil || u.Scheme == "" {
			return fmt.Errorf("location %q is neither an absolute URI nor a path that starts with /", resp.Location)
		}
	}
	if resp.Status == 0 {
		if contentType != "" {
			return errors.New("a redirect with a document needs a Status (RFC 3875 §6.2.4)")
		}
		resp.Status = 302
	}
	if local && resp.Status/100 != 3 {
		return fmt.Errorf("location %q with status %d: a path without a Status is a local redirect, with a 3xx one a client's", resp.Location, resp.Status)
	}
	return nil
}

// headerLine reads a line without its end.
func headerLine(r *bufio.Reader) (string, error) {
	raw, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull || len(raw) > MaxHeaderLine:
		return "", fmt.Errorf("longer than %d bytes", MaxHeaderLine)
	case err == io.EOF && len(raw) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	raw = raw[:len(raw)-1]
	if n := len(raw); n > 0 && raw[n-1] == '\r' {
		raw = raw[:n-1]
	}
	return string(raw), nil
}

func unexpected(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the output ends before the empty line that ends the header")
	}
	return err
}

func parseField(line string) (app.Field, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" {
		return app.Field{}, fmt.Errorf("%.60q is not a header field", line)
	}
	for _, c := range []byte(name) {
		if !token(c) {
			return app.Field{}, fmt.Errorf("field name %.60q: %q is not allowed in it", name, c)
		}
	}
	value = strings.Trim(value, " \t")
	for _, c := range []byte(value) {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return app.Field{}, fmt.Errorf("field %s: control byte %#02x in its value", name, c)
		}
	}
	return app.Field{Name: textproto.CanonicalMIMEHeaderKey(name), Value: value}, nil
}

// token says whether c may stand in a field name (RFC 9110 §5.6.2).
func token(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func once(have *string, f app.Field) error {
	switch {
	case *have != "":
		return fmt.Errorf("field %s appears twice (RFC 3875 §6.3)", f.Name)
	case f.Value == "":
		return fmt.Errorf("field %s has no value", f.Name)
	}
	*have = f.Value
	return nil
}

func (resp *Response) setLength(value string) error {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return fmt.Errorf("content-length %.40q is not a number of bytes", value)
	}
	if resp.Length >= 0 {
		return errors.New("field Content-Length appears twice")
	}
	resp.Length = int64(n)
	return nil
}

// setStatus takes "404 Not Found"; three digits, the phrase may be missing. A
// program answers once, so 1xx is not for it.
func (resp *Response) setStatus(value string) error {
	code, reason, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || n < 200 || n > 599 {
		return fmt.Errorf("status %.40q: expected three digits from 200 to 599 and a phrase", value)
	}
	resp.Status, resp.Reason = int(n), reason
	return nil
}
