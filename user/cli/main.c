// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"

static const struct command {
	const char *name;
	int (*run)(const struct cli *cli, int argc, char **argv);
	const char *args;
	const char *summary;
	const char *help;
} commands[] = {
	{"status", cli_status, "[--brief] [--json] [--counters] [--check]",
	 "show what a node is doing, and what is wrong",
	 "Reads the pinned maps, so it works when the daemon hangs or is dead, and says so. What "
	 "is\n"
	 "wrong on this machine it asks of the daemon, which looks every two seconds. Where a node "
	 "has\n"
	 "no maps (xdp = off without rights to BPF), it asks the daemon for all.\n\n"
	 "  --brief     how many groups it leads and follows, not each\n"
	 "  --json      one JSON object on one line; its members are stable\n"
	 "  --counters  every verdict with its reason, at the NIC path and in the daemon\n\n"
	 "  --check     for monitors: only what is wrong, and an exit code\n\n"
	 "Exit code 0 also for a dead daemon: see \"alive\" and \"answering\" in the output. With "
	 "--check\n"
	 "0: all is well; 4: the daemon is dead, stopped or hung; 5: something is wrong, or a "
	 "group "
	 "has\n"
	 "no leader that this node knows.\n"
	 "A node leads where \"leads\" is true: it holds the lease, as xr_is_leader() tells. "
	 "\"role\" "
	 "is only\n"
	 "what its daemon last did.\n"},
	{"check", cli_check, "[-q] [--json] GROUP",
	 "tell whether a node leads a group, for health checks",
	 "Reads the maps alone: it answers while the daemon is paused, and as truly as ever.\n\n"
	 "  -q, --quiet  print nothing\n"
	 "  --json       {\"cluster\", \"node\", \"group\", \"result\": \"leads\" | \"follows\" | "
	 "\"nobody\",\n"
	 "               \"leader\": node or null, \"term\"}; where it leads \"token\" and "
	 "\"lease_left_ms\" too\n\n"
	 "Exit codes: 0 it leads, with a lease that holds; 1 it follows a leader that it has "
	 "heard\n"
	 "within the longest election timeout; 2 it knows of no leader; 3 wrong usage, or it "
	 "cannot\n"
	 "be asked.\n"},
	{"run", cli_run, "GROUP [OPTIONS] -- CMD...",
	 "run a command while this node leads, and never longer",
	 "Waits until this node holds the lease of GROUP, and for as long again as the smaller "
	 "election\n"
	 "timeout, so that what another node ran has ended. Then it runs CMD, with XRAFT_TOKEN "
	 "(the\n"
	 "term), XRAFT_GROUP, XRAFT_NODE and XRAFT_CLUSTER in its environment. Before the lease "
	 "ends,\n"
	 "or when it is given up, CMD gets SIGTERM, then all that descends from it SIGKILL. Then "
	 "it\n"
	 "waits again. When CMD ends by itself, what it left behind is killed, and run ends with "
	 "its\n"
	 "exit code: so CMD must stay in the foreground.\n\n"
	 "  --grace S          seconds between SIGTERM and SIGKILL (10); cut to what the lease "
	 "allows,\n"
	 "                     which is said at the start\n"
	 "  --once             do not wait again when the lease was lost, but end with 75\n"
	 "  --pid-namespace    give CMD a PID namespace and a /proc of its own (root): it then "
	 "sees, and\n"
	 "                     mounts, for itself alone\n"
	 "  --die-with-parent  stop when the process ends that started this\n\n"
	 "What is promised: no process of CMD outlives the lease, and so none runs on two nodes, "
	 "as long\n"
	 "as this command's two processes get CPU. Where they are killed, or stopped until the "
	 "lease\n"
	 "ends, the kernel still kills CMD in time, but not what CMD started: with "
	 "--pid-namespace\n"
	 "that, too. Nobody kills in a machine that stands still as a whole, and what CMD sent "
	 "before\n"
	 "may arrive later: hand XRAFT_TOKEN to the resource with each act, and let it refuse a "
	 "token\n"
	 "smaller than the largest that it saw.\n\n"
	 "It reads the maps, and outlives restarts of the daemon. SIGTERM, SIGINT and SIGHUP stop "
	 "CMD,\n"
	 "with the whole grace while the lease holds.\n\n"
	 "Exit codes: CMD's own, or 128 and the signal that killed it; 126, 127 it cannot be run; "
	 "75\n"
	 "(--once) the lease was lost; 128 and the signal that stopped the waiting; before CMD "
	 "was\n"
	 "started also 1, 2 and 3 as elsewhere.\n"},
	{"watch", cli_watch, "[--json] [--oldest | --since EPOCH:SEQ] [--once] [GROUP...]",
	 "follow events as they happen, with their cause",
	 "Tells the present state of each group, then what happens, until Ctrl-C; of the groups "
	 "named\n"
	 "alone, and then each event of them, where events of many groups are else told as one. "
	 "When\n"
	 "the daemon ends it waits for the next, and goes on where it stopped, or tells what is "
	 "lost.\n\n"
	 "  --json             one JSON object a line, as share/xraft/events.schema.json says:\n"
	 "                     \"event\", \"group\", \"term\", \"leader\", \"cause\", "
	 "\"cause_node\", \"time\" (UTC),\n"
	 "                     \"at_ns\" (CLOCK_BOOTTIME), \"node\" and \"cluster\" (of the "
	 "teller), \"text\" ...\n"
	 "  --oldest           begin with what the daemon still remembers (4096 events)\n"
	 "  --since EPOCH:SEQ  begin behind that event, whose \"epoch\" and \"seq\" these are\n"
	 "  --once             end when the daemon ends (exit 4), or where none runs\n\n"
	 "A daemon that does not run at first, or a group that it does not have, ends it at "
	 "once.\n"},
	{"transfer", cli_transfer, "GROUP NODE", "hand the leadership of a group to another node",
	 "Asks the leader, which must be the node meant by -n: it ends its lease, then names NODE "
	 "its\n"
	 "heir, which campaigns at once. Waits for the new leader and says who it is.\n\n"
	 "Exit code 1 if another than NODE leads in the end, or NODE does not answer.\n"},
	{"pause", cli_pause, "GROUP | --all", "let a node stand for no election, for maintenance",
	 "The node votes and acks as before, and stands for no election in GROUP until xraft "
	 "resume,\n"
	 "also after a restart. Where it leads, it hands over first: to the voter of highest "
	 "priority\n"
	 "that answers. Waits until that is on disk, and says who leads then.\n\n"
	 "  --all  in each group that the node has now\n\n"
	 "Exit code 1 if it is not on disk within 5 s, or nobody leads then.\n"},
	{"resume", cli_resume, "GROUP | --all", "let a paused node stand for elections again",
	 "It leads again when it wins an election, or where failback hands over to it.\n\n"
	 "  --all  in each of its groups\n\n"
	 "Exit code 1 if that is not on disk within 5 s.\n"},
	{"step-down", cli_step_down, "[GROUP]", "let a node lead a group no longer, or none",
	 "The voter that answered last goes first. The node may be elected again later: see "
	 "pause.\n"},
	{"set", cli_set, "[--if ID] [--json] GROUP VALUE|-", "set the value that a group agrees on",
	 "Asks the leader, which must be the node meant by -n, and waits until a majority has the "
	 "value\n"
	 "on disk: then no leader to come is without it. \"-\" reads it from stdin, without the "
	 "newline at\n"
	 "the end. What it holds is yours: text (UTF-8) of up to 1024 bytes, or value_bytes of the "
	 "nodes\n"
	 "where that is less.\n\n"
	 "  --if ID  only where the group's entry is still ID (\"7.12\", as xraft get --json "
	 "tells; "
	 "0:\n"
	 "           none was ever made), so that nothing is overwritten unseen\n"
	 "  --json   {\"id\", \"committed\": true, \"ms\"}\n\n"
	 "A new leader makes the entry anew, under another ID. Exit code 1: it is not set; 6: no "
	 "majority\n"
	 "has it after 5 s, or the leadership was lost meanwhile, so that it may be committed yet, "
	 "or "
	 "never:\n"
	 "xraft get tells.\n"},
	{"get", cli_get, "[--json] GROUP", "print the value that a group agrees on",
	 "Reads the maps of this node alone, and so works when its daemon does not. A node that is "
	 "cut\n"
	 "off has an old value; ask the leader where that counts. A value that is not known to be\n"
	 "committed is printed with a warning.\n\n"
	 "  --json  {\"id\", \"committed\", \"size\", \"value\", \"missing\"}, or null where "
	 "there never was\n"
	 "          one; \"missing\", of the leader: the nodes that have not got it yet\n\n"
	 "Exit code 1: there is none.\n"},
	{"member", cli_member, "list | add | promote | remove GROUP [NODE]",
	 "show or change whom a group consists of",
	 "list GROUP          by the maps of this node: who votes, who learns, of which birth\n"
	 "add GROUP NODE      make NODE, started with xraftd --join, a learner, and a voter once "
	 "it "
	 "follows\n"
	 "promote GROUP NODE  make a learner a voter\n"
	 "remove GROUP NODE   NODE is a member no longer; where it leads, the others go on\n\n"
	 "Changes are the leader's, which must be the node meant by -n, one at a time, and wait "
	 "until a\n"
	 "majority of those that vote from then on has the change on disk. NODE has to be in "
	 "[nodes] of\n"
	 "all nodes. The voters in [groups] stay as they are: they are the group's first.\n\n"
	 "  --learner  with add: only make it a learner\n"
	 "  --json     of list {\"group\", \"entry\", \"committed\", \"members\"}, else "
	 "{\"id\", \"committed\", \"ms\"}\n\n"
	 "Exit code 1: not done; 6: nobody knows yet, as the sentence says.\n"},
	{"keygen", cli_keygen, "[--add | --use] FILE", "make a cluster's key, or rotate it",
	 "Writes a new random key to FILE (mode 0600), which must not exist. Copy it to every "
	 "node.\n"
	 "A line is \"ID HEX\": the first key is sent with, and up to two are accepted.\n\n"
	 "  --add  put a new key second: accepted from now on, not yet sent with\n"
	 "  --use  make the second key the first: sent with from now on\n\n"
	 "To rotate without an interruption: --add, copy FILE to all nodes, reload all (SIGHUP);\n"
	 "then --use, copy, reload all. The old key leaves the file with the next --add.\n"},
	{"doctor", cli_doctor, "[--cluster] [--config FILE] [--interface IF] [--try] [--json]",
	 "check what works on this machine, and what to do about the rest",
	 "Changes nothing. Asks the node what it has found wrong, if it runs. Measures the disk "
	 "with a\n"
	 "file that has no name; loads the XDP program.\n\n"
	 "  --cluster       ask all nodes, by the daemon of this one: who answers, how fast, and\n"
	 "                  what is set up otherwise there (--json: as GET /v1/peers)\n"
	 "  --config FILE   the node's configuration; it also names interface and state folder\n"
	 "  --interface IF  the interface to look at\n"
	 "  --try           attach a program there for a moment, natively, where none is: some\n"
	 "                  drivers take the link down for it\n"
	 "  --json          {\"ok\", \"checks\": [{\"name\", \"result\", \"found\", "
	 "\"remedy\"}]}\n\n"
	 "Exit code 1 if a check fails, or with --cluster a node is silent or set up otherwise;\n"
	 "a warning is no failure.\n"},
	{"detach", cli_detach, "[--interface IF] [--force]",
	 "remove a stopped node's XDP program and pins",
	 "Touches only this node's own program, never another's. Run it in the network namespace "
	 "of\n"
	 "the interface. A program that was left behind answers nobody: this is for tidiness.\n\n"
	 "  --interface IF  only there, and not wherever it is attached\n"
	 "  --force         even if the daemon runs, or the maps are of another version\n"},
};

static const char general_help[] =
	"  -n, --node NODE    which node of this machine: CLUSTER.NODE (demo.1), or just the "
	"number\n"
	"                     where it is unique; not needed where there is only one\n"
	"      --socket PATH  the daemon's socket (/run/xraft/CLUSTER.NODE.sock)\n"
	"  -V, --version      print the version\n"
	"  -h, --help         print this; after a command: what it does\n\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such node (or several), 4 the daemon "
	"is\n"
	"not running, 5 something is wrong (status --check), 6 not known yet (set).\n";

int cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	fputs("xraft: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int cli_help(const char *name)
{
	const struct command *c = find_command(name);

	printf("usage: xraft [-n NODE] %s %s\n\n%c%s.\n\n%s", c->name, c->args,
	       toupper((unsigned char)c->summary[0]), c->summary + 1, c->help);
	return CLI_OK;
}

int cli_usage(const char *name, const char *fmt, ...)
{
	const struct command *c = name ? find_command(name) : NULL;
	va_list ap;

	fputs("xraft: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (c)
		fprintf(stderr, "\nusage: xraft [-n NODE] %s %s\n", c->name, c->args);
	else
		fputs("\nusage: xraft [-n NODE] COMMAND; see xraft --help\n", stderr);
	return CLI_USAGE;
}

static int general(FILE *to)
{
	fputs("usage: xraft [-n NODE] COMMAND\n\n"
	      "Shows, checks and steers the nodes of this machine.\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-9s  %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n%s", general_help);
	return CLI_OK;
}

/* -1: go on; else an exit code. */
static int read_globals(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"node", required_argument, NULL, 'n'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:n:Vh", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			cli->node = optarg;
			break;
		case 's':
			cli->socket = optarg;
			break;
		case 'h':
			return general(stdout);
		case 'V':
			puts("xraft " XR_VERSION);
			return CLI_OK;
		case ':':
			return cli_usage(NULL, "%s needs a value", argv[optind - 1]);
		default:
			return cli_usage(NULL, "there is no option %s", argv[optind - 1]);
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	const struct command *command;
	int done = read_globals(&cli, argc, argv);

	if (done >= 0)
		return done;
	if (optind == argc) {
		general(stderr);
		return CLI_USAGE;
	}
	command = find_command(argv[optind]);
	if (!command)
		return cli_usage(NULL, "there is no command \"%s\"", argv[optind]);
	argc -= optind;
	argv += optind;
	optind = 0; /* begin anew (GNU) */
	done = command->run(&cli, argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) /* as in "xraft watch | head" */
		return cli_fail(CLI_FAILED, "the output could not be written: %s", strerror(errno));
	return done;
}
