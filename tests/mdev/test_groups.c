/* SPDX-License-Identifier: MIT */
/* The groups of vGPUs, in the hierarchy of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/groups.h"

#define UUID "11111111-2222-4333-8444-555555555555"

struct scene {
	char folder[64];
	struct groups *groups;	/* NULL: this machine has none */
	pid_t child;
};

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	char why[256];

	strcpy(scene->folder, "/tmp/vgpu-groups-XXXXXX");
	if (!mkdtemp(scene->folder))
		return -1;
	if (groups_open(scene->folder, &scene->groups, why))
		print_message("cannot test here: groups of vGPUs because %s\n", why);
	*state = scene;
	return 0;
}

static void end_child(struct scene *scene)
{
	if (scene->child > 0) {
		kill(scene->child, SIGKILL);
		waitpid(scene->child, NULL, 0);
	}
	scene->child = 0;
}

static void note_path(const struct scene *scene, char ret_path[96])
{
	snprintf(ret_path, 96, "%s/cgroup", scene->folder);
}

static int teardown(void **state)
{
	struct scene *scene = *state;
	char note[96];

	end_child(scene);
	groups_remove(scene->groups, UUID);
	groups_close(scene->groups);
	note_path(scene, note);
	unlink(note);
	int error = rmdir(scene->folder);
	free(scene);
	return error;
}

static void a_second_open_finds_the_same_base(void **state)
{
	struct scene *scene = *state;
	struct groups *second;
	char first_path[GROUPS_PATH_BYTES], second_path[GROUPS_PATH_BYTES], why[256];

	if (!scene->groups)
		skip();
	assert_int_equal(groups_make(scene->groups, UUID, first_path), 0);
	assert_int_equal(groups_open(scene->folder, &second, why), 0);
	assert_int_equal(groups_make(second, UUID, second_path), 0);	/* it is there */
	assert_string_equal(first_path, second_path);
	groups_close(second);	/* not the last: a vGPU's group is there */
	assert_int_equal(access(first_path, F_OK), 0);
}

static void a_process_that_serves_is_in_its_group_until_it_ends(void **state)
{
	struct scene *scene = *state;
	char path[GROUPS_PATH_BYTES], procs[GROUPS_PATH_BYTES + 32], line[32] = "";

	if (!scene->groups)
		skip();
	assert_int_equal(groups_make(scene->groups, UUID, path), 0);
	scene->child = fork();
	if (!scene->child) {
		pause();
		_exit(0);
	}
	groups_serve(scene->groups, UUID, scene->child);
	snprintf(procs, sizeof(procs), "%s/" GROUPS_SERVING "/cgroup.procs", path);
	FILE *file = fopen(procs, "re");
	assert_non_null(file);
	char *got = fgets(line, sizeof(line), file);
	fclose(file);
	assert_non_null(got);
	assert_int_equal(atoi(line), scene->child);
	pid_t ended = scene->child;
	end_child(scene);
	groups_serve(scene->groups, UUID, ended);	/* no harm */
	groups_remove(scene->groups, UUID);
	assert_int_not_equal(access(path, F_OK), 0);
	groups_remove(scene->groups, UUID);
}

static void a_note_that_points_nowhere_is_replaced(void **state)
{
	static const char *const notes[] = {"", "\n", "relative/path\n", "/nowhere/at/all\n", "/tmp\n"};
	struct scene *scene = *state;
	char note[96], line[700], why[256];

	if (!scene->groups)
		skip();
	note_path(scene, note);
	for (unsigned i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		groups_close(scene->groups);
		scene->groups = NULL;
		assert_int_not_equal(access(note, F_OK), 0);	/* gone with the last */
		FILE *file = fopen(note, "we");
		assert_non_null(file);
		fputs(notes[i], file);
		fclose(file);
		assert_int_equal(groups_open(scene->folder, &scene->groups, why), 0);
		file = fopen(note, "re");
		assert_non_null(file);
		char *got = fgets(line, sizeof(line), file);
		fclose(file);
		assert_non_null(got);
		line[strcspn(line, "\n")] = 0;
		assert_string_not_equal(line, notes[i]);
		assert_non_null(strstr(line, "/vgpud-"));
		assert_int_equal(access(line, F_OK), 0);
	}
}

static void a_folder_that_cannot_be_written_is_refused_with_a_sentence(void **state)
{
	struct scene *scene = *state;
	struct groups *other = NULL;
	char path[96], why[256] = "";

	if (!scene->groups)
		skip();
	snprintf(path, sizeof(path), "%s/missing", scene->folder);
	assert_int_not_equal(groups_open(path, &other, why), 0);
	assert_null(other);
	assert_non_null(strstr(why, "group"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_second_open_finds_the_same_base, setup, teardown),
		cmocka_unit_test_setup_teardown(a_process_that_serves_is_in_its_group_until_it_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_note_that_points_nowhere_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_is_refused_with_a_sentence, setup, teardown),
	};

	return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
