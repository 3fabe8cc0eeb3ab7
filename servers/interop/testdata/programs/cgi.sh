#!/bin/sh
# The application's twin as a CGI program in shell, for what interop asks.
LC_ALL=C
export LC_ALL
newline='
'

# param KEY DEFAULT prints the first value of a key in the query.
param() {
	value=$(printf %s "$QUERY_STRING" | tr '&' '\n' | sed -n "s/^$1=//p" | head -n 1)
	printf %s "${value:-$2}"
}

# text STATUS TEXT [FIELD] answers.
text() {
	[ "$1" = '200 OK' ] || echo "Status: $1"
	[ -z "$3" ] || echo "$3"
	echo 'Content-Type: text/plain; charset=utf-8'
	echo "Content-Length: $((${#2} + 1))"
	echo
	[ "$REQUEST_METHOD" = HEAD ] || printf '%s\n' "$2"
}

# allow METHOD… ends with 405 unless the request's method is among them.
allow() {
	for method; do
		[ "$method" != "$REQUEST_METHOD" ] || return 0
	done
	methods=$(echo "$*" | sed 's/ /, /g')
	text '405 Method Not Allowed' "405 method not allowed: use $methods" "Allow: $methods"
	exit
}

# pause MILLISECONDS
pause() { sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }

# sum BYTES is the digest of the body's first ones.
sum() { head -c "$1" | sha256sum | cut -d ' ' -f 1; }

# fields prints the request's header as /echo shows it.
fields() {
	{
		[ -z "$CONTENT_TYPE" ] || printf 'HTTP_CONTENT_TYPE=%s\n' "$CONTENT_TYPE"
		env | grep '^HTTP_'
	} | awk '{
		at = index($0, "=")
		name = substr($0, 6, at - 6)
		value = substr($0, at + 1)
		if (name ~ /^(HOST|CONTENT_LENGTH|EXPECT|AUTHORIZATION|PROXY_AUTHORIZATION|PROXY|CONNECTION|KEEP_ALIVE|PROXY_CONNECTION|TE|TRAILER|TRANSFER_ENCODING|UPGRADE)$/)
			next
		n = split(name, words, "_")
		name = ""
		for (i = 1; i <= n; i++)
			name = name (i > 1 ? "-" : "") substr(words[i], 1, 1) tolower(substr(words[i], 2))
		gsub(/%/, "%25", value)
		print "header " name ": " value
	}' | sort
}

case $SCRIPT_NAME$PATH_INFO in
/hello)
	allow GET HEAD
	text '200 OK' hello
	;;
/echo)
	shown=$(fields)
	text '200 OK' "method $REQUEST_METHOD
path /echo
query $QUERY_STRING
${shown:+$shown$newline}body ${CONTENT_LENGTH:-0}
sha256 $(sum "${CONTENT_LENGTH:-0}")"
	;;
/upload)
	allow POST PUT
	n=$(param first "${CONTENT_LENGTH:-0}")
	text '200 OK' "bytes $n
sha256 $(sum "$n")"
	;;
/bytes)
	n=$(param n 1024)
	every=$(param every 0)
	wide=$(param head 0)
	[ "$wide" = 0 ] || printf 'X-Head: %s\n' "$(head -c "$wide" /dev/zero | tr '\0' x)"
	echo "Content-Type: application/octet-stream
Content-Length: $n
"
	while :; do
		block=$n
		[ "$every" = 0 ] || [ "$n" -le 32768 ] || block=32768
		yes abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789- | head -c "$block" || exit
		n=$((n - block))
		[ "$n" -gt 0 ] || break
		pause "$every"
	done
	;;
/stream)
	chunks=$(param chunks 5)
	every=$(param every 100)
	echo 'Content-Type: text/plain; charset=utf-8
'
	i=1
	while [ "$i" -le "$chunks" ]; do
		echo "chunk $i of $chunks" || exit
		[ "$every" = 0 ] || pause "$every"
		i=$((i + 1))
	done
	;;
*)
	text '404 Not Found' '404 not found: / lists the routes'
	;;
esac
