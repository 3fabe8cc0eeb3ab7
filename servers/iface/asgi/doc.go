/*
Package asgi is ASGI 3.0, the calling convention between asynchronous servers
and applications, in Go: an application is called once for each request,
WebSocket or server, is told what it is about by a Scope, and from then on
receives and sends events. What Python's version says in dictionaries is said
here in types; the events and keys are the same ones under the same names, so
that the specification can be read beside this package.

	https://asgi.readthedocs.io/en/latest/specs/main.html      3.0
	https://asgi.readthedocs.io/en/latest/specs/www.html       2.5
	https://asgi.readthedocs.io/en/latest/specs/lifespan.html  2.0

# What is what

	async def app(scope, receive, send)   App
	scope["type"], scope["path"] …        Scope.Type, Scope.Path …
	{"type": "http.request", …}           *HTTPRequest, whose EventType says the same
	byte string, Unicode string           string and []byte: Go's are bytes, and text if
	                                      they are UTF-8
	None for a byte string                nil; an empty one is not nil
	await receive(), await send(…)        a call that blocks the goroutine; or, on an event
	                                      loop, suspends the coroutine
	asyncio's running loop                Scope.Loop, nil where there is none
	a cancelled task                      the context's end
	raising an exception                  returning an error
	OSError from send()                   an error that is ErrDisconnected

# What differs

Receive and Send are called by the application's own goroutine and one at a
time; what needs to know of a client that leaves while it does something else
looks at the context, which ends with the connection. Events and what they hold
are borrowed: one that was received is valid until the next Receive or until the
application returns, one that is sent belongs to the application again when Send
returns. So neither side has to allocate memory for an event.

A path whose bytes are no UTF-8 stays as it is, where Python has a replacement
character. Scope.State is nil where the lifespan has left it empty.

# The server's side

Exchange is one request as servers need it: body in, response out, the order of
events, and what is to be done when an application fails. Lifespan is start-up
and shutdown. Check puts the specification's rules, as errors that name them,
between a server and an application, and says which of the two has broken one.
*/
package asgi
