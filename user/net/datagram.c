// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include "net/datagram.h"

/*
 * Room for a flood that outruns a turn of the loop, or for the votes of a hundred thousand groups:
 * three thousand datagrams, which count for more than their size. The kernel doubles it.
 */
#define RECEIVE_BUFFER (16 << 20)
#define SEND_BUFFER    (4 << 20)
/* DSCP CS6, network control: routers forward it first. */
#define TOS_NETWORK_CONTROL 0xc0

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static socklen_t address_of(const struct xr_peer *peer, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (memcmp(peer->ip, v4_prefix, sizeof(v4_prefix))) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(peer->port);
		memcpy(&a->in6.sin6_addr, peer->ip, 16);
		return sizeof(a->in6);
	}
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons(peer->port);
	memcpy(&a->in.sin_addr, peer->ip + 12, 4);
	return sizeof(a->in);
}

static void from_address(const union address *a, struct xr_from *from)
{
	uint8_t ip[16];

	memcpy(ip, v4_prefix, sizeof(v4_prefix));
	if (a->any.sa_family == AF_INET6) {
		memcpy(ip, &a->in6.sin6_addr, 16);
		from->port = ntohs(a->in6.sin6_port);
	} else {
		memcpy(ip + 12, &a->in.sin_addr, 4);
		from->port = ntohs(a->in.sin_port);
	}
	memcpy(from->ip, ip, sizeof(ip));
}

static void set_options(int fd, sa_family_t family)
{
	int receive = RECEIVE_BUFFER, send = SEND_BUFFER, tos = TOS_NETWORK_CONTROL, on = 1;

	/* All of these are for the better, none is needed: without the right to them we go on. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof(send));
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	}
}

int xr_socket_open(const struct xr_peer *self, struct xr_why *why)
{
	union address a;
	socklen_t size = address_of(self, &a);
	char text[INET6_ADDRSTRLEN] = "";
	_cleanup_fd_ int fd = socket(a.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return xr_fail(why, -errno, "cannot open a UDP socket: %m");
	if (a.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof(text));
	set_options(fd, a.any.sa_family);
	if (bind(fd, &a.any, size) < 0)
		return xr_fail(why, -errno,
			       "cannot bind %s port %u: %m; is the address on this machine, and is "
			       "no other xraftd running here?",
			       text, self->port);
	return xr_steal_fd(&fd);
}

int xr_socket_receive(int fd, struct xr_datagram *d)
{
	union address a;
	socklen_t size = sizeof(a);
	int tries = 4;
	ssize_t n;

	/* An ICMP error is told here once, in the place of a datagram that may lie behind it. */
	do
		n = recvfrom(fd, d->bytes, sizeof(d->bytes), MSG_TRUNC, &a.any, &size);
	while (n < 0 && (errno == EINTR || (errno != EAGAIN && tries--)));
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	d->size = n; /* may be more than there was room for: xr_rules_check() refuses it */
	from_address(&a, &d->from);
	return 1;
}

/* Port unreachable, in the words of either family. */
static bool is_port_unreachable(const struct sock_extended_err *e)
{
	return (e->ee_origin == SO_EE_ORIGIN_ICMP && e->ee_type == 3 && e->ee_code == 3) ||
	       (e->ee_origin == SO_EE_ORIGIN_ICMP6 && e->ee_type == 1 && e->ee_code == 4);
}

static bool says_port_unreachable(struct msghdr *m)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		     (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) &&
		    is_port_unreachable((const struct sock_extended_err *)CMSG_DATA(c)))
			return true;
	return false;
}

int xr_socket_error(int fd, struct xr_from *about)
{
	union address a = {.any.sa_family = AF_UNSPEC}; /* whither it was sent */
	alignas(struct cmsghdr) char control[256];
	struct msghdr m = {.msg_name = &a};

	do {
		m.msg_namelen = sizeof(a);
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return 0;
	} while (!says_port_unreachable(&m));
	from_address(&a, about);
	return 1;
}

int xr_socket_send(int fd, const struct xr_peer *to, const void *data, size_t size)
{
	union address a;
	socklen_t len = address_of(to, &a);

	/* A pending ICMP error makes one send fail without sending: try again (once). */
	for (int tries = 0; tries < 2; tries++)
		if (sendto(fd, data, size, MSG_DONTWAIT, &a.any, len) >= 0)
			return 0;
	return -errno;
}

/* UDP_SEGMENT: one way through the stack for all of them; the card, or the kernel, parts them. */
static int send_whole(int fd, const struct xr_peer *to, const struct xr_train *t)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
	struct iovec iov = {.iov_base = (void *)t->bytes, .iov_len = t->size};
	uint16_t segment = t->segment;
	union address a;
	struct msghdr m = {
		.msg_name = &a,
		.msg_namelen = address_of(to, &a),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	for (int tries = 0; tries < 2; tries++) /* as xr_socket_send() */
		if (sendmsg(fd, &m, MSG_DONTWAIT) >= 0)
			return 0;
	return -errno;
}

static void note(struct xr_trains *s, uint8_t to, uint64_t n, int err)
{
	if (!err) {
		s->of[to].taken += n;
		return;
	}
	s->of[to].lost += n;
	s->of[to].err = err;
}

static void send_train(struct xr_trains *s, uint8_t to)
{
	struct xr_train *t = &s->train[to];
	const struct xr_peer *peer = &s->peers[to];
	int err = -EINVAL;

	if (t->size > t->segment && !s->no_trains) {
		err = send_whole(s->fd, peer, t);
		s->no_trains = err == -EINVAL || err == -EIO || err == -EMSGSIZE ||
			       err == -ENOPROTOOPT || err == -EOPNOTSUPP;
	}
	if (t->size <= t->segment || s->no_trains)
		for (size_t at = 0; at < t->size; at += t->segment) {
			size_t left = t->size - at;

			err = xr_socket_send(s->fd, peer, t->bytes + at,
					     left < t->segment ? left : t->segment);
			note(s, to, 1, err);
		}
	else
		note(s, to, (t->size + t->segment - 1) / t->segment, err);
	t->size = 0;
}

void xr_trains_put(struct xr_trains *s, uint8_t to, const void *bytes, size_t size)
{
	struct xr_train *t = &s->train[to];
	bool ended = t->size % (t->segment ? t->segment : 1); /* its last is a shorter one */

	if (t->size && (ended || size > t->segment || t->size + size > sizeof(t->bytes)))
		send_train(s, to);
	if (!t->size)
		t->segment = size;
	memcpy(t->bytes + t->size, bytes, size);
	t->size += size;
}

void xr_trains_flush(struct xr_trains *s)
{
	xr_each_node(to)
		if (s->train[to].size)
			send_train(s, to);
}
