/*
 * The bare loop that a sync worker is held against: processes that share a
 * listener and do nothing but accept, read once, write a canned answer and
 * close. No parsing, no timeouts, no supervision: what is faster than this
 * leaves a system call out.
 *
 *	bare PROCESSES
 *
 * The listener is file 3; the end of file 4 ends it, as it does labserver.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER = 3, CONTROL = 4 };

static const char answer[] =
	"HTTP/1.1 200 OK\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n"
	"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
	"Content-Length: 6\r\n"
	"Connection: close\r\n"
	"\r\n"
	"hello\n";

static void serve(void)
{
	char request[4096];

	for (;;) {
		int fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, request, sizeof request) > 0 && write(fd, answer, sizeof answer - 1) < 0)
			perror("write");
		close(fd);
	}
}

int main(int argc, char **argv)
{
	int on = 1, left = argc > 1 ? atoi(argv[1]) : 4;
	char end;

	if (fcntl(LISTENER, F_SETFL, fcntl(LISTENER, F_GETFL) & ~O_NONBLOCK) < 0 ||
	    setsockopt(LISTENER, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
		perror("listener");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	while (left-- > 0) {
		pid_t child = fork();
		if (child < 0) {
			perror("fork");
			return 1;
		}
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve();
		}
	}
	while (read(CONTROL, &end, 1) > 0)
		;
	return 0;
}
