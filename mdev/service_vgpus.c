/* SPDX-License-Identifier: MIT */
/*
 * vGPUs: defined, started, found, deleted.
 *
 * Order of a create: definition durable, keeper started, answered when it runs; if it cannot run, all is taken back and the
 * answer is the reason. Order of a delete: "deleting" durable, processes stopped, runtime folder removed, definition removed,
 * answered; a vgpud that starts over a definition that is "deleting" finishes it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mdev/json/json_reader.h"
#include "mdev/log/log.h"
#include "mdev/quantity.h"
#include "mdev/service_parts.h"

#define VGPUS_MOST 4096u
#define PREFIX_LEAST 4u
#define CREATE_PATIENCE_US 15000000u

static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

json_t *service_vgpu_json(const struct vgpu *vgpu)
{
	char created[32];
	json_t *object = json_pack("{ss ss ss ss sI si ss}", "uuid", vgpu->spec.uuid, "name", vgpu->spec.name, "profile",
				   vgpu->spec.profile, "gpu", vgpu->spec.gpu, "vram_bytes", (json_int_t)vgpu->spec.vram_bytes,
				   "max_contexts", (int)vgpu->spec.max_contexts, "created", format_time(vgpu->spec.created_s, created));

	if (object)
		sched_settings_show(&vgpu->spec.sched, object);
	if (object)
		instance_json(vgpu->instance, object);
	return object;
}

json_t *service_vgpu_list(struct service *service)
{
	json_t *list = json_array();

	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		json_array_append_new(list, service_vgpu_json(vgpu));
	return list;
}

/* ---- finding ----------------------------------------------------------------------------------------------- */

static struct vgpu *find_named(struct service *service, const char *id)
{
	struct vgpu *vgpu = service->vgpus;

	while (vgpu && strcmp(vgpu->spec.uuid, id) && strcmp(vgpu->spec.name, id))
		vgpu = vgpu->next;
	return vgpu;
}

struct vgpu *service_vgpu_find(struct service *service, const char *id, struct refusal *refusal)
{
	struct vgpu *vgpu = find_named(service, id), *other = NULL;
	const char *names[VGPUS_MOST + 1];
	char hint[128] = "'vgpu-admin vgpu list' shows all";
	unsigned count = 0;

	if (vgpu)
		return vgpu;
	for (struct vgpu *at = service->vgpus; at && strlen(id) >= PREFIX_LEAST; at = at->next) {
		if (strncmp(at->spec.uuid, id, strlen(id)))
			continue;
		other = vgpu;
		vgpu = at;
		if (other) {
			refuse(refusal, REFUSAL_BAD_REQUEST, "give more of the UUID, or the name", "'%.60s' begins more than one UUID: %s and %s",
			       id, other->spec.uuid, vgpu->spec.uuid);
			return NULL;
		}
	}
	if (vgpu)
		return vgpu;
	for (const struct vgpu *at = service->vgpus; at && count < VGPUS_MOST; at = at->next)
		names[count++] = at->spec.name;
	names[count] = NULL;
	const char *near = nearest_word(id, names);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	refuse(refusal, REFUSAL_NOT_FOUND, hint, "there is no vGPU '%.60s'", id);
	return NULL;
}

bool service_vgpu_show(struct service *service, const char *id, json_t **ret_vgpu, struct refusal *refusal)
{
	const struct vgpu *vgpu = service_vgpu_find(service, id, refusal);

	if (!vgpu)
		return false;
	*ret_vgpu = service_vgpu_json(vgpu);
	return true;
}

/* ---- placing ------------------------------------------------------------------------------------------------ */

/* The largest profile that would fit free_bytes, NULL if none. */
static const struct profile *largest_fitting(const struct service *service, uint64_t free_bytes)
{
	const struct profile *best = NULL;
	const struct profile *const lists[] = {service->builtin, service->profiles};

	for (unsigned i = 0; i < 2; i++)
		for (const struct profile *p = lists[i]; p; p = p->next)
			if (p->vram_bytes <= free_bytes && (!best || p->vram_bytes > best->vram_bytes))
				best = p;
	return best;
}

/* Where most VRAM is free among the GPUs that have room for it. */
static const struct gpu *place(const struct service *service, const struct vgpu_wish *wish, const struct profile *profile,
			       const struct sched_settings *sched, struct refusal *refusal)
{
	const struct gpu *best = NULL;
	char needed[32], free_text[32], hint[160], why[ADMISSION_WHY_BYTES] = "";
	uint64_t most_free_bytes = 0;
	bool is_admitted = false;

	for (const struct gpu *gpu = service->gpus; gpu; gpu = gpu->next) {
		if (!gpu->parent || (wish->gpu[0] && strcmp(gpu->id, wish->gpu)))
			continue;
		uint64_t free_bytes = service_gpu_free_bytes(service, gpu);
		bool has_time = free_bytes >= profile->vram_bytes && !service_gpu_admits(service, gpu, NULL, sched, why);
		if (!best || has_time > is_admitted || (has_time == is_admitted && free_bytes > most_free_bytes)) {
			best = gpu;
			most_free_bytes = free_bytes;
			is_admitted = has_time;
		}
	}
	if (!best) {
		if (wish->gpu[0])
			refuse(refusal, REFUSAL_NOT_FOUND, "'vgpu-admin gpu list' shows all", "there is no GPU '%s'", wish->gpu);
		else
			refuse(refusal, REFUSAL_UNAVAILABLE, "install an OpenCL driver (pocl-opencl-icd for the CPU) and restart vgpud",
			       "this machine has no GPU that vGPUs can be cut from");
		return NULL;
	}
	if (is_admitted)
		return best;
	if (profile->vram_bytes <= most_free_bytes) {
		service_gpu_admits(service, best, NULL, sched, why);
		refuse(refusal, REFUSAL_NO_CAPACITY, NULL, "%s", why);
		return NULL;
	}
	const struct profile *fitting = largest_fitting(service, most_free_bytes);
	if (fitting)
		snprintf(hint, sizeof(hint), "choose '%s' or remove a vGPU", fitting->name);
	else
		snprintf(hint, sizeof(hint), "remove a vGPU");
	refuse(refusal, REFUSAL_NO_CAPACITY, hint, "profile '%s' needs %s of VRAM, %s free on %s", profile->name,
	       quantity_format_bytes(profile->vram_bytes, needed, sizeof(needed)),
	       quantity_format_bytes(most_free_bytes, free_text, sizeof(free_text)), best->id);
	return NULL;
}

/* ---- creating ------------------------------------------------------------------------------------------------ */

bool vgpu_wish_parse(const json_t *body, struct vgpu_wish *ret_wish, struct refusal *refusal)
{
	struct vgpu_wish wish;
	struct json_reader reader;
	char why[256];

	json_reader_init(&reader, body);
	json_reader_text(&reader, "profile", NULL, wish.profile, sizeof(wish.profile));
	json_reader_text(&reader, "name", "", wish.name, sizeof(wish.name));
	json_reader_text(&reader, "gpu", "", wish.gpu, sizeof(wish.gpu));
	sched_edit_read(&reader, &wish.sched);
	if (json_reader_finish(&reader))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", reader.why);
	if (wish.name[0] && name_check("vGPU", wish.name, VGPU_NAME_BYTES - 1, why))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", why);
	if (vgpu_uuid_is_valid(wish.name))
		return refuse(refusal, REFUSAL_BAD_REQUEST, "choose a word", "'%s' looks like a UUID and cannot be a name", wish.name);
	*ret_wish = wish;
	return true;
}

static struct vgpu *vgpu_append(struct service *service, const struct vgpu_spec *spec, char ret_why[256])
{
	struct vgpu **at = &service->vgpus, *vgpu = calloc(1, sizeof(*vgpu));

	if (!vgpu) {
		snprintf(ret_why, 256, "out of memory");
		return NULL;
	}
	vgpu->spec = *spec;
	vgpu->service = service;
	if (instance_create(&vgpu->spec, &service->surroundings, vgpu, &vgpu->instance, ret_why)) {
		free(vgpu);
		return NULL;
	}
	while (*at)
		at = &(*at)->next;
	*at = vgpu;
	return vgpu;
}

static void vgpu_remove(struct vgpu *vgpu)
{
	for (struct vgpu **at = &vgpu->service->vgpus; *at; at = &(*at)->next) {
		if (*at == vgpu) {
			*at = vgpu->next;
			break;
		}
	}
	instance_destroy(vgpu->instance);
	free(vgpu);
}

int service_vgpu_write(struct vgpu *vgpu, char ret_why[256])
{
	json_t *object = vgpu_spec_store_json(&vgpu->spec);
	int error;

	if (!object) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	error = store_write(vgpu->service->store, STORE_VGPUS, vgpu->spec.uuid, object, ret_why);
	json_decref(object);
	return error;
}

bool service_vgpu_create(struct service *service, const struct vgpu_wish *wish, service_completion done, void *data,
			 struct refusal *refusal)
{
	struct vgpu_spec spec = {.created_s = time(NULL)};
	json_t *unused = NULL;
	unsigned count = 0;
	char why[256];

	if (service->stopping)
		return refuse(refusal, REFUSAL_UNAVAILABLE, "start vgpud again", "the service is stopping its vGPUs");
	const struct profile *profile = service_profile_find(service, wish->profile);
	if (!profile) {
		service_profile_show(service, wish->profile, &unused, refusal);
		return false;
	}
	if (wish->name[0] && find_named(service, wish->name))
		return refuse(refusal, REFUSAL_CONFLICT, "choose another name", "there is a vGPU '%s' already", wish->name);
	for (const struct vgpu *at = service->vgpus; at; at = at->next)
		count++;
	if (count >= VGPUS_MOST)
		return refuse(refusal, REFUSAL_NO_CAPACITY, "delete some", "there are %u vGPUs, the most this service keeps", count);
	spec.sched = profile->sched;
	sched_edit_apply(&wish->sched, &spec.sched);
	if (sched_settings_check(&spec.sched, why))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", why);
	const struct gpu *gpu = place(service, wish, profile, &spec.sched, refusal);
	if (!gpu)
		return false;
	vgpu_uuid_make(spec.uuid);
	if (wish->name[0])
		memcpy(spec.name, wish->name, sizeof(spec.name));
	else
		snprintf(spec.name, sizeof(spec.name), "vgpu-%.8s", spec.uuid);
	memcpy(spec.profile, profile->name, sizeof(spec.profile));
	memcpy(spec.gpu, gpu->id, sizeof(spec.gpu));
	spec.vram_bytes = profile->vram_bytes;
	spec.max_contexts = profile->max_contexts;
	struct vgpu *vgpu = vgpu_append(service, &spec, why);
	if (!vgpu)
		return refuse(refusal, REFUSAL_FAILED, NULL, "%s", why);
	int error = service_vgpu_write(vgpu, why);
	if (error) {
		char ignored[256];
		/* Should it have got there and only its folder's sync have failed: what was refused must not be there after a restart. */
		store_remove(service->store, STORE_VGPUS, spec.uuid, ignored);
		instance_remove_folder(vgpu->instance);
		vgpu_remove(vgpu);
		return refuse(refusal, REFUSAL_FAILED, refusal_disk_hint(error), "%s", why);
	}
	vgpu->create_done = done;
	vgpu->create_data = data;
	vgpu->create_until_us = monotonic_us() + CREATE_PATIENCE_US;
	service_settle_in_time(service);
	instance_run(vgpu->instance, gpu->parent);
	return true;
}

/* ---- deleting ------------------------------------------------------------------------------------------------- */

bool service_vgpu_delete(struct service *service, const char *id, bool force, service_completion done, void *data,
			 struct refusal *refusal)
{
	struct vgpu *vgpu = service_vgpu_find(service, id, refusal);
	char why[256];

	if (!vgpu)
		return false;
	if (vgpu->spec.deleting || vgpu->create_done || service->stopping)
		return refuse(refusal, REFUSAL_CONFLICT, "try again in a moment", "vGPU '%s' is being %s", vgpu->spec.name,
			      vgpu->spec.deleting ? "deleted" : service->stopping ? "stopped" : "created");
	unsigned connections = instance_connections(vgpu->instance);
	if (connections && !force)
		return refuse(refusal, REFUSAL_IN_USE, "stop its VM first, or use --force: the VM then loses the device for good",
			      "vGPU '%s' is in use by %u connection%s", vgpu->spec.name, connections, connections == 1 ? "" : "s");
	vgpu->spec.deleting = true;
	int error = service_vgpu_write(vgpu, why);
	if (error) {
		vgpu->spec.deleting = false;
		return refuse(refusal, REFUSAL_FAILED, refusal_disk_hint(error), "%s", why);
	}
	vgpu->delete_done = done;
	vgpu->delete_data = data;
	instance_stop(vgpu->instance);
	return true;
}

/* Nothing of it runs any more: takes it away for good and answers who waits. */
static void finish_removal(struct vgpu *vgpu)
{
	struct service *service = vgpu->service;
	service_completion create_done = vgpu->create_done, delete_done = vgpu->delete_done;
	void *create_data = vgpu->create_data, *delete_data = vgpu->delete_data;
	struct refusal create_refusal = vgpu->create_refusal, failure = {0};
	char why[256] = "";

	int error = instance_remove_folder(vgpu->instance);
	if (error)
		log_warning("the runtime folder of vGPU %s is not removed whole: %s", vgpu->spec.uuid, strerror(-error));
	error = store_remove(service->store, STORE_VGPUS, vgpu->spec.uuid, why);
	if (error) {
		/* It stays "deleting"; the next start of vgpud finishes it. */
		refuse(&failure, REFUSAL_FAILED, "its processes are gone; the rest follows when vgpud starts again", "%s", why);
		log_error("%s", why);
	} else {
		event_log_add(service->events, create_done ? "vgpu.failed" : "vgpu.deleted", vgpu->spec.uuid, "vGPU '%s'", vgpu->spec.name);
		vgpu_remove(vgpu);
	}
	if (create_done)
		create_done(NULL, &create_refusal, create_data);
	if (delete_done)
		delete_done(NULL, error ? &failure : NULL, delete_data);
	if (error)
		vgpu->create_done = vgpu->delete_done = NULL;
}

static void settle_create(struct vgpu *vgpu)
{
	enum instance_state state = instance_state(vgpu->instance);
	char size[32];

	if (vgpu->create_refusal.code)
		return;
	if (state == INSTANCE_RUNNING) {
		service_completion done = vgpu->create_done;
		vgpu->create_done = NULL;
		event_log_add(vgpu->service->events, "vgpu.created", vgpu->spec.uuid, "vGPU '%s', profile '%s', %s on %s", vgpu->spec.name,
			      vgpu->spec.profile, quantity_format_bytes(vgpu->spec.vram_bytes, size, sizeof(size)), vgpu->spec.gpu);
		json_t *result = service_vgpu_json(vgpu);
		done(result, NULL, vgpu->create_data);
		json_decref(result);
		return;
	}
	if (state == INSTANCE_FAILED)
		refuse(&vgpu->create_refusal, REFUSAL_FAILED, "the log of vgpud has its processes' own words", "vGPU '%s' did not start: %s",
		       vgpu->spec.name, instance_why(vgpu->instance));
	else if (monotonic_us() > vgpu->create_until_us)
		refuse(&vgpu->create_refusal, REFUSAL_TIMEOUT, "the log of vgpud has its processes' own words",
		       "vGPU '%s' did not start within %u s", vgpu->spec.name, CREATE_PATIENCE_US / 1000000);
	else
		return;
	instance_stop(vgpu->instance);
}

void service_vgpus_settle(struct service *service)
{
	for (struct vgpu *vgpu = service->vgpus, *next; vgpu; vgpu = next) {
		next = vgpu->next;
		if (vgpu->create_done)
			settle_create(vgpu);
		if (instance_state(vgpu->instance) == INSTANCE_GONE && (vgpu->spec.deleting || vgpu->create_refusal.code) &&
		    (vgpu->create_done || vgpu->delete_done || !service->stopping))
			finish_removal(vgpu);
	}
}

bool service_vgpu_replace_device(struct service *service, const char *id, const char *program, struct refusal *refusal)
{
	struct vgpu *vgpu = service_vgpu_find(service, id, refusal);

	if (!vgpu)
		return false;
	if (program[0] != '/' || access(program, X_OK))
		return refuse(refusal, REFUSAL_BAD_REQUEST, "give the absolute path of a vgpu-device program",
			      "'%.200s' is not the absolute path of a program that can be run", program);
	int error = instance_replace_device(vgpu->instance, program);
	if (error)
		return refuse(refusal, REFUSAL_UNAVAILABLE, "try again when 'vgpu show' says running", "vGPU '%s' cannot be told: %s",
			      vgpu->spec.name, strerror(-error));
	event_log_add(service->events, "vgpu.replace-device", vgpu->spec.uuid, "vGPU '%s': device processes from %s", vgpu->spec.name, program);
	return true;
}

/* ---- starting over ---------------------------------------------------------------------------------------------- */

static int on_stored_vgpu(const char *name, const json_t *object, void *data, char ret_why[256])
{
	struct vgpu_spec spec;
	int error = vgpu_spec_parse(object, &spec, ret_why);

	if (error)
		return error;
	if (strcmp(name, spec.uuid)) {
		snprintf(ret_why, 256, "the file is named '%.60s', the vGPU in it '%s'", name, spec.uuid);
		return -EINVAL;
	}
	if (find_named(data, spec.name)) {
		snprintf(ret_why, 256, "there is another vGPU named '%s'", spec.name);
		return -EINVAL;
	}
	return vgpu_append(data, &spec, ret_why) ? 0 : -EIO;
}

static int by_creation(const void *a, const void *b)
{
	const struct vgpu *first = *(struct vgpu *const *)a, *second = *(struct vgpu *const *)b;

	if (first->spec.created_s != second->spec.created_s)
		return first->spec.created_s < second->spec.created_s ? -1 : 1;
	return strcmp(first->spec.uuid, second->spec.uuid);
}

/*
 * A create that was cut short before its definition was written leaves an empty folder. One with something in it belongs to a vGPU whose
 * definition was lost: that may still run, so it is named and left.
 */
static void sweep_runtime(struct service *service)
{
	char path[512];
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/vgpu", service->settings.runtime_dir);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!vgpu_uuid_is_valid(entry->d_name) || find_named(service, entry->d_name))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR))
			log_warning("%s/%.36s belongs to no vGPU that is defined (%s); its processes, if any, are left alone", path, entry->d_name,
				    strerror(errno));
	}
	closedir(dir);
}

int service_vgpus_load(struct service *service, char ret_why[256])
{
	unsigned count = 0;
	int error = store_load(service->store, STORE_VGPUS, on_stored_vgpu, service_on_aside, service, ret_why);

	if (error)
		return error;
	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		count++;
	struct vgpu **sorted = calloc(count + 1, sizeof(struct vgpu *));
	if (!sorted)
		return -ENOMEM;
	count = 0;
	for (struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		sorted[count++] = vgpu;
	qsort(sorted, count, sizeof(*sorted), by_creation);
	for (unsigned i = 0; i < count; i++)
		sorted[i]->next = sorted[i + 1];
	service->vgpus = sorted[0];
	free(sorted);
	sweep_runtime(service);
	return 0;
}

void service_vgpus_adopt(struct service *service)
{
	for (struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next) {
		if (instance_adopt(vgpu->instance))
			event_log_add(service->events, "vgpu.adopted", vgpu->spec.uuid, "vGPU '%s' goes on running", vgpu->spec.name);
		if (vgpu->spec.deleting)
			instance_stop(vgpu->instance);
	}
}

void service_vgpus_run(struct service *service)
{
	for (struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next) {
		const struct gpu *gpu = service_gpu_find(service, vgpu->spec.gpu);
		if (vgpu->spec.deleting)
			continue;
		if (!gpu || !gpu->parent)
			event_log_add(service->events, "vgpu.waiting", vgpu->spec.uuid, "vGPU '%s' waits: its GPU %s is not there", vgpu->spec.name,
				      vgpu->spec.gpu);
		instance_run(vgpu->instance, gpu ? gpu->parent : NULL);
	}
}

void service_vgpus_destroy(struct service *service)
{
	while (service->vgpus)
		vgpu_remove(service->vgpus);
}
