package wsgi

import "fmt"

// A Side is one of the two that PEP 3333 has rules for.
type Side string

// The sides.
const (
	TheServer      Side = "server"
	TheApplication Side = "application"
)

// A Rule is what Check checks, and who is to keep it.
type Rule struct {
	Name string
	By   Side
	Says string // with the place where it stands
}

// Names of the rules.
const (
	EnvironRequired  = "environ-required"
	EnvironNames     = "environ-names"
	EnvironContent   = "environ-content"
	EnvironVersion   = "environ-version"
	EnvironScheme    = "environ-scheme"
	EnvironPath      = "environ-path"
	EnvironLength    = "environ-length"
	EnvironStreams   = "environ-streams"
	StartCallable    = "start-callable"
	InputEnds        = "input-ends"
	WriteReturned    = "write-returned"
	ExcInfoRaised    = "exc-info-raised"
	ReadAfterClose   = "read-after-close"
	CloseCalled      = "close-called"
	StatusForm       = "status-form"
	HeaderName       = "header-name"
	HeaderStatus     = "header-status"
	HeaderValue      = "header-value"
	HeaderHopByHop   = "header-hop-by-hop"
	ContentType      = "content-type"
	ContentTypeNone  = "content-type-none"
	LengthForm       = "length-form"
	LengthKept       = "length-kept"
	StartOnce        = "start-once"
	StartFirst       = "start-first"
	ExcInfoPassed    = "exc-info-passed"
	IterableReturned = "iterable-returned"
	WriteInTime      = "write-in-time"
	InputOpen        = "input-open"
	ErrorsOpen       = "errors-open"
	ErrorsText       = "errors-text"
)

// Rules are all that Check holds the two sides to. Validate is Python's
// wsgiref.validate, which asks for a little more than PEP 3333 does.
func Rules() []Rule {
	const env, start, errs, buffering = "PEP 3333, environ Variables", "PEP 3333, The start_response() Callable",
		"PEP 3333, Error Handling", "PEP 3333, Buffering and Streaming"
	return []Rule{
		{EnvironRequired, TheServer, "REQUEST_METHOD, SERVER_NAME, SERVER_PORT and SERVER_PROTOCOL are set and not empty (" + env + ")"},
		{EnvironNames, TheServer, "a variable is there once, its name without a dot, which is for extensions (" + env + ")"},
		{EnvironContent, TheServer, "CONTENT_TYPE and CONTENT_LENGTH have no HTTP_ before them (validate)"},
		{EnvironVersion, TheServer, "wsgi.version is (1, 0) (" + env + ")"},
		{EnvironScheme, TheServer, "wsgi.url_scheme is http or https (validate)"},
		{EnvironPath, TheServer, "SCRIPT_NAME and PATH_INFO are empty or start with /, one is set, SCRIPT_NAME is not / (" + env + ")"},
		{EnvironLength, TheServer, "CONTENT_LENGTH is empty, absent or a number of bytes (" + env + ")"},
		{EnvironStreams, TheServer, "wsgi.input and wsgi.errors are there (" + env + ")"},
		{StartCallable, TheServer, "start_response can be called (PEP 3333, Specification Details)"},
		{InputEnds, TheServer, "reading beyond CONTENT_LENGTH looks like the end of the file (PEP 3333, Input and Error Streams)"},
		{WriteReturned, TheServer, "start_response returns write or raises (" + start + ")"},
		{ExcInfoRaised, TheServer, "start_response raises exc_info once headers have been sent (" + errs + ")"},
		{ReadAfterClose, TheServer, "the iterable is not asked for more when it has been closed (validate)"},
		{CloseCalled, TheServer, "the iterable's close() is called, however the request has ended (PEP 3333, Specification Details)"},
		{StatusForm, TheApplication, "the status is three digits, a space and a phrase without control characters (" + start + ")"},
		{HeaderName, TheApplication, "a header's name starts with a letter, has letters, digits, - and _, and ends in neither of the two (validate)"},
		{HeaderStatus, TheApplication, "there is no header Status, which is CGI's (validate)"},
		{HeaderValue, TheApplication, "a header's value has no control characters (" + start + ")"},
		{HeaderHopByHop, TheApplication, "there are no hop-by-hop headers (PEP 3333, Other HTTP Features)"},
		{ContentType, TheApplication, "an answer has a Content-Type unless it is 204 or 304 (validate)"},
		{ContentTypeNone, TheApplication, "an answer of 204 or 304 has no Content-Type (validate)"},
		{LengthForm, TheApplication, "Content-Length is there once at most, and a number of bytes (RFC 9110, section 8.6)"},
		{LengthKept, TheApplication, "the body is as long as its Content-Length (PEP 3333, Handling the Content-Length Header)"},
		{StartOnce, TheApplication, "start_response is called again only with exc_info (" + start + ")"},
		{StartFirst, TheApplication, "start_response is called before the first block that isn't empty is yielded or written (" + start + ")"},
		{ExcInfoPassed, TheApplication, "what start_response raises for exc_info is not trapped (" + errs + ")"},
		{IterableReturned, TheApplication, "an iterable is returned, be it empty (PEP 3333, Specification Details)"},
		{WriteInTime, TheApplication, "write() is not called from the iterable (" + buffering + ")"},
		{InputOpen, TheApplication, "wsgi.input is not closed (PEP 3333, Input and Error Streams)"},
		{ErrorsOpen, TheApplication, "wsgi.errors is not closed (PEP 3333, Input and Error Streams)"},
		{ErrorsText, TheApplication, "what is written to wsgi.errors is text (PEP 3333, Input and Error Streams)"},
	}
}

// A ViolationError is one broken rule.
type ViolationError struct {
	Rule   Rule
	Detail string
}

func (v *ViolationError) Error() string {
	return fmt.Sprintf("wsgi: the %s breaks the rule %s: %s; it did: %s", v.Rule.By, v.Rule.Name, v.Rule.Says, v.Detail)
}

func violation(name, format string, args ...any) *ViolationError {
	for _, r := range Rules() {
		if r.Name == name {
			return &ViolationError{r, fmt.Sprintf(format, args...)}
		}
	}
	panic("wsgi: no rule is called " + name)
}
