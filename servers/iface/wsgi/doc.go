/*
Package wsgi is the Web Server Gateway Interface in Go: the calling convention
of PEP 3333, kept rule for rule, so that who knows one knows the other. The
synchronous server models and the FastCGI, SCGI and uwsgi responders call the
application through it.

	PEP 3333                            here
	application(environ, start_response) App
	environ                             Environ: the CGI variables, and a field for each wsgi.* key
	start_response(status, headers)     StartResponse(status, header, nil)
	… with exc_info                     StartResponse(status, header, err)
	the returned write(data)            Write
	raise                               return an error (a panic counts as one)
	the returned iterable               Iterable, whose Next ends with io.EOF
	len(iterable)                       Sized
	close()                             Iterable.Close, always called
	wsgiref.handlers                    Handler, the server's side, over any Sink
	wsgiref.validate                    Check

What Python's validator has to look at and Go's types hold already: that
environ is a dictionary, that strings are strings and blocks are bytes, that
start_response takes two or three arguments, that input has read and errors has
write. What Go makes easier to get wrong is that an error can be dropped where
an exception would have to be caught: so the Handler remembers what it has
refused, and an application that goes on regardless fails all the same.

# Which way out

An application can hand its answer over by write() or by being iterated over.
PEP 3333 asks for the second, because a generator lets a server do something
else between two blocks. [Application] returns an answer that it has whole as an
iterable of one block, whose length the server then knows, and sends what must
leave before the end (a stream, or more than fits the buffer) by write(). A
coroutine (iter.Pull) around the application, which pushes, would turn that into
a generator too, but it costs a goroutine and two switches for each request,
and buys nothing from servers whose thread has nothing else to do between two
blocks but wait for the next.
*/
package wsgi
