// Package interop holds the lab against programs that nobody here wrote. A
// protocol that both ends of were written by the same hands proves little: a
// wrong reading of the specification fits a wrong reading. So every gateway
// and responder of the lab is put beside a real one: nginx, Apache, lighttpd,
// php-fpm, uWSGI, cgi-fcgi, curl, a browser and a protocol analyser, with
// small applications in Python, PHP, Perl and shell that answer as servers/app
// does.
//
// It is tests only: a table of pairs, a list of checks, and the matrix of the
// two, which is README.md. The run makes the matrix and the test fails where
// the document says something else; `go test ./servers/interop -update`
// writes it. A program that isn't installed is skipped by name, and needed
// where LAB_REQUIRE is set.
package interop
