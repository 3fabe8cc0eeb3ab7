/*
 * The application of servers/app in C, as a CGI program (RFC 3875): the same
 * answers, byte for byte. It links nothing but libc, since a program that is
 * started for each request should start fast; for /cpu it loads OpenSSL's
 * SHA-256, which uses the processor's own instructions where it has them, and
 * does without where there is none.
 */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char text[] = "text/plain; charset=utf-8";
static const char read_only[] = "GET, HEAD";
static const char pattern[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-\n";
enum { pattern_size = 64, block_size = 512 * pattern_size, crash_status = 70 };
static const char *method, *path, *query;
static int head;

/* ---- SHA-256 (FIPS 180-4) ---- */

typedef struct { uint32_t h[8]; uint64_t size; unsigned char block[64]; } sha256;

static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void compress(uint32_t h[8], const unsigned char *p) {
	uint32_t w[64], v[8];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
			(rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
			((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
		uint32_t two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
			((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += one;
		v[0] = one + two;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

static void begin(sha256 *s) {
	static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	memcpy(s->h, first, sizeof first);
	s->size = 0;
}

static void add(sha256 *s, const unsigned char *p, size_t n) {
	size_t have = s->size % 64;
	s->size += n;
	if (have > 0) {
		size_t take = n < 64 - have ? n : 64 - have;
		memcpy(s->block + have, p, take);
		p += take, n -= take, have += take;
		if (have < 64)
			return;
		compress(s->h, s->block);
	}
	for (; n >= 64; p += 64, n -= 64)
		compress(s->h, p);
	memcpy(s->block, p, n);
}

static void finish(sha256 *s, unsigned char digest[32]) {
	static const unsigned char padding[64] = {0x80};
	uint64_t bits = s->size * 8;
	unsigned char length[8];
	for (int i = 0; i < 8; i++)
		length[i] = bits >> (56 - 8 * i);
	add(s, padding, 1 + (119 - s->size % 64) % 64);
	add(s, length, 8);
	for (int i = 0; i < 32; i++)
		digest[i] = s->h[i / 4] >> (24 - 8 * (i % 4));
}

static unsigned char *own_sha256(const unsigned char *p, size_t n, unsigned char *digest) {
	sha256 s;
	begin(&s);
	add(&s, p, n);
	finish(&s, digest);
	return digest;
}

/* ---- a string that grows ---- */

typedef struct { char *p; size_t n, cap; } string;

static void append(string *s, const char *p, size_t n) {
	if (s->n + n + 1 > s->cap) {
		s->cap = 2 * (s->n + n + 1);
		s->p = realloc(s->p, s->cap);
		if (!s->p)
			abort();
	}
	memcpy(s->p + s->n, p, n);
	s->n += n;
	s->p[s->n] = 0;
}

static void say(string *s, const char *p) { append(s, p, strlen(p)); }

static void say_number(string *s, long long n) {
	char digits[24];
	snprintf(digits, sizeof digits, "%lld", n);
	say(s, digits);
}

static void say_hex(string *s, const unsigned char *p, size_t n) {
	for (size_t i = 0; i < n; i++) {
		char two[3];
		snprintf(two, sizeof two, "%02x", p[i]);
		append(s, two, 2);
	}
}

/* Control bytes, and "%" if it is not one already, as %XX. */
static void say_escaped(string *s, const char *p, size_t n, int percent) {
	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];
		if (c < 0x20 || c == 0x7f || (c == '%' && percent)) {
			char three[4];
			snprintf(three, sizeof three, "%%%02X", c);
			append(s, three, 3);
		} else {
			append(s, p + i, 1);
		}
	}
}

/* ---- the answer ---- */

static void out(const char *p, size_t n) {
	while (n > 0) {
		ssize_t wrote = write(1, p, n);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			exit(1);
		p += wrote, n -= wrote;
	}
}

static void content(int status, const char *kind, const char *body, size_t n, const char *more) {
	string s = {0};
	const char *reason = status == 200 ? "OK" : status == 400 ? "Bad Request" : status == 404 ? "Not Found" :
		status == 405 ? "Method Not Allowed" : status == 426 ? "Upgrade Required" : status == 501 ? "Not Implemented" :
		status == 502 ? "Bad Gateway" : status == 504 ? "Gateway Timeout" : "Internal Server Error";
	say(&s, "Status: ");
	say_number(&s, status);
	say(&s, " ");
	say(&s, reason);
	say(&s, "\r\nContent-Type: ");
	say(&s, kind);
	say(&s, "\r\nContent-Length: ");
	say_number(&s, n);
	say(&s, "\r\n");
	say(&s, more);
	say(&s, "\r\n");
	if (!head)
		append(&s, body, n);
	out(s.p, s.n);
}

static void answer(int status, string *s, const char *more) { content(status, text, s->p, s->n, more); }

static void answer_text(int status, const char *body) { content(status, text, body, strlen(body), ""); }

static void not_found(void) { answer_text(404, "404 not found: / lists the routes\n"); }

/* ---- numbers in the query ---- */

typedef struct { const char *key; long absent, low, high; const char *suffix, *expects; } param;

static const char *lookup(const char *key, size_t *n) {
	size_t length = strlen(key);
	for (const char *p = query;; p++) {
		size_t pair = strcspn(p, "&");
		if (pair >= length && !strncmp(p, key, length) && (pair == length || p[length] == '=')) {
			*n = pair > length ? pair - length - 1 : 0;
			return p + (pair > length ? length + 1 : length);
		}
		p += pair;
		if (!*p)
			return NULL;
	}
}

/* Returns 0, or answers what is wrong. */
static int number(const param *p, long *value) {
	size_t n, digits, suffix = p->suffix ? strlen(p->suffix) : 0;
	const char *raw = lookup(p->key, &n);
	*value = p->absent;
	if (!raw)
		return 0;
	digits = n;
	if (suffix && n >= suffix && !strncmp(raw + n - suffix, p->suffix, suffix))
		digits -= suffix;
	if (digits > 0 && digits <= 9) {
		*value = 0;
		size_t i = 0;
		while (i < digits && raw[i] >= '0' && raw[i] <= '9')
			*value = *value * 10 + raw[i++] - '0';
		if (i == digits && *value >= p->low && *value <= p->high)
			return 0;
	}
	string s = {0};
	say(&s, "400 bad request: ");
	say(&s, p->key);
	say(&s, "=");
	say_escaped(&s, raw, n < 40 ? n : 40, 1);
	say(&s, ": expected ");
	say(&s, p->expects ? p->expects : "");
	say(&s, "a whole number from ");
	say_number(&s, p->low);
	say(&s, " to ");
	say_number(&s, p->high);
	say(&s, "\n");
	answer(400, &s, "");
	return 1;
}

static const param ms = {"ms", 50, 0, 600000, 0, 0}, units = {"units", 50, 0, 100000, 0, 0};

/* ---- waiting, working, the lock ---- */

static void pause_ms(long n) {
	const char *slow = getenv("GATEWAYLAB_SLOW");
	long times = slow ? atol(slow) : 1;
	if (times > 1 && times <= 100)
		n *= times;
	struct timespec t = {n / 1000, n % 1000 * 1000000};
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void worked(string *s, long n) {
	unsigned char m[1984] = {0}, digest[32] = {0};
	unsigned char *(*hash)(const unsigned char *, size_t, unsigned char *) = NULL;
	void *lib = n ? dlopen("libcrypto.so.3", RTLD_NOW) : NULL;
	if (!lib && n)
		lib = dlopen("libcrypto.so", RTLD_NOW);
	if (lib)
		*(void **)&hash = dlsym(lib, "SHA256");
	if (!hash)
		hash = own_sha256;
	for (long i = 0; i < n * 90; i++) {
		hash(m, sizeof m, digest);
		memcpy(m, digest, sizeof digest);
	}
	say(s, "units ");
	say_number(s, n);
	say(s, "\nsha256 ");
	say_hex(s, digest, sizeof digest);
	say(s, "\n");
}

static void say_ms(string *s, const char *what, long n) {
	say(s, what);
	say(s, " ");
	say_number(s, n);
	say(s, " ms\n");
}

static void locked(void) {
	long wait, hold;
	if (number(&(param){"wait", 40, 0, 600000, 0, 0}, &wait) || number(&(param){"hold", 10, 0, 60000, 0, 0}, &hold))
		return;
	pause_ms(wait);
	string s = {0};
	const char *file = getenv("GATEWAYLAB_LOCK");
	int fd = -1;
	if (file && *file) {
		fd = open(file, O_RDWR | O_CLOEXEC);
		while (fd >= 0 && flock(fd, LOCK_EX))
			if (errno != EINTR) {
				close(fd);
				fd = -1;
			}
		if (fd < 0) {
			say(&s, "500 internal server error: the lock: open ");
			say(&s, file);
			say(&s, ": ");
			say(&s, strerror(errno));
			say(&s, "\n");
			answer(500, &s, "");
			return;
		}
	}
	pause_ms(hold);
	if (fd >= 0)
		close(fd);
	say_ms(&s, "waited", wait);
	say_ms(&s, "held", hold);
	answer(200, &s, "");
}

/* ---- the call of another service ---- */

static const char *const away = "can't be reached", *const closed_early = "closed the connection in place of an answer",
	*const malformed = "answered what is no HTTP";

static long long now_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Returns the status if the answer is all there, 0 if not, -1 if it is none. */
static int parsed(string *got, char **body, size_t *n) {
	char *end = strstr(got->p, "\r\n\r\n");
	int status = 0;
	size_t length;
	if (!end)
		return got->n > 8192 ? -1 : 0;
	if (sscanf(got->p, "HTTP/1.%*1d %3d", &status) != 1)
		return -1;
	for (char *line = strstr(got->p, "\r\n"); line < end; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, "Content-Length:", 15))
			continue;
		length = strtoul(line + 17, NULL, 10);
		if (length > 65536)
			return -1;
		if (got->n - (end + 4 - got->p) < length)
			return 0;
		*body = end + 4, *n = length;
		return status;
	}
	return -1;
}

/* Returns the status and what was said, -1 and what went wrong, or 0 if the time was over. */
static int called(const struct sockaddr_in *to, const char *host, long timeout, string *got, const char **said, size_t *n) {
	long long until = now_ms() + timeout;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
	char *body = NULL;
	string request = {0};
	*said = away, *n = strlen(away);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to))
		return -1;
	say(&request, "GET / HTTP/1.1\r\nHost: ");
	say(&request, host);
	say(&request, "\r\n\r\n");
	*said = closed_early, *n = strlen(closed_early);
	if (send(fd, request.p, request.n, MSG_NOSIGNAL) != (ssize_t)request.n)
		return -1;
	for (append(got, "", 0);;) {
		char piece[4096];
		long long left = until - now_ms();
		struct pollfd wait = {fd, POLLIN, 0};
		int ready = left > 0 ? poll(&wait, 1, left) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return 0;
		ssize_t had = read(fd, piece, sizeof piece);
		if (had <= 0)
			return -1;
		append(got, piece, had);
		if ((status = parsed(got, &body, n)) == 0)
			continue;
		*said = status < 0 ? malformed : body;
		if (status < 0)
			*n = strlen(malformed);
		return status;
	}
}

static void upstream(void) {
	long timeout;
	if (number(&(param){"timeout", 1000, 1, 60000, 0, 0}, &timeout))
		return;
	const char *address = getenv("GATEWAYLAB_UPSTREAM"), *said;
	char host[16] = "";
	int port = 0;
	struct sockaddr_in to = {.sin_family = AF_INET};
	if (!address || sscanf(address, "%15[0-9.]:%d", host, &port) != 2 || !inet_aton(host, &to.sin_addr)) {
		answer_text(501, "501 not implemented: there is no upstream; lab starts one with --upstream 100ms\n");
		return;
	}
	to.sin_port = htons(port);
	string s = {0}, got = {0};
	size_t n;
	int status = called(&to, address, timeout, &got, &said, &n);
	if (status == 0) {
		status = 504;
		say_ms(&s, "504 gateway timeout: no answer from the upstream within", timeout);
	} else if (status < 0) {
		status = 502;
		say(&s, "502 bad gateway: the upstream ");
		append(&s, said, n);
		say(&s, "\n");
	} else if (status != 200) {
		say(&s, "502 bad gateway: the upstream answered ");
		say_number(&s, status);
		say(&s, "\n");
		status = 502;
	} else {
		say(&s, "upstream says ");
		append(&s, said, n);
	}
	answer(status, &s, "");
}

/* ---- the request's body and header ---- */

/* first is how many bytes are wanted; 0 = all. */
static long long digest_body(unsigned char digest[32], long first) {
	static unsigned char block[1 << 16];
	const char *length = getenv("CONTENT_LENGTH");
	/* Apache hands a chunked body on without its length, and closes it. */
	int closed = !length && getenv("HTTP_TRANSFER_ENCODING");
	long long left = length ? atoll(length) : closed, n = 0;
	if (first && (closed || first < left))
		left = first;
	int whole = closed && !first;
	sha256 s;
	begin(&s);
	while (left > 0) {
		ssize_t got = read(0, block, !whole && left < (long long)sizeof block ? (size_t)left : sizeof block);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0 && closed)
			break;
		if (got <= 0) {
			fputs("app: the body ended early\n", stderr);
			exit(1);
		}
		add(&s, block, got);
		left -= whole ? 0 : got, n += got;
	}
	finish(&s, digest);
	return n;
}

static int carried(const char *name) {
	static const char *const not[] = {
		"Host", "Content-Length", "Expect", "Authorization", "Proxy-Authorization", "Proxy", "Forwarded", "Via",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Connection", "Keep-Alive",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", NULL};
	for (int i = 0; not[i]; i++)
		if (!strcmp(name, not[i]))
			return 0;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '-')
			return 0;
	return 1;
}

/* The line of /echo for a variable; NULL if it has none. */
static char *header_line(const char *variable) {
	const char *equals = strchr(variable, '='), *name = variable;
	string s = {0};
	if (!strncmp(variable, "HTTP_", 5))
		name += 5;
	else if (strncmp(variable, "CONTENT_TYPE=", 13) || !equals[1])
		return NULL;
	for (int upper = 1; name < equals; name++) {
		char c = *name == '_' ? '-' : upper ? *name : tolower((unsigned char)*name);
		upper = c == '-';
		append(&s, &c, 1);
	}
	if (!s.p || !carried(s.p))
		return NULL;
	say(&s, ": ");
	say_escaped(&s, equals + 1, strlen(equals + 1), 1);
	say(&s, "\n");
	return s.p;
}

/* Names sort as such: "A-B" before "A: ", though ':' is more than '-'. */
static int by_name(const void *a, const void *b) {
	const char *one = *(char *const *)a, *two = *(char *const *)b;
	for (;; one++, two++) {
		int c = *one == ':' ? 0 : *one, d = *two == ':' ? 0 : *two;
		if (c != d || !c)
			return c - d;
	}
}

/* A gateway may hand a field on each time that it came. Joins the values. */
static int joined(char **lines, size_t n) {
	size_t name = strcspn(lines[n], ":") + 2;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(lines[i], lines[n], name))
			continue;
		string s = {0};
		append(&s, lines[i], strlen(lines[i]) - 1);
		say(&s, strncmp(lines[n], "Cookie:", 7) ? ", " : "; ");
		say(&s, lines[n] + name);
		lines[i] = s.p;
		return 1;
	}
	return 0;
}

static void echo(void) {
	unsigned char digest[32];
	long long size = digest_body(digest, 0);
	size_t n = 0, count = 0;
	while (environ[count])
		count++;
	char **lines = calloc(count + 1, sizeof *lines);
	for (size_t i = 0; i < count; i++)
		if ((lines[n] = header_line(environ[i])) && !joined(lines, n))
			n++;
	qsort(lines, n, sizeof *lines, by_name);
	string s = {0};
	say(&s, "method ");
	say_escaped(&s, method, strlen(method), 1);
	say(&s, "\npath ");
	say_escaped(&s, path, strlen(path), 1);
	say(&s, "\nquery ");
	say_escaped(&s, query, strlen(query), 0);
	say(&s, "\n");
	for (size_t i = 0; i < n; i++) {
		say(&s, "header ");
		say(&s, lines[i]);
	}
	say(&s, "body ");
	say_number(&s, size);
	say(&s, "\nsha256 ");
	say_hex(&s, digest, sizeof digest);
	say(&s, "\n");
	answer(200, &s, "");
}

static void upload(void) {
	unsigned char digest[32];
	long first;
	if (number(&(param){"first", 0, 0, 64 << 20, 0, 0}, &first))
		return;
	string s = {0};
	say(&s, "bytes ");
	say_number(&s, digest_body(digest, first));
	say(&s, "\nsha256 ");
	say_hex(&s, digest, sizeof digest);
	say(&s, "\n");
	answer(200, &s, "");
}

/* ---- the other routes ---- */

static void wait_(void) {
	long n;
	if (number(&ms, &n))
		return;
	pause_ms(n);
	string s = {0};
	say_ms(&s, "waited", n);
	answer(200, &s, "");
}

static void cpu(void) {
	long n;
	if (number(&units, &n))
		return;
	string s = {0};
	worked(&s, n);
	answer(200, &s, "");
}

static void mixed(void) {
	long n, work;
	if (number(&ms, &n) || number(&units, &work))
		return;
	pause_ms(n);
	string s = {0};
	say_ms(&s, "waited", n);
	worked(&s, work);
	answer(200, &s, "");
}

static void block(void) {
	long n;
	if (number(&(param){"ms", 200, 0, 60000, 0, 0}, &n))
		return;
	pause_ms(n);
	string s = {0};
	say_ms(&s, "blocked", n);
	answer(200, &s, "");
}

/* A driver is a library for each database, and none is linked here. */
static void db(void) {
	static const param params[] = {{"key", 1, 1, 1000000, 0, 0}, {"ms", 20, 0, 60000, 0, 0},
		{"rows", 0, 0, 1000000, 0, 0}, {"hold", 0, 0, 60000, 0, 0}};
	long value;
	size_t n = 0;
	for (size_t i = 0; i < sizeof params / sizeof *params; i++)
		if (number(&params[i], &value))
			return;
	const char *op = lookup("op", &n), *name = getenv("GATEWAYLAB_DB");
	if (op && !(n == 6 && (!strncmp(op, "select", 6) || !strncmp(op, "update", 6))) && !(n == 4 && !strncmp(op, "slow", 4))) {
		string s = {0};
		say(&s, "400 bad request: op=");
		say_escaped(&s, op, n < 40 ? n : 40, 1);
		say(&s, ": expected select, update or slow\n");
		answer(400, &s, "");
		return;
	}
	answer_text(501, name && *name ? "501 not implemented: there is no driver of a database in C here\n" :
		"501 not implemented: there is no database; lab brings one with --db sqlite\n");
}

static void stream(void) {
	long chunks, every;
	if (number(&(param){"chunks", 5, 1, 100000, 0, 0}, &chunks) || number(&(param){"every", 100, 0, 60000, "ms", "milliseconds, "}, &every))
		return;
	string s = {0};
	say(&s, "Status: 200 OK\r\nContent-Type: ");
	say(&s, text);
	say(&s, "\r\n\r\n");
	for (long i = 1; i <= chunks && !head; i++, s.n = 0) {
		if (i > 1)
			pause_ms(every);
		say(&s, "chunk ");
		say_number(&s, i);
		say(&s, " of ");
		say_number(&s, chunks);
		say(&s, "\n");
		out(s.p, s.n);
	}
	out(s.p, s.n);
}

static void bytes(void) {
	static char blocks[block_size];
	long n, every, wide;
	if (number(&(param){"n", 1024, 0, 64 << 20, 0, 0}, &n) || number(&(param){"every", 0, 0, 60000, "ms", "milliseconds, "}, &every) ||
		number(&(param){"head", 0, 0, 1 << 20, 0, 0}, &wide))
		return;
	string s = {0};
	say(&s, "Status: 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ");
	say_number(&s, n);
	for (long i = 0; i < wide; i++)
		say(&s, i ? "x" : "\r\nX-Head: x");
	say(&s, "\r\n\r\n");
	out(s.p, s.n);
	for (int i = 0; i < block_size; i += pattern_size)
		memcpy(blocks + i, pattern, pattern_size);
	while (n > 0 && !head) {
		out(blocks, n < block_size ? (size_t)n : block_size);
		n -= block_size;
		if (n > 0 && every)
			pause_ms(every);
	}
}

static void file(const char *name, const char *kind) {
	char self[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	string s = {0}, body = {0};
	if (n < 0) {
		answer_text(500, "500 internal server error: where am I?\n");
		return;
	}
	self[n] = 0; /* …/c/labapp */
	for (int up = 0; up < 2 && (slash = strrchr(self, '/')); up++)
		*slash = 0;
	say(&s, self);
	say(&s, "/static/");
	say(&s, name);
	FILE *f = fopen(s.p, "rb");
	if (!f) {
		answer_text(500, "500 internal server error: a file is missing\n");
		return;
	}
	char part[4096];
	for (size_t got; (got = fread(part, 1, sizeof part, f)) > 0;)
		append(&body, part, got);
	fclose(f);
	content(200, kind, body.p ? body.p : "", body.n, "");
}

static void index_(void) { file("index.txt", text); }

static void static_(void) {
	const char *name = path + strlen("/static/");
	if (!*name || !strcmp(name, "index.html"))
		file("index.html", "text/html; charset=utf-8");
	else if (!strcmp(name, "style.css"))
		file(name, "text/css; charset=utf-8");
	else if (!strcmp(name, "lab.svg"))
		file(name, "image/svg+xml");
	else if (!strcmp(name, "about.txt"))
		file(name, text);
	else
		not_found();
}

static void hello(void) { answer_text(200, "hello\n"); }

static void ws(void) {
	static const char body[] = "426 upgrade required: WebSocket is spoken here, where the server can\n";
	content(426, text, body, strlen(body), "Upgrade: websocket\r\n");
}

static void crash(void) {
	fputs("app: crash was asked for\n", stderr);
	_exit(crash_status);
}

static void hang(void) {
	for (;;)
		pause();
}

static void leak(void) {
	long mib;
	if (number(&(param){"mib", 1, 0, 1024, 0, 0}, &mib))
		return;
	char *kept = malloc(mib << 20);
	for (long i = 0; kept && i < mib << 20; i += 4096)
		((volatile char *)kept)[i] = 1;
	string s = {0};
	say(&s, "kept ");
	say_number(&s, mib);
	say(&s, " MiB\n");
	answer(200, &s, "");
}

static const struct { const char *path, *allow; void (*handle)(void); } routes[] = {
	{"/", read_only, index_}, {"/hello", read_only, hello}, {"/wait", read_only, wait_}, {"/cpu", read_only, cpu},
	{"/mixed", read_only, mixed}, {"/locked", read_only, locked}, {"/block", read_only, block},
	{"/upstream", read_only, upstream}, {"/db", read_only, db}, {"/echo", "", echo},
	{"/upload", "POST, PUT", upload}, {"/stream", read_only, stream}, {"/bytes", read_only, bytes},
	{"/static/", read_only, static_}, {"/ws", read_only, ws}, {"/crash", read_only, crash}, {"/hang", read_only, hang},
	{"/leak", read_only, leak},
};

static int allows(const char *list, const char *m) {
	size_t n = strlen(m);
	for (const char *p = list; *p; p += strspn(p, ", ")) {
		size_t word = strcspn(p, ",");
		if (word == n && !strncmp(p, m, n))
			return 1;
		p += word;
	}
	return 0;
}

int main(void) {
	method = getenv("REQUEST_METHOD"), path = getenv("PATH_INFO"), query = getenv("QUERY_STRING");
	if (!method) {
		fputs("labapp: REQUEST_METHOD is not set: a CGI server starts this program\n", stderr);
		return 2;
	}
	path = path ? path : "", query = query ? query : "";
	head = !strcmp(method, "HEAD");
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (strcmp(path, routes[i].path) && (strcmp(routes[i].path, "/static/") || strncmp(path, "/static/", 8)))
			continue;
		if (*routes[i].allow && !allows(routes[i].allow, method)) {
			string s = {0}, more = {0};
			say(&s, "405 method not allowed: use ");
			say(&s, routes[i].allow);
			say(&s, "\n");
			say(&more, "Allow: ");
			say(&more, routes[i].allow);
			say(&more, "\r\n");
			answer(405, &s, more.p);
			return 0;
		}
		routes[i].handle();
		return 0;
	}
	not_found();
	return 0;
}
