/* SPDX-License-Identifier: MIT */
/* Real processes with busy threads are stopped, by a group and by signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mdev/freezer.h"
#include "mdev/groups.h"

#define UUID "11111111-2222-4333-8444-666666666666"
#define THREADS 3
#define ENGINES 2

struct scene {
	char folder[64];
	struct groups *groups;
	struct freezer *freezer;
	_Atomic uint64_t *counters;	/* shared; one of each thread of each engine */
	pid_t engine[ENGINES];
};

static void sleep_ms(unsigned ms)
{
	const struct timespec time = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&time, NULL);
}

static void *count(void *counter)
{
	_Atomic uint64_t *at = counter;

	for (;;)
		atomic_fetch_add_explicit(at, 1, memory_order_relaxed);
	return NULL;
}

static pid_t start_engine(_Atomic uint64_t *counters)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 1; i < THREADS; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, count, &counters[i]))
			_exit(1);
	}
	count(&counters[0]);
	_exit(0);
}

static bool have_all_moved(const struct scene *scene, const uint64_t before[], unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		if (scene->counters[i] == before[i])
			return false;
	return true;
}

static void note_counters(const struct scene *scene, uint64_t ret_counters[])
{
	for (unsigned i = 0; i < ENGINES * THREADS; i++)
		ret_counters[i] = scene->counters[i];
}

static void assert_they_go_on(const struct scene *scene, unsigned first_engine)
{
	uint64_t before[ENGINES * THREADS];

	note_counters(scene, before);
	for (unsigned turns = 0; turns < 1000 && !have_all_moved(scene, before, first_engine * THREADS, ENGINES * THREADS); turns++)
		sleep_ms(5);
	assert_true(have_all_moved(scene, before, first_engine * THREADS, ENGINES * THREADS));
}

static void assert_they_stand(const struct scene *scene)
{
	uint64_t before[ENGINES * THREADS];

	note_counters(scene, before);
	sleep_ms(20);
	for (unsigned i = 0; i < ENGINES * THREADS; i++)
		assert_int_equal(scene->counters[i], before[i]);
}

static int begin(void **state, bool by_group)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	char path[GROUPS_PATH_BYTES], why[256] = "its group cannot be made";

	*state = scene;
	strcpy(scene->folder, "/tmp/vgpu-freezer-XXXXXX");
	if (!mkdtemp(scene->folder))
		return -1;
	if (by_group && (groups_open(scene->folder, &scene->groups, why) || groups_make(scene->groups, UUID, path))) {
		print_message("cannot test here: freezing by groups because %s\n", why);
		return 0;
	}
	scene->freezer = freezer_create(by_group ? path : NULL);
	scene->counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!scene->freezer || scene->counters == MAP_FAILED)
		return -1;
	for (unsigned i = 0; i < ENGINES; i++) {
		scene->engine[i] = start_engine(scene->counters + i * THREADS);
		freezer_engine_add(scene->freezer, scene->engine[i]);
	}
	return 0;
}

static int begin_by_group(void **state)
{
	return begin(state, true);
}

static int begin_by_signals(void **state)
{
	return begin(state, false);
}

static void kill_engine(struct scene *scene, unsigned i)
{
	if (scene->engine[i] <= 0)
		return;
	kill(scene->engine[i], SIGKILL);
	waitpid(scene->engine[i], NULL, 0);
	scene->engine[i] = 0;
}

static int end(void **state)
{
	struct scene *scene = *state;
	char note[96];

	for (unsigned i = 0; i < ENGINES; i++)
		kill_engine(scene, i);
	freezer_destroy(scene->freezer);
	groups_remove(scene->groups, UUID);
	groups_close(scene->groups);
	if (scene->counters && scene->counters != MAP_FAILED)
		munmap((void *)scene->counters, 4096);
	snprintf(note, sizeof(note), "%s/cgroup", scene->folder);
	unlink(note);
	int error = rmdir(scene->folder);
	free(scene);
	return error;
}

static void no_thread_moves_once_it_is_frozen_and_all_go_on_after(void **state)
{
	struct scene *scene = *state;

	if (!scene->freezer)
		skip();
	assert_they_go_on(scene, 0);
	for (unsigned times = 0; times < 5; times++) {
		assert_int_equal(freezer_set(scene->freezer, FREEZE_ENGINES), 0);
		assert_they_stand(scene);
		assert_int_equal(freezer_set(scene->freezer, FREEZE_ALL), 0);
		assert_they_stand(scene);
		assert_int_equal(freezer_set(scene->freezer, FREEZE_NOTHING), 0);
		assert_they_go_on(scene, 0);
	}
}

static void a_frozen_engine_can_be_killed_and_the_others_go_on(void **state)
{
	struct scene *scene = *state;

	if (!scene->freezer)
		skip();
	assert_they_go_on(scene, 0);
	assert_int_equal(freezer_set(scene->freezer, FREEZE_ENGINES), 0);
	pid_t dead = scene->engine[0];
	kill_engine(scene, 0);
	assert_int_equal(freezer_set(scene->freezer, FREEZE_NOTHING), 0);	/* it is still said to be there */
	freezer_engine_remove(scene->freezer, dead);
	assert_they_go_on(scene, 1);
	assert_int_equal(freezer_set(scene->freezer, FREEZE_ENGINES), 0);
	assert_they_stand(scene);
}

static void a_process_that_ended_is_no_error(void **state)
{
	struct scene *scene = *state;

	if (!scene->freezer)
		skip();
	pid_t ended = fork();
	if (!ended)
		_exit(0);
	waitpid(ended, NULL, 0);
	freezer_engine_add(scene->freezer, ended);
	assert_int_equal(freezer_set(scene->freezer, FREEZE_ENGINES), 0);
	assert_int_equal(freezer_set(scene->freezer, FREEZE_NOTHING), 0);
	assert_they_go_on(scene, 0);
}

static void who_cannot_be_stopped_is_not_said_to_stand(void **state)
{
	struct freezer *freezer = freezer_create(NULL);

	(void)state;
	assert_non_null(freezer);
	freezer_engine_add(freezer, 0);
	assert_true(freezer_set(freezer, FREEZE_ENGINES) < 0);
	assert_int_equal(freezer_set(freezer, FREEZE_NOTHING), 0);
	freezer_destroy(freezer);
}

/* vgpud was killed while they stood: the next one does not know, and says what it wants. */
static void another_freezer_can_let_them_go(void **state)
{
	struct scene *scene = *state;
	char path[GROUPS_PATH_BYTES];

	if (!scene->freezer)
		skip();
	assert_int_equal(freezer_set(scene->freezer, FREEZE_ENGINES), 0);
	freezer_destroy(scene->freezer);
	if (scene->groups)
		assert_int_equal(groups_make(scene->groups, UUID, path), 0);
	scene->freezer = freezer_create(scene->groups ? path : NULL);
	assert_non_null(scene->freezer);
	for (unsigned i = 0; i < ENGINES; i++)
		freezer_engine_add(scene->freezer, scene->engine[i]);
	assert_int_equal(freezer_set(scene->freezer, FREEZE_NOTHING), 0);
	assert_they_go_on(scene, 0);
}

static void the_time_of_engines_is_counted(void **state)
{
	struct scene *scene = *state;

	if (!scene->freezer)
		skip();
	uint64_t before_ns = freezer_cpu_ns(scene->freezer);
	assert_they_go_on(scene, 0);
	for (unsigned turns = 0; turns < 1000 && freezer_cpu_ns(scene->freezer) < before_ns + 20000000; turns++)
		sleep_ms(5);
	uint64_t after_ns = freezer_cpu_ns(scene->freezer);
	assert_true(after_ns >= before_ns + 20000000);
	for (unsigned i = 0; i < ENGINES; i++)
		kill_engine(scene, i);
	if (scene->groups)	/* also of those that have ended */
		assert_true(freezer_cpu_ns(scene->freezer) >= after_ns);
}

#define BOTH_WAYS(test) \
	{#test " (by group)", test, begin_by_group, end, NULL}, {#test " (by signals)", test, begin_by_signals, end, NULL}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(no_thread_moves_once_it_is_frozen_and_all_go_on_after),
		BOTH_WAYS(a_frozen_engine_can_be_killed_and_the_others_go_on),
		BOTH_WAYS(a_process_that_ended_is_no_error),
		BOTH_WAYS(another_freezer_can_let_them_go),
		cmocka_unit_test(who_cannot_be_stopped_is_not_said_to_stand),
		BOTH_WAYS(the_time_of_engines_is_counted),
	};

	return cmocka_run_group_tests_name("freezer", tests, NULL, NULL);
}
