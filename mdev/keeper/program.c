/* SPDX-License-Identifier: MIT */
/*
 * Which program device processes are started from: config.json's, until vgpud names another (REPLACE_DEVICE).
 *
 * The choice is noted in DIR/device-program (this one, and the one before it), because a keeper that starts anew must
 * not start an older build over the state page of a newer one. The note goes with an orderly stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/keeper/keeper.h"
#include "mdev/log/log.h"

static void note(const struct keeper *keeper)
{
	char path[4096], temporary[4096];

	snprintf(path, sizeof(path), "%s/device-program", keeper->dir);
	snprintf(temporary, sizeof(temporary), "%s/.device-program.new", keeper->dir);
	FILE *file = fopen(temporary, "we");
	int failed = !file || fprintf(file, "%s\n%s\n", keeper->config.device_program,
				      keeper->former_device_program ? keeper->former_device_program : "") < 0;
	if (file)
		failed = fclose(file) || failed;
	if (failed || rename(temporary, path))
		log_warning("%s is not written (%s): a keeper after this one would start device processes from config.json's "
			    "program", path, strerror(errno));
}

/* A line without its end, owned; NULL if it is not the absolute path of a program. */
static char *read_path(FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t bytes = getline(&line, &room, file);

	if (bytes > 0 && line[bytes - 1] == '\n')
		line[bytes - 1] = '\0';
	if (bytes > 0 && line[0] == '/' && !access(line, X_OK))
		return line;
	free(line);
	return NULL;
}

void program_load(struct keeper *keeper)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/device-program", keeper->dir);
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	char *program = read_path(file), *former = read_path(file);
	fclose(file);
	if (program) {
		free(keeper->config.device_program);
		keeper->config.device_program = program;
		keeper->former_device_program = former;
	} else {
		log_warning("%s names no program that can be run: going by config.json", path);
		free(former);
	}
}

void program_forget(const struct keeper *keeper)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/device-program", keeper->dir);
	unlink(path);
}

int program_replace(struct keeper *keeper, const char *program)
{
	char *copy = strdup(program);

	if (!copy || copy[0] != '/' || access(copy, X_OK)) {
		free(copy);
		return -EINVAL;
	}
	free(keeper->former_device_program);
	keeper->former_device_program = keeper->config.device_program;
	keeper->config.device_program = copy;
	note(keeper);
	return 0;
}

bool program_fall_back(struct keeper *keeper, const char *why)
{
	if (!keeper->former_device_program)
		return false;
	log_error("%s %s: going back to %s", keeper->config.device_program, why, keeper->former_device_program);
	free(keeper->config.device_program);
	keeper->config.device_program = keeper->former_device_program;
	keeper->former_device_program = NULL;
	note(keeper);
	return true;
}
