/* SPDX-License-Identifier: MIT */
#include "mdev/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/json/json_reader.h"
#include "mdev/keeper/keeper_protocol.h"
#include "mdev/quantity.h"
#include "shim/wire/wire.h"

int name_check(const char *what, const char *name, size_t most, char ret_why[256])
{
	size_t length = strlen(name);
	bool is_good = length && length <= most && isalnum((unsigned char)name[0]);

	for (size_t i = 0; is_good && i < length; i++)
		is_good = isalnum((unsigned char)name[i]) || strchr("._-", name[i]);
	if (is_good)
		return 0;
	snprintf(ret_why, 256, "'%.64s' cannot name a %s; use 1 to %zu letters, digits, '.', '_' or '-', beginning with a letter or digit",
		 name, what, most);
	return -EINVAL;
}

uint64_t profile_vram_most(uint32_t max_contexts)
{
	uint64_t beside = (uint64_t)max_contexts * WIRE_RING_BLOB_BYTES + VGPU_SLACK_BYTES;

	return (VGPU_BAR_BYTES - beside) & ~(2 * PROFILE_VRAM_STEP - 1);
}

int profile_parse(const json_t *object, bool is_stored, struct profile *ret_profile, char ret_why[256])
{
	struct profile profile = {0};
	struct sched_edit edit;
	struct json_reader reader;
	uint64_t schema, contexts = PROFILE_CONTEXTS_DEFAULT, created_s = 0;

	json_reader_init(&reader, object);
	if (is_stored) {
		json_reader_count(&reader, "schema", false, 1, PROFILE_SCHEMA, &schema);
		json_reader_count(&reader, "created_s", false, 0, INT64_MAX, &created_s);
	}
	json_reader_text(&reader, "name", NULL, profile.name, sizeof(profile.name));
	json_reader_count(&reader, "vram_bytes", false, 0, INT64_MAX, &profile.vram_bytes);
	json_reader_count(&reader, "max_contexts", true, 1, KEEPER_CONTEXT_MAX, &contexts);
	sched_edit_read(&reader, &edit);
	if (json_reader_finish(&reader)) {
		memcpy(ret_why, reader.why, 256);
		return reader.error;
	}
	profile.max_contexts = (uint32_t)contexts;
	profile.sched = sched_settings_defaults();
	sched_edit_apply(&edit, &profile.sched);
	profile.created_s = (int64_t)created_s;
	if (name_check("profile", profile.name, PROFILE_NAME_BYTES - 1, ret_why))
		return -EINVAL;
	uint64_t most = profile_vram_most(profile.max_contexts);
	if (profile.vram_bytes < PROFILE_VRAM_LEAST || profile.vram_bytes > most || profile.vram_bytes % PROFILE_VRAM_STEP) {
		char given[32], limit[32];
		snprintf(ret_why, 256, "'vram_bytes' is %s; it must be whole MiB from 16 MiB to %s (the aperture's 8 GiB less %u rings)",
			 quantity_format_bytes(profile.vram_bytes, given, sizeof(given)),
			 quantity_format_bytes(most, limit, sizeof(limit)), profile.max_contexts);
		return -EINVAL;
	}
	if (sched_settings_check(&profile.sched, ret_why))
		return -EINVAL;
	*ret_profile = profile;
	return 0;
}

json_t *profile_store_json(const struct profile *profile)
{
	json_t *object = json_pack("{si sI ss sI si}", "schema", PROFILE_SCHEMA, "created_s", (json_int_t)profile->created_s, "name",
				   profile->name, "vram_bytes", (json_int_t)profile->vram_bytes, "max_contexts", (int)profile->max_contexts);

	if (object && !sched_settings_store(&profile->sched, object))
		return object;
	json_decref(object);
	return NULL;
}

struct profile *profile_find(struct profile *list, const char *name)
{
	while (list && strcmp(list->name, name))
		list = list->next;
	return list;
}

void profile_list_destroy(struct profile *list)
{
	while (list) {
		struct profile *next = list->next;
		free(list);
		list = next;
	}
}

static int add(struct profile **list, uint64_t vram_bytes)
{
	struct profile *profile;
	char name[PROFILE_NAME_BYTES];

	if (vram_bytes >> 30)
		snprintf(name, sizeof(name), "c%llug", (unsigned long long)(vram_bytes >> 30));
	else
		snprintf(name, sizeof(name), "c%llum", (unsigned long long)(vram_bytes >> 20));
	if (profile_find(*list, name))
		return 0;
	profile = calloc(1, sizeof(*profile));
	if (!profile)
		return -ENOMEM;
	memcpy(profile->name, name, sizeof(name));
	profile->vram_bytes = vram_bytes;
	profile->max_contexts = PROFILE_CONTEXTS_DEFAULT;
	profile->sched = sched_settings_defaults();
	profile->builtin = true;
	struct profile **at = list;	/* by size */
	while (*at && (*at)->vram_bytes < vram_bytes)
		at = &(*at)->next;
	profile->next = *at;
	*at = profile;
	return 0;
}

int profile_add_builtin(struct profile **list, uint64_t capacity_bytes)
{
	static const uint64_t usual[] = {512ull << 20, 1ull << 30, 4ull << 30};
	unsigned fitting = 0;
	int error = 0;

	for (unsigned i = 0; i < 3 && !error; i++) {
		if (usual[i] > capacity_bytes)
			break;
		fitting++;
		error = add(list, usual[i]);
	}
	/* A small GPU: two shares that are a quarter and a half of it, in powers of two. */
	for (uint64_t part = 256ull << 20; fitting < 2 && part >= PROFILE_VRAM_LEAST && !error; part /= 2) {
		if (part > capacity_bytes / 2)
			continue;
		fitting++;
		error = add(list, part);
	}
	return error;
}
