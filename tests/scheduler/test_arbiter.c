/* SPDX-License-Identifier: MIT */
/* The arbiter under a virtual clock: engines are status pages moved by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "scheduler/arbiter.h"

#define MS 1000000ull
#define VGPUS 3

static const struct arbiter_settings settings = {.slice_ns = 4 * MS, .overrun_grace_ns = 10 * MS};

struct world {
	struct arbiter *arbiter;
	struct lease_grant grant[VGPUS];
	struct lease_status status[VGPUS];
	struct arbiter_entity *entity[VGPUS];
	struct arbiter_engine *engine[VGPUS];
	unsigned wakes;
	unsigned overruns;
	const void *overrun_owner;
	uint64_t overrun_ns;
	uint64_t now_ns;
};

static void on_wake(struct lease_grant *grant, void *data)
{
	struct world *world = data;

	(void)grant;
	world->wakes++;
}

static void on_overrun(void *owner, uint64_t held_ns, void *data)
{
	struct world *world = data;

	world->overruns++;
	world->overrun_owner = owner;
	world->overrun_ns = held_ns;
}

static const struct arbiter_ops ops = {.wake = on_wake, .overrun = on_overrun};

static void add(struct world *world, unsigned i)
{
	world->entity[i] = arbiter_add(world->arbiter, &world->grant[i], &world->grant[i], world->now_ns);
	assert_non_null(world->entity[i]);
	world->engine[i] = arbiter_engine_add(world->entity[i], &world->status[i], NULL);
	assert_non_null(world->engine[i]);
}

static void begin(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->now_ns = 1000 * MS;
	world->arbiter = arbiter_create(&settings, &ops, world);
	for (unsigned i = 0; i < VGPUS; i++) {
		world->grant[i].magic = LEASE_MAGIC;
		world->grant[i].version = LEASE_VERSION;
		add(world, i);
	}
}

static void end(struct world *world)
{
	arbiter_destroy(world->arbiter);
}

static uint32_t flags(const struct world *world, unsigned i)
{
	return lease_word_flags(world->grant[i].word);
}

static void want(struct world *world, unsigned i)
{
	world->status[i].state = LEASE_WANT;
}

/* Enters RUN as lease.c does, if it may. */
static bool enter(struct world *world, unsigned i)
{
	if (!(flags(world, i) & LEASE_GRANTED) || (flags(world, i) & LEASE_REVOKE))
		return false;
	world->status[i].run_epoch = lease_word_epoch(world->grant[i].word);
	world->status[i].state = LEASE_RUN;
	return true;
}

static void idle(struct world *world, unsigned i)
{
	world->status[i].state = LEASE_IDLE;
}

static unsigned holders(const struct world *world)
{
	unsigned count = 0;

	for (unsigned i = 0; i < VGPUS; i++)
		count += !!(flags(world, i) & LEASE_GRANTED);
	return count;
}

static uint64_t used_ns(const struct world *world, unsigned i)
{
	struct arbiter_usage usage;

	arbiter_usage(world->entity[i], world->now_ns, &usage);
	return usage.gpu_time_ns;
}

static void a_lone_vgpu_holds_an_open_lease(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	assert_int_equal(arbiter_run(world.arbiter, world.now_ns), 0);
	assert_int_equal(holders(&world), 0);
	want(&world, 1);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 1), LEASE_GRANTED);
	assert_int_equal(world.grant[1].deadline_ns, 0);
	assert_int_equal(world.wakes, 1);
	/* It keeps it over hours, idle or not, in one grant. */
	assert_true(enter(&world, 1));
	for (int hour = 0; hour < 5; hour++) {
		world.now_ns += 3600000 * MS;
		if (hour == 3)
			idle(&world, 1);
		arbiter_run(world.arbiter, world.now_ns);
	}
	assert_int_equal(flags(&world, 1), LEASE_GRANTED);
	assert_int_equal(world.grant[1].grants, 1);
	end(&world);
}

static void an_open_lease_is_charged_what_engines_say_and_never_more_than_wall_time(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	world.now_ns += 100 * MS;
	world.status[0].busy_ns += 30 * MS;
	assert_int_equal(used_ns(&world, 0), 30 * MS);
	world.status[0].busy_ns += 100000 * MS;	/* a lie */
	assert_int_equal(used_ns(&world, 0), 100 * MS);
	world.status[0].busy_ns = 0;	/* another */
	assert_int_equal(used_ns(&world, 0), 0);
	end(&world);
}

static void a_second_arrival_sets_a_deadline_and_takes_over_when_the_holder_releases(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	world.now_ns += 50 * MS;
	want(&world, 1);
	uint64_t next_ns = arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), LEASE_GRANTED | LEASE_CONTENDED);
	assert_int_equal(world.grant[0].deadline_ns, world.now_ns + 4 * MS);
	assert_int_equal(next_ns, world.now_ns + 4 * MS);
	assert_int_equal(flags(&world, 1), 0);

	world.now_ns = next_ns;
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), LEASE_GRANTED | LEASE_CONTENDED | LEASE_REVOKE);
	assert_int_equal(holders(&world), 1);	/* it is still in RUN */

	world.now_ns += MS;
	want(&world, 0);	/* released, with more to do */
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), 0);
	assert_int_equal(flags(&world, 1), LEASE_GRANTED | LEASE_CONTENDED);
	assert_int_equal(used_ns(&world, 0), 5 * MS);	/* contended: by wall time, the overrun included */
	assert_int_equal(world.grant[0].overruns, 0);
	end(&world);
}

/* Its engine wants, but not in what is left of this lease: the next one has that, and it is served again. */
static void who_passes_the_rest_of_its_turn_ends_it_and_goes_on_wanting(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	want(&world, 1);
	uint64_t deadline_ns = arbiter_run(world.arbiter, world.now_ns);
	world.now_ns += MS;
	want(&world, 0);	/* it passed an earlier grant: that ends nothing */
	world.status[0].passed = lease_word_epoch(world.grant[0].word);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), LEASE_GRANTED | LEASE_CONTENDED);
	world.status[0].passed = (uint64_t)lease_word_epoch(world.grant[0].word) + 1;
	assert_true(world.now_ns < deadline_ns);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), 0);
	assert_int_equal(flags(&world, 1), LEASE_GRANTED | LEASE_CONTENDED);
	assert_int_equal(used_ns(&world, 0), MS);

	enter(&world, 1);
	idle(&world, 1);
	arbiter_run(world.arbiter, world.now_ns);
	assert_true(flags(&world, 0) & LEASE_GRANTED);
	arbiter_run(world.arbiter, world.now_ns);
	assert_true(flags(&world, 0) & LEASE_GRANTED);
	end(&world);
}

static int freeze_nothing(void *owner, enum freeze_depth depth, void *data)
{
	(void)owner;
	(void)depth;
	(void)data;
	return 0;
}

/* Of what can be stopped nothing needs to be split. */
static void a_grant_asks_for_pieces_where_nothing_can_be_frozen(void **state)
{
	static const struct arbiter_ops freezing_ops = {.wake = on_wake, .overrun = on_overrun, .freeze = freeze_nothing};
	struct world world;

	(void)state;
	for (unsigned freezes = 0; freezes < 2; freezes++) {
		struct arbiter_settings these = settings;
		memset(&world, 0, sizeof(world));
		world.now_ns = 1000 * MS;
		these.freezes = freezes;
		world.arbiter = arbiter_create(&these, &freezing_ops, &world);
		for (unsigned i = 0; i < VGPUS; i++) {
			world.grant[i].magic = LEASE_MAGIC;
			world.grant[i].version = LEASE_VERSION;
			world.grant[i].chunk_ns = 77;
			add(&world, i);
		}
		want(&world, 0);
		arbiter_run(world.arbiter, world.now_ns);
		enter(&world, 0);
		want(&world, 1);
		arbiter_run(world.arbiter, world.now_ns);
		assert_true(flags(&world, 0) & LEASE_CONTENDED);
		if (freezes)
			assert_int_equal(world.grant[0].chunk_ns, 0);
		else
			assert_in_range(world.grant[0].chunk_ns, 100000, 4 * MS);
		end(&world);
	}
}

static void an_idle_holder_loses_the_lease_at_once(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	idle(&world, 0);
	want(&world, 2);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), 0);
	assert_int_equal(flags(&world, 2), LEASE_GRANTED);
	assert_int_equal(world.grant[2].deadline_ns, 0);
	end(&world);
}

static void three_that_want_take_turns(void **state)
{
	struct world world;
	uint64_t start_ns;

	(void)state;
	begin(&world);
	start_ns = world.now_ns;
	for (unsigned i = 0; i < VGPUS; i++)
		want(&world, i);
	for (unsigned turn = 0; turn < 300; turn++) {
		uint64_t next_ns = arbiter_run(world.arbiter, world.now_ns);
		assert_int_equal(holders(&world), 1);
		assert_true(enter(&world, turn % VGPUS));
		world.now_ns = next_ns;
		arbiter_run(world.arbiter, world.now_ns);
		want(&world, turn % VGPUS);
	}
	arbiter_run(world.arbiter, world.now_ns);
	for (unsigned i = 0; i < VGPUS; i++)
		assert_int_equal(used_ns(&world, i), (world.now_ns - start_ns) / VGPUS);
	end(&world);
}

static void an_overrun_is_waited_for_counted_once_and_charged(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	want(&world, 1);
	uint64_t granted_ns = world.now_ns;
	uint64_t next_ns = arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	world.now_ns = next_ns;
	next_ns = arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(next_ns, granted_ns + 14 * MS);	/* the grace */
	world.now_ns = next_ns;
	assert_int_equal(arbiter_run(world.arbiter, world.now_ns), 0);	/* on an event only */
	for (int i = 0; i < 50; i++) {
		world.now_ns += 20 * MS;
		arbiter_run(world.arbiter, world.now_ns);
	}
	assert_int_equal(world.overruns, 1);
	assert_ptr_equal(world.overrun_owner, &world.grant[0]);
	assert_int_equal(world.overrun_ns, 14 * MS);
	assert_int_equal(world.grant[0].overruns, 1);
	assert_int_equal(flags(&world, 1), 0);	/* nobody else was granted */
	idle(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 1), LEASE_GRANTED);
	assert_int_equal(used_ns(&world, 0), world.now_ns - granted_ns);
	end(&world);
}

static void a_lease_is_open_again_when_who_waited_is_gone(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	want(&world, 1);
	arbiter_run(world.arbiter, world.now_ns);
	assert_true(flags(&world, 0) & LEASE_CONTENDED);
	arbiter_engine_remove(world.entity[1], world.engine[1], world.now_ns);	/* it died */
	world.now_ns += MS;
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), LEASE_GRANTED);
	assert_int_equal(world.grant[0].deadline_ns, 0);
	assert_int_equal(used_ns(&world, 0), MS);
	end(&world);
}

static void an_engine_that_dies_in_run_frees_the_gpu(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	want(&world, 1);
	arbiter_run(world.arbiter, world.now_ns);
	arbiter_engine_remove(world.entity[0], world.engine[0], world.now_ns);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), 0);
	assert_int_equal(flags(&world, 1), LEASE_GRANTED);
	end(&world);
}

static void an_engine_that_enters_too_late_is_waited_for(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	uint32_t epoch = lease_word_epoch(world.grant[0].word);
	enter(&world, 0);
	idle(&world, 0);
	want(&world, 1);
	/* It has read the word and is about to store RUN while the arbiter takes the lease back: after the store of the word, RUN is seen. */
	world.status[0].run_epoch = epoch;
	world.grant[0].word = lease_word(epoch + 1, 0);
	world.status[0].state = LEASE_RUN;
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(holders(&world), 0);
	want(&world, 0);	/* it has read the word again */
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(holders(&world), 1);
	end(&world);
}

static void a_run_of_an_old_epoch_holds_nobody_up(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.grant[0].word = lease_word(100, 0);
	world.status[0].run_epoch = 50;
	world.status[0].state = LEASE_RUN;
	want(&world, 1);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 1), LEASE_GRANTED);
	end(&world);
}

/* A new arbiter over the pages of one that was killed at any point of a contended hand-over. */
static void an_arbiter_that_starts_over_goes_on(void **state)
{
	for (unsigned killed_at = 0; killed_at < 5; killed_at++) {
		struct world world;
		(void)state;
		begin(&world);
		want(&world, 0);
		arbiter_run(world.arbiter, world.now_ns);
		uint64_t granted_ns = world.now_ns;
		enter(&world, 0);
		if (killed_at >= 1) {
			want(&world, 1);
			arbiter_run(world.arbiter, world.now_ns);
		}
		if (killed_at >= 2) {
			world.now_ns += 4 * MS;
			arbiter_run(world.arbiter, world.now_ns);
		}
		if (killed_at >= 3)	/* between taking back and seeing the release */
			world.grant[0].word = lease_word(lease_word_epoch(world.grant[0].word) + 1, 0);
		arbiter_destroy(world.arbiter);
		world.arbiter = arbiter_create(&settings, &ops, &world);
		arbiter_set_hold(world.arbiter, true);
		world.now_ns += 100 * MS;
		want(&world, 2);
		add(&world, 2);	/* heard first: it must not be granted before the holder was heard */
		arbiter_run(world.arbiter, world.now_ns);
		assert_int_equal(flags(&world, 2), 0);
		add(&world, 1);
		add(&world, 0);
		arbiter_set_hold(world.arbiter, false);
		arbiter_run(world.arbiter, world.now_ns);
		assert_int_equal(flags(&world, 2), 0);	/* engine 0 is still in RUN */
		if (killed_at == 4)
			want(&world, 0);
		else
			idle(&world, 0);
		world.now_ns += MS;
		arbiter_run(world.arbiter, world.now_ns);
		assert_int_equal(holders(&world), 1);
		assert_true(flags(&world, 2) & LEASE_GRANTED || flags(&world, 1) & LEASE_GRANTED);
		if (killed_at >= 1)	/* contended before the kill: charged through it, nothing lost */
			assert_int_equal(used_ns(&world, 0), world.now_ns - granted_ns);
		end(&world);
	}
}

static void an_open_lease_loses_no_time_when_the_arbiter_starts_over(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	world.status[0].busy_ns = 7 * MS;	/* of an engine that is new, but has counted */
	arbiter_engine_remove(world.entity[0], world.engine[0], world.now_ns);
	world.engine[0] = arbiter_engine_add(world.entity[0], &world.status[0], NULL);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	world.now_ns += 500 * MS;
	world.status[0].busy_ns += 300 * MS;
	assert_int_equal(used_ns(&world, 0), 300 * MS);
	arbiter_destroy(world.arbiter);
	world.arbiter = arbiter_create(&settings, &ops, &world);
	arbiter_set_hold(world.arbiter, true);
	world.now_ns += 200 * MS;
	world.status[0].busy_ns += 100 * MS;
	add(&world, 0);
	arbiter_set_hold(world.arbiter, false);
	assert_int_equal(used_ns(&world, 0), 400 * MS);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(used_ns(&world, 0), 400 * MS);
	end(&world);
}

static void two_pages_that_say_granted_end_as_one(void **state)
{
	struct world world = {.now_ns = MS};

	(void)state;
	world.arbiter = arbiter_create(&settings, &ops, &world);
	for (unsigned i = 0; i < 2; i++) {
		world.grant[i].magic = LEASE_MAGIC;
		world.grant[i].version = LEASE_VERSION;
		world.grant[i].word = lease_word(7, LEASE_GRANTED);
		add(&world, i);
	}
	assert_int_equal(holders(&world), 1);
	end(&world);
}

/* The one before died between the word and the wake-up. */
static void an_arbiter_that_starts_over_wakes_who_was_granted_the_lease(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	arbiter_destroy(world.arbiter);
	world.wakes = 0;
	world.arbiter = arbiter_create(&settings, &ops, &world);
	add(&world, 0);
	assert_true(world.wakes > 0);
	end(&world);
}

/* Whose engine came too late counts as a lease until it has said so. Then it waits, and the holder, asked before, has a deadline. */
static void who_came_too_late_and_waits_on_is_seen_by_the_holder_in_the_same_run(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	world.status[1].run_epoch = lease_word_epoch(world.grant[1].word) - 1;
	world.status[1].state = LEASE_RUN;
	arbiter_run(world.arbiter, world.now_ns);
	want(&world, 1);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 0), LEASE_GRANTED | LEASE_CONTENDED);
	end(&world);
}

static int on_freeze_in_vain(void *owner, enum freeze_depth depth, void *data)
{
	(void)owner;
	(void)data;
	return depth == FREEZE_NOTHING ? 0 : -EIO;
}

static void who_was_frozen_and_cannot_be_any_more_holds_its_lease_and_nobody_else(void **state)
{
	const struct arbiter_ops cannot = {.wake = on_wake, .overrun = on_overrun, .freeze = on_freeze_in_vain};
	struct world world;

	(void)state;
	begin(&world);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	enter(&world, 0);
	world.grant[0].frozen = LEASE_FROZEN_AT_END;	/* as one that could freeze left it */
	arbiter_destroy(world.arbiter);
	world.arbiter = arbiter_create(&settings, &cannot, &world);
	arbiter_set_hold(world.arbiter, true);
	add(&world, 0);
	add(&world, 1);
	want(&world, 1);
	idle(&world, 0);
	arbiter_set_hold(world.arbiter, false);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(world.grant[0].frozen, LEASE_THAWED);
	assert_int_equal(holders(&world), 1);
	end(&world);
}

static void a_page_of_another_version_is_refused(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	struct lease_grant other = {.magic = LEASE_MAGIC, .version = LEASE_VERSION + 1};
	assert_null(arbiter_add(world.arbiter, &other, NULL, world.now_ns));
	end(&world);
}

static void members_leave_in_any_order_and_turns_go_on(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	for (unsigned i = 0; i < VGPUS; i++)
		want(&world, i);
	arbiter_run(world.arbiter, world.now_ns);
	assert_true(flags(&world, 0) & LEASE_GRANTED);
	arbiter_remove(world.arbiter, world.entity[0], world.now_ns);
	arbiter_run(world.arbiter, world.now_ns);
	assert_true(flags(&world, 1) & LEASE_GRANTED);
	arbiter_remove(world.arbiter, world.entity[2], world.now_ns);
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(flags(&world, 1), LEASE_GRANTED);	/* alone now: open */
	arbiter_remove(world.arbiter, world.entity[1], world.now_ns);
	assert_int_equal(arbiter_run(world.arbiter, world.now_ns), 0);
	end(&world);
}

/* Backlogged turns of all three for so long. */
static void take_turns(struct world *world, uint64_t until_ns)
{
	while (world->now_ns < until_ns) {
		uint64_t next_ns = arbiter_run(world->arbiter, world->now_ns);
		unsigned holder = 0;
		while (holder < VGPUS && !enter(world, holder))
			holder++;
		assert_int_not_equal(holder, VGPUS);
		world->now_ns = next_ns;
		arbiter_run(world->arbiter, world->now_ns);
		want(world, holder);
	}
}

static void turns_follow_weights(void **state)
{
	struct world world;
	struct entity_settings share = entity_defaults();
	char why[ADMISSION_WHY_BYTES];

	(void)state;
	begin(&world);
	for (unsigned i = 0; i < VGPUS; i++) {
		want(&world, i);
		share.weight = 1024u << i;
		assert_int_equal(arbiter_edit(world.entity[i], &share, world.now_ns, why), 0);
	}
	take_turns(&world, world.now_ns + 7000 * MS);
	for (unsigned i = 0; i < VGPUS; i++)
		assert_in_range(used_ns(&world, i), (1000u << i) * MS - 8 * MS, (1000u << i) * MS + 8 * MS);
	share.weight = 0;
	assert_int_not_equal(arbiter_edit(world.entity[0], &share, world.now_ns, why), 0);
	end(&world);
}

static void a_debt_outlives_the_arbiter(void **state)
{
	static struct entity_record records[VGPUS][2];
	struct world world;
	char why[ADMISSION_WHY_BYTES];

	(void)state;
	memset(records, 0, sizeof(records));
	begin(&world);
	for (unsigned i = 0; i < VGPUS; i++) {
		assert_int_equal(arbiter_keep(world.entity[i], records[i], world.now_ns, why), 0);
		want(&world, i);
	}
	arbiter_run(world.arbiter, world.now_ns);
	assert_true(enter(&world, 0));
	world.now_ns += 60 * MS;	/* of 4 */
	arbiter_run(world.arbiter, world.now_ns);
	want(&world, 0);
	arbiter_run(world.arbiter, world.now_ns);
	arbiter_destroy(world.arbiter);	/* as if killed: nothing is said to it */
	world.arbiter = arbiter_create(&settings, &ops, &world);
	for (unsigned i = 0; i < VGPUS; i++) {
		add(&world, i);
		assert_int_equal(arbiter_keep(world.entity[i], records[i], world.now_ns, why), 0);
	}
	uint64_t had_ns = used_ns(&world, 0);
	take_turns(&world, world.now_ns + 60 * MS);
	assert_int_equal(used_ns(&world, 0), had_ns);	/* it pays */
	take_turns(&world, world.now_ns + 100 * MS);
	assert_true(used_ns(&world, 0) > had_ns);
	end(&world);
}

/* A processor parent whose member 1 uses half of one, without a lease; what is frozen is the page's to say. */
static int on_freeze(void *owner, enum freeze_depth depth, void *data)
{
	(void)owner;
	(void)depth;
	(void)data;
	return 0;
}

static uint64_t on_cpu(void *owner, void *data)
{
	const struct world *world = data;

	return owner == &world->grant[1] ? world->now_ns / 2 : 0;
}

static void who_is_stopped_for_working_without_a_lease_gets_that_of_one_that_idles_unasked(void **state)
{
	static const struct arbiter_ops cpu_ops = {.wake = on_wake, .freeze = on_freeze, .cpu_ns = on_cpu};
	struct arbiter_settings cpu = settings;
	struct world world;
	uint64_t next_ns;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.now_ns = 1000 * MS;
	cpu.freezes = true;
	cpu.processors = 2;
	world.arbiter = arbiter_create(&cpu, &cpu_ops, &world);
	for (unsigned i = 0; i < 2; i++) {
		world.grant[i].magic = LEASE_MAGIC;
		world.grant[i].version = LEASE_VERSION;
		add(&world, i);
	}
	/* An open lease whose only engine ends: nobody is left to say anything. */
	want(&world, 0);
	next_ns = arbiter_run(world.arbiter, world.now_ns);
	arbiter_engine_remove(world.entity[0], world.engine[0], world.now_ns);
	while (!world.grant[1].frozen) {
		assert_int_not_equal(next_ns, 0);
		world.now_ns = next_ns;
		next_ns = arbiter_run(world.arbiter, world.now_ns);
	}
	/* Whoever calls when he was told to, and on no event, sees it go on. */
	for (unsigned turn = 0; turn < 100 && world.grant[1].frozen; turn++) {
		assert_int_not_equal(next_ns, 0);
		world.now_ns = next_ns;
		next_ns = arbiter_run(world.arbiter, world.now_ns);
	}
	assert_int_equal(world.grant[1].frozen, LEASE_THAWED);
	assert_true(flags(&world, 1) & LEASE_GRANTED);
	end(&world);
}

static void an_overrun_is_not_stopped_where_the_parent_is_no_processor(void **state)
{
	static const struct arbiter_ops device_ops = {.wake = on_wake, .overrun = on_overrun, .freeze = on_freeze};
	struct world world;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.now_ns = 1000 * MS;
	world.arbiter = arbiter_create(&settings, &device_ops, &world);
	for (unsigned i = 0; i < 2; i++) {
		world.grant[i].magic = LEASE_MAGIC;
		world.grant[i].version = LEASE_VERSION;
		add(&world, i);
		want(&world, i);
	}
	arbiter_run(world.arbiter, world.now_ns);
	assert_true(enter(&world, 0));
	world.now_ns += 4 * MS;
	arbiter_run(world.arbiter, world.now_ns);
	world.now_ns += 11 * MS;
	arbiter_run(world.arbiter, world.now_ns);
	assert_int_equal(world.overruns, 1);
	assert_int_equal(world.grant[0].frozen, LEASE_THAWED);
	assert_false(flags(&world, 1) & LEASE_GRANTED);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lone_vgpu_holds_an_open_lease),
		cmocka_unit_test(turns_follow_weights),
		cmocka_unit_test(a_debt_outlives_the_arbiter),
		cmocka_unit_test(an_overrun_is_not_stopped_where_the_parent_is_no_processor),
		cmocka_unit_test(who_is_stopped_for_working_without_a_lease_gets_that_of_one_that_idles_unasked),
		cmocka_unit_test(an_open_lease_is_charged_what_engines_say_and_never_more_than_wall_time),
		cmocka_unit_test(a_second_arrival_sets_a_deadline_and_takes_over_when_the_holder_releases),
		cmocka_unit_test(who_passes_the_rest_of_its_turn_ends_it_and_goes_on_wanting),
		cmocka_unit_test(a_grant_asks_for_pieces_where_nothing_can_be_frozen),
		cmocka_unit_test(an_idle_holder_loses_the_lease_at_once),
		cmocka_unit_test(three_that_want_take_turns),
		cmocka_unit_test(an_overrun_is_waited_for_counted_once_and_charged),
		cmocka_unit_test(a_lease_is_open_again_when_who_waited_is_gone),
		cmocka_unit_test(an_engine_that_dies_in_run_frees_the_gpu),
		cmocka_unit_test(an_engine_that_enters_too_late_is_waited_for),
		cmocka_unit_test(a_run_of_an_old_epoch_holds_nobody_up),
		cmocka_unit_test(an_arbiter_that_starts_over_goes_on),
		cmocka_unit_test(an_open_lease_loses_no_time_when_the_arbiter_starts_over),
		cmocka_unit_test(two_pages_that_say_granted_end_as_one),
		cmocka_unit_test(an_arbiter_that_starts_over_wakes_who_was_granted_the_lease),
		cmocka_unit_test(who_came_too_late_and_waits_on_is_seen_by_the_holder_in_the_same_run),
		cmocka_unit_test(who_was_frozen_and_cannot_be_any_more_holds_its_lease_and_nobody_else),
		cmocka_unit_test(a_page_of_another_version_is_refused),
		cmocka_unit_test(members_leave_in_any_order_and_turns_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
