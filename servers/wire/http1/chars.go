package http1

// Sets of bytes below 128, as two words of bits.
const (
	// tchar of RFC 9110 §5.6.2: letters, digits and !#$%&'*+-.^_`|~
	tokenLow  = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | digits
	tokenHigh = letters | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)

	// What a Host field may consist of (RFC 9110 §7.2: uri-host [":" port]), but
	// for escapes, which no name of a host on the network has.
	hostLow  = 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' | 1<<':' | 1<<';' | 1<<'=' | digits
	hostHigh = letters | 1<<('['-64) | 1<<(']'-64) | 1<<('_'-64) | 1<<('~'-64)

	digits  = (1<<10 - 1) << '0'
	letters = (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
)

func in(low, high uint64, c byte) bool {
	return c < 64 && low>>c&1 != 0 || c >= 64 && c < 128 && high>>(c-64)&1 != 0
}

func isToken(c byte) bool { return in(tokenLow, tokenHigh, c) }

func isHost(c byte) bool { return in(hostLow, hostHigh, c) }

// isText says whether c may stand in a field's value: everything but control
// bytes, of which the tab may (RFC 9110 §5.5).
func isText(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' }

// isTarget says whether c may stand in a request's target. Bytes above 0x7f
// may not, says RFC 3986, but clients send them, and they have one meaning
// only. "#" may not either, and programs disagree about it.
func isTarget(c byte) bool { return c > ' ' && c != 0x7f && c != '#' }

func all(b []byte, is func(byte) bool) bool {
	for _, c := range b {
		if !is(c) {
			return false
		}
	}
	return true
}

// isSpace says whether c is optional white space: SP or HTAB and nothing else
// (RFC 9110 §5.6.3).
func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// equalFold compares with a lower-case ASCII text.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// canonical writes a field's name as everybody writes it: X-Request-Id.
func canonical(name []byte) {
	upper := true
	for i, c := range name {
		switch {
		case upper && 'a' <= c && c <= 'z':
			name[i] = c - ('a' - 'A')
		case !upper && 'A' <= c && c <= 'Z':
			name[i] = c + ('a' - 'A')
		}
		upper = c == '-'
	}
}

func unhex(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
