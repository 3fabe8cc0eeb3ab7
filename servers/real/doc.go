/*
Package real runs the servers that nobody here wrote: nginx, Apache, lighttpd,
uWSGI, gunicorn, uvicorn, Hypercorn, Daphne, Werkzeug, Tornado and fcgiwrap. It
finds them, writes the configuration they are started with, and brings the
application along in the languages they run (apps/), which gives the same
answers as package app, byte for byte.

A configuration is what a careful administrator would put into production and
nothing more: no access log, a listen queue as long as the lab's own models
have, limits stated, everything else left as the program has it. It is written
into a folder of its own for each start and goes with it; the lab keeps a copy
with the results.

What differs from the models of this lab is said where it is known: what a
program needs to be told to stop gently, and whether it can take over a socket.
The lab binds the sockets and hands them on as descriptor 3; a program that can
do nothing with that (Apache) binds the address itself, and until then
connections are refused.
*/
package real
