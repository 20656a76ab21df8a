// SPDX-License-Identifier: GPL-2.0-only
/* The XDP features of a driver, as the family "netdev" of generic netlink tells them since 6.3. */
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/doctor.h"

/* linux/netdev.h, which Debian 12 does not have yet */
#define NETDEV_CMD_DEV_GET	  1
#define NETDEV_A_DEV_IFINDEX	  1
#define NETDEV_A_DEV_XDP_FEATURES 3

struct message {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char attributes[4096];
};

/* Ask with one attribute; the value of another of the answer to `value`. */
static int ask(int fd, uint16_t family, uint8_t command, uint16_t with, const void *what,
	       uint16_t size, uint16_t want, void *value, size_t value_size)
{
	struct message m = {
		.h = {.nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST},
		.g = {.cmd = command, .version = 1},
	};
	struct rtattr *a = (void *)m.attributes;
	int len;

	a->rta_type = with;
	a->rta_len = RTA_LENGTH(size);
	memcpy(RTA_DATA(a), what, size);
	m.h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + RTA_ALIGN(a->rta_len);
	if (send(fd, &m, m.h.nlmsg_len, 0) < 0)
		return -errno;
	len = (int)recv(fd, &m, sizeof(m), 0);
	if (len < (int)NLMSG_LENGTH(GENL_HDRLEN) || m.h.nlmsg_type != family)
		return -EOPNOTSUPP;
	len -= (int)NLMSG_LENGTH(GENL_HDRLEN);
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type != want || RTA_PAYLOAD(a) < value_size)
			continue;
		memcpy(value, RTA_DATA(a), value_size);
		return 0;
	}
	return -EOPNOTSUPP;
}

int64_t doctor_xdp_features(unsigned int ifindex)
{
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	uint64_t features;
	uint16_t family;
	int err;

	if (fd < 0)
		return -errno;
	err = ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "netdev",
		  sizeof("netdev"), CTRL_ATTR_FAMILY_ID, &family, sizeof(family));
	if (!err)
		err = ask(fd, family, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &ifindex,
			  sizeof(ifindex), NETDEV_A_DEV_XDP_FEATURES, &features, sizeof(features));
	return err ? err : (int64_t)features;
}
