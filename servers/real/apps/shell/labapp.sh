#!/bin/sh
# The application of servers/app as a shell script, for CGI (RFC 3875): the same
# answers, byte for byte, with what a system has: head, sed, sha256sum, flock.
# Each of these is a process; a unit of /cpu is ninety of them and takes a
# hundred times as long as elsewhere.
LC_ALL=C
export LC_ALL
set -f

text='text/plain; charset=utf-8'
pattern='abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-'
files=${0%/*}/../static
method=$REQUEST_METHOD
path=$PATH_INFO
query=$QUERY_STRING

start() { # STATUS [FIELD…]
	printf 'Status: %s\r\n' "$1"
	shift
	for field; do printf '%s\r\n' "$field"; done
	printf '\r\n'
}

content() { # STATUS KIND FILE
	start "$1" "Content-Type: $2" "Content-Length: $(($(wc -c <"$3")))"
	[ "$method" = HEAD ] || cat "$3"
}

say() { # STATUS BODY [FIELD…]: BODY without its last newline
	status=$1 body=$2
	shift 2
	start "$status" "Content-Type: $text" "Content-Length: $((${#body} + 1))" "$@"
	[ "$method" = HEAD ] || printf '%s\n' "$body"
}

not_found() { say '404 Not Found' '404 not found: / lists the routes'; }

only() { # METHOD…
	for m; do [ "$m" = "$method" ] && return; done
	list=$*
	list=$(printf '%s' "$list" | sed 's/ /, /g')
	say '405 Method Not Allowed' "405 method not allowed: use $list" "Allow: $list"
	exit
}

# Control bytes and % as %XX; with any argument % stays as it is.
escape() {
	if [ $# = 0 ]; then sed 's/%/%25/g'; else cat; fi | sed -n '
		s/\x01/%01/g;s/\x02/%02/g;s/\x03/%03/g;s/\x04/%04/g;s/\x05/%05/g;s/\x06/%06/g;s/\x07/%07/g;s/\x08/%08/g
		s/\x09/%09/g;s/\x0b/%0B/g;s/\x0c/%0C/g;s/\r/%0D/g;s/\x0e/%0E/g;s/\x0f/%0F/g;s/\x10/%10/g;s/\x11/%11/g
		s/\x12/%12/g;s/\x13/%13/g;s/\x14/%14/g;s/\x15/%15/g;s/\x16/%16/g;s/\x17/%17/g;s/\x18/%18/g;s/\x19/%19/g
		s/\x1a/%1A/g;s/\x1b/%1B/g;s/\x1c/%1C/g;s/\x1d/%1D/g;s/\x1e/%1E/g;s/\x1f/%1F/g;s/\x7f/%7F/g;H
		${x;s/^\n//;s/\n/%0A/g;p}'
}

escaped() { # WORD [keep %]
	case $1 in
	*[![:print:]]* | *%*) printf '%s' "$1" | escape $2 ;;
	*) printf '%s\n' "$1" ;;
	esac
}

number() { # VARIABLE KEY ABSENT LOW HIGH [SUFFIX EXPECTS]
	raw=$3 found=
	rest=$query\&
	while [ "$rest" ]; do
		pair=${rest%%&*} rest=${rest#*&}
		if [ "${pair%%=*}" = "$2" ]; then
			case $pair in *=*) raw=${pair#*=} ;; *) raw= ;; esac
			found=1
			break
		fi
	done
	digits=${raw%$6}
	case $digits in
	'' | *[!0-9]* | ??????????*) ;;
	*)
		digits=${digits#"${digits%%[!0]*}"}
		digits=${digits:-0}
		if [ ! "$found" ] || { [ "$digits" -ge "$4" ] && [ "$digits" -le "$5" ]; }; then
			eval "$1=\$digits"
			return
		fi
		;;
	esac
	say '400 Bad Request' "400 bad request: $2=$(escaped "$(printf '%.40s' "$raw")"): expected $7a whole number from $4 to $5"
	exit
}

pause() { # MILLISECONDS
	n=$(($1 * ${GATEWAYLAB_SLOW:-1}))
	[ "$n" = 0 ] || sleep "$((n / 1000)).$(printf %03d $((n % 1000)))"
}

# A fixed amount of computing: see Work in servers/app/work.go. A shell has no
# zero bytes, so the message goes as printf has it.
worked() { # UNITS
	sum=0000000000000000000000000000000000000000000000000000000000000000
	zeros=$(printf '%01952d' 0 | sed 's/0/\\000/g')
	i=$(($1 * 90))
	while [ $i -gt 0 ]; do
		rest=$sum message=
		while [ "$rest" ]; do
			two=${rest%"${rest#??}"} rest=${rest#??}
			byte=$((0x$two))
			message="$message\\$((byte / 64))$((byte / 8 % 8))$((byte % 8))"
		done
		sum=$(printf "$message$zeros" | sha256sum)
		sum=${sum%% *}
		i=$((i - 1))
	done
	printf 'units %s\nsha256 %s' "$1" "$sum"
}

# Sets size and sum, of the first bytes of the body unless FIRST is 0. Apache
# hands a chunked body on without its length, and closes it; to be counted it has
# to be kept.
digest() { # FIRST
	size=${CONTENT_LENGTH:-0}
	[ "$1" = 0 ] || [ "$1" -gt "$size" ] || size=$1
	if [ "$CONTENT_LENGTH" ] || [ ! "$HTTP_TRANSFER_ENCODING" ]; then
		sum=$(head -c "$size" | sha256sum)
	else
		kept=$(mktemp)
		if [ "$1" = 0 ]; then cat; else head -c "$1"; fi >"$kept"
		size=$(($(wc -c <"$kept")))
		sum=$(sha256sum <"$kept")
		rm -f "$kept"
	fi
	sum=${sum%% *}
}

echo_() {
	digest 0
	header=$(env -0 | tr '\n\0' '\001\n' | sed -n '
		/^CONTENT_TYPE=./s/^/HTTP_/
		s/^HTTP_\([^=]*\)=/\1\t/p' | while IFS= read -r line; do
		name=$(printf '%s' "${line%%	*}" | sed 's/.*/\L&/;s/_/-/g;s/\(^\|-\)\([a-z]\)/\1\u\2/g')
		case $name in
		Host | Content-Length | Expect | Authorization | Proxy-Authorization | Proxy | Forwarded | Via | X-Forwarded-For | \
			X-Forwarded-Host | X-Forwarded-Proto | X-Real-Ip | Connection | Keep-Alive | Proxy-Connection | Te | Trailer | \
			Transfer-Encoding | Upgrade | *[!A-Za-z0-9-]*) continue ;;
		esac
		printf '%s\t%s\n' "$name" "$(escaped "${line#*	}")"
	done | sort -t '	' -k 1,1 | sed 's/\t/: /;s/^/header /')
	say '200 OK' "method $(escaped "$method")
path $(escaped "$path")
query $(escaped "$query" keep)
${header:+$header
}body $size
sha256 $sum"
}

case $path in
/)
	only GET HEAD
	content '200 OK' "$text" "$files/index.txt"
	;;
/hello)
	only GET HEAD
	say '200 OK' hello
	;;
/wait)
	only GET HEAD
	number ms ms 50 0 600000
	pause "$ms"
	say '200 OK' "waited $ms ms"
	;;
/cpu)
	only GET HEAD
	number units units 50 0 100000
	say '200 OK' "$(worked "$units")"
	;;
/mixed)
	only GET HEAD
	number ms ms 50 0 600000
	number units units 50 0 100000
	pause "$ms"
	say '200 OK' "waited $ms ms
$(worked "$units")"
	;;
/locked)
	only GET HEAD
	number wait wait 40 0 600000
	number hold hold 10 0 60000
	pause "$wait"
	if [ "$GATEWAYLAB_LOCK" ]; then
		if ! [ -r "$GATEWAYLAB_LOCK" ]; then
			say '500 Internal Server Error' "500 internal server error: the lock: open $GATEWAYLAB_LOCK: no such file or directory"
			exit
		fi
		exec 9<"$GATEWAYLAB_LOCK"
		flock 9
	fi
	pause "$hold" 9>&-
	exec 9>&-
	say '200 OK' "waited $wait ms
held $hold ms"
	;;
/block)
	only GET HEAD
	number ms ms 200 0 60000
	pause "$ms"
	say '200 OK' "blocked $ms ms"
	;;
/upstream)
	only GET HEAD
	number timeout timeout 1000 1 60000
	if [ "$GATEWAYLAB_UPSTREAM" ]; then
		say '501 Not Implemented' '501 not implemented: a shell can open no connection'
	else
		say '501 Not Implemented' '501 not implemented: there is no upstream; lab starts one with --upstream 100ms'
	fi
	;;
/db)
	only GET HEAD
	number key key 1 1 1000000
	number ms ms 20 0 60000
	number rows rows 0 0 1000000
	number hold hold 0 0 60000
	case \&$query\& in
	*\&op=* | *\&op\&*)
		rest=\&$query\&
		while :; do
			rest=${rest#*&} pair=${rest%%&*}
			case $pair in op | op=*) break ;; esac
		done
		op=${pair#op} op=${op#=}
		;;
	*) op=select ;;
	esac
	case $op in
	select | update | slow) ;;
	*)
		say '400 Bad Request' "400 bad request: op=$(escaped "$(printf '%.40s' "$op")"): expected select, update or slow"
		exit
		;;
	esac
	if [ "$GATEWAYLAB_DB" ]; then
		say '501 Not Implemented' '501 not implemented: a shell has no driver of a database'
	else
		say '501 Not Implemented' '501 not implemented: there is no database; lab brings one with --db sqlite'
	fi
	;;
/echo) echo_ ;;
/upload)
	only POST PUT
	number first first 0 0 67108864
	digest "$first"
	say '200 OK' "bytes $size
sha256 $sum"
	;;
/stream)
	only GET HEAD
	number chunks chunks 5 1 100000
	number every every 100 0 60000 ms 'milliseconds, '
	start '200 OK' "Content-Type: $text"
	[ "$method" = HEAD ] && exit
	i=1
	while [ $i -le "$chunks" ]; do
		[ $i = 1 ] || pause "$every"
		echo "chunk $i of $chunks"
		i=$((i + 1))
	done
	;;
/bytes)
	only GET HEAD
	number n n 1024 0 67108864
	size=$n
	number every every 0 0 60000 ms 'milliseconds, '
	number wide head 0 0 1048576
	set --
	[ "$wide" = 0 ] || set -- "X-Head: $(head -c "$wide" /dev/zero | tr '\0' x)"
	start '200 OK' 'Content-Type: application/octet-stream' "Content-Length: $size" "$@"
	[ "$method" = HEAD ] && exit
	while [ "$size" -gt 0 ]; do
		part=$size
		[ "$every" = 0 ] || [ "$part" -le 32768 ] || part=32768
		yes "$pattern" | head -c "$part"
		size=$((size - part))
		[ "$size" = 0 ] || pause "$every"
	done
	;;
/static/ | /static/index.html)
	only GET HEAD
	content '200 OK' 'text/html; charset=utf-8' "$files/index.html"
	;;
/static/style.css)
	only GET HEAD
	content '200 OK' 'text/css; charset=utf-8' "$files/style.css"
	;;
/static/lab.svg)
	only GET HEAD
	content '200 OK' image/svg+xml "$files/lab.svg"
	;;
/static/about.txt)
	only GET HEAD
	content '200 OK' "$text" "$files/about.txt"
	;;
/static/*)
	only GET HEAD
	not_found
	;;
/ws)
	only GET HEAD
	say '426 Upgrade Required' '426 upgrade required: WebSocket is spoken here, where the server can' 'Upgrade: websocket'
	;;
/crash)
	only GET HEAD
	echo 'app: crash was asked for' >&2
	exit 70
	;;
/hang)
	only GET HEAD
	while :; do sleep 3600; done
	;;
/leak)
	only GET HEAD
	number mib mib 1 0 1024
	kept=$(head -c "$((mib << 20))" /dev/zero | tr '\0' x)
	say '200 OK' "kept $mib MiB"
	;;
*) not_found ;;
esac
