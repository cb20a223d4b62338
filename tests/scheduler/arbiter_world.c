/* SPDX-License-Identifier: MIT */
#include "tests/scheduler/arbiter_world.h"

#include <string.h>

/* Called first and last by each operation: a death between two effects is one of both sides. */
static void count_call(struct world *world)
{
	if (++world->calls == world->dies_at)
		longjmp(world->death, 1);
}

static void on_wake(struct lease_grant *grant, void *data)
{
	(void)grant;
	count_call(data);
}

static void on_overrun(void *owner, uint64_t held_ns, void *data)
{
	struct world_vgpu *vgpu = owner;

	(void)held_ns;
	vgpu->overruns++;
	count_call(data);
}

static int on_freeze(void *owner, enum freeze_depth depth, void *data)
{
	struct world_vgpu *vgpu = owner;
	struct world *world = data;

	count_call(world);
	if (depth != FREEZE_NOTHING && vgpu->freeze_error)
		return vgpu->freeze_error;
	if (depth != FREEZE_NOTHING)
		world->now_ns += world->freeze_takes_ns;
	vgpu->depth = depth;
	count_call(world);
	return 0;
}

static uint64_t on_cpu(void *owner, void *data)
{
	const struct world_vgpu *vgpu = owner;

	(void)data;
	return vgpu->cpu_ns;
}

static void on_hang(void *owner, void *engine_owner, uint64_t lease_ns, void *data)
{
	struct world_vgpu *vgpu = owner;

	(void)lease_ns;
	assert_ptr_equal(engine_owner, &vgpu->status);
	vgpu->hangs++;
	count_call(data);
}

static void on_squat(void *owner, uint64_t cpu_ns, void *data)
{
	struct world_vgpu *vgpu = owner;

	assert_true(cpu_ns > ARBITER_SQUAT_NS);
	vgpu->squats++;
	count_call(data);
}

static uint64_t on_clock(void *data)
{
	const struct world *world = data;

	return world->now_ns;
}

static void on_note(void *owner, enum trace_kind kind, uint64_t value, uint64_t kernel_id, uint64_t now_ns, void *data)
{
	(void)owner, (void)kind, (void)value, (void)kernel_id, (void)now_ns;
	count_call(data);
}

static const struct arbiter_ops ops = {
	.wake = on_wake,
	.overrun = on_overrun,
	.freeze = on_freeze,
	.cpu_ns = on_cpu,
	.hang = on_hang,
	.squat = on_squat,
	.clock_ns = on_clock,
	.note = on_note,
};

static void hear_all(struct world *world, uint64_t leases)
{
	char why[ADMISSION_WHY_BYTES];

	world->arbiter = arbiter_create(&world->settings, &ops, world);
	assert_non_null(world->arbiter);
	arbiter_set_hold(world->arbiter, true);
	struct run_queue_settings queue = *arbiter_queue_settings(world->arbiter);
	queue.leases = (uint32_t)leases;
	assert_int_equal(arbiter_configure(world->arbiter, &queue, world->now_ns, why), 0);
	for (unsigned i = 0; i < world->count; i++) {
		struct world_vgpu *vgpu = &world->vgpu[i];
		vgpu->entity = arbiter_add(world->arbiter, &vgpu->grant, vgpu, world->now_ns);
		assert_non_null(vgpu->entity);
		assert_int_equal(arbiter_keep(vgpu->entity, vgpu->records, world->now_ns, why), 0);
		vgpu->engine = arbiter_engine_add(vgpu->entity, &vgpu->status, &vgpu->status);
		assert_non_null(vgpu->engine);
	}
	arbiter_set_hold(world->arbiter, false);
}

void world_begin(struct world *world, unsigned count, uint64_t leases)
{
	memset(world, 0, sizeof(*world));
	world->settings = (struct arbiter_settings){
		.slice_ns = WORLD_SLICE_NS, .overrun_grace_ns = ARBITER_OVERRUN_GRACE_NS, .freezes = true, .processors = 4};
	world->count = count;
	world->now_ns = 1000 * MS;
	for (unsigned i = 0; i < count; i++) {
		world->vgpu[i].world = world;
		world->vgpu[i].grant.magic = LEASE_MAGIC;
		world->vgpu[i].grant.version = LEASE_VERSION;
	}
	hear_all(world, leases);
}

void world_end(struct world *world)
{
	arbiter_destroy(world->arbiter);
}

void world_start_over(struct world *world, uint64_t leases)
{
	arbiter_destroy(world->arbiter);	/* says nothing to anybody */
	hear_all(world, leases);
}

uint64_t world_run(struct world *world)
{
	uint64_t next_ns = arbiter_run(world->arbiter, world->now_ns);
	uint64_t leases = arbiter_queue_settings(world->arbiter)->leases;
	uint64_t holders = 0;

	for (unsigned i = 0; i < world->count; i++) {
		holders += world_holds(world, i);
		assert_int_equal(world->vgpu[i].grant.frozen != LEASE_THAWED, world_is_frozen(world, i));
	}
	assert_true(holders <= leases);
	return next_ns;
}

bool world_run_to_death(struct world *world, unsigned dies_at)
{
	world->calls = 0;
	world->dies_at = dies_at;
	bool died = setjmp(world->death);
	if (!died)
		arbiter_run(world->arbiter, world->now_ns);
	world->dies_at = 0;
	return died;
}

uint32_t world_flags(const struct world *world, unsigned i)
{
	return lease_word_flags(world->vgpu[i].grant.word);
}

bool world_is_frozen(const struct world *world, unsigned i)
{
	return world->vgpu[i].depth != FREEZE_NOTHING;
}

bool world_holds(const struct world *world, unsigned i)
{
	return (world_flags(world, i) & LEASE_GRANTED) && !world_is_frozen(world, i);
}

void world_want(struct world *world, unsigned i)
{
	world->vgpu[i].status.state = LEASE_WANT;
}

bool world_enter(struct world *world, unsigned i)
{
	if (!world_holds(world, i) || (world_flags(world, i) & LEASE_REVOKE))
		return false;
	world->vgpu[i].status.run_epoch = lease_word_epoch(world->vgpu[i].grant.word);
	world->vgpu[i].status.state = LEASE_RUN;
	return true;
}

void world_idle(struct world *world, unsigned i)
{
	world->vgpu[i].status.state = LEASE_IDLE;
}

struct arbiter_usage world_usage(const struct world *world, unsigned i)
{
	struct arbiter_usage usage;

	arbiter_usage(world->vgpu[i].entity, world->now_ns, &usage);
	return usage;
}
