/* SPDX-License-Identifier: MIT */
/* Builds that tell when they are done. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/programs/verdicts.h"

struct told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned count;
	cl_program program;
};

static void CL_CALLBACK tell(cl_program program, void *data)
{
	struct told *told = data;

	pthread_mutex_lock(&told->lock);
	told->program = program;
	told->count++;
	pthread_cond_broadcast(&told->changed);
	pthread_mutex_unlock(&told->lock);
}

/* False: not within a minute. */
static bool was_told(struct told *told, unsigned count)
{
	struct timespec until;
	bool enough;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&told->lock);
	while (told->count < count && !pthread_cond_timedwait(&told->changed, &told->lock, &until))
		;
	enough = told->count == count;
	pthread_mutex_unlock(&told->lock);
	return enough;
}

void ask_callbacks(const struct subject *s)
{
	struct told told = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, NULL };
	cl_program program = source_program(s, "kernel void four(global int *out) { out[get_global_id(0)] = 4; }");
	cl_program broken = source_program(s, "kernel void broken(global int *out) { out[0] = no_such_name; }"), linked;
	cl_int error;

	verdict("callback: a build", clBuildProgram(program, 0, NULL, NULL, tell, &told), CL_SUCCESS);
	verdict_true("callback: a build tells, once", was_told(&told, 1));
	verdict_true("callback: it names the program", told.program == program);
	verdict("callback: the status then", status_of(s, program), CL_BUILD_SUCCESS);
	verdict("callback: what it computes", run_kernel(s, program, "four"), 4);
	clBuildProgram(broken, 0, NULL, NULL, tell, &told);
	verdict_true("callback: a build that fails tells too", was_told(&told, 2));
	verdict("callback: the status of that", status_of(s, broken), CL_BUILD_ERROR);
	verdict("callback: a compilation", clCompileProgram(program, 0, NULL, NULL, 0, NULL, NULL, tell, &told), CL_SUCCESS);
	verdict_true("callback: a compilation tells", was_told(&told, 3));
	linked = clLinkProgram(s->context, 0, NULL, NULL, 1, &program, tell, &told, &error);
	verdict("callback: a link", error, CL_SUCCESS);
	verdict_true("callback: a link tells", was_told(&told, 4));
	verdict_true("callback: the link's names the new program", told.program == linked);
	verdict("callback: what that computes", run_kernel(s, linked, "four"), 4);
	clReleaseProgram(linked);
	clReleaseProgram(program);
	clReleaseProgram(broken);
	/* Released before it tells: the program lives until then. */
	program = source_program(s, "kernel void five(global int *out) { out[get_global_id(0)] = 5; }");
	clBuildProgram(program, 0, NULL, NULL, tell, &told);
	clReleaseProgram(program);
	verdict_true("callback: of a program that was released", was_told(&told, 5));
}
