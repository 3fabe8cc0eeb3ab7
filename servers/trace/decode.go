package trace

import (
	"cmp"
	"slices"

	"gatewaylab/servers"
)

// decode cuts every hop's streams into messages.
func (t *Trace) decode() {
	for i := range t.Hops {
		t.Hops[i].decode()
	}
}

func (h *Hop) decode() {
	switch h.Kind {
	case Call: // its messages are there
	case Process:
		for i := range h.Streams {
			s := &h.Streams[i]
			h.Messages = append(h.Messages, s.timed(decodeProgram(s))...)
		}
	case Socket:
		request, response := &h.Streams[0], &h.Streams[1]
		forward, backward := decodeSocket(h.Protocol, request.Bytes, response.Bytes)
		h.Messages = slices.Concat(request.timed(forward), response.timed(backward))
	}
	slices.SortStableFunc(h.Messages, func(a, b Message) int { return cmp.Compare(a.At, b.At) })
}

func decodeProgram(s *Stream) []Message {
	switch s.Name {
	case "environment":
		return decodeEnvironment(s.Bytes)
	case "stdin":
		return decodeBody(s.Bytes, "stdin", "the request's body, CONTENT_LENGTH bytes of it (RFC 3875 §4.2)")
	case "stdout":
		return decodeCGI(s.Bytes)
	}
	return decodeBody(s.Bytes, s.Name, "for the server's log")
}

// decodeSocket cuts both ways of a connection.
func decodeSocket(protocol string, request, response []byte) (forward, backward []Message) {
	switch protocol {
	case servers.WireHTTP:
		forward, asked := decodeRequests(request)
		return forward, decodeResponses(response, asked)
	case servers.WireFastCGI:
		return decodeFastCGI(request), decodeFastCGI(response)
	case servers.WireSCGI:
		return decodeSCGI(request), decodeCGI(response)
	case servers.WireUWSGI:
		return decodeUWSGI(request), decodeCGI(response)
	}
	return decodeBody(request, "request", ""), decodeBody(response, "response", "")
}
