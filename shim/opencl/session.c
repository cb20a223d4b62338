/* SPDX-License-Identifier: MIT */
/*
 * Opens, shares and ends sessions; owns their object ids.
 */
#include "shim/opencl/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shim/opencl/event.h"
#include "shim/opencl/object.h"

static void session_destroy(struct session *session)
{
	session_partitions_free(session);
	ring_waits_stop(session->ring);	/* it may be reaping memory */
	events_drop_pool(session);
	memory_destroy(session->memory);
	ring_destroy(session->ring);
	session->transport->ops->close(session->transport);
	for (int kind = 0; kind < ID_KIND_COUNT; kind++)
		free(session->ids[kind]);
	pthread_mutex_destroy(&session->id_lock);
	pthread_mutex_destroy(&session->hook_lock);
	pthread_mutex_destroy(&session->held_lock);
	pthread_mutex_destroy(&session->pool_lock);
	pthread_mutex_destroy(&session->output_lock);
	pthread_cond_destroy(&session->hook_ran);
	pthread_cond_destroy(&session->held_moved);
	free(session);
}

static void locks_init(struct session *session)
{
	pthread_mutex_init(&session->id_lock, NULL);
	pthread_mutex_init(&session->hook_lock, NULL);
	pthread_mutex_init(&session->held_lock, NULL);
	pthread_mutex_init(&session->pool_lock, NULL);
	pthread_mutex_init(&session->output_lock, NULL);
	pthread_cond_init(&session->hook_ran, NULL);
	pthread_cond_init(&session->held_moved, NULL);
}

bool session_staging_forced(void)
{
	const char *force = getenv("VGPU_FORCE_STAGING");

	return force && force[0] == '1' && force[1] == '\0';
}

static int session_open(struct _cl_device_id *device, struct session **ret_session)
{
	struct session *session = calloc(1, sizeof(*session));
	char why[256] = "";
	int r;

	if (!session)
		return -ENOMEM;
	locks_init(session);
	session->references = 1;
	session->queue_next = 1;
	for (int kind = 0; kind < ID_KIND_COUNT; kind++) {
		session->ids[kind] = calloc(WIRE_OBJECT_MAX / 64, sizeof(uint64_t));
		if (!session->ids[kind]) {
			r = -ENOMEM;
			goto free_session;
		}
		session->ids[kind][0] = 1;	/* 0 is no id */
	}
	r = transport_open(device->index, &session->transport, why);
	if (r < 0) {
		fprintf(stderr, "vgpu-opencl: cannot open '%s': %s\n", device->name, why);
		goto free_session;
	}
	session->unified = (session->transport->capset->flags & WIRE_CAPS_UNIFIED) && !session_staging_forced();
	r = ring_create(session->transport, &session->ring);
	if (r < 0)
		goto close_transport;
	r = memory_create(session->ring, &session->memory);
	if (r < 0)
		goto destroy_ring;
	*ret_session = session;
	return 0;

destroy_ring:
	ring_destroy(session->ring);
close_transport:
	session->transport->ops->close(session->transport);
free_session:
	for (int kind = 0; kind < ID_KIND_COUNT; kind++)
		free(session->ids[kind]);
	free(session);
	return r;
}

cl_int session_get(struct _cl_device_id *device, struct session **ret_session)
{
	struct session *lost = NULL;
	int r = 0;

	pthread_mutex_lock(&device->lock);
	if (device->session && session_lost(device->session)) {
		lost = device->session;
		device->session = NULL;
	}
	if (!device->session)
		r = session_open(device, &device->session);
	if (r == 0) {
		__atomic_fetch_add(&device->session->references, 1, __ATOMIC_RELAXED);
		*ret_session = device->session;
	}
	pthread_mutex_unlock(&device->lock);
	if (lost)
		session_release(lost);
	return r == 0 ? CL_SUCCESS : r == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_DEVICE_NOT_AVAILABLE;
}

static void *destroyer_main(void *session)
{
	session_destroy(session);
	return NULL;
}

void session_release(struct session *session)
{
	pthread_t destroyer;

	if (__atomic_fetch_sub(&session->references, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	if (!ring_on_waiter_thread(session->ring)) {
		session_destroy(session);
		return;
	}
	/* A callback let go of the last object of a lost session: another thread joins this one. If none can be had,
	 * the session stays: it is lost, and the process ends it. */
	if (pthread_create(&destroyer, NULL, destroyer_main, session) == 0)
		pthread_detach(destroyer);
}

void session_after_fork(struct session *session)
{
	locks_init(session);
	ring_after_fork(session->ring);
	memory_after_fork(session->memory);
}

/* ---- ids --------------------------------------------------------------------------------------- */

uint32_t session_id_take(struct session *session, enum id_kind kind)
{
	const uint32_t words = WIRE_OBJECT_MAX / 64;
	uint32_t id = 0;

	pthread_mutex_lock(&session->id_lock);
	for (uint32_t i = 0; i < words && !id; i++) {
		uint32_t word = (session->id_next[kind] + i) % words;
		uint64_t bits = session->ids[kind][word];

		if (bits == UINT64_MAX)
			continue;
		id = word * 64 + (uint32_t)__builtin_ctzll(~bits);
		session->ids[kind][word] |= 1ull << (id % 64);
		session->id_next[kind] = word;
	}
	pthread_mutex_unlock(&session->id_lock);
	return id;
}

void session_id_return(struct session *session, enum id_kind kind, uint32_t id)
{
	pthread_mutex_lock(&session->id_lock);
	session->ids[kind][id / 64] &= ~(1ull << (id % 64));
	pthread_mutex_unlock(&session->id_lock);
}

uint32_t session_queue_take(struct session *session)
{
	uint32_t id = 0;

	pthread_mutex_lock(&session->id_lock);
	for (uint32_t i = 0; i < WIRE_QUEUE_COUNT && !id; i++) {
		uint32_t candidate = (session->queue_next + i) % WIRE_QUEUE_COUNT;

		if (candidate == 0 || session->queue_taken[candidate])
			continue;
		if (session->queue_end[candidate].sequence && !ring_poll(session->ring, &session->queue_end[candidate]))
			continue;
		id = candidate;
		session->queue_taken[id] = true;
		session->queue_next = id + 1;
	}
	pthread_mutex_unlock(&session->id_lock);
	return id;
}

void session_queue_return(struct session *session, uint32_t id)
{
	struct wire_destroy *record = ring_begin(session->ring, WIRE_QUEUE_DESTROY, sizeof(*record),
						 &session->queue_end[id]);

	if (record) {
		record->id = id;
		ring_commit(session->ring);
	}
	pthread_mutex_lock(&session->id_lock);
	session->queue_taken[id] = false;
	pthread_mutex_unlock(&session->id_lock);
}

void session_object_destroy(struct session *session, enum wire_opcode opcode, enum id_kind kind, uint32_t id)
{
	struct wire_destroy *record = ring_begin(session->ring, opcode, sizeof(*record), NULL);

	if (record) {
		record->id = id;
		ring_commit(session->ring);
	}
	session_id_return(session, kind, id);
}
