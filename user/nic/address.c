// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include "nic/address.h"
#include "nic/complaint.h"
#include "nic/program.h"

#define FILTERS_MAX 64
#define DUMP_SIZE   32768 /* which the kernel fills at most */

/*
 * ---- the map ----
 */
static int fill(int fd, const struct xr_nic_opts *o)
{
	for (size_t i = 0; i < o->naddresses; i++)
		if (bpf_map_update_elem(fd, &o->addresses[i].key, &o->addresses[i].value, BPF_ANY))
			return -errno;
	return bpf_map_freeze(fd) ? -errno : 0; /* an address that is removed is not fenced */
}

/* With its types, by which bpftool prints names; they are the object's, which is not loaded yet. */
static void add_types(struct bpf_object *object, const struct bpf_map *map,
		      struct bpf_map_create_opts *opts)
{
	uint32_t size;
	const void *raw = btf__raw_data(bpf_object__btf(object), &size);
	struct btf *copy = raw ? btf__new(raw, size) : NULL;

	if (!copy || btf__load_into_kernel(copy)) {
		btf__free(copy);
		return;
	}
	opts->btf_fd = (uint32_t)dup(btf__fd(copy));
	opts->btf_key_type_id = bpf_map__btf_key_type_id(map);
	opts->btf_value_type_id = bpf_map__btf_value_type_id(map);
	btf__free(copy);
}

static int make_map(struct bpf_object *object, struct bpf_map *map, const struct xr_nic_opts *o)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t entries = o->naddresses ? (uint32_t)o->naddresses : 1;
	_cleanup_fd_ int fd = -1;
	int err;

	add_types(object, map, &opts);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "xr_addresses", sizeof(struct xr_ip),
			    sizeof(struct xr_address), entries, &opts);
	err = fd < 0 ? -errno : fill(fd, o);
	if (opts.btf_fd)
		close((int)opts.btf_fd);
	return err ? err : bpf_map__reuse_fd(map, fd);
}

/* xr_has_addresses, which is all that .rodata holds: another size is refused. */
static int set_flag(struct bpf_object *object, bool on)
{
	struct bpf_map *rodata = bpf_object__find_map_by_name(object, ".rodata");
	uint8_t value = on;

	return rodata ? bpf_map__set_initial_value(rodata, &value, sizeof(value)) : -ENOENT;
}

static struct bpf_program *program(struct bpf_object *object, enum bpf_tc_attach_point point)
{
	return bpf_object__find_program_by_name(object, point == BPF_TC_EGRESS ? XR_FENCE_OUT
									       : XR_FENCE_IN);
}

int xr_fence_prepare(struct bpf_object *object, const struct xr_nic_opts *o, int map_fd,
		     struct xr_why *why)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, "xr_addresses");
	int err = set_flag(object, o->naddresses);

	if (!err)
		err = map_fd < 0 ? make_map(object, map, o) : bpf_map__reuse_fd(map, map_fd);
	if (err)
		return xr_fail(why, err, "cannot make xr_addresses: %s; see xraft doctor",
			       strerror(-err));
	bpf_program__set_autoload(program(object, BPF_TC_EGRESS), o->naddresses);
	bpf_program__set_autoload(program(object, BPF_TC_INGRESS), o->naddresses);
	return 0;
}

/*
 * ---- the filters of an interface ----
 */
struct filter {
	uint32_t handle, priority, program;
};

struct filters {
	struct filter all[FILTERS_MAX];
	size_t n;
};

static int on_option(const struct nlattr *attr, void *arg)
{
	struct filter *f = arg;

	if (mnl_attr_get_type(attr) == TCA_BPF_ID)
		f->program = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int on_attribute(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == TCA_OPTIONS)
		return mnl_attr_parse_nested(attr, on_option, arg);
	return MNL_CB_OK;
}

/* One message a filter, and one a chain of them, which has no handle. */
static int on_filter(const struct nlmsghdr *message, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	struct filters *found = arg;
	struct filter *f = &found->all[found->n];

	if (!tc->tcm_handle || found->n == FILTERS_MAX)
		return MNL_CB_OK;
	*f = (struct filter){.handle = tc->tcm_handle, .priority = tc->tcm_info >> 16};
	mnl_attr_parse(message, sizeof(*tc), on_attribute, f);
	found->n++;
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *nl, struct nlmsghdr *request, mnl_cb_t on_answer, void *arg)
{
	char answer[DUMP_SIZE];
	unsigned int port = mnl_socket_get_portid(nl), sequence = request->nlmsg_seq;
	ssize_t n = mnl_socket_sendto(nl, request, request->nlmsg_len);

	while (n > 0) {
		n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
		if (n > 0)
			n = mnl_cb_run(answer, (size_t)n, sequence, port, on_answer, arg);
	}
	return n < 0 ? -errno : 0;
}

/* None also where the interface has no clsact. */
static void list(unsigned int ifindex, enum bpf_tc_attach_point point, struct filters *found)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	char room[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(room);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));

	found->n = 0;
	request->nlmsg_type = RTM_GETTFILTER;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT,
				   point == BPF_TC_EGRESS ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	if (nl && !mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		ask(nl, request, on_filter, found);
	if (nl)
		mnl_socket_close(nl);
}

/* This node's, told by the maps that its program uses. */
static bool is_ours(const struct filter *f, const struct xr_nic_opts *o)
{
	_cleanup_fd_ int fd = f->program ? bpf_prog_get_fd_by_id(f->program) : -1;
	struct xr_program p;

	return fd >= 0 && !xr_program_read(fd, &p) &&
	       (!strcmp(p.name, XR_FENCE_OUT) || !strcmp(p.name, XR_FENCE_IN)) &&
	       xr_program_is(&p, o->cluster, o->node);
}

static const struct filter *find(const struct filters *found, const struct xr_nic_opts *o)
{
	for (size_t i = 0; i < found->n; i++)
		if (is_ours(&found->all[i], o))
			return &found->all[i];
	return NULL;
}

static bool is_at(const struct xr_nic_opts *o, unsigned int ifindex, enum bpf_tc_attach_point point)
{
	struct filters found;

	list(ifindex, point, &found);
	return find(&found, o);
}

bool xr_fence_is_on(const struct xr_nic_opts *o, enum xr_nic_mode mode, unsigned int ifindex)
{
	return !o->naddresses || (is_at(o, ifindex, BPF_TC_EGRESS) &&
				  (mode != XR_NIC_OFF || is_at(o, ifindex, BPF_TC_INGRESS)));
}

/*
 * ---- off ----
 */
static int detach_at(const struct xr_nic_opts *o, unsigned int ifindex,
		     enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	struct filters found;
	const struct filter *ours;
	int n = 0, err;

	for (list(ifindex, point, &found); (ours = find(&found, o));
	     list(ifindex, point, &found), n++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ours->handle, .priority = ours->priority);

		err = bpf_tc_detach(&hook, &opts);
		if (err)
			return err;
	}
	return n;
}

/* Others may have filters there by now: the clsact is theirs, too. */
static void remove_clsact(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct filters in, out;

	list(ifindex, BPF_TC_INGRESS, &in);
	list(ifindex, BPF_TC_EGRESS, &out);
	if (!in.n && !out.n)
		bpf_tc_hook_destroy(&hook);
}

static int detach_from(const struct xr_nic_opts *o, unsigned int ifindex)
{
	int in = detach_at(o, ifindex, BPF_TC_INGRESS), out = detach_at(o, ifindex, BPF_TC_EGRESS);

	if (in < 0 || out < 0)
		return in < 0 ? in : out;
	if (in + out)
		remove_clsact(ifindex);
	return in + out;
}

int xr_fence_detach(const struct xr_nic_opts *o, unsigned int keep)
{
	struct if_nameindex *all = if_nameindex();
	int n = 0, err = 0;

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		int here = i->if_index == keep ? 0 : detach_from(o, i->if_index);

		err = here < 0 ? here : err;
		n += here > 0 ? here : 0;
	}
	if_freenameindex(all);
	return err ? err : n;
}

/*
 * ---- on ----
 */
static int attach_at(struct bpf_object *object, const struct xr_nic_opts *o, unsigned int ifindex,
		     enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(program(object, point)));
	struct filters found;
	const struct filter *old;
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	list(ifindex, point, &found);
	old = find(&found, o);
	if (old) {
		opts.handle = old->handle;
		opts.priority = old->priority;
		opts.flags = BPF_TC_F_REPLACE;
	}
	return bpf_tc_attach(&hook, &opts); /* without a priority before all that are there */
}

int xr_fence_attach(struct bpf_object *object, const struct xr_nic_opts *o, enum xr_nic_mode mode,
		    unsigned int ifindex, struct xr_why *why)
{
	int err = 0;

	if (o->naddresses) {
		err = attach_at(object, o, ifindex, BPF_TC_EGRESS);
		if (!err && mode == XR_NIC_OFF)
			err = attach_at(object, o, ifindex, BPF_TC_INGRESS);
		if (!err && mode != XR_NIC_OFF) /* an XDP program looks at that by now */
			detach_at(o, ifindex, BPF_TC_INGRESS);
	}
	if (err)
		return xr_fail(why, err,
			       "%s: the fence of the virtual addresses is refused: %s; see xraft "
			       "doctor, or take [addresses] out",
			       o->interface, xr_complaint(err));
	xr_fence_detach(o, o->naddresses ? ifindex : 0);
	return 0;
}
