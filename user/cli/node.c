// SPDX-License-Identifier: GPL-2.0-only
/* Which nodes are on this machine: by their pins, or by their sockets. */
#include <dirent.h>
#include <string.h>

#include "cli/cli.h"

#define NODES_MAX 64 /* that we tell apart; a machine has one, a test bench nine */

struct found {
	struct cli_node nodes[NODES_MAX];
	size_t n;
};

/* "demo-1" (a pin folder) or "demo.1.sock": the cluster may contain the separator itself. */
static bool parse_name(const char *name, char separator, const char *suffix, struct cli_node *out)
{
	const char *split = NULL;
	unsigned long node;
	char *end;

	for (const char *p = name; *p; p++)
		if (*p == separator && !strcmp(p + strspn(p + 1, "0123456789") + 1, suffix))
			split = p;
	if (!split || split == name || (size_t)(split - name) >= sizeof(out->cluster))
		return false;
	node = strtoul(split + 1, &end, 10);
	if (end == split + 1 || node < 1 || node > XR_NODE_MAX)
		return false;
	memset(out->cluster, 0, sizeof(out->cluster));
	memcpy(out->cluster, name, (size_t)(split - name));
	out->node = (unsigned int)node;
	return true;
}

/* `want`: NULL, "1", "demo.1"; "demo-1" as it stands in the folder's name is fine too. */
static bool fits(const struct cli_node *n, const char *want)
{
	char name[64];

	if (!want)
		return true;
	snprintf(name, sizeof(name), "%s.%u", n->cluster, n->node);
	if (!strcmp(name, want))
		return true;
	snprintf(name, sizeof(name), "%s-%u", n->cluster, n->node);
	return !strcmp(name, want) || !strcmp(name + strlen(n->cluster) + 1, want);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct cli_node *x = a, *y = b;
	int order = strcmp(x->cluster, y->cluster);

	return order ? order : (int)x->node - (int)y->node;
}

/* 0, or -errno of a folder that is there but cannot be read. */
static int list(const char *folder, char separator, const char *suffix, struct found *f)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	f->n = 0;
	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while (f->n < NODES_MAX && (e = readdir(d))) {
		struct cli_node *node = &f->nodes[f->n];

		if (!parse_name(e->d_name, separator, suffix, node))
			continue;
		snprintf(node->path, sizeof(node->path), "%s/%.180s", folder, e->d_name);
		f->n++;
	}
	closedir(d);
	qsort(f->nodes, f->n, sizeof(*f->nodes), compare_nodes);
	return 0;
}

static void keep_fitting(const struct found *all, const char *want, struct found *kept)
{
	kept->n = 0;
	for (size_t i = 0; i < all->n; i++)
		if (fits(&all->nodes[i], want))
			kept->nodes[kept->n++] = all->nodes[i];
}

/* "demo.1, demo.2" */
static const char *names(const struct found *f, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < f->n && len + 1 < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s.%u", i ? ", " : "",
					f->nodes[i].cluster, f->nodes[i].node);
	return text;
}

static int find(const char *folder, char separator, const char *suffix, const char *want,
		struct cli_node *out)
{
	struct found all, fitting;
	char text[1024];
	int err = list(folder, separator, suffix, &all);

	if (err)
		return cli_fail(CLI_FAILED, "%s: cannot be read: %s; run xraft as root", folder,
				strerror(-err));
	keep_fitting(&all, want, &fitting);
	if (fitting.n == 1) {
		*out = fitting.nodes[0];
		return CLI_OK;
	}
	if (fitting.n > 1)
		return cli_fail(CLI_NO_NODE, "there are several nodes here: %s; choose one with -n",
				names(&fitting, text, sizeof(text)));
	if (all.n)
		return cli_fail(CLI_NO_NODE, "there is no node %s here, but: %s", want,
				names(&all, text, sizeof(text)));
	return cli_fail(CLI_NO_NODE,
			"no node of xraft is on this machine (nothing in %s); start xraftd, or "
			"give --socket PATH if its socket is elsewhere",
			folder);
}

int cli_find_pins(const char *want, struct cli_node *out)
{
	return find(XR_BPFFS_DIR, '-', "", want, out);
}

bool cli_name_node(const char *want, struct cli_node *out)
{
	if (!want || (!parse_name(want, '.', "", out) && !parse_name(want, '-', "", out)))
		return false;
	xr_maps_dir(out->path, sizeof(out->path), out->cluster, (uint8_t)out->node);
	return true;
}

int cli_find_socket(const char *want, struct cli_node *out)
{
	return find(CLI_SOCKETS, '.', ".sock", want, out);
}

bool cli_only_socket(const char *want)
{
	struct found all, pins, sockets;

	if (list(XR_BPFFS_DIR, '-', "", &all))
		return false; /* let cli_find_pins() say what is wrong */
	keep_fitting(&all, want, &pins);
	if (list(CLI_SOCKETS, '.', ".sock", &all))
		return false;
	keep_fitting(&all, want, &sockets);
	return !pins.n && sockets.n;
}

int cli_daemon_socket(const struct cli *cli, struct cli_node *node)
{
	int code;

	if (cli->socket) {
		snprintf(node->path, sizeof(node->path), "%s", cli->socket);
		return CLI_OK;
	}
	if (cli_only_socket(cli->node))
		return cli_find_socket(cli->node, node);
	code = cli_find_pins(cli->node, node);
	if (!code)
		snprintf(node->path, sizeof(node->path), CLI_SOCKETS "/%s.%u.sock", node->cluster,
			 node->node);
	return code;
}
