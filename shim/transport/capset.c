/* SPDX-License-Identifier: MIT */
#include "shim/transport/capset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The information after the header: items, each padded to 8 bytes, that fill it exactly. */
static int check_information(const uint8_t *at, uint32_t bytes)
{
	while (bytes) {
		struct wire_info info;

		if (bytes < sizeof(info))
			return -EPROTO;
		memcpy(&info, at, sizeof(info));
		at += sizeof(info);
		bytes -= (uint32_t)sizeof(info);
		/* The last value may go without its padding. */
		if (info.bytes > bytes)
			return -EPROTO;
		uint32_t padded = (info.bytes + 7) & ~7u;
		if (padded > bytes)
			padded = bytes;
		at += padded;
		bytes -= padded;
	}
	return 0;
}

static bool terminated(const char *text, size_t bytes)
{
	return memchr(text, '\0', bytes) != NULL;
}

int capset_check(const void *data, size_t bytes, struct wire_capset **ret_capset, char ret_why[256])
{
	struct wire_capset head;
	struct wire_capset *copy;

	if (bytes < sizeof(head)) {
		snprintf(ret_why, 256, "the vGPU's capset is %zu bytes long, at least %zu are needed; service and shim do not fit together",
			 bytes, sizeof(head));
		return -EPROTO;
	}
	memcpy(&head, data, sizeof(head));
	if (head.magic != WIRE_CAPSET_MAGIC) {
		snprintf(ret_why, 256, "capset %u is not a vGPU's (magic %08x, not %08x): another device uses this id", WIRE_CAPSET_ID,
			 head.magic, WIRE_CAPSET_MAGIC);
		return -EPROTO;
	}
	if (head.version_min > WIRE_VERSION || head.version_max < WIRE_VERSION_MIN || head.version_min > head.version_max) {
		snprintf(ret_why, 256, "the service speaks protocol versions %u to %u, this library %u to %u; update the older one (%s)",
			 head.version_min, head.version_max, WIRE_VERSION_MIN, WIRE_VERSION,
			 head.version_min > WIRE_VERSION ? "the library" : "the service");
		return -EPROTO;
	}
	if (head.bytes < sizeof(head) || head.bytes > bytes || head.bytes > WIRE_CAPSET_MAX_BYTES ||
	    head.info_bytes != head.bytes - sizeof(head) ||
	    check_information((const uint8_t *)data + sizeof(head), head.info_bytes)) {
		snprintf(ret_why, 256, "the vGPU's capset is damaged: %u bytes with %u of information in %zu received", head.bytes,
			 head.info_bytes, bytes);
		return -EPROTO;
	}
	if (!terminated(head.vgpu_name, sizeof(head.vgpu_name)) || !terminated(head.vgpu_uuid, sizeof(head.vgpu_uuid)) ||
	    !terminated(head.host_version, sizeof(head.host_version))) {
		snprintf(ret_why, 256, "the vGPU's capset is damaged: a name without end");
		return -EPROTO;
	}
	if (!head.mem_align_bytes || (head.mem_align_bytes & (head.mem_align_bytes - 1)) || head.max_alloc_bytes > head.vram_bytes) {
		snprintf(ret_why, 256, "the vGPU's capset is damaged: alignment %u, largest allocation %llu of %llu bytes",
			 head.mem_align_bytes, (unsigned long long)head.max_alloc_bytes, (unsigned long long)head.vram_bytes);
		return -EPROTO;
	}
	copy = malloc(head.bytes);
	if (!copy) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	memcpy(copy, data, head.bytes);
	memcpy(copy, &head, sizeof(head));	/* what was checked, should data be shared */
	*ret_capset = copy;
	return 0;
}
