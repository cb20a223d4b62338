/* SPDX-License-Identifier: MIT */
/* The service's life, and its GPUs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/folder.h"
#include "mdev/gpu/mediated.h"
#include "mdev/json/json_reader.h"
#include "mdev/log/log.h"
#include "mdev/quantity.h"
#include "mdev/service_parts.h"

#define GPU_SCHEMA 1
#define ADOPTION_PATIENCE_US 2000000u	/* longest time that leases wait for keepers to tell what they hold */
#define SETTLE_EVERY_US 200000u		/* while a create waits */

static const struct parent_ops *const parent_kinds[] = {&mediated_parent_ops};

/* ---- GPUs ------------------------------------------------------------------------------------------- */

struct gpu *service_gpu_find(const struct service *service, const char *id)
{
	struct gpu *gpu = service->gpus;

	while (gpu && strcmp(gpu->id, id))
		gpu = gpu->next;
	return gpu;
}

static struct gpu *gpu_append(struct service *service, const char *id, const char *key)
{
	struct gpu **at = &service->gpus, *gpu = calloc(1, sizeof(*gpu));

	if (!gpu)
		return NULL;
	snprintf(gpu->id, sizeof(gpu->id), "%s", id);
	snprintf(gpu->key, sizeof(gpu->key), "%s", key);
	while (*at)
		at = &(*at)->next;
	*at = gpu;
	return gpu;
}

static int on_stored_gpu(const char *name, const json_t *object, void *data, char ret_why[256])
{
	struct json_reader reader;
	struct queue_edit queue;
	char key[512];
	uint64_t schema;

	json_reader_init(&reader, object);
	json_reader_count(&reader, "schema", false, 1, GPU_SCHEMA, &schema);
	json_reader_text(&reader, "key", NULL, key, sizeof(key));
	queue_edit_read(&reader, &queue);
	if (json_reader_finish(&reader)) {
		memcpy(ret_why, reader.why, 256);
		return reader.error;
	}
	if (name_check("GPU", name, GPU_ID_BYTES - 1, ret_why))
		return -EINVAL;
	struct gpu *gpu = gpu_append(data, name, key);
	if (!gpu)
		return -ENOMEM;
	gpu->queue = queue;
	return 0;
}

int service_gpu_write(struct service *service, const struct gpu *gpu, char ret_why[256])
{
	json_t *object = json_pack("{si ss}", "schema", GPU_SCHEMA, "key", gpu->key);
	int error = -EINVAL;

	snprintf(ret_why, 256, "its key is not UTF-8");
	if (object) {
		snprintf(ret_why, 256, "out of memory");
		error = queue_edit_store(&gpu->queue, object);
	}
	if (!error)
		error = store_write(service->store, STORE_GPUS, gpu->id, object, ret_why);
	json_decref(object);
	return error;
}

/* "gpu0" and so on: the first number free. Kept by key, so that a GPU has its number again after a restart. */
static struct gpu *gpu_name(struct service *service, const struct parent_facts *facts)
{
	char id[GPU_ID_BYTES], why[256];
	struct gpu *gpu;

	for (gpu = service->gpus; gpu; gpu = gpu->next)
		if (!gpu->parent && !strcmp(gpu->key, facts->key))
			return gpu;
	for (unsigned n = 0;; n++) {
		snprintf(id, sizeof(id), "gpu%u", n);
		if (!service_gpu_find(service, id))
			break;
	}
	gpu = gpu_append(service, id, facts->key);
	if (gpu && service_gpu_write(service, gpu, why))
		log_warning("the number of %s is not kept over restarts: %s", id, why);
	return gpu;
}

static void on_parent(struct parent *parent, void *data)
{
	struct service *service = data;
	const struct parent_facts *facts = parent->ops->facts(parent);
	struct gpu *gpu = gpu_name(service, facts);
	char size[32];

	if (!gpu) {
		parent->ops->destroy(parent);
		return;
	}
	gpu->parent = parent;
	int error = leases_set_parent(service->leases, gpu->id, !strcmp(facts->type, "cpu"));
	if (error)
		log_error("%s: no run queue: %s", gpu->id, strerror(-error));
	profile_add_builtin(&service->builtin, facts->vram_bytes);
	service_gpu_schedule(service, gpu);
	event_log_add(service->events, "gpu.found", gpu->id, "%s by %s, %s for vGPUs", facts->name, facts->driver,
		      quantity_format_bytes(facts->vram_bytes, size, sizeof(size)));
}

static void on_trouble(const char *text, void *data)
{
	struct service *service = data;

	event_log_add(service->events, "gpu.trouble", NULL, "%s", text);
}

static void on_gpus_known(void *data)
{
	struct service *service = data;
	unsigned count = 0;

	for (const struct gpu *gpu = service->gpus; gpu; gpu = gpu->next)
		count += gpu->parent != NULL;
	if (!count)
		log_warning("no OpenCL device found: no vGPU can run; install a driver (pocl-opencl-icd for the CPU) and restart vgpud");
	service->gpus_known = true;
	if (!service->stopping)
		service_vgpus_run(service);
	service_settle_soon(service);
	service->ready(service->ready_data);
}

uint64_t gpu_capacity_bytes(const struct gpu *gpu)
{
	return gpu->parent ? gpu->parent->ops->facts(gpu->parent)->vram_bytes : 0;
}

uint64_t service_gpu_free_bytes(const struct service *service, const struct gpu *gpu)
{
	uint64_t taken_bytes = 0, capacity_bytes = gpu_capacity_bytes(gpu);

	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		if (!strcmp(vgpu->spec.gpu, gpu->id))
			taken_bytes += vgpu->spec.vram_bytes;
	return taken_bytes < capacity_bytes ? capacity_bytes - taken_bytes : 0;
}

json_t *service_gpu_json(const struct service *service, const struct gpu *gpu)
{
	static const struct parent_facts nothing;
	const struct parent_facts *facts = gpu->parent ? gpu->parent->ops->facts(gpu->parent) : &nothing;
	const struct run_queue_settings settings = service_gpu_queue(service, gpu);
	struct arbiter_totals totals = {0};
	unsigned vgpus = 0;

	leases_totals(service->leases, gpu->id, &totals);
	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		vgpus += !strcmp(vgpu->spec.gpu, gpu->id);
	json_t *object = json_pack("{ss ss ss ss ss ss ss ss sI sI sI si sb si sI sI sI sI sI sI}", "id", gpu->id, "state", gpu->parent ? "ready" : "missing", "kind",
				   gpu->parent ? gpu->parent->ops->kind : "", "name", facts->name, "vendor", facts->vendor, "driver",
				   facts->driver, "type", facts->type, "icd", facts->icd, "memory_bytes", (json_int_t)facts->memory_bytes,
				   "vram_bytes", (json_int_t)facts->vram_bytes, "vram_free_bytes",
				   (json_int_t)service_gpu_free_bytes(service, gpu), "compute_units", (int)facts->compute_units, "unified",
				   (int)facts->unified, "vgpus", (int)vgpus, "promised_ppm",
				   (json_int_t)service_gpu_promised_ppm(service, gpu, NULL), "contended_ns", (json_int_t)totals.contended_ns,
				   "lost_ns", (json_int_t)totals.lost_ns, "resuming_ns", (json_int_t)totals.resuming_ns, "switches", (json_int_t)totals.switches, "freezes",
				   (json_int_t)totals.freezes);

	if (object)
		queue_settings_show(&settings, object);
	return object;
}

static bool gpu_is_shown(const struct service *service, const struct gpu *gpu)
{
	const struct vgpu *vgpu = service->vgpus;

	while (vgpu && strcmp(vgpu->spec.gpu, gpu->id))
		vgpu = vgpu->next;
	return gpu->parent || vgpu;
}

json_t *service_gpu_list(struct service *service)
{
	json_t *list = json_array();

	for (const struct gpu *gpu = service->gpus; gpu; gpu = gpu->next)
		if (gpu_is_shown(service, gpu))
			json_array_append_new(list, service_gpu_json(service, gpu));
	return list;
}

struct gpu *service_gpu_find_shown(const struct service *service, const char *id, struct refusal *refusal)
{
	struct gpu *gpu = service_gpu_find(service, id);

	if (gpu && gpu_is_shown(service, gpu))
		return gpu;
	refuse(refusal, REFUSAL_NOT_FOUND, "'vgpu-admin gpu list' shows all", "there is no GPU '%.60s'", id);
	return NULL;
}

bool service_gpu_show(struct service *service, const char *id, json_t **ret_gpu, struct refusal *refusal)
{
	const struct gpu *gpu = service_gpu_find_shown(service, id, refusal);

	if (!gpu)
		return false;
	*ret_gpu = service_gpu_json(service, gpu);
	return true;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

void service_on_aside(const char *file, const char *why, void *data)
{
	struct service *service = data;

	log_error("state file set aside as %s: %s", file, why);
	event_log_add(service->events, "state.corrupt", NULL, "set aside as %.200s: %.200s", file, why);
}

/* Leases wait until all who may hold one were heard, or have had their time. */
static bool all_heard(const struct service *service)
{
	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		if (instance_state(vgpu->instance) == INSTANCE_STARTING ||
		    (!service->gpus_known && instance_state(vgpu->instance) == INSTANCE_WAITING))
			return false;
	return true;
}

static void settle_leases(struct service *service)
{
	if (service->leases_settled)
		return;
	service->leases_settled = true;
	service->adoption_timer = sd_event_source_disable_unref(service->adoption_timer);
	leases_settle(service->leases);
}

static int on_adoption_time(sd_event_source *source, uint64_t now_us, void *data)
{
	(void)source;
	(void)now_us;
	settle_leases(data);
	return 0;
}

static int on_settle(sd_event_source *source, void *data)
{
	struct service *service = data;

	(void)source;
	if (!service->leases_settled && all_heard(service))
		settle_leases(service);
	service_vgpus_settle(service);
	if (service->stopping && service->stopped) {
		for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
			if (instance_state(vgpu->instance) != INSTANCE_GONE)
				return 0;
		void (*stopped)(void *) = service->stopped;
		service->stopped = NULL;
		stopped(service->stopped_data);
	}
	return 0;
}

void service_settle_soon(struct service *service)
{
	sd_event_source_set_enabled(service->settle, SD_EVENT_ONESHOT);
}

static int on_settle_time(sd_event_source *source, uint64_t now_us, void *data)
{
	struct service *service = data;

	(void)source;
	(void)now_us;
	service_settle_soon(service);
	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next) {
		if (vgpu->create_done) {
			service_settle_in_time(service);
			break;
		}
	}
	return 0;
}

void service_settle_in_time(struct service *service)
{
	sd_event_source_set_time_relative(service->settle_timer, SETTLE_EVERY_US);
	sd_event_source_set_enabled(service->settle_timer, SD_EVENT_ONESHOT);
}

static void on_instance_changed(struct instance *instance, void *owner)
{
	struct vgpu *vgpu = owner;

	(void)instance;
	service_settle_soon(vgpu->service);
}

static int load(struct service *service, char ret_why[256])
{
	static const char *const kinds[] = {STORE_GPUS, STORE_PROFILES, STORE_VGPUS, NULL};
	int error = folder_make(service->settings.state_dir, 0700);

	if (error) {
		snprintf(ret_why, 256, "cannot make the folder %.120s: %s; %s", service->settings.state_dir, strerror(-error),
			 refusal_disk_hint(error));
		return error;
	}
	error = store_open(service->settings.state_dir, kinds, &service->store, ret_why);
	/* What runs needs us for its leases, so this alone is no reason to end: until it is mended nothing is created or deleted. */
	if (!error && (error = store_check_writable(service->store, kinds, ret_why))) {
		log_error("%s: vGPUs and profiles can be neither created nor deleted; %s", ret_why, refusal_disk_hint(error));
		event_log_add(service->events, "state.read-only", NULL, "%s", ret_why);
		error = 0;
	}
	if (!error)
		error = store_load(service->store, STORE_GPUS, on_stored_gpu, service_on_aside, service, ret_why);
	if (!error)
		error = service_profiles_load(service, ret_why);
	if (!error)
		error = service_vgpus_load(service, ret_why);
	return error;
}

static int add_sources(struct service *service)
{
	int r = sd_event_add_defer(service->loop, &service->settle, on_settle, service);

	if (r >= 0)
		r = sd_event_add_time_relative(service->loop, &service->settle_timer, CLOCK_MONOTONIC, SETTLE_EVERY_US, 50000,
					       on_settle_time, service);
	if (r >= 0)
		r = sd_event_add_time_relative(service->loop, &service->adoption_timer, CLOCK_MONOTONIC, ADOPTION_PATIENCE_US, 0,
					       on_adoption_time, service);
	return r < 0 ? r : 0;
}

int service_create(sd_event *loop, const struct service_settings *settings, void (*ready)(void *data), void *data,
		   struct service **ret_service, char ret_why[256])
{
	struct service *service = calloc(1, sizeof(*service));
	char folder[256];
	int error = -ENOMEM;

	snprintf(ret_why, 256, "out of memory");
	if (!service)
		return error;
	service->loop = loop;
	service->settings = *settings;
	service->ready = ready;
	service->ready_data = data;
	service->events = event_log_create();
	if (!service->events)
		goto fail;
	if (groups_open(settings->runtime_dir, &service->groups, ret_why))
		log_info("%s: leases end by signals, which takes longer", ret_why);
	error = leases_create(settings->slice_ns, service->groups, &service->leases);
	if (!error)
		error = add_sources(service);
	if (error) {
		snprintf(ret_why, 256, "cannot start: %s", strerror(-error));
		goto fail;
	}
	service->surroundings = (struct instance_surroundings){.loop = loop, .leases = service->leases, .groups = service->groups, .events = service->events,
							       .runtime_dir = service->settings.runtime_dir,
							       .changed = on_instance_changed};
	snprintf(folder, sizeof(folder), "%s/vgpu", settings->runtime_dir);
	error = folder_make(folder, 0711);
	if (error) {
		snprintf(ret_why, 256, "cannot make the folder %.120s: %s; %s", folder, strerror(-error),
			 refusal_disk_hint(error));
		goto fail;
	}
	error = folder_make(settings->parents.cache_dir, 0755);
	if (error) {
		snprintf(ret_why, 256, "cannot make the folder %.120s: %s; %s", settings->parents.cache_dir, strerror(-error),
			 refusal_disk_hint(error));
		goto fail;
	}
	error = load(service, ret_why);
	if (error)
		goto fail;
	/* Before any vGPU is heard, so that what it is promised finds its leases. */
	for (const struct gpu *gpu = service->gpus; gpu; gpu = gpu->next)
		service_gpu_schedule(service, gpu);
	service_vgpus_adopt(service);
	error = parent_kinds[0]->discover(loop, &service->settings.parents, on_parent, on_trouble, on_gpus_known, service, ret_why);
	if (error)
		goto fail;
	*ret_service = service;
	return 0;
fail:
	service_destroy(service);
	return error;
}

void service_destroy(struct service *service)
{
	if (!service)
		return;
	service_vgpus_destroy(service);
	leases_destroy(service->leases);
	groups_close(service->groups);
	while (service->gpus) {
		struct gpu *gpu = service->gpus;
		service->gpus = gpu->next;
		if (gpu->parent)
			gpu->parent->ops->destroy(gpu->parent);
		free(gpu);
	}
	profile_list_destroy(service->builtin);
	profile_list_destroy(service->profiles);
	sd_event_source_disable_unref(service->settle);
	sd_event_source_disable_unref(service->settle_timer);
	sd_event_source_disable_unref(service->adoption_timer);
	store_close(service->store);
	event_log_destroy(service->events);
	free(service);
}

void service_stop_vgpus(struct service *service, void (*stopped)(void *data), void *data)
{
	service->stopping = true;
	service->stopped = stopped;
	service->stopped_data = data;
	for (struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		instance_stop(vgpu->instance);
	service_settle_soon(service);
}

struct event_log *service_events(struct service *service)
{
	return service->events;
}
