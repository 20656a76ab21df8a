// SPDX-License-Identifier: GPL-2.0-only
/* A group's value: set by its leader, read from the maps of any node. */
#include <ctype.h>
#include <curl/curl.h>
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/status.h"
#include "lib/value.h"

#define PATH_SIZE (64 + 3 * (XR_NAME_SIZE + XR_VALUE_MAX + 32))

struct options {
	const char *if_id;
	bool json;
};

struct text {
	size_t len;
	char s[XR_VALUE_MAX + 2]; /* one newline at its end, and what is too much */
};

/* -1: help was given; else an exit code. */
static int parse(const char *command, int argc, char **argv, int args, struct options *o)
{
	static const struct option options[] = {
		{"if", required_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool set = !strcmp(command, "set");
	int c;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h') {
			cli_help(command);
			return -1;
		}
		if (c == 'i' && set)
			o->if_id = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == ':')
			return cli_usage(command, "%s needs a value", argv[optind - 1]);
		else
			return cli_usage(command, "there is no option %s", argv[optind - 1]);
	}
	if (argc - optind != args)
		return cli_usage(command, argc - optind < args ? "something is missing"
							       : "that is too much: a value is "
								 "one argument, put it in quotes");
	if (strlen(argv[optind]) >= XR_NAME_SIZE)
		return cli_usage(command, "a group's name has at most 15 characters");
	return CLI_OK;
}

/* Not in the middle of a character. */
static void cut(char *text, size_t most)
{
	if (strlen(text) <= most)
		return;
	most -= 3;
	while (most && (text[most] & 0xc0) == 0x80)
		most--;
	memcpy(text + most, "...", 4);
}

/* As it is, or, what could be taken for something else, as JSON has it. */
char *cli_value_line(const json_t *value, size_t most)
{
	const char *text = json_string_value(value);
	char *line;

	if (!text)
		return NULL;
	if (!*text || *text == '"' || strpbrk(text, "\n\t") || isblank((unsigned char)*text) ||
	    isblank((unsigned char)text[strlen(text) - 1]))
		line = json_dumps(value, JSON_ENCODE_ANY);
	else
		line = strdup(text);
	if (line)
		cut(line, most);
	return line;
}

/* As given, or "-": what stdin has, without the newline at its end, which xraft get prints. */
static int read_text(struct text *t, const char *given)
{
	if (strcmp(given, "-")) {
		t->len = strnlen(given, sizeof(t->s));
		memcpy(t->s, given, t->len);
		return CLI_OK;
	}
	t->len = fread(t->s, 1, sizeof(t->s), stdin);
	if (ferror(stdin))
		return cli_fail(CLI_FAILED, "the value cannot be read from stdin: %m");
	t->len -= t->len && t->s[t->len - 1] == '\n';
	return CLI_OK;
}

static bool add(char *path, CURL *curl, const char *name, const char *value, size_t size)
{
	/* To libcurl a length of 0 is that of a string. */
	char *text = curl_easy_escape(curl, size ? value : "", (int)size);
	size_t len = strlen(path);

	if (text)
		snprintf(path + len, PATH_SIZE - len, "%s=%s", name, text);
	curl_free(text);
	return text;
}

static int make_path(char *path, const char *group, const struct text *value, const char *if_id)
{
	CURL *curl = curl_easy_init();
	bool whole = add(path, curl, "group", group, strlen(group)) &&
		     add(path, curl, "&value", value->s, value->len) &&
		     (!if_id || add(path, curl, "&if", if_id, strlen(if_id)));

	curl_easy_cleanup(curl);
	return whole ? CLI_OK : cli_fail(CLI_FAILED, "no memory");
}

int cli_post_entry(const char *socket, const char *path, bool json)
{
	json_t *done = NULL;
	int code = cli_post_json(socket, path, &done);

	if (!code && json) {
		json_dumpf(done, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!code) {
		printf("committed as entry %s, after %.1f ms\n",
		       json_string_value(json_object_get(done, "id")),
		       json_number_value(json_object_get(done, "ms")));
	}
	json_decref(done);
	return code;
}

int cli_set(const struct cli *cli, int argc, char **argv)
{
	struct options o = {0};
	struct cli_node socket;
	char path[PATH_SIZE] = "/v1/set?";
	struct text value;
	int code = parse("set", argc, argv, 2, &o);

	if (code)
		return code < 0 ? CLI_OK : code;
	code = read_text(&value, argv[optind + 1]);
	if (code)
		return code;
	if (value.len > XR_VALUE_MAX)
		return cli_usage("set", "a value has at most %d bytes", XR_VALUE_MAX);
	code = make_path(path, argv[optind], &value, o.if_id);
	if (!code)
		code = cli_daemon_socket(cli, &socket);
	return code ? code : cli_post_entry(socket.path, path, o.json);
}

static int print_entry(const char *group, const struct xr_entry *e, bool committed)
{
	if (!committed)
		fprintf(stderr,
			"xraft: entry %u.%u of %s is not known to be committed: the next leader "
			"may have another\n",
			xr_entry_term(e->id), (uint32_t)e->id, group);
	fwrite(e->value, 1, e->size, stdout);
	putchar('\n');
	return CLI_OK;
}

static int print_json(const struct xr_maps *m, size_t id)
{
	json_t *entry = xr_status_entry(m, id);
	char *text = xr_status_dump(entry, false);

	if (text)
		puts(text);
	free(text);
	json_decref(entry);
	return text ? CLI_OK : cli_fail(CLI_FAILED, "no memory");
}

static int get_value(const struct xr_maps *m, const char *group, bool json)
{
	size_t id = xr_maps_group(m, group);
	struct xr_entry entry;
	uint64_t committed;
	int err;

	if (id == m->ngroups)
		return cli_fail(CLI_FAILED, "there is no group %s here; see xraft status", group);
	err = xr_value_read(m, id, &entry, &committed);
	if (json && (!err || err == -ENOENT || err == -EMSGSIZE))
		return print_json(m, id);
	switch (err) {
	case 0:
		return print_entry(group, &entry, committed == entry.id);
	case -ENOENT:
		return cli_fail(CLI_FAILED, "nobody ever set a value of %s (xraft set)", group);
	case -EMSGSIZE:
		return cli_fail(CLI_FAILED,
				"the value of %s has %u bytes, for which there is no room in this "
				"node's maps: raise value_bytes, and restart it",
				group, entry.size);
	case -EAGAIN:
		return cli_fail(CLI_FAILED,
				"the daemon ended while it wrote the value of %s, and writes it "
				"again when it starts: start xraftd",
				group);
	default:
		return cli_fail(CLI_FAILED, "the value of %s cannot be read: %s", group,
				strerror(-err));
	}
}

int cli_get(const struct cli *cli, int argc, char **argv)
{
	struct xr_maps maps = XR_MAPS_NONE;
	struct options o = {0};
	struct cli_node pins;
	struct xr_why why;
	int code = parse("get", argc, argv, 1, &o);

	if (code)
		return code < 0 ? CLI_OK : code;
	code = cli_find_pins(cli->node, &pins);
	if (code)
		return code;
	if (xr_maps_open(&maps, pins.path, false, &why))
		return cli_fail(CLI_FAILED, "%s", why.text);
	code = get_value(&maps, argv[optind], o.json);
	xr_maps_close(&maps);
	return code;
}
