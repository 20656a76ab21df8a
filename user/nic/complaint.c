// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/libbpf.h>
#include <string.h>
#include <xdp/libxdp.h>
#include "nic/complaint.h"

#define KERNEL "Kernel error message: "

static char complaint[200];
static bool from_kernel; /* its own word stays, whatever the libraries conclude from it */

/* The verifier's reason stands in the last line before its figures. */
static char *reason_in_log(char *log)
{
	char *last = log, *rest = log, *line;

	while ((line = strsep(&rest, "\n")))
		if (line[0] && strncmp(line, "processed ", 10) && !strstr(line, "PROG LOAD LOG") &&
		    !strstr(line, "stack depth") && !strstr(line, "verification time"))
			last = line;
	return last;
}

__attribute__((format(printf, 1, 0))) static void keep(const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	char *said, *word;

	if (from_kernel || vasprintf(&text, fmt, ap) < 0 || strstr(text, "failed to load"))
		return;
	said = strncmp(text, "libbpf: ", 8) ? text : text + 8;
	word = strstr(said, KERNEL);
	if (word)
		said = word + strlen(KERNEL);
	else if (strstr(said, "PROG LOAD LOG"))
		said = reason_in_log(said);
	from_kernel = word || said > text + 8;
	snprintf(complaint, sizeof(complaint), "%.*s", (int)strcspn(said, "\n"), said);
}

__attribute__((format(printf, 2, 0))) static int keep_libbpf(enum libbpf_print_level level,
							     const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN)
		keep(fmt, ap);
	return 0;
}

__attribute__((format(printf, 2, 0))) static int keep_libxdp(enum libxdp_print_level level,
							     const char *fmt, va_list ap)
{
	if (level == LIBXDP_WARN)
		keep(fmt, ap);
	return 0;
}

void xr_complaint_begin(void)
{
	libbpf_set_print(keep_libbpf);
	libxdp_set_print(keep_libxdp);
	complaint[0] = '\0';
	from_kernel = false;
}

const char *xr_complaint(int err)
{
	return complaint[0] ? complaint : strerror(-err);
}
