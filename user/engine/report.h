/* SPDX-License-Identifier: GPL-2.0-only */
/* What happened and why, as the engine tells it; daemon/report.h brings it to people. */
#ifndef XRAFT_ENGINE_REPORT_H
#define XRAFT_ENGINE_REPORT_H

#include "common/common.h"
#include "core/raft.h"

/*
 * X(name, level, sentence). level: 3 error, 4 warning, 5 notice, 6 info (as in syslog).
 * In a sentence {group} {term} {node} {cause} {ms} {entry} {note} are filled in from the report.
 */
#define XR_REPORTS(X)                                                                           \
	X(started, 5, "started: {note}")                                                        \
	X(stopped, 5, "stopped: {note}")                                                        \
	X(reloaded, 5, "configuration reloaded: {note}")                                        \
	X(warning, 4, "{note}")                                                                 \
	X(error, 3, "{note}")                                                                   \
	X(prevote_started, 6, "{group}: asks whether it would win term {term}: {cause}")        \
	X(election_started, 5, "{group}: starts an election for term {term}: {cause}")          \
	X(elected, 5, "{group}: leads in term {term}, {ms} ms after its election started")      \
	X(following, 5, "{group}: follows node {node} in term {term}")                          \
	X(vote_granted, 6, "{group}: votes for node {node} in term {term}")                     \
	X(vote_refused, 6, "{group}: refuses node {node} its vote for term {term}: {cause}")    \
	X(stepped_down, 4, "{group}: no longer leads in term {term}: {cause}")                  \
	X(resignation, 5, "{group}: node {node} resigned term {term}")                          \
	X(paused, 5, "{group}: paused here, stands for no election until xraft resume: {note}") \
	X(resumed, 5, "{group}: stands for elections here again: {note}")                       \
	X(term_adopted, 5, "{group}: enters term {term}: {cause}")                              \
	X(committed, 6, "{group}: entry {entry} is committed")                                  \
	X(members, 5, "{group}: has {note}, as of term {term}")                                 \
	X(stalled, 4, "the event loop stood still for {ms} ms; it asks before it acts: {note}") \
	X(path_delivered, 6, "answers of the NIC path are delivered, node {node} says")         \
	X(path_lost, 4, "{note}")                                                               \
	X(wrong, 4, "{note}")                                                                   \
	X(well, 5, "{note}")

enum xr_report_kind {
#define X(name, level, sentence) XR_REPORT_##name,
	XR_REPORTS(X)
#undef X
		XR_REPORT_END,
};

struct xr_report {
	uint64_t at_ns; /* CLOCK_BOOTTIME; 0: now */
	uint32_t group; /* id; 0 with group_name "" where it is about the node */
	uint32_t term;
	uint8_t kind;	    /* enum xr_report_kind */
	uint8_t cause;	    /* enum xr_cause, core/raft.h */
	uint8_t node;	    /* the other node, 0 none */
	uint8_t cause_node; /* the node that the cause speaks of, 0 none */
	uint32_t cause_term;
	uint32_t more;	   /* reports like it that are told with it (engine/crowd.h) */
	uint64_t cause_ns; /* the duration that the cause speaks of */
	uint64_t took_ns;  /* {ms} of the sentence */
	uint64_t entry;	   /* id, of what is committed; 0: none */
	char group_name[16];
	char note[480];
};

#endif
