/*
Package wire speaks the protocols between a gateway and an application server:
FastCGI 1.0, SCGI and uwsgi, both ends of each. All three carry what CGI put
into a process's environment, stdin and stdout, over a socket, to a process
that stays:

	           variables             body                 answer         connection
	FastCGI    PARAMS records        STDIN records        STDOUT records kept, shared, or closed
	SCGI       one netstring         as it is, counted    until it ends  closed
	uwsgi      one packet ≤ 64 KiB   as it is, counted    until it ends  closed

The gateway's end is a client: [NewFastCGI], [NewSCGI], [NewUWSGI] return one,
and its Do takes the CGI variables and the body and returns what the responder
says on stdout, a CGI response (RFC 3875 section 6), whatever the protocol. The
responder's end serves a connection that somebody has accepted:
[NewFastCGIResponder] and [NewPacketResponder] one request at a time, on the
caller's thread, so that a synchronous worker stays one; [FastCGIMultiplexer]
several side by side. Below both are the codecs, functions that append to a
slice or parse one, which allocate nothing.

None of the three protocols knows who is asking: whoever reaches such a port
may say of himself what he likes (REMOTE_ADDR, HTTPS, in uwsgi with a real
uWSGI even which file to run). They belong on loopback and Unix sockets.

Input is refused if it has no reading or two; what a peer may send is bounded
before it is kept. What a peer may take its time for is the connection's
business: give it deadlines.

Sources: FastCGI Specification 1.0 (Mark R. Brown, Open Market, 29 April 1996);
SCGI: A Simple Common Gateway Interface alternative (Neil Schemenauer, 12
January 2006); netstrings (D. J. Bernstein, 1997); The uwsgi Protocol, in
uWSGI's documentation.
*/
package wire
