/* SPDX-License-Identifier: MIT */
/*
 * One OpenCL context with two queues, whose first error sticks.
 *
 * After a call failed, every later one does nothing, so that code which sets up or measures reads
 * straight down and asks once, at its end, whether `failed` is set; `failure` names the call, the
 * error and what was asked for. The session owns all objects and host memory made through it and
 * releases them in session_close, also after a failure. Events are the caller's.
 *
 * For one thread. Distrusts the OpenCL implementation only as far as it reports errors: a result is
 * never believed, it is verified by the kernel that asked for it.
 */
#ifndef BENCHMARKS_SESSION_H
#define BENCHMARKS_SESSION_H

#include "benchmarks/cl.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_OBJECTS_MAX 16
#define SESSION_LOG_MAX 4096

struct session {
	const struct device_choice *choice;	/* borrowed */
	cl_context context;
	cl_command_queue queue;			/* in order, with profiling */
	cl_command_queue upload_queue;		/* a second one, so that wait lists are what orders the two */
	uint64_t build_ns;			/* all clBuildProgram calls together */

	bool failed;
	char failure[SESSION_LOG_MAX];

	cl_mem buffers[SESSION_OBJECTS_MAX];
	cl_program programs[SESSION_OBJECTS_MAX];
	cl_kernel kernels[SESSION_OBJECTS_MAX];
	void *host[SESSION_OBJECTS_MAX];
	unsigned buffer_count, program_count, kernel_count, host_count;
};

/* What must be done before a command; {0} is nothing. */
struct wait_list {
	cl_uint count;
	const cl_event *events;
};

/* Always to be followed by session_close, also where it failed. `choice` must outlive it. */
void session_open(struct session *s, const struct device_choice *choice);
void session_close(struct session *s);

/* Notes a failure unless code is CL_SUCCESS or one is noted already. True: the session has failed. */
bool session_check(struct session *s, const char *call, cl_int code);
/* The same for anything that is not an OpenCL call. */
void session_fail(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Objects: NULL once the session has failed. Host memory is zeroed. */
void *session_host_memory(struct session *s, size_t count, size_t size);
cl_mem session_buffer(struct session *s, cl_mem_flags flags, size_t bytes, void *host);
cl_program session_build(struct session *s, const char *source, const char *options);
cl_kernel session_kernel(struct session *s, cl_program program, const char *name);
/* CL_KERNEL_WORK_GROUP_SIZE (OpenCL 3.0 §5.9.3); 0 once the session has failed. */
size_t session_group_size_max(struct session *s, cl_kernel kernel);

void session_arg(struct session *s, cl_kernel kernel, cl_uint index, size_t bytes, const void *value);
void session_arg_buffer(struct session *s, cl_kernel kernel, cl_uint index, cl_mem buffer);
void session_arg_u32(struct session *s, cl_kernel kernel, cl_uint index, uint32_t value);
void session_arg_local(struct session *s, cl_kernel kernel, cl_uint index, size_t bytes);

/* Commands. ret_event may be NULL. `local` NULL lets the implementation choose. */
void session_launch(struct session *s, cl_kernel kernel, cl_uint dimensions, const size_t *global,
	const size_t *local, struct wait_list wait, cl_event *ret_event);
void session_write(struct session *s, cl_command_queue queue, cl_mem buffer, cl_bool blocking,
	size_t offset, size_t bytes, const void *from, struct wait_list wait, cl_event *ret_event);
void session_read(struct session *s, cl_command_queue queue, cl_mem buffer, cl_bool blocking,
	size_t offset, size_t bytes, void *to, struct wait_list wait, cl_event *ret_event);
void session_copy(struct session *s, cl_mem from, cl_mem to, size_t bytes, struct wait_list wait,
	cl_event *ret_event);
void session_fill_u32(struct session *s, cl_mem buffer, uint32_t pattern, size_t offset, size_t bytes,
	struct wait_list wait, cl_event *ret_event);
/* Blocking; NULL once the session has failed. */
void *session_map(struct session *s, cl_mem buffer, cl_map_flags flags, size_t bytes);
void session_unmap(struct session *s, cl_mem buffer, void *mapped, cl_event *ret_event);

void session_flush(struct session *s, cl_command_queue queue);
void session_finish(struct session *s);
void session_wait(struct session *s, cl_uint count, const cl_event *events);
/* Device time from start to end of one completed command (OpenCL 3.0 §5.14). */
uint64_t session_profile_ns(struct session *s, cl_event event);

#endif
