/* SPDX-License-Identifier: MIT */
/*
 * cl-conformance: the same questions to any OpenCL, and what OpenCL 3.0 says the answers may be.
 *
 * A question is a call with one thing wrong, in a scene where all else is right. `errors` asks all of them in order and prints
 * a line each. An implementation may crash over one: so the program starts itself again behind it (main.c), and a question
 * must not depend on the one before. What a device does not offer is asked for as well: the answer to that is specified too.
 */
#ifndef VGPU_TESTS_CONFORMANCE_CONFORMANCE_H
#define VGPU_TESTS_CONFORMANCE_CONFORMANCE_H

#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUFFER_BYTES 4096u

/* Everything right: two contexts on one device, and of each kind of object some. Made once per process. */
struct scene {
	cl_platform_id platform;
	cl_device_id device;
	cl_context context, other_context;
	cl_command_queue queue, other_queue, unprofiled;
	cl_mem buffer, other_buffer, target, sub_buffer;
	cl_mem read_only, write_only;			/* to kernels */
	cl_mem host_read_only, host_write_only, host_no_access;
	cl_program program, unbuilt, broken;
	cl_kernel kernel;		/* takes(global int *, int): both set */
	cl_kernel unset;		/* the same, nothing set */
	cl_kernel local;		/* keeps(global int *, local int *) */
	cl_kernel required;		/* of group size 4 */
	cl_event done, other_done, failed;	/* failed: a user event, so set */
	/* What the device says it has. */
	bool has_images, has_svm, has_linker, has_il, has_binaries, has_native, has_pipes, has_sub_groups, has_device_queues;
	bool divides;
	cl_uint units;
	size_t align_bytes, max_group, max_items;
	cl_ulong max_alloc;
};

extern struct scene s;
extern cl_int err;
/* Handles of another kind are handed in too: what is not a valid object is to be refused. Many implementations crash over them. */
extern bool wrong_kinds;

/* Whether this question is to be asked now. */
bool ask(const char *entry, const char *what);
/* Its answer; allowed: `count` of them, the first is what is printed as specified. */
void answer(cl_int got, const cl_int *allowed, size_t count);
/* A call that a scene needs. Ends the program if it fails. */
void need(cl_int error, const char *call);

#define ALLOWED(...) (const cl_int[]){__VA_ARGS__}, sizeof((cl_int[]){__VA_ARGS__}) / sizeof(cl_int)
/* CHECK(entry, what, call that answers an error, allowed answers...) */
#define CHECK(entry, what, call, ...) \
	do { \
		if (ask(#entry, what)) \
			answer((call), ALLOWED(__VA_ARGS__)); \
	} while (0)
/* The same for a call that returns an object, and its error in `err`. */
#define MADE_NOTHING 9001	/* no object and no error */
#define MADE(call) ({ err = MADE_NOTHING; void *made_ = (void *)(call); made_ ? CL_SUCCESS : err; })
#define CHECK_MADE(entry, what, call, ...) CHECK(entry, what, MADE(call), __VA_ARGS__)
/* A handle that is none: `bad` in call. */
#define CHECK_HANDLE(entry, type, code, call) \
	do { \
		type bad = NULL; \
		CHECK(entry, #type " NULL", call, code); \
		bad = (type)wrong_kind_for(#type); \
		if (wrong_kinds) \
			CHECK(entry, #type " that is another object", call, code); \
	} while (0)
/* An object of another kind than the type's. */
void *wrong_kind_for(const char *type);
/* Every query has these: CHECK_QUERY(entry, call with `param`, `size` and `value` in it, a parameter whose answer is longer than 1 byte) */
#define CHECK_QUERY(entry, good, call) \
	do { \
		unsigned param = 0x7777; \
		size_t size = sizeof(void *) * 64; \
		void *value = (char[sizeof(void *) * 64]){0}; \
		CHECK(entry, "unknown parameter", call, CL_INVALID_VALUE); \
		param = (good); \
		size = 1; \
		CHECK(entry, "too little room", call, CL_INVALID_VALUE); \
		size = 0; \
		value = NULL; \
		CHECK(entry, "nothing but the size", call, CL_SUCCESS); \
	} while (0)
/* Wait lists of any enqueue: `count` and `list` in call. */
#define CHECK_WAITS(entry, call) \
	do { \
		cl_uint count = 1; \
		const cl_event *list = NULL; \
		CHECK(entry, "events counted but no list", call, CL_INVALID_EVENT_WAIT_LIST); \
		count = 0; \
		list = &s.done; \
		CHECK(entry, "a list but none counted", call, CL_INVALID_EVENT_WAIT_LIST); \
		count = 1; \
		list = (const cl_event[]){NULL}; \
		CHECK(entry, "NULL in the wait list", call, CL_INVALID_EVENT_WAIT_LIST); \
		list = (const cl_event[]){(cl_event)s.queue}; \
		if (wrong_kinds) \
			CHECK(entry, "no event in the wait list", call, CL_INVALID_EVENT_WAIT_LIST); \
		list = &s.other_done; \
		CHECK(entry, "an event of another context", call, CL_INVALID_CONTEXT); \
	} while (0)

void errors_platform(void);
void errors_context(void);
void errors_buffer(void);
void errors_transfer(void);
void errors_image(void);
void errors_svm(void);
void errors_program(void);
void errors_kernel(void);
void errors_event(void);

/* The other things to be compared: they print what they see, which is to be the same everywhere, or check it themselves. */
int run_printf(void);
int run_sub_devices(void);
int run_queries(void);
int run_extensions(void);
int run_threads(unsigned seconds);
int run_fork(void);
void scene_make(void);
/* Says what is wrong, on standard error, and counts it. */
__attribute__((format(printf, 1, 2))) void wrong(const char *format, ...);
extern unsigned wrong_count;
#endif
