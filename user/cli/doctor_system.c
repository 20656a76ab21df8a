// SPDX-License-Identifier: GPL-2.0-only
/* Kernel, rights, clock, scheduler, disk. */
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "cli/doctor.h"

#define STATE_FOLDER "/var/lib/xraft"
#define WRITES	     20
#define SLOW_DISK_MS 10.0
#define MEMLOCK_WANT (64ull << 20)

/* The first line of a small file; false if it cannot be read. */
static bool read_line(const char *path, char *line, size_t size)
{
	_cleanup_file_ FILE *f = fopen(path, "re");

	if (!f || !fgets(line, (int)size, f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

void doctor_kernel(struct doctor *d)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	if (major < 6 || (major == 6 && minor < 1))
		doctor_add(d, "kernel", d->want_xdp ? DOCTOR_WARN : DOCTOR_OK,
			   "use Linux 6.1 or later, or set xdp = off",
			   "Linux %s is older than what xraft is tested on", u.release);
	else
		doctor_add(d, "kernel", DOCTOR_OK, "", "Linux %s", u.release);
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		doctor_add(d, "BTF", DOCTOR_WARN,
			   "build the kernel with CONFIG_DEBUG_INFO_BTF; without it XDP programs "
			   "cannot share an interface",
			   "the kernel carries no type information");
	else
		doctor_add(d, "BTF", DOCTOR_OK, "", "the kernel carries its type information");
}

/*
 * ---- rights ----
 */
static uint64_t effective_caps(void)
{
	_cleanup_file_ FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	return caps;
}

bool doctor_has(int capability)
{
	return effective_caps() >> capability & 1;
}

static void check_memlock(struct doctor *d)
{
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (doctor_has(CAP_IPC_LOCK) || limit.rlim_cur == RLIM_INFINITY ||
	    limit.rlim_cur >= MEMLOCK_WANT)
		doctor_add(d, "memlock", DOCTOR_OK, "", "memory can be locked");
	else
		doctor_add(
			d, "memlock", DOCTOR_WARN,
			"grant CAP_IPC_LOCK, or set LimitMEMLOCK=infinity for the service; a page "
			"fault can otherwise delay the election's thread",
			"only %llu kB of memory can be locked",
			(unsigned long long)limit.rlim_cur / 1024);
}

/* What xraftd begins with; other checks ask for the rest. */
static const struct {
	int capability;
	enum { OF_XDP, OF_ROOT } of; /* who is not root stays who he is, without rights */
	const char *name;
} needed[] = {
	{CAP_NET_ADMIN, OF_XDP, "CAP_NET_ADMIN"}, /* to attach */
	{CAP_SYS_ADMIN, OF_XDP, "CAP_SYS_ADMIN"}, /* to load, and to see what is attached */
	{CAP_SETUID, OF_ROOT, "CAP_SETUID"},	  /* the engine becomes another user ... */
	{CAP_SETGID, OF_ROOT, "CAP_SETGID"},
	{CAP_SETPCAP, OF_ROOT, "CAP_SETPCAP"},		 /* ... without any rights ... */
	{CAP_CHOWN, OF_ROOT, "CAP_CHOWN"},		 /* ... to whom the votes belong, */
	{CAP_DAC_OVERRIDE, OF_ROOT, "CAP_DAC_OVERRIDE"}, /* which the warden reads */
	{CAP_KILL, OF_ROOT, "CAP_KILL"},		 /* and that the warden ends */
};

static bool may_load(void)
{
	return doctor_has(CAP_BPF) && doctor_has(CAP_PERFMON);
}

static bool lacks(const struct doctor *d, size_t i)
{
	if (needed[i].of == OF_XDP ? !d->want_xdp : geteuid() != 0)
		return false;
	if (needed[i].capability == CAP_SYS_ADMIN && may_load())
		return false;
	return !doctor_has(needed[i].capability);
}

void doctor_rights(struct doctor *d)
{
	char missing[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		size_t used = strlen(missing);

		if (lacks(d, i))
			snprintf(missing + used, sizeof(missing) - used, "%s%s", used ? " " : "",
				 needed[i].name);
	}
	if (!missing[0])
		doctor_add(d, "rights", DOCTOR_OK, "", "%s, with what xraftd needs",
			   geteuid() ? "an ordinary user" : "root");
	else
		doctor_add(d, "rights", DOCTOR_FAIL,
			   geteuid() ? "run xraft doctor and xraftd as root, or set xdp = off"
				     : "grant it (a container: --cap-add, as in man xraftd; a "
				       "service: CapabilityBoundingSet=)",
			   "%s missing", missing);
	if (d->want_xdp && may_load() && !doctor_has(CAP_SYS_ADMIN))
		doctor_add(d, "CAP_SYS_ADMIN", DOCTOR_WARN, "grant it",
			   "missing: xraftd cannot see what is attached to its interface");
	if (!doctor_has(CAP_SYS_RESOURCE))
		doctor_add(d, "CAP_SYS_RESOURCE", DOCTOR_WARN,
			   "none needed unless a limit below is too low",
			   "missing: xraftd cannot raise its own limits");
	check_memlock(d);
}

void doctor_bpffs(struct doctor *d)
{
	struct statfs fs;

	if (!statfs("/sys/fs/bpf", &fs) && (uint32_t)fs.f_type == BPF_FS_MAGIC)
		doctor_add(d, "bpffs", DOCTOR_OK, "", "mounted on /sys/fs/bpf");
	else
		doctor_add(d, "bpffs", doctor_has(CAP_SYS_ADMIN) ? DOCTOR_WARN : DOCTOR_FAIL,
			   "mount -t bpf bpf /sys/fs/bpf (a container: --volume "
			   "/sys/fs/bpf:/sys/fs/bpf; under \"ip netns exec\" it is hidden: use "
			   "nsenter --net=)",
			   "not mounted on /sys/fs/bpf");
}

/*
 * ---- clock ----
 */
static void check_nic_clock(struct doctor *d)
{
	int64_t shift_ns;

	if (!xr_nic_clock_shift(&shift_ns) && shift_ns)
		doctor_add(d, "time namespace", d->want_xdp ? DOCTOR_FAIL : DOCTOR_OK,
			   d->want_xdp ? "start xraftd and xraft outside of it, or set xdp = off"
				       : "",
			   "the NIC path's clock is %+.6f s from this process' CLOCK_BOOTTIME",
			   (double)shift_ns / 1e9);
}

void doctor_clock(struct doctor *d)
{
	static const char *const slow[] = {"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"};
	char source[64] = "unknown";
	enum doctor_result result = DOCTOR_OK;
	struct timespec resolution = {0};

	clock_getres(CLOCK_BOOTTIME, &resolution);
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
		  sizeof(source));
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		if (!strcmp(source, slow[i]))
			result = DOCTOR_WARN;
	if (resolution.tv_sec || resolution.tv_nsec > 1000)
		result = DOCTOR_WARN;
	doctor_add(d, "clock", result,
		   result ? "choose another clock source (kernel option clocksource=), for example "
			    "tsc or kvm-clock"
			  : "",
		   "CLOCK_BOOTTIME has a resolution of %lld ns, from %s",
		   (long long)resolution.tv_sec * (long long)NS_PER_S + resolution.tv_nsec, source);
	check_nic_clock(d);
}

/*
 * ---- scheduler ----
 */

/* In a child, so that nothing of it stays. */
static bool fifo_allowed(void)
{
	struct sched_param p = {.sched_priority = 1};
	int how = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sched_setscheduler(0, SCHED_FIFO, &p) ? 1 : 0);
	return pid > 0 && waitpid(pid, &how, 0) == pid && WIFEXITED(how) && !WEXITSTATUS(how);
}

void doctor_realtime(struct doctor *d)
{
	char text[32] = "";
	long runtime_us;

	if (!fifo_allowed() && doctor_has(CAP_SYS_NICE))
		doctor_add(d, "SCHED_FIFO", DOCTOR_WARN,
			   "give the control group some (cpu.rt_runtime_us; podman run "
			   "--cpu-rt-runtime), or set realtime = 0; else busy CPUs can delay "
			   "elections",
			   "refused in spite of CAP_SYS_NICE: this control group has no real-time "
			   "share");
	else if (!fifo_allowed())
		doctor_add(d, "SCHED_FIFO", DOCTOR_WARN,
			   "run as root, or grant CAP_SYS_NICE or LimitRTPRIO=; else busy CPUs can "
			   "delay elections",
			   "refused");
	else
		doctor_add(d, "SCHED_FIFO", DOCTOR_OK, "", "allowed");
	if (!read_line("/proc/sys/kernel/sched_rt_runtime_us", text, sizeof(text)))
		return;
	runtime_us = strtol(text, NULL, 10);
	if (runtime_us == 0)
		doctor_add(d, "rt throttling", DOCTOR_WARN,
			   "sysctl kernel.sched_rt_runtime_us=950000, or set realtime = 0",
			   "real-time threads get no CPU at all");
	else if (runtime_us < 0)
		doctor_add(d, "rt throttling", DOCTOR_OK, "",
			   "off: no pauses, but a runaway real-time thread locks up a CPU");
	else
		doctor_add(d, "rt throttling", DOCTOR_OK, "",
			   "%ld us in each second: beside other real-time threads a pause is "
			   "possible, keep stall_limit_ms at 1000 or more",
			   runtime_us);
}

/*
 * ---- disk ----
 */

/* The state folder, or the nearest above it that exists. */
static void existing_folder(char *folder, size_t size, const struct doctor *d)
{
	snprintf(folder, size, "%s", d->configured ? d->config.state_dir : STATE_FOLDER);
	while (access(folder, F_OK) && strcmp(folder, "/") && strcmp(folder, "."))
		memmove(folder, dirname(folder), strlen(dirname(folder)) + 1);
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A block written over again and again, as the journal does. The file has no name. */
static int measure_disk(const char *folder, uint64_t times_ns[WRITES])
{
	_cleanup_fd_ int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char block[4096] = {0};

	if (fd < 0)
		return -errno;
	for (int i = -1; i < WRITES; i++) {
		uint64_t before_ns = xr_now_ns();

		if (pwrite(fd, block, sizeof(block), 0) != sizeof(block))
			return errno ? -errno : -ENOSPC;
		if (fdatasync(fd))
			return -errno;
		if (i >= 0) /* the first one allocates */
			times_ns[i] = xr_now_ns() - before_ns;
		block[0]++;
	}
	qsort(times_ns, WRITES, sizeof(*times_ns), compare_times);
	return 0;
}

void doctor_disk(struct doctor *d)
{
	uint64_t times_ns[WRITES], median_ns, max_ns;
	double median, max;
	char folder[PATH_MAX];
	int err;

	existing_folder(folder, sizeof(folder), d);
	err = measure_disk(folder, times_ns);
	if (err) {
		doctor_add(d, "disk", err == -EOPNOTSUPP ? DOCTOR_WARN : DOCTOR_FAIL,
			   "check that the state folder's disk is writable and has room",
			   "%s: a test file cannot be written: %s", folder, strerror(-err));
		return;
	}
	median_ns = times_ns[WRITES / 2];
	max_ns = times_ns[WRITES - 1];
	median = (double)median_ns / NS_PER_MS;
	max = (double)max_ns / NS_PER_MS;
	doctor_add(d, "disk", median > SLOW_DISK_MS ? DOCTOR_WARN : DOCTOR_OK,
		   median > SLOW_DISK_MS ? "put the state folder on a faster disk (state = ), or "
					   "choose longer election timeouts: each vote waits for it"
					 : "",
		   "%s: a durable write takes %.2f ms (median), %.2f ms (worst of %d)", folder,
		   median, max, WRITES);
}
