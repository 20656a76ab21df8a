// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table. By default node 2 sends node 1 a heartbeat of group 0 in term 7, which node 1
 * follows; with LEADS node 1 leads all groups in term 7. Nodes 1, 2 and 3 vote; node 4 is known
 * and does not; groups are 0 ... 127, and each has its own digest.
 */
#include <string.h>
#include <linux/bpf.h>
#include "cases.h"

/* clang-format off */
#define FIELD(s, f)    offsetof(s, f), sizeof(((s *)NULL)->f)
#define P(f, v)        {SET_PACKET, FIELD(struct packet, f), false, (__u64)(v)}
#define W(f, v)        {SET_WORLD, FIELD(struct world, f), false, (__u64)(v)}
#define P_NOW(f, v)    {SET_PACKET, FIELD(struct packet, f), true, (__u64)(v)}
#define W_NOW(f, v)    {SET_WORLD, FIELD(struct world, f), true, (__u64)(v)}
#define F(at, v)       {SET_FRAME, at, 1, false, v} /* a byte of the finished frame */
#define H(f, v)        P(d.h.f, v)
#define REC(i, f, v)   P(d.rec[i].f, v)
#define FACT(i, f, v)  P(d.fact[i].f, v)
#define FROM(n)        H(source, n), P(from, n), H(lives, RIG_LIVES(n, RIG_SELF))
#define VIEW(i, f, v)  W(groups[i].view.f, v)
#define SET(...)       .set = {__VA_ARGS__}

#define MOVED(...)     .moved = {__VA_ARGS__}
#define ONE(name)      .moved = {{XR_R_##name, 1}}
#define N(name, n)     {XR_R_##name, n}
#define PASS           .verdict = XDP_PASS
#define DROP           .verdict = XDP_DROP
#define TX             .verdict = XDP_TX
#define ACKS           TX, ONE(heartbeat_answered), .stamped = 1, .flags = {XR_ACKED}
#define UNTOUCHED      PASS, ONE(pass_not_ours)
#define ACK            H(type, XR_ACK), REC(0, flags, XR_ACKED), \
		       P_NOW(d.h.echo_ns, -100 * (__s64)NS_PER_MS)
#define LACKS          H(type, XR_ACK), REC(0, flags, XR_LACKING)
#define LEARNER(n)     (1u << ((n) + XR_LEARNER_SHIFT))
#define POLL           H(type, XR_POLL)
#define PATH(t)        H(type, XR_PATH_##t), FACT(0, what, XR_FACT_nonce), FACT(0, value, 0x1234567890abcdef)
#define ASK            H(type, XR_ASK), H(lives, RIG_LIFE(2))
#define TELL           H(type, XR_TELL), H(lives, RIG_LIFE(2))
#define LONG_D         W(control.min_timeout_us, 60000000) /* so that no case is about milliseconds */
#define SEC            (__s64)NS_PER_S
#define FIRST(n)       (((case_groups)1 << (n)) - 1) /* groups 0 ... n-1 */
#define MARK(t, ns)    ((__u64)((t) & 0xffff) << 48 | (ns) >> 10)

const struct nic_case nic_cases[] = {
	/* ---- frames ---- */
	{"heartbeat", ACKS},
	{"one VLAN tag", SET(P(vlan[0], 0x8100)), ACKS},
	{"one 802.1ad tag", SET(P(vlan[0], 0x88a8)), ACKS},
	{"two VLAN tags", SET(P(vlan[0], 0x88a8), P(vlan[1], 0x8100)), ACKS},
	{"three VLAN tags", SET(P(vlan[0], 0x88a8), P(vlan[1], 0x8100), P(vlan[2], 0x8100)), UNTOUCHED},
	{"Ethernet padding", SET(P(padding, 18)), ACKS},
	{"IPv4 options", .family = IPV4, SET(P(options, 4)), PASS, ONE(pass_shape)},
	{"IPv4, not version 4", .family = IPV4, SET(F(14, 0x55)), PASS, ONE(pass_shape)},
	{"first fragment", .family = IPV4, SET(P(fragment, 0x2000)), PASS, ONE(pass_shape)},
	{"last fragment", .family = IPV4, SET(P(fragment, 0x0007)), PASS, ONE(pass_shape)},
	{"large fragment offset", .family = IPV4, SET(P(fragment, 0x1000)), PASS, ONE(pass_shape)},
	{"must not be fragmented", .family = IPV4, SET(P(fragment, 0x4000)), ACKS},
	{"IPv6 destination options", .family = IPV6, SET(P(extension, 60)), UNTOUCHED},
	{"IPv6 fragment header", .family = IPV6, SET(P(extension, 44)), UNTOUCHED},
	{"another port", SET(P(to_port, 7008)), UNTOUCHED},
	{"another host's address", SET(P(to, 3)), UNTOUCHED},
	{"ARP", .family = IPV4, SET(F(12, 0x08), F(13, 0x06)), UNTOUCHED},
	{"LLDP", .family = IPV4, SET(F(12, 0x88), F(13, 0xcc)), UNTOUCHED},
	{"802.3 with a length", .family = IPV4, SET(F(12, 0x00), F(13, 0x26)), UNTOUCHED},
	{"ICMP", .family = IPV4, SET(F(23, 1)), UNTOUCHED},
	{"TCP to our port", .family = IPV4, SET(F(23, 6)), UNTOUCHED},
	{"SCTP", .family = IPV4, SET(F(23, 132)), UNTOUCHED},
	{"ICMPv6", .family = IPV6, SET(F(20, 58)), UNTOUCHED},
	{"TCP over IPv6 to our port", .family = IPV6, SET(F(20, 6)), UNTOUCHED},

	/* ---- rule 10: who may speak ---- */
	{"unknown address", SET(P(from, 9)), DROP, ONE(drop_address)},
	{"another node's address", SET(P(from, 3)), DROP, ONE(drop_address)},
	{"another source port", SET(P(from_port, 7008)), DROP, ONE(drop_address)},
	{"vote from another port", SET(H(type, XR_VOTE), P(from_port, 7008)), DROP, ONE(drop_address)},
	{"resignation from the warden's port", SET(H(type, XR_RESIGN), P(from_port, 7008)), PASS, ONE(pass_vote)},
	{"resignation from another address", SET(H(type, XR_RESIGN), P(from, 3)), DROP, ONE(drop_address)},
	{"node that is not configured", SET(H(source, 9)), DROP, ONE(drop_source)},
	{"node beyond the table", SET(H(source, 200)), DROP, ONE(drop_source)},
	{"node 0", SET(H(source, 0)), DROP, ONE(drop_source)},
	{"ourselves as the source", SET(H(source, RIG_SELF), P(from, RIG_SELF)), DROP, ONE(drop_source)},
	{"for another node", SET(H(dest, 3)), DROP, ONE(drop_source)},
	{"for nobody", SET(H(dest, 0)), DROP, ONE(drop_source)},
	{"wrong magic", SET(H(magic, 0x54465259)), DROP, ONE(drop_magic)},
	{"version 0", SET(H(version, 0)), DROP, ONE(drop_version)},
	{"the version before", SET(H(version, XR_WIRE_VERSION - 1)), DROP, ONE(drop_version)},
	{"the version after", SET(H(version, XR_WIRE_VERSION + 1)), DROP, ONE(drop_version)},
	{"type 0", SET(H(type, 0)), DROP, ONE(drop_type)},
	{"type beyond the last", SET(H(type, XR_TYPE_END)), DROP, ONE(drop_type)},
	{"type 255", SET(H(type, 255)), DROP, ONE(drop_type)},
	{"no records", SET(H(count, 0)), DROP, ONE(drop_short)},
	{"more records than bytes", SET(H(count, 2), P(payload, 64)), DROP, ONE(drop_short)},
	{"count that overflows", SET(H(count, 0xffff), P(payload, 64)), DROP, ONE(drop_short)},
	{"more bytes than records", SET(P(payload, 80)), DROP, ONE(drop_short)},
	{"seven bytes more", SET(P(payload, 71)), DROP, ONE(drop_short)},
	{"header of the length that it once had", SET(P(payload, 56)), DROP, ONE(drop_short)},
	{"path test with a ballot", SET(H(type, XR_PATH_TEST), P(payload, 88)), DROP, ONE(drop_short)},
	{"path test with nothing", SET(H(type, XR_PATH_TEST), H(count, 0)), DROP, ONE(drop_short)},
	{"ask of nothing", SET(ASK, H(count, 0)), DROP, ONE(drop_short)},
	{"88 records", .records = 88, DROP, ONE(drop_short)},
	{"35 ballots", SET(H(type, XR_VOTE), H(count, 35)), DROP, ONE(drop_short)},
	{"88 facts", SET(TELL, H(count, 88)), DROP, ONE(drop_short)},
	{"no payload", SET(P(payload, 0)), DROP, ONE(drop_short)},
	{"UDP length below its header", SET(P(udp_len, 7)), DROP, ONE(drop_short)},
	{"UDP length 0", SET(P(udp_len, 0)), DROP, ONE(drop_short)},
	{"UDP length beyond the frame", SET(H(count, 2), P(payload, 64), P(udp_len, 88)), DROP, ONE(drop_short)},
	{"UDP length within the padding", SET(P(udp_len, 80), P(padding, 30)), DROP, ONE(drop_short)},
	{"second key", SET(H(key_id, 5)), ACKS},
	{"unknown key id", SET(H(key_id, 6)), DROP, ONE(drop_key)},
	{"unknown odd key id", SET(H(key_id, 7)), DROP, ONE(drop_key)},
	{"key that is no longer used", SET(W(keys[0].used, 0)), DROP, ONE(drop_key)},
	{"no tag", SET(P(unsealed, 1)), DROP, ONE(drop_tag)},
	{"tag of a random guess", SET(P(unsealed, 1), H(tag, 0x123456789abcdef)), DROP, ONE(drop_tag)},

	/* ---- rule 17: lives ---- */
	{"another life", SET(H(lives, RIG_LIVES(2, RIG_SELF) ^ 1)), DROP, ONE(drop_life)},
	{"another life in the maps", SET(W(peers[2].lives, RIG_LIVES(2, RIG_SELF) ^ 1ull << 63)), DROP, ONE(drop_life)},
	{"lives of another pair", SET(H(lives, RIG_LIVES(3, RIG_SELF))), DROP, ONE(drop_life)},
	{"the sender's life alone", SET(H(lives, RIG_LIFE(2))), DROP, ONE(drop_life)},
	{"no life", SET(H(lives, 0)), DROP, ONE(drop_life)},
	{"not introduced", SET(W(peers[2].lives, 0)), DROP, ONE(drop_life)},
	{"not introduced, and says so", SET(H(lives, 0), W(peers[2].lives, 0)), DROP, ONE(drop_life)},
	{"another life, older term", SET(H(lives, 1), REC(0, term, 6)), DROP, ONE(drop_life)},
	{"another life, unknown key id", SET(H(lives, 1), H(key_id, 6)), DROP, ONE(drop_life)},
	{"another life, no tag", SET(H(lives, 1), P(unsealed, 1)), DROP, ONE(drop_life)},
	{"another life, another port", SET(H(lives, 1), P(from_port, 7008)), DROP, ONE(drop_address)},
	{"another life, without a socket", .socket = NO_SOCKET, SET(H(lives, 1)), DROP, ONE(drop_life)},
	{"another life, after the deadline", SET(H(lives, 1), W(control.alive_until_ns, 0)), DROP, ONE(drop_life)},
	{"ack for another life", .role = LEADS, SET(ACK, H(lives, 1)), DROP, ONE(drop_life)},
	{"poll for another life", .role = LEADS, SET(POLL, H(lives, 1)), DROP, ONE(drop_life)},
	{"vote of another life", SET(H(type, XR_VOTE), H(lives, 1)), DROP, ONE(drop_life)},
	{"vote answer for another life", SET(H(type, XR_VOTE_ANSWER), H(lives, 1)), DROP, ONE(drop_life)},
	{"resignation of another life", SET(H(type, XR_RESIGN), H(lives, 1)), DROP, ONE(drop_life)},
	{"path test of another life", SET(PATH(TEST), H(lives, 1)), DROP, ONE(drop_life)},
	{"path echo for another life", SET(PATH(ECHO), H(lives, 1)), DROP, ONE(drop_life)},
	{"path delivered, not introduced", SET(PATH(DELIVERED), W(peers[2].lives, 0)), DROP, ONE(drop_life)},
	{"ask", SET(ASK), PASS, ONE(pass_fact)},
	{"ask of another life", SET(ASK, H(lives, 1)), PASS, ONE(pass_fact)},
	{"ask, not introduced", SET(ASK, W(peers[2].lives, 0)), PASS, ONE(pass_fact)},
	{"ask of 87 facts", SET(ASK, H(count, 87)), PASS, ONE(pass_fact)},
	{"ask without a socket", .socket = NO_SOCKET, SET(ASK), PASS, ONE(pass_no_socket)},
	{"ask after the deadline", SET(ASK, W(control.alive_until_ns, 0)), PASS, ONE(pass_not_alive)},
	{"ask from another port", SET(ASK, P(from_port, 7008)), DROP, ONE(drop_address)},
	{"ask, forged", SET(ASK, P(unsealed, 1)), DROP, ONE(drop_tag)},
	{"ask, unknown key id", SET(ASK, H(key_id, 6)), DROP, ONE(drop_key)},
	{"tell", SET(TELL), PASS, ONE(pass_fact)},
	{"tell of another life", SET(TELL, H(lives, 1)), PASS, ONE(pass_fact)},
	{"tell, not introduced", SET(TELL, W(peers[2].lives, 0)), PASS, ONE(pass_fact)},
	{"tell of no life", SET(TELL, H(lives, 0)), PASS, ONE(pass_fact)},
	{"tell of 87 facts", SET(TELL, H(count, 87)), PASS, ONE(pass_fact)},
	{"tell, forged", SET(TELL, P(unsealed, 1)), DROP, ONE(drop_tag)},

	/* ---- rules 2 and 10: what a heartbeat must agree with ---- */
	{"older term: refused with ours", SET(REC(0, term, 6)), TX, ONE(heartbeat_refused), .flags = {XR_REFUSED}},
	{"older term while fenced", SET(REC(0, term, 6), VIEW(0, mode, XR_NONE)), TX, ONE(heartbeat_refused), .flags = {XR_REFUSED}},
	{"older term at the leader", .role = LEADS, SET(REC(0, term, 6)), TX, ONE(heartbeat_refused), .flags = {XR_REFUSED}},
	{"newer term", SET(REC(0, term, 8)), PASS, ONE(pass_heartbeat)},
	{"term at its end", SET(REC(0, term, 0xffffffff)), PASS, ONE(pass_heartbeat)},
	{"another leader in the same term", SET(VIEW(0, leader, 3)), PASS, ONE(pass_heartbeat)},
	{"view NONE: fenced", SET(VIEW(0, mode, XR_NONE)), PASS, ONE(pass_heartbeat)},
	{"same term at the leader: two leaders", .role = LEADS, PASS, ONE(pass_heartbeat)},
	{"larger D", SET(H(min_timeout_us, 150001)), DROP, ONE(drop_timing)},
	{"smaller D", SET(H(min_timeout_us, 149999)), ACKS},
	{"larger D of an older term", SET(H(min_timeout_us, 150001), REC(0, term, 6)), TX, ONE(heartbeat_refused), .flags = {XR_REFUSED}},
	{"group beyond the map", SET(REC(0, group, RIG_GROUPS)), DROP, ONE(drop_group)},
	{"group far beyond the map", SET(REC(0, group, 0xffffffff)), DROP, ONE(drop_group)},
	{"group that is not in use", SET(W(groups[0].members, 0)), DROP, ONE(drop_group)},
	{"wrong digest", SET(REC(0, digest, 0x1001)), DROP, ONE(drop_digest)},

	/* ---- rule 27: members ---- */
	{"from a node that is no member", SET(FROM(4)), PASS, ONE(pass_heartbeat)},
	{"from a leader that removed itself", SET(FROM(4), VIEW(0, leader, 4)), ACKS},
	{"older term from a node that is no member", SET(FROM(4), REC(0, term, 6)), TX, ONE(heartbeat_refused), .flags = {XR_REFUSED}},
	{"to a node that is no member", SET(W(groups[0].members, 0xc)), PASS, ONE(pass_heartbeat)},
	{"older term to a node that is no member", SET(W(groups[0].members, 0xc), REC(0, term, 6)), TX, ONE(heartbeat_refused), .flags = {XR_REFUSED}},
	{"to a learner", SET(W(groups[0].members, 0xc | LEARNER(RIG_SELF))), ACKS},
	{"to the only learner", SET(W(groups[0].members, LEARNER(RIG_SELF))), ACKS},
	{"one is a member, one is not", .records = 2, SET(W(groups[1].members, 0xc)), TX, MOVED(N(heartbeat_answered, 1), N(heartbeat_pending, 1)),
	 .stamped = 1, .flags = {XR_ACKED, XR_PENDING}, .events = 1},
	{"lacks the entry", .role = LEADS, SET(LACKS, W(groups[0].entry, 5)), PASS, ONE(pass_entry)},
	{"lacks the newer of two entries", .role = LEADS, SET(LACKS, W(groups[0].entry, XR_COMMITTED | 5), REC(0, entry, 4)), PASS, ONE(pass_entry)},
	{"lacks nothing", .role = LEADS, SET(LACKS, W(groups[0].entry, 5), REC(0, entry, 5)), DROP, ONE(ack_ignored)},
	{"lacks nothing, knows not that it is committed", .role = LEADS, SET(LACKS, W(groups[0].entry, XR_COMMITTED | 5), REC(0, entry, 5)), DROP, ONE(ack_ignored)},
	{"lacks an entry that is not here", .role = LEADS, SET(LACKS), DROP, ONE(ack_ignored)},
	{"lacks the entry of an older term", .role = LEADS, SET(LACKS, W(groups[0].entry, 5), REC(0, term, 6)), DROP, ONE(ack_ignored)},
	{"lacks the entry of a follower", SET(LACKS, W(groups[0].entry, 5)), DROP, ONE(ack_ignored)},
	{"lacks the entry of another group", .role = LEADS, SET(LACKS, W(groups[0].entry, 5), REC(0, digest, 0)), DROP, ONE(drop_digest)},
	{"record that a leader left pending", SET(REC(0, flags, XR_PENDING)), DROP, ONE(ack_ignored)},

	/* ---- rule 10: replay ---- */
	{"seen before", SET(W(groups[0].replay, MARK(7, CASE_SENT))), DROP, ONE(drop_replay)},
	{"overtaken", SET(W(groups[0].replay, MARK(7, CASE_SENT + 2048))), DROP, ONE(drop_replay)},
	{"newer than the mark", SET(W(groups[0].replay, MARK(7, CASE_SENT - 2048))), ACKS},
	{"another term begins anew", SET(W(groups[0].replay, MARK(6, CASE_SENT + SEC))), ACKS},
	{"16 bits of the term wrap", SET(W(groups[0].replay, MARK(0xffff, CASE_SENT + SEC)), VIEW(0, term, 0x10000), REC(0, term, 0x10000)), ACKS},
	{"65536 terms on, the mark is the same", SET(W(groups[0].replay, MARK(7, CASE_SENT)), VIEW(0, term, 0x10007), REC(0, term, 0x10007)), DROP, ONE(drop_replay)},
	{"65536 terms on, later", SET(W(groups[0].replay, MARK(7, CASE_SENT - 2048)), VIEW(0, term, 0x10007), REC(0, term, 0x10007)), ACKS},

	/* ---- rule 17: a mark that lies far ahead ---- */
	{"mark far ahead", SET(LONG_D, W(groups[0].replay, MARK(7, 1ull << 57))), DROP, ONE(drop_replay)},
	{"mark far ahead, by an answer", SET(LONG_D, W(groups[0].replay, MARK(7, 1ull << 57)), P_NOW(d.h.echo_ns, -SEC)), ACKS},
	{"mark far ahead, by an old answer", SET(LONG_D, W(groups[0].replay, MARK(7, 1ull << 57)), P_NOW(d.h.echo_ns, -61 * SEC)), DROP, ONE(drop_replay)},
	{"mark far ahead, by an answer to come", SET(LONG_D, W(groups[0].replay, MARK(7, 1ull << 57)), P_NOW(d.h.echo_ns, 30 * SEC)), DROP, ONE(drop_replay)},
	{"mark ahead by more than 2 D, by an answer", SET(LONG_D, W(groups[0].replay, MARK(7, CASE_SENT + 121 * SEC)), P_NOW(d.h.echo_ns, -SEC)), ACKS},
	{"mark ahead by less than 2 D, by an answer", SET(LONG_D, W(groups[0].replay, MARK(7, CASE_SENT + 119 * SEC)), P_NOW(d.h.echo_ns, -SEC)), DROP, ONE(drop_replay)},
	{"seen before, by an answer", SET(LONG_D, W(groups[0].replay, MARK(7, CASE_SENT)), P_NOW(d.h.echo_ns, -SEC)), DROP, ONE(drop_replay)},
	{"mark far ahead, one of two groups", .records = 2, SET(LONG_D, W(groups[0].replay, MARK(7, 1ull << 57)), W(groups[1].replay, MARK(7, CASE_SENT)), P_NOW(d.h.echo_ns, -SEC)),
	 TX, MOVED(N(heartbeat_answered, 1), N(drop_replay, 1)), .stamped = 1, .flags = {XR_ACKED, XR_PENDING}},

	/* ---- rules 4 and 15: stamped is answered ---- */
	{"withheld: a later stamp stands", SET(W_NOW(groups[0].contact_ns, 10 * SEC)), TX, ONE(heartbeat_withheld), .marked = 1, .flags = {XR_PENDING}},
	{"87 records", .records = 87, TX, MOVED(N(heartbeat_answered, 87)), .stamped = FIRST(87), .flags = {1, 1, 1, 1, 1, 1, 1, 1}},
	{"87 records, the last of a newer term", .records = 87, SET(REC(86, term, 8)), TX, MOVED(N(heartbeat_answered, 86), N(heartbeat_pending, 1)),
	 .stamped = FIRST(86), .flags = {1, 1, 1, 1, 1, 1, 1, 1}, .events = 1},
	{"some stamped, some up", .records = 3, SET(REC(1, term, 8), VIEW(2, mode, XR_NONE)), TX, MOVED(N(heartbeat_answered, 1), N(heartbeat_pending, 2)),
	 .stamped = 1, .flags = {XR_ACKED, XR_PENDING, XR_PENDING}, .events = 2},
	{"one of each", .records = 6, SET(REC(1, term, 8), REC(2, term, 6), REC(3, digest, 0), REC(4, group, RIG_GROUPS + 35), W(groups[5].replay, MARK(7, CASE_SENT))),
	 TX, MOVED(N(heartbeat_answered, 1), N(heartbeat_pending, 1), N(heartbeat_refused, 1), N(drop_digest, 1), N(drop_group, 1), N(drop_replay, 1)),
	 .stamped = 1, .flags = {XR_ACKED, XR_PENDING, XR_REFUSED, XR_PENDING, XR_PENDING, XR_PENDING}, .events = 1},
	{"withheld and up", .records = 2, SET(W_NOW(groups[0].contact_ns, 10 * SEC), REC(1, term, 8)), TX, MOVED(N(heartbeat_withheld, 1), N(heartbeat_pending, 1)),
	 .marked = 1, .flags = {XR_PENDING, XR_PENDING}, .events = 1},
	{"refused and up, none stamped", .records = 2, SET(REC(0, term, 6), REC(1, term, 8)), PASS, ONE(pass_heartbeat)},
	{"dropped and up", .records = 2, SET(REC(0, digest, 0), REC(1, term, 8)), PASS, ONE(pass_heartbeat)},
	{"refused and dropped", .records = 2, SET(REC(0, term, 6), REC(1, digest, 0)), TX, MOVED(N(heartbeat_refused, 1), N(drop_digest, 1)), .flags = {XR_REFUSED, XR_PENDING}},
	{"nothing but dropped", .records = 2, SET(REC(0, group, RIG_GROUPS + 6), REC(1, digest, 0)), DROP, MOVED(N(drop_group, 1), N(drop_digest, 1))},
	{"the same group twice", .records = 2, SET(REC(1, group, 0), REC(1, digest, 0x1000)), TX, MOVED(N(heartbeat_answered, 1), N(drop_replay, 1)),
	 .stamped = 1, .flags = {XR_ACKED, XR_PENDING}},

	/* ---- rule 8: the dead do not answer ---- */
	{"no socket", .socket = NO_SOCKET, PASS, ONE(pass_no_socket)},
	{"somebody else's socket", .socket = FOREIGN, PASS, ONE(pass_no_socket)},
	{"deadline over", SET(W_NOW(control.alive_until_ns, -1000)), PASS, ONE(pass_not_alive)},
	{"no deadline yet", SET(W(control.alive_until_ns, 0)), PASS, ONE(pass_not_alive)},
	{"ack without a socket", .role = LEADS, .socket = NO_SOCKET, SET(ACK), PASS, ONE(pass_no_socket)},
	{"ack after the deadline", .role = LEADS, SET(ACK, W_NOW(control.alive_until_ns, -1000)), PASS, ONE(pass_not_alive)},
	{"poll without a socket", .role = LEADS, .socket = NO_SOCKET, SET(POLL), PASS, ONE(pass_no_socket)},
	{"poll after the deadline", .role = LEADS, SET(POLL, W_NOW(control.alive_until_ns, -1000)), PASS, ONE(pass_not_alive)},
	{"older term without a socket", .socket = NO_SOCKET, SET(REC(0, term, 6)), PASS, ONE(pass_no_socket)},
	{"vote without a socket", .socket = NO_SOCKET, SET(H(type, XR_VOTE)), PASS, ONE(pass_no_socket)},
	{"forged, without a socket", .socket = NO_SOCKET, SET(P(unsealed, 1)), DROP, ONE(drop_tag)},
	{"forged, after the deadline", SET(P(unsealed, 1), W(control.alive_until_ns, 0)), DROP, ONE(drop_tag)},
	{"answers switched off", SET(W(control.answer, 0)), PASS, ONE(pass_no_answer)},
	{"ack, answers switched off", .role = LEADS, SET(ACK, W(control.answer, 0)), PASS, ONE(pass_no_answer)},

	/* ---- rules 24 and 25: entries ---- */
	{"with an entry", SET(W(groups[0].entry, 5)), ACKS, .entry = 5},
	{"with an entry, of which it knows", SET(W(groups[0].entry, 5 | XR_COMMITTED)), ACKS, .entry = 5 | XR_COMMITTED},
	{"the entry is committed", SET(W(groups[0].entry, 5), REC(0, entry, 5 | XR_COMMITTED)), ACKS, .entry = 5 | XR_COMMITTED, .noted = 1, .events = 1},
	{"another entry is committed", SET(W(groups[0].entry, 5), REC(0, entry, 6 | XR_COMMITTED)), ACKS, .entry = 5},
	{"an entry is committed, and it has none", SET(REC(0, entry, 6 | XR_COMMITTED)), ACKS},
	{"no entry, committed", SET(REC(0, entry, XR_COMMITTED)), ACKS},
	{"entry and replay", SET(W(groups[0].entry, 5), REC(0, entry, 5 | XR_COMMITTED), W(groups[0].replay, MARK(7, CASE_SENT))), DROP, ONE(drop_replay)},
	{"refused, with an entry", SET(W(groups[0].entry, 5), REC(0, entry, 5), REC(0, term, 6)), TX, ONE(heartbeat_refused), .flags = {XR_REFUSED}},
	{"ack of the committed entry", .role = LEADS, SET(ACK, W(groups[0].entry, 5 | XR_COMMITTED), REC(0, entry, 5 | XR_COMMITTED)), DROP, ONE(ack_stamped), .acked = 1},
	{"ack of the entry under way", .role = LEADS, SET(ACK, W(groups[0].entry, 5), REC(0, entry, 5)), PASS, ONE(pass_entry), .acked = 1},
	{"ack of another entry", .role = LEADS, SET(ACK, W(groups[0].entry, 5 | XR_COMMITTED), REC(0, entry, 4 | XR_COMMITTED)), PASS, ONE(pass_entry), .acked = 1},
	{"ack that does not know it is committed", .role = LEADS, SET(ACK, W(groups[0].entry, 5 | XR_COMMITTED), REC(0, entry, 5)), PASS, ONE(pass_entry), .acked = 1},
	{"ack without an entry", .role = LEADS, SET(ACK, W(groups[0].entry, 5 | XR_COMMITTED)), PASS, ONE(pass_entry), .acked = 1},
	{"poll, and an entry", .role = LEADS, SET(POLL, W(groups[0].entry, 5 | XR_COMMITTED)), TX, ONE(poll_answered)},
	{"append", SET(H(type, XR_APPEND), H(count, 10)), PASS, ONE(pass_append)},
	{"append to a leader", .role = LEADS, SET(H(type, XR_APPEND), H(count, 10)), PASS, ONE(pass_append)},
	{"append, too short for its header", SET(H(type, XR_APPEND), H(count, 10), P(payload, sizeof(struct xr_wire) + 72)), DROP, ONE(drop_short)},

	/* ---- rule 5: acks at the leader ---- */
	{"ack", .role = LEADS, SET(ACK), DROP, ONE(ack_stamped), .acked = 1},
	{"ack of 87 records", .role = LEADS, .records = 87, SET(ACK), DROP, MOVED(N(ack_stamped, 1), N(ack_ignored, 86)), .acked = 1},
	{"ack of an older term", .role = LEADS, SET(ACK, REC(0, term, 6)), DROP, ONE(ack_ignored)},
	{"ack of a newer term", .role = LEADS, SET(ACK, REC(0, term, 8)), DROP, ONE(ack_ignored)},
	{"ack at a follower", SET(ACK), DROP, ONE(ack_ignored)},
	{"ack while fenced", .role = LEADS, SET(ACK, VIEW(0, mode, XR_NONE)), DROP, ONE(ack_ignored)},
	{"pending record", .role = LEADS, SET(H(type, XR_ACK), REC(0, flags, XR_PENDING), P_NOW(d.h.echo_ns, -SEC / 10)), DROP, ONE(ack_ignored)},
	{"echo before lead_since", .role = LEADS, SET(ACK, W_NOW(groups[0].lead_since_ns, -(__s64)NS_PER_MS * 100 + 1)), DROP, ONE(ack_ignored)},
	{"echo at lead_since", .role = LEADS, SET(ACK, W_NOW(groups[0].lead_since_ns, -(__s64)NS_PER_MS * 100)), DROP, ONE(ack_stamped), .acked = 1},
	{"echo in the future", .role = LEADS, SET(H(type, XR_ACK), REC(0, flags, XR_ACKED), P_NOW(d.h.echo_ns, 10 * SEC)), DROP, ONE(ack_ignored)},
	{"ack that was overtaken", .role = LEADS, SET(ACK, W_NOW(acks[0].echo_ns[2], -50 * (__s64)NS_PER_MS)), DROP, ONE(ack_stamped), .known = 1},
	{"ack, and a newer term is known", .role = LEADS, SET(ACK, W(acks[0].term[2], 9), W_NOW(acks[0].echo_ns[2], -50 * (__s64)NS_PER_MS)), DROP, ONE(ack_stamped)},
	{"ack of an unknown group", .role = LEADS, SET(ACK, REC(0, group, RIG_GROUPS)), DROP, ONE(drop_group)},
	{"ack with a wrong digest", .role = LEADS, SET(ACK, REC(0, digest, 0)), DROP, ONE(drop_digest)},
	{"ack of a node that does not vote", .role = LEADS, SET(ACK, FROM(4)), DROP, ONE(ack_stamped), .acked = 1},
	{"refusal with a newer term", .role = LEADS, SET(H(type, XR_ACK), REC(0, flags, XR_REFUSED), REC(0, term, 8)), PASS, ONE(pass_ack)},
	{"refusal with our term", .role = LEADS, SET(H(type, XR_ACK), REC(0, flags, XR_REFUSED)), DROP, ONE(ack_ignored)},
	{"refusal with an older term", .role = LEADS, SET(H(type, XR_ACK), REC(0, flags, XR_REFUSED), REC(0, term, 6)), DROP, ONE(ack_ignored)},
	{"acks and a refusal", .role = LEADS, .records = 3, SET(ACK, REC(1, flags, XR_REFUSED), REC(1, term, 9), REC(2, flags, XR_ACKED)),
	 PASS, MOVED(N(ack_stamped, 2), N(pass_ack, 1)), .acked = 5},

	/* ---- rule 12: polls at the leader ---- */
	{"poll", .role = LEADS, SET(POLL), TX, ONE(poll_answered)},
	{"poll at a follower", SET(POLL), PASS, ONE(pass_poll)},
	{"poll while fenced", .role = LEADS, SET(POLL, VIEW(0, mode, XR_NONE)), PASS, ONE(pass_poll)},
	{"poll of an older term", .role = LEADS, SET(POLL, REC(0, term, 6)), PASS, ONE(pass_poll)},
	{"poll of a newer term", .role = LEADS, SET(POLL, REC(0, term, 8)), PASS, ONE(pass_poll)},
	{"poll when the quorum has lapsed", .role = LEADS, SET(POLL, W_NOW(acks[0].echo_ns[2], -10 * SEC)), PASS, ONE(pass_poll)},
	{"poll when the other ack is fresh", .role = LEADS, SET(POLL, W_NOW(acks[0].echo_ns[2], -10 * SEC), W_NOW(acks[0].echo_ns[3], -SEC)), TX, ONE(poll_answered)},
	{"poll of a new leader: grace", .role = LEADS, SET(POLL, W(acks[0].echo_ns[2], 0), W_NOW(groups[0].lead_since_ns, -SEC)), TX, ONE(poll_answered)},
	{"poll, acks of an earlier leadership", .role = LEADS, SET(POLL, W_NOW(groups[0].lead_since_ns, -5 * SEC), W_NOW(acks[0].echo_ns[2], -5 * SEC - 1)), PASS, ONE(pass_poll)},
	{"poll of some that we lead", .role = LEADS, .records = 3, SET(POLL, VIEW(1, mode, XR_NONE), REC(2, digest, 0)),
	 TX, MOVED(N(poll_answered, 1), N(pass_poll, 1), N(drop_digest, 1)), .flags = {0, XR_PENDING, XR_PENDING}},
	{"poll of 87 groups", .role = LEADS, .records = 87, SET(POLL), TX, MOVED(N(poll_answered, 87))},
	{"poll of an unknown group", .role = LEADS, SET(POLL, REC(0, group, RIG_GROUPS)), DROP, ONE(drop_group)},
	{"poll with a wrong digest", .role = LEADS, SET(POLL, REC(0, digest, 0)), DROP, ONE(drop_digest)},
	{"poll of a node that is no member: by its ack it is told", .role = LEADS, SET(POLL, FROM(4)), TX, ONE(poll_answered)},
	{"poll of a learner", .role = LEADS, SET(POLL, FROM(4), W(groups[0].members, 0xe | LEARNER(4))), TX, ONE(poll_answered)},

	/* ---- rule 9, and what is the daemon's ---- */
	{"path test", SET(PATH(TEST)), TX, ONE(path_answered)},
	{"path test of three facts", SET(PATH(TEST), H(count, 3), FACT(2, value, 0xfedcba98)), TX, ONE(path_answered)},
	{"path test of 87 facts", SET(PATH(TEST), H(count, 87), FACT(86, value, 0xfedcba98)), TX, ONE(path_answered)},
	{"path test, answers switched off", SET(PATH(TEST), W(control.answer, 0)), TX, ONE(path_answered)},
	{"path test without a socket", .socket = NO_SOCKET, SET(PATH(TEST)), PASS, ONE(pass_no_socket)},
	{"path echo", SET(PATH(ECHO)), PASS, ONE(pass_fact)},
	{"path delivered", SET(PATH(DELIVERED)), PASS, ONE(pass_fact)},
	{"vote", SET(H(type, XR_VOTE)), PASS, ONE(pass_vote)},
	{"vote answer", SET(H(type, XR_VOTE_ANSWER)), PASS, ONE(pass_vote)},
	{"prevote", SET(H(type, XR_PREVOTE)), PASS, ONE(pass_vote)},
	{"prevote answer", SET(H(type, XR_PREVOTE_ANSWER)), PASS, ONE(pass_vote)},
	{"resignation", SET(H(type, XR_RESIGN)), PASS, ONE(pass_vote)},
	{"34 votes", SET(H(type, XR_VOTE), H(count, 34)), PASS, ONE(pass_vote)},
};
const unsigned nic_ncases = ARRAY_SIZE(nic_cases);
/* clang-format on */

static void packet_default(struct packet *p, bool ipv6, unsigned records)
{
	memset(p, 0, sizeof(*p));
	p->d.h = (struct xr_wire){.magic = XR_WIRE_MAGIC,
				  .version = XR_WIRE_VERSION,
				  .type = XR_HEARTBEAT,
				  .source = 2,
				  .dest = RIG_SELF,
				  .count = records ? (__u16)records : 1,
				  .key_id = 4,
				  .min_timeout_us = 150000,
				  .sent_ns = CASE_SENT,
				  .lives = RIG_LIVES(2, RIG_SELF)};
	for (__u32 i = 0; i < p->d.h.count; i++)
		p->d.rec[i] = (struct xr_record){
			.group = i, .term = 7, .digest = (__u16)(0x1000 + i)};
	p->payload = p->udp_len = -1;
	p->ipv6 = ipv6;
	p->from = 2;
	p->to = RIG_SELF;
	p->from_port = p->to_port = XR_PORT;
}

static void apply(const struct case_set *set, struct world *w, struct packet *p, bool built)
{
	for (int i = 0; i < CASE_SETS && set[i].where != SET_NOTHING; i++) {
		char *base = set[i].where == SET_WORLD ? (char *)w : (char *)p;
		__u64 value = set[i].value + (set[i].from_now ? w->now : 0);

		if ((set[i].where == SET_FRAME) != built)
			continue;
		if (set[i].where == SET_FRAME)
			base = (char *)p->frame;
		memcpy(base + set[i].offset, &value, set[i].size);
	}
}

void case_prepare(const struct nic_case *c, bool ipv6, struct world *w, struct packet *p)
{
	world_default(w, ipv6);
	if (c->role == LEADS)
		world_lead(w);
	packet_default(p, ipv6, c->records);
	apply(c->set, w, p, false);
	frame_build(p, w->keys);
	apply(c->set, w, p, true);
}
