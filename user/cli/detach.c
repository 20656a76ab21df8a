// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tidy up after a node: its XDP programs, its pins, its lock. A program is this node's if its maps
 * say so, whether they are pinned or not; detach never touches any other.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <getopt.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xdp/libxdp.h>

#include "cli/cli.h"
#include "lib/status.h"
#include "nic/address.h"
#include "nic/program.h"

#define GONE_TRIES 60 /* for 3 s */

struct target {
	struct cli_node node;
	struct xr_nic_opts opts;
	struct xr_control control; /* zero where the maps are of another version */
	bool known;		   /* `control` holds */
	uint32_t control_id;	   /* of the pinned xr_control; 0: not pinned */
	const char *interface;	   /* --interface, or NULL */
	bool force;
};

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

static int find_programs(const struct target *t, struct xr_programs *found)
{
	if (!xr_programs_of(found, t->node.cluster, t->node.node))
		return CLI_OK;
	return cli_fail(CLI_FAILED,
			"no right to look at XDP programs; run as root (CAP_SYS_ADMIN)");
}

/*
 * ---- do it ----
 */

/* By pins of its own, perhaps in another bpffs: then its engine is not that of our pins. */
static int refuse_living(const struct target *t, const struct xr_program *p)
{
	if (t->force || p->control_id == t->control_id || !xr_program_lives(p))
		return CLI_OK;
	return cli_fail(
		CLI_FAILED,
		"node %s.%u is running: its engine uses the maps of XDP program %u; stop it "
		"first (systemctl stop xraftd), or use --force",
		t->node.cluster, t->node.node, p->id);
}

static int detach_program(const struct target *t, const struct xr_program *p)
{
	char name[IF_NAMESIZE] = "?";
	int err, code = refuse_living(t, p);

	if (code)
		return code;
	if_indextoname(p->ifindex, name);
	err = xr_detach(&t->opts, p->ifindex);
	if (err)
		return cli_fail(CLI_FAILED,
				"%s: XDP program %u cannot be taken off: %s; %s, then try again; "
				"nothing was removed",
				name, p->id, strerror(-err), xr_program_remedy(err));
	printf("%s: detached this node's XDP program\n", name);
	return CLI_OK;
}

static int detach_programs(const struct target *t)
{
	struct xr_programs found;
	unsigned int only = t->interface ? if_nametoindex(t->interface) : 0;
	int code = find_programs(t, &found);

	if (!code && t->interface && !only)
		code = cli_fail(CLI_FAILED,
				"there is no interface %s here; run it in its network namespace "
				"(nsenter --net=...)",
				t->interface);
	for (size_t i = 0; i < found.n && !code; i++)
		if (found.all[i].ifindex && (!only || found.all[i].ifindex == only))
			code = detach_program(t, &found.all[i]);
	return code;
}

static int detach_fence(const struct target *t)
{
	int n = t->interface ? 0 : xr_fence_detach(&t->opts, 0);

	if (n < 0)
		return cli_fail(CLI_FAILED,
				"the fence of this node's virtual addresses cannot be taken off: "
				"%s; run as root (CAP_NET_ADMIN)",
				strerror(-n));
	if (n)
		printf("detached the fence of this node's virtual addresses\n");
	return CLI_OK;
}

static bool holds(const char *fd, uint32_t id)
{
	char path[64], line[128];
	unsigned int of = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%.16s", fd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info) && !of)
		sscanf(line, "prog_id: %u", &of);
	if (info)
		fclose(info);
	return of == id;
}

/* libxdp 1.3 forgets descriptors, of programs and of their links, and by these the program lives on. */
static void let_go(uint32_t id)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (holds(e->d_name, id))
			close((int)strtol(e->d_name, NULL, 10));
	if (d)
		closedir(d);
}

/*
 * The kernel forgets one that was detached only after the last run of it: behind a dispatcher, and on
 * a busy machine, that takes a while.
 */
static bool is_gone(uint32_t id)
{
	int fd;

	let_go(id);
	for (int tries = 0; tries < GONE_TRIES; tries++) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			return true;
		close(fd);
		nanosleep(&(struct timespec){.tv_nsec = 50 * NS_PER_MS}, NULL);
	}
	return false;
}

/* It is attached where we cannot reach. */
static int elsewhere(const struct target *t, const struct xr_program *p)
{
	char path[300];

	if (t->known && t->control.netns && find_netns(t->control.netns, path))
		return cli_fail(CLI_FAILED,
				"XDP program %u of this node is in another network namespace; run: "
				"nsenter --net=%s xraft -n %s.%u detach",
				p->id, path, t->node.cluster, t->node.node);
	return cli_fail(CLI_FAILED,
			"XDP program %u of this node is in another network namespace, or a process "
			"holds it; run xraft detach there, too, or use --force; the pins were left",
			p->id);
}

/* Where a card was unplugged: it is on no interface here, and nowhere else. */
static void forget_gone(const struct target *t)
{
	struct xr_programs found;

	if (!t->known || !is_inode("/proc/self/ns/net", t->control.netns) ||
	    xr_programs_of(&found, t->node.cluster, t->node.node))
		return;
	for (size_t i = 0; i < found.n; i++)
		if (!found.all[i].ifindex && xr_program_forget(found.all[i].id))
			printf("detached this node's XDP program from an interface that is gone\n");
}

/* Success is said only of what has been looked at. */
static int see_that_nothing_stays(const struct target *t)
{
	struct xr_programs found;
	char name[IF_NAMESIZE];
	int code = find_programs(t, &found);

	for (size_t i = 0; i < found.n && !code; i++) {
		const struct xr_program *p = &found.all[i];

		if (p->ifindex)
			code = cli_fail(CLI_FAILED,
					"%s: XDP program %u of this node is still there; the pins "
					"were left",
					if_indextoname(p->ifindex, name) ? name : "?", p->id);
		else if (!t->force && !is_gone(p->id))
			code = elsewhere(t, p);
	}
	return code;
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
	if (!rmdir(dir))
		printf("removed %s\n", dir);
	else if (errno != ENOENT)
		return cli_fail(CLI_FAILED, "%s: cannot be removed: %s; look what is in it", dir,
				strerror(errno));
	return CLI_OK;
}

/* That of a daemon which was killed. Whoever holds it keeps it. */
static void remove_lock(const struct target *t)
{
	int fd;

	if (!xr_nic_lock(&t->opts, &fd, NULL))
		xr_nic_unlock(&t->opts, &fd);
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
				"node %s.%u is running (process %d%s); stop it first (systemctl "
				"stop xraftd), or use --force",
				t->node.cluster, t->node.node, t->control.pid,
				xr_status_knows_pids(&t->control) ? "" : " of its container");
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

/* Named in full it need not have pins: they may be gone, and its program not. */
static int find_node(const struct cli *cli, struct target *t)
{
	struct xr_programs found;
	int code = CLI_OK;

	if (!cli_name_node(cli->node, &t->node))
		return cli_find_pins(cli->node, &t->node);
	if (access(t->node.path, F_OK)) {
		code = find_programs(t, &found);
		if (!code && !found.n)
			code = cli_find_pins(cli->node, &t->node);
	}
	return code;
}

static int detach(const struct cli *cli, struct target *t)
{
	int code;

	libbpf_set_print(NULL);
	libxdp_set_print(be_silent);
	code = find_node(cli, t);
	t->opts = (struct xr_nic_opts){.cluster = t->node.cluster, .node = (uint8_t)t->node.node};
	if (!code)
		code = look_at(t);
	if (!code)
		code = detach_programs(t);
	if (!code)
		code = detach_fence(t);
	if (!code)
		forget_gone(t);
	if (!code)
		code = see_that_nothing_stays(t);
	if (!code)
		code = remove_pins(t->node.path);
	if (!code)
		remove_lock(t);
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
