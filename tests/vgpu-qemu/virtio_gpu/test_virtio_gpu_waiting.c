/* SPDX-License-Identifier: MIT */
/* CREATE_BLOBs that arrive while the memory they need is still on its way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/vgpu-qemu/virtio_gpu/fakes.h"
#include "vgpu-qemu/virtio_gpu/waiting.h"

#define MEMORY(id) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id)
#define MIB (1ull << 20)
#define OK VIRTIO_GPU_RESP_OK_NODATA
#define MAPPED VIRTIO_GPU_RESP_OK_MAP_INFO
#define OUT_OF_MEMORY VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY
#define DEFERRED 0

/* Heads: 0 for what is answered at once. */
#define UNREF 1
#define CREATE 2
#define MAP 3
#define CREATE_2 4
#define CREATE_3 5

/* The device's, in place of the C library's: a test may let seconds pass. */
static uint64_t clock_ahead_ns;
int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	int status = (int)syscall(SYS_clock_gettime, clock, ret_now);
	uint64_t ns = (uint64_t)ret_now->tv_nsec + clock_ahead_ns;

	ret_now->tv_sec += (time_t)(ns / 1000000000ull);
	ret_now->tv_nsec = (long)(ns % 1000000000ull);
	return status;
}

/* 32 MiB are the limit; 24 of them are blob 1's, given up, but not by the engine. */
static int begin(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	clock_ahead_ns = 0;
	rig_begin(rig, NULL, 0, 32 * MIB, 4);
	rig_context_running(rig, 1, 0);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), 24 * MIB), OK);
	assert_int_equal(rig_map(rig, 0, 1, MIB), MAPPED);
	assert_int_equal(rig_unref(rig, UNREF, 1), DEFERRED);
	rig_engine_drain(rig, rig_slot_of(rig, 1));
	*state = rig;
	return 0;
}

static int end(void **state)
{
	rig_end(*state);
	free(*state);
	return 0;
}

static void let_go(struct rig *rig)
{
	rig_engine_send(rig, rig_slot_of(rig, 1), ENGINE_RELEASED, MEMORY(1), MIB, 0);
	rig_run(rig, 100);
}

/* The timer, which goes by the kernel's clock. */
static void tick(struct rig *rig)
{
	virtio_gpu_event(rig->gpu, gpu_event_data(GPU_EVENT_TIMER, 0, 0), EPOLLIN);
}

static uint32_t answer(struct rig *rig, uint16_t head)
{
	if (rig->control.outstanding[head])
		return DEFERRED;
	rig_read_response(rig, head);
	return rig->response.type;
}

static void a_create_is_granted_when_the_memory_is_back(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	rig_run(rig, 20);
	assert_int_equal(answer(rig, CREATE), DEFERRED);
	assert_int_equal(rig_charged(rig), 24 * MIB);
	/* Others do not wait. */
	assert_int_equal(rig_context_create(rig, 2), OK);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	let_go(rig);
	assert_int_equal(answer(rig, UNREF), OK);
	assert_int_equal(answer(rig, CREATE), OK);
	assert_int_equal(rig->control.completions[CREATE], 1);
	assert_int_equal(rig_charged(rig), 30 * MIB);
	/* It is a blob as any other. */
	assert_int_equal(rig_map(rig, 0, 2, 2 * MIB), MAPPED);
	assert_int_equal(rig_unref(rig, UNREF, 2), DEFERRED);
}

/* As the Linux driver sends them: CREATE, MAP and ATTACH, waiting for none. */
static void what_follows_a_create_waits_with_it(void **state)
{
	struct rig *rig = *state;
	struct engine_message message;
	uint32_t slot = rig_slot_of(rig, 1);

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, MAP, 2, 30 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, 0, 2, 30 * MIB), VIRTIO_GPU_RESP_ERR_UNSPEC);	/* twice */
	struct virtio_gpu_ctx_resource attach = {
		.hdr = {.type = VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, .ctx_id = 1}, .resource_id = 2};
	assert_int_equal(rig_handle(rig, 0, &attach, sizeof(attach), 64), VIRTQUEUE_COMPLETE);
	assert_int_equal(rig->response.type, OK);
	assert_false(rig_engine_receive(rig, slot, &message));	/* it hears of the blob when there is one */
	let_go(rig);
	assert_int_equal(answer(rig, CREATE), OK);
	assert_int_equal(answer(rig, MAP), MAPPED);
	assert_true(rig_engine_receive(rig, slot, &message));
	assert_int_equal(message.op, ENGINE_MAP);
	assert_int_equal(message.blob_id, MEMORY(2));
	assert_int_equal(message.offset, 30 * MIB);
	assert_int_equal(rig->control.completions[MAP], 1);
}

static void a_map_that_waited_is_checked_as_any_other(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, MAP, 2, 60 * MIB), DEFERRED);	/* over the end of the aperture */
	let_go(rig);
	assert_int_equal(answer(rig, CREATE), OK);
	assert_int_equal(answer(rig, MAP), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 2, 30 * MIB), MAPPED);
}

static void a_create_that_would_not_fit_is_refused_at_once(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), 33 * MIB), OUT_OF_MEMORY);
	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 3, MEMORY(3), 30 * MIB), DEFERRED);
	/* Beside the one that waits there would be room for 2. */
	assert_int_equal(rig_blob_create(rig, 1, 4, MEMORY(4), 3 * MIB), OUT_OF_MEMORY);
	assert_int_equal(rig_blob_create(rig, 1, 5, MEMORY(5), 2 * MIB), OK);
	let_go(rig);
	assert_int_equal(answer(rig, CREATE), OK);
	assert_int_equal(rig_charged(rig), 32 * MIB);
	/* And with nothing on its way back, none waits. */
	assert_int_equal(rig_blob_create(rig, 1, 6, MEMORY(6), 4096), OUT_OF_MEMORY);
}

static void a_create_is_refused_when_another_took_the_memory(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, MAP, 2, 30 * MIB), DEFERRED);
	rig->vgpu_page->slot[9].charged_bytes = 4 * MIB;	/* another connection's */
	let_go(rig);
	assert_int_equal(answer(rig, UNREF), OK);
	assert_int_equal(answer(rig, CREATE), OUT_OF_MEMORY);
	assert_int_equal(answer(rig, MAP), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_charged(rig), 0);
	/* The id is free again. */
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), 8 * MIB), OK);
}

static void patience_ends(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_slot_of(rig, 1);

	/* A dying engine that the keeper cannot get rid of (uninterruptible in some driver). */
	rig_engine_send(rig, slot, ENGINE_FAULT, 0, 0, WIRE_LOST_HANG);
	rig_run(rig, 20);
	assert_true(rig->keeper.kill_wanted[slot]);
	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	clock_ahead_ns = WAITING_PATIENCE_NS - 2000000000ull;
	tick(rig);
	assert_int_equal(answer(rig, CREATE), DEFERRED);
	clock_ahead_ns = WAITING_PATIENCE_NS;
	tick(rig);
	assert_int_equal(answer(rig, CREATE), OUT_OF_MEMORY);
	assert_int_equal(answer(rig, UNREF), DEFERRED);
}

static void the_oldest_is_granted_first(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_blob_create_at(rig, CREATE_3, 1, 2, MEMORY(2), 12 * MIB), DEFERRED);
	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 3, MEMORY(3), 12 * MIB), DEFERRED);
	assert_int_equal(rig_blob_create_at(rig, CREATE_2, 1, 4, MEMORY(4), 8 * MIB), OK);	/* beside them */
	assert_int_equal(rig_charged(rig), 32 * MIB);
	/* Half of what they wait for is enough for one of them, and that is the older. */
	rig->vgpu_page->slot[9].charged_bytes = 12 * MIB;
	let_go(rig);
	assert_int_equal(answer(rig, CREATE_3), OK);
	assert_int_equal(answer(rig, CREATE), OUT_OF_MEMORY);
	assert_int_equal(rig_charged(rig), 20 * MIB);
}

static void only_so_many_wait(void **state)
{
	struct rig *rig = *state;

	for (uint32_t i = 0; i < WAITING_MAX; i++)
		assert_int_equal(rig_blob_create_at(rig, (uint16_t)(10 + i), 1, 10 + i, MEMORY(10 + i), i ? MIB : 16 * MIB),
				 i && i <= 8 ? OK : DEFERRED);
	for (uint32_t i = 1; i <= 8; i++)
		assert_int_equal(rig_blob_create_at(rig, (uint16_t)(50 + i), 1, 50 + i, MEMORY(50 + i), 4096), DEFERRED);
	assert_int_equal(rig_blob_create(rig, 1, 99, MEMORY(99), 4096), OUT_OF_MEMORY);
	let_go(rig);
	for (uint32_t i = 0; i < WAITING_MAX; i++)
		assert_int_equal(answer(rig, (uint16_t)(10 + i)), OK);
	for (uint32_t i = 1; i <= 8; i++)
		assert_int_equal(answer(rig, (uint16_t)(50 + i)), OK);
}

static void a_new_device_process_grants_what_the_former_deferred(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, MAP, 2, 30 * MIB), DEFERRED);
	rig_take_over(rig);
	rig_run(rig, 20);
	assert_int_equal(answer(rig, CREATE), DEFERRED);
	assert_int_equal(rig_charged(rig), 24 * MIB);
	let_go(rig);
	rig_take_over(rig);
	rig_run(rig, 20);
	assert_int_equal(answer(rig, CREATE), OK);
	assert_int_equal(answer(rig, MAP), MAPPED);
	assert_int_equal(rig->control.completions[CREATE], 1);
	assert_int_equal(rig->control.completions[MAP], 1);
	assert_int_equal(rig_charged(rig), 30 * MIB);
}

static void the_element_shown_again_waits_on(void **state)
{
	struct rig *rig = *state;
	enum virtqueue_verdict verdict;

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	rig->taken.valid = true;	/* killed before the queue had noted that it is deferred */
	rig_take_over(rig);
	assert_true(rig_replay(rig, &verdict));
	assert_int_equal(verdict, VIRTQUEUE_DEFER);
	let_go(rig);
	assert_int_equal(answer(rig, CREATE), OK);
	assert_int_equal(rig->control.completions[CREATE], 1);
	assert_int_equal(rig_charged(rig), 30 * MIB);
}

/* The last attempt is answered with an error, and nothing is left of the former. */
static void an_element_given_up_leaves_nothing(void **state)
{
	struct rig *rig = *state;
	struct virtqueue_element element;

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	element = rig->taken.element;
	element.attempt = 3;
	rig_take_over(rig);
	assert_int_equal(rig_handle_element(rig, &element, true), VIRTQUEUE_COMPLETE);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	let_go(rig);
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig->control.completions[CREATE], 1);
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), 30 * MIB), OK);
}

static void a_context_that_is_destroyed_takes_its_waiting_ones_along(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_slot_of(rig, 1);

	assert_int_equal(rig_context_create(rig, 2), OK);
	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 20 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, MAP, 2, 30 * MIB), DEFERRED);
	assert_int_equal(rig_blob_create_at(rig, CREATE_2, 2, 3, MEMORY(2), 12 * MIB), DEFERRED);
	assert_int_equal(rig_context_destroy(rig, 1), OK);
	rig_run(rig, 20);
	assert_int_equal(answer(rig, CREATE), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(answer(rig, MAP), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(answer(rig, CREATE_2), DEFERRED);
	/* The other context's is granted when the engine is dead. */
	rig_engine_die(rig, slot, SIGKILL);
	rig_run(rig, 20);
	assert_int_equal(answer(rig, UNREF), OK);
	assert_int_equal(answer(rig, CREATE_2), OK);
	assert_int_equal(rig_charged(rig), 12 * MIB);
}

/* A guest process killed while its CREATE waits: its kernel unmaps and drops the blob. */
static void a_waiting_one_can_be_given_up(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, MAP, 2, 30 * MIB), DEFERRED);
	assert_int_equal(rig_unmap(rig, 2), OK);
	assert_int_equal(answer(rig, MAP), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(rig_unmap(rig, 2), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(rig_unref(rig, 0, 2), OK);
	assert_int_equal(answer(rig, CREATE), OK);
	assert_int_equal(rig_unref(rig, 0, 2), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	let_go(rig);
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig->control.completions[CREATE], 1);
}

static void a_reset_forgets_what_waits(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_slot_of(rig, 1);

	assert_int_equal(rig_blob_create_at(rig, CREATE, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	assert_int_equal(rig_map(rig, MAP, 2, 30 * MIB), DEFERRED);
	virtio_gpu_reset(rig->gpu);
	memset(rig->control.outstanding, 0, sizeof(rig->control.outstanding));
	rig_run(rig, 20);
	assert_int_equal(rig_charged(rig), 24 * MIB);	/* blob 1, while its engine dies */
	/* What the next driver asks for waits for that as well. */
	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create_at(rig, CREATE_2, 1, 2, MEMORY(2), 30 * MIB), DEFERRED);
	rig_engine_die(rig, slot, SIGKILL);
	rig_run(rig, 20);
	assert_int_equal(answer(rig, CREATE_2), OK);
	assert_int_equal(rig_charged(rig), 30 * MIB);
	assert_int_equal(rig->control.completions[CREATE], 0);
	assert_int_equal(rig->control.completions[MAP], 0);
	assert_int_equal(rig->control.ignored, 0);
	virtio_gpu_reset(rig->gpu);
	assert_true(virtio_gpu_idle(rig->gpu));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(a_create_is_granted_when_the_memory_is_back),
		T(what_follows_a_create_waits_with_it),
		T(a_map_that_waited_is_checked_as_any_other),
		T(a_create_that_would_not_fit_is_refused_at_once),
		T(a_create_is_refused_when_another_took_the_memory),
		T(patience_ends),
		T(the_oldest_is_granted_first),
		T(only_so_many_wait),
		T(a_new_device_process_grants_what_the_former_deferred),
		T(the_element_shown_again_waits_on),
		T(an_element_given_up_leaves_nothing),
		T(a_context_that_is_destroyed_takes_its_waiting_ones_along),
		T(a_waiting_one_can_be_given_up),
		T(a_reset_forgets_what_waits),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
