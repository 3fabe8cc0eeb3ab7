/*
# The answers

Byte for byte, so that twins in other languages can be held against this one.
Lines end in "\n". A text answer has the fields Content-Type: text/plain;
charset=utf-8 and Content-Length, and no others unless said. HEAD gets the
fields of GET and no body.

	GET /            one line for each route
	GET /hello       hello
	GET /wait?ms=50  waited 50 ms
	GET /cpu?units=50
	                 units 50
	                 sha256 HEX           what Work returns
	GET /mixed?ms=50&units=50
	                 waited 50 ms
	                 units 50
	                 sha256 HEX
	GET /locked?wait=40&hold=10
	                 waited 40 ms         first, beside all others
	                 held 10 ms           then, with the server's one lock
	GET /block?ms=200
	                 blocked 200 ms       its thread held in the kernel, or one
	                                      of a pool if the server has one
	GET /upstream?timeout=1000
	                 upstream says done   what another service answered
	GET /db?op=select&key=1
	                 key 1
	                 name 0005deece678
	                 number 427799
	                 updates 0            how many /db?op=update there were
	GET /db?op=update&key=1&hold=0
	                 updated 1
	GET /db?op=slow&ms=20&rows=0
	                 waited 20 ms
	                 read 0 rows
	                 sum 0                of the numbers in the first rows
	ANY /echo        method GET
	                 path /echo
	                 query a=1&b=2        "query " where there is none
	                 header NAME: VALUE   one line for each name, sorted
	                 body 12              bytes
	                 sha256 HEX           of the body
	POST, PUT /upload?first=0
	                 bytes 12
	                 sha256 HEX           with first, of the first so many bytes,
	                                      as soon as they are there
	GET /stream?chunks=5&every=100
	                 chunk 1 of 5         … each line flushed, a pause between
	                                      two; no Content-Length
	GET /bytes?n=1024&every=0
	                 n bytes, byte i being Pattern[i%64]; the type is
	                 application/octet-stream. With every, each 32 KiB are
	                 flushed, and there is a pause before the next. With
	                 head=N there is a field X-Head of N times x
	GET /static/NAME a file; /static/ is /static/index.html
	GET /ws          a WebSocket (RFC 6455) where the server can make one of the
	                 connection: each message, text or binary, of up to 1 MiB
	                 is sent back as it came. Where it can't, or wasn't asked:
	                 426 upgrade required: WebSocket is spoken here, where the
	                 server can           one line, with Upgrade: websocket
	GET /crash       no answer: the process writes "app: crash was asked for"
	                 to stderr and exits with CrashStatus
	GET /hang        no answer, ever
	GET /leak?mib=1  kept 1 MiB           of memory, written to once

An absent parameter has the value shown. Of a repeated one the first counts,
an unknown one is ignored, nothing in a query is percent-decoded. The unit of
every is the millisecond; "100ms" means the same as "100".

/echo leaves out what differs from one way of carrying a request to another,
and not from one request to another: Host, Content-Length, Expect, the
hop-by-hop fields, what CGI withholds (Authorization, Proxy-Authorization,
Proxy), what a proxy says of itself and its client (Forwarded, Via,
X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Real-Ip) and names that
a CGI variable can't carry (anything but letters, digits and "-"). Names are in canonical form (X-Request-Id); values of a repeated name
are joined with ", ", those of Cookie with "; ". In path, query and values the
bytes below 0x20, 0x7f and "%" … are written as %XX, so that no value can forge
a line; in query "%" stands as it is, since a raw query is escaped already.

The lock of /locked is one for all processes of a server, CGI's children too:
flock(2) on the file that the environment variable GATEWAYLAB_LOCK names, which
whoever takes the lock opens for himself, since a descriptor that was inherited
shares its lock with those who have inherited it too. Where processes serve
several requests at a time, those queue for a lock within the process first, in
the order in which they came, so that only one stands in the kernel's queue. A
holder that dies gives the lock back. Without the variable, or where there is no
flock(2), the lock is one within the process.

/wait, /mixed, /locked, /stream and /hang wait without a thread wherever the
server can do with one for many requests: their waiting is for something that
tells when it is there. /block is the other kind: a driver or a library that
was written for a thread for each request. On an event loop it stops the world,
as computing does (/cpu, /mixed), unless there is a pool to hand both to.

/upstream makes a call over HTTP, GET /, to the service whose IPv4 address and
port the environment variable GATEWAYLAB_UPSTREAM holds, and takes its answer
of up to 64 KiB for the rest of the line. Connections are kept, at most 512 idle
ones in a process. The call is made once, and goes on if the client leaves,
except on an event loop. Whatever goes wrong with it is answered for as a gateway
does:

	501 not implemented: there is no upstream; lab starts one with --upstream 100ms
	502 bad gateway: the upstream can't be reached
	502 bad gateway: the upstream closed the connection in place of an answer
	502 bad gateway: the upstream answered what is no HTTP
	502 bad gateway: the upstream answered 503       or another status than 200
	504 gateway timeout: no answer from the upstream within 1000 ms

Where a request has a thread the call blocks it; a goroutine waits in the
runtime's poller, and a request on an event loop in that loop's, never in a
pool.

/db asks the database that the environment variable GATEWAYLAB_DB names: the
path of a file of SQLite's, or the URL of a database of PostgreSQL's. Its table
has a million rows, with the keys 1 to 1000000. select reads a row by its key;
update counts an update of one, in a transaction that stays open for hold ms, as
one does in which there is something else to be done; slow is a query that waits
for ms, in the database, and sums the numbers of the first rows. Each takes one
of the process's connections for as long as it lasts, of which there are at most
as many as GATEWAYLAB_DB_POOL says (8 without it); who finds none free waits for
one, in the order in which all came. A connection is opened when it is first
needed; a program that is started for each request opens one each time. Where
each request has a thread the driver blocks it; on an event loop there is an
asynchronous one. SQLite is asked for a lock for 5 s at the most.
No driver speaks to either database from Perl, C and the shell here.

	501 not implemented: there is no database; lab brings one with --db sqlite
	501 not implemented: this program was built without a driver; …    and other reasons why this one can't
	503 service unavailable: the database is busy    a lock that was not had in time, or too many connections
	500 internal server error: the database: …       anything else

Where the environment variable GATEWAYLAB_SLOW is set to a whole number n from
1 to 100, whatever waits, waits n times as long as it says (the lock is held for
that long too): so that one of several back ends can be a slow one.

Faults are looked for in this order:

	404 not found: / lists the routes
	405 method not allowed: use GET, HEAD         with the field Allow: GET, HEAD
	400 bad request: ms=soon: expected a whole number from 0 to 600000
	500 internal server error: the lock: …        if its file can't be opened

The value in a 400 is cut to 40 bytes and escaped as a path is.
*/
package app
