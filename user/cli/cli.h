/* SPDX-License-Identifier: GPL-2.0-only */
/* The `xraft` command: what its subcommands share. */
#ifndef XRAFT_CLI_H
#define XRAFT_CLI_H

#include <jansson.h>
#include "nic/maps.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NO_NODE = 3,
	CLI_NOT_RUNNING = 4,
	CLI_WRONG = 5,
	CLI_UNKNOWN = 6, /* whether it is done nobody knows yet */
};

#define CLI_SOCKETS "/run/xraft"

/* What stands before the subcommand. */
struct cli {
	const char *node;   /* -n: "demo.1", or "1" where that is unique; NULL: the only one */
	const char *socket; /* --socket; NULL: found by the node's name */
};

/* argv[0] is the subcommand's name. Returns an exit code. */
int cli_status(const struct cli *cli, int argc, char **argv);
int cli_check(const struct cli *cli, int argc, char **argv);
int cli_run(const struct cli *cli, int argc, char **argv);
int cli_watch(const struct cli *cli, int argc, char **argv);
int cli_keygen(const struct cli *cli, int argc, char **argv);
int cli_doctor(const struct cli *cli, int argc, char **argv);
int cli_detach(const struct cli *cli, int argc, char **argv);
int cli_transfer(const struct cli *cli, int argc, char **argv);
int cli_set(const struct cli *cli, int argc, char **argv);
int cli_get(const struct cli *cli, int argc, char **argv);
int cli_member(const struct cli *cli, int argc, char **argv);
int cli_pause(const struct cli *cli, int argc, char **argv);
int cli_resume(const struct cli *cli, int argc, char **argv);
int cli_step_down(const struct cli *cli, int argc, char **argv);

/* Print "xraft: SENTENCE" on stderr and return `code`. */
__attribute__((format(printf, 2, 3))) int cli_fail(int code, const char *fmt, ...);

/* Print the help of a subcommand (stdout) and return CLI_OK, or say what is wrong: CLI_USAGE. */
int cli_help(const char *command);
__attribute__((format(printf, 2, 3))) int cli_usage(const char *command, const char *fmt, ...);

/* user/cli/value.c: a value for people, on one line of at most so many bytes. To be freed; or NULL. */
char *cli_value_line(const json_t *value, size_t most);

/* user/cli/node.c: a node of this machine, by its pins or its socket. */
struct cli_node {
	char cluster[XR_NAME_SIZE];
	unsigned int node;
	char path[256]; /* the folder of its pins, or its socket */
};

/* Under XR_BPFFS_DIR. CLI_OK, or says why not: CLI_NO_NODE where none fits, or several. */
int cli_find_pins(const char *want, struct cli_node *out);

/* "demo.1": where its pins would be. False for what does not name both. Says nothing. */
bool cli_name_node(const char *want, struct cli_node *out);

/* Likewise under CLI_SOCKETS. */
int cli_find_socket(const char *want, struct cli_node *out);

/* The socket of the node meant: as given, or by its pins, or the only one. Says what is wrong. */
int cli_daemon_socket(const struct cli *cli, struct cli_node *out);

/* A node that fits has a socket, and none has pins: it runs without BPF. Says nothing. */
bool cli_only_socket(const char *want);

/* user/cli/value.c: what makes an entry; waits, and says what became of it. */
int cli_post_entry(const char *socket, const char *path, bool json);

/* user/cli/http.c: ask the daemon through its unix socket. */

/* Each line of the answer, without its newline; return false to stop. */
typedef bool (*cli_line_fn)(const char *line, void *arg);

/* CLI_OK with a new reference; CLI_NOT_RUNNING: nobody listens, or it ended; says what is wrong. */
int cli_get_json(const char *socket, const char *path, json_t **out);
/* Says nothing, and waits for at most a second: for whoever can do without. */
bool cli_try_json(const char *socket, const char *path, json_t **out);
int cli_post_json(const char *socket, const char *path, json_t **out);
/* Does anybody? Says nothing. */
bool cli_daemon_listens(const char *path);
int cli_get_lines(const char *socket, const char *path, cli_line_fn on_line, void *arg);

#endif
