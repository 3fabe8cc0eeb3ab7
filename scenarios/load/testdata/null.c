/*
 * The server that load generators are held against: one thread, epoll, and the
 * same bytes for whatever ends with an empty line. It parses nothing, and does
 * less for a request than any generator can for an answer.
 *
 * It prints its address, and ends with its standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] =
	"HTTP/1.1 200 OK\r\n"
	"Content-Type: text/plain\r\n"
	"Content-Length: 13\r\n"
	"\r\n"
	"hello, world\n";

static void watch(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		perror("epoll_ctl");
}

static void admit(int epoll, int listener)
{
	int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	watch(epoll, fd);
}

static void reply(int fd)
{
	char request[8192];
	ssize_t n = read(fd, request, sizeof request);

	if (n <= 0)
		close(fd);
	else if (n >= 4 && memcmp(request + n - 4, "\r\n\r\n", 4) == 0 &&
		 write(fd, answer, sizeof answer - 1) < 0)
		close(fd);
}

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC);

	if (listener < 0 || epoll < 0 || bind(listener, (struct sockaddr *)&at, size) < 0 ||
	    listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&at, &size) < 0) {
		perror("listen");
		return 1;
	}
	printf("127.0.0.1:%d\n", ntohs(at.sin_port));
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	watch(epoll, listener);
	watch(epoll, STDIN_FILENO);
	for (;;) {
		struct epoll_event ready[256];
		int n = epoll_wait(epoll, ready, 256, -1);

		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			if (fd == STDIN_FILENO)
				return 0;
			if (fd == listener)
				admit(epoll, listener);
			else
				reply(fd);
		}
	}
}
