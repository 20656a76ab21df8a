// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who serves a virtual address?
 *   virtual serve ADDRESS NODE   answers each datagram with its number and NODE, whether or not the
 *                                address is on this machine at the moment
 *   virtual ask ADDRESS          asks every other millisecond, and prints a line where another node
 *                                answers than before ("2"), and where an answer shows that two did at
 *                                a time ("overlap ...")
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "common/common.h"

#define PORT	  5555
#define ASK_MS	  2
#define REMEMBERS 4096

struct question {
	uint64_t number, sent_ns;
	uint64_t node; /* in an answer */
};

static int open_socket(const char *text, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	int one = 1, fd;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(PORT);
		*size = sizeof(*in);
	} else {
		inet_pton(AF_INET6, text, &in6->sin6_addr);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(PORT);
		*size = sizeof(*in6);
	}
	fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	return fd;
}

static void serve(const char *text, const char *node)
{
	struct sockaddr_storage address;
	struct question q;
	socklen_t size;
	int fd = open_socket(text, &address, &size);

	if (bind(fd, (struct sockaddr *)&address, size)) {
		perror(text);
		exit(1);
	}
	for (;;) {
		socklen_t from = sizeof(address);
		ssize_t n = recvfrom(fd, &q, sizeof(q), 0, (struct sockaddr *)&address, &from);

		if (n != sizeof(q))
			continue;
		q.node = strtoull(node, NULL, 10);
		sendto(fd, &q, sizeof(q), 0, (struct sockaddr *)&address, from);
	}
}

/* Of the questions asked: when each node answered the last, and the first since another did. */
static void take(const struct question *q)
{
	static uint64_t now_serves, since_ns;
	static uint64_t answered[REMEMBERS]; /* number of the question there */
	static uint64_t by[REMEMBERS];
	uint64_t slot = q->number % REMEMBERS;

	if (answered[slot] == q->number && by[slot] != q->node)
		printf("overlap: nodes %lu and %lu answered one question\n", by[slot], q->node);
	answered[slot] = q->number;
	by[slot] = q->node;
	if (q->node == now_serves)
		return;
	/* Asked before the first answer of the one that serves now: late, and no contradiction. */
	if (now_serves && q->sent_ns < since_ns)
		return;
	printf("%lu\n", q->node);
	now_serves = q->node;
	since_ns = xr_now_ns();
}

static void ask(const char *text)
{
	struct sockaddr_storage address;
	struct question q = {0};
	socklen_t size;
	int fd = open_socket(text, &address, &size);
	uint64_t number = 0, next_ns = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (xr_now_ns() >= next_ns) {
			q = (struct question){.number = ++number, .sent_ns = xr_now_ns()};
			sendto(fd, &q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&address, size);
			next_ns = q.sent_ns + ASK_MS * NS_PER_MS;
		}
		if (poll(&p, 1, 1) > 0 &&
		    recv(fd, &q, sizeof(q), MSG_DONTWAIT) == (ssize_t)sizeof(q))
			take(&q);
	}
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is killed leaves nothing behind */
	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(argv[2], argv[3]);
	else if (argc == 3 && !strcmp(argv[1], "ask"))
		ask(argv[2]);
	fputs("usage: virtual serve ADDRESS NODE | virtual ask ADDRESS\n", stderr);
	return 2;
}
