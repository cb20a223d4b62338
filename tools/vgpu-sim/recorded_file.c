/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-sim/recorded_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADING "at_us,vgpu,kernel,length_us"
#define HOUR_US 3600000000.0

struct track {
	char vgpu[32];
	struct recorded *records;
	size_t count, capacity;
	struct track *next;
};

struct recorded_file {
	struct track *tracks;
};

static struct track *track_of(struct recorded_file *file, const char *vgpu)
{
	for (struct track *track = file->tracks; track; track = track->next)
		if (!strcmp(track->vgpu, vgpu))
			return track;
	struct track *track = calloc(1, sizeof(*track));
	if (!track)
		return NULL;
	snprintf(track->vgpu, sizeof(track->vgpu), "%s", vgpu);
	track->next = file->tracks;
	file->tracks = track;
	return track;
}

static int append(struct track *track, struct recorded record)
{
	if (track->count == track->capacity) {
		size_t capacity = track->capacity ? track->capacity * 2 : 256;
		void *grown = reallocarray(track->records, capacity, sizeof(*track->records));
		if (!grown)
			return -ENOMEM;
		track->records = grown;
		track->capacity = capacity;
	}
	track->records[track->count++] = record;
	return 0;
}

/* One line: 0, or -EINVAL with what is wrong with it. */
static int parse(struct recorded_file *file, const char *line, char ret_what[128])
{
	double at_us, length_us;
	unsigned long long kernel;
	char vgpu[32];
	int end = 0;

	if (sscanf(line, "%lf,%31[^,\n],%llu,%lf%n", &at_us, vgpu, &kernel, &length_us, &end) != 4 || (line[end] && strcmp(line + end, "\n"))) {
		snprintf(ret_what, 128, "it must read %s, as 1200.5,desk-1,17,350", HEADING);
		return -EINVAL;
	}
	if (!(at_us >= 0 && at_us <= HOUR_US) || !(length_us >= 0.001 && length_us <= HOUR_US)) {
		snprintf(ret_what, 128, "at_us must be from 0 and length_us from 0.001 to %g", HOUR_US);
		return -EINVAL;
	}
	struct track *track = track_of(file, vgpu);
	struct recorded record = {.at_ns = (uint64_t)(at_us * 1000), .kernel_id = kernel, .length_ns = (uint64_t)(length_us * 1000)};
	if (!track) {
		snprintf(ret_what, 128, "no memory");
		return -ENOMEM;
	}
	if (track->count && track->records[track->count - 1].at_ns > record.at_ns) {
		snprintf(ret_what, 128, "at_us goes back for '%s'; sort the lines by it", vgpu);
		return -EINVAL;
	}
	return append(track, record);
}

int recorded_read(const char *folder, const char *name, struct recorded_file **ret_file, char ret_why[SCENARIO_WHY_BYTES])
{
	char path[1400], line[256], what[128] = "no memory";
	unsigned long number = 0;
	int error = 0;

	snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : folder, name[0] == '/' ? "" : "/", name);
	FILE *csv = fopen(path, "r");
	if (!csv) {
		error = -errno;
		snprintf(ret_why, SCENARIO_WHY_BYTES, "cannot read the trace '%.300s': %s", path, strerror(-error));
		return error;
	}
	struct recorded_file *file = calloc(1, sizeof(*file));
	if (!file)
		error = -ENOMEM;
	while (!error && fgets(line, sizeof(line), csv)) {
		if (!number++ && !strncmp(line, HEADING, strlen(HEADING)))
			continue;
		error = parse(file, line, what);
	}
	fclose(csv);
	if (error) {
		snprintf(ret_why, SCENARIO_WHY_BYTES, "line %lu of the trace '%.200s': %s", number, path, what);
		recorded_destroy(file);
		return error;
	}
	*ret_file = file;
	return 0;
}

int recorded_add(struct recorded_file **file, const char *vgpu, const struct recorded *records, size_t count)
{
	if (!*file)
		*file = calloc(1, sizeof(**file));
	struct track *track = *file ? track_of(*file, vgpu) : NULL;
	if (!track)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (append(track, records[i]))
			return -ENOMEM;
	return 0;
}

void recorded_destroy(struct recorded_file *file)
{
	if (!file)
		return;
	while (file->tracks) {
		struct track *track = file->tracks;
		file->tracks = track->next;
		free(track->records);
		free(track);
	}
	free(file);
}

size_t recorded_of(const struct recorded_file *file, const char *vgpu, const struct recorded **ret_records)
{
	for (const struct track *track = file ? file->tracks : NULL; track; track = track->next) {
		if (strcmp(track->vgpu, vgpu))
			continue;
		*ret_records = track->records;
		return track->count;
	}
	return 0;
}
