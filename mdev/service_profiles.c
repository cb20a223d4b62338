/* SPDX-License-Identifier: MIT */
/* Profiles: built-in ones of the GPUs found, and those that users made, which are kept. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mdev/json/json_reader.h"
#include "mdev/quantity.h"
#include "mdev/service_parts.h"

#define PROFILES_MOST 1024u

struct profile *service_profile_find(const struct service *service, const char *name)
{
	struct profile *profile = profile_find(service->builtin, name);

	return profile ? profile : profile_find(service->profiles, name);
}

/* A profile made by a user that a built-in one of a new GPU hides is still the user's: his was first, but names are one space. */
static bool is_hidden(const struct service *service, const struct profile *profile)
{
	return !profile->builtin && profile_find(service->builtin, profile->name);
}

static unsigned uses(const struct service *service, const char *name)
{
	unsigned count = 0;

	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		count += !strcmp(vgpu->spec.profile, name);
	return count;
}

/* How many vGPUs of it a GPU still has room for: in VRAM, and in what its run queue can promise. */
static uint64_t fitting(const struct service *service, const struct gpu *gpu, const struct profile *profile)
{
	uint64_t by_vram = service_gpu_free_bytes(service, gpu) / profile->vram_bytes, by_time = service_gpu_room(service, gpu, &profile->sched);

	return by_vram < by_time ? by_vram : by_time;
}

static json_t *profile_json(const struct service *service, const struct profile *profile)
{
	uint64_t available = 0;
	char created[32];

	for (const struct gpu *gpu = service->gpus; gpu; gpu = gpu->next)
		available += fitting(service, gpu, profile);
	json_t *object = json_pack("{ss sI si sb so sI si}", "name", profile->name, "vram_bytes", (json_int_t)profile->vram_bytes,
				   "max_contexts", (int)profile->max_contexts, "builtin", (int)profile->builtin, "created",
				   profile->builtin ? json_null() : json_string(format_time(profile->created_s, created)), "available",
				   (json_int_t)available, "vgpus", (int)uses(service, profile->name));

	if (object)
		sched_settings_show(&profile->sched, object);
	return object;
}

json_t *service_profile_list(struct service *service)
{
	json_t *list = json_array();

	for (const struct profile *profile = service->builtin; profile; profile = profile->next)
		json_array_append_new(list, profile_json(service, profile));
	for (const struct profile *profile = service->profiles; profile; profile = profile->next)
		if (!is_hidden(service, profile))
			json_array_append_new(list, profile_json(service, profile));
	return list;
}

static bool not_found(const struct service *service, const char *name, struct refusal *refusal)
{
	const char *names[PROFILES_MOST + 16];
	char hint[128] = "'vgpu-admin profile list' shows all";
	unsigned count = 0;

	for (const struct profile *p = service->builtin; p && count < PROFILES_MOST; p = p->next)
		names[count++] = p->name;
	for (const struct profile *p = service->profiles; p && count < PROFILES_MOST; p = p->next)
		names[count++] = p->name;
	names[count] = NULL;
	const char *near = nearest_word(name, names);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	return refuse(refusal, REFUSAL_NOT_FOUND, hint, "there is no profile '%.60s'", name);
}

bool service_profile_show(struct service *service, const char *name, json_t **ret_profile, struct refusal *refusal)
{
	const struct profile *profile = service_profile_find(service, name);

	if (!profile)
		return not_found(service, name, refusal);
	*ret_profile = profile_json(service, profile);
	return true;
}

static void append(struct service *service, struct profile *profile)
{
	struct profile **at = &service->profiles;

	while (*at && strcmp((*at)->name, profile->name) < 0)
		at = &(*at)->next;
	profile->next = *at;
	*at = profile;
}

bool service_profile_create(struct service *service, const json_t *body, json_t **ret_profile, struct refusal *refusal)
{
	struct profile parsed, *profile;
	char why[256];
	unsigned count = 0;

	if (profile_parse(body, false, &parsed, why))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", why);
	if (admission_check_sum(&parsed.sched.entity, 0, 1, why))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "no vGPU could be made of it: %s", why);
	if (service_profile_find(service, parsed.name))
		return refuse(refusal, REFUSAL_CONFLICT, "choose another name, or delete that one first", "there is a profile '%s' already",
			      parsed.name);
	for (const struct profile *p = service->profiles; p; p = p->next)
		count++;
	if (count >= PROFILES_MOST)
		return refuse(refusal, REFUSAL_CONFLICT, "delete some", "there are %u profiles, the most this service keeps", count);
	parsed.created_s = time(NULL);
	profile = malloc(sizeof(*profile));
	json_t *object = profile_store_json(&parsed);
	if (!profile || !object) {
		free(profile);
		json_decref(object);
		return refuse(refusal, REFUSAL_FAILED, NULL, "out of memory");
	}
	int error = store_write(service->store, STORE_PROFILES, parsed.name, object, why);
	json_decref(object);
	if (error) {
		char ignored[256];
		/* As for a vGPU: what was refused must not be there after a restart. */
		store_remove(service->store, STORE_PROFILES, parsed.name, ignored);
		free(profile);
		return refuse(refusal, REFUSAL_FAILED, refusal_disk_hint(error), "%s", why);
	}
	*profile = parsed;
	append(service, profile);
	char size[32];
	event_log_add(service->events, "profile.created", NULL, "profile '%s', %s", profile->name,
		      quantity_format_bytes(profile->vram_bytes, size, sizeof(size)));
	*ret_profile = profile_json(service, profile);
	return true;
}

bool service_profile_delete(struct service *service, const char *name, struct refusal *refusal)
{
	struct profile *profile = service_profile_find(service, name);
	char why[256];

	if (!profile)
		return not_found(service, name, refusal);
	if (profile->builtin)
		return refuse(refusal, REFUSAL_CONFLICT, "built-in profiles follow from the GPUs; only your own can be deleted",
			      "profile '%s' is built in", profile->name);
	unsigned count = uses(service, name);
	if (count)
		return refuse(refusal, REFUSAL_IN_USE, "delete those vGPUs first", "profile '%s' is used by %u vGPU%s", profile->name, count,
			      count == 1 ? "" : "s");
	int error = store_remove(service->store, STORE_PROFILES, profile->name, why);
	if (error)
		return refuse(refusal, REFUSAL_FAILED, refusal_disk_hint(error), "%s", why);
	for (struct profile **at = &service->profiles; *at; at = &(*at)->next) {
		if (*at == profile) {
			*at = profile->next;
			break;
		}
	}
	event_log_add(service->events, "profile.deleted", NULL, "profile '%s'", profile->name);
	free(profile);
	return true;
}

static int on_stored_profile(const char *name, const json_t *object, void *data, char ret_why[256])
{
	struct profile parsed, *profile;
	int error = profile_parse(object, true, &parsed, ret_why);

	if (error)
		return error;
	if (strcmp(name, parsed.name)) {
		snprintf(ret_why, 256, "the file is named '%.60s', the profile in it '%s'", name, parsed.name);
		return -EINVAL;
	}
	profile = malloc(sizeof(*profile));
	if (!profile)
		return -ENOMEM;
	*profile = parsed;
	append(data, profile);
	return 0;
}

int service_profiles_load(struct service *service, char ret_why[256])
{
	return store_load(service->store, STORE_PROFILES, on_stored_profile, service_on_aside, service, ret_why);
}
