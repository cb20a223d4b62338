/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/contexts.h"

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/fragile.h"
#include "vgpu-qemu/virtio_gpu/aperture.h"
#include "vgpu-qemu/virtio_gpu/audit.h"
#include "vgpu-qemu/virtio_gpu/blobs.h"
#include "vgpu-qemu/virtio_gpu/engine_channel.h"
#include "vgpu-qemu/virtio_gpu/ledger.h"
#include "vgpu-qemu/virtio_gpu/pending.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"
#include "vgpu-qemu/virtio_gpu/retirement.h"
#include "vgpu-qemu/virtio_gpu/waiting.h"

static struct gpu_context *context_at(struct virtio_gpu *gpu, uint32_t context)
{
	return &gpu->state->context[context];
}

/* What a guest can provoke as often as it likes is said once a second. */
static bool may_say(struct virtio_gpu *gpu)
{
	uint64_t now_ns = gpu_now_ns();

	if (now_ns < gpu->say_quiet_until_ns)
		return false;
	gpu->say_quiet_until_ns = now_ns + 1000000000ull;
	return true;
}

uint32_t context_find(const struct virtio_gpu *gpu, uint32_t id)
{
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		if (gpu->state->context[i].use == GPU_CONTEXT_LIVE && gpu->state->context[i].id == id)
			return i;
	return GPU_NONE;
}

static uint32_t count_live(struct virtio_gpu *gpu)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		count += context_at(gpu, i)->use == GPU_CONTEXT_LIVE;
	atomic_store(&gpu->w.vgpu_page->slot[gpu->w.slot].contexts, count);
	return count;
}

bool context_engine_may_touch(const struct virtio_gpu *gpu, uint32_t context)
{
	if (context == GPU_NONE || gpu->state->context[context].use == GPU_CONTEXT_FREE)
		return false;
	switch (gpu->state->context[context].engine) {
	case GPU_ENGINE_RUNNING:
	case GPU_ENGINE_DYING:
	case GPU_ENGINE_RETIRING:
		return true;
	default:
		return false;
	}
}

/* ---- birth and death of a context --------------------------------------------------------------- */

struct create_arguments {
	uint32_t capset_id;
	char name[GPU_DEBUG_NAME_BYTES];
};

static bool create_parse(const struct gpu_request *request, struct create_arguments *ret_arguments)
{
	const struct virtio_gpu_ctx_create *raw = &request->u.context_create;
	uint32_t name_bytes = le32toh(raw->nlen);
	uint32_t context_init = le32toh(raw->context_init);

	if (name_bytes > sizeof(raw->debug_name) || context_init & ~(uint32_t)VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK ||
	    context_init != WIRE_CAPSET_ID)
		return false;
	ret_arguments->capset_id = context_init;
	memset(ret_arguments->name, 0, sizeof(ret_arguments->name));
	if (name_bytes == sizeof(raw->debug_name))
		name_bytes--;
	memcpy(ret_arguments->name, raw->debug_name, name_bytes);
	return true;
}

uint32_t context_create(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	struct create_arguments arguments;
	uint32_t slot = context_find(gpu, request->context_id);
	struct gpu_context *c;

	if (!create_parse(request, &arguments))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (slot != GPU_NONE && request->replay && context_at(gpu, slot)->birth_serial == request->element->serial)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (slot != GPU_NONE || !request->context_id)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (count_live(gpu) >= gpu->w.limits.max_contexts) {
		if (may_say(gpu))
			log_warning("a guest context '%s' was refused: the profile allows %u at a time; end a guest process that uses the vGPU or choose a larger profile",
				    arguments.name, gpu->w.limits.max_contexts);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	for (slot = 0; slot < KEEPER_CONTEXT_MAX && context_at(gpu, slot)->use != GPU_CONTEXT_FREE; slot++)
		;
	if (slot == KEEPER_CONTEXT_MAX)	/* the others' engines are still dying */
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	gpu_request_act(gpu, request);
	c = context_at(gpu, slot);
	*c = (struct gpu_context){
		.use = GPU_CONTEXT_FREE,
		.id = request->context_id,
		.birth_serial = request->element->serial,
		.capset_id = arguments.capset_id,
		.engine = GPU_ENGINE_NONE,
		.ring = GPU_NONE,
		.wake_head = GPU_NONE,
	};
	memcpy(c->debug_name, arguments.name, sizeof(c->debug_name));
	atomic_signal_fence(memory_order_seq_cst);
	c->use = GPU_CONTEXT_LIVE;
	count_live(gpu);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static void answer_wake(struct virtio_gpu *gpu, uint32_t context)
{
	struct gpu_context *c = context_at(gpu, context);

	if (pending_is(gpu, c->wake_head, GPU_PENDING_WAKE, context))
		pending_answer(gpu, c->wake_head, VIRTIO_GPU_RESP_OK_NODATA);
	c->wake_head = GPU_NONE;
}

/* with_checkpoint: no engine of this context is to come. */
static void drop_descriptors(struct virtio_gpu *gpu, uint32_t context, bool with_checkpoint)
{
	static const enum keeper_tag_kind kinds[] = {
		KEEPER_FD_ENGINE_CHANNEL,
		KEEPER_FD_ENGINE_DOORBELL,
		KEEPER_FD_ENGINE_COMPLETION,
		KEEPER_FD_ENGINE_LISTENER,
		KEEPER_FD_ENGINE_CHECKPOINT,
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) - !with_checkpoint; i++)
		if (keeper_link_fd(gpu->w.keeper, KEEPER_TAG(kinds[i], context)) >= 0)
			keeper_link_drop(gpu->w.keeper, KEEPER_TAG(kinds[i], context));
}

static void end_engine(struct virtio_gpu *gpu, uint32_t context)
{
	context_at(gpu, context)->engine = GPU_ENGINE_DYING;
	engine_channel_detach(gpu, context);
	keeper_link_engine_kill(gpu->w.keeper, context);
}

void context_settle(struct virtio_gpu *gpu, uint32_t context)
{
	struct gpu_context *c = context_at(gpu, context);
	uint64_t bit = 1ull << context;

	if (c->use != GPU_CONTEXT_DESTROYED)
		return;
	answer_wake(gpu, context);
	if (c->engine == GPU_ENGINE_STARTING || c->engine == GPU_ENGINE_RUNNING || c->engine == GPU_ENGINE_RETIRING)
		end_engine(gpu, context);
	for (uint32_t i = 0; i < gpu->state->resource_high; i++) {
		struct gpu_resource *r = resource_at(gpu, i);

		if (r->use == GPU_RESOURCE_FREE)
			continue;
		r->attached &= ~bit;
		if (r->owner != context || c->engine == GPU_ENGINE_DYING)
			continue;
		c->ring = GPU_NONE;
		resource_settle(gpu, i);
		if (r->use != GPU_RESOURCE_FREE)
			resource_table_orphan(gpu, i);
	}
	if (c->engine == GPU_ENGINE_DYING)
		return;
	if (c->engine == GPU_ENGINE_RETIRED)
		drop_descriptors(gpu, context, true);
	c->use = GPU_CONTEXT_FREE;
}

uint32_t context_destroy(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	uint32_t slot = context_find(gpu, request->context_id);

	if (slot == GPU_NONE)
		return request->replay ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	gpu_request_act(gpu, request);
	context_drop(gpu, slot);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void context_drop(struct virtio_gpu *gpu, uint32_t context)
{
	if (context_at(gpu, context)->use == GPU_CONTEXT_FREE)
		return;
	context_at(gpu, context)->use = GPU_CONTEXT_DESTROYED;
	waiting_hurry(gpu);
	count_live(gpu);
	context_settle(gpu, context);
}

/* ---- submissions ---------------------------------------------------------------------------------- */

static void write_lost(struct virtio_gpu *gpu, uint32_t ring, uint32_t reason)
{
	uint32_t reason_le = htole32(reason);
	uint32_t state_le = htole32(WIRE_ENGINE_LOST);
	int status = aperture_write(gpu, ring, WIRE_OFFSET_ENGINE_PAGE + offsetof(struct wire_engine_page, lost_reason),
				    &reason_le, sizeof(reason_le));

	if (!status)
		status = aperture_write(gpu, ring,
					WIRE_OFFSET_ENGINE_PAGE + offsetof(struct wire_engine_page, engine_state),
					&state_le, sizeof(state_le));
	if (status && status != -EINVAL)	/* EINVAL: the guest has unmapped it and will not look */
		log_error("cannot tell the guest that its context is lost: %s", strerror(-status));
}

void context_announce_lost(struct virtio_gpu *gpu, uint32_t context, uint32_t ring)
{
	const struct gpu_context *c = context_at(gpu, context);

	if (c->use == GPU_CONTEXT_LIVE && c->engine == GPU_ENGINE_LOST)
		write_lost(gpu, ring, c->lost_reason);
}

static uint32_t submit_setup(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t context,
			     const struct wire_submit *submit)
{
	struct gpu_context *c = context_at(gpu, context);
	uint32_t ring = resource_table_find_blob(gpu, context, submit->arg);

	if (ring == GPU_NONE || resource_at(gpu, ring)->kind != GPU_RESOURCE_RING ||
	    resource_at(gpu, ring)->use != GPU_RESOURCE_LIVE || resource_at(gpu, ring)->range != GPU_RANGE_MAPPED)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (c->engine == GPU_ENGINE_LOST) {
		write_lost(gpu, ring, c->lost_reason);
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	if (submit->version < WIRE_VERSION_MIN || submit->version > WIRE_VERSION) {
		if (may_say(gpu))
			log_warning("guest context '%s' wants wire version %u, this host speaks %u to %u: install a shim that does",
				    c->debug_name, submit->version, WIRE_VERSION_MIN, WIRE_VERSION);
		/* The guest's kernel keeps errors to itself, so it is said where the shim looks. */
		if (c->engine == GPU_ENGINE_NONE)
			write_lost(gpu, ring, WIRE_LOST_START);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (c->engine != GPU_ENGINE_NONE && (c->ring != ring || c->wire_version != submit->version))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (c->engine == GPU_ENGINE_NONE) {
		gpu_request_act(gpu, request);
		c->ring = ring;
		c->wire_version = submit->version;
		c->lost_reason = WIRE_LOST_NONE;
		atomic_signal_fence(memory_order_seq_cst);
		c->engine = GPU_ENGINE_STARTING;
		keeper_link_engine_start(gpu->w.keeper, context, false);
	}
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t submit_wake(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t context)
{
	struct gpu_context *c = context_at(gpu, context);
	bool can_come = c->engine == GPU_ENGINE_STARTING || c->engine == GPU_ENGINE_RUNNING ||
			c->engine == GPU_ENGINE_DYING || c->engine == GPU_ENGINE_RETIRING;

	if (!pending_is(gpu, request->element->head, GPU_PENDING_WAKE, context) || c->wake_head != request->element->head)
		answer_wake(gpu, context);
	/* A replay: what it was waiting for may have been seen by the process that died, so the guest looks again. */
	if (request->again && pending_is(gpu, request->element->head, GPU_PENDING_WAKE, context)) {
		pending_forget(gpu, request->element->head);
		c->wake_head = GPU_NONE;
	}
	if (request->again || !can_come || c->completion_latched || !(request->flags & VIRTIO_GPU_FLAG_FENCE) ||
	    !pending_possible(gpu, request, sizeof(struct virtio_gpu_ctrl_hdr))) {
		c->completion_latched = 0;
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
	gpu_request_act(gpu, request);
	pending_note(gpu, request, GPU_PENDING_WAKE, context, sizeof(struct virtio_gpu_ctrl_hdr));
	c->wake_head = request->element->head;
	return GPU_DEFERRED;
}

static bool submit_parse(struct virtio_gpu *gpu, const struct gpu_request *request, struct wire_submit *ret_submit)
{
	struct wire_submit raw;

	/* Nothing but this one struct: the commands are in the ring. */
	if (le32toh(request->u.submit.size) != sizeof(raw) ||
	    request->element->readable_bytes != sizeof(request->u.submit) + sizeof(raw) ||
	    virtqueue_element_read(gpu->w.memory, request->element, sizeof(request->u.submit), &raw, sizeof(raw)) !=
		    (long)sizeof(raw))
		return false;
	ret_submit->op = le32toh(raw.op);
	ret_submit->version = le32toh(raw.version);
	ret_submit->arg = le64toh(raw.arg);
	return true;
}

uint32_t context_submit(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	uint32_t context = context_find(gpu, request->context_id);
	struct wire_submit submit;

	if (context == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (!submit_parse(gpu, request, &submit))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	FRAGILE(submit.op == FRAGILE_SUBMIT_OP);
	switch (submit.op) {
	case WIRE_SUBMIT_SETUP:
		return submit_setup(gpu, request, context, &submit);
	case WIRE_SUBMIT_DOORBELL:
		if (context_at(gpu, context)->engine == GPU_ENGINE_RETIRED)
			retirement_look(gpu, context);
		else
			engine_channel_ring_doorbell(gpu, context);
		return VIRTIO_GPU_RESP_OK_NODATA;
	case WIRE_SUBMIT_WAKE:
		return submit_wake(gpu, request, context);
	default:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
}

/* ---- the engine's life ---------------------------------------------------------------------------- */

void context_completed(struct virtio_gpu *gpu, uint32_t context)
{
	struct gpu_context *c = context_at(gpu, context);

	/* The engine may be quicker than the queue: then the WAKE that is on its way finds the latch. */
	if (pending_is(gpu, c->wake_head, GPU_PENDING_WAKE, context))
		answer_wake(gpu, context);
	else
		c->completion_latched = 1;
}

void context_condemn(struct virtio_gpu *gpu, uint32_t context, uint32_t reason)
{
	struct gpu_context *c = context_at(gpu, context);

	if (c->use == GPU_CONTEXT_FREE || (c->engine != GPU_ENGINE_STARTING && c->engine != GPU_ENGINE_RUNNING))
		return;
	if (c->lost_reason == WIRE_LOST_NONE)
		c->lost_reason = reason;
	end_engine(gpu, context);
}

void context_fault(struct virtio_gpu *gpu, uint32_t context, uint64_t reason)
{
	const struct gpu_context *c = context_at(gpu, context);

	if (reason < WIRE_LOST_CRASH || reason > WIRE_LOST_START)
		reason = WIRE_LOST_CRASH;
	if (reason == WIRE_LOST_PROTOCOL)
		keeper_link_strike(gpu->w.keeper, "guest context '%s' damaged its command ring", c->debug_name);
	log_warning("the engine of guest context '%s' gave up (%s)", c->debug_name,
		    reason == WIRE_LOST_PROTOCOL ? "damaged ring" :
		    reason == WIRE_LOST_HANG ? "a command that does not end" :
		    reason == WIRE_LOST_START ? "it could not start" : "device lost");
	context_condemn(gpu, context, (uint32_t)reason);
}

void context_engine_started(struct virtio_gpu *gpu, uint32_t context, int64_t pid)
{
	struct gpu_context *c = context_at(gpu, context);
	int status;

	if (c->use != GPU_CONTEXT_LIVE || (c->engine != GPU_ENGINE_STARTING && c->engine != GPU_ENGINE_RUNNING)) {
		keeper_link_engine_kill(gpu->w.keeper, context);
		return;
	}
	c->engine_pid = pid;
	if (c->engine == GPU_ENGINE_STARTING)
		c->engine_since_ns = gpu_now_ns();
	/* First this: from the first MAP on it may touch memory. */
	c->engine = GPU_ENGINE_RUNNING;
	atomic_signal_fence(memory_order_seq_cst);
	status = engine_channel_attach(gpu, context);
	if (status) {
		log_error("cannot speak to the engine of guest context '%s': %s", c->debug_name, strerror(-status));
		context_condemn(gpu, context, WIRE_LOST_START);
	}
}

static uint32_t judge(struct virtio_gpu *gpu, const struct gpu_context *c, int64_t status)
{
	int wait_status = (int)status;

	if (status < 0) {
		log_error("the engine of guest context '%s' could not be started: %s", c->debug_name,
			  strerror((int)-status));
		return WIRE_LOST_START;
	}
	if (c->engine == GPU_ENGINE_DYING)	/* killed on our request */
		return WIRE_LOST_CRASH;
	if (WIFSIGNALED(wait_status)) {
		keeper_link_strike(gpu->w.keeper, "the engine of guest context '%s' (pid %lld) crashed with signal %d",
				   c->debug_name, (long long)c->engine_pid, WTERMSIG(wait_status));
		return WIRE_LOST_CRASH;
	}
	log_warning("the engine of guest context '%s' ended with status %d", c->debug_name, WEXITSTATUS(wait_status));
	return c->engine == GPU_ENGINE_STARTING ? WIRE_LOST_START : WIRE_LOST_CRASH;
}

void context_engine_died(struct virtio_gpu *gpu, uint32_t context, int64_t status)
{
	struct gpu_context *c = context_at(gpu, context);
	bool retires = c->engine == GPU_ENGINE_RETIRING;
	uint64_t device_bytes;

	if (c->use == GPU_CONTEXT_FREE || c->engine == GPU_ENGINE_NONE || c->engine == GPU_ENGINE_LOST ||
	    c->engine == GPU_ENGINE_RETIRED) {
		engine_channel_detach(gpu, context);
		drop_descriptors(gpu, context, c->use == GPU_CONTEXT_FREE || c->engine != GPU_ENGINE_RETIRED);
		if (c->use == GPU_CONTEXT_LIVE && c->engine == GPU_ENGINE_RETIRED)
			audit_now(gpu);
		return;
	}
	engine_channel_detach(gpu, context);
	uint32_t reason = retires ? WIRE_LOST_NONE : judge(gpu, c, status);
	if (c->lost_reason == WIRE_LOST_NONE)
		c->lost_reason = reason;
	device_bytes = c->device_bytes;
	c->device_bytes = 0;
	if (device_bytes)
		ledger_refund(gpu, device_bytes);
	if (retires)
		c->is_rebuilt = 1;
	atomic_signal_fence(memory_order_seq_cst);
	c->engine = retires ? GPU_ENGINE_RETIRED : GPU_ENGINE_LOST;
	/* All below follows from that and is done again by a takeover. */
	if (c->ring != GPU_NONE)
		context_announce_lost(gpu, context, c->ring);
	if (!retires)
		answer_wake(gpu, context);
	for (uint32_t i = 0; i < gpu->state->resource_high; i++)
		if (resource_at(gpu, i)->use != GPU_RESOURCE_FREE && resource_at(gpu, i)->owner == context)
			resource_settle(gpu, i);
	context_settle(gpu, context);
	drop_descriptors(gpu, context, c->use == GPU_CONTEXT_FREE || !retires);
	/* A doorbell of meanwhile reached nobody. Later: when the keeper knows that this death has been acted on. */
	if (retires)
		audit_now(gpu);
}

/* ---- takeover --------------------------------------------------------------------------------------- */

static void resume(struct virtio_gpu *gpu, uint32_t context)
{
	struct gpu_context *c = context_at(gpu, context);
	bool has_channel = keeper_link_fd(gpu->w.keeper, KEEPER_TAG(KEEPER_FD_ENGINE_CHANNEL, context)) >= 0;

	switch (c->engine) {
	case GPU_ENGINE_STARTING:
		if (has_channel)
			context_engine_started(gpu, context, c->engine_pid);
		else
			keeper_link_engine_start(gpu->w.keeper, context, c->is_rebuilt);
		break;
	case GPU_ENGINE_RUNNING:
		/* Without its descriptors it is dead or cannot be reached; never started anew: the guest's objects are
		 * gone with it. */
		if (has_channel)
			context_engine_started(gpu, context, c->engine_pid);
		else
			keeper_link_engine_kill(gpu->w.keeper, context);
		break;
	case GPU_ENGINE_DYING:
		keeper_link_engine_kill(gpu->w.keeper, context);
		break;
	case GPU_ENGINE_RETIRING:
	case GPU_ENGINE_RETIRED:
		retirement_resume(gpu, context);
		break;
	case GPU_ENGINE_LOST:
		if (c->ring != GPU_NONE)
			context_announce_lost(gpu, context, c->ring);
		answer_wake(gpu, context);
		break;
	default:
		break;
	}
}

int contexts_rebuild(struct virtio_gpu *gpu)
{
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++) {
		const struct gpu_context *c = context_at(gpu, i);

		if (c->use > GPU_CONTEXT_DESTROYED || c->engine > GPU_ENGINE_RETIRED ||
		    (c->use != GPU_CONTEXT_FREE && c->ring != GPU_NONE &&
		     (c->ring >= gpu->state->resource_high || resource_at(gpu, c->ring)->owner != i)))
			return -EPROTO;
	}
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++) {
		struct gpu_context *c = context_at(gpu, i);

		if (c->use == GPU_CONTEXT_LIVE)
			resume(gpu, i);
		else if (c->use == GPU_CONTEXT_DESTROYED && c->engine == GPU_ENGINE_DYING)
			keeper_link_engine_kill(gpu->w.keeper, i);
		context_settle(gpu, i);
		if (c->use == GPU_CONTEXT_FREE || c->engine == GPU_ENGINE_LOST)
			drop_descriptors(gpu, i, true);
	}
	count_live(gpu);
	return 0;
}
