/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/retirement.h"

#include <endian.h>
#include <stdatomic.h>
#include <stddef.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/aperture.h"
#include "vgpu-qemu/virtio_gpu/audit.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/engine_channel.h"

#define GRACE_NS 2000000000ull	/* for the engine to end by itself */

uint64_t retirement_idle_ms(const struct virtio_gpu *gpu, uint32_t context)
{
	if (gpu->state->context[context].wire_version < 2 ||
	    keeper_link_fd(gpu->w.keeper, KEEPER_TAG(KEEPER_FD_ENGINE_CHECKPOINT, context)) < 0)
		return 0;
	return gpu->w.limits.engine_idle_ms;
}

void retirement_begin(struct virtio_gpu *gpu, uint32_t context)
{
	struct gpu_context *c = &gpu->state->context[context];
	uint64_t idle_ns = retirement_idle_ms(gpu, context) * 1000000u;
	uint64_t now_ns = gpu_now_ns();

	if (c->engine != GPU_ENGINE_RUNNING)
		return;
	/* The clock of the state page is the host's: it does not begin anew with another process. */
	if (!idle_ns || now_ns - c->engine_since_ns < idle_ns) {
		keeper_link_strike(gpu->w.keeper, "the engine of guest context '%s' retired before its time; killed", c->debug_name);
		context_condemn(gpu, context, WIRE_LOST_CRASH);
		return;
	}
	log_debug("the engine of guest context '%s' retires", c->debug_name);
	c->engine_since_ns = now_ns;
	atomic_signal_fence(memory_order_seq_cst);
	c->engine = GPU_ENGINE_RETIRING;
	engine_channel_end(gpu, context);
	audit_hurry(gpu);
}

/* head and tail are both the guest's to change: what it makes of them is an engine more or less, of its own. */
static bool guest_wants(struct virtio_gpu *gpu, uint32_t ring)
{
	uint32_t head_le, tail_le;

	if (ring == GPU_NONE ||
	    aperture_read(gpu, ring, WIRE_OFFSET_ENGINE_PAGE + offsetof(struct wire_engine_page, head), &head_le, sizeof(head_le)) ||
	    aperture_read(gpu, ring, WIRE_OFFSET_SHIM_PAGE + offsetof(struct wire_shim_page, tail), &tail_le, sizeof(tail_le)))
		return false;
	return head_le != tail_le;
}

void retirement_look(struct virtio_gpu *gpu, uint32_t context)
{
	struct gpu_context *c = &gpu->state->context[context];

	if (c->use != GPU_CONTEXT_LIVE || c->engine != GPU_ENGINE_RETIRED || !guest_wants(gpu, c->ring))
		return;
	if (keeper_link_fd(gpu->w.keeper, KEEPER_TAG(KEEPER_FD_ENGINE_CHANNEL, context)) >= 0)
		return;		/* its death is still to be heard of once more */
	c->engine = GPU_ENGINE_STARTING;
	atomic_signal_fence(memory_order_seq_cst);
	keeper_link_engine_start(gpu->w.keeper, context, true);
}

void retirement_resume(struct virtio_gpu *gpu, uint32_t context)
{
	if (gpu->state->context[context].engine == GPU_ENGINE_RETIRING)
		keeper_link_engine_kill(gpu->w.keeper, context);
	else
		audit_now(gpu);
}

void retirement_tick(struct virtio_gpu *gpu, uint64_t now_ns)
{
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++) {
		struct gpu_context *c = &gpu->state->context[i];

		if (c->use == GPU_CONTEXT_FREE)
			continue;
		if (c->engine == GPU_ENGINE_RETIRED) {
			retirement_look(gpu, i);
		} else if (c->engine == GPU_ENGINE_RETIRING && now_ns - c->engine_since_ns >= GRACE_NS) {
			log_warning("the engine of guest context '%s' said that it retires and stayed; killed", c->debug_name);
			c->engine_since_ns = now_ns;	/* killed once per grace, should the keeper have lost the word */
			keeper_link_engine_kill(gpu->w.keeper, i);
		}
	}
}
