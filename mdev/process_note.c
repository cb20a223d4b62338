/* SPDX-License-Identifier: MIT */
#include "mdev/process_note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In clock ticks since boot; 0 if pid does not live. */
static unsigned long long start_time(pid_t pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	/* proc(5): field 2 is the name in parentheses and may hold anything; field 3 is the state, 22 the start time. */
	char *field = strrchr(text, ')');
	if (!field || field[1] != ' ' || field[2] == 'Z')
		return 0;
	field++;
	for (int number = 3; field && number < 22; number++)
		field = strchr(field + 1, ' ');
	return field ? strtoull(field + 1, NULL, 10) : 0;
}

int process_note_write(const char *dir, const char *name, pid_t pid)
{
	char path[4096], text[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int bytes = snprintf(text, sizeof(text), "%d %llu\n", (int)pid, start_time(pid));
	ssize_t written = write(fd, text, (size_t)bytes);
	int result = written == bytes ? 0 : written < 0 ? -errno : -ENOSPC;
	close(fd);
	return result;
}

pid_t process_note_read(const char *dir, const char *name)
{
	char path[4096];
	unsigned long long start = 0;
	int pid = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	int fields = fscanf(file, "%d %llu", &pid, &start);
	fclose(file);
	if (fields != 2 || pid <= 0 || start == 0 || start_time(pid) != start)
		return 0;
	return pid;
}

void process_note_remove(const char *dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}
