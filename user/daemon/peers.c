// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/peers.h"

static const char *nic_text(uint64_t value)
{
	static const char *const texts[] = {
		[XR_NIC_OFF] = "off", [XR_NIC_NATIVE] = "native", [XR_NIC_GENERIC] = "generic"};

	return (value & 255) < ARRAY_SIZE(texts) ? texts[value & 255] : "?";
}

static const char *path_text(uint64_t value)
{
	static const char *const texts[] = {[XR_TX_UNTESTED] = "untested",
					    [XR_TX_DELIVERED] = "delivered",
					    [XR_TX_LOST] = "lost"};

	return (value >> 8 & 255) < ARRAY_SIZE(texts) ? texts[value >> 8 & 255] : "?";
}

static const char *const names[XR_FACT_END] = {
#define X(name, number, text) [number] = #name,
	XR_FACTS(X)
#undef X
};

static void add_fact(json_t *node, const struct xr_fact *fact)
{
	char hex[24];

	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)fact->value);
	switch (fact->what) {
	case XR_FACT_groups:
	case XR_FACT_priorities:
	case XR_FACT_keys:
		json_object_set_new(node, names[fact->what], json_string(hex));
		break;
	case XR_FACT_xdp:
		json_object_set_new(node, "nic", json_string(nic_text(fact->value)));
		json_object_set_new(node, "path", json_string(path_text(fact->value)));
		break;
	default:
		json_object_set_new(node, names[fact->what], json_integer((json_int_t)fact->value));
	}
}

static void add_told(json_t *node, const struct xr_acquaintance *a)
{
	json_t *differs = json_array();

	for (int i = 0; i < XR_FACTS_SELF; i++) {
		if (a->facts[i].what)
			add_fact(node, &a->facts[i]);
		if (a->differs >> i & 1)
			json_array_append_new(differs, json_string(names[XR_FACT_SELF + i]));
	}
	json_object_set_new(node, "differs", differs);
}

static json_t *node_json(const struct xr_acquaintance *a, uint8_t node, bool self,
			 uint64_t asked_ns)
{
	bool told = self || a->told_ns >= asked_ns;
	json_t *json = json_pack("{s:i, s:b, s:b, s:b}", "node", (int)node, "self", self, "told",
				 told, "twice", a->twice);

	if (told && !self)
		json_object_set_new(json, "told_in_ms", json_real((double)a->took_ns / 1e6));
	if (told)
		add_told(json, a);
	return json;
}

json_t *xr_peers_json(const struct xr_maps *m, const struct xr_acquaintance *known,
		      uint64_t asked_ns)
{
	json_t *nodes = json_array();

	xr_each_node(node)
		if (m->peers[node].used)
			json_array_append_new(nodes, node_json(&known[node], node,
							       node == m->control->self, asked_ns));
	return json_pack("{s:i, s:s, s:o}", "node", (int)m->control->self, "cluster",
			 m->control->cluster, "nodes", nodes);
}
