// SPDX-License-Identifier: GPL-2.0-only
/*
 * One rung of the ladder of loads.
 *
 *   bench_load cpu|fifo SECONDS                   busy loops, four on each CPU; fifo: SCHED_FIFO 50
 *   bench_load memory|disk SECONDS FOLDER         page faults and reclaim; writes with fsync
 *   bench_load flood SECONDS CONFIG PORT RATE NODE...    from this node to those, RATE in all a
 *                                                 millisecond, with wrong tags
 *
 * Whatever happens it ends: after SECONDS, and with the process that started it. The kernel's own
 * limit of real-time tasks has to be on for fifo, so that a machine is slow and not locked.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "config/config.h"

#define HOGS_PER_CPU  4
#define FIFO_PRIORITY 50
#define FILE_BYTES    (768ull << 20) /* read through: more than ladder.sh lets the group have */
#define ANON_BYTES    (96ull << 20)
#define PAGE	      4096
#define WRITE_BYTES   (256 << 10)
#define WRITE_RANGE   (64 << 20)
#define FLOOD_MAX     100 /* a millisecond */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_load: %s: %m\n", what);
	exit(1);
}

static void end_with_parent(pid_t parent, int seconds)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	alarm(seconds);
}

static void set_fifo(int priority)
{
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = priority}))
		die("no SCHED_FIFO");
}

/* Real-time tasks must not be allowed to take all of a CPU. */
static void need_limit(void)
{
	_cleanup_file_ FILE *f = fopen("/proc/sys/kernel/sched_rt_runtime_us", "re");
	long us = -1;

	if (!f || fscanf(f, "%ld", &us) != 1 || us < 0) {
		fprintf(stderr, "bench_load: kernel.sched_rt_runtime_us sets no limit: SCHED_FIFO "
				"hogs would lock the machine\n");
		exit(1);
	}
}

/*
 * ---- what the hogs do ----
 */
static void spin(const char *folder)
{
	(void)folder;
	for (;;)
		asm volatile("");
}

static void spin_fifo(const char *folder)
{
	set_fifo(FIFO_PRIORITY);
	spin(folder);
}

static int unnamed_file(const char *folder, off_t size)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, size))
		die(folder);
	return fd;
}

/* Fresh pages that are zeroed, filled and given back, and a file of holes that does not fit. */
static void churn_memory(const char *folder)
{
	int fd = unnamed_file(folder, FILE_BYTES);
	char *file = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	char *anon = mmap(NULL, ANON_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	size_t at = 0;

	if (file == MAP_FAILED || anon == MAP_FAILED)
		die("mmap");
	for (;;) {
		for (size_t i = 0; i < ANON_BYTES; i += PAGE) {
			anon[i] = *(volatile char *)&file[at];
			at = (at + PAGE) % FILE_BYTES;
		}
		madvise(anon, ANON_BYTES, MADV_DONTNEED);
	}
}

static void write_disk(const char *folder)
{
	static char block[WRITE_BYTES];
	int fd = unnamed_file(folder, WRITE_RANGE);

	for (off_t at = 0;; at = (at + WRITE_BYTES) % WRITE_RANGE) {
		memset(block, (int)at, sizeof(block));
		if (pwrite(fd, block, sizeof(block), at) < 0 || fsync(fd))
			die("the disk cannot be written");
	}
}

/*
 * ---- flood ----
 */

/*
 * All cheap checks pass: right addresses, ports, ids and key, and an ask may come from any life. Only
 * the tag is wrong.
 */
struct packet {
	struct iphdr ip;
	struct udphdr udp;
	struct xr_wire wire;
	struct xr_fact nonce;
} __attribute__((packed));

static struct packet forge(const struct xr_config *c, uint8_t to, uint16_t port)
{
	struct packet p = {
		.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
		.udp = {.source = htons(c->nodes[c->self].port), .dest = htons(port)},
		.wire =
			{
				.magic = XR_WIRE_MAGIC,
				.version = XR_WIRE_VERSION,
				.type = XR_ASK,
				.source = c->self,
				.dest = to,
				.count = 1,
				.key_id = c->keys[0].id,
				.min_timeout_us = c->min_timeout_us,
			},
		.nonce = {.what = XR_FACT_nonce},
	};

	memcpy(&p.ip.saddr, c->nodes[c->self].ip + 12, 4);
	memcpy(&p.ip.daddr, c->nodes[to].ip + 12, 4);
	p.udp.len = htons(sizeof(p) - sizeof(p.ip));
	if (getrandom(&p.wire.tag, sizeof(p.wire.tag), 0) < 0)
		die("getrandom");
	return p;
}

static _Noreturn void flood(const char *config, uint16_t port, int rate, char **nodes, int n)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct packet packets[XR_NODE_MAX];
	struct mmsghdr burst[FLOOD_MAX];
	struct sockaddr_in to[XR_NODE_MAX];
	struct iovec data[XR_NODE_MAX];
	struct xr_config c;
	struct xr_why why;

	if (fd < 0)
		die("raw socket");
	if (n > XR_NODE_MAX || rate < 1 || rate > FLOOD_MAX)
		exit(2);
	if (xr_config_read(&c, config, &why)) {
		fprintf(stderr, "bench_load: %s\n", why.text);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		packets[i] = forge(&c, (uint8_t)atoi(nodes[i]), port);
		to[i] = (struct sockaddr_in){.sin_family = AF_INET,
					     .sin_addr.s_addr = packets[i].ip.daddr};
		data[i] = (struct iovec){&packets[i], sizeof(packets[i])};
	}
	for (int i = 0; i < rate; i++)
		burst[i].msg_hdr = (struct msghdr){.msg_name = &to[i % n],
						   .msg_namelen = sizeof(to[0]),
						   .msg_iov = &data[i % n],
						   .msg_iovlen = 1};
	for (uint64_t next_ns = xr_now_ns();; next_ns += NS_PER_MS) {
		struct timespec until = {.tv_sec = next_ns / NS_PER_S,
					 .tv_nsec = next_ns % NS_PER_S};

		clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL);
		sendmmsg(fd, burst, rate, 0);
	}
}

/*
 * ---- all of them ----
 */
static void run_hogs(void (*hog)(const char *), int count, const char *folder, int seconds)
{
	pid_t self = getpid();

	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			end_with_parent(self, seconds);
			hog(folder);
		}
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 2 ? argv[1] : "";
	int seconds = argc > 2 ? atoi(argv[2]) : 0, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	if (seconds < 1 || seconds > 3600)
		goto usage;
	end_with_parent(getppid(), seconds + 1);
	if (!strcmp(kind, "cpu") && argc == 3) {
		run_hogs(spin, HOGS_PER_CPU * cpus, NULL, seconds);
	} else if (!strcmp(kind, "fifo") && argc == 3) {
		need_limit();
		set_fifo(FIFO_PRIORITY + 1); /* so that it can end them */
		run_hogs(spin_fifo, HOGS_PER_CPU * cpus, NULL, seconds);
	} else if (!strcmp(kind, "memory") && argc == 4) {
		run_hogs(churn_memory, cpus, argv[3], seconds);
	} else if (!strcmp(kind, "disk") && argc == 4) {
		run_hogs(write_disk, cpus, argv[3], seconds);
	} else if (!strcmp(kind, "flood") && argc > 6) {
		alarm(seconds);
		flood(argv[3], (uint16_t)atoi(argv[4]), atoi(argv[5]), argv + 6, argc - 6);
	} else {
		goto usage;
	}
	return 0;
usage:
	fprintf(stderr, "usage: bench_load cpu|fifo|memory|disk|flood SECONDS ...\n");
	return 2;
}
