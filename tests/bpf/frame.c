// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sodium.h>
#include "frame.h"

#define IPV4 0x0800
#define IPV6 0x86dd
#define UDP  17

static void put16(__u8 *at, __u32 value)
{
	at[0] = (__u8)(value >> 8);
	at[1] = (__u8)value;
}

static __u32 get16(const __u8 *at)
{
	return (__u32)at[0] << 8 | at[1];
}

__u64 frame_tag(const void *datagram, __u32 len, const struct xr_sip_key *key)
{
	const size_t tag_at = offsetof(struct xr_wire, tag);
	__u8 input[FRAME_MAX];
	__u64 tag;

	memcpy(input, datagram, tag_at);
	memcpy(input + tag_at, (const __u8 *)datagram + tag_at + 8, len - tag_at - 8);
	crypto_shorthash((__u8 *)&tag, input, len - 8, (const __u8 *)key);
	return tag;
}

__u16 frame_csum(const __u8 *bytes, __u32 len, __u32 sum)
{
	for (__u32 i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (__u32)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

__u16 frame_csum_udp6(const __u8 *frame, const struct reading *r)
{
	__u32 len = get16(frame + r->udp_at + 4);
	__u16 addresses = frame_csum(frame + r->ip_at + 8, 32, 0);

	return frame_csum(frame + r->udp_at, len, addresses + UDP + len);
}

static __u32 put_ipv4(struct packet *p, __u8 *ip, __u32 payload)
{
	const __u8 source[] = {10, 77, 0, p->from}, dest[] = {10, 77, 0, p->to};
	__u32 size = 20 + (__u32)p->options;

	memset(ip, 1, size); /* options: all no-operation */
	ip[0] = (__u8)(0x40 | size / 4);
	ip[1] = 0xc0;
	put16(ip + 2, size + 8 + payload);
	put16(ip + 4, 0x1234);
	put16(ip + 6, p->fragment);
	ip[8] = FRAME_TTL;
	ip[9] = UDP;
	put16(ip + 10, 0);
	memcpy(ip + 12, source, 4);
	memcpy(ip + 16, dest, 4);
	put16(ip + 10, (__u16)~frame_csum(ip, size, 0));
	return size;
}

static __u32 put_ipv6(struct packet *p, __u8 *ip, __u32 payload)
{
	__u32 extension = p->extension ? 8 : 0;

	memset(ip, 0, 48);
	ip[0] = 0x6c;
	put16(ip + 4, extension + 8 + payload);
	ip[6] = extension ? (__u8)p->extension : UDP;
	ip[7] = FRAME_TTL;
	ip[8] = ip[24] = 0xfd;
	ip[9] = ip[25] = 0x77;
	ip[23] = p->from;
	ip[39] = p->to;
	ip[40] = UDP;
	return 40 + extension;
}

void frame_build(struct packet *p, const struct xr_key *keys)
{
	static const __u8 macs[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	__u32 payload = sizeof(struct xr_wire) + p->d.h.count * xr_wire_body_size(p->d.h.type);
	__u8 *at = p->frame + sizeof(macs);

	if (p->payload >= 0)
		payload = (__u32)p->payload;
	if (!p->unsealed && payload >= sizeof(struct xr_wire))
		p->d.h.tag = frame_tag(&p->d, payload, &keys[p->d.h.key_id & 1].sip);
	memcpy(p->frame, macs, sizeof(macs));
	for (int i = 0; i < FRAME_VLANS && p->vlan[i]; i++, at += 4) {
		put16(at, p->vlan[i]);
		put16(at + 2, 0x2000 + 100 + (__u32)i);
	}
	put16(at, p->ipv6 ? IPV6 : IPV4);
	at += 2;
	at += p->ipv6 ? put_ipv6(p, at, payload) : put_ipv4(p, at, payload);
	put16(at, p->from_port);
	put16(at + 2, p->to_port);
	put16(at + 4, p->udp_len >= 0 ? (__u32)p->udp_len : 8 + payload);
	put16(at + 6, 0x5555); /* partial, as a sender on the same machine leaves it */
	at += 8;
	p->at = (__u32)(at - p->frame);
	memcpy(at, &p->d, payload);
	memset(at + payload, 0xa5, (size_t)p->padding);
	p->len = p->at + payload + (__u32)p->padding;
}

static bool is_vlan(__u32 proto)
{
	return proto == 0x8100 || proto == 0x88a8;
}

static void read_udp(const __u8 *frame, __u32 len, struct reading *r)
{
	const __u8 *udp = frame + r->udp_at;

	r->what = READ_OTHER;
	if (len < r->udp_at + 8)
		return;
	r->what = READ_UDP;
	r->from.port = (__u16)get16(udp);
	r->to.port = (__u16)get16(udp + 2);
	r->len = get16(udp + 4) < 8 ? 0 : get16(udp + 4) - 8;
	r->wire_at = r->udp_at + 8;
}

static void read_ipv4(const __u8 *frame, __u32 len, struct reading *r)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	const __u8 *ip = frame + r->ip_at;

	if (len < r->ip_at + 20 || ip[9] != UDP)
		return;
	r->what = READ_SHAPE;
	if (ip[0] != 0x45 || (get16(ip + 6) & 0x3fff))
		return;
	memcpy(r->from.ip, mapped, 12);
	memcpy((__u8 *)r->from.ip + 12, ip + 12, 4);
	memcpy(r->to.ip, mapped, 12);
	memcpy((__u8 *)r->to.ip + 12, ip + 16, 4);
	r->udp_at = r->ip_at + 20;
	read_udp(frame, len, r);
}

void frame_read(const __u8 *frame, __u32 len, struct reading *r)
{
	__u32 at = 12, tags = 0;

	memset(r, 0, sizeof(*r));
	if (len < 14)
		return;
	while (tags < 2 && len >= at + 2 && is_vlan(get16(frame + at))) {
		at += 4;
		tags++;
	}
	if (len < at + 2)
		return;
	r->ip_at = at + 2;
	if (get16(frame + at) == IPV4) {
		read_ipv4(frame, len, r);
	} else if (get16(frame + at) == IPV6) {
		if (len < r->ip_at + 40 || frame[r->ip_at + 6] != UDP)
			return;
		r->ipv6 = true;
		memcpy(r->from.ip, frame + r->ip_at + 8, 16);
		memcpy(r->to.ip, frame + r->ip_at + 24, 16);
		r->udp_at = r->ip_at + 40;
		read_udp(frame, len, r);
	}
}

static void swap(__u8 *a, __u8 *b, __u32 n)
{
	for (__u32 i = 0; i < n; i++) {
		__u8 byte = a[i];

		a[i] = b[i];
		b[i] = byte;
	}
}

void frame_turn(__u8 *frame, const struct reading *r)
{
	__u8 *ip = frame + r->ip_at, *udp = frame + r->udp_at;
	__u32 was;
	__u16 sum;

	swap(frame, frame + 6, 6);
	swap(udp, udp + 2, 2);
	put16(udp + 6, 0);
	if (r->ipv6) {
		swap(ip + 8, ip + 24, 16);
		ip[7] = 64;
		sum = (__u16)~frame_csum_udp6(frame, r);
		put16(udp + 6, sum ? sum : 0xffff);
		return;
	}
	swap(ip + 12, ip + 16, 4);
	was = get16(ip + 8);
	ip[8] = 64;
	/* A header that was damaged stays so. */
	put16(ip + 10, (__u16)~frame_csum(ip + 8, 2, 2 * 0xffff - was - get16(ip + 10)));
}
