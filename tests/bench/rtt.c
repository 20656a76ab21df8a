// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long does a heartbeat take to be answered? Stands in for a leader: with the configuration
 * and the key of a node whose daemon does not run it sends heartbeats of a newer term to a
 * follower, which follows, and from then on answers each. Before that they introduce themselves.
 *
 *   bench_rtt --config FILE --to NODE --count N [--interval US] [--blind]    in that node's namespace
 *
 * From right before the datagram is sealed until the kernel has received the answer (its own time
 * stamp): this process' waking up is not in it. Runs on the first CPU; where the bridge hands packets
 * to another (RPS) they arrive there by an interrupt, as from a card. Sends by the clock, whether answers come or not.
 * Prints one JSON object. --blind expects no answers: what sending alone costs.
 */
#include <getopt.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include "config/config.h"
#include "daemon/post.h"
#include "engine/pack.h"

#define FIRST_TERM 1000 /* newer than what the election before has reached */
#define PRIORITY   90	/* above all loads: it is not what is measured */
#define WARM_UP	   50
#define LIMIT_NS   (10 * NS_PER_S)
#define LINGER_NS  (2 * NS_PER_S) /* for late answers */

static struct {
	const char *config_path;
	uint8_t to;
	uint32_t count, interval_us;
	bool blind;
	struct xr_config config;
	struct xr_control control;
	struct xr_env env;
	struct xr_trains trains;
	struct xr_outbox outbox;
	struct xr_record record;
	uint64_t nonce; /* of our question who the follower is */
	uint64_t *rtt_ns;
	uint32_t answered, sent;
} b = {.interval_us = 1000, .record.term = FIRST_TERM};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_rtt: %s\n", what);
	exit(1);
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec t = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void beat(void)
{
	xr_outbox_record(&b.outbox, b.to, XR_HEARTBEAT, 0, &b.record);
	xr_outbox_flush(&b.outbox);
	b.sent++;
}

/* When the kernel received it, by the clock of the stamps. */
static uint64_t received_ns(struct msghdr *m)
{
	struct timespec real, stamp = {0};
	uint64_t now_ns, after_ns;

	do { /* both clocks at one moment: in between, this thread may lose the CPU */
		now_ns = xr_now_ns();
		clock_gettime(CLOCK_REALTIME, &real);
		after_ns = xr_now_ns();
	} while (after_ns - now_ns > 5 * NS_PER_US);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
	if (!stamp.tv_sec)
		die("the kernel stamps no datagrams");
	return now_ns - (uint64_t)(real.tv_sec - stamp.tv_sec) * NS_PER_S -
	       (uint64_t)(real.tv_nsec - stamp.tv_nsec);
}

/* Who is there, and what life (rule 17)? It asks the same as soon as it hears of a new one. */
static void ask(void)
{
	const struct xr_fact nonce = {.what = XR_FACT_nonce, .value = b.nonce};

	xr_outbox_facts(&b.outbox, b.to, XR_ASK, &nonce, 1);
}

static void take_fact(const struct xr_wire *h)
{
	const struct xr_fact *nonce = (const struct xr_fact *)(h + 1);

	if (h->type == XR_TELL && nonce->value == b.nonce)
		b.config.nodes[b.to].lives = b.control.life ^ h->lives;
	if (h->type == XR_ASK)
		xr_outbox_facts(&b.outbox, b.to, XR_TELL, nonce, 1);
}

static void take(const struct xr_wire *h, uint64_t at_ns)
{
	const struct xr_record *rec = (const struct xr_record *)(h + 1);

	if (h->source == b.to && xr_type_introduces(h->type))
		take_fact(h);
	if (h->type != XR_ACK || h->source != b.to || h->count != 1)
		return; /* it may ask for votes, too: this is no voter */
	if (rec->flags & XR_REFUSED)
		b.record.term = rec->term + 1;
	if (!(rec->flags & XR_ACKED))
		return;
	if (b.answered < b.count)
		b.rtt_ns[b.answered] = at_ns - h->echo_ns;
	b.answered++;
}

static void drain(void)
{
	alignas(8) char data[XR_DATAGRAM_MAX];
	alignas(struct cmsghdr) char control[128];
	struct iovec part = {data, sizeof(data)};

	for (;;) {
		struct msghdr m = {.msg_iov = &part,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(b.trains.fd, &m, MSG_DONTWAIT);

		if (n < 0)
			return;
		if ((size_t)n >= sizeof(struct xr_wire) + sizeof(struct xr_record))
			take((const struct xr_wire *)data, received_ns(&m));
	}
}

/* Until the follower follows: a newer term has to become durable there. */
static void warm_up(void)
{
	uint64_t until_ns = xr_now_ns() + LIMIT_NS;

	while (b.answered < WARM_UP) {
		if (!b.config.nodes[b.to].lives)
			ask();
		beat();
		sleep_until(xr_now_ns() + 2 * NS_PER_MS);
		drain();
		if (xr_now_ns() > until_ns)
			die("the follower answers no heartbeat");
	}
	sleep_until(xr_now_ns() + 20 * NS_PER_MS);
	drain();
	b.answered = b.sent = 0;
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(void)
{
	uint64_t next_ns = xr_now_ns(), until_ns;
	double cpu = cpu_us();

	while (b.sent < b.count) {
		beat();
		sleep_until(next_ns += b.interval_us * NS_PER_US);
		drain();
	}
	cpu = cpu_us() - cpu;
	until_ns = xr_now_ns() + LINGER_NS;
	while (!b.blind && b.answered < b.count && xr_now_ns() < until_ns) {
		sleep_until(xr_now_ns() + NS_PER_MS);
		drain();
	}
	printf("{\"sent\":%u,\"answered\":%u,\"cpu_us\":%.0f,\"rtt_us\":[", b.sent, b.answered,
	       cpu);
	for (uint32_t i = 0; i < b.answered && i < b.count; i++)
		printf("%s%.1f", i ? "," : "", (double)b.rtt_ns[i] / 1e3);
	printf("]}\n");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"to", required_argument, NULL, 't'},
		{"count", required_argument, NULL, 'n'},
		{"interval", required_argument, NULL, 'i'},
		{"blind", no_argument, NULL, 'b'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			b.config_path = optarg;
		else if (c == 't')
			b.to = (uint8_t)atoi(optarg);
		else if (c == 'n')
			b.count = (uint32_t)atoi(optarg);
		else if (c == 'i')
			b.interval_us = (uint32_t)atoi(optarg);
		else if (c == 'b')
			b.blind = true;
		else
			exit(2);
	}
	if (!b.config_path || b.to < 1 || b.to > XR_NODE_MAX || !b.count || !b.interval_us)
		die("run it by scripts/bench rtt");
}

static void set_up(void)
{
	const struct xr_config *c = &b.config;
	cpu_set_t first = {0};
	int on = 1;
	struct xr_why why;

	if (xr_config_read(&b.config, b.config_path, &why))
		die(why.text);
	b.control = (struct xr_control){.self = c->self, .min_timeout_us = c->min_timeout_us};
	if (getrandom(&b.control.life, sizeof(b.control.life), 0) < 0 ||
	    getrandom(&b.nonce, sizeof(b.nonce), 0) < 0)
		die("the kernel gives no random numbers");
	if (b.blind) /* it is never asked for it */
		b.config.nodes[b.to].lives = b.control.life;
	b.env = (struct xr_env){
		.control = &b.control, .peers = b.config.nodes, .keys = b.config.keys};
	b.outbox.env = &b.env;
	b.outbox.host = &xr_post_host;
	b.outbox.world = &b.trains;
	b.trains.peers = c->nodes;
	b.trains.fd = xr_socket_open(&c->nodes[c->self], &why);
	if (b.trains.fd < 0)
		die(why.text);
	if (setsockopt(b.trains.fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		die("the kernel stamps no datagrams");
	b.record.group = c->groups[0].id;
	b.record.digest = c->groups[0].digest;
	b.rtt_ns = calloc(b.count, sizeof(*b.rtt_ns));
	if (!b.rtt_ns)
		die("not enough memory");
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	prctl(PR_SET_TIMERSLACK, 1);
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = PRIORITY}))
		die("no SCHED_FIFO");
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	set_up();
	if (!b.blind)
		warm_up();
	measure();
	return 0;
}
