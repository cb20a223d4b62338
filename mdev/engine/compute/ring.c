/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. The thread takes records while there are any. Object records act at once; before the first
 * queue record it takes the lease, and between records it gives the lease back when it must, drained. How
 * much is put on the device before its end is seen is bounded in time (WINDOW_NS, by what a record cost
 * lately), because what is on the device cannot be revoked.
 *
 * When the ring is empty the batch ends. With work outstanding it sleeps at once; with none it polls for
 * spin_ns (on a parent that is the CPU only while nobody else wants it, or while it has a lease that can be taken from it at any
 * instant), gives the lease back and sleeps. While it sleeps (`asleep`) the lease holder belongs to whoever publishes the last
 * completion: that thread gives the lease back (ring_idle). `gate` hands the holder over: the ring thread
 * uses it only while asleep is false, the other only while it is true and gate is held.
 *
 * A guest that enqueues, waits and enqueues again would find this thread asleep each time, as it slept while the device
 * worked, and pay for a doorbell. So it is learned (`soon`) whether the next record comes within a poll of the last
 * completion: then that completion wakes this thread, which is polling by the time the guest is awake itself.
 */
#include "mdev/engine/compute/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mdev/engine/compute/bell.h"
#include "mdev/engine/compute/build_client.h"
#include "mdev/engine/compute/complete.h"
#include "mdev/engine/compute/execute.h"
#include "mdev/engine/compute/image.h"
#include "mdev/log/log.h"

#define STACK_BYTES (64ul << 20)
#define WINDOW_NS 4000000u	/* work on the device at a time; a time slice */
#define BATCH_MAX 64u
#define BATCH_NS 20000u		/* synchronous: a completion waits no longer than this for company */
#define OUTSTANDING_MAX 512u
#define LEASE_LOOK_MS 50	/* waiting for the lease, dying blobs are looked at this often */
#define SOON_MAX 4u		/* the count at which one long pause is forgiven */
#define SOON_LIKELY 2u
#define SOON_FACTOR 4u		/* what is likely to come is polled for so much longer: a waker and a cold sleeper lie between */

struct ring {
	struct ring_settings settings;
	struct complete complete;
	struct objects objects;
	struct compiler *compiler;
	struct executor executor;
	struct pieces pieces;
	struct parse_limits limits;
	struct lease_holder lease;
	struct bell bell;
	struct output output;
	struct wire_shim_page *shim_page;
	struct wire_engine_page *engine_page;
	const uint8_t *records;
	uint32_t head;
	uint64_t sequence;	/* of the last record taken */
	uint32_t batch_count;
	uint64_t batch_since_ns;
	bool spin_allowed;
	bool lease_used;	/* something was started under the lease */
	bool acting;		/* on a queue record, which is not among the outstanding ones yet */
	uint64_t next_kernel_id;	/* what would run first, 0 = not known */
	bool joined;		/* the thread has ended; main thread only */
	_Atomic bool kicked;
	_Atomic bool stopping;
	_Atomic bool asleep;
	_Atomic uint64_t drained_ns;	/* when the device had done all it was given; 0 while it works, or when nobody asks */
	_Atomic uint32_t soon;		/* 0..SOON_MAX: the next record after that came in time for a poll, lately */
	pthread_mutex_t gate;
	pthread_t thread;
	uint64_t record[WIRE_RECORD_MAX_BYTES / 8];	/* the private copy */
	struct parsed parsed;
};

/* ---- lease ------------------------------------------------------------------------------------- */

static bool is_alone(const struct ring *ring)
{
	uint64_t word = atomic_load_explicit(&ring->settings.grant->word, memory_order_acquire);

	return (word & LEASE_GRANTED) && !(word & (LEASE_CONTENDED | LEASE_REVOKE));
}

/* complete_idle_fn: on whatever thread published the last completion. */
static void ring_idle(void *data)
{
	struct ring *ring = data;
	bool stay = false;

	if (!atomic_load(&ring->asleep))
		return;
	pthread_mutex_lock(&ring->gate);
	if (atomic_load(&ring->asleep) && !atomic_load(&ring->complete.outstanding)) {
		stay = ring->spin_allowed && atomic_load(&ring->soon) >= SOON_LIKELY && lease_may_stay(&ring->lease);
		if (ring->lease.held && !stay)
			lease_release(&ring->lease, false);
		atomic_store(&ring->drained_ns, clock_now_ns());
	}
	pthread_mutex_unlock(&ring->gate);
	if (stay)	/* with the gate open: it is the first thing that who is woken takes */
		bell_ring(&ring->bell);
}

/* The first record after the device was drained was there in time for a poll, or not. */
static void learn(struct ring *ring, bool in_time)
{
	uint32_t soon = atomic_load(&ring->soon);

	if (!atomic_exchange(&ring->drained_ns, 0))
		return;
	if (in_time)
		soon = soon < SOON_MAX ? soon + 1 : soon;
	else
		soon = soon < SOON_LIKELY ? 0 : soon - SOON_LIKELY;
	atomic_store(&ring->soon, soon);
}

static void attend_to_kick(struct ring *ring)
{
	/* A buffer dropped now would be let go of before a record that is being launched in pieces is done with it. */
	if (ring->acting)
		return;
	if (atomic_exchange(&ring->kicked, false) && blobs_any_dying(ring->settings.blobs)) {
		execute_drop_dying(&ring->executor, ring->sequence);
		complete_batch_end(&ring->complete);
	}
}

/* False: the engine is to stop. */
static bool take_lease(struct ring *ring)
{
	if (ring->lease.held)
		return true;
	complete_batch_end(&ring->complete);	/* what has been answered is seen before this sleeps */
	if (!atomic_load(&ring->complete.outstanding))
		atomic_store_explicit(&ring->settings.status->kernel_id, ring->next_kernel_id, memory_order_relaxed);
	while (lease_take(&ring->lease, LEASE_LOOK_MS)) {
		attend_to_kick(ring);
		if (atomic_load(&ring->stopping))
			return false;
	}
	ring->lease_used = false;
	return true;
}

/*
 * pieces.may_start: the tail gate. What is expected to be longer than the rest of a contended lease is not started, unless it
 * is the lease's first: that would never run. A lease that ends by a freeze needs none of this.
 */
static bool may_start(void *data, uint64_t expected_ns)
{
	const struct ring *ring = data;
	uint64_t now_ns = clock_now_ns();
	uint64_t word = atomic_load_explicit(&ring->settings.grant->word, memory_order_acquire);

	if (lease_must_stop(&ring->lease, now_ns) || atomic_load_explicit(&ring->stopping, memory_order_relaxed))
		return false;
	if (!ring->lease_used || !(word & LEASE_CONTENDED) || word & LEASE_FREEZES)
		return true;
	uint64_t deadline_ns = atomic_load_explicit(&ring->settings.grant->deadline_ns, memory_order_relaxed);
	return !deadline_ns || (now_ns < deadline_ns && expected_ns <= deadline_ns - now_ns);
}

/* pieces.yield, and between records: gives the lease back, drained, and takes another. False: the engine is to stop. */
static bool yield(void *data)
{
	struct ring *ring = data;

	complete_drain(&ring->complete);
	complete_rest(&ring->complete);
	atomic_store_explicit(&ring->settings.status->kernel_id, ring->next_kernel_id, memory_order_relaxed);
	if (atomic_load(&ring->stopping))
		return false;
	lease_pass(&ring->lease);
	if (!take_lease(ring))
		return false;
	ring->lease_used = true;	/* by what this was called for */
	return true;
}

/* Before a record: obeys a revocation, and the tail gate. */
static bool obey_lease(struct ring *ring, const struct kernel *kernel)
{
	uint64_t expected_ns = 0;

	if (!(atomic_load_explicit(&ring->settings.grant->word, memory_order_relaxed) & LEASE_CONTENDED) || !kernel)
		return !lease_must_stop(&ring->lease, clock_now_ns()) || yield(ring);
	if (ring->lease_used)
		expected_ns = pieces_expect(&ring->pieces, kernel) +
			      atomic_load(&ring->complete.outstanding) *
				      atomic_load_explicit(&ring->complete.cost_ns, memory_order_relaxed);
	return may_start(ring, expected_ns) || yield(ring);
}

/* ---- taking records ------------------------------------------------------------------------------ */

enum taken {
	TAKEN_RECORD,
	TAKEN_NOTHING,
	TAKEN_DAMAGE,
};

static void publish_head(struct ring *ring, uint32_t bytes)
{
	ring->head += bytes;
	__atomic_store_n(&ring->engine_page->head, ring->head, __ATOMIC_RELEASE);	/* pairs with the shim's acquire */
}

/* Copies the next record, whole, into ring->record. NOPs are passed over. */
static enum taken take_record(struct ring *ring, uint32_t *ret_bytes)
{
	struct wire_header *header = (struct wire_header *)(void *)ring->record;

	for (;;) {
		uint32_t tail = __atomic_load_n(&ring->shim_page->tail, __ATOMIC_ACQUIRE);	/* pairs with the shim's release */
		uint32_t available = tail - ring->head;
		uint32_t position = ring->head & (WIRE_RING_BYTES - 1);
		uint32_t room = WIRE_RING_BYTES - position;

		if (!available)
			return TAKEN_NOTHING;
		if (available > WIRE_RING_BYTES || (available & 7))
			return TAKEN_DAMAGE;
		if (room < sizeof(*header)) {	/* 8 bytes at the end hold no header: both sides pass over them */
			if (available < room)
				return TAKEN_DAMAGE;
			publish_head(ring, room);
			continue;
		}
		if (available < sizeof(*header))
			return TAKEN_DAMAGE;
		memcpy(header, ring->records + position, sizeof(*header));
		uint32_t bytes = header->bytes;
		if (bytes < sizeof(*header) || (bytes & 7) || bytes > available || bytes > room)
			return TAKEN_DAMAGE;
		if (header->opcode == WIRE_NOP) {	/* nothing of it is copied, so it may fill any rest of the ring */
			publish_head(ring, bytes);
			continue;
		}
		if (bytes > WIRE_RECORD_MAX_BYTES || header->sequence != ring->sequence + 1)
			return TAKEN_DAMAGE;
		memcpy(header + 1, ring->records + position + sizeof(*header), bytes - sizeof(*header));
		publish_head(ring, bytes);
		ring->sequence++;
		*ret_bytes = bytes;
		return TAKEN_RECORD;
	}
}

/* How many records may be on the device at once. */
static uint32_t window(const struct ring *ring)
{
	uint64_t cost_ns = atomic_load_explicit(&ring->complete.cost_ns, memory_order_relaxed);
	uint64_t count = cost_ns ? WINDOW_NS / cost_ns : OUTSTANDING_MAX;

	return count < 2 ? 2 : count > OUTSTANDING_MAX ? OUTSTANDING_MAX : (uint32_t)count;
}

/* After a queue record: ends the batch when it is long enough, and waits while too much is outstanding. */
static void pace(struct ring *ring)
{
	if (!ring->batch_count++)
		ring->batch_since_ns = clock_now_ns();
	if (complete_is_synchronous(&ring->complete)) {
		if (ring->batch_count < BATCH_MAX && clock_now_ns() - ring->batch_since_ns < BATCH_NS)
			return;
		complete_batch_end(&ring->complete);
		ring->batch_count = 0;
		return;
	}
	uint32_t limit = window(ring);
	uint32_t batch = limit / 4 < 1 ? 1 : limit / 4 > BATCH_MAX ? BATCH_MAX : limit / 4;
	if (ring->batch_count >= batch) {
		complete_batch_end(&ring->complete);
		ring->batch_count = 0;
	}
	if (atomic_load(&ring->complete.outstanding) >= limit) {
		complete_wait_below(&ring->complete, limit - (limit + 3) / 4);
		ring->batch_count = 0;
	}
}

/* False: the engine is to stop. */
static bool act(struct ring *ring, uint32_t bytes)
{
	uint64_t taken_ns = device_now_ns(ring->settings.device);
	int error = parse_record(ring->record, bytes, &ring->limits, &ring->parsed);

	if (ring->parsed.queue) {
		const struct kernel *kernel = error ? NULL : execute_kernel_of(&ring->executor, &ring->parsed);
		ring->next_kernel_id = kernel ? kernel->name_hash : 0;
		if (!take_lease(ring) || !obey_lease(ring, kernel))
			return false;
		if (!atomic_load(&ring->complete.outstanding))
			atomic_store_explicit(&ring->settings.status->kernel_id, ring->next_kernel_id, memory_order_relaxed);
		ring->lease_used = true;
		ring->acting = true;
	}
	if (ring->parsed.opcode == WIRE_PROGRAM_BUILD)
		complete_batch_end(&ring->complete);	/* earlier completions do not wait for a compiler */
	execute_record(&ring->executor, &ring->parsed, error, taken_ns);
	ring->acting = false;
	__atomic_store_n(&ring->engine_page->processed, ring->sequence, __ATOMIC_RELEASE);
	if (ring->parsed.queue)
		pace(ring);
	return true;
}

/* ---- idling and sleeping --------------------------------------------------------------------------- */

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* True if there is something to do. seq_cst: the second look of "Sleep of the engine" in wire.h. */
static bool must_look(struct ring *ring)
{
	return __atomic_load_n(&ring->shim_page->tail, __ATOMIC_SEQ_CST) != ring->head || atomic_load(&ring->kicked) ||
	       atomic_load(&ring->stopping);
}

static bool spin(struct ring *ring)
{
	uint64_t spin_ns = (uint64_t)ring->settings.spin_ns * (atomic_load(&ring->soon) >= SOON_LIKELY ? SOON_FACTOR : 1);
	uint64_t until_ns = clock_now_ns() + spin_ns;

	if (!ring->spin_allowed)
		return false;
	do {
		for (unsigned i = 0; i < 32; i++) {
			if (must_look(ring)) {
				learn(ring, true);
				return true;
			}
			cpu_relax();
		}
		if (ring->settings.device->on_cpu && !lease_may_stay(&ring->lease))
			return false;
	} while (clock_now_ns() < until_ns);
	learn(ring, false);
	return false;
}

static void sleep_until_bell(struct ring *ring)
{
	struct bell_look look = bell_look(&ring->bell);

	pthread_mutex_lock(&ring->gate);
	bool working = atomic_load(&ring->complete.outstanding);
	if (ring->lease.held && !working)
		lease_release(&ring->lease, false);
	atomic_store(&ring->asleep, true);
	pthread_mutex_unlock(&ring->gate);
	if (working)
		ring_idle(ring);	/* the last completion may have come between the look and the store */

	__atomic_store_n(&ring->engine_page->engine_state, WIRE_ENGINE_SLEEPING, __ATOMIC_SEQ_CST);
	if (!must_look(ring))
		bell_sleep(&ring->bell, &look);
	__atomic_store_n(&ring->engine_page->engine_state, WIRE_ENGINE_AWAKE, __ATOMIC_SEQ_CST);
	uint64_t drained_ns = atomic_load(&ring->drained_ns);
	if (drained_ns && must_look(ring))
		learn(ring, clock_now_ns() - drained_ns < SOON_FACTOR * (uint64_t)ring->settings.spin_ns);

	pthread_mutex_lock(&ring->gate);
	atomic_store(&ring->asleep, false);
	pthread_mutex_unlock(&ring->gate);
}

static void idle(struct ring *ring)
{
	complete_batch_end(&ring->complete);
	ring->batch_count = 0;
	attend_to_kick(ring);
	complete_reap(&ring->complete);
	if (!atomic_load(&ring->complete.outstanding)) {
		bool expects = atomic_load(&ring->soon) >= SOON_LIKELY && lease_may_stay(&ring->lease);
		if (ring->lease.held && !expects && !is_alone(ring))
			lease_release(&ring->lease, false);
		if (spin(ring))
			return;
		if (ring->lease.held && !is_alone(ring))
			lease_release(&ring->lease, false);
	}
	if (!must_look(ring))
		sleep_until_bell(ring);
}

static void serve(struct ring *ring)
{
	uint32_t bytes = 0;

	while (!atomic_load_explicit(&ring->stopping, memory_order_relaxed)) {
		if (atomic_load_explicit(&ring->kicked, memory_order_relaxed))
			attend_to_kick(ring);
		switch (take_record(ring, &bytes)) {
		case TAKEN_RECORD:
			if (!act(ring, bytes))
				return;
			break;
		case TAKEN_NOTHING:
			idle(ring);
			break;
		case TAKEN_DAMAGE:
			log_warning("the ring is damaged after record %llu: a length, sequence or tail that cannot be",
				    (unsigned long long)ring->sequence);
			complete_batch_end(&ring->complete);
			ring->settings.fault(ring->settings.data, WIRE_LOST_PROTOCOL);
			return;
		}
	}
}

static void *ring_main(void *data)
{
	struct ring *ring = data;

	serve(ring);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------- */

static uint64_t limits_blob_bytes(void *data, uint64_t blob_id)
{
	const struct ring *ring = data;
	uint64_t bytes = blobs_bytes(ring->settings.blobs, blob_id);

	if (bytes)
		return bytes;
	/* The guest learns that its blob is mapped when the MAP has been sent to us, not when we have acted on it. */
	ring->settings.catch_up(ring->settings.data);
	return blobs_bytes(ring->settings.blobs, blob_id);
}

static int start_thread(struct ring *ring)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	int r = pthread_create(&ring->thread, &attributes, ring_main, ring);
	pthread_attr_destroy(&attributes);
	return -r;
}

int ring_start(const struct ring_settings *settings, struct ring **ret_ring, char why[256])
{
	struct ring *ring = calloc(1, sizeof(*ring));
	uint8_t *base = settings->ring_blob;
	int r = -ENOMEM;

	if (!ring) {
		snprintf(why, 256, "out of memory");
		return r;
	}
	ring->settings = *settings;
	ring->shim_page = (struct wire_shim_page *)(void *)(base + WIRE_OFFSET_SHIM_PAGE);
	ring->engine_page = (struct wire_engine_page *)(void *)(base + WIRE_OFFSET_ENGINE_PAGE);
	ring->records = base + WIRE_OFFSET_RING;
	ring->spin_allowed = settings->spin_ns && sysconf(_SC_NPROCESSORS_ONLN) > 1;
	bool by_futex = __atomic_load_n(&ring->shim_page->bell_by, __ATOMIC_RELAXED) == WIRE_BELL_FUTEX && bell_can_futex();
	bell_init(&ring->bell, settings->doorbell_fd, by_futex ? &ring->engine_page->bell : NULL);
	pthread_mutex_init(&ring->gate, NULL);
	r = lease_holder_init(&ring->lease, settings->grant, settings->status, settings->want_fd);
	if (r) {
		snprintf(why, 256, "the lease page is of another version than this engine speaks (%u)", LEASE_VERSION);
		goto free_ring;
	}
	r = objects_init(&ring->objects);
	if (!r) {
		ring->compiler = compiler_create(settings->device, settings->compiler_fd);
		r = ring->compiler ? 0 : -ENOMEM;
	}
	if (!r)
		r = complete_init(&ring->complete, settings->device, settings->blobs, base, settings->completion_fd,
				  settings->grant, settings->status, settings->strategy, ring_idle, ring);
	if (r) {
		snprintf(why, 256, "completions by '%s' cannot be set up: %s", settings->strategy ? settings->strategy : "trial",
			 strerror(-r));
		goto free_ring;
	}
	ring->limits = (struct parse_limits){
		.mem_align_bytes = settings->device->mem_align_bytes,
		.max_alloc_bytes = settings->max_alloc_bytes,
		.unified = settings->unified,
		.images = image_limits(settings->device),
		.svm = settings->svm,
		.blob_bytes = limits_blob_bytes,
		.data = ring,
	};
	output_init(&ring->output);
	if (settings->version >= 2)	/* an older shim never fetches it */
		ring->complete.output = &ring->output;
	pieces_init(&ring->pieces, settings->device, &ring->complete, settings->grant, settings->status, settings->preempt);
	ring->pieces.may_start = may_start;
	ring->pieces.yield = yield;
	ring->pieces.data = ring;
	ring->executor = (struct executor){
		.device = settings->device,
		.complete = &ring->complete,
		.blobs = settings->blobs,
		.objects = &ring->objects,
		.compiler = ring->compiler,
		.pieces = &ring->pieces,
		.charge = settings->charge,
		.data = settings->data,
	};
	log_info("serving on '%s', completions: %s", settings->device->name, complete_strategy_name(&ring->complete));
	ring->engine_page->version = WIRE_VERSION;
	ring->engine_page->features = WIRE_FEATURE_FUTEX | (ring->bell.shared ? WIRE_FEATURE_BELL : 0);
	__atomic_store_n(&ring->engine_page->engine_state, WIRE_ENGINE_AWAKE, __ATOMIC_SEQ_CST);
	r = start_thread(ring);
	if (r) {
		snprintf(why, 256, "the ring's thread cannot be started: %s", strerror(-r));
		goto free_ring;
	}
	*ret_ring = ring;
	return 0;

free_ring:
	free(ring);
	return r;
}

void ring_kick(struct ring *ring)
{
	atomic_store(&ring->kicked, true);
	bell_ring(&ring->bell);
}

bool ring_stop(struct ring *ring, uint32_t timeout_ms)
{
	struct timespec until;

	atomic_store(&ring->stopping, true);
	ring_kick(ring);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (!ring->joined && pthread_clockjoin_np(ring->thread, NULL, CLOCK_MONOTONIC, &until))
		return false;
	ring->joined = true;
	if (atomic_load(&ring->complete.outstanding) || !compiler_destroy(ring->compiler))
		return false;
	if (ring->lease.held)
		lease_release(&ring->lease, false);
	complete_batch_end(&ring->complete);
	objects_finish(&ring->objects, ring->settings.blobs);
	complete_finish(&ring->complete);
	output_finish(&ring->output);
	pthread_mutex_destroy(&ring->gate);
	free(ring);
	return true;
}
