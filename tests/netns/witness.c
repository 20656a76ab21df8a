// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is a virtual address ever served by two nodes, and how soon by the next? One thread is the client,
 * in namespace 9, and on each node what answers there, whatever becomes of that node's daemon. So
 * all answers have one order, which is that in which they left: the kernel's time stamp tells that an
 * answer did, and none that a fence dropped gets one.
 *
 *   witness CLUSTER ADDRESS NODES [--no-maps]
 *
 * A thousand times a second the client asks as programs do, by the link address that the neighbour
 * table holds, and each node straight by its own: like all those who have not heard of a change.
 *
 * What an answer must be, by the maps of its node just before and just after it left:
 *   by a leader    whose view was LEAD, and whose lease (rule 5) had not run out; else it is "stale"
 *   in order       one node a term, and no term after a newer one; else "interleaved"
 * Others have no maps (--no-maps): with them an answer of the node at fault is interleaved that leaves
 * after one of another node, until it is mended.
 *
 * It takes lines and answers each with one:
 *   fault KIND NODE [PID]    crash, kill, stop (of PID and its group; else as the maps have them),
 *                            link, transfer; anything else is done by who wrote this. "served NODE
 *                            MS" once another node, or a newer term, has answered the client
 *   mend KIND NODE [PID]     stop and link are undone; then a JSON object of this fault, once all is
 *                            quiet: all nodes agree, or only one has answered, for 300 knocks
 *   quiet N                  others than 300; then "quiet NODE", that which answers
 * At the end an object of all. Exit code 1: something was stale or interleaved.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "common/common.h"
#include "net/env.h"
#include "nic/maps.h"

#define PORT	  5556
#define GROUP	  1
#define NODES_MAX 8
#define CLIENT	  9
#define TICK_NS	  NS_PER_MS
#define LIMIT_NS  (30 * NS_PER_S)

enum way { ASKED, KNOCKED, WAYS }; /* by the neighbour table, or straight */
static const char *const way_names[] = {"asked", "knocked"};

struct question {
	uint64_t number;
	uint32_t way, node, term, spare; /* in an answer: whose, and in which term by its view */
};

struct knock {
	struct iphdr ip;
	struct udphdr udp;
	struct question q;
} __attribute__((packed));

struct instant { /* what a node had published */
	struct xr_view view;
	struct xr_acks acks;
	uint64_t alive_until_ns, now_ns;
};

static struct {
	const char *cluster;
	int nodes;
	bool no_maps;
	struct xr_maps maps[NODES_MAX + 1];
	struct sockaddr_in address;
	int serve_fd[NODES_MAX + 1], client_fd[WAYS], raw_fd, switch_fd, order_fd, ifindex;
	struct in_addr client;
	uint64_t number, next_ns, quiet_ms, began_ns;
	uint64_t asked, answered[WAYS], left[WAYS], stale, interleaved, faults;
	/* Who answers, in which term, by what has left; and how many knocks since anybody else did. */
	int node;
	uint32_t term;
	uint64_t alone;
} w = {.quiet_ms = 300, .order_fd = -1};

/* The fault at hand. */
static struct {
	char kind[16];
	int node, next;
	uint32_t term;
	uint64_t at_ns, ordered_ns, last_ns, first_ns[WAYS], interleaved[WAYS], stale, both_ns;
	uint64_t other_ns; /* when another node answered first */
	bool mended;
} f = {.mended = true};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "witness: %s: %m\n", what);
	exit(2);
}

/*
 * ---- answers, and what is wrong with them ----
 */
/* The clock last: no ack that was seen is newer. */
static struct instant look_at(int node)
{
	struct instant i = {0};

	if (!w.no_maps) {
		i.alive_until_ns = *(const volatile __u64 *)&w.maps[node].control->alive_until_ns;
		i.view = xr_view_read(&w.maps[node].groups[GROUP]).view;
		i.acks = w.maps[node].acks[GROUP];
	}
	i.now_ns = xr_now_ns();
	return i;
}

/* Rule 5. */
static bool held(int node, const struct instant *i)
{
	const struct xr_maps *m = &w.maps[node];

	return xr_before(i->now_ns, i->alive_until_ns) &&
	       xr_quorum_fresh(&m->groups[GROUP], &i->acks, (uint8_t)node, i->now_ns,
			       xr_lease_ns(m->control));
}

/* Neither before nor after: an ack, or the next deadline, may have come between them. */
static bool is_stale(int node, const struct instant *before, const struct instant *after)
{
	if (memcmp(&before->view, &after->view, sizeof(before->view)))
		return false; /* it changed meanwhile; whether rightly the order tells */
	return before->view.mode != XR_LEAD || (!held(node, before) && !held(node, after));
}

/* In some term between those of the two views; false: there is none in which it may be. */
static bool is_in_order(int node, uint32_t from, uint32_t to)
{
	uint32_t least = node == w.node ? w.term : w.term + 1;

	if (least < from)
		least = from;
	if (least > to)
		return false;
	w.term = least;
	return true;
}

static bool is_in_turn(int node)
{
	return f.mended || !f.other_ns || node != f.node;
}

static void has_left(int node, enum way way, const struct instant *before,
		     const struct instant *after)
{
	bool in_order = w.no_maps ? is_in_turn(node)
				  : is_in_order(node, before->view.term, after->view.term);

	w.left[way]++;
	if (!w.no_maps && is_stale(node, before, after)) {
		w.stale++;
		f.stale++;
	}
	if (node == f.node && !f.mended)
		f.last_ns = before->now_ns;
	else if (node != f.node && !f.other_ns)
		f.other_ns = before->now_ns;
	if (!in_order) {
		w.interleaved++;
		f.interleaved[way]++;
		f.both_ns = before->now_ns - f.other_ns;
	}
	w.alone = in_order && node == w.node ? w.alone + (way == KNOCKED) : 0;
	if (in_order)
		w.node = node;
}

/* The time stamp is there when the call returns: veth has no queue. */
static bool stamp_of(int fd)
{
	char control[256];
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	bool any = false;

	while (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
		any = true;
		m.msg_controllen = sizeof(control);
	}
	return any;
}

static void serve(int node)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	struct question q;

	while (recvfrom(w.serve_fd[node], &q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&from,
			&size) == (ssize_t)sizeof(q)) {
		struct instant before = look_at(node), after;

		q.node = (uint32_t)node;
		q.term = before.view.term;
		stamp_of(w.serve_fd[node]);
		sendto(w.serve_fd[node], &q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&from,
		       size);
		after = look_at(node);
		if (stamp_of(w.serve_fd[node]) && q.way < WAYS)
			has_left(node, q.way, &before, &after);
	}
}

static void receive(enum way way)
{
	struct question q;

	while (recv(w.client_fd[way], &q, sizeof(q), MSG_DONTWAIT) == (ssize_t)sizeof(q)) {
		w.answered[way]++;
		if (f.at_ns && !f.first_ns[way] && ((int)q.node != f.node || q.term > f.term)) {
			f.first_ns[way] = xr_now_ns() - f.at_ns;
			f.next = (int)q.node;
			if (way == ASKED)
				printf("served %d %.3f\n", f.next, (double)f.first_ns[way] / 1e6);
		}
	}
}

/*
 * ---- questions ----
 */
static uint16_t sum_of(const void *data, size_t size)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* UDP over IPv4 does without a checksum where it is 0. */
static void knock_at(int node)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = w.ifindex,
		.sll_halen = ETH_ALEN,
		.sll_addr = {2, 0, 0, 0x77, 0, (uint8_t)node},
	};
	struct knock k = {
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_UDP,
		       .tot_len = htons(sizeof(k)),
		       .saddr = w.client.s_addr,
		       .daddr = w.address.sin_addr.s_addr},
		.udp = {.source = htons(PORT + KNOCKED),
			.dest = htons(PORT),
			.len = htons(sizeof(k.udp) + sizeof(k.q))},
		.q = {.number = w.number, .way = KNOCKED},
	};

	k.ip.check = sum_of(&k.ip, sizeof(k.ip));
	sendto(w.raw_fd, &k, sizeof(k), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

/* A tick that was missed is not made up for. */
static void ask(void)
{
	struct question q = {.number = ++w.number, .way = ASKED};
	uint64_t now_ns = xr_now_ns();

	w.asked++;
	w.next_ns = now_ns - w.next_ns > 10 * TICK_NS ? now_ns + TICK_NS : w.next_ns + TICK_NS;
	sendto(w.client_fd[ASKED], &q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&w.address,
	       sizeof(w.address));
	for (int node = 1; node <= w.nodes; node++)
		knock_at(node);
}

/*
 * ---- faults ----
 */
static void set_port(int node, bool up)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "port%d", node);
	if (ioctl(w.switch_fd, SIOCGIFFLAGS, &r))
		die(r.ifr_name);
	r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
	if (ioctl(w.switch_fd, SIOCSIFFLAGS, &r))
		die(r.ifr_name);
}

/* As `xraft transfer` does it, without the time that a command takes to begin. */
static void hand_over(int node)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n;
	char text[256];

	snprintf(a.sun_path, sizeof(a.sun_path), "/run/xraft/%s.%d.sock", w.cluster, node);
	n = snprintf(text, sizeof(text),
		     "POST /v1/step-down?group=g1&to=%d HTTP/1.1\r\nHost: x\r\n"
		     "Content-Length: 0\r\nConnection: close\r\n\r\n",
		     node % w.nodes + 1);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) || write(fd, text, (size_t)n) != n)
		die(a.sun_path);
	xr_close_fd(&w.order_fd);
	w.order_fd = fd; /* closed with the next order */
	f.ordered_ns = xr_now_ns();
}

/* One is refused while the heir is not known to be well, as just after it came back. */
static void order_again(void)
{
	char answer[1024];
	ssize_t n = recv(w.order_fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	const char *said;

	answer[n > 0 ? n : 0] = '\0';
	said = strstr(answer, "{\"error\"");
	if (said)
		fprintf(stderr, "witness: node %d refuses: %s\n", f.node, said);
	hand_over(f.node);
}

static void begin_fault(const char *kind, int node, pid_t pid)
{
	memset(&f, 0, sizeof(f));
	snprintf(f.kind, sizeof(f.kind), "%s", kind);
	f.node = node;
	f.term = w.term;
	w.faults++;
	if (!strcmp(kind, "crash") && !pid)
		pid = w.maps[node].control->pid;
	else if (!pid && !w.no_maps)
		pid = -w.maps[node].control->warden_pid;
	f.at_ns = xr_now_ns();
	if ((!strcmp(kind, "crash") || !strcmp(kind, "kill")) && kill(pid, SIGKILL))
		die(kind);
	if (!strcmp(kind, "stop") && kill(pid, SIGSTOP))
		die(kind);
	if (!strcmp(kind, "link"))
		set_port(node, false);
	if (!strcmp(kind, "transfer"))
		hand_over(node);
}

static void mend_fault(const char *kind, int node, pid_t pid)
{
	f.mended = true;
	if (!pid && !w.no_maps)
		pid = -w.maps[node].control->warden_pid;
	if (!strcmp(kind, "stop"))
		kill(pid, SIGCONT);
	if (!strcmp(kind, "link"))
		set_port(node, true);
	w.alone = 0;
}

static bool all_agree(void)
{
	for (int node = 1; node <= w.nodes && !w.no_maps; node++) {
		struct instant i = look_at(node);

		if (!xr_before(i.now_ns, i.alive_until_ns) || i.view.leader != w.node ||
		    i.view.term != w.term || i.view.mode != (node == w.node ? XR_LEAD : XR_FOLLOW))
			return false;
	}
	return w.node;
}

/* By answers, since this process may be without a CPU, too: there is a knock a millisecond. */
static bool is_quiet(void)
{
	if (!all_agree())
		w.alone = 0;
	return w.alone > w.quiet_ms;
}

static void print_fault(void)
{
	printf("{\"kind\":\"%s\",\"node\":%d,\"next\":%d,\"leader\":%d,\"first_ms\":%.3f,"
	       "\"straight_ms\":%.3f,\"last_ms\":%.3f,\"stale\":%lu,\"interleaved\":{",
	       f.kind, f.node, f.next, w.node, (double)f.first_ns[ASKED] / 1e6,
	       (double)f.first_ns[KNOCKED] / 1e6,
	       f.last_ns > f.at_ns ? (double)(f.last_ns - f.at_ns) / 1e6 : 0., f.stale);
	for (int way = 0; way < WAYS; way++)
		printf("%s\"%s\":%lu", way ? "," : "", way_names[way], f.interleaved[way]);
	printf("},\"both_ms\":%.3f}\n", (double)f.both_ns / 1e6);
}

static int print_all(void)
{
	double s = (double)(xr_now_ns() - w.began_ns) / 1e9;

	printf("{\"faults\":%lu,\"asked\":%lu,\"a_second\":%.1f,\"answered\":%lu,\"knocks\":%lu,"
	       "\"knocks_answered\":%lu,\"stale\":%lu,\"interleaved\":%lu}\n",
	       w.faults, w.asked, (double)w.asked / s, w.answered[ASKED],
	       w.asked * (uint64_t)w.nodes, w.answered[KNOCKED], w.stale, w.interleaved);
	return w.stale || w.interleaved;
}

/*
 * ---- lines ----
 */
static enum { NOTHING, SERVED, MENDED, QUIET } awaited;
static uint64_t give_up_ns;

static void obey(char *line)
{
	char word[16] = "", kind[16] = "";
	int node = 0, pid = 0;

	if (sscanf(line, "quiet %d", &pid) == 1) {
		w.quiet_ms = (uint64_t)pid;
		w.alone = 0;
		awaited = QUIET;
	} else if (sscanf(line, "%15s %15s %d %d", word, kind, &node, &pid) < 3 || node < 1 ||
		   node > w.nodes) {
		fprintf(stderr, "witness: what is '%s'?\n", line);
		exit(2);
	} else if (!strcmp(word, "fault")) {
		begin_fault(kind, node, pid);
		awaited = SERVED;
	} else {
		mend_fault(kind, node, pid);
		awaited = MENDED;
	}
	give_up_ns = xr_now_ns() + LIMIT_NS;
}

static void answer_line(void)
{
	if (awaited == SERVED && f.first_ns[ASKED]) {
		awaited = NOTHING;
	} else if (awaited == SERVED && f.ordered_ns &&
		   xr_now_ns() - f.ordered_ns > 200 * NS_PER_MS) {
		order_again();
	} else if (awaited > SERVED && is_quiet()) {
		if (awaited == MENDED)
			print_fault();
		else
			printf("quiet %d\n", w.node);
		awaited = NOTHING;
	} else if (awaited && xr_now_ns() > give_up_ns) {
		fprintf(stderr, "witness: %s within 30 s\n",
			awaited == SERVED ? "no other node answers" : "it does not become quiet");
		exit(2);
	}
}

/* False: there will be no more. Who writes waits for the answer, so there is one line at a time. */
static bool read_line(void)
{
	char line[128];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	obey(line);
	return true;
}

/*
 * ---- beginning ----
 */
static void enter(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/xr-%s-%s", w.cluster, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static int udp(in_addr_t address, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = address};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die("cannot bind");
	return fd;
}

/* So that an answer leaves in the call that sends it, and waits for no neighbour. */
static void know_client(int fd)
{
	struct arpreq r = {.arp_flags = ATF_PERM | ATF_COM, .arp_dev = "eth0"};
	struct sockaddr_in *a = (struct sockaddr_in *)&r.arp_pa;

	a->sin_family = AF_INET;
	a->sin_addr = w.client;
	r.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(r.arp_ha.sa_data, (uint8_t[]){2, 0, 0, 0x77, 0, CLIENT}, ETH_ALEN);
	if (ioctl(fd, SIOCSARP, &r))
		die("SIOCSARP");
}

static void open_node(int node)
{
	int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
		     SOF_TIMESTAMPING_OPT_TSONLY;
	char name[4], dir[256];
	struct xr_why why;

	snprintf(name, sizeof(name), "%d", node);
	enter(name);
	w.serve_fd[node] = udp(w.address.sin_addr.s_addr, PORT);
	if (setsockopt(w.serve_fd[node], SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)))
		die("SO_TIMESTAMPING");
	know_client(w.serve_fd[node]);
	if (w.no_maps)
		return;
	w.maps[node] = (struct xr_maps)XR_MAPS_NONE;
	xr_maps_dir(dir, sizeof(dir), w.cluster, (uint8_t)node);
	if (xr_maps_open(&w.maps[node], dir, false, &why))
		die(why.text);
}

static void open_all(const char *address)
{
	w.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
	if (inet_pton(AF_INET, address, &w.address.sin_addr) != 1)
		die(address);
	w.client.s_addr = (w.address.sin_addr.s_addr & htonl(0xffffff00)) | htonl(CLIENT);
	for (int node = 1; node <= w.nodes; node++)
		open_node(node);
	enter("sw");
	w.switch_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enter("9");
	for (int way = 0; way < WAYS; way++)
		w.client_fd[way] = udp(w.client.s_addr, PORT + way);
	w.ifindex = (int)if_nametoindex("eth0");
	w.raw_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (w.raw_fd < 0)
		die("AF_PACKET");
}

static void turn(struct pollfd *p, nfds_t n)
{
	uint64_t now_ns = xr_now_ns();
	struct timespec left = {.tv_nsec = xr_before(now_ns, w.next_ns) ? (long)(w.next_ns - now_ns)
									: 0};

	ppoll(p, n, &left, NULL);
	for (int node = 1; node <= w.nodes; node++)
		serve(node);
	for (enum way way = ASKED; way < WAYS; way++)
		receive(way);
	if (!xr_before(xr_now_ns(), w.next_ns))
		ask();
	answer_line();
}

int main(int argc, char **argv)
{
	struct pollfd p[1 + NODES_MAX + WAYS] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	nfds_t n = 1;

	if (argc < 4 || argc > 5) {
		fputs("usage: witness CLUSTER ADDRESS NODES [--no-maps]\n", stderr);
		return 2;
	}
	w.cluster = argv[1];
	w.nodes = atoi(argv[3]) < NODES_MAX ? atoi(argv[3]) : NODES_MAX;
	w.no_maps = argc == 5;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is killed leaves nothing behind */
	prctl(PR_SET_TIMERSLACK, 1);
	/* Above what a dying process leaves to do, below what elects. */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
			   &(struct sched_param){.sched_priority = 10});
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_all(argv[2]);
	for (int node = 1; node <= w.nodes; node++)
		p[n++] = (struct pollfd){.fd = w.serve_fd[node], .events = POLLIN};
	for (int way = 0; way < WAYS; way++)
		p[n++] = (struct pollfd){.fd = w.client_fd[way], .events = POLLIN};
	w.began_ns = w.next_ns = xr_now_ns();
	do {
		turn(p, n);
	} while (!p[0].revents || read_line());
	return print_all();
}
