// SPDX-License-Identifier: GPL-2.0-only
/* xraft-agent: options, set-up, and the loop that looks. */
#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include "agent/http.h"

#define LOOK_NS	    (100 * NS_PER_MS) /* when nothing tells it to */
#define ACCURACY_US 1000

struct options {
	const char *config;
	pid_t warden; /* which started it; 0: somebody else did */
};

static void usage(FILE *out)
{
	fputs("usage: xraft-agent [--config FILE]\n"
	      "\n"
	      "Does what follows from a leadership: keeps virtual addresses where the leader is,\n"
	      "tells state and metrics by HTTP, calls programs. xraftd starts it, and starts it\n"
	      "again, where the configuration asks for that by a section [addresses], [http] or\n"
	      "[hooks].\n"
	      "\n"
	      "  -c, --config FILE  the configuration of xraftd (/etc/xraft/xraft.conf)\n"
	      "  -V, --version      print the version\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "SIGTERM takes the addresses away, then ends it.\n"
	      "Exit codes: 0 ended as asked, 1 failed (one sentence says why), 2 wrong usage.\n",
	      out);
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"warden", required_argument, NULL, 'w'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){.config = "/etc/xraft/xraft.conf"};
	while ((c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		if (c == 'c') {
			o->config = optarg;
		} else if (c == 'w') { /* for xraftd alone */
			o->warden = (pid_t)strtol(optarg, NULL, 10);
		} else if (c == 'V') {
			puts("xraft-agent " XR_VERSION);
			return 0;
		} else if (c == 'h') {
			usage(stdout);
			return 0;
		} else { /* getopt has said what is wrong */
			fputs("see xraft-agent --help\n", stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "xraft-agent: unexpected argument %s; see xraft-agent --help\n",
		argv[optind]);
	return 2;
}

/*
 * ---- set-up ----
 */
static int read_config(struct xr_agent *a, const char *path, struct xr_why *why)
{
	int err = xr_config_read(&a->config, path, why);

	sodium_memzero(a->config.keys, sizeof(a->config.keys)); /* they are none of its business */
	if (!err && !xr_config_wants_agent(&a->config))
		err = xr_fail(why, -EINVAL,
			      "%s asks for nothing that an agent does; add a section [addresses], "
			      "[http] or [hooks]",
			      path);
	snprintf(a->name, sizeof(a->name), "%s.%u", a->config.cluster, a->config.self);
	return err;
}

/* All that needs rights; then they go. */
static int open_all(struct xr_agent *a, struct xr_why *why)
{
	const struct xr_config *c = &a->config;
	struct xr_user user;
	char dir[256];
	int err = xr_machine_user(&user, c->agent_user[0] ? c->agent_user : c->user, why);

	if (!err)
		err = xr_machine_readers(&user.readers, c->group, why);
	if (!err)
		err = xr_hooks_open(a, &user, why);
	if (!err)
		err = xr_open(&a->handle, c->cluster, c->self, why->text, sizeof(why->text));
	xr_maps_dir(dir, sizeof(dir), c->cluster, c->self);
	if (!err)
		err = xr_maps_open(&a->maps, dir, false, why);
	if (!err)
		err = xr_addresses_open(a, why);
	if (!err)
		err = xr_http_open(a, why);
	return err ? err : xr_agent_drop(a, &user, why);
}

/* Its addresses must not stay when nobody is left to take them away: not for safety, but for order. */
static int end_with_warden(pid_t warden, struct xr_why *why)
{
	if (!warden)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		return xr_fail(why, -errno, "cannot ask to end with xraftd: %m");
	return getppid() == warden ? 0 : xr_fail(why, -ESRCH, "xraftd has ended");
}

/*
 * ---- the loop ----
 */

/* Each stream begins with the oldest that the engine remembers: an agent that starts misses nothing. */
static void on_event(struct xr_agent *a, const char *line)
{
	json_t *event = line ? json_loads(line, 0, NULL) : NULL;
	uint64_t at_ns = (uint64_t)json_integer_value(json_object_get(event, "at_ns"));

	if (!event) {
		a->known_until_ns = a->last_event_ns;
	} else if (at_ns > a->known_until_ns) {
		xr_metrics_event(a, event);
		xr_hooks_event(a, event);
	}
	xr_addresses_look(a);
	xr_hooks_look(a);
	if (at_ns > a->last_event_ns)
		a->last_event_ns = at_ns;
	json_decref(event);
}

/* `due_us` may lie far back: a machine that slept, a process that was paused. */
static int on_time(sd_event_source *source, uint64_t due_us, void *arg)
{
	struct xr_agent *a = arg;

	xr_addresses_look(a);
	xr_hooks_look(a);
	(void)due_us;
	sd_event_source_set_time_relative(source, LOOK_NS / NS_PER_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct xr_agent *a = arg;

	(void)source;
	(void)info;
	return sd_event_exit(a->loop, 0);
}

static int run(struct xr_agent *a, struct xr_why *why)
{
	int err = sd_event_add_signal(a->loop, NULL, SIGTERM, on_signal, a);

	if (err >= 0)
		err = sd_event_add_signal(a->loop, NULL, SIGINT, on_signal, a);
	if (err >= 0)
		err = sd_event_add_time(a->loop, NULL, CLOCK_MONOTONIC, 0, ACCURACY_US, on_time, a);
	if (err < 0)
		return xr_fail(why, err, "no event loop: %s", strerror(-err));
	err = xr_events_start(a, on_event, why);
	if (!err)
		err = xr_hooks_start(a, why);
	if (!err)
		err = xr_http_start(a, why);
	if (!err)
		err = sd_event_loop(a->loop);
	xr_http_stop(a);
	xr_addresses_close(a);
	xr_hooks_close(a);
	return err;
}

static int start(struct xr_agent *a, const struct options *o, struct xr_why *why)
{
	int err = read_config(a, o->config, why);

	if (!err)
		err = open_all(a, why);
	if (!err)
		err = end_with_warden(o->warden, why);
	if (err)
		return err;
	a->warden = o->warden;
	a->started_ns = xr_now_ns();
	err = sd_event_default(&a->loop);
	return err < 0 ? xr_fail(why, err, "no event loop: %s", strerror(-err)) : run(a, why);
}

/* One that comes before the loop is there waits for it: what an earlier agent has left shall go. */
static void hold_signals(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_SETMASK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct xr_agent agent = {.maps = XR_MAPS_NONE, .http_fd = -1, .hooks_fd = -1};
	struct xr_why why = {""};
	struct options options;
	int err = parse_options(argc, argv, &options);

	if (err >= 0)
		return err;
	hold_signals();
	prctl(PR_SET_DUMPABLE, 0);
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_NOTHING))
		err = xr_fail(&why, -EIO, "libsodium or libcurl does not start");
	else
		err = start(&agent, &options, &why);
	if (err < 0)
		xr_last_words("xraft-agent", &why);
	xr_maps_close(&agent.maps);
	xr_close(agent.handle);
	return err ? 1 : 0;
}
