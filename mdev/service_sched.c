/* SPDX-License-Identifier: MIT */
/*
 * Scheduling settings: what GPUs and vGPUs have set, whether it can be kept, and how it reaches what runs.
 *
 * Order of a change: checked against all definitions (also those that do not run), applied to what runs, written. What cannot be written
 * is taken back from what runs before it is refused; so what was answered holds over a restart, and what was refused has changed
 * nothing. The definition rules over what a lease page remembers of its vGPU: it is applied when its keeper is heard, and again when its
 * GPU is found.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mdev/log/log.h"
#include "mdev/service_parts.h"
#include "scheduler/admission.h"

/* ---- what is set ---------------------------------------------------------------------------------- */

struct run_queue_settings service_gpu_queue(const struct service *service, const struct gpu *gpu)
{
	const struct parent_facts *facts = gpu && gpu->parent ? gpu->parent->ops->facts(gpu->parent) : NULL;
	struct run_queue_settings settings = leases_parent_defaults(facts && !strcmp(facts->type, "cpu"), facts ? facts->compute_units : 0);

	if (service->settings.slice_ns)
		settings.slice_ns = service->settings.slice_ns;
	if (gpu)
		queue_edit_apply(&gpu->queue, &settings);
	return settings;
}

static bool is_on(const struct vgpu *vgpu, const struct gpu *gpu)
{
	return !strcmp(vgpu->spec.gpu, gpu->id);
}

uint64_t service_gpu_promised_ppm(const struct service *service, const struct gpu *gpu, const struct vgpu *except)
{
	uint64_t sum_ppm = 0;

	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		if (vgpu != except && is_on(vgpu, gpu))
			sum_ppm += admission_promised_ppm(&vgpu->spec.sched.entity);
	return sum_ppm;
}

static unsigned count_on(const struct service *service, const struct gpu *gpu)
{
	unsigned count = 0;

	for (const struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		count += is_on(vgpu, gpu);
	return count;
}

uint64_t service_gpu_room(const struct service *service, const struct gpu *gpu, const struct sched_settings *sched)
{
	struct run_queue_settings queue = service_gpu_queue(service, gpu);
	uint64_t own_ppm = admission_promised_ppm(&sched->entity), limit_ppm = (uint64_t)ADMISSION_LIMIT_PPM * queue.leases;
	uint64_t promised_ppm = service_gpu_promised_ppm(service, gpu, NULL), room = UINT64_MAX;
	unsigned count = count_on(service, gpu), free_slots = count < queue.slots ? queue.slots - count : 0;

	if (own_ppm)
		room = own_ppm > ADMISSION_LIMIT_PPM || promised_ppm > limit_ppm ? 0 : (limit_ppm - promised_ppm) / own_ppm;
	if (queue.policy == POLICY_FIXED_SHARE && room > free_slots)
		room = free_slots;
	return room;
}

int service_gpu_admits(const struct service *service, const struct gpu *gpu, const struct vgpu *except, const struct sched_settings *sched,
		       char ret_why[ADMISSION_WHY_BYTES])
{
	struct run_queue_settings queue = service_gpu_queue(service, gpu);

	if (!except && queue.policy == POLICY_FIXED_SHARE && count_on(service, gpu) >= queue.slots) {
		snprintf(ret_why, ADMISSION_WHY_BYTES, "all %u slots of %s are taken; remove a vGPU or set more slots", queue.slots, gpu->id);
		return -ENOSPC;
	}
	return admission_check_sum(&sched->entity, service_gpu_promised_ppm(service, gpu, except), queue.leases, ret_why);
}

/* ---- reaching what runs ------------------------------------------------------------------------------- */

static void apply_to_vgpus(struct service *service, const struct gpu *gpu)
{
	char why[ADMISSION_WHY_BYTES];

	for (struct vgpu *vgpu = service->vgpus; vgpu; vgpu = vgpu->next)
		if (is_on(vgpu, gpu) && instance_schedule(vgpu->instance, &vgpu->spec.sched, why))
			event_log_add(service->events, "vgpu.trouble", vgpu->spec.uuid, "vGPU '%s' does not run by its settings: %s", vgpu->spec.name,
				      why);
}

void service_gpu_schedule(struct service *service, const struct gpu *gpu)
{
	struct run_queue_settings settings = service_gpu_queue(service, gpu);
	char why[ADMISSION_WHY_BYTES];

	if (leases_configure(service->leases, gpu->id, &settings, why)) {
		log_error("%s is not scheduled as it was set: %s", gpu->id, why);
		event_log_add(service->events, "gpu.trouble", gpu->id, "%s is not scheduled as it was set: %s", gpu->id, why);
	}
	apply_to_vgpus(service, gpu);
}

static bool refuse_error(struct refusal *refusal, int error, const char *why)
{
	enum refusal_code code = error == -EINVAL ? REFUSAL_BAD_REQUEST : error == -ENOSPC ? REFUSAL_NO_CAPACITY : REFUSAL_FAILED;

	return refuse(refusal, code, NULL, "%s", why);
}

/* ---- vGPUs -------------------------------------------------------------------------------------------- */

static bool vgpu_edit_parse(const json_t *body, struct sched_edit *ret_edit, struct refusal *refusal)
{
	struct json_reader reader;

	json_reader_init(&reader, body);
	sched_edit_read(&reader, ret_edit);
	if (json_reader_finish(&reader))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", reader.why);
	if (!ret_edit->given)
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "nothing is to be set; give one or more of %s", sched_settings_keys());
	return true;
}

bool service_vgpu_set(struct service *service, const char *id, const json_t *body, json_t **ret_vgpu, struct refusal *refusal)
{
	struct sched_settings before, after;
	struct sched_edit edit;
	char why[ADMISSION_WHY_BYTES];
	int error;

	struct vgpu *vgpu = service_vgpu_find(service, id, refusal);
	if (!vgpu || !vgpu_edit_parse(body, &edit, refusal))
		return false;
	if (vgpu->spec.deleting)
		return refuse(refusal, REFUSAL_CONFLICT, NULL, "vGPU '%s' is being deleted", vgpu->spec.name);
	before = after = vgpu->spec.sched;
	sched_edit_apply(&edit, &after);
	const struct gpu *gpu = service_gpu_find(service, vgpu->spec.gpu);
	error = sched_settings_check(&after, why);
	if (!error && gpu)
		error = service_gpu_admits(service, gpu, vgpu, &after, why);
	if (!error)
		error = instance_schedule(vgpu->instance, &after, why);
	if (error)
		return refuse_error(refusal, error, why);
	vgpu->spec.sched = after;
	error = service_vgpu_write(vgpu, why);
	if (error) {
		char ignored[256];
		vgpu->spec.sched = before;
		instance_schedule(vgpu->instance, &before, ignored);
		/* Should it have got there and only its folder's sync have failed: as for a create. */
		service_vgpu_write(vgpu, ignored);
		return refuse(refusal, REFUSAL_FAILED, refusal_disk_hint(error), "%s", why);
	}
	event_log_add(service->events, "vgpu.set", vgpu->spec.uuid, "vGPU '%s' is scheduled by other settings", vgpu->spec.name);
	*ret_vgpu = service_vgpu_json(vgpu);
	return true;
}

/* ---- GPUs ---------------------------------------------------------------------------------------------- */

/* Whether a run queue can be like that, and hold the vGPUs that are defined on it. */
static int check_queue(const struct service *service, const struct gpu *gpu, const struct run_queue_settings *settings,
		       char ret_why[ADMISSION_WHY_BYTES])
{
	uint64_t promised_ppm = service_gpu_promised_ppm(service, gpu, NULL);
	struct run_queue *queue = NULL;
	unsigned count = count_on(service, gpu);
	int error = run_queue_create(settings, &queue, ret_why);

	run_queue_destroy(queue);
	if (error == -ENOMEM)
		snprintf(ret_why, ADMISSION_WHY_BYTES, "out of memory");
	if (error)
		return error;
	if (settings->policy == POLICY_FIXED_SHARE && settings->slots < count) {
		snprintf(ret_why, ADMISSION_WHY_BYTES, "%u slots do not hold the %u vGPUs of %s; set %u to %u, or remove vGPUs", settings->slots, count,
			 gpu->id, count, RUN_QUEUE_SLOTS_MAX);
		return -ENOSPC;
	}
	if (promised_ppm > (uint64_t)ADMISSION_LIMIT_PPM * settings->leases) {
		snprintf(ret_why, ADMISSION_WHY_BYTES, "%u lease%s do%s not hold the %g %% that are promised on %s: keep %llu, or lower reservations and budgets",
			 settings->leases, settings->leases == 1 ? "" : "s", settings->leases == 1 ? "es" : "", (double)promised_ppm / 10000.0, gpu->id,
			 (unsigned long long)((promised_ppm + ADMISSION_LIMIT_PPM - 1) / ADMISSION_LIMIT_PPM));
		return -ENOSPC;
	}
	return 0;
}

static bool gpu_edit_parse(const json_t *body, struct queue_edit *ret_edit, struct refusal *refusal)
{
	struct json_reader reader;

	json_reader_init(&reader, body);
	queue_edit_read(&reader, ret_edit);
	if (json_reader_finish(&reader))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", reader.why);
	if (!ret_edit->given)
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "nothing is to be set; give one or more of %s", queue_settings_keys());
	return true;
}

bool service_gpu_set(struct service *service, const char *id, const json_t *body, json_t **ret_gpu, struct refusal *refusal)
{
	struct queue_edit edit, before;
	struct run_queue_settings settings, former;
	char why[ADMISSION_WHY_BYTES];

	struct gpu *gpu = service_gpu_find_shown(service, id, refusal);
	if (!gpu || !gpu_edit_parse(body, &edit, refusal))
		return false;
	before = gpu->queue;
	former = service_gpu_queue(service, gpu);
	queue_edit_merge(&gpu->queue, &edit);
	settings = service_gpu_queue(service, gpu);
	int error = check_queue(service, gpu, &settings, why);
	if (!error)
		error = leases_configure(service->leases, gpu->id, &settings, why);
	if (error) {
		gpu->queue = before;
		return refuse_error(refusal, error, why);
	}
	error = service_gpu_write(service, gpu, why);
	if (error) {
		char ignored[256];
		gpu->queue = before;
		leases_configure(service->leases, gpu->id, &former, ignored);
		service_gpu_write(service, gpu, ignored);
		return refuse(refusal, REFUSAL_FAILED, refusal_disk_hint(error), "%s", why);
	}
	apply_to_vgpus(service, gpu);
	event_log_add(service->events, "gpu.set", gpu->id, "%s is scheduled by other settings", gpu->id);
	*ret_gpu = service_gpu_json(service, gpu);
	return true;
}
