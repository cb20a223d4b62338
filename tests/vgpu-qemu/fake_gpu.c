/* SPDX-License-Identifier: MIT */
/*
 * A virtio-gpu that does nothing but count, for tests of the transport below it.
 *
 * Control queue: the first byte of a request says what to do (enum fake_gpu_request in fake_gpu.h); the response is the
 * request's first 16 bytes, then the number of elements handled so far. An element handled again after a kill is not
 * counted again: its serial is known.
 */
#include "tests/vgpu-qemu/fake_gpu.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu-qemu/virtio_gpu/gpu_state.h"
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"

struct virtio_gpu {
	struct virtio_gpu_wiring wiring;
};

uint64_t virtio_gpu_features(void)
{
	return 1ull << 0 | 1ull << 3 | 1ull << 4;
}

void virtio_gpu_state_init(struct gpu_state *state)
{
	memset(state, 0, sizeof(*state));
}

int virtio_gpu_create(const struct virtio_gpu_wiring *wiring, struct virtio_gpu **ret_gpu)
{
	struct virtio_gpu *gpu = calloc(1, sizeof(*gpu));

	if (!gpu)
		return -ENOMEM;
	gpu->wiring = *wiring;
	*ret_gpu = gpu;
	return 0;
}

void virtio_gpu_destroy(struct virtio_gpu *gpu)
{
	free(gpu);
}

enum virtqueue_verdict virtio_gpu_control(void *data, const struct virtqueue_element *element, bool last_attempt,
					  uint32_t *ret_written)
{
	struct virtio_gpu *gpu = data;
	struct gpu_state *state = gpu->wiring.state;
	struct fake_gpu_response response = {0};

	if (virtqueue_element_read(gpu->wiring.memory, element, 0, response.echo, sizeof(response.echo)) < 1)
		return VIRTQUEUE_COMPLETE;
	if (element->serial > state->last_serial) {
		state->last_serial = element->serial;
		state->handled++;
	}
	response.handled = state->handled;
	response.last_attempt = last_attempt;
	if (last_attempt)
		goto respond;
	switch (response.echo[0]) {
	case FAKE_GPU_DIE:
		raise(SIGKILL);
		break;
	case FAKE_GPU_DEFER:
		state->deferred_head = element->head + 1u;
		return VIRTQUEUE_DEFER;
	case FAKE_GPU_RELEASE:
		if (state->deferred_head)
			virtqueue_complete(gpu->wiring.control, (uint16_t)(state->deferred_head - 1), 0);
		state->deferred_head = 0;
		break;
	default:
		break;
	}
respond:
	*ret_written = sizeof(response);
	if (virtqueue_element_write(gpu->wiring.memory, element, 0, &response, sizeof(response)) < (long)sizeof(response))
		*ret_written = 0;
	return VIRTQUEUE_COMPLETE;
}

enum virtqueue_verdict virtio_gpu_cursor(void *data, const struct virtqueue_element *element, bool last_attempt,
					 uint32_t *ret_written)
{
	(void)data;
	(void)element;
	(void)last_attempt;
	*ret_written = 0;
	return VIRTQUEUE_COMPLETE;
}

void virtio_gpu_config_read(struct virtio_gpu *gpu, uint32_t offset, void *buffer, uint32_t bytes)
{
	const uint32_t config[4] = {0, 0, 0, 0};

	(void)gpu;
	memset(buffer, 0, bytes);
	if (offset < sizeof(config))
		memcpy(buffer, (const uint8_t *)config + offset, bytes < sizeof(config) - offset ? bytes : sizeof(config) - offset);
}

void virtio_gpu_config_write(struct virtio_gpu *gpu, uint32_t offset, const void *buffer, uint32_t bytes)
{
	(void)gpu;
	(void)offset;
	(void)buffer;
	(void)bytes;
}

void virtio_gpu_event(struct virtio_gpu *gpu, uint64_t data, uint32_t events)
{
	(void)gpu;
	(void)data;
	(void)events;
}

void virtio_gpu_engine_started(struct virtio_gpu *gpu, uint32_t context, int64_t pid)
{
	(void)gpu;
	(void)context;
	(void)pid;
}

void virtio_gpu_engine_died(struct virtio_gpu *gpu, uint32_t context, int64_t status)
{
	(void)gpu;
	(void)context;
	(void)status;
}

void virtio_gpu_reset(struct virtio_gpu *gpu)
{
	gpu->wiring.state->deferred_head = 0;
	gpu->wiring.state->resets++;
}

bool virtio_gpu_idle(const struct virtio_gpu *gpu)
{
	(void)gpu;
	return true;
}
