/* SPDX-License-Identifier: MIT */
#include "mdev/vgpu_spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "mdev/json/json_reader.h"
#include "mdev/keeper/keeper_protocol.h"

bool vgpu_uuid_is_valid(const char *text)
{
	if (strlen(text) != VGPU_UUID_BYTES - 1)
		return false;
	for (int i = 0; i < VGPU_UUID_BYTES - 1; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (is_dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]) || isupper((unsigned char)text[i]))
			return false;
	}
	return true;
}

void vgpu_uuid_make(char ret_uuid[VGPU_UUID_BYTES])
{
	unsigned char b[16];

	/* Up to 256 bytes are never cut short once the pool is ready, and it blocks until then. */
	while (getrandom(b, sizeof(b), 0) != sizeof(b))
		;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(ret_uuid, VGPU_UUID_BYTES, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		 b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

int vgpu_spec_parse(const json_t *object, struct vgpu_spec *ret_spec, char ret_why[256])
{
	struct vgpu_spec spec = {0};
	struct sched_edit edit;
	struct json_reader reader;
	uint64_t schema = 0, contexts = 0, created_s = 0;

	json_reader_init(&reader, object);
	json_reader_count(&reader, "schema", false, 1, VGPU_SPEC_SCHEMA, &schema);
	json_reader_text(&reader, "uuid", NULL, spec.uuid, sizeof(spec.uuid));
	json_reader_text(&reader, "name", NULL, spec.name, sizeof(spec.name));
	json_reader_text(&reader, "profile", NULL, spec.profile, sizeof(spec.profile));
	json_reader_text(&reader, "gpu", NULL, spec.gpu, sizeof(spec.gpu));
	json_reader_count(&reader, "vram_bytes", false, PROFILE_VRAM_LEAST, VGPU_BAR_BYTES, &spec.vram_bytes);
	json_reader_count(&reader, "max_contexts", false, 1, KEEPER_CONTEXT_MAX, &contexts);
	sched_edit_read(&reader, &edit);
	json_reader_count(&reader, "created_s", false, 0, INT64_MAX, &created_s);
	json_reader_bool(&reader, "deleting", &spec.deleting);
	if (json_reader_finish(&reader)) {
		memcpy(ret_why, reader.why, 256);
		return reader.error;
	}
	if (!vgpu_uuid_is_valid(spec.uuid)) {
		snprintf(ret_why, 256, "'uuid' is '%s', which is no UUID in lower case", spec.uuid);
		return -EINVAL;
	}
	if (name_check("vGPU", spec.name, VGPU_NAME_BYTES - 1, ret_why) || name_check("GPU", spec.gpu, GPU_ID_BYTES - 1, ret_why))
		return -EINVAL;
	spec.max_contexts = (uint32_t)contexts;
	spec.sched = sched_settings_defaults();
	sched_edit_apply(&edit, &spec.sched);
	if (sched_settings_check(&spec.sched, ret_why))
		return -EINVAL;
	spec.created_s = (int64_t)created_s;
	*ret_spec = spec;
	return 0;
}

json_t *vgpu_spec_store_json(const struct vgpu_spec *spec)
{
	json_t *object = json_pack("{si ss ss ss ss sI si sI sb}", "schema", VGPU_SPEC_SCHEMA, "uuid", spec->uuid, "name", spec->name,
				   "profile", spec->profile, "gpu", spec->gpu, "vram_bytes", (json_int_t)spec->vram_bytes, "max_contexts",
				   (int)spec->max_contexts, "created_s", (json_int_t)spec->created_s, "deleting", spec->deleting);

	if (object && !sched_settings_store(&spec->sched, object))
		return object;
	json_decref(object);
	return NULL;
}
