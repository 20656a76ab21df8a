// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "agent/daemon.h"

#define ANSWER_MS 500L

CURL *xr_daemon_get(const struct xr_agent *a, const char *path)
{
	CURL *curl = curl_easy_init();
	char url[2048];

	if (!curl)
		return NULL;
	snprintf(url, sizeof(url), "http://xraft%s", path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, a->config.socket);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* there are other threads */
	return curl;
}

static size_t write_to_file(char *data, size_t size, size_t n, void *out)
{
	return fwrite(data, size, n, out) * size;
}

json_t *xr_daemon_json(const struct xr_agent *a, const char *path)
{
	CURL *curl = xr_daemon_get(a, path);
	char *text = NULL;
	json_t *json = NULL;
	size_t size;
	FILE *out = curl ? open_memstream(&text, &size) : NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (out) {
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
		curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write_to_file);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
		code = curl_easy_perform(curl);
		if (!fclose(out) && code == CURLE_OK)
			json = json_loads(text, 0, NULL);
		free(text);
	}
	curl_easy_cleanup(curl);
	return json;
}
