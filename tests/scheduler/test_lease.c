/* SPDX-License-Identifier: MIT */
/* The engine's side of the lease, against an arbiter played by the test; the exclusion it promises is hammered. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "scheduler/lease.h"

struct scene {
	struct lease_grant grant;
	struct lease_status status;
	struct lease_holder holder;
	int want;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void set_word(struct lease_grant *grant, uint64_t word)
{
	atomic_store(&grant->word, word);
	syscall(SYS_futex, (const uint32_t *)(const void *)&grant->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->grant.magic = LEASE_MAGIC;
	s->grant.version = LEASE_VERSION;
	s->want = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(s->want >= 0);
	assert_int_equal(lease_holder_init(&s->holder, &s->grant, &s->status, s->want), 0);
	s->status.heard = 1;
}

static void scene_finish(struct scene *s)
{
	close(s->want);
}

/* How often the want eventfd was written since the last look. */
static uint64_t wants(struct scene *s)
{
	uint64_t count = 0;

	return read(s->want, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void a_page_of_another_version_is_refused(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	s.grant.version = LEASE_VERSION + 1;
	assert_int_equal(lease_holder_init(&s.holder, &s.grant, &s.status, s.want), -EPROTO);
	s.grant.version = LEASE_VERSION;
	s.grant.magic = 0;
	assert_int_equal(lease_holder_init(&s.holder, &s.grant, &s.status, s.want), -EPROTO);
	scene_finish(&s);
}

static void an_open_lease_is_taken_and_given_back_in_silence(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	set_word(&s.grant, lease_word(7, LEASE_GRANTED));
	for (int i = 0; i < 100; i++) {
		assert_int_equal(lease_take(&s.holder, 1000), 0);
		assert_int_equal(atomic_load(&s.status.state), LEASE_RUN);
		assert_int_equal(atomic_load(&s.status.run_epoch), 7);
		assert_false(lease_must_stop(&s.holder, now_ns()));
		lease_release(&s.holder, false);
		assert_int_equal(atomic_load(&s.status.state), LEASE_IDLE);
	}
	assert_int_equal(wants(&s), 0);
	scene_finish(&s);
}

static void taking_without_a_grant_tells_once_and_times_out(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	uint64_t start_ns = now_ns();
	assert_int_equal(lease_take(&s.holder, 30), -ETIMEDOUT);
	assert_true(now_ns() - start_ns >= 29000000);
	assert_int_equal(atomic_load(&s.status.state), LEASE_WANT);
	assert_int_equal(wants(&s), 1);
	set_word(&s.grant, lease_word(1, LEASE_GRANTED | LEASE_REVOKE));
	assert_int_equal(lease_take(&s.holder, 30), -ETIMEDOUT);
	lease_release(&s.holder, false);
	assert_int_equal(atomic_load(&s.status.state), LEASE_IDLE);
	scene_finish(&s);
}

static void a_deadline_counts_only_while_somebody_waits(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	set_word(&s.grant, lease_word(1, LEASE_GRANTED));
	assert_int_equal(lease_take(&s.holder, 1000), 0);
	atomic_store(&s.grant.deadline_ns, 1000);
	assert_false(lease_must_stop(&s.holder, 2000));
	set_word(&s.grant, lease_word(1, LEASE_GRANTED | LEASE_CONTENDED));
	assert_false(lease_must_stop(&s.holder, 999));
	assert_true(lease_must_stop(&s.holder, 1000));
	atomic_store(&s.grant.deadline_ns, 0);
	assert_false(lease_must_stop(&s.holder, UINT64_MAX));
	wants(&s);
	lease_release(&s.holder, true);
	assert_int_equal(atomic_load(&s.status.state), LEASE_WANT);
	assert_int_equal(wants(&s), 1);
	scene_finish(&s);
}

static void a_revoked_or_regranted_lease_must_stop(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	assert_true(lease_must_stop(&s.holder, 0));
	set_word(&s.grant, lease_word(1, LEASE_GRANTED));
	assert_int_equal(lease_take(&s.holder, 1000), 0);
	set_word(&s.grant, lease_word(1, LEASE_GRANTED | LEASE_REVOKE));
	assert_true(lease_must_stop(&s.holder, 0));
	set_word(&s.grant, lease_word(2, LEASE_GRANTED));
	assert_true(lease_must_stop(&s.holder, 0));
	set_word(&s.grant, lease_word(1, 0));
	assert_true(lease_must_stop(&s.holder, 0));
	wants(&s);
	lease_release(&s.holder, false);
	assert_int_equal(wants(&s), 1);
	assert_true(lease_must_stop(&s.holder, 0));
	scene_finish(&s);
}

static void *grant_later(void *data)
{
	struct scene *s = data;
	struct pollfd want = {.fd = s->want, .events = POLLIN};

	/* As the arbiter: told by the eventfd, it finds WANT in the page. */
	if (poll(&want, 1, 5000) == 1 && atomic_load(&s->status.state) == LEASE_WANT) {
		usleep(20000);
		set_word(&s->grant, lease_word(9, LEASE_GRANTED));
	}
	return NULL;
}

static void a_sleeping_engine_is_woken_by_its_grant(void **state)
{
	struct scene s;
	pthread_t arbiter;

	(void)state;
	scene_init(&s);
	assert_int_equal(pthread_create(&arbiter, NULL, grant_later, &s), 0);
	assert_int_equal(lease_take(&s.holder, 5000), 0);
	assert_int_equal(s.holder.epoch, 9);
	pthread_join(arbiter, NULL);
	scene_finish(&s);
}

static void who_passed_waits_for_another_grant_or_for_nobody_to_wait(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	set_word(&s.grant, lease_word(4, LEASE_GRANTED | LEASE_CONTENDED));
	assert_int_equal(lease_take(&s.holder, 1000), 0);
	wants(&s);
	lease_pass(&s.holder);
	assert_int_equal(atomic_load(&s.status.state), LEASE_WANT);
	assert_int_equal(atomic_load(&s.status.passed), 5);
	assert_int_equal(wants(&s), 1);
	uint64_t from_ns = now_ns();
	assert_int_equal(lease_take(&s.holder, 20), -ETIMEDOUT);
	assert_true(now_ns() - from_ns >= 20000000u);
	assert_int_equal(atomic_load(&s.status.state), LEASE_WANT);
	/* The same flags under the next epoch, and nobody wakes it: it looks for itself. */
	atomic_store(&s.grant.word, lease_word(5, LEASE_GRANTED | LEASE_CONTENDED));
	assert_int_equal(lease_take(&s.holder, 1000), 0);
	assert_int_equal(s.holder.epoch, 5);
	assert_int_equal(atomic_load(&s.status.passed), 0);
	lease_pass(&s.holder);
	assert_int_equal(lease_take(&s.holder, 5), -ETIMEDOUT);
	set_word(&s.grant, lease_word(5, LEASE_GRANTED));
	assert_int_equal(lease_take(&s.holder, 1000), 0);
	scene_finish(&s);
}

/* ---- the Dekker pair: two vGPUs, one arbiter, never two holders at a time ------------------------------ */

#define ROUNDS 20000
struct duel {
	struct scene scenes[2];
	_Atomic int inside;
	_Atomic int clashes;
	_Atomic long turns[2];
	_Atomic bool over;
};
struct fighter {
	struct duel *duel;
	unsigned index;
};

static void *engine(void *data)
{
	const struct fighter *f = data;
	struct duel *duel = f->duel;
	struct scene *s = &duel->scenes[f->index];

	while (!atomic_load(&duel->over)) {
		if (lease_take(&s->holder, 20))
			continue;
		if (atomic_fetch_add(&duel->inside, 1))
			atomic_fetch_add(&duel->clashes, 1);
		for (int i = 0; i < 50 && !lease_must_stop(&s->holder, now_ns()); i++)
			;
		atomic_fetch_sub(&duel->inside, 1);
		atomic_fetch_add(&duel->turns[f->index], 1);
		lease_release(&s->holder, true);
	}
	return NULL;
}

/* lease.h's right-hand column: take back, wait while the page says RUN with the old epoch, grant the other. */
static void hand_over(struct duel *duel, unsigned from, unsigned to, uint32_t *epochs)
{
	struct scene *loser = &duel->scenes[from];
	uint32_t old = epochs[from];

	set_word(&loser->grant, lease_word(++epochs[from], 0));
	while (atomic_load(&loser->status.state) == LEASE_RUN && atomic_load(&loser->status.run_epoch) == old)
		;
	set_word(&duel->scenes[to].grant, lease_word(++epochs[to], LEASE_GRANTED | LEASE_CONTENDED));
}

static void two_engines_never_hold_at_once(void **state)
{
	static struct duel duel;
	struct fighter fighters[2] = {{&duel, 0}, {&duel, 1}};
	uint32_t epochs[2] = {0};
	pthread_t threads[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		scene_init(&duel.scenes[i]);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, engine, &fighters[i]), 0);
	uint64_t start_ns = now_ns();
	for (unsigned round = 0; round < ROUNDS && now_ns() - start_ns < 3000000000u; round++) {
		hand_over(&duel, round & 1, !(round & 1), epochs);
		/* Sometimes at once, sometimes when it is running: both sides of the race. */
		for (unsigned i = 0; i < round % 64; i++)
			__asm__ volatile("" ::: "memory");
		if (round % 16 == 0)
			usleep(20);
	}
	atomic_store(&duel.over, true);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		scene_finish(&duel.scenes[i]);
	}
	assert_int_equal(atomic_load(&duel.clashes), 0);
	assert_true(atomic_load(&duel.turns[0]) > 0 && atomic_load(&duel.turns[1]) > 0);
}

static void an_engine_that_was_not_heard_of_takes_no_lease(void **state)
{
	struct scene s;

	(void)state;
	scene_init(&s);
	s.status.heard = 0;
	atomic_store(&s.grant.word, lease_word(1, LEASE_GRANTED));
	assert_int_equal(lease_take(&s.holder, 20), -ETIMEDOUT);
	assert_int_equal(s.status.state, LEASE_WANT);
	s.status.heard = 1;
	assert_int_equal(lease_take(&s.holder, 20), 0);
	lease_release(&s.holder, false);
	scene_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_of_another_version_is_refused),
		cmocka_unit_test(an_open_lease_is_taken_and_given_back_in_silence),
		cmocka_unit_test(taking_without_a_grant_tells_once_and_times_out),
		cmocka_unit_test(a_deadline_counts_only_while_somebody_waits),
		cmocka_unit_test(a_revoked_or_regranted_lease_must_stop),
		cmocka_unit_test(a_sleeping_engine_is_woken_by_its_grant),
		cmocka_unit_test(who_passed_waits_for_another_grant_or_for_nobody_to_wait),
		cmocka_unit_test(two_engines_never_hold_at_once),
		cmocka_unit_test(an_engine_that_was_not_heard_of_takes_no_lease),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
