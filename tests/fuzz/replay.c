// SPDX-License-Identifier: GPL-2.0-only
/* Runs files, and all files of folders, through a fuzz target, without libFuzzer. */
#include <dirent.h>
#include <sys/stat.h>
#include "common/common.h"
#include "fuzz.h"

#define SIZE_MAX_BYTES (1 << 20)

static unsigned long runs;
static int show;

static int replay_file(const char *path)
{
	_cleanup_file_ FILE *file = fopen(path, "re");
	_cleanup_free_ uint8_t *room = malloc(SIZE_MAX_BYTES);
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;

	if (!file || !room) {
		fprintf(stderr, "%s: cannot be read: %m\n", path);
		return 1;
	}
	if (show)
		fprintf(stderr, "%s\n", path);
	size = fread(room, 1, SIZE_MAX_BYTES, file);
	data = malloc(size + !size); /* of its true size: a byte too far is seen */
	if (!data)
		return 1;
	memcpy(data, room, size);
	LLVMFuzzerTestOneInput(data, size);
	runs++;
	return 0;
}

static int replay_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), failed = n < 0;

	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			failed |= replay_file(file);
		free(names[i]);
	}
	if (n < 0)
		fprintf(stderr, "%s: cannot be listed: %m\n", path);
	else
		free(names);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE|FOLDER... (XR_SHOW=1 names each file first)\n",
			argv[0]);
		return 2;
	}
	show = getenv("XR_SHOW") != NULL;
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode))
			failed |= replay_folder(argv[i]);
		else
			failed |= replay_file(argv[i]);
	}
	printf("%lu inputs replayed\n", runs);
	return failed || !runs;
}
