package app

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

// echo shows the request as it arrived here, which is how one sees what an
// interface does to a request on its way.
func (a *App) echo(w Response, r *Request, _ []int) error {
	n, sum, err := digest(r.Body)
	if err != nil {
		return err
	}
	var b strings.Builder
	line := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(p)
		}
		b.WriteByte('\n')
	}
	line("method ", escape(r.Method, true))
	line("path ", escape(r.Path, true))
	line("query ", escape(r.Query, false))
	for _, f := range Merge(r.Header) {
		if carried(f.Name) {
			line("header ", f.Name, ": ", escape(f.Value, true))
		}
	}
	line("body ", strconv.FormatInt(n, 10))
	line("sha256 ", sum)
	return text(w, 200, b.String())
}

func (a *App) upload(w Response, r *Request, v []int) error {
	body := r.Body
	if v[0] > 0 {
		body = io.LimitReader(body, int64(v[0]))
	}
	n, sum, err := digest(body)
	if err != nil {
		return err
	}
	return text(w, 200, "bytes "+strconv.FormatInt(n, 10)+"\nsha256 "+sum+"\n")
}

// Merge sorts fields by name and joins the values of a name that occurs more
// than once, in their order, as RFC 9110 §5.3 allows and CGI requires: with
// ", ", or "; " for Cookie (RFC 6265 §5.4).
func Merge(fields []Field) []Field { return MergeInPlace(slices.Clone(fields)) }

// MergeInPlace is Merge for fields that are nobody else's. It allocates only
// what it joins.
func MergeInPlace(fields []Field) []Field {
	slices.SortStableFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	merged := fields[:0]
	for i := 0; i < len(fields); {
		same := i + 1
		for same < len(fields) && fields[same].Name == fields[i].Name {
			same++
		}
		f := fields[i]
		if same > i+1 {
			f.Value = joined(fields[i:same])
		}
		merged = append(merged, f)
		i = same
	}
	return merged
}

func joined(fields []Field) string {
	separator := ", "
	if fields[0].Name == "Cookie" {
		separator = "; "
	}
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(f.Value)
	}
	return b.String()
}

// carried says whether every interface hands the field on, unchanged.
func carried(name string) bool {
	switch name {
	case "Host", "Content-Length", // said elsewhere
		"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip": // a proxy's to say
		return false
	}
	return Passed(name)
}

// Passed says whether a server shows the application a request's field, its name
// in canonical form. It doesn't show
//
//   - what is about the connection, and Expect, which the server has dealt with;
//   - Authorization and Proxy-Authorization, which RFC 3875 §4.1.18 withholds
//     because other users of the machine can see a process's environment;
//   - Proxy, because HTTP_PROXY means something else to many programs
//     (CVE-2016-5385, "httpoxy");
//   - names with anything but letters, digits and "-": X_User and X-User would
//     become one variable, and one of them may come from a proxy that checked
//     who is calling. nginx drops them too.
func Passed(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	switch name {
	case "", "Expect", "Authorization", "Proxy-Authorization", "Proxy":
		return false
	}
	return !HopByHop(name)
}

// HopByHop says whether the field, its name in canonical form, is about one
// connection and not about the message (RFC 9110 §7.6.1). What a Connection
// field names in addition is for whoever reads that field.
func HopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// escape writes control bytes and "%" (if it is not one already) as %XX.
func escape(s string, percent bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b []byte
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c == 0x7f || c == '%' && percent {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
			continue
		}
		b = append(b, c)
	}
	return string(b)
}
