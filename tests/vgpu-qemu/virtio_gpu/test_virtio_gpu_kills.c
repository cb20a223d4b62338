/* SPDX-License-Identifier: MIT */
/*
 * The device process killed (SIGKILL) after every store it makes to its state, in every command and event that changes
 * something: a new process takes over, is shown the same element or event again, and must end with the state, the
 * charge, the pages and the answer of a process that was not killed.
 *
 * The child that acts is single-stepped, and its state compared after each instruction: a first child is counted the stores
 * of, then one child each is killed after its first, second... store. Not after a number of instructions: that differs from
 * run to run, as the clock is read (a vDSO that retries) and a timer may or may not be due.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <endian.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

#define MEMORY(id) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id)
#define RING WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)
#define LIMIT (32ull << 20)
#define AT (8ull << 20)
#define BYTES (64ull << 10)
#define OK VIRTIO_GPU_RESP_OK_NODATA
#define HEAD 7		/* of the command under test, where it is not 0 */

/* ---- what is done, and from where ------------------------------------------------------------------------ */

static void with_nothing(struct rig *rig)
{
	(void)rig;
}

static void with_context(struct rig *rig)
{
	assert_int_equal(rig_context_create(rig, 1), OK);
}

static void with_mapped_blob(struct rig *rig)
{
	with_context(rig);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

static void with_ring(struct rig *rig)
{
	with_context(rig);
	assert_int_equal(rig_blob_create(rig, 1, 1, RING, WIRE_RING_BLOB_BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

static void touch(struct rig *rig, uint64_t offset)
{
	uint8_t byte = 1;

	assert_int_equal(pwrite(rig->wiring.aperture_fd, &byte, 1, (off_t)offset), 1);
}

static void with_engine(struct rig *rig)
{
	rig_context_running(rig, 1, 0);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), BYTES), OK);
	touch(rig, AT);
}

static void with_wake(struct rig *rig)
{
	with_engine(rig);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), 0);
}

static void with_unref_and_wake(struct rig *rig)
{
	with_wake(rig);
	assert_int_equal(rig_unref(rig, HEAD, 1), 0);
}

/* Most of the limit is on its way back, and the engine has not let go yet. */
#define MUCH (20ull << 20)
static void with_much_returning(struct rig *rig)
{
	rig_context_running(rig, 1, 0);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), MUCH), OK);
	assert_int_equal(rig_map(rig, 0, 1, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_unref(rig, 3, 1), 0);
	rig_engine_drain(rig, 0);
}

static void with_waiting(struct rig *rig)
{
	with_much_returning(rig);
	assert_int_equal(rig_blob_create_at(rig, 4, 1, 2, MEMORY(2), MUCH), 0);
}

static void with_waiting_and_map(struct rig *rig)
{
	with_waiting(rig);
	assert_int_equal(rig_map(rig, 5, 2, 4 * AT), 0);
}

static void with_waiting_and_released(struct rig *rig)
{
	with_waiting_and_map(rig);
	rig_engine_send(rig, rig_slot_of(rig, 1), ENGINE_RELEASED, MEMORY(1), AT, 0);
}

/* Its context is gone, and nobody has told it yet. */
static void with_waiting_and_destroyed(struct rig *rig)
{
	with_waiting_and_map(rig);
	assert_int_equal(rig_context_destroy(rig, 1), OK);
}

static void with_destroyed(struct rig *rig)
{
	with_unref_and_wake(rig);
	assert_int_equal(rig_context_destroy(rig, 1), OK);
}

static void with_released_on_the_way(struct rig *rig)
{
	with_unref_and_wake(rig);
	rig_engine_send(rig, rig_slot_of(rig, 1), ENGINE_RELEASED, MEMORY(1), AT, 0);
}

static void with_charge_on_the_way(struct rig *rig)
{
	with_wake(rig);
	rig_engine_send(rig, rig_slot_of(rig, 1), ENGINE_CHARGE, 0, 0, 1 << 20);
}

static void with_fault_on_the_way(struct rig *rig)
{
	with_unref_and_wake(rig);
	rig_engine_send(rig, rig_slot_of(rig, 1), ENGINE_FAULT, 0, 0, WIRE_LOST_HANG);
}

static void with_completion_on_the_way(struct rig *rig)
{
	with_wake(rig);
	rig_engine_complete(rig, rig_slot_of(rig, 1));
}

static void with_used_slot(struct rig *rig)
{
	with_mapped_blob(rig);
	assert_int_equal(rig_unref(rig, 0, 1), OK);
}

/* The engine has not read for so long that nothing more fits in. */
static void with_full_channel(struct rig *rig)
{
	with_engine(rig);
	for (uint32_t i = 0; i < 2000; i++) {
		assert_int_equal(rig_blob_create(rig, 1, 5000 + i, MEMORY(5000 + i), 4096), OK);
		if (!rig_map(rig, 20, 5000 + i, 3 * AT + i * 4096))
			return;
	}
	fail_msg("the channel takes everything");
}

static void read_channel(struct rig *rig)
{
	rig_engine_drain(rig, 0);
}

static void context_create(struct rig *rig) { rig_context_create(rig, 1); }
static void context_destroy(struct rig *rig) { rig_context_destroy(rig, 1); }
static void blob_create(struct rig *rig) { rig_blob_create(rig, 1, 9, MEMORY(9), BYTES); }
static void ring_create(struct rig *rig) { rig_blob_create(rig, 1, 9, RING, WIRE_RING_BLOB_BYTES); }
static void map_blob(struct rig *rig) { rig_map(rig, HEAD, 2, 2 * AT); }
static void create_that_waits(struct rig *rig) { rig_blob_create_at(rig, HEAD, 1, 2, MEMORY(2), MUCH); }
static void map_that_waits(struct rig *rig) { rig_map(rig, HEAD, 2, 4 * AT); }
static void unmap_waiting(struct rig *rig) { rig_unmap(rig, 2); }
static void unref_waiting(struct rig *rig) { rig_unref(rig, HEAD, 2); }
static void unmap_blob(struct rig *rig) { rig_unmap(rig, 1); }
static void unref(struct rig *rig) { rig_unref(rig, HEAD, 1); }
static void setup(struct rig *rig) { rig_submit(rig, HEAD, 1, WIRE_SUBMIT_SETUP, WIRE_VERSION, RING); }
static void wake(struct rig *rig) { rig_submit(rig, HEAD, 1, WIRE_SUBMIT_WAKE, 0, 0); }

static void guest_blob(struct rig *rig)
{
	struct {
		struct virtio_gpu_resource_create_blob blob;
		struct virtio_gpu_mem_entry entry[3];
	} request = {
		.blob = {
			.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB),
			.resource_id = htole32(1),
			.blob_mem = htole32(VIRTIO_GPU_BLOB_MEM_GUEST),
			.nr_entries = htole32(3),
			.size = htole64(3 * 4096),
		},
	};

	for (unsigned i = 0; i < 3; i++) {
		request.entry[i].addr = htole64(RIG_RAM + 8192 * i);
		request.entry[i].length = htole32(4096);
	}
	rig_handle(rig, 0, &request, sizeof(request), 64);
}

static void attach(struct rig *rig)
{
	struct virtio_gpu_ctx_resource request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE), .ctx_id = htole32(1)},
		.resource_id = htole32(1),
	};

	rig_handle(rig, 0, &request, sizeof(request), 64);
}

static void events(struct rig *rig)
{
	rig_trace_point(rig);
	rig_run(rig, 0);
	rig_trace_point(rig);
}

/* Said again to every process, until the keeper knows that it has been heard. */
static void death(struct rig *rig)
{
	rig_trace_point(rig);
	virtio_gpu_engine_died(rig->gpu, 0, SIGSEGV);
	rig_trace_point(rig);
}

static void reset(struct rig *rig)
{
	rig_trace_point(rig);
	virtio_gpu_reset(rig->gpu);
	rig_trace_point(rig);
}

struct row {
	const char *name;
	void (*prepare)(struct rig *rig);
	void (*act)(struct rig *rig);
	void (*between)(struct rig *rig);	/* what goes on while there is no device process; NULL: nothing */
	bool event;		/* comes again by itself; else the queue shows its element again */
	bool may_answer_early;	/* a WAKE shown again is answered: "look again" */
};

static const struct row rows[] = {
	{"CTX_CREATE", with_nothing, context_create, NULL, false, false},
	{"CTX_DESTROY, no engine", with_mapped_blob, context_destroy, NULL, false, false},
	{"CTX_DESTROY, engine, WAKE pending", with_unref_and_wake, context_destroy, NULL, false, false},
	{"CREATE_BLOB", with_engine, blob_create, NULL, false, false},
	{"CREATE_BLOB, ring", with_context, ring_create, NULL, false, false},
	{"CREATE_BLOB, guest memory", with_nothing, guest_blob, NULL, false, false},
	{"MAP_BLOB", with_engine, map_blob, NULL, false, false},
	{"MAP_BLOB, channel full", with_full_channel, map_blob, read_channel, false, false},
	{"CREATE_BLOB, a slot used before", with_used_slot, blob_create, NULL, false, false},
	{"UNMAP_BLOB, no engine", with_mapped_blob, unmap_blob, NULL, false, false},
	{"UNMAP_BLOB", with_engine, unmap_blob, NULL, false, false},
	{"UNREF, no engine", with_mapped_blob, unref, NULL, false, false},
	{"UNREF", with_engine, unref, NULL, false, false},
	{"ATTACH", with_mapped_blob, attach, NULL, false, false},
	{"SETUP", with_ring, setup, NULL, false, false},
	{"WAKE", with_engine, wake, NULL, false, true},
	{"WAKE after WAKE", with_wake, wake, NULL, false, true},
	{"completion", with_completion_on_the_way, events, NULL, true, false},
	{"RELEASED", with_released_on_the_way, events, NULL, true, false},
	{"CHARGE", with_charge_on_the_way, events, NULL, true, false},
	{"FAULT", with_fault_on_the_way, events, NULL, true, false},
	{"death", with_unref_and_wake, death, NULL, true, false},
	{"death of a destroyed one", with_destroyed, death, NULL, true, false},
	{"reset", with_unref_and_wake, reset, NULL, true, false},
	{"CREATE_BLOB, has to wait", with_much_returning, create_that_waits, NULL, false, false},
	{"MAP_BLOB, of a waiting one", with_waiting, map_that_waits, NULL, false, false},
	{"UNMAP_BLOB, of a waiting one", with_waiting_and_map, unmap_waiting, NULL, false, false},
	{"UNREF, of a waiting one", with_waiting_and_map, unref_waiting, NULL, false, false},
	{"CTX_DESTROY, of a waiting one", with_waiting_and_map, context_destroy, NULL, false, false},
	{"RELEASED, for a waiting one", with_waiting_and_released, events, NULL, true, false},
	{"events, after CTX_DESTROY", with_waiting_and_destroyed, events, NULL, true, false},
	{"death, for a waiting one", with_waiting_and_map, death, NULL, true, false},
	{"reset, of a waiting one", with_waiting_and_map, reset, NULL, true, false},
};

/* ---- killing ------------------------------------------------------------------------------------------------ */


static struct rig *new_rig(const struct row *row)
{
	struct rig *rig = mmap(NULL, sizeof(*rig), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(rig != MAP_FAILED);
	rig_begin(rig, NULL, 0, LIMIT, 8);
	row->prepare(rig);
	return rig;
}

static void free_rig(struct rig *rig)
{
	rig_end(rig);
	munmap(rig, sizeof(*rig));
}

/* The part of the state that commands on a handful of objects change. */
#define WATCHED_RESOURCES 8u
struct watched {
	uint8_t fixed[offsetof(struct gpu_state, resource)];
	struct gpu_resource resource[WATCHED_RESOURCES];
	struct gpu_run run[WATCHED_RESOURCES];
	uint64_t charged;
};

/* True if the state differs from *last, which becomes the state. */
static bool changed(const struct rig *rig, struct watched *last)
{
	const struct gpu_state *state = rig->wiring.state;
	uint64_t charged = rig_charged(rig);

	if (charged == last->charged && !memcmp(last->fixed, state, sizeof(last->fixed)) &&
	    !memcmp(last->resource, state->resource, sizeof(last->resource)) &&
	    !memcmp(last->run, state->run, sizeof(last->run)))
		return false;
	memcpy(last->fixed, state, sizeof(last->fixed));
	memcpy(last->resource, state->resource, sizeof(last->resource));
	memcpy(last->run, state->run, sizeof(last->run));
	last->charged = charged;
	return true;
}

static pid_t start(struct rig *rig, const struct row *row)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(99);
		rig->traced = true;
		row->act(rig);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status))
		fail_msg("%s: the child cannot be traced (status %x)", row->name, (unsigned)status);
	return pid;
}

/* One instruction. False once the device has acted, which the child says by SIGSTOP. */
static bool step(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status) || (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP))
		fail_msg("the child neither stepped nor stopped (status %#x)", (unsigned)status);
	return WSTOPSIG(status) == SIGTRAP;
}

static void kill_child(struct rig *rig, pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rig->traced = false;
}

/* Lets the child act until it has made `stores` stores, or to its end. Returns those made. */
static unsigned act_until(struct rig *rig, pid_t pid, unsigned stores, unsigned *ret_steps)
{
	struct watched *last = calloc(1, sizeof(*last));
	unsigned made = 0;

	*ret_steps = 0;
	assert_non_null(last);
	changed(rig, last);
	while (made < stores && step(pid)) {
		++*ret_steps;
		made += changed(rig, last);
	}
	free(last);
	return made;
}

static unsigned count_stores(const struct row *row, unsigned *ret_total)
{
	struct rig *rig = new_rig(row);
	pid_t pid = start(rig, row);
	unsigned count = act_until(rig, pid, UINT_MAX, ret_total);

	kill_child(rig, pid);
	free_rig(rig);
	return count;
}

static void compare(const struct row *row, unsigned at, struct rig *rig, struct rig *reference)
{
	const struct gpu_state *a = rig->wiring.state;
	const struct gpu_state *b = reference->wiring.state;

#define SAME(x, y) do { \
	if ((x) != (y)) \
		fail_msg("%s killed after store %u: %s is %llu, not %llu", row->name, at, #x, (unsigned long long)(x), \
			 (unsigned long long)(y)); \
} while (0)
	SAME(rig_charged(rig), rig_charged(reference));
	SAME(rig_blocks(rig), rig_blocks(reference));
	SAME(rig->vgpu_page->slot[0].contexts, reference->vgpu_page->slot[0].contexts);
	SAME(rig->vgpu_page->slot[0].resources, reference->vgpu_page->slot[0].resources);
	for (unsigned i = 0; i < KEEPER_CONTEXT_MAX; i++) {
		SAME(rig->keeper.kill_wanted[i], reference->keeper.kill_wanted[i]);
		SAME(a->context[i].use, b->context[i].use);
		if (a->context[i].use == GPU_CONTEXT_FREE)
			continue;
		SAME(a->context[i].engine, b->context[i].engine);
		SAME(a->context[i].lost_reason, b->context[i].lost_reason);
		SAME(a->context[i].ring, b->context[i].ring);
		SAME(a->context[i].birth_serial, b->context[i].birth_serial);
		SAME(a->context[i].device_bytes, b->context[i].device_bytes);
		if (a->context[i].engine == GPU_ENGINE_STARTING)
			SAME(rig->keeper.start_wanted[i], reference->keeper.start_wanted[i]);
	}
	for (unsigned i = 0; i < WATCHED_RESOURCES; i++) {
		SAME(a->resource[i].use, b->resource[i].use);
		if (a->resource[i].use == GPU_RESOURCE_FREE)
			continue;
		SAME(a->resource[i].id, b->resource[i].id);
		SAME(a->resource[i].range, b->resource[i].range);
		SAME(a->resource[i].owner, b->resource[i].owner);
		SAME(a->resource[i].attached, b->resource[i].attached);
		SAME(a->resource[i].birth_serial, b->resource[i].birth_serial);
		SAME(a->resource[i].run_count, b->resource[i].run_count);
		if (a->resource[i].range != GPU_RANGE_NONE)
			SAME(a->resource[i].offset, b->resource[i].offset);
	}
	for (unsigned head = 0; head < VIRTQUEUE_SIZE_MAX; head++) {
		if (row->may_answer_early && head == HEAD && !rig->control.outstanding[head])
			continue;
		SAME(rig->control.outstanding[head], reference->control.outstanding[head]);
		SAME(a->pending[head].kind, b->pending[head].kind);
		if (rig->control.outstanding[head] || !reference->control.completions[head])
			continue;
		rig_read_response(rig, (uint16_t)head);
		rig_read_response(reference, (uint16_t)head);
		SAME(rig->response.type, reference->response.type);
		SAME(rig->response.fence_id, reference->response.fence_id);
		SAME(rig->response.written, reference->response.written);
	}
#undef SAME
}

/* Until nothing more happens; an engine that reads at all reads on. */
static void go_on(const struct row *row, struct rig *rig)
{
	for (unsigned i = 0; i < 4; i++) {
		if (row->between)
			row->between(rig);
		rig_run(rig, 0);
	}
}

static void survives(const struct row *row)
{
	unsigned total;
	unsigned count = count_stores(row, &total);
	struct rig *reference = new_rig(row);

	/* The events that follow anyway (a timer that is due) belong to both. */
	row->act(reference);
	go_on(row, reference);
	assert_true(count > 0);
	for (unsigned i = 0; i < count; i++) {
		struct rig *rig = new_rig(row);
		pid_t pid = start(rig, row);
		enum virtqueue_verdict verdict;
		unsigned steps;

		assert_int_equal(act_until(rig, pid, i + 1, &steps), i + 1);
		kill_child(rig, pid);
		if (row->between)
			row->between(rig);
		rig_take_over(rig);
		if (row->event)
			row->act(rig);
		else
			assert_true(rig_replay(rig, &verdict));
		go_on(row, rig);
		compare(row, i + 1, rig, reference);
		/* And once more, by a process killed with nothing in hand. */
		rig_take_over(rig);
		go_on(row, rig);
		compare(row, i + 1, rig, reference);
		free_rig(rig);
	}
	print_message("%-36s %5u instructions, killed after each of %3u stores\n", row->name, total, count);
	free_rig(reference);
}

static void a_kill_after_any_store_changes_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		survives(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_after_any_store_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
