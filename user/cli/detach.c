// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tidy up after a node: its XDP program and its pins. A program is this node's if it is named
 * xr_nic and uses the very maps that are pinned; detach never touches any other.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <getopt.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>
#include <xdp/libxdp.h>

#include "cli/cli.h"
#include "lib/status.h"
#include "nic/nic.h"

struct target {
	struct cli_node node;
	struct xr_control control; /* zero where the maps are of another version */
	bool known;		   /* `control` holds */
	uint32_t control_id;	   /* of the pinned xr_control; 0: not pinned */
	const char *interface;	   /* --interface, or NULL */
	bool force;
};

/*
 * ---- is it ours ----
 */
static bool uses_map(int program_fd, uint32_t map_id)
{
	uint32_t ids[64], size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = ARRAY_SIZE(ids), .map_ids = (uintptr_t)ids};

	if (bpf_obj_get_info_by_fd(program_fd, &info, &size) || strcmp(info.name, "xr_nic"))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(ids); i++)
		if (ids[i] == map_id)
			return true;
	return false;
}

static bool is_attached(const struct target *t, unsigned int ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *program = NULL;
	bool found = false;

	if (libxdp_get_error(mp))
		return false;
	while (!found && (program = xdp_multiprog__next_prog(program, mp)))
		found = uses_map(xdp_program__fd(program), t->control_id);
	program = xdp_multiprog__main_prog(mp);
	if (!found && program && xdp_multiprog__is_legacy(mp))
		found = uses_map(xdp_program__fd(program), t->control_id);
	xdp_multiprog__close(mp);
	return found;
}

static uint32_t pinned_map_id(const char *dir)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	_cleanup_fd_ int fd = -1;
	char path[512];

	snprintf(path, sizeof(path), "%s/xr_control", dir);
	fd = bpf_obj_get(path);
	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

/*
 * ---- in which network namespace ----
 */
static bool is_inode(const char *path, uint64_t inode)
{
	struct stat st;

	return !stat(path, &st) && st.st_ino == inode;
}

static bool find_in(const char *folder, const char *rest, uint64_t inode, char path[300])
{
	DIR *d = opendir(folder);
	struct dirent *e;
	bool found = false;

	if (!d)
		return false;
	while (!found && (e = readdir(d))) {
		snprintf(path, 300, "%s/%.255s%s", folder, e->d_name, rest);
		found = e->d_name[0] != '.' && is_inode(path, inode);
	}
	closedir(d);
	return found;
}

/* A path by which nsenter gets into it: a name, or a process that lives there. */
static bool find_netns(uint64_t inode, char path[300])
{
	return find_in("/run/netns", "", inode, path) || find_in("/proc", "/ns/net", inode, path);
}

/* CLI_OK with *ifindex, 0 where there is nothing to look at any more. */
static int find_interface(const struct target *t, unsigned int *ifindex)
{
	const struct xr_control *c = &t->control;
	char path[300];

	*ifindex = 0;
	if (t->interface) {
		*ifindex = if_nametoindex(t->interface);
		return *ifindex ? CLI_OK
				: cli_fail(CLI_FAILED,
					   "there is no interface %s here; run it in "
					   "its network namespace (nsenter --net=...)",
					   t->interface);
	}
	if (!t->known)
		printf("these maps do not say which interface it was; to detach a program too, "
		       "name it with --interface\n");
	if (!t->known || c->nic_mode == XR_NIC_OFF)
		return CLI_OK;
	if (c->netns && c->netns != xr_status_netns()) {
		if (find_netns(c->netns, path))
			return cli_fail(
				CLI_FAILED,
				"the node's interface %.16s is in another network namespace; "
				"run: nsenter --net=%s xraft -n %s.%u detach",
				c->interface, path, t->node.cluster, t->node.node);
		printf("the node's network namespace is gone, and its XDP program with it\n");
		return CLI_OK;
	}
	if (!c->ifindex || !if_indextoname(c->ifindex, path))
		printf("the interface %.16s is gone, and the XDP program with it\n", c->interface);
	else
		*ifindex = c->ifindex;
	return CLI_OK;
}

/*
 * ---- do it ----
 */
static int detach_program(const struct target *t, unsigned int ifindex)
{
	char name[IF_NAMESIZE] = "?";
	struct xr_nic_opts o = {
		.cluster = t->node.cluster,
		.node = (uint8_t)t->node.node,
		.interface = name,
	};
	int err;

	if_indextoname(ifindex, name);
	if (!is_attached(t, ifindex)) {
		printf("%s: no XDP program of this node is attached\n", name);
		return CLI_OK;
	}
	err = xr_detach(&o, ifindex);
	if (err || is_attached(t, ifindex))
		return cli_fail(
			CLI_FAILED,
			"%s: the XDP program cannot be detached: %s; its pins were left, try "
			"again as root",
			name, err ? strerror(-err) : "it is still there");
	printf("%s: detached this node's XDP program\n", name);
	return CLI_OK;
}

static int remove_pins(const char *dir)
{
	char path[512];

	for (size_t i = 0; xr_maps_name(i); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, xr_maps_name(i));
		if (unlink(path) && errno != ENOENT)
			return cli_fail(CLI_FAILED, "%s: cannot be removed: %s; run as root", path,
					strerror(errno));
	}
	if (rmdir(dir))
		return cli_fail(CLI_FAILED, "%s: cannot be removed: %s; look what is in it", dir,
				strerror(errno));
	printf("removed %s\n", dir);
	return CLI_OK;
}

/* Fill in what the maps say of the node, and refuse where they speak against it. */
static int look_at(struct target *t)
{
	struct xr_maps maps;
	struct xr_why why;
	int err = xr_maps_open(&maps, t->node.path, false, &why);

	if (err && !t->force && err != -ENOENT)
		return cli_fail(CLI_FAILED, "%s; --force removes it all the same", why.text);
	if (!err) {
		t->control = *maps.control;
		t->known = true;
		xr_maps_close(&maps);
	}
	if (t->known && xr_status_alive(&t->control) && !t->force)
		return cli_fail(CLI_FAILED,
				"node %s.%u is running (process %d); stop it first (systemctl stop "
				"xraftd), or use --force",
				t->node.cluster, t->node.node, t->control.pid);
	t->control_id = pinned_map_id(t->node.path);
	return CLI_OK;
}

static int be_silent(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int detach(const struct cli *cli, struct target *t)
{
	unsigned int ifindex;
	int code;

	libbpf_set_print(NULL);
	libxdp_set_print(be_silent);
	code = cli_find_pins(cli->node, &t->node);
	if (!code)
		code = look_at(t);
	if (!code)
		code = find_interface(t, &ifindex);
	if (!code && ifindex)
		code = detach_program(t, ifindex);
	if (!code)
		code = remove_pins(t->node.path);
	return code;
}

int cli_detach(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"interface", required_argument, NULL, 'i'},
		{"force", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct target t = {0};
	int c;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			t.interface = optarg;
			break;
		case 'f':
			t.force = true;
			break;
		case 'h':
			return cli_help("detach");
		case ':':
			return cli_usage("detach", "%s needs a value", argv[optind - 1]);
		default:
			return cli_usage("detach", "there is no option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return cli_usage("detach", "\"%s\" is too much; name a node with -n", argv[optind]);
	return detach(cli, &t);
}
