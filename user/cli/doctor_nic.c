// SPDX-License-Identifier: GPL-2.0-only
/* What can XDP do here? This asks the kernel, and attaches nothing. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <xdp/libxdp.h>

#include "cli/doctor.h"
#include "nic/program.h"

/* Drivers of Linux 6.1 that run XDP natively and can send back what they received. */
static const char *const native_drivers[] = {
	"amazon_ena",	 "ena",	       "atlantic",  "bnxt_en",	   "dpaa2-eth", "fec",
	"fsl_dpaa2_eth", "gve",	       "hv_netvsc", "i40e",	   "ice",	"igb",
	"igc",		 "ixgbe",      "ixgbevf",   "mana",	   "mlx4_en",	"mlx5_core",
	"mtk_soc_eth",	 "mvneta",     "mvpp2",	    "netsec",	   "nfp",	"qede",
	"sfc",		 "stmmac",     "st_gmac",   "thunder-nic", "tsnep",	"tun",
	"veth",		 "virtio_net", "vmxnet3",
};

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

/* "r0 = XDP_PASS; exit" */
static int load_trivial(void)
{
	static const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_cleanup_fd_ int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "xr_probe", "GPL", program,
					    ARRAY_SIZE(program), NULL);

	return fd < 0 ? -errno : 0;
}

static int be_silent(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

void doctor_xdp(struct doctor *d)
{
	enum doctor_result bad = d->want_xdp ? DOCTOR_FAIL : DOCTOR_OK;
	const char *missing;
	int err;

	libbpf_set_print(NULL);
	libxdp_set_print(be_silent);
	err = load_trivial();
	if (err) {
		doctor_add(d, "XDP", bad, "run as root on a kernel with BPF, or set xdp = off",
			   "the kernel refuses an XDP program: %s", strerror(-err));
		return;
	}
	missing = missing_piece();
	if (missing) {
		doctor_add(d, "XDP", bad, "use Linux 6.1 or later, or set xdp = off",
			   "the kernel has no %s for XDP programs", missing);
		return;
	}
	doctor_add(d, "XDP", DOCTOR_OK, "", "XDP programs load, and find what xraft's needs");
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1)
		doctor_add(d, "dispatcher", DOCTOR_OK, "",
			   "several XDP programs can share an interface");
	else
		doctor_add(d, "dispatcher", DOCTOR_WARN,
			   "nothing, unless another XDP program must run on the interface",
			   "the kernel refuses it (freplace): xraft's is the interface's only XDP "
			   "program");
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

static bool is_native(const char *driver)
{
	for (size_t i = 0; i < ARRAY_SIZE(native_drivers); i++)
		if (!strcmp(driver, native_drivers[i]))
			return true;
	return false;
}

static void check_driver(struct doctor *d)
{
	enum doctor_result bad = d->configured && d->config.xdp == XR_XDP_NATIVE ? DOCTOR_FAIL
										 : DOCTOR_WARN;
	char driver[32] = "";

	if (!driver_of(d->interface, driver)) {
		doctor_add(d, "native XDP", bad, "generic XDP will do (xdp = generic)",
			   "%s has no driver that says its name", d->interface);
	} else if (!strcmp(driver, "veth")) {
		doctor_add(
			d, "native XDP", DOCTOR_WARN,
			"the peer end needs a native XDP program too (ip link set dev PEER xdpdrv "
			"obj " XR_PASS_OBJECT " sec xdp); or set xdp = generic",
			"%s is a veth: answers arrive only under a condition", d->interface);
	} else if (is_native(driver)) {
		doctor_add(d, "native XDP", DOCTOR_OK, "", "%s: the driver %s has it", d->interface,
			   driver);
	} else {
		doctor_add(d, "native XDP", bad, "generic XDP will do (xdp = generic)",
			   "%s: the driver %s is not known to have it", d->interface, driver);
	}
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
	if (!ifindex) {
		doctor_add(d, "interface", DOCTOR_FAIL,
			   "correct its name (ip link lists them), or run in its network namespace",
			   "there is no interface %s here", d->interface);
		return;
	}
	if (!d->want_xdp)
		return;
	check_driver(d);
	check_others(d, ifindex);
}
