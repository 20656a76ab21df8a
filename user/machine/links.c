// SPDX-License-Identifier: GPL-2.0-only
/* Which interface stands on which: asked of the kernel, since /sys may be another namespace's. */
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include "machine/machine.h"

#define LINKS_MAX 4096
#define DEEPEST	  8 /* interface upon interface */

struct link {
	unsigned int index, below, master;
};

struct links {
	size_t n;
	struct link list[LINKS_MAX];
};

/* veth and tunnels name another interface, too, which carries nothing of theirs. */
static bool stands_on_another(const struct rtattr *info)
{
	static const char *const kinds[] = {"vlan", "macvlan", "macvtap", "ipvlan"};
	int len = (int)RTA_PAYLOAD(info);

	for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, len); a = RTA_NEXT(a, len))
		for (size_t i = 0; a->rta_type == IFLA_INFO_KIND && i < ARRAY_SIZE(kinds); i++)
			if (!strcmp(RTA_DATA(a), kinds[i]))
				return true;
	return false;
}

static void take_link(struct links *all, const struct nlmsghdr *h)
{
	const struct ifinfomsg *info = NLMSG_DATA(h);
	struct link link = {.index = (unsigned int)info->ifi_index};
	int len = (int)IFLA_PAYLOAD(h);
	bool stands = false;

	for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		unsigned int value = 0;

		if (RTA_PAYLOAD(a) >= sizeof(value))
			memcpy(&value, RTA_DATA(a), sizeof(value));
		if (a->rta_type == IFLA_MASTER)
			link.master = value;
		else if (a->rta_type == IFLA_LINK)
			link.below = value;
		else if (a->rta_type == IFLA_LINKINFO)
			stands = stands_on_another(a);
	}
	if (!stands)
		link.below = 0;
	if (all->n < LINKS_MAX)
		all->list[all->n++] = link;
}

static void list_links(struct links *all)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} ask = {.h = {.nlmsg_len = sizeof(ask),
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	_Alignas(struct nlmsghdr) static char answer[32768];

	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0)
		return;
	for (;;) {
		ssize_t got = recv(fd, answer, sizeof(answer), 0);
		unsigned int len = (unsigned int)got;

		if (got <= 0)
			return;
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, len);
		     h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type != RTM_NEWLINK)
				return;
			take_link(all, h);
		}
	}
}

static bool is_below(const struct links *all, unsigned int lower, unsigned int upper, int depth)
{
	if (lower == upper)
		return true;
	for (size_t i = 0; i < all->n && depth; i++) {
		const struct link *l = &all->list[i];

		if (l->index == lower && l->master && is_below(all, l->master, upper, depth - 1))
			return true;
		if (l->below == lower && is_below(all, l->index, upper, depth - 1))
			return true;
	}
	return false;
}

bool xr_machine_is_below(unsigned int lower, unsigned int upper)
{
	static struct links all;

	all.n = 0;
	list_links(&all);
	return is_below(&all, lower, upper, DEEPEST);
}
