/* SPDX-License-Identifier: MIT */
/*
 * The connection to one vGPU that all contexts of a process on it share: transport, ring, memory, object ids.
 *
 * It stays open until the process ends, so that making a context costs nothing the second time; when it is lost,
 * its objects answer errors, and the next context opens another one.
 */
#ifndef VGPU_SHIM_OPENCL_SESSION_H
#define VGPU_SHIM_OPENCL_SESSION_H

#include "shim/memory.h"
#include "shim/opencl/entry_points.h"
#include "shim/ring.h"

struct hook;

enum id_kind { ID_BUFFER, ID_PROGRAM, ID_KERNEL, ID_SAMPLER, ID_KIND_COUNT };

struct session {
	uint32_t references;	/* atomic */
	struct transport *transport;
	struct ring *ring;
	struct memory *memory;
	bool unified;		/* buffers lie in the aperture */

	pthread_mutex_t id_lock;
	uint64_t *ids[ID_KIND_COUNT];	/* bitmaps, set = taken */
	uint32_t id_next[ID_KIND_COUNT];
	bool queue_taken[WIRE_QUEUE_COUNT];
	struct ring_completion queue_end[WIRE_QUEUE_COUNT];	/* an id is used again when its queue has drained */
	uint32_t queue_next;

	struct partition_made *partitions;	/* those the engine has; guarded by id_lock (sub_device.c) */
	uint64_t sub_devices_taken[WIRE_SUB_DEVICE_COUNT / 64];

	/* How long one NDRange of a kernel took lately, by kernel id; a guess that only decides whether a wait spins. */
#define SESSION_PACES 1024u
	uint64_t pace_ns[SESSION_PACES];	/* atomic */

	pthread_mutex_t hook_lock;	/* guards hooks */
	pthread_cond_t hook_ran;
	struct hook *hooks;
	uint32_t hook_count;		/* atomic */

	pthread_mutex_t held_lock;	/* guards the queues' held commands */
	pthread_cond_t held_moved;
	struct _cl_command_queue *held_queues;
	uint32_t held_count;		/* atomic */

	pthread_mutex_t output_lock;	/* held while output_seen is being caught up with */
	uint64_t output_seen;		/* atomic; the engine page's output_bytes up to which text was written (output.h) */

	pthread_mutex_t pool_lock;	/* guards pool */
	struct _cl_event *pool;
	uint32_t pool_count;
};

/* Unified devices are to be treated as ones with memory of their own: VGPU_FORCE_STAGING=1, for tests. */
bool session_staging_forced(void);

struct _cl_device_id;
struct partition;
/* sub_device.c: forgets what the session knows of it, and has the engine end it. */
void session_partition_end(struct session *session, const struct partition *partition);
void session_partitions_free(struct session *session);
/* A reference to the device's session, opened if there is none or it was lost. CL_SUCCESS or the API's error. */
cl_int session_get(struct _cl_device_id *device, struct session **ret_session);
void session_release(struct session *session);
/* What the host can beyond version 1: all of these WIRE_CAPS_*. */
static inline bool capset_has(const struct wire_capset *capset, uint32_t flags)
{
	return capset->version_max >= 2 && (capset->flags & flags) == flags;
}
static inline bool session_has(const struct session *session, uint32_t flags)
{
	return capset_has(session->transport->capset, flags);
}
static inline bool session_lost(const struct session *session) { return ring_is_lost(session->ring); }

/* 0: none left. */
uint32_t session_id_take(struct session *session, enum id_kind kind);
void session_id_return(struct session *session, enum id_kind kind, uint32_t id);
uint32_t session_queue_take(struct session *session);
/* Writes the QUEUE_DESTROY; the id comes back when the engine has answered it. */
void session_queue_return(struct session *session, uint32_t id);
/* Writes a DESTROY nobody waits for, and returns the id. */
void session_object_destroy(struct session *session, enum wire_opcode opcode, enum id_kind kind, uint32_t id);
/* In the child of a fork. */
void session_after_fork(struct session *session);
#endif
