// SPDX-License-Identifier: GPL-2.0-only
/* What the agent will meet: without it the node elects all the same, so nothing here is wrong. */
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include "machine/machine.h"

static void look_at_user(const char *section, const char *name, struct xr_findings *f)
{
	if (name[0] && !getpwnam(name))
		xr_find(f, XR_UNWISE, section,
			"there is no user %s, and without it no agent; make it: useradd --system "
			"%s, or correct [%s] user",
			name, name, section);
}

static bool is_in(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && path[len] == '/';
}

static void look_at_hook(const char *path, struct xr_findings *f)
{
	struct stat st;

	if (!path[0])
		return;
	if (stat(path, &st))
		xr_find(f, XR_UNWISE, "hooks",
			"%.150s, a hook, cannot be called: %m; correct its path in [hooks]", path);
	else if (!S_ISREG(st.st_mode) || !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		xr_find(f, XR_UNWISE, "hooks",
			"%.150s, a hook, is no program that can be called; chmod +x %.150s", path,
			path);
	else if (is_in("/home", path) || is_in("/root", path))
		xr_find(f, XR_UNWISE, "hooks",
			"%.150s, a hook, is where systemd lets its services see nothing; move it "
			"to /usr/local/sbin",
			path);
}

void xr_machine_agent(const struct xr_config *c, struct xr_findings *f)
{
	look_at_user("agent", c->agent_user, f);
	look_at_user("hooks", c->hook_user, f);
	for (int hook = 0; hook < XR_HOOKS; hook++)
		look_at_hook(c->hooks[hook], f);
}
