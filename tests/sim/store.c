// SPDX-License-Identifier: GPL-2.0-only
/*
 * The real journal over a disk that loses, tears and rots; and in place of the writer's thread the
 * same conduct in virtual time: all that waits becomes one batch under one fsync.
 */
#include "sim/sim.h"

void store_new(struct node *n)
{
	n->store.disk = fake_disk_new(sim_random(n->w));
}

/* As open_journal() in daemon/start.c. */
int store_open(struct node *n)
{
	struct xr_journal_opts opts = {
		.dir = n->config.state_dir,
		.cluster = n->config.cluster,
		.node = n->id,
		.lock_fd = n->warden.lock_fd,
		.capacity_blocks = n->warden.journal_blocks,
		.disk = &n->store.disk->ops,
	};
	struct xr_why why;
	int err = xr_journal_open(&n->store.journal, &opts, &why);

	if (err) {
		sim_violation(n->w, "a crash never makes the journal unreadable", "node %u: %s",
			      n->id, why.text);
		return err;
	}
	n->store.rotten = false;
	for (int g = 0; g < n->w->groups; g++) {
		const struct xr_vote *v = xr_journal_find(n->store.journal, g);

		check_begins(n, g, v);
		if (!n->store.put_back && !n->doomed) {
			check_found(n, g, v);
			check_entry_found(n, g, xr_journal_entry(n->store.journal, g));
		}
	}
	return 0;
}

void store_submit(struct node *n, const struct xr_vote *v, const struct xr_entry *entry)
{
	struct store *s = &n->store;

	if (s->failed)
		return;
	if (!s->submitted_ns)
		s->submitted_ns = sim_local(n);
	s->waiting[s->nwaiting] = (struct record){.vote = *v};
	if (entry)
		memcpy(&s->waiting[s->nwaiting].entry, entry, XR_ENTRY_BASE + entry->size);
	s->nwaiting++;
}

static uint64_t write_ns(struct node *n)
{
	struct world *w = n->w;
	uint64_t ns = sim_between(w, w->disk_ns / 4, w->disk_ns);

	if (xr_before(w->now_ns, n->store.slow_until_ns))
		ns += sim_between(w, 0, n->store.slow_ns);
	return ns;
}

void store_kick(struct node *n)
{
	struct store *s = &n->store;

	if (s->busy || s->failed || (!s->nwaiting && !s->probe_ns))
		return;
	memcpy(s->writing, s->waiting, s->nwaiting * sizeof(s->waiting[0]));
	s->nwriting = s->nwaiting;
	s->nwaiting = 0;
	s->writing_ns = s->nwriting ? s->submitted_ns : 0;
	s->submitted_ns = 0;
	s->probing = s->probe_ns;
	s->busy = true;
	sim_at(n->w, n->w->now_ns + write_ns(n), SIM_EV_DISK, n->host, n->child.life);
}

void store_probe(struct node *n)
{
	if (!n->store.probe_ns)
		n->store.probe_ns = sim_local(n);
	store_kick(n);
}

uint64_t store_oldest_ns(const struct node *n)
{
	const struct store *s = &n->store;
	uint64_t vote_ns = s->writing_ns ? s->writing_ns : s->submitted_ns;

	if (!vote_ns)
		return s->probe_ns;
	return s->probe_ns && s->probe_ns < vote_ns ? s->probe_ns : vote_ns;
}

static int write_batch(struct node *n, struct xr_why *why)
{
	struct store *s = &n->store;
	const struct xr_entry *entries[ARRAY_SIZE(s->writing)];
	struct xr_vote votes[ARRAY_SIZE(s->writing)];

	n->w->result->writes++;
	if (!s->nwriting)
		return xr_journal_probe(s->journal, why);
	for (int i = 0; i < s->nwriting; i++) {
		votes[i] = s->writing[i].vote;
		entries[i] = s->writing[i].entry.id ? &s->writing[i].entry : NULL;
	}
	return xr_journal_append(s->journal, votes, entries, s->nwriting, why);
}

/* What the disk confirmed is durable from here on, whether or not the daemon hears of it. */
static void confirm(struct node *n)
{
	struct store *s = &n->store;

	for (int i = 0; i < s->nwriting; i++) {
		check_durable(n, &s->writing[i].vote);
		if (s->writing[i].entry.id)
			check_entry(n, s->writing[i].vote.group, &s->writing[i].entry);
		sim_trace(n->w, n->id,
			  s->writing[i].entry.id ? "%s: g%llu term %llu vote %llu entry %llx"
						 : "%s: g%llu term %llu vote %llu",
			  "on disk", s->writing[i].vote.group, s->writing[i].vote.term,
			  s->writing[i].vote.vote, s->writing[i].entry.id);
	}
}

void store_on_disk(struct node *n)
{
	struct store *s = &n->store;
	struct xr_why why = {""};
	int err = write_batch(n, &why);

	s->busy = false;
	s->writing_ns = 0;
	if (s->probing)
		s->probe_ns = 0;
	if (err == -EINVAL) {
		sim_violation(n->w, "term and vote never go back (rule 7)", "node %u: %s", n->id,
			      why.text);
		return;
	}
	if (!err)
		confirm(n);
	if (err || xr_journal_tidy(s->journal, &why))
		s->failed = true;
	if (!err) {
		memcpy(&s->done[s->ndone], s->writing, s->nwriting * sizeof(s->writing[0]));
		s->ndone += s->nwriting;
	}
	s->nwriting = 0;
	store_kick(n);
	node_wake(n);
}

/* The write under way gets somewhere: not begun, torn, or complete and nobody hears of it. */
static void leave_half_written(struct node *n)
{
	struct store *s = &n->store;
	struct xr_why why;

	if (!s->busy || s->failed || sim_chance(n->w, 300))
		return;
	n->w->result->faults[SIM_TORN]++;
	if (sim_chance(n->w, 700))
		s->disk->crash_at = s->disk->count[FAKE_ANY] + 1 +
				    sim_below(n->w, sim_chance(n->w, 800) ? 3 : 16);
	if (!write_batch(n, &why))
		confirm(n);
}

static int lock(struct node *n)
{
	struct xr_journal_opts opts = {
		.dir = n->config.state_dir,
		.cluster = n->config.cluster,
		.node = n->id,
		.disk = &n->store.disk->ops,
	};

	return xr_journal_lock(&opts, NULL);
}

void store_crash(struct node *n, bool power)
{
	struct store *s = &n->store;
	size_t size;

	if (s->journal)
		leave_half_written(n);
	xr_journal_close(s->journal);
	s->journal = NULL;
	s->nwaiting = s->nwriting = s->ndone = 0;
	s->busy = s->failed = s->probing = false;
	s->submitted_ns = s->writing_ns = s->probe_ns = 0;
	if (power)
		fake_disk_power_cut(s->disk);
	else
		fake_disk_restart(s->disk);
	if (n->parent.lives) /* it still holds the lock */
		n->warden.lock_fd = lock(n);
	size = fake_disk_size(s->disk, "journal");
	if (!s->rotten && size && sim_chance(n->w, 150)) {
		s->rotten = true;
		n->w->result->faults[SIM_ROTTEN]++;
		fake_disk_flip(s->disk, "journal", sim_below(n->w, size), sim_below(n->w, 8));
	}
}

/*
 * ---- backups ----
 */

static void take(struct node *n, struct backup *b)
{
	struct fake_disk *disk = n->store.disk;

	b->size = fake_disk_size(disk, "journal");
	b->rotten = n->store.rotten;
	free(b->bytes);
	b->bytes = malloc(b->size + 1);
	if (!b->bytes || !fake_disk_peek(disk, "journal", b->bytes, b->size, 0))
		abort();
	for (int g = 0; g < n->w->groups; g++)
		b->term[g] = n->ghost[g].term;
}

static void put(struct node *n, const struct backup *b)
{
	fake_disk_poke(n->store.disk, "journal", b->bytes, b->size, 0);
	n->store.rotten = b->rotten;
}

/* Of a disk that nobody writes to at this moment. */
void store_back_up(struct node *n)
{
	if (!n->store.busy && fake_disk_size(n->store.disk, "journal"))
		take(n, &n->store.old);
}

/* Is there a backup, and is it older than what is `known` of each group? */
bool store_is_older(const struct node *n, const uint32_t *known)
{
	const struct store *s = &n->store;

	if (s->put_back || !s->old.size || s->old.size != fake_disk_size(s->disk, "journal"))
		return false;
	for (int g = 0; g < n->w->groups; g++)
		if (known[g] > s->old.term[g])
			return true;
	return false;
}

/* Somebody puts the backup back. */
void store_put_back(struct node *n)
{
	struct store *s = &n->store;

	take(n, &s->newest);
	put(n, &s->old);
	s->put_back = true;
}

/* The state, on the disk of another machine. False: it is being written to. */
bool store_copy(struct node *to, struct node *from)
{
	const struct xr_disk *disk = &to->store.disk->ops;
	struct backup *b = &to->store.newest;
	int dir, fd;

	if (from->store.busy)
		return false;
	take(from, b);
	dir = disk->open_dir(disk->ctx, to->config.state_dir, true);
	fd = disk->open(disk->ctx, dir, "journal", XR_DISK_FRESH);
	if (fd < 0 || xr_disk_write_all(disk, fd, b->bytes, b->size, 0) ||
	    disk->fdatasync(disk->ctx, fd) || disk->fsync_dir(disk->ctx, dir))
		abort();
	fake_disk_restart(to->store.disk); /* nothing is open */
	to->store.rotten = b->rotten;
	return true;
}

void store_restore(struct node *n)
{
	struct store *s = &n->store;
	const struct xr_disk *disk = &s->disk->ops;
	int dir;

	if (!s->put_back)
		return;
	s->put_back = false;
	put(n, &s->newest);
	dir = disk->open_dir(disk->ctx, n->config.state_dir, false);
	if (dir < 0 || disk->fsync_dir(disk->ctx, dir))
		abort(); /* or another power cut brings the file of before */
	disk->close(disk->ctx, dir);
}

void store_free(struct node *n)
{
	free(n->store.old.bytes);
	free(n->store.newest.bytes);
	xr_journal_close(n->store.journal);
	if (n->store.disk)
		fake_disk_free(n->store.disk);
}

void store_wipe(struct node *n)
{
	free(n->store.old.bytes);
	free(n->store.newest.bytes);
	fake_disk_free(n->store.disk);
	n->store = (struct store){.disk = fake_disk_new(sim_chance_set(n->w, UINT32_MAX))};
}
