// SPDX-License-Identifier: GPL-2.0-only
/* xraftd: options, and what is said before anything is begun. The rest is the warden's. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sysexits.h>
#include "daemon/process.h"
#include "daemon/report.h"

struct options {
	const char *config;
	bool fresh; /* --new, --join */
	bool join;
	bool check;
};

static void usage(FILE *out)
{
	fputs("usage: xraftd [--config FILE] [--new | --join | --check | --keys]\n"
	      "\n"
	      "Takes part in leader elections; an XDP program answers the heartbeats.\n"
	      "\n"
	      "  -c, --config FILE  the configuration (/etc/xraft/xraft.conf)\n"
	      "  -n, --new          start without state: this node never took part in this "
	      "cluster\n"
	      "                     under this id; refused where there is state\n"
	      "  -j, --join         start without state, to be made a member by xraft member add: "
	      "a "
	      "new\n"
	      "                     machine, or one whose state is lost; refused where there is "
	      "state\n"
	      "  -t, --check        validate the configuration, and what it meets on this "
	      "machine;\n"
	      "                     print what is unwise and what is in force, and exit\n"
	      "  -k, --keys         print every key that it may hold, with limits and default\n"
	      "  -V, --version      print the version\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Signals: SIGTERM steps down, then ends; SIGHUP reads keys, nodes and new groups "
	      "again.\n"
	      "Exit codes: 0 ended as asked, 1 failed (one sentence says why), 2 wrong usage, 75 "
	      "failed\n"
	      "for a reason that may pass by itself: no address yet, no memory,\n"
	      "an earlier life of the node that has not ended.\n",
	      out);
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"new", no_argument, NULL, 'n'},
		{"join", no_argument, NULL, 'j'},	  {"check", no_argument, NULL, 't'},
		{"keys", no_argument, NULL, 'k'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int c;

	*o = (struct options){.config = "/etc/xraft/xraft.conf"};
	while ((c = getopt_long(argc, argv, "c:njtkVh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'n':
			o->fresh = true;
			break;
		case 'j':
			o->fresh = o->join = true;
			break;
		case 't':
			o->check = true;
			break;
		case 'k':
			xr_config_print_keys(stdout);
			return 0;
		case 'V':
			puts("xraftd " XR_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default: /* getopt has said what is wrong */
			fputs("see xraftd --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "xraftd: unexpected argument %s; see xraftd --help\n",
			argv[optind]);
		return 2;
	}
	return -1;
}

/* What is wrong goes to stderr, as at a start, but all of it. */
static int print_findings(const struct xr_findings *f)
{
	int wrong = 0;

	for (size_t i = 0; i < f->n; i++) {
		bool bad = f->list[i].grade == XR_WRONG;

		wrong += bad;
		fflush(stdout);
		fprintf(bad ? stderr : stdout, "%s: %s\n", bad ? "xraftd" : "warning",
			f->list[i].text);
	}
	return wrong;
}

static int check(const struct xr_config *c)
{
	struct xr_findings found = {0};
	char addresses[64] = "";
	int nodes = 0;

	xr_config_unwise(c, &found);
	xr_machine_look(c, XR_OCCASION_CHECK, &found);
	if (print_findings(&found))
		return 1;
	for (int node = 1; node <= XR_NODE_MAX; node++)
		nodes += c->nodes[node].used;
	if (c->naddresses)
		snprintf(addresses, sizeof(addresses), ", %zu virtual addresses", c->naddresses);
	printf("ok: node %u of cluster %s, %d nodes, %zu groups%s, election %.4g-%.4g ms, "
	       "heartbeat %.4g ms%s\n",
	       c->self, c->cluster, nodes, c->ngroups, addresses, c->min_timeout_us / 1e3,
	       c->max_timeout_us / 1e3, c->heartbeat_us / 1e3,
	       c->auth_none ? "; WITHOUT AUTHENTICATION (auth = none)" : "");
	xr_config_print(c, stdout);
	return 0;
}

/* systemd tries again after EX_TEMPFAIL, and nothing else: the rest needs a person. */
static int exit_code(int err)
{
	switch (err) {
	case 0:
		return 0;
	case -EADDRNOTAVAIL:
	case -EBUSY: /* an earlier life that hangs in the disk; another's program */
	case -ENODEV:
	case -EAGAIN:
	case -ENOMEM:
		return EX_TEMPFAIL;
	default:
		return 1;
	}
}

/* Where stdin, stdout or stderr is closed, the journal would get its number, and then the log. */
static void keep_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static struct xr_warden warden = {.nic = {.maps = XR_MAPS_NONE}};
	struct options options;
	struct xr_why why = {""};
	int err;

	keep_standard_fds();
	signal(SIGXFSZ, SIG_IGN); /* a write beyond RLIMIT_FSIZE fails, with a sentence */
	err = parse_options(argc, argv, &options);
	if (err >= 0)
		return err;
	warden.config_path = options.config;
	if (sodium_init() < 0)
		err = xr_fail(&why, -EIO, "libsodium does not start; is /dev/urandom there?");
	else
		err = xr_config_read(&warden.config, options.config, &why);
	while (!err && options.join && !warden.birth)
		warden.birth = randombytes_random();
	if (!err && options.check)
		err = check(&warden.config);
	else if (!err)
		err = xr_warden_run(&warden, options.fresh, &why);
	xr_nic_close(&warden.nic);
	xr_config_free(&warden.config);
	if (err < 0)
		xr_last_words("xraftd", &why);
	return exit_code(err);
}
