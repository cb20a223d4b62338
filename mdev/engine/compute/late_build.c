/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/late_build.h"

#include <pthread.h>
#include <stdlib.h>

#include "mdev/engine/compile_protocol.h"
#include "mdev/engine/compute/objects.h"

#define STACK_BYTES (32u << 20)		/* compilers recurse */

enum late_state {
	LATE_QUEUED,
	LATE_RUNS,
	LATE_DONE,
};
struct late_build {
	struct late_builds *builds;
	struct late_build *next;	/* of those queued */
	enum late_state state;
	bool dropped;			/* while it ran: the thread frees it */
	uint32_t kind, part_count;
	uint8_t *input;
	size_t bytes;
	struct program *program;
	int error;
};

struct late_builds {
	const struct device *device;
	late_make_fn *make;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;		/* of all below, and of each build */
	pthread_cond_t changed;
	struct late_build *first;
	bool busy, stopping;
};

static int make(const struct late_build *late, struct program **ret_program)
{
	struct part parts[COMPILE_PARTS_MAX];

	if (late->part_count > COMPILE_PARTS_MAX || parts_split(late->input, late->bytes, late->part_count, parts))
		return CL_INVALID_VALUE;
	return late->builds->make(late->builds->device, late->kind, parts, late->part_count, ret_program);
}

static void warm_up(const struct late_builds *builds)
{
	static const char text[] = "kernel void warm_up(global float *a) { a[get_global_id(0)] = sqrt(a[0]); }\n";
	const struct part parts[2] = {{"", 0}, {text, sizeof(text) - 1}};
	struct program *program = NULL;

	if (!builds->make(builds->device, COMPILE_BUILD, parts, 2, &program))
		program_destroy(program);
}

static void late_free(struct late_build *late)
{
	if (late->program)
		program_destroy(late->program);
	free(late->input);
	free(late);
}

static void *late_main(void *data)
{
	struct late_builds *builds = data;

	warm_up(builds);
	pthread_mutex_lock(&builds->lock);
	for (;;) {
		builds->busy = false;
		pthread_cond_broadcast(&builds->changed);
		while (!builds->first && !builds->stopping)
			pthread_cond_wait(&builds->changed, &builds->lock);
		if (builds->stopping)
			break;
		struct late_build *late = builds->first;
		builds->first = late->next;
		late->state = LATE_RUNS;
		builds->busy = true;
		pthread_mutex_unlock(&builds->lock);
		struct program *program = NULL;
		int error = make(late, &program);
		pthread_mutex_lock(&builds->lock);
		late->error = error;
		late->program = program;
		late->state = LATE_DONE;
		if (late->dropped)
			late_free(late);
	}
	pthread_mutex_unlock(&builds->lock);
	return NULL;
}

struct late_builds *late_builds_create(const struct device *device, late_make_fn *make_fn)
{
	struct late_builds *builds = calloc(1, sizeof(*builds));

	if (!builds)
		return NULL;
	builds->device = device;
	builds->make = make_fn;
	pthread_mutex_init(&builds->lock, NULL);
	pthread_cond_init(&builds->changed, NULL);
	return builds;
}

void late_builds_warm(struct late_builds *builds)
{
	pthread_attr_t attributes;

	if (builds->has_thread)
		return;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	builds->busy = true;
	builds->has_thread = !pthread_create(&builds->thread, &attributes, late_main, builds);
	pthread_attr_destroy(&attributes);
}

bool late_builds_destroy(struct late_builds *builds)
{
	if (!builds)
		return true;
	pthread_mutex_lock(&builds->lock);
	bool busy = builds->has_thread && builds->busy;
	builds->stopping = true;
	pthread_cond_broadcast(&builds->changed);
	pthread_mutex_unlock(&builds->lock);
	if (busy)
		return false;
	if (builds->has_thread)
		pthread_join(builds->thread, NULL);
	pthread_cond_destroy(&builds->changed);
	pthread_mutex_destroy(&builds->lock);
	free(builds);
	return true;
}

struct late_build *late_build_start(struct late_builds *builds, uint32_t kind, uint8_t *input, size_t bytes, uint32_t part_count)
{
	struct late_build *late = calloc(1, sizeof(*late)), **end = &builds->first;

	late_builds_warm(builds);
	if (!late || !builds->has_thread) {
		free(late);
		free(input);
		return NULL;
	}
	*late = (struct late_build){.builds = builds, .kind = kind, .part_count = part_count, .input = input, .bytes = bytes};
	pthread_mutex_lock(&builds->lock);
	while (*end)
		end = &(*end)->next;
	*end = late;
	pthread_cond_broadcast(&builds->changed);
	pthread_mutex_unlock(&builds->lock);
	return late;
}

static void dequeue_locked(struct late_build *late)
{
	struct late_build **at = &late->builds->first;

	while (*at != late)
		at = &(*at)->next;
	*at = late->next;
}

int late_build_finish(struct late_build *late, struct program **ret_program)
{
	struct late_builds *builds = late->builds;

	pthread_mutex_lock(&builds->lock);
	if (late->state == LATE_QUEUED) {	/* before those that nobody waits for */
		dequeue_locked(late);
		late->next = builds->first;
		builds->first = late;
	}
	while (late->state != LATE_DONE)
		pthread_cond_wait(&builds->changed, &builds->lock);
	pthread_mutex_unlock(&builds->lock);
	int error = late->error;
	if (!error)
		*ret_program = late->program;
	late->program = NULL;
	late_free(late);
	return error;
}

void late_build_drop(struct late_build *late)
{
	if (!late)
		return;
	struct late_builds *builds = late->builds;
	pthread_mutex_lock(&builds->lock);
	late->dropped = true;
	if (late->state == LATE_QUEUED)
		dequeue_locked(late);
	bool is_mine = late->state != LATE_RUNS;
	pthread_mutex_unlock(&builds->lock);
	if (is_mine)
		late_free(late);
}
