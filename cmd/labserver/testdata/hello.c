/* A CGI program that answers as the lab's application answers /hello. */
#include <unistd.h>

int main(void) {
	static const char answer[] =
		"Content-Type: text/plain; charset=utf-8\nContent-Length: 6\n\nhello\n";
	return write(1, answer, sizeof answer - 1) != sizeof answer - 1;
}
