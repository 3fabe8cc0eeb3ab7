package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"gatewaylab/servers/trace"
)

// curlFlags are a request in the words of curl(1).
type curlFlags struct {
	method    string
	headers   []string
	data      []datum
	head      bool
	get       bool
	http10    bool
	userAgent string
	user      string
	cookie    string
	referer   string
}

// A datum is one of curl's --data options; they are joined in the order given.
type datum struct {
	flag, text string
}

// A dataFlag is a --data option that adds to the others.
type dataFlag struct {
	name string
	all  *[]datum
}

func (d dataFlag) Set(text string) error {
	*d.all = append(*d.all, datum{d.name, text})
	return nil
}

func (d dataFlag) Type() string   { return "data" }
func (d dataFlag) String() string { return "" }

func (c *curlFlags) add(f *pflag.FlagSet) {
	f.StringVarP(&c.method, "request", "X", "", "method (default GET; POST with data, HEAD with --head)")
	f.StringArrayVarP(&c.headers, "header", "H", nil, `header field "Name: value"; "Name:" leaves one of the client's out, "Name;" sends one without a value; repeat for more`)
	f.VarP(dataFlag{"data", &c.data}, "data", "d", "body of a form, or @FILE without its line ends (@- is stdin); repeated ones are joined with &")
	f.Var(dataFlag{"data-binary", &c.data}, "data-binary", "body as it is, or @FILE as it is")
	f.Var(dataFlag{"data-raw", &c.data}, "data-raw", "body as --data, without a meaning for @")
	f.Var(dataFlag{"json", &c.data}, "json", "body as --data-binary, of type application/json")
	f.BoolVarP(&c.head, "head", "I", false, "ask for the head only")
	f.BoolVarP(&c.get, "get", "G", false, "put the data into the query instead")
	f.BoolVarP(&c.http10, "http1.0", "0", false, "speak HTTP/1.0")
	f.StringVarP(&c.userAgent, "user-agent", "A", "", "User-Agent field")
	f.StringVarP(&c.user, "user", "u", "", "NAME:PASSWORD, sent as Basic credentials")
	f.StringVarP(&c.cookie, "cookie", "b", "", `Cookie field, "name=value; …"`)
	f.StringVarP(&c.referer, "referer", "e", "", "Referer field")
}

// request makes the request for a path.
func (c *curlFlags) request(target string, stdin io.Reader) (trace.Request, error) {
	r := trace.Request{Method: c.method, Target: target, HTTP10: c.http10}
	for _, text := range c.headers {
		h, err := trace.ParseHeader(text)
		if err != nil {
			return r, err
		}
		r.Header = append(r.Header, h)
	}
	body, err := c.body(stdin)
	if err != nil {
		return r, err
	}
	switch {
	case c.head && body != nil && !c.get:
		return r, errors.New("--head has no body: leave the data out, or --get puts it into the query")
	case c.get && body != nil:
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		r.Target += separator + string(body)
	default:
		r.Body = body
	}
	if c.head && r.Method == "" {
		r.Method = "HEAD"
	}
	own := func(name, val string) { // unless the caller has said it with --header
		for _, h := range r.Header {
			if strings.EqualFold(h.Name, name) {
				return
			}
		}
		r.Header = append(r.Header, trace.Header{Name: name, Value: val})
	}
	if c.userAgent != "" {
		own("User-Agent", c.userAgent)
	}
	if c.user != "" {
		own("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.user)))
	}
	if c.cookie != "" {
		own("Cookie", c.cookie)
	}
	if c.referer != "" {
		own("Referer", c.referer)
	}
	if r.Body != nil {
		kind := "application/x-www-form-urlencoded"
		if c.data[0].flag == "json" {
			kind = "application/json"
			own("Accept", kind)
		}
		own("Content-Type", kind)
	}
	return r, nil
}

// body joins the data; nil where there is none.
func (c *curlFlags) body(stdin io.Reader) ([]byte, error) {
	var body []byte
	for i, d := range c.data {
		piece := []byte(d.text)
		if name, file := strings.CutPrefix(d.text, "@"); file && d.flag != "data-raw" {
			var err error
			if name == "-" {
				piece, err = io.ReadAll(stdin)
			} else {
				piece, err = os.ReadFile(name)
			}
			if err != nil {
				return nil, fmt.Errorf("--%s %s: %w", d.flag, d.text, err)
			}
			if d.flag == "data" {
				piece = []byte(strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(string(piece)))
			}
		}
		if i > 0 && d.flag != "json" {
			body = append(body, '&')
		}
		if body = append(body, piece...); body == nil {
			body = []byte{}
		}
	}
	return body, nil
}
