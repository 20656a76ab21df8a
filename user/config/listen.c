// SPDX-License-Identifier: GPL-2.0-only
/* [http]: where to listen. */
#include <arpa/inet.h>
#include "config/private.h"

/* Unlike that of a node it may mean all addresses of this machine. */
static void read_listen(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	struct xr_peer *at = (struct xr_peer *)((char *)p->c + s->at);
	char host[INET6_ADDRSTRLEN + 2];
	uint32_t number = XR_HTTP_PORT;
	const char *port;

	if (!xr_split_address(value, host, sizeof(host), &port) || !xr_read_ip(host, at)) {
		fail(p,
		     "%s = %.60s is no IP address; write 127.0.0.1:%u, [::1]:%u, or 0.0.0.0 for "
		     "all "
		     "addresses",
		     s->name, value, XR_HTTP_PORT, XR_HTTP_PORT);
		return;
	}
	if (port && !xr_scan_all_number(port, 1, 65535, &number)) {
		fail(p, "%s = %.60s has no usable port; use a number from 1 to 65535", s->name,
		     value);
		return;
	}
	at->port = (uint16_t)number;
	at->used = 1;
}

static void show_listen(const struct xr_setting *s, const void *value, char *text, size_t size)
{
	const struct xr_peer *at = value;
	char ip[INET6_ADDRSTRLEN];

	(void)s;
	text[0] = '\0';
	if (!at->used)
		return;
	if (xr_config_is_ipv4(at))
		snprintf(text, size, "%s:%u", inet_ntop(AF_INET, at->ip + 12, ip, sizeof(ip)),
			 at->port);
	else
		snprintf(text, size, "[%s]:%u", inet_ntop(AF_INET6, at->ip, ip, sizeof(ip)),
			 at->port);
}

const struct xr_value_type xr_type_listen = {"address", 1, read_listen, show_listen};
