/* SPDX-License-Identifier: MIT */
/* An instance as others see it; instance.h has the theory. */
#include "mdev/instance_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "mdev/child.h"
#include "mdev/folder.h"
#include "mdev/log/log.h"
#include "mdev/process_note.h"

uint64_t instance_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

const char *instance_state_name(enum instance_state state)
{
	static const char *const names[] = {"waiting", "starting", "running", "failed", "stopping", "gone"};

	return names[state];
}

void instance_enter_state(struct instance *instance, enum instance_state state, const char *why)
{
	bool is_new = instance->state != state;

	snprintf(instance->why, sizeof(instance->why), "%s", why);
	instance->state = state;
	if (is_new)
		instance->around->changed(instance, instance->owner);
}

void instance_set_timer(struct instance *instance, uint64_t delay_us, sd_event_time_handler_t handler)
{
	instance->timer = sd_event_source_disable_unref(instance->timer);
	if (!handler)
		return;
	int r = sd_event_add_time_relative(instance->around->loop, &instance->timer, CLOCK_MONOTONIC, delay_us, 1000, handler, instance);
	if (r < 0)
		log_error("vGPU %s: no timer: %s", instance->spec->name, strerror(-r));
}

unsigned instance_devices(const struct instance *instance, void (*each)(pid_t pid, void *data), void *data)
{
	unsigned count = 0;

	for (unsigned slot = 0; slot < KEEPER_SLOT_MAX; slot++) {
		char name[32];
		snprintf(name, sizeof(name), "slot-%u.pid", slot);
		pid_t pid = process_note_read(instance->dir, name);
		if (!pid)
			continue;
		count++;
		if (each)
			each(pid, data);
	}
	return count;
}

int instance_remove_folder(struct instance *instance)
{
	return folder_remove(instance->dir);
}

int instance_create(const struct vgpu_spec *spec, const struct instance_surroundings *surroundings, void *owner,
		    struct instance **ret_instance, char ret_why[256])
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	*instance = (struct instance){.spec = spec, .around = surroundings, .owner = owner, .keeper_pidfd = -1, .lock_fd = -1,
				      .state = INSTANCE_WAITING, .pause_us = INSTANCE_PAUSE_FIRST_US};
	snprintf(instance->dir, sizeof(instance->dir), "%s/vgpu/%s", surroundings->runtime_dir, spec->uuid);
	*ret_instance = instance;
	return 0;
}

void instance_destroy(struct instance *instance)
{
	if (!instance)
		return;
	instance_set_timer(instance, 0, NULL);
	keeper_client_close(instance->client);
	instance_watch_keeper(instance, 0, -1);
	while (instance->engines)
		instance_engine_forget(instance->engines);
	/* A lease still there is that of a vGPU that runs on: leases_destroy forgets it and leaves its page as it is. */
	if (instance->page)
		munmap(instance->page, VGPU_PAGE_BYTES);
	while (instance->awaited) {
		struct awaited *awaited = instance->awaited;
		instance->awaited = awaited->next;
		close(awaited->pidfd);
		free(awaited);
	}
	if (instance->lock_fd >= 0)
		close(instance->lock_fd);
	free(instance);
}

int instance_replace_device(struct instance *instance, const char *program)
{
	if (!instance->client || !instance->managed)
		return -ENOTCONN;
	return keeper_client_send(instance->client, KEEPER_REPLACE_DEVICE, program);
}

int instance_schedule(struct instance *instance, const struct sched_settings *sched, char ret_why[ADMISSION_WHY_BYTES])
{
	if (!instance->lease)
		return 0;
	return leases_edit(instance->around->leases, instance->lease, &sched->entity, (uint64_t)sched->hang_timeout_ms * 1000000u, ret_why);
}

enum instance_state instance_state(const struct instance *instance)
{
	return instance->state;
}

const char *instance_why(const struct instance *instance)
{
	return instance->why;
}

unsigned instance_connections(const struct instance *instance)
{
	unsigned count = 0;

	for (unsigned i = 0; i < KEEPER_SLOT_MAX; i++)
		count += instance->slot_open[i];
	return count;
}

static void append_pid(pid_t pid, void *data)
{
	json_array_append_new(data, json_integer(pid));
}

void instance_json(const struct instance *instance, json_t *object)
{
	uint64_t used_bytes = 0, contexts = 0, resources = 0, backing_bytes = 0, punched_bytes = 0, strikes = 0;
	struct arbiter_usage usage = {0};
	json_t *pids = json_array();
	unsigned engines = 0;

	for (unsigned i = 0; instance->page && i < KEEPER_SLOT_MAX; i++) {
		used_bytes += atomic_load(&instance->page->slot[i].charged_bytes);
		contexts += atomic_load(&instance->page->slot[i].contexts);
		resources += atomic_load(&instance->page->slot[i].resources);
		backing_bytes += atomic_load(&instance->page->slot[i].backing_bytes);
		punched_bytes += atomic_load(&instance->page->slot[i].punched_bytes);
	}
	if (instance->page)
		strikes = atomic_load(&instance->page->strikes);
	if (instance->lease)
		leases_usage(instance->around->leases, instance->lease, &usage);
	for (const struct engine *engine = instance->engines; engine; engine = engine->next)
		engines++;
	instance_devices(instance, append_pid, pids);
	json_t *more = json_pack(
		"{ss so sI sI sI sI sI si si sI sI sI sI sI sb sI so so s{so so}}", "state", instance_state_name(instance->state), "why",
		instance->why[0] ? json_string(instance->why) : json_null(), "vram_used_bytes", (json_int_t)used_bytes, "backing_bytes",
		(json_int_t)backing_bytes, "punched_bytes", (json_int_t)punched_bytes, "contexts", (json_int_t)contexts, "resources",
		(json_int_t)resources, "engines", (int)engines, "slots", (int)instance_connections(instance), "gpu_time_ns",
		(json_int_t)usage.gpu_time_ns, "grants", (json_int_t)usage.grants, "overruns", (json_int_t)usage.overruns, "unleased_ns",
		(json_int_t)usage.unleased_ns, "hangs", (json_int_t)usage.hangs, "holds_lease", (int)usage.holds, "strikes", (json_int_t)strikes, "keeper_pid",
		instance->keeper_pid ? json_integer(instance->keeper_pid) : json_null(), "devices", pids, "sockets", "vfio_user",
		json_sprintf("%s/vfio-user.sock", instance->dir), "direct", json_sprintf("%s/direct.sock", instance->dir));
	if (more)
		json_object_update(object, more);
	json_decref(more);
}
