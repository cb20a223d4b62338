/* SPDX-License-Identifier: MIT */
/* Engines: start and loss, the channel, WAKE fences, UNREF held until an engine lets go or dies, charges, reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

#define MEMORY(id) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id)
#define RING WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)
#define LIMIT (32ull << 20)
#define AT (8ull << 20)
#define BYTES (1ull << 20)
#define OK VIRTIO_GPU_RESP_OK_NODATA
#define DEFERRED 0u

static int begin(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	rig_begin(rig, NULL, 0, LIMIT, 8);
	*state = rig;
	return 0;
}

static int end(void **state)
{
	rig_end(*state);
	free(*state);
	return 0;
}

static struct wire_engine_page engine_page(struct rig *rig, uint64_t ring_at)
{
	struct wire_engine_page page;

	assert_int_equal(pread(rig->wiring.aperture_fd, &page, sizeof(page), (off_t)(ring_at + WIRE_OFFSET_ENGINE_PAGE)),
			 sizeof(page));
	return page;
}

static bool is_zero(struct rig *rig, uint64_t offset, uint64_t bytes)
{
	uint8_t *buffer = malloc(bytes);
	bool zero = true;

	assert_int_equal(pread(rig->wiring.aperture_fd, buffer, bytes, (off_t)offset), bytes);
	for (uint64_t i = 0; i < bytes && zero; i++)
		zero = !buffer[i];
	free(buffer);
	return zero;
}

static void scribble(struct rig *rig, uint64_t offset, uint64_t bytes)
{
	uint8_t *aperture = rig_aperture_map(rig);

	memset(aperture + offset, 0xa5, bytes);
	rig_aperture_unmap(aperture);
}

static void expect(struct rig *rig, uint32_t slot, uint32_t op, uint64_t blob_id)
{
	struct engine_message message;

	assert_true(rig_engine_receive(rig, slot, &message));
	assert_int_equal(message.op, op);
	assert_true(message.blob_id == blob_id);
}

static void expect_nothing(struct rig *rig, uint32_t slot)
{
	struct engine_message message;

	assert_false(rig_engine_receive(rig, slot, &message));
}

static void setup_starts_the_engine_and_tells_it_all_blobs_then_the_ring(void **state)
{
	struct rig *rig = *state;
	uint32_t slot;

	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1, RING, WIRE_RING_BLOB_BYTES), OK);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, RING), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 2, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_blob_create(rig, 1, 3, MEMORY(3), BYTES), OK);	/* never mapped, never told */
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, MEMORY(2)),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig->keeper.starts, 0);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, RING), OK);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, RING), OK);	/* again: nothing more */
	assert_int_equal(rig->keeper.starts, 1);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	slot = rig_slot_of(rig, 1);
	rig_engine_start(rig, slot);
	expect(rig, slot, ENGINE_RESYNC, 0);
	expect(rig, slot, ENGINE_MAP, RING);
	expect(rig, slot, ENGINE_MAP, MEMORY(2));
	expect(rig, slot, ENGINE_RING, RING);
	expect_nothing(rig, slot);
	/* One made later is told before the guest has its answer. */
	assert_int_equal(rig_blob_create(rig, 1, 4, MEMORY(4), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 4, AT + BYTES), VIRTIO_GPU_RESP_OK_MAP_INFO);
	expect(rig, slot, ENGINE_MAP, MEMORY(4));
	expect_nothing(rig, slot);
}

static void another_contexts_blobs_are_not_told(void **state)
{
	struct rig *rig = *state;
	uint32_t one = rig_context_running(rig, 1, 0);
	uint32_t two = rig_context_running(rig, 2, 1 << 20);

	rig_engine_drain(rig, one);
	rig_engine_drain(rig, two);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	expect(rig, one, ENGINE_MAP, MEMORY(1));
	expect_nothing(rig, two);
	/* Nor does another engine's word let go of it. */
	assert_int_equal(rig_unmap(rig, 1), OK);
	assert_int_equal(rig_unref(rig, 5, 1), DEFERRED);
	rig_engine_send(rig, two, ENGINE_RELEASED, MEMORY(1), AT, 0);
	rig_run(rig, 0);
	assert_true(rig->control.outstanding[5]);
}

static void a_doorbell_reaches_the_engine_and_a_flood_harms_nobody(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);
	eventfd_t count = 0;

	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	assert_int_equal(eventfd_read(rig->keeper.engine[slot].doorbell, &count), 0);
	assert_int_equal(count, 100000);
	/* A hostile engine fills the counter: the device does not block. */
	assert_int_equal(eventfd_write(rig->keeper.engine[slot].doorbell, UINT64_MAX - 1), 0);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
}

/* Blob 1 of context 1 at AT, written, unmapped, its UNREF deferred on head 7. */
static uint32_t held_unref(struct rig *rig)
{
	uint32_t slot = rig_context_running(rig, 1, 0);

	rig_engine_drain(rig, slot);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	scribble(rig, AT, BYTES);
	expect(rig, slot, ENGINE_MAP, MEMORY(1));
	assert_int_equal(rig_unmap(rig, 1), OK);
	expect(rig, slot, ENGINE_UNMAP, MEMORY(1));
	assert_int_equal(rig_unref(rig, 7, 1), DEFERRED);
	expect_nothing(rig, slot);
	assert_int_equal(rig_charged(rig), BYTES);
	assert_false(is_zero(rig, AT, BYTES));
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 2, AT), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 2, AT - 4096), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 2, AT + BYTES - 4096), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	/* The id is taken but dead. */
	assert_int_equal(rig_map(rig, 0, 1, 2 * AT), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_unref(rig, 0, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(9), BYTES), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	return slot;
}

static void expect_freed(struct rig *rig)
{
	assert_false(rig->control.outstanding[7]);
	assert_int_equal(rig->control.completions[7], 1);
	rig_read_response(rig, 7);
	assert_int_equal(rig->response.type, OK);
	assert_int_equal(rig->response.written, sizeof(struct virtio_gpu_ctrl_hdr));
	assert_int_equal(rig_charged(rig), BYTES);	/* of blob 2 */
	assert_true(is_zero(rig, AT, BYTES));
	assert_int_equal(rig_map(rig, 0, 2, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

static void unref_waits_for_released(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = held_unref(rig);

	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT + 4096, 0);	/* not what was asked */
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(3), AT, 0);
	rig_engine_send(rig, slot, ENGINE_RELEASED, RING, 0, 0);		/* mapped: not to be let go */
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, 77);		/* another time's */
	rig_run(rig, 0);
	assert_true(rig->control.outstanding[7]);
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, 0);
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, 0);		/* a repetition */
	rig_run(rig, 0);
	expect_freed(rig);
}

/* Said twice because the device was replaced between: the second comes when the same range is to be let go anew. */
static void a_late_repetition_of_released_is_not_believed(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);
	struct engine_message unmap[3];

	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	for (unsigned i = 0; i < 3; i++) {
		if (i == 1)
			rig_take_over(rig);
		if (i == 2)
			assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
		if (i != 1)
			assert_int_equal(rig_unmap(rig, 1), OK);
		rig_run(rig, 0);
		do
			assert_true(rig_engine_receive(rig, slot, &unmap[i]));
		while (unmap[i].op != ENGINE_UNMAP);
		if (i == 1) {	/* the repetition is answered */
			rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, unmap[0].value);
			rig_run(rig, 0);
			rig_engine_drain(rig, slot);
		}
	}
	assert_true(unmap[0].value);
	assert_int_equal(unmap[1].value, unmap[0].value);
	assert_int_not_equal(unmap[2].value, unmap[0].value);
	assert_int_equal(rig_unref(rig, 7, 1), DEFERRED);
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, unmap[1].value);
	rig_run(rig, 0);
	assert_true(rig->control.outstanding[7]);
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, unmap[2].value);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[7], 1);
}

static void unref_waits_for_the_death_of_the_engine(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = held_unref(rig);

	rig_engine_die(rig, slot, SIGSEGV);
	expect_freed(rig);
	assert_int_equal(rig->keeper.strikes, 1);
}

static void unref_before_unmap_waits_too(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);

	rig_engine_drain(rig, slot);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	expect(rig, slot, ENGINE_MAP, MEMORY(1));
	assert_int_equal(rig_unref(rig, 7, 1), DEFERRED);
	expect(rig, slot, ENGINE_UNMAP, MEMORY(1));
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, 0);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[7], 1);
	assert_int_equal(rig_charged(rig), 0);
	/* One that was never mapped concerns no engine. */
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_unref(rig, 7, 1), OK);
}

static void destroying_the_context_holds_its_ranges_until_the_engine_is_dead(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);

	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 2, AT + BYTES), VIRTIO_GPU_RESP_OK_MAP_INFO);
	scribble(rig, AT, 2 * BYTES);
	assert_int_equal(rig_submit(rig, 9, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	assert_int_equal(rig_context_destroy(rig, 1), OK);
	assert_int_equal(rig->control.completions[9], 1);	/* nothing will come any more */
	assert_true(rig->keeper.kill_wanted[slot]);
	assert_int_equal(rig_unmap(rig, 1), OK);
	assert_int_equal(rig_unref(rig, 7, 1), DEFERRED);
	assert_int_equal(rig_unref(rig, 8, 1001), DEFERRED);	/* the ring */
	/* A word of the dying engine's is not believed. */
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, 0);
	rig_run(rig, 0);
	assert_true(rig->control.outstanding[7]);
	assert_false(is_zero(rig, AT, BYTES));
	/* The context's id is free, its slot is not. */
	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_not_equal(rig_slot_of(rig, 1), slot);
	scribble(rig, AT, BYTES);		/* the kernel that still runs */
	rig_engine_die(rig, slot, SIGKILL);
	assert_int_equal(rig->control.completions[7], 1);
	assert_int_equal(rig->control.completions[8], 1);
	assert_true(is_zero(rig, AT, BYTES));
	assert_int_equal(rig->keeper.strikes, 0);
	/* The other blob is the guest's still, until it gives it up. */
	assert_false(is_zero(rig, AT + BYTES, BYTES));
	assert_int_equal(rig_charged(rig), BYTES);
	assert_int_equal(rig_unref(rig, 7, 2), OK);
	assert_true(is_zero(rig, AT + BYTES, BYTES));
	assert_int_equal(rig_context_destroy(rig, 1), OK);
	assert_int_equal(rig_charged(rig), 0);
	assert_true(virtio_gpu_idle(rig->gpu));
	assert_int_equal(rig_blocks(rig), 0);
	assert_int_equal(rig->keeper.fd[0][slot], -1);
	assert_int_equal(rig->keeper.fd[2][slot], -1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void an_engine_that_answers_nothing_is_killed(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = held_unref(rig);
	uint64_t began_ms = now_ms();

	while (!rig->keeper.kill_wanted[slot] && now_ms() - began_ms < 5000)
		rig_run(rig, 50);
	assert_true(rig->keeper.kill_wanted[slot]);
	assert_in_range(now_ms() - began_ms, 1900, 2700);
	assert_true(rig->control.outstanding[7]);	/* asked to die is not dead */
	rig_engine_die(rig, slot, SIGKILL);
	expect_freed(rig);
	assert_int_equal(engine_page(rig, 0).engine_state, WIRE_ENGINE_LOST);
	assert_int_equal(engine_page(rig, 0).lost_reason, WIRE_LOST_HANG);
}

static void wake_answers_when_something_completed(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);
	uint32_t other = rig_context_running(rig, 2, 1 << 20);

	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	rig_run(rig, 0);
	assert_true(rig->control.outstanding[3]);
	rig_engine_complete(rig, other);
	rig_run(rig, 0);
	assert_true(rig->control.outstanding[3]);
	rig_engine_complete(rig, slot);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[3], 1);
	rig_read_response(rig, 3);
	assert_int_equal(rig->response.type, OK);
	assert_int_equal(rig->response.flags, VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	assert_true(rig->response.fence_id == 0x100000003ull);
	assert_int_equal(rig->response.context_id, 1);
	assert_int_equal(rig->response.ring_index, WIRE_FENCE_RING_WAKE);
	/* Each completion is an edge of its own. */
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	rig_engine_complete(rig, slot);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[3], 2);
	/* A newer one releases the older. */
	assert_int_equal(rig_submit(rig, 4, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	assert_int_equal(rig_submit(rig, 5, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	assert_false(rig->control.outstanding[4]);
	assert_true(rig->control.outstanding[5]);
	/* A head that is outstanding is not taken twice. */
	assert_int_equal(rig_submit(rig, 5, 1, WIRE_SUBMIT_WAKE, 0, 0), VIRTIO_GPU_RESP_ERR_UNSPEC);
}

static void a_completion_before_its_wake_is_not_lost(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);

	rig_engine_complete(rig, slot);
	rig_run(rig, 0);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), OK);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
}

static void wake_without_an_engine_answers_at_once(void **state)
{
	struct rig *rig = *state;
	uint32_t slot;

	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), OK);
	assert_int_equal(rig_context_destroy(rig, 1), OK);
	slot = rig_context_running(rig, 1, 0);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	rig_engine_die(rig, slot, SIGSEGV);
	assert_int_equal(rig->control.completions[3], 2);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), OK);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, RING), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(rig->keeper.starts, 1);
}

static void a_crash_is_lost_and_a_strike(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);

	close(rig->keeper.engine[slot].channel);	/* the crash is seen here first */
	rig->keeper.engine[slot].channel = -1;
	rig_run(rig, 0);
	assert_true(rig->keeper.kill_wanted[slot]);
	rig_engine_die(rig, slot, SIGSEGV);
	assert_int_equal(engine_page(rig, 0).engine_state, WIRE_ENGINE_LOST);
	assert_int_equal(engine_page(rig, 0).lost_reason, WIRE_LOST_CRASH);
	assert_int_equal(rig->keeper.strikes, 1);
	virtio_gpu_engine_died(rig->gpu, slot, SIGSEGV);	/* said again after a takeover */
	assert_int_equal(rig->keeper.strikes, 1);
	/* Mapped anew, the ring says it again. */
	assert_int_equal(rig_unmap(rig, 1001), OK);
	assert_int_equal(rig_map(rig, 0, 1001, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(engine_page(rig, AT).engine_state, WIRE_ENGINE_LOST);
}

static void an_engine_that_cannot_start_is_lost_with_that_reason(void **state)
{
	struct rig *rig = *state;
	uint32_t slot;

	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1, RING, WIRE_RING_BLOB_BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION + 1, RING),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(engine_page(rig, 0).lost_reason, WIRE_LOST_START);
	assert_int_equal(rig_unmap(rig, 1), OK);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(engine_page(rig, 0).engine_state, WIRE_ENGINE_ABSENT);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, RING), OK);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	slot = rig_slot_of(rig, 1);
	virtio_gpu_engine_died(rig->gpu, slot, -ENOENT);
	assert_int_equal(engine_page(rig, 0).engine_state, WIRE_ENGINE_LOST);
	assert_int_equal(engine_page(rig, 0).lost_reason, WIRE_LOST_START);
	assert_int_equal(rig->control.completions[3], 1);
	assert_int_equal(rig->keeper.strikes, 0);
	virtio_gpu_engine_started(rig->gpu, slot, 1);	/* too late */
	assert_true(rig->keeper.kill_wanted[slot]);
	virtio_gpu_engine_started(rig->gpu, KEEPER_CONTEXT_MAX, 1);
	virtio_gpu_engine_died(rig->gpu, KEEPER_CONTEXT_MAX, 1);
}

static void a_faults_reason_reaches_the_guest(void **state)
{
	static const struct {
		uint64_t said;
		uint32_t lost;
		unsigned strikes;
	} rows[] = {
		{WIRE_LOST_PROTOCOL, WIRE_LOST_PROTOCOL, 1},
		{WIRE_LOST_HANG, WIRE_LOST_HANG, 1},
		{0, WIRE_LOST_CRASH, 1},
		{UINT64_MAX, WIRE_LOST_CRASH, 1},
	};
	struct rig *rig = *state;

	for (uint32_t i = 0; i < 4; i++) {
		uint32_t slot = rig_context_running(rig, i + 1, i << 20);

		rig_engine_send(rig, slot, ENGINE_FAULT, 0, 0, rows[i].said);
		rig_run(rig, 0);
		assert_true(rig->keeper.kill_wanted[slot]);
		rig_engine_die(rig, slot, SIGKILL);
		assert_int_equal(engine_page(rig, i << 20).engine_state, WIRE_ENGINE_LOST);
		assert_int_equal(engine_page(rig, i << 20).lost_reason, rows[i].lost);
		assert_int_equal(rig->keeper.strikes, rows[i].strikes);
	}
}

static void an_engine_that_talks_nonsense_is_killed(void **state)
{
	struct rig *rig = *state;

	for (uint32_t i = 0; i < 5; i++) {
		uint32_t slot = rig_context_running(rig, i + 1, i << 20);
		uint8_t noise[100] = {0};
		struct engine_message message = {.op = ENGINE_READY, .value = ENGINE_PROTOCOL_VERSION};
		int channel = rig->keeper.engine[slot].channel;
		int fd = eventfd(0, 0);

		switch (i) {
		case 0:
			assert_int_equal(seqpacket_send(channel, noise, 39, NULL, 0), 0);
			break;
		case 1:
			assert_int_equal(seqpacket_send(channel, noise, 100, NULL, 0), 0);
			break;
		case 2:
			rig_engine_send(rig, slot, 0xffffffff, 0, 0, 0);
			break;
		case 3:
			assert_int_equal(seqpacket_send(channel, &message, sizeof(message), &fd, 1), 0);
			break;
		case 4:
			rig_engine_send(rig, slot, ENGINE_READY, 0, 0, ENGINE_PROTOCOL_VERSION + 1);
			break;
		}
		close(fd);
		rig_run(rig, 0);
		assert_true(rig->keeper.kill_wanted[slot]);
		rig_engine_die(rig, slot, SIGKILL);
		assert_int_equal(engine_page(rig, i << 20).engine_state, WIRE_ENGINE_LOST);
	}
}

static void an_engine_that_does_not_read_delays_its_own_maps_only(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);
	uint32_t deferred = 0;
	uint32_t count = 0;
	struct engine_message message;

	rig_engine_drain(rig, slot);
	for (uint32_t i = 0; i < 2000 && !deferred; i++) {
		assert_int_equal(rig_blob_create(rig, 1, 1 + i + 10000, MEMORY(1 + i), 4096), OK);
		if (rig_map(rig, 20, 1 + i + 10000, AT + i * 4096) == DEFERRED)
			deferred = 1 + i;
	}
	assert_in_range(deferred, 16, 2000);
	/* Everybody else goes on. */
	assert_int_equal(rig_context_create(rig, 2), OK);
	assert_int_equal(rig_blob_create(rig, 2, 1, MEMORY(1), 4096), OK);
	assert_int_equal(rig_map(rig, 0, 1, 2 * AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	rig_run(rig, 0);
	assert_true(rig->control.outstanding[20]);
	/* It reads: what is owed comes, in order, and the guest gets its answer. */
	for (unsigned round = 0; round < 100 && count < deferred; round++) {
		while (rig_engine_receive(rig, slot, &message)) {
			count++;
			assert_int_equal(message.op, ENGINE_MAP);
			assert_true(message.blob_id == MEMORY(count));
		}
		rig_run(rig, 0);
	}
	assert_int_equal(count, deferred);
	assert_false(rig->control.outstanding[20]);
	rig_read_response(rig, 20);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig->response.bytes[sizeof(struct virtio_gpu_ctrl_hdr)], VIRTIO_GPU_MAP_CACHE_CACHED);
}

static void a_map_that_is_not_read_is_answered_after_the_grace(void **state)
{
	struct rig *rig = *state;
	uint64_t began_ms;
	uint32_t last = 0;

	rig_context_running(rig, 1, 0);
	for (uint32_t i = 0; i < 2000; i++) {
		last = 1 + i + 10000;
		assert_int_equal(rig_blob_create(rig, 1, last, MEMORY(1 + i), 4096), OK);
		if (rig_map(rig, 20, last, AT + i * 4096) == DEFERRED)
			break;
	}
	assert_true(rig->control.outstanding[20]);
	/* A second, given up while it waits: both answers come, each once. */
	assert_int_equal(rig_blob_create(rig, 1, 5, MEMORY(50000), 4096), OK);
	assert_int_equal(rig_map(rig, 21, 5, 2 * AT), DEFERRED);
	assert_int_equal(rig_unref(rig, 22, 5), DEFERRED);
	assert_int_equal(rig->control.completions[21], 1);
	assert_true(rig->control.outstanding[22]);
	assert_true(rig->control.outstanding[20]);
	began_ms = now_ms();
	while (rig->control.outstanding[20] && now_ms() - began_ms < 5000)
		rig_run(rig, 50);
	assert_false(rig->control.outstanding[20]);
	assert_in_range(now_ms() - began_ms, 1900, 2700);
	rig_read_response(rig, 20);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_MAP_INFO);
	rig_engine_die(rig, rig_slot_of(rig, 1), SIGKILL);
	assert_int_equal(rig->control.completions[22], 1);
}

static void charges_of_an_engine_count_in_the_same_ledger(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);
	struct engine_message message;

	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), LIMIT / 2), OK);
	rig_engine_drain(rig, slot);
	rig_engine_send(rig, slot, ENGINE_CHARGE, 0, 0, LIMIT / 2);
	rig_run(rig, 0);
	assert_true(rig_engine_receive(rig, slot, &message));
	assert_int_equal(message.op, ENGINE_CHARGED);
	assert_true(message.value == LIMIT / 2);
	assert_int_equal(rig_charged(rig), LIMIT);
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), 4096), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	rig_engine_send(rig, slot, ENGINE_CHARGE, 0, 0, LIMIT / 2 + 1);
	rig_run(rig, 0);
	assert_true(rig_engine_receive(rig, slot, &message));
	assert_true(message.value == LIMIT / 2);
	rig_engine_send(rig, slot, ENGINE_CHARGE, 0, 0, UINT64_MAX);
	rig_run(rig, 0);
	assert_true(rig_engine_receive(rig, slot, &message));
	assert_true(message.value == LIMIT / 2);
	rig_engine_send(rig, slot, ENGINE_CHARGE, 0, 0, 4096);
	rig_run(rig, 0);
	assert_true(rig_engine_receive(rig, slot, &message));
	assert_true(message.value == 4096);
	assert_int_equal(rig_charged(rig), LIMIT / 2 + 4096);
	rig_take_over(rig);
	assert_int_equal(rig_charged(rig), LIMIT / 2 + 4096);
	rig_engine_die(rig, slot, SIGSEGV);
	assert_int_equal(rig_charged(rig), LIMIT / 2);
}

static void a_takeover_says_everything_again(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = held_unref(rig);
	struct engine_message message;
	bool unmap_told = false;

	assert_int_equal(rig_map(rig, 0, 2, 2 * AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	rig_engine_drain(rig, slot);
	for (unsigned round = 0; round < 3; round++) {
		rig_take_over(rig);
		assert_int_equal(rig_charged(rig), 2 * BYTES);
		expect(rig, slot, ENGINE_RESYNC, 0);
		expect(rig, slot, ENGINE_MAP, RING);
		unmap_told = false;
		for (unsigned i = 0; i < 2; i++) {
			assert_true(rig_engine_receive(rig, slot, &message));
			if (message.op == ENGINE_UNMAP) {
				assert_true(message.blob_id == MEMORY(1) && message.offset == AT);
				unmap_told = true;
			} else {
				assert_int_equal(message.op, ENGINE_MAP);
				assert_true(message.blob_id == MEMORY(2) && message.offset == 2 * AT);
			}
		}
		assert_true(unmap_told);
		expect(rig, slot, ENGINE_RING, RING);
		expect_nothing(rig, slot);
		assert_true(rig->control.outstanding[7]);
		assert_true(rig->control.outstanding[3]);
	}
	rig_engine_complete(rig, slot);
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, 0);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[3], 1);
	assert_int_equal(rig->control.completions[7], 1);
	assert_true(is_zero(rig, AT, BYTES));
	assert_int_equal(rig_charged(rig), BYTES);
}

static void what_happened_while_nobody_looked_is_seen_by_the_next_process(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = held_unref(rig);

	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	rig_engine_complete(rig, slot);
	rig_engine_send(rig, slot, ENGINE_RELEASED, MEMORY(1), AT, 0);
	rig_take_over(rig);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[3], 1);
	expect_freed(rig);
	/* An engine whose descriptors are gone cannot be reached: it ends, and is not replaced. */
	keeper_link_drop(&rig->keeper, KEEPER_TAG(KEEPER_FD_ENGINE_CHANNEL, slot));
	rig_take_over(rig);
	assert_true(rig->keeper.kill_wanted[slot]);
	assert_int_equal(rig->keeper.starts, 1);
	rig_engine_die(rig, slot, SIGKILL);
	assert_int_equal(engine_page(rig, 0).engine_state, WIRE_ENGINE_LOST);
}

static void a_start_is_asked_for_again_after_a_takeover(void **state)
{
	struct rig *rig = *state;
	uint32_t slot;

	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1, RING, WIRE_RING_BLOB_BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, RING), OK);
	rig_take_over(rig);
	assert_int_equal(rig->keeper.starts, 2);
	slot = rig_slot_of(rig, 1);
	rig_engine_start(rig, slot);
	expect(rig, slot, ENGINE_RESYNC, 0);
	/* STARTED may be said twice. */
	virtio_gpu_engine_started(rig->gpu, slot, 4711);
	expect(rig, slot, ENGINE_MAP, RING);
	expect(rig, slot, ENGINE_RING, RING);
	expect(rig, slot, ENGINE_RESYNC, 0);
	expect(rig, slot, ENGINE_MAP, RING);
	expect(rig, slot, ENGINE_RING, RING);
	rig_engine_complete(rig, slot);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[3], 1);
}

static void a_reset_ends_everything_and_holds_what_an_engine_touches(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);

	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_context_create(rig, 2), OK);
	assert_int_equal(rig_blob_create(rig, 2, 2, MEMORY(2), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 2, 2 * AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	scribble(rig, AT, BYTES);
	scribble(rig, 2 * AT, 2 * BYTES);
	assert_int_equal(rig_unref(rig, 7, 1), DEFERRED);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	for (unsigned i = 0; i < 2; i++) {
		virtio_gpu_reset(rig->gpu);	/* twice: nothing more */
		memset(rig->control.outstanding, 0, sizeof(rig->control.outstanding));
		assert_false(virtio_gpu_idle(rig->gpu));
		assert_int_equal(rig_charged(rig), BYTES);
		assert_true(is_zero(rig, 2 * AT, 2 * BYTES));
		assert_false(is_zero(rig, AT, BYTES));
		rig_take_over(rig);
	}
	/* The next guest: same ids, but not the held range. */
	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	scribble(rig, AT, BYTES);
	rig_engine_die(rig, slot, SIGKILL);
	assert_true(is_zero(rig, AT, BYTES));
	assert_int_equal(rig->control.completions[7], 0);
	assert_int_equal(rig->control.completions[3], 0);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	virtio_gpu_reset(rig->gpu);
	assert_true(virtio_gpu_idle(rig->gpu));
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_blocks(rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(setup_starts_the_engine_and_tells_it_all_blobs_then_the_ring),
		T(another_contexts_blobs_are_not_told),
		T(a_doorbell_reaches_the_engine_and_a_flood_harms_nobody),
		T(unref_waits_for_released),
		T(a_late_repetition_of_released_is_not_believed),
		T(unref_waits_for_the_death_of_the_engine),
		T(unref_before_unmap_waits_too),
		T(destroying_the_context_holds_its_ranges_until_the_engine_is_dead),
		T(an_engine_that_answers_nothing_is_killed),
		T(wake_answers_when_something_completed),
		T(a_completion_before_its_wake_is_not_lost),
		T(wake_without_an_engine_answers_at_once),
		T(a_crash_is_lost_and_a_strike),
		T(an_engine_that_cannot_start_is_lost_with_that_reason),
		T(a_faults_reason_reaches_the_guest),
		T(an_engine_that_talks_nonsense_is_killed),
		T(an_engine_that_does_not_read_delays_its_own_maps_only),
		T(a_map_that_is_not_read_is_answered_after_the_grace),
		T(charges_of_an_engine_count_in_the_same_ledger),
		T(a_takeover_says_everything_again),
		T(what_happened_while_nobody_looked_is_seen_by_the_next_process),
		T(a_start_is_asked_for_again_after_a_takeover),
		T(a_reset_ends_everything_and_holds_what_an_engine_touches),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
