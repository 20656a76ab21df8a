// SPDX-License-Identifier: GPL-2.0-only
/*
 * A node's NIC path. Each run has an environment of its own, since runs on several receive queues
 * overlap; between two of its steps a run may be held while its own daemon goes on.
 */
#include "sim/sim.h"

static void to_socket(struct node *n, uint32_t index)
{
	if (!n->socket || n->ninbox == SIM_SOCKET) {
		sim_packet_free(n->w, index);
		return;
	}
	n->inbox[n->ninbox++] = index;
	node_wake(n);
}

static void to_ring(struct node *n, const struct xr_env *env)
{
	for (uint32_t i = 0; i < env->npending && n->nring < SIM_SOCKET; i++)
		n->ring[n->nring++] = env->pending[i];
	if (env->npending)
		node_wake(n);
}

static void answer(struct node *n, uint32_t index, uint64_t stamped_ns)
{
	struct packet *p = &n->w->packets[index];

	p->from = n->host;
	p->to = p->wire.dest;
	p->port = XR_PORT;
	check_leaves(n, p, stamped_ns);
	net_send(n->w, p);
	sim_packet_free(n->w, index);
}

static void note(struct node *n, const struct packet *p, enum xr_verdict verdict)
{
	static const char *const verdicts[] = {"passes up", "drops", "answers with"};
	const struct xr_record *rec = (const struct xr_record *)(&p->wire + 1);

	if (p->wire.type == XR_HEARTBEAT || p->wire.type == XR_ACK)
		sim_trace_fine(n->w, n->id,
			       p->wire.type == XR_ACK
				       ? "NIC path %s an ack of node %llu: term %llu, flags %llu"
				       : "NIC path %s a heartbeat of node %llu: term %llu, flags "
					 "%llu",
			       verdicts[verdict], p->wire.source, rec->term, rec->flags, 0);
}

static void run(struct node *n, uint32_t index)
{
	struct packet *p = &n->w->packets[index];
	struct xr_from from = {.port = p->port};
	uint64_t began_ns = n->w->now_ns;
	struct sim_actor before;
	enum xr_verdict verdict;
	struct xr_env env;

	env.groups = n->maps.groups;
	env.acks = n->maps.acks;
	env.ngroups = n->w->groups;
	env.control = &n->maps.control;
	env.peers = n->maps.peers;
	env.keys = n->maps.keys;
	env.stats = &n->maps.stats;
	env.npending = 0;
	memcpy(from.ip, n->maps.peers[n->w->node[p->from].id].ip, sizeof(from.ip));
	before = sim_act((struct sim_actor){.kind = SIM_NIC, .n = n});
	verdict = xr_rules_run(&env, &p->wire, p->bytes + p->size, p->size, &from, sim_local(n));
	sim_act(before);
	check_maps(n);
	note(n, p, verdict);
	to_ring(n, &env);
	if (verdict == XR_TX)
		answer(n, index, began_ns);
	else if (verdict == XR_PASS)
		to_socket(n, index);
	else
		sim_packet_free(n->w, index);
}

void nic_receive(struct node *n, uint32_t index)
{
	if (!n->powered || !n->socket) { /* rule 8: without the socket nobody answers */
		net_say_gone(n, &n->w->packets[index]);
		sim_packet_free(n->w, index);
	} else if (n->no_nic)
		to_socket(n, index);
	else
		run(n, index);
}
