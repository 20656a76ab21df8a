// SPDX-License-Identifier: GPL-2.0-only
/* user/nic/maps.c with real maps, pinned in a private folder below /sys/fs/bpf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib/value.h"
#include "nic/maps.h"

#define BPFFS	    "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11
#define PREFIX	    "xraft-test-maps-"
#define NGROUPS	    70	/* more than a page of groups */
#define ROOM	    104 /* for a value */

static const struct {
	const char *name;
	enum bpf_map_type type;
	uint32_t value_size, entries, flags;
} wanted[] = {
	{"xr_groups", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_group), NGROUPS, BPF_F_MMAPABLE},
	{"xr_acks", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_acks), NGROUPS, BPF_F_MMAPABLE},
	{"xr_control", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_control), 1, BPF_F_MMAPABLE},
	{"xr_peers", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_peer), XR_NODE_MAX + 1, BPF_F_MMAPABLE},
	{"xr_stats", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct xr_stats), 2, 0},
	{"xr_events", BPF_MAP_TYPE_RINGBUF, 0, 4096, 0},
	{"xr_addresses", BPF_MAP_TYPE_HASH, sizeof(struct xr_address), 1, 0},
	{"xr_values", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_value) + ROOM, NGROUPS, BPF_F_MMAPABLE},
};

#define VALUES (ARRAY_SIZE(wanted) - 1)

struct fixture {
	char dir[128];
	int fds[ARRAY_SIZE(wanted)];
	struct xr_maps maps;
	struct xr_why why;
};

static void remove_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

/* What a killed run has left. */
static void remove_old_folders(void)
{
	DIR *d = opendir(BPFFS);
	struct dirent *e;
	char path[512];

	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) ||
		    kill(atoi(e->d_name + strlen(PREFIX)), 0) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", BPFFS, e->d_name);
		remove_folder(path);
	}
	if (d)
		closedir(d);
}

static bool bpffs_there(void)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs) == 0 && (uint32_t)fs.f_type == BPFFS_MAGIC)
		return true;
	return mount("bpf", BPFFS, "bpf", 0, NULL) == 0;
}

static int create(int i, uint32_t value_size, uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = wanted[i].flags);
	uint32_t key_size = wanted[i].type == BPF_MAP_TYPE_RINGBUF ? 0
			    : wanted[i].type == BPF_MAP_TYPE_HASH  ? sizeof(struct xr_ip)
								   : 4;

	return bpf_map_create(wanted[i].type, wanted[i].name, key_size, value_size, entries, &opts);
}

static void pin(struct fixture *f, int i, int fd)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->dir, wanted[i].name);
	unlink(path);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (!f)
		return 0;
	xr_maps_close(&f->maps);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		xr_close_fd(&f->fds[i]);
	remove_folder(f->dir);
	free(f);
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct xr_control c = {.abi = XR_ABI, .self = 3, .groups = NGROUPS, .cluster = "t"};
	uint32_t zero = 0;

	f->maps = (struct xr_maps)XR_MAPS_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		f->fds[i] = -1;
	*state = f;
	snprintf(f->dir, sizeof(f->dir), "%s/%s%d", BPFFS, PREFIX, getpid());
	f->fds[0] = create(0, wanted[0].value_size, wanted[0].entries);
	if (f->fds[0] < 0 || !bpffs_there() || (mkdir(f->dir, 0700) && errno != EEXIST)) {
		print_message("SKIPPED, NOT TESTED: no right to make BPF maps or pins: %s\n",
			      strerror(errno));
		teardown(state);
		*state = NULL;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (i)
			f->fds[i] = create((int)i, wanted[i].value_size, wanted[i].entries);
		assert_true(f->fds[i] >= 0);
		pin(f, (int)i, f->fds[i]);
	}
	assert_int_equal(bpf_map_update_elem(f->fds[2], &zero, &c, 0), 0);
	return 0;
}

static struct fixture *need(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static void opens_what_is_pinned(void **state)
{
	struct fixture *f = need(state);
	struct xr_group g = {.members = 0xe, .name = "last"};
	uint32_t last = NGROUPS - 1;

	assert_int_equal(xr_maps_open(&f->maps, f->dir, false, &f->why), 0);
	assert_int_equal(f->maps.ngroups, NGROUPS);
	assert_int_equal(f->maps.control->self, 3);
	assert_int_equal(f->maps.key_fd, -1);
	assert_int_equal(bpf_map_update_elem(f->fds[0], &last, &g, 0), 0);
	assert_string_equal(f->maps.groups[last].name, "last");
	assert_int_equal(f->maps.acks[last].echo_ns[9], 0);
	assert_int_equal(f->maps.peers[XR_NODE_MAX].lives, 0);
}

static void a_reader_cannot_write(void **state)
{
	struct fixture *f = need(state);
	struct xr_control c = {0};
	uint32_t zero = 0;

	assert_int_equal(xr_maps_open(&f->maps, f->dir, false, &f->why), 0);
	assert_int_equal(bpf_map_update_elem(f->maps.control_fd, &zero, &c, 0), -EPERM);
	assert_int_equal(f->maps.control->abi, XR_ABI);
}

static void a_writer_writes_to_the_map(void **state)
{
	struct fixture *f = need(state);
	struct xr_group g;
	struct xr_peer p;
	uint32_t id = 65, node = XR_NODE_MAX;

	assert_int_equal(xr_maps_open(&f->maps, f->dir, true, &f->why), 0);
	f->maps.groups[id].view = (struct xr_view){.term = 9, .leader = 2, .mode = XR_FOLLOW};
	assert_int_equal(bpf_map_lookup_elem(f->fds[0], &id, &g), 0);
	assert_int_equal(g.view.term, 9);
	assert_int_equal(g.view.leader, 2);
	f->maps.peers[node].lives = 17; /* beside what the NIC path counts there */
	assert_int_equal(bpf_map_lookup_elem(f->fds[3], &node, &p), 0);
	assert_int_equal(p.lives, 17);
}

/* As large as whoever made them wants it; a group's is where the sizes say. */
static void values_are_as_large_as_configured(void **state)
{
	struct fixture *f = need(state);
	struct {
		struct xr_value v;
		char value[ROOM];
	} made = {.v.id = 7, .v.size = ROOM, .value = "hello"}, found;
	uint32_t last = NGROUPS - 1;
	uint64_t committed;
	struct xr_entry entry;

	assert_int_equal(xr_maps_value_size(0), sizeof(struct xr_value));
	assert_int_equal(xr_maps_value_size(1), sizeof(struct xr_value) + 8);
	assert_int_equal(xr_maps_value_size(ROOM), sizeof(made));
	assert_int_equal(xr_maps_open(&f->maps, f->dir, true, &f->why), 0);
	assert_int_equal(f->maps.value_size, sizeof(made));
	assert_int_equal(xr_maps_value_room(&f->maps), ROOM);
	assert_int_equal(bpf_map_update_elem(f->fds[VALUES], &last, &made, 0), 0);
	assert_memory_equal(xr_maps_value(&f->maps, last), &made, sizeof(made));
	xr_maps_value(&f->maps, last)->committed = 7;
	assert_int_equal(bpf_map_lookup_elem(f->fds[VALUES], &last, &found), 0);
	assert_int_equal(found.v.committed, 7);
	assert_int_equal(xr_value_read(&f->maps, last, &entry, &committed), 0);
	assert_int_equal(entry.size, ROOM);
	assert_string_equal(entry.value, "hello");
	assert_int_equal(committed, 7);
	assert_int_equal(xr_value_read(&f->maps, 0, &entry, &committed), -ENOENT);
}

/* One whose maps are copies looks anew each time. */
static void copied_values_are_of_now(void **state)
{
	struct fixture *f = need(state);
	uint32_t id = 1;
	struct {
		struct xr_value v;
		char value[ROOM];
	} made = {.v.id = 7, .v.size = 3, .value = "old"};
	struct xr_entry entry;
	uint64_t committed;

	assert_int_equal(xr_maps_open(&f->maps, f->dir, false, &f->why), 0);
	f->maps.copied = true; /* as where the kernel lets nobody map them for reading alone */
	assert_int_equal(bpf_map_update_elem(f->fds[VALUES], &id, &made, 0), 0);
	assert_int_equal(xr_value_read(&f->maps, id, &entry, &committed), 0);
	assert_string_equal(entry.value, "old");
	made.v.id = 8;
	memcpy(made.value, "new", 3);
	assert_int_equal(bpf_map_update_elem(f->fds[VALUES], &id, &made, 0), 0);
	assert_int_equal(xr_value_read(&f->maps, id, &entry, &committed), 0);
	assert_int_equal(entry.id, 8);
	assert_string_equal(entry.value, "new");
	f->maps.copied = false;
}

static void stats_are_summed_over_cpus(void **state)
{
	struct fixture *f = need(state);
	int ncpus = libbpf_num_possible_cpus();
	struct xr_stats *each = calloc((size_t)ncpus, sizeof(*each)), sum[2];
	uint32_t nic = XR_STATS_NIC, daemon = XR_STATS_DAEMON;

	for (int cpu = 0; cpu < ncpus; cpu++) {
		each[cpu].heartbeat_answered = 100 + (uint64_t)cpu;
		each[cpu].events_lost = 1;
	}
	assert_int_equal(bpf_map_update_elem(f->fds[4], &nic, each, 0), 0);
	memset(each, 0, (size_t)ncpus * sizeof(*each));
	each[0].drop_tag = 7;
	assert_int_equal(bpf_map_update_elem(f->fds[4], &daemon, each, 0), 0);
	free(each);
	assert_int_equal(xr_maps_open(&f->maps, f->dir, false, &f->why), 0);
	assert_int_equal(xr_maps_stats(&f->maps, sum), 0);
	assert_int_equal(sum[XR_STATS_NIC].heartbeat_answered,
			 100 * ncpus + ncpus * (ncpus - 1) / 2);
	assert_int_equal(sum[XR_STATS_NIC].events_lost, ncpus);
	assert_int_equal(sum[XR_STATS_NIC].drop_tag, 0);
	assert_int_equal(sum[XR_STATS_DAEMON].drop_tag, 7);
}

/* After a failed open nothing is left in the handle, and a sentence says what to do. */
static void expect_failure(struct fixture *f, const char *dir, int err, const char *word)
{
	char *left = NULL;

	f->why.text[0] = '\0';
	assert_int_equal(xr_maps_open(&f->maps, dir, false, &f->why), err);
	left = strstr(f->why.text, word);
	if (!left)
		print_message("the sentence was: %s\n", f->why.text);
	assert_non_null(left);
	assert_null(f->maps.groups);
	assert_null(f->maps.peers);
	assert_null(f->maps.control);
	assert_int_equal(f->maps.groups_fd, -1);
	assert_int_equal(f->maps.control_fd, -1);
	assert_int_equal(f->maps.events_fd, -1);
}

static void no_pins(void **state)
{
	expect_failure(need(state), BPFFS "/" PREFIX "nobody", -ENOENT, "start xraftd");
}

static void one_pin_missing(void **state)
{
	struct fixture *f = need(state);
	char path[256];

	snprintf(path, sizeof(path), "%s/xr_stats", f->dir);
	assert_int_equal(unlink(path), 0);
	expect_failure(f, f->dir, -ENOENT, "xr_stats is missing");
}

static void another_abi(void **state)
{
	struct fixture *f = need(state);
	struct xr_control c = {.abi = XR_ABI + 1};
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(f->fds[2], &zero, &c, 0), 0);
	expect_failure(f, f->dir, -EPROTO, "is of ABI");
}

static void another_value_size(void **state)
{
	struct fixture *f = need(state);
	int fd = create(3, sizeof(struct xr_peer) + 8, XR_NODE_MAX + 1);

	pin(f, 3, fd);
	close(fd);
	expect_failure(f, f->dir, -EPROTO, "xr_peers");
}

static void peers_differ_in_number(void **state)
{
	struct fixture *f = need(state);
	int fd = create(3, sizeof(struct xr_peer), XR_NODE_MAX);

	pin(f, 3, fd);
	close(fd);
	expect_failure(f, f->dir, -EPROTO, "sizes");
}

/* Too small for an entry, no whole words, or for other groups. */
static void values_that_fit_nothing(void **state)
{
	static const struct {
		uint32_t size, entries;
	} wrong[] = {{sizeof(struct xr_value) - 8, NGROUPS},
		     {sizeof(struct xr_value) + 4, NGROUPS},
		     {sizeof(struct xr_value) + ROOM, NGROUPS - 1}};
	struct fixture *f = need(state);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int fd = create(VALUES, wrong[i].size, wrong[i].entries);

		pin(f, VALUES, fd);
		close(fd);
		expect_failure(f, f->dir, -EPROTO, "sizes");
		assert_null(f->maps.values);
		assert_int_equal(f->maps.values_fd, -1);
	}
}

static void another_type(void **state)
{
	struct fixture *f = need(state);

	pin(f, 1, f->fds[5]); /* a ring where the acks should be */
	expect_failure(f, f->dir, -EPROTO, "xr_acks");
}

static void groups_and_acks_differ_in_number(void **state)
{
	struct fixture *f = need(state);
	int fd = create(1, sizeof(struct xr_acks), NGROUPS - 1);

	pin(f, 1, fd);
	close(fd);
	expect_failure(f, f->dir, -EPROTO, "sizes");
}

/* With the lowest number that is free we see that a failed open closes what it opened. */
static void a_failed_open_leaks_nothing(void **state)
{
	struct fixture *f = need(state);
	int before = dup(0), after;

	close(before);
	another_abi(state);
	expect_failure(f, f->dir, -EPROTO, "ABI");
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void plain_memory(void **state)
{
	struct xr_maps m;
	struct xr_stats sum[2];
	struct xr_why why;

	(void)state;
	assert_int_equal(xr_maps_alloc(&m, 1000, 256, &why), 0);
	assert_int_equal(m.ngroups, 1000);
	assert_int_equal((uintptr_t)m.groups % 64, 0);
	assert_int_equal(m.groups[999].members, 0);
	m.acks[999].term[XR_NODE_MAX] = 1;
	assert_int_equal(xr_maps_value_room(&m), 256);
	assert_int_equal(xr_maps_value(&m, 999)->id, 0);
	memset(xr_maps_value(&m, 999), 1, m.value_size);
	m.peers[XR_NODE_MAX].lives = 1;
	m.control->abi = XR_ABI;
	memset(sum, 0xff, sizeof(sum));
	assert_int_equal(xr_maps_stats(&m, sum), 0);
	assert_int_equal(sum[1].events_lost, 0);
	xr_maps_close(&m);
	assert_null(m.groups);
	assert_null(m.peers);
	assert_null(xr_maps_value(&m, 0));
	xr_maps_close(&m);
	assert_int_equal(xr_maps_alloc(&m, 0, 256, &why), -EINVAL);
	assert_int_equal(xr_maps_alloc(&m, XR_GROUPS_MAX + 1, 256, &why), -EINVAL);
}

static void folder_of_a_node(void **state)
{
	char dir[64];

	(void)state;
	xr_maps_dir(dir, sizeof(dir), "demo", 9);
	assert_string_equal(dir, "/sys/fs/bpf/xraft/demo-9");
	assert_null(strchr(dir, '.')); /* bpffs reserves names with dots */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* By its whole name; an id without members is no group, whatever was called so. */
static void group_by_name(void **state)
{
	struct xr_maps m;
	struct xr_why why;

	(void)state;
	assert_int_equal(xr_maps_alloc(&m, 3, 0, &why), 0);
	strcpy(m.groups[0].name, "main");
	m.groups[2] = (struct xr_group){.members = 2, .name = "main"};
	m.groups[1] = (struct xr_group){.members = 2, .name = "main2"};
	assert_int_equal(xr_maps_group(&m, "main"), 2);
	assert_int_equal(xr_maps_group(&m, "main2"), 1);
	assert_int_equal(xr_maps_group(&m, "mai"), 3);
	assert_int_equal(xr_maps_group(&m, ""), 3);
	xr_maps_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(opens_what_is_pinned),
		T(a_reader_cannot_write),
		T(a_writer_writes_to_the_map),
		T(values_are_as_large_as_configured),
		T(copied_values_are_of_now),
		T(values_that_fit_nothing),
		T(stats_are_summed_over_cpus),
		T(no_pins),
		T(one_pin_missing),
		T(another_abi),
		T(another_value_size),
		T(peers_differ_in_number),
		T(another_type),
		T(groups_and_acks_differ_in_number),
		T(a_failed_open_leaks_nothing),
		cmocka_unit_test(plain_memory),
		cmocka_unit_test(group_by_name),
		cmocka_unit_test(folder_of_a_node),
	};

	remove_old_folders();
	libbpf_set_print(NULL);
	return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
