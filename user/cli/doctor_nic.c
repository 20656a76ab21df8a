// SPDX-License-Identifier: GPL-2.0-only
/* What can XDP do here? The kernel is asked, and tried: no list of names knows. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cli/doctor.h"
#include "nic/complaint.h"
#include "nic/program.h"
#include "nic/try.h"

/* A page, without what stands around a frame in it. */
#define MTU_OF_A_PAGE 3498
#define ACT_BASIC     1 /* NETDEV_XDP_ACT_BASIC: it runs programs, and sends back what they say */

/*
 * ---- the kernel ----
 */

/* The program does not load without these. The newest helper comes first. */
static const char *missing_piece(void)
{
	static const struct {
		enum bpf_func_id id;
		const char *name;
	} needed[] = {
		{BPF_FUNC_loop, "bpf_loop"},
		{BPF_FUNC_ktime_get_boot_ns, "bpf_ktime_get_boot_ns"},
		{BPF_FUNC_ringbuf_reserve, "bpf_ringbuf_reserve"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, needed[i].id, NULL) == 0)
			return needed[i].name;
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SOCKMAP, NULL) == 0 ? "sockmap" : NULL;
}

static void check_dispatcher(struct doctor *d)
{
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1)
		doctor_add(d, "dispatcher", DOCTOR_OK, "",
			   "several XDP programs can share an interface");
	else
		doctor_add(d, "dispatcher", DOCTOR_WARN,
			   "nothing, unless another XDP program must run on the interface",
			   "the kernel refuses it (freplace): xraft's is the interface's only XDP "
			   "program");
}

void doctor_xdp(struct doctor *d)
{
	enum doctor_result bad = d->want_xdp ? DOCTOR_FAIL : DOCTOR_OK;
	const char *missing;
	struct xr_why why;
	int err;

	xr_complaint_begin(); /* nothing of it on stderr */
	err = xr_try_load(&why);
	if (!err) {
		doctor_add(d, "XDP", DOCTOR_OK, "", "the kernel loads xraft's program");
		check_dispatcher(d);
		return;
	}
	if (err == -EPERM && doctor_has(CAP_BPF)) {
		doctor_add(d, "XDP", bad,
			   "let it pass, as podman does with --cap-add SYS_ADMIN, or set xdp = off",
			   "bpf() is refused in spite of CAP_BPF: by a seccomp list, such as a "
			   "container's");
		return;
	}
	missing = err == -EPERM ? NULL : missing_piece();
	if (missing)
		doctor_add(d, "XDP", bad, "use Linux 6.1 or later, or set xdp = off",
			   "the kernel has no %s for XDP programs", missing);
	else
		doctor_add(d, "XDP", bad, "run as root on a kernel with BPF, or set xdp = off",
			   "the kernel refuses xraft's XDP program: %s", why.text);
}

/*
 * ---- the interface ----
 */
static bool driver_of(const char *interface, char driver[32])
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&info};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		return false;
	snprintf(driver, 32, "%.31s", info.driver);
	return true;
}

static int mtu_of(const char *interface)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd < 0 || ioctl(fd, SIOCGIFMTU, &request) ? 0 : request.ifr_mtu;
}

static void try_native(struct doctor *d, unsigned int ifindex, const char *driver,
		       enum doctor_result bad)
{
	struct xr_why why;

	if (xr_try_native(ifindex, &why))
		doctor_add(d, "native XDP", bad,
			   "mend what the kernel names, or generic XDP will do (xdp = generic)",
			   "%s: the driver %s has refused a program: %s", d->interface, driver,
			   why.text);
	else
		doctor_add(d, "native XDP", DOCTOR_OK, "",
			   "%s: the driver %s has taken a program, which is off again",
			   d->interface, driver);
}

/* What the driver says of itself, and what may come in between. */
static void ask_driver(struct doctor *d, unsigned int ifindex, const char *driver,
		       enum doctor_result bad)
{
	int64_t features = doctor_xdp_features(ifindex);
	int mtu = mtu_of(d->interface);

	if (features < 0)
		doctor_add(d, "native XDP", DOCTOR_WARN,
			   "xraft doctor --try attaches one for a moment; some drivers take the "
			   "link down for it",
			   "%s: this kernel does not say whether the driver %s takes programs",
			   d->interface, driver);
	else if (!(features & ACT_BASIC))
		doctor_add(d, "native XDP", bad, "generic XDP will do (xdp = generic)",
			   "%s: the driver %s says that it takes no programs", d->interface,
			   driver);
	else if (mtu > MTU_OF_A_PAGE)
		doctor_add(
			d, "native XDP", DOCTOR_WARN,
			"xraft doctor --try attaches one for a moment; a smaller MTU helps where "
			"it is refused",
			"%s: the driver %s says that it takes programs, but may not at an MTU "
			"of %d",
			d->interface, driver, mtu);
	else
		doctor_add(d, "native XDP", DOCTOR_OK, "",
			   "%s: the driver %s says that it takes programs (--try asks it for one)",
			   d->interface, driver);
}

static void check_driver(struct doctor *d, unsigned int ifindex)
{
	enum doctor_result bad = d->configured && d->config.xdp == XR_XDP_NATIVE ? DOCTOR_FAIL
										 : DOCTOR_WARN;
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	char driver[32] = "without a name";

	driver_of(d->interface, driver);
	if (bpf_xdp_query((int)ifindex, 0, &query))
		query.attach_mode = XDP_ATTACHED_NONE;
	if (query.drv_prog_id)
		doctor_add(d, "native XDP", DOCTOR_OK, "",
			   "%s: the driver %s runs a program right now", d->interface, driver);
	else if (d->try && query.attach_mode == XDP_ATTACHED_NONE)
		try_native(d, ifindex, driver, bad);
	else
		ask_driver(d, ifindex, driver, bad);
	if (!strcmp(driver, "veth"))
		doctor_add(
			d, "veth", DOCTOR_WARN,
			"the peer end needs a native XDP program too (ip link set dev PEER xdpdrv "
			"obj " XR_PASS_OBJECT " sec xdp); or set xdp = generic",
			"%s is a veth: answers arrive only under a condition", d->interface);
}

/* The first that is not this node's, or of no node that we know; NULL: none. */
static const struct xr_program *stranger(const struct doctor *d, const struct xr_programs *there)
{
	for (size_t i = 0; i < there->n; i++) {
		const struct xr_program *p = &there->all[i];

		if (!p->xraft || (d->configured && p->node &&
				  !xr_program_is(p, d->config.cluster, d->config.self)))
			return p;
	}
	return NULL;
}

static void list_programs(const struct xr_programs *there, char *text, size_t size)
{
	size_t len = 0;

	snprintf(text, size, "no XDP program");
	for (size_t i = 0; i < there->n && len + 1 < size; i++) {
		char what[128];

		xr_program_says(&there->all[i], what, sizeof(what));
		len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "", what);
	}
}

static void check_others(struct doctor *d, unsigned int ifindex)
{
	struct xr_programs there;
	const struct xr_program *other;
	char text[256];

	if (xr_programs_on(&there, ifindex)) {
		doctor_add(d, "attached", DOCTOR_WARN, "run as root to see them",
			   "%s: there is no right to list its XDP programs", d->interface);
		return;
	}
	other = stranger(d, &there);
	list_programs(&there, text, sizeof(text));
	if (!other || other->dispatched)
		doctor_add(d, "attached", DOCTOR_OK, "", "%s: %s", d->interface, text);
	else
		doctor_add(d, "attached", d->want_xdp ? DOCTOR_FAIL : DOCTOR_OK,
			   !d->want_xdp ? ""
			   : other->xraft
				   ? "give this node another interface, or set xdp = off"
				   : "give this node another interface, or set xdp = off; where "
				     "several can share one (see dispatcher), load that program by "
				     "xdp-loader",
			   "%s: %s leaves no room for another", d->interface, text);
}

void doctor_interface(struct doctor *d)
{
	unsigned int ifindex;

	if (!d->interface[0]) {
		if (d->want_xdp)
			doctor_add(d, "interface", DOCTOR_WARN, "name it with --interface IF",
				   "none is named, so none was looked at");
		return;
	}
	ifindex = if_nametoindex(d->interface);
	if (!ifindex && d->configured && !strcmp(d->interface, d->config.interface))
		return; /* it has been said */
	if (!ifindex) {
		doctor_add(d, "interface", DOCTOR_FAIL,
			   "correct its name (ip link lists them), or run in its network namespace",
			   "there is no interface %s here", d->interface);
		return;
	}
	if (!d->want_xdp)
		return;
	check_driver(d, ifindex);
	check_others(d, ifindex);
}
