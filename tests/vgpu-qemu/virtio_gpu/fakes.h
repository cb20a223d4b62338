/* SPDX-License-Identifier: MIT */
/*
 * What the virtio-gpu device stands on, faked: guest memory is an array, the queue a table of heads, the keeper a
 * record of what was asked, an engine the other end of a channel that the test speaks for.
 *
 * What outlives a device process is in shared memory: a test may fork, have the child killed in the middle of a command
 * and let a new device take over; the queue then shows the element again, as virtqueue.h promises.
 */
#ifndef TESTS_VGPU_QEMU_VIRTIO_GPU_FAKES_H
#define TESTS_VGPU_QEMU_VIRTIO_GPU_FAKES_H

#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>

#include "mdev/engine/engine_protocol.h"
#include "shim/wire/wire.h"
#include "vgpu-qemu/virtio_gpu/gpu_state.h"
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"

#define RIG_MEMORY_BASE 0x100000ull
#define RIG_MEMORY_BYTES (8u << 20)
#define RIG_HEAD_BYTES 8192u			/* of request, then of response, at each head's place */
#define RIG_RAM (RIG_MEMORY_BASE + 256 * 2 * RIG_HEAD_BYTES)	/* guest memory that is no request */
#define RIG_APERTURE_BYTES (64ull << 20)
#define RIG_CAPSET_BYTES (sizeof(struct wire_capset) + 16)

struct guest_memory {
	uint8_t *bytes;
};

struct virtqueue {
	bool outstanding[VIRTQUEUE_SIZE_MAX];
	unsigned completions[VIRTQUEUE_SIZE_MAX];
	uint32_t written[VIRTQUEUE_SIZE_MAX];
	unsigned ignored;
	bool offered_twice[VIRTQUEUE_SIZE_MAX];	/* while outstanding, by a hostile guest */
	uint64_t serial;
};

struct fake_engine {
	bool alive;
	int channel;			/* the engine's end */
	int doorbell;
	int completion;
};

struct keeper_link {
	int fd[5][KEEPER_CONTEXT_MAX];	/* CHANNEL, DOORBELL, COMPLETION, LISTENER, CHECKPOINT as the device sees them */
	int kept[KEEPER_CONTEXT_MAX];	/* the keeper process has the channel too, and longer */
	struct fake_engine engine[KEEPER_CONTEXT_MAX];
	bool start_wanted[KEEPER_CONTEXT_MAX];
	bool start_again[KEEPER_CONTEXT_MAX];	/* of the last start: it goes on from a checkpoint */
	bool kill_wanted[KEEPER_CONTEXT_MAX];
	unsigned starts;
	unsigned kills;
	unsigned strikes;
	char strike[256];
};

/* An element taken, as the queue keeps it for a replay. */
struct taken {
	bool valid;
	struct virtqueue_element element;
};

struct rig {
	struct virtio_gpu *gpu;
	struct virtio_gpu_wiring wiring;
	struct guest_memory memory;
	struct virtqueue control;
	struct virtqueue cursor;
	struct keeper_link keeper;
	struct taken taken;
	struct vgpu_page *vgpu_page;
	bool owns_page;
	bool traced;			/* stops (SIGSTOP) before and after the device acts */
	struct {
		uint32_t type;
		uint32_t flags;
		uint64_t fence_id;
		uint32_t context_id;
		uint8_t ring_index;
		uint32_t written;
		uint8_t bytes[RIG_HEAD_BYTES];
	} response;
};

/* vgpu_page NULL: one of its own with this limit. */
void rig_begin(struct rig *rig, struct vgpu_page *page, uint32_t slot, uint64_t vram_limit_bytes, uint32_t max_contexts);
void rig_end(struct rig *rig);
/* The device process is replaced. */
void rig_take_over(struct rig *rig);
/* Where a traced rig stops. */
void rig_trace_point(struct rig *rig);
/* Shows the element that was being handled again, with the next attempt. Returns false if there was none. */
bool rig_replay(struct rig *rig, enum virtqueue_verdict *ret_verdict);

/* Puts a request at head's place and has it handled. Reads the response if it was completed. */
enum virtqueue_verdict rig_handle(struct rig *rig, uint16_t head, const void *request, uint32_t request_bytes,
				  uint32_t response_bytes);
/* Raw: the element as given. */
enum virtqueue_verdict rig_handle_element(struct rig *rig, const struct virtqueue_element *element, bool last_attempt);
/* Lays the request and makes its element, without handing it over. */
void rig_lay(struct rig *rig, uint16_t head, const void *request, uint32_t request_bytes, uint32_t response_bytes,
	     struct virtqueue_element *ret_element);
/* Reads the response at head's place into rig->response. */
void rig_read_response(struct rig *rig, uint16_t head);
/* Delivers epoll events until there are none, waiting at most timeout_ms for the first. */
void rig_run(struct rig *rig, int timeout_ms);

/* Commands, on head 0 unless said; each returns the response type, or 0 when deferred. */
uint32_t rig_context_create(struct rig *rig, uint32_t id);
uint32_t rig_context_destroy(struct rig *rig, uint32_t id);
uint32_t rig_blob_create(struct rig *rig, uint32_t context, uint32_t resource, uint64_t blob_id, uint64_t bytes);
uint32_t rig_blob_create_at(struct rig *rig, uint16_t head, uint32_t context, uint32_t resource, uint64_t blob_id,
			    uint64_t bytes);
uint32_t rig_map(struct rig *rig, uint16_t head, uint32_t resource, uint64_t offset);
uint32_t rig_unmap(struct rig *rig, uint32_t resource);
uint32_t rig_unref(struct rig *rig, uint16_t head, uint32_t resource);
uint32_t rig_submit(struct rig *rig, uint16_t head, uint32_t context, uint32_t op, uint32_t version, uint64_t arg);
/* A context with ring (resource id 1000 + context, at offset ring_at) and a running engine; returns its slot. */
uint32_t rig_context_running(struct rig *rig, uint32_t context, uint64_t ring_at);

/* The keeper and the engine. */
uint32_t rig_slot_of(struct rig *rig, uint32_t context_id);
void rig_engine_start(struct rig *rig, uint32_t slot);
/* Its end closes, then the keeper says so. status as DIED's value. */
void rig_engine_die(struct rig *rig, uint32_t slot, int64_t status);
/* True and one message, if the engine has one. */
bool rig_engine_receive(struct rig *rig, uint32_t slot, struct engine_message *ret_message);
void rig_engine_drain(struct rig *rig, uint32_t slot);
/* RELEASED with value 0: the number of the blob's latest unmapping, as an engine that was asked says it. */
void rig_engine_send(struct rig *rig, uint32_t slot, uint32_t op, uint64_t blob_id, uint64_t offset, uint64_t value);
void rig_engine_complete(struct rig *rig, uint32_t slot);

uint64_t rig_charged(const struct rig *rig);
uint64_t rig_blocks(const struct rig *rig);	/* bytes of the aperture file that exist */
/* The aperture, as the guest has it mapped. */
uint8_t *rig_aperture_map(const struct rig *rig);
void rig_aperture_unmap(uint8_t *aperture);

#endif
