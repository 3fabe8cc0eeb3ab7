package asgi

import "strconv"

// httpRules are those of an http scope.
type httpRules struct {
	scope        *Scope
	whole        bool // the body has been received
	disconnected bool
	started      bool
	complete     bool
	bodyless     bool  // the response has none whatever is sent
	length       int64 // of the body, promised; -1: nothing was
	size         int64 // sent
}

func (h *httpRules) receives() *RuleError { return nil }

func (h *httpRules) received(e Event) *RuleError {
	switch e := e.(type) {
	case *HTTPRequest:
		if h.disconnected {
			return byServer(DisconnectLast, "http.request came after http.disconnect")
		}
		if h.whole {
			return byServer(RequestLast, "another http.request came after the last")
		}
		h.whole = !e.MoreBody
	case *HTTPDisconnect:
		h.disconnected = true
	default:
		return byServer(ReceiveProtocol, "%s came in an http scope", e.EventType())
	}
	return nil
}

func (h *httpRules) sends(e Event) *RuleError {
	switch e := e.(type) {
	case nil:
		return byApplication(SendProtocol, "nil was sent instead of an event")
	case *HTTPResponseStart:
		return h.start(e)
	case *HTTPResponseBody:
		return h.body(e)
	default:
		return byApplication(SendProtocol, "%s was sent in an http scope", e.EventType())
	}
}

func (h *httpRules) start(e *HTTPResponseStart) *RuleError {
	switch {
	case h.complete:
		return byApplication(BodyLast, "http.response.start was sent after the last http.response.body")
	case h.started:
		return byApplication(StartFirst, "http.response.start was sent twice")
	case e.Status < 200 || e.Status > 599:
		return byApplication(StartStatus, "%d", e.Status)
	case e.Trailers:
		return byApplication(StartTrailers, "this server has no http.response.trailers")
	}
	if why := badHeaders(e.Headers); why != "" {
		return byApplication(StartHeaders, "%s", why)
	}
	for _, f := range e.Headers {
		if f.Name != "content-length" {
			continue
		}
		n, err := strconv.ParseUint(f.Value, 10, 63)
		if err != nil || h.length >= 0 {
			return byApplication(BodyLength, "content-length %q is no number of bytes, or not the only one", f.Value)
		}
		h.length = int64(n)
	}
	h.bodyless = h.scope.Method == "HEAD" || e.Status == 204 || e.Status == 304
	return nil
}

func (h *httpRules) body(e *HTTPResponseBody) *RuleError {
	switch {
	case h.complete:
		return byApplication(BodyLast, "http.response.body was sent after the last")
	case !h.started && !h.disconnected:
		return byApplication(StartFirst, "http.response.body was sent before http.response.start")
	case h.bodyless || h.length < 0:
		return nil
	}
	size := h.size + int64(len(e.Body))
	if size > h.length || !e.MoreBody && size < h.length {
		return byApplication(BodyLength, "content-length is %d, and with this piece the body has %d bytes", h.length, size)
	}
	return nil
}

func (h *httpRules) sent(e Event) {
	switch e := e.(type) {
	case *HTTPResponseStart:
		h.started = true
	case *HTTPResponseBody:
		h.size += int64(len(e.Body))
		h.complete = !e.MoreBody
	}
}

func (h *httpRules) left() { h.disconnected = true }

// gone: with the response complete, http.disconnect says only that.
func (h *httpRules) gone() bool { return h.disconnected && !h.complete }

func (h *httpRules) returned(err error) *RuleError {
	if err == nil && !h.complete && !h.disconnected {
		return byApplication(BodyComplete, "it returned without the last http.response.body")
	}
	return nil
}
