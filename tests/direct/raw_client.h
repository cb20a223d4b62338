/* SPDX-License-Identifier: MIT */
/*
 * A vfio-user client and virtio-gpu driver by hand, for tests: says anything, valid or broken.
 *
 * Three depths. raw_socket_*: bytes and descriptors on a socket. raw_client_*: a device brought up as far as wanted, then
 * arbitrary descriptors, chains and commands, over memory that is not sealed and may be truncated. raw_ring_*: a
 * context's ring, with arbitrary bytes in it. Not for use from several threads. 0 or -errno; nothing here asserts.
 */
#ifndef VGPU_TESTS_DIRECT_RAW_CLIENT_H
#define VGPU_TESTS_DIRECT_RAW_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/transport/direct/virtio.h"
#include "shim/wire/wire.h"

#define RAW_TIMEOUT_MS 10000u

/* ---- a socket ------------------------------------------------------------------------------------- */

/* A connected socket, or -errno. */
int raw_socket_connect(const char *path);
/* Sends bytes as they are, with descriptors; does not block. Bytes sent, or -errno. */
long raw_socket_send(int socket, const void *bytes, size_t count, const int *fds, unsigned fd_count);
/* Receives at most count bytes within timeout_ms; descriptors that come are closed. Bytes, 0 at the end, or -errno
 * (-ETIMEDOUT). */
long raw_socket_receive(int socket, void *buffer, size_t count, int timeout_ms);

/* ---- a device ------------------------------------------------------------------------------------- */

#define RAW_BUS_ADDRESS 0x40000000ull
#define RAW_MEMORY_BYTES (1u << 20)
#define RAW_QUEUE_SIZE 256u
#define RAW_OFFSET_DESCRIPTORS 0u	/* in memory; the queue is in the first 64 KiB */
#define RAW_OFFSET_AVAILABLE 0x4000u
#define RAW_OFFSET_USED 0x8000u
#define RAW_OFFSET_OUT 0x10000u		/* commands of raw_client_command */
#define RAW_OFFSET_IN 0x80000u		/* their responses */
#define RAW_OFFSET_FREE 0xa0000u	/* the test's own */

/* How far a device is brought up. */
enum raw_stage {
	RAW_CONNECTED = 1,	/* VERSION is agreed on */
	RAW_DESCRIBED,		/* layout, aperture and interrupts */
	RAW_MEMORY_SHOWN,	/* DMA_MAP */
	RAW_FEATURES,		/* FEATURES_OK */
	RAW_QUEUE,		/* control queue enabled */
	RAW_RUNNING,		/* DRIVER_OK */
};

struct raw_client {
	struct vfio_user_client *client;
	struct virtio_device device;
	enum raw_stage stage;
	int irq;			/* eventfd of all vectors */
	int memory_fd;			/* not sealed */
	uint8_t *memory;
	int aperture_fd;
	uint8_t *aperture;		/* all that may be mapped */
	uint64_t aperture_bytes;
	uint64_t notify;
	uint16_t available_index;
	uint16_t used_index;
	uint16_t next_descriptor;
};

struct raw_descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};

int raw_client_open(const char *path, enum raw_stage stage, struct raw_client **ret_raw);
/* Goes on to a later stage. */
int raw_client_advance(struct raw_client *raw, enum raw_stage stage);
void raw_client_close(struct raw_client *raw);

/* Writes `count` descriptors into the ring from index `first` on, as they are. */
void raw_client_descriptors(struct raw_client *raw, uint16_t first, const struct raw_descriptor *descriptors, unsigned count);
/* Makes a head available, whatever it is; raw_client_kick tells the device. */
void raw_client_available(struct raw_client *raw, uint16_t head);
/* Sets the available index as such. */
void raw_client_available_index(struct raw_client *raw, uint16_t index);
int raw_client_kick(struct raw_client *raw);
/* The next used element. -ETIMEDOUT, -ENODEV. */
int raw_client_used(struct raw_client *raw, int timeout_ms, uint32_t *ret_head, uint32_t *ret_bytes);

/* Any bytes as one well-formed control-queue element; waits for its response. *ret_bytes: written by the device. */
int raw_client_command(struct raw_client *raw, const void *out, uint32_t out_bytes, void *in, uint32_t in_bytes, uint32_t *ret_bytes);
/* The same, not waiting; the responses go to RAW_OFFSET_IN. */
int raw_client_post(struct raw_client *raw, const void *out, uint32_t out_bytes, uint32_t in_bytes);

/* Proper commands. They return the virtio-gpu response type (0x1100...), or -errno. */
int raw_gpu_context_create(struct raw_client *raw, uint32_t context);
int raw_gpu_context_destroy(struct raw_client *raw, uint32_t context);
int raw_gpu_blob_create(struct raw_client *raw, uint32_t context, uint32_t resource, uint64_t blob_id, uint64_t bytes);
int raw_gpu_map(struct raw_client *raw, uint32_t resource, uint64_t offset);
int raw_gpu_unmap(struct raw_client *raw, uint32_t resource);
int raw_gpu_attach(struct raw_client *raw, uint32_t context, uint32_t resource);
int raw_gpu_unref(struct raw_client *raw, uint32_t resource);
int raw_gpu_submit(struct raw_client *raw, uint32_t context, const struct wire_submit *submit);

/* Changes the length of the memory the device was shown. Below RAW_MEMORY_BYTES the memory beyond must not be touched. */
int raw_client_truncate(struct raw_client *raw, size_t bytes);

/* ---- a ring --------------------------------------------------------------------------------------- */

/* The ring blob of a context, wherever it is mapped. */
struct raw_ring {
	uint8_t *base;
	uint32_t tail;
	uint64_t sequence;	/* of the last record */
};

struct wire_shim_page *raw_ring_shim_page(const struct raw_ring *ring);
struct wire_engine_page *raw_ring_engine_page(const struct raw_ring *ring);
struct wire_slot *raw_ring_slot(const struct raw_ring *ring, uint32_t slot);
/* Appends bytes as they are (the caller's header and all; a multiple of 8) and publishes them. Wraps by a NOP. The caller leaves
 * no more than WIRE_RING_BYTES unread. */
void raw_ring_put(struct raw_ring *ring, const void *record, uint32_t bytes);
/* Gives the record the next sequence first. Returns it. */
uint64_t raw_ring_put_next(struct raw_ring *ring, void *record, uint32_t bytes);

#endif
