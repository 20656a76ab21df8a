// SPDX-License-Identifier: GPL-2.0-only
/*
 * Catches frames that carry xraft datagrams at an interface, and sends them again.
 *
 *   frames catch IFACE FILE TYPE SOURCE COUNT   until COUNT of that type from that node (10 s)
 *   frames send IFACE FILE                      all, as they were
 *   frames forge IFACE FILE OFFSET BYTE         all, with a byte of the datagram set
 *   frames flood IFACE FILE COUNT               COUNT of the first one with random datagram bytes
 *
 * FILE holds frames, each after its length as a 32-bit number. IPv4 only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT = 7007,
	AT_PROTO = 12,
	AT_IP_PROTO = 14 + 9,
	AT_UDP_DEST = 14 + 20 + 2,
	AT_DATAGRAM = 14 + 20 + 8,
	AT_TYPE = AT_DATAGRAM + 5,
	AT_SOURCE = AT_DATAGRAM + 6,
	HEADER = 48,
	FRAME_MAX = 2048,
	LIMIT_S = 10,
};

static void die(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int packet_socket(const char *iface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	at.sll_ifindex = (int)if_nametoindex(iface);
	if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die(iface);
	return fd;
}

static int is_ours(const uint8_t *frame, ssize_t len, int type, int source)
{
	if (len < AT_DATAGRAM + HEADER)
		return 0;
	if (frame[AT_PROTO] != 0x08 || frame[AT_PROTO + 1] != 0 || frame[AT_IP_PROTO] != 17)
		return 0;
	if ((frame[AT_UDP_DEST] << 8 | frame[AT_UDP_DEST + 1]) != PORT)
		return 0;
	return frame[AT_TYPE] == type && frame[AT_SOURCE] == source;
}

static void catch (const char *iface, FILE *file, int type, int source, int count)
{
	struct pollfd wait = {.fd = packet_socket(iface), .events = POLLIN};
	time_t end = time(NULL) + LIMIT_S;
	uint8_t frame[FRAME_MAX];

	while (count > 0 && time(NULL) < end) {
		ssize_t got;
		uint32_t len;

		if (poll(&wait, 1, 200) <= 0)
			continue;
		got = recv(wait.fd, frame, sizeof(frame), 0);
		if (got < 0)
			die("recv");
		if (!is_ours(frame, got, type, source))
			continue;
		len = (uint32_t)got;
		if (fwrite(&len, sizeof(len), 1, file) != 1 || fwrite(frame, len, 1, file) != 1)
			die("write");
		count--;
	}
	if (count > 0) {
		fprintf(stderr, "frames: %d too few came in %d s\n", count, LIMIT_S);
		exit(1);
	}
}

static uint32_t next_frame(FILE *file, uint8_t *frame)
{
	uint32_t len;

	if (fread(&len, sizeof(len), 1, file) != 1)
		return 0;
	if (len > FRAME_MAX || fread(frame, len, 1, file) != 1)
		die("read");
	return len;
}

static void put(int fd, const uint8_t *frame, uint32_t len)
{
	while (send(fd, frame, len, 0) < 0) {
		if (errno != ENOBUFS)
			die("send");
		usleep(1000);
	}
}

static int send_all(const char *iface, FILE *file, long offset, int byte)
{
	int fd = packet_socket(iface), count = 0;
	uint8_t frame[FRAME_MAX];
	uint32_t len;

	while ((len = next_frame(file, frame))) {
		if (offset >= 0 && AT_DATAGRAM + offset < (long)len)
			frame[AT_DATAGRAM + offset] = (uint8_t)byte;
		put(fd, frame, len);
		count++;
	}
	return count;
}

static int flood(const char *iface, FILE *file, int count)
{
	int fd = packet_socket(iface);
	uint8_t frame[FRAME_MAX];
	uint32_t len = next_frame(file, frame);

	for (int i = 0; len && i < count; i++) {
		/* Half of them keep the header's first fields and get further. */
		size_t keep = i & 1 ? 12 : 0;

		if (getrandom(frame + AT_DATAGRAM + keep, len - AT_DATAGRAM - keep, 0) < 0)
			die("getrandom");
		if (keep) /* magic, version, and so on are as they were: read them again */
			memcpy(frame + AT_DATAGRAM, (const uint8_t[]){'X', 'R', 'F', 'T', 2}, 5);
		put(fd, frame, len);
	}
	return count;
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";
	int catching = !strcmp(what, "catch") && argc == 7;
	FILE *file = argc > 3 ? fopen(argv[3], catching ? "wb" : "rb") : NULL;

	if (!file)
		die(argc > 3 ? argv[3] : "usage: frames catch|send|forge|flood IFACE FILE ...");
	if (catching)
		catch (argv[2], file, atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
	else if (!strcmp(what, "send") && argc == 4)
		printf("%d\n", send_all(argv[2], file, -1, 0));
	else if (!strcmp(what, "forge") && argc == 6)
		printf("%d\n", send_all(argv[2], file, atol(argv[4]), atoi(argv[5])));
	else if (!strcmp(what, "flood") && argc == 5)
		printf("%d\n", flood(argv[2], file, atoi(argv[4])));
	else
		die("usage: frames catch|send|forge|flood IFACE FILE ...");
	return fclose(file) ? 1 : 0;
}
