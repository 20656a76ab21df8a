// SPDX-License-Identifier: GPL-2.0-only
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include "common/thread.h"
#include "daemon/looker.h"
#include "daemon/report.h"
#include "machine/machine.h"

#define LOOK_MS	     2000
#define SETTLE_MS    50 /* a change comes as several messages */
#define TRY_AGAIN_NS (10 * NS_PER_S)
#define STACK_BYTES  (512 * 1024)

/*
 * ---- the program ----
 */

/* Rule 21: the fence of the virtual addresses is on an interface before the agent hears of it. */
static bool keep_fence(struct xr_warden *w, enum xr_nic_mode mode, unsigned int ifindex)
{
	struct xr_nic_opts opts = xr_warden_nic_opts(w);
	struct xr_why why;
	int err;

	if (!opts.naddresses)
		return true;
	err = xr_nic_fence_again(&w->nic, &opts, mode, ifindex, &why);
	if (err)
		xr_look_wrong(w->looks, XR_LOOK_fence, 0, xr_now_ns(), "%s",
			      err < 0 ? why.text : "somebody took it off");
	if (err >= 0)
		xr_look_well(w->looks, XR_LOOK_fence, 0, xr_now_ns());
	return err >= 0;
}

/* Engine, agent and status go by it. What was found out of its answers was of another program. */
static void show_program(struct xr_warden *w, enum xr_nic_mode mode, enum xr_nic_attach attach,
			 unsigned int ifindex)
{
	struct xr_control *c = w->nic.maps.control;

	if (ifindex && !keep_fence(w, mode, ifindex))
		ifindex = 0;
	if (c->nic_mode != mode || c->ifindex != ifindex)
		atomic_fetch_add(&w->looks->path_again, 1);
	c->nic_mode = mode;
	c->nic_attach = attach;
	c->ifindex = ifindex;
}

/* Also where it was given another name. */
static unsigned int find_interface(const struct xr_warden *w, char name[IF_NAMESIZE])
{
	unsigned int ifindex = if_nametoindex(w->config.interface);

	snprintf(name, IF_NAMESIZE, "%s", w->config.interface);
	if (ifindex)
		return ifindex;
	return if_indextoname(w->nic.ifindex, name) ? w->nic.ifindex : 0;
}

static void attach_again(struct xr_looker *l, unsigned int ifindex, uint64_t now_ns)
{
	struct xr_warden *w = l->w;
	struct xr_nic_opts opts = xr_warden_nic_opts(w);
	bool made_again = ifindex != w->nic.ifindex;
	struct xr_look was;
	struct xr_why why;

	if (l->tried_ns && now_ns - l->tried_ns < TRY_AGAIN_NS) {
		xr_look_read(w->looks, XR_LOOK_program, 0, &was);
		xr_look_note(w->looks, XR_LOOK_program, 0, now_ns, was.what);
		return;
	}
	xr_look_wrong(w->looks, XR_LOOK_program, 0, now_ns, "%s",
		      made_again ? "the interface was made again" : "somebody took it off");
	if (xr_nic_attach_again(&w->nic, &opts, ifindex, &why)) {
		l->tried_ns = now_ns;
		xr_look_wrong(w->looks, XR_LOOK_program, 0, now_ns, "%s", why.text);
		return;
	}
	l->tried_ns = 0;
	l->mtu = xr_machine_mtu(w->config.interface);
	show_program(w, w->nic.mode, w->nic.attach, ifindex);
	xr_look_well(w->looks, XR_LOOK_program, 0, xr_now_ns());
}

/*
 * Where xdp = auto found no way at the start there may be one later: on another interface of that name,
 * with another MTU, or without another's program.
 */
static void look_without_program(struct xr_looker *l, unsigned int ifindex)
{
	struct xr_warden *w = l->w;
	struct xr_nic_opts opts = xr_warden_nic_opts(w);
	struct xr_interface_seen seen = {.ifindex = ifindex}, before = l->seen;
	struct xr_nic_found found;
	struct xr_why why;

	if (w->config.naddresses)
		show_program(w, XR_NIC_OFF, XR_ATTACH_NONE, ifindex);
	if (w->config.xdp != XR_XDP_AUTO || !ifindex || xr_nic_find(&w->nic, ifindex, &found))
		return;
	seen.taken = found.taken;
	seen.mtu = xr_machine_mtu(w->config.interface);
	l->seen = seen;
	if (!before.ifindex || !memcmp(&seen, &before, sizeof(seen)) || seen.taken ||
	    xr_nic_attach_again(&w->nic, &opts, ifindex, &why))
		return;
	show_program(w, w->nic.mode, w->nic.attach, ifindex);
	xr_say(w->name, 5, "%s takes an XDP program now: it is attached", w->config.interface);
}

static void look_at_program(struct xr_looker *l, uint64_t now_ns)
{
	struct xr_warden *w = l->w;
	struct xr_nic_found found;
	char name[IF_NAMESIZE];
	unsigned int ifindex = find_interface(w, name);

	if (w->nic.mode == XR_NIC_OFF) {
		look_without_program(l, ifindex);
		return;
	}
	if (!ifindex) {
		show_program(w, XR_NIC_OFF, XR_ATTACH_NONE, 0);
		xr_look_wrong(
			w->looks, XR_LOOK_program, 0, now_ns,
			"that interface is gone; make it again, with its address: xraftd then "
			"attaches the program by itself");
	} else if (xr_nic_find(&w->nic, ifindex, &found)) {
		xr_look_wrong(w->looks, XR_LOOK_program, 0, now_ns,
			      "there is no right to see what is there; run xraftd as root, "
			      "in a container with CAP_SYS_ADMIN");
	} else if (found.ours) {
		l->tried_ns = 0;
		show_program(w, found.mode, found.attach, ifindex);
		xr_look_well(w->looks, XR_LOOK_program, 0, now_ns);
	} else if (found.taken) {
		show_program(w, XR_NIC_OFF, XR_ATTACH_NONE, ifindex);
		xr_look_wrong(w->looks, XR_LOOK_program, 0, now_ns,
			      "%s is in its place; if nobody needs that one: ip link set dev %s %s "
			      "off, and xraftd attaches its own again; else set xdp = off, and "
			      "restart",
			      found.by, name,
			      found.mode == XR_NIC_NATIVE ? "xdpdrv" : "xdpgeneric");
	} else {
		show_program(w, XR_NIC_OFF, XR_ATTACH_NONE, ifindex);
		attach_again(l, ifindex, now_ns);
	}
}

/*
 * ---- the machine ----
 */
static const char *first_about(const struct xr_findings *f, const char *about)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->list[i].about, about))
			return f->list[i].text;
	return "";
}

static void look_at_interface(const struct xr_looker *l, const struct xr_findings *found,
			      uint64_t now_ns)
{
	const struct xr_warden *w = l->w;
	const char *name = w->config.interface;
	int mtu = xr_machine_mtu(name);
	char now[IF_NAMESIZE];

	if (!find_interface(w, now))
		xr_look_wrong(w->looks, XR_LOOK_interface, 0, now_ns,
			      "there is no interface %s here any more; see ip link: make it again, "
			      "or correct [self] interface, and restart xraftd",
			      name);
	else if (strcmp(now, name))
		xr_look_wrong(w->looks, XR_LOOK_interface, 0, now_ns,
			      "%s is called %s now, and the next start will not find it; write "
			      "interface = %s, and restart xraftd",
			      name, now, now);
	else if (w->nic.mode == XR_NIC_NATIVE && mtu > l->mtu && mtu > XR_MTU_OF_A_PAGE)
		xr_look_wrong(
			w->looks, XR_LOOK_interface, 0, now_ns,
			"the MTU of %s was raised from %d to %d, at which its driver may refuse "
			"native XDP at the next start; ip link set dev %s mtu %d",
			name, l->mtu, mtu, name, l->mtu);
	else
		xr_look_note(w->looks, XR_LOOK_interface, 0, now_ns,
			     first_about(found, "interface"));
}

static void look_at_machine(const struct xr_looker *l, uint64_t now_ns)
{
	const struct xr_config *c = &l->w->config;
	struct xr_findings found = {0};
	struct xr_why why;

	xr_look_note(l->w->looks, XR_LOOK_address, 0, now_ns,
		     xr_machine_is_early(c, &why) ? why.text : "");
	if (!c->interface[0])
		return;
	xr_machine_network(c, XR_OCCASION_START, &found);
	look_at_interface(l, &found, now_ns);
	xr_look_note(l->w->looks, XR_LOOK_cards, 0, now_ns, first_about(&found, "cards"));
}

/*
 * ---- the maps ----
 */
static void look_at_pins(struct xr_warden *w, uint64_t now_ns)
{
	struct xr_nic_opts opts = xr_warden_nic_opts(w);
	struct xr_why why;
	int n = xr_nic_lock_again(&opts, &w->node_fd, &why);

	if (n >= 0)
		n = n + xr_nic_pin_again(&w->nic, &opts, &why);
	if (n < 0)
		xr_look_wrong(w->looks, XR_LOOK_pins, 0, now_ns, "%s", why.text);
	if (n > 0)
		xr_look_wrong(w->looks, XR_LOOK_pins, 0, now_ns, "%d pins were removed", n);
	if (n >= 0)
		xr_look_well(w->looks, XR_LOOK_pins, 0, now_ns);
}

static void look_at_addresses(struct xr_warden *w, uint64_t now_ns)
{
	int mended = xr_nic_mend_peers(&w->nic, w->config.nodes);
	char who[32] = "";
	size_t len = 0;

	if (mended > 0) {
		xr_each_node_of(node, mended)
			len += (size_t)snprintf(who + len, sizeof(who) - len, "%s%u",
						len ? ", " : "", node);
		xr_look_wrong(w->looks, XR_LOOK_addresses, 0, now_ns, "node %s", who);
	}
	xr_look_well(w->looks, XR_LOOK_addresses, 0, now_ns);
}

static void look(struct xr_looker *l)
{
	uint64_t now_ns = xr_now_ns();

	if (l->w->nic.maps.control_fd >= 0) {
		look_at_program(l, now_ns);
		look_at_pins(l->w, now_ns);
		look_at_addresses(l->w, now_ns);
	}
	look_at_machine(l, now_ns);
}

/*
 * ---- the thread ----
 */

/* What it says is of no matter: that something changed is. */
static int open_netlink(void)
{
	struct sockaddr_nl a = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_TC,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)))
		xr_close_fd(&fd); /* it looks every two seconds all the same */
	return fd;
}

static void drain(int fd)
{
	char message[8192];

	while (recv(fd, message, sizeof(message), 0) > 0 || errno == ENOBUFS || errno == EINTR)
		;
}

/* False: to end. */
static bool wait_for_change(const struct xr_looker *l)
{
	struct pollfd fds[] = {
		{.fd = l->stop_fd, .events = POLLIN},
		{.fd = l->netlink_fd, .events = POLLIN},
	};

	if (poll(fds, 2, LOOK_MS) > 0 && fds[1].revents) {
		poll(fds, 1, SETTLE_MS);
		drain(l->netlink_fd);
	}
	return !fds[0].revents;
}

static void *looker_main(void *arg)
{
	struct xr_looker *l = arg;

	sem_post(&l->began);
	do {
		pthread_mutex_lock(&l->looking);
		look(l);
		pthread_mutex_unlock(&l->looking);
	} while (wait_for_change(l));
	return NULL;
}

int xr_looker_start(struct xr_looker *l, struct xr_warden *w, struct xr_why *why)
{
	int err;

	l->w = w;
	l->mtu = xr_machine_mtu(w->config.interface);
	l->netlink_fd = open_netlink();
	l->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (l->stop_fd < 0)
		return xr_fail(why, -errno, "cannot make an eventfd: %m; raise LimitNOFILE=");
	sem_init(&l->began, 0, 0);
	err = xr_thread_start(&l->thread, "xr-looker", 0, STACK_BYTES, looker_main, l);
	l->runs = !err;
	/* A fork while a thread is being set up copies locks that nobody gives back. */
	while (l->runs && sem_wait(&l->began) && errno == EINTR)
		;
	return err ? xr_fail(why, -err, "cannot start the thread that looks: %s; raise TasksMax=",
			     strerror(err))
		   : 0;
}

void xr_looker_stop(struct xr_looker *l)
{
	if (!l->runs)
		return;
	l->runs = false;
	eventfd_write(l->stop_fd, 1);
	pthread_join(l->thread, NULL);
	xr_close_fd(&l->stop_fd);
	xr_close_fd(&l->netlink_fd);
}

void xr_looker_hold(struct xr_looker *l)
{
	pthread_mutex_lock(&l->looking);
}

void xr_looker_go_on(struct xr_looker *l)
{
	pthread_mutex_unlock(&l->looking);
}
