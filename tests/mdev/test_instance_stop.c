/* SPDX-License-Identifier: MIT */
/* The end of an instance whose keeper does not do its part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mdev/instance.h"
#include "mdev/lock_holder.h"

struct fixture {
	char dir[64];
	struct vgpu_spec spec;
	struct instance_surroundings around;
	struct instance *instance;
};

static void changed(struct instance *instance, void *owner)
{
	(void)instance;
	(void)owner;
}

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[128], why[256];

	strcpy(f->dir, "/tmp/vgpu-stop-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(path, sizeof(path), "%s/vgpu", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	/* As a start would have made it. */
	snprintf(path, sizeof(path), "%s/vgpu/0001", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	strcpy(f->spec.uuid, "0001");
	strcpy(f->spec.name, "t");
	f->around.runtime_dir = f->dir;
	f->around.changed = changed;
	f->around.events = event_log_create();
	assert_true(sd_event_new(&f->around.loop) >= 0);
	assert_int_equal(leases_create(0, false, &f->around.leases), 0);
	assert_int_equal(instance_create(&f->spec, &f->around, NULL, &f->instance, why), 0);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;
	char command[128];

	instance_destroy(f->instance);
	leases_destroy(f->around.leases);
	event_log_destroy(f->around.events);
	sd_event_unref(f->around.loop);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Holds the lock as a keeper does, and does nothing more; listens: connections wait in its backlog. */
static pid_t silent_keeper(const struct fixture *f, bool listens)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (!pid) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		char path[128];

		snprintf(path, sizeof(path), "%s/vgpu/0001/keeper.lock", f->dir);
		int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB))
			_exit(1);
		int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/vgpu/0001/keeper.sock", f->dir);
		if (listens && (bind(door, (struct sockaddr *)&address, sizeof(address)) || listen(door, 4)))
			_exit(1);
		signal(SIGTERM, SIG_IGN);
		(void)!write(ready[1], "r", 1);
		alarm(60);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Returns the seconds it took, or fails. */
static unsigned stop(struct fixture *f)
{
	time_t began = time(NULL);

	instance_stop(f->instance);
	while (instance_state(f->instance) != INSTANCE_GONE) {
		assert_true(sd_event_run(f->around.loop, 100000) >= 0);
		assert_true(time(NULL) - began < 15);
	}
	return (unsigned)(time(NULL) - began);
}

static bool was_said(const struct fixture *f, const char *kind)
{
	json_t *list = event_log_list(f->around.events, 0), *event;
	bool found = false;
	size_t i;

	json_array_foreach(list, i, event)
		found = found || !strcmp(json_string_value(json_object_get(event, "kind")), kind);
	json_decref(list);
	return found;
}

static void ends_by_a_kill(struct fixture *f, bool listens)
{
	pid_t keeper = silent_keeper(f, listens);
	int status;

	assert_in_range(stop(f), 2, 6);
	assert_int_equal(waitpid(keeper, &status, 0), keeper);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(was_said(f, "keeper.silent"));
}

static void a_keeper_that_does_not_listen_is_killed(void **state)
{
	ends_by_a_kill(*state, false);
}

static void a_keeper_that_does_not_answer_is_killed(void **state)
{
	ends_by_a_kill(*state, true);
}

static void where_there_is_none_nobody_waits(void **state)
{
	assert_in_range(stop(*state), 0, 1);
	assert_false(was_said(*state, "keeper.silent"));
}

static void a_locks_holder_is_told(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/vgpu/0001/keeper.lock", f->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(lock_holder(fd), 0);
	pid_t keeper = silent_keeper(f, false);
	assert_int_equal(lock_holder(fd), keeper);
	kill(keeper, SIGKILL);
	assert_int_equal(waitpid(keeper, NULL, 0), keeper);
	assert_int_equal(lock_holder(fd), 0);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_keeper_that_does_not_listen_is_killed),
		TEST(a_keeper_that_does_not_answer_is_killed),
		TEST(where_there_is_none_nobody_waits),
		TEST(a_locks_holder_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
