/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory as an application sees it: the same program on the host's driver and on a vGPU, with the same verdicts.
 *
 * Takes the first platform's first device. Prints `ok NAME` or `not ok NAME: WHAT` per test; exits with how many failed, 77 where the
 * device reports no such memory. `svm limit` takes memory until there is no more, gives it back, and does it again.
 */
#include <CL/cl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cl_device_id device;
static cl_context context;
static cl_command_queue queue;
static cl_program program;
static cl_device_svm_capabilities capabilities;
static int failed;
static char why[256];

#define REQUIRE(condition) do { \
		if (!(condition)) { \
			snprintf(why, sizeof(why), "line %d: %s", __LINE__, #condition); \
			return; \
		} \
	} while (0)
#define CL(call) do { \
		cl_int error_ = (call); \
		if (error_) { \
			snprintf(why, sizeof(why), "line %d: %s is %d", __LINE__, #call, error_); \
			return; \
		} \
	} while (0)

static const char source[] =
	"struct node { global struct node *next; int value; };\n"
	"kernel void walk(global struct node *first, int factor, global int *count)\n"
	"{\n"
	"	int n = 0;\n"
	"	for (global struct node *at = first; at; at = at->next) { at->value *= factor; n++; }\n"
	"	*count = n;\n"
	"}\n"
	"kernel void scale(global int *data, int factor) { data[get_global_id(0)] *= factor; }\n"
	"kernel void is_null(global int *pointer, global int *result) { *result = pointer ? 1 : 2; }\n"
	"kernel void where(global char *buffer, global ulong *address) { *address = (ulong)(size_t)buffer; }\n"
	"kernel void sum(constant int *table, global int *result, local int *scratch)\n"
	"{ scratch[0] = table[0] + table[1]; *result = scratch[0]; }\n"
	/* Until the host says so, or for a bounded time. */
	"kernel void await(volatile global int *flag, volatile global int *seen)\n"
	"{\n"
	"	for (long i = 0; i < 2000000000 && !*seen; i++)\n"
	"		if (*flag) *seen = *flag;\n"
	"}\n"
	"kernel void count(volatile global int *counter, int times)\n"
	"{ for (int i = 0; i < times; i++) atomic_inc(counter); }\n";

struct node {
	struct node *next;
	cl_int value;
};

static cl_kernel kernel_of(const char *name)
{
	return clCreateKernel(program, name, NULL);
}

static cl_int launch(cl_kernel kernel, size_t count, cl_event *event)
{
	return clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &count, NULL, 0, NULL, event);
}

static cl_int *ints(size_t count)
{
	return clSVMAlloc(context, CL_MEM_READ_WRITE, count * sizeof(cl_int), 0);
}

/* Coarse-grained memory is the host's between these two. */
static cl_int host_begin(void *pointer, size_t bytes)
{
	return clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, pointer, bytes, 0, NULL, NULL);
}

static cl_int host_end(void *pointer)
{
	return clEnqueueSVMUnmap(queue, pointer, 0, NULL, NULL);
}

/* Something that takes a moment, so that what follows on the queue is not done in the enqueuing thread. */
static cl_int keep_busy(cl_int *scratch)
{
	cl_kernel kernel = kernel_of("count");
	cl_int times = 3000000, error;

	error = clSetKernelArgSVMPointer(kernel, 0, scratch);
	error |= clSetKernelArg(kernel, 1, sizeof(times), &times);
	if (!error)
		error = launch(kernel, 1, NULL);
	clReleaseKernel(kernel);
	return error;
}

static cl_command_type type_of(cl_event event)
{
	cl_command_type type = 0;

	clGetEventInfo(event, CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL);
	clWaitForEvents(1, &event);
	clReleaseEvent(event);
	return type;
}

/* ---- the tests ------------------------------------------------------------------------------------- */

static void memory_is_given_as_asked(void)
{
	for (cl_uint alignment = 1; alignment <= 128; alignment *= 2) {
		uint8_t *a = clSVMAlloc(context, CL_MEM_READ_WRITE, 3, alignment), *b = clSVMAlloc(context, CL_MEM_READ_ONLY, 5, alignment);

		REQUIRE(a && b && a != b && (uintptr_t)a % alignment == 0 && (uintptr_t)b % alignment == 0);
		clSVMFree(context, a);
		clSVMFree(context, b);
	}
	void *p = clSVMAlloc(context, 0, 1000, 0);
	REQUIRE(p && (uintptr_t)p % 128 == 0);
	clSVMFree(context, p);
	clSVMFree(context, NULL);
}

static void what_cannot_be_given_is_null(void)
{
	cl_ulong max_alloc_bytes = 0;

	CL(clGetDeviceInfo(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(max_alloc_bytes), &max_alloc_bytes, NULL));
	REQUIRE(!clSVMAlloc(NULL, CL_MEM_READ_WRITE, 16, 0));
	REQUIRE(!clSVMAlloc(context, CL_MEM_READ_WRITE, 0, 0));
	REQUIRE(!clSVMAlloc(context, CL_MEM_READ_WRITE, 16, 3));
	REQUIRE(!clSVMAlloc(context, CL_MEM_READ_WRITE, max_alloc_bytes + 1, 0));
	REQUIRE(!clSVMAlloc(context, CL_MEM_SVM_ATOMICS, 16, 0));
	REQUIRE(!clSVMAlloc(context, CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, 16, 0));
}

static void a_list_is_followed_through_many_allocations(void)
{
	enum { COUNT = 1000 };
	struct node *nodes[COUNT];
	cl_int factor = 3, *count = ints(1);
	cl_kernel kernel = kernel_of("walk");

	for (int i = 0; i < COUNT; i++) {
		nodes[i] = clSVMAlloc(context, CL_MEM_READ_WRITE, sizeof(struct node) + (i * 37) % 5000, 0);
		REQUIRE(nodes[i]);
		CL(host_begin(nodes[i], sizeof(struct node)));
		nodes[i]->value = i;
		nodes[i]->next = NULL;
		if (i) {
			CL(host_begin(nodes[i - 1], sizeof(struct node)));
			nodes[i - 1]->next = nodes[i];
			CL(host_end(nodes[i - 1]));
		}
		CL(host_end(nodes[i]));
	}
	CL(clSetKernelArgSVMPointer(kernel, 0, nodes[0]));
	CL(clSetKernelArg(kernel, 1, sizeof(factor), &factor));
	CL(clSetKernelArgSVMPointer(kernel, 2, count));
	CL(clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(nodes), nodes));
	CL(launch(kernel, 1, NULL));
	CL(host_begin(count, sizeof(*count)));
	REQUIRE(*count == COUNT);
	CL(host_end(count));
	for (int i = 0; i < COUNT; i++) {
		CL(host_begin(nodes[i], sizeof(struct node)));
		REQUIRE(nodes[i]->value == 3 * i);
		CL(host_end(nodes[i]));
	}
	CL(clFinish(queue));
	for (int i = 0; i < COUNT; i++)
		clSVMFree(context, nodes[i]);
	clSVMFree(context, count);
	CL(clReleaseKernel(kernel));
}

static void arguments_may_point_into_memory_or_nowhere(void)
{
	cl_int *data = ints(256), *result = ints(1), factor = 5;
	cl_kernel kernel = kernel_of("scale"), null = kernel_of("is_null"), table = kernel_of("sum"), clone;

	for (int i = 0; i < 256; i++)
		data[i] = i;
	CL(clSetKernelArgSVMPointer(kernel, 0, data + 100));
	CL(clSetKernelArg(kernel, 1, sizeof(factor), &factor));
	CL(launch(kernel, 50, NULL));
	clone = clCloneKernel(kernel, NULL);
	REQUIRE(clone);
	CL(launch(clone, 50, NULL));
	CL(clSetKernelArgSVMPointer(null, 0, NULL));
	CL(clSetKernelArgSVMPointer(null, 1, result));
	CL(launch(null, 1, NULL));
	CL(host_begin(result, sizeof(*result)));
	REQUIRE(*result == 2);
	CL(host_end(result));
	CL(clSetKernelArgSVMPointer(table, 0, data + 1));
	CL(clSetKernelArgSVMPointer(table, 1, result));
	CL(clSetKernelArg(table, 2, 16, NULL));
	CL(launch(table, 1, NULL));
	CL(clFinish(queue));
	REQUIRE(*result == 3);
	for (int i = 0; i < 256; i++)
		REQUIRE(data[i] == (i >= 100 && i < 150 ? 25 * i : i));
	CL(clReleaseKernel(clone));
	CL(clReleaseKernel(null));
	CL(clReleaseKernel(table));
	CL(clReleaseKernel(kernel));
	clSVMFree(context, data);
	clSVMFree(context, result);
}

static void an_argument_changes_between_buffer_and_pointer(void)
{
	cl_int host[64], *data = ints(64), two = 2;
	cl_kernel kernel = kernel_of("scale");
	cl_mem buffer;

	for (int i = 0; i < 64; i++)
		host[i] = data[i] = i;
	buffer = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, sizeof(host), host, NULL);
	REQUIRE(buffer);
	CL(clSetKernelArg(kernel, 1, sizeof(two), &two));
	for (int i = 0; i < 3; i++) {
		CL(clSetKernelArgSVMPointer(kernel, 0, data));
		CL(launch(kernel, 64, NULL));
		CL(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer));
		CL(launch(kernel, 64, NULL));
	}
	CL(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof(host), host, 0, NULL, NULL));
	for (int i = 0; i < 64; i++)
		REQUIRE(host[i] == 8 * i && data[i] == 8 * i);
	CL(clReleaseMemObject(buffer));
	CL(clReleaseKernel(kernel));
	clSVMFree(context, data);
}

static void wrong_arguments_are_refused(void)
{
	cl_kernel kernel = kernel_of("scale"), table = kernel_of("sum");
	cl_int *data = ints(1);
	cl_bool no = CL_FALSE;

	REQUIRE(clSetKernelArgSVMPointer(NULL, 0, data) == CL_INVALID_KERNEL);
	REQUIRE(clSetKernelArgSVMPointer(kernel, 2, data) == CL_INVALID_ARG_INDEX);
	REQUIRE(clSetKernelArgSVMPointer(kernel, 1, data) == CL_INVALID_ARG_VALUE);
	REQUIRE(clSetKernelArgSVMPointer(table, 2, data) == CL_INVALID_ARG_VALUE);
	REQUIRE(clSetKernelExecInfo(NULL, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(data), &data) == CL_INVALID_KERNEL);
	CL(clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(data), &data));
	CL(clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, sizeof(no), &no));
	clSVMFree(context, data);
	CL(clReleaseKernel(kernel));
	CL(clReleaseKernel(table));
}

static void copy_one(bool busy, cl_bool blocking, cl_int *scratch, void *to, void *from, size_t bytes, bool *ret_well)
{
	cl_event event;

	*ret_well = false;
	memset(to, 0, bytes);
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)from)[i] = (uint8_t)(i * 7 + 3);
	if (busy)
		CL(keep_busy(scratch));
	CL(clEnqueueSVMMemcpy(queue, blocking, to, from, bytes, 0, NULL, &event));
	if (blocking) {
		cl_int status = 1;
		CL(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
		REQUIRE(status == CL_COMPLETE && !memcmp(to, from, bytes));
	}
	REQUIRE(type_of(event) == CL_COMMAND_SVM_MEMCPY);
	REQUIRE(!memcmp(to, from, bytes));
	*ret_well = true;
}

static void copies_go_in_every_direction(void)
{
	const size_t sizes[] = { 1, 4096, 300001 };
	uint8_t *a = clSVMAlloc(context, CL_MEM_READ_WRITE, 400000, 0), *b = clSVMAlloc(context, CL_MEM_READ_WRITE, 400000, 0);
	uint8_t *c = malloc(400000), *d = malloc(400000);
	struct { uint8_t *to, *from; } const pairs[] = { { a, b }, { a, c }, { c, a }, { c, d }, { a + 3, c + 5 }, { c + 1, a + 2 },
							 { b + 200000 - 200000 % 7, b } };
	cl_int *scratch = ints(1);
	bool well;

	REQUIRE(a && b && c && d && scratch);
	for (int busy = 0; busy < 2; busy++)
		for (cl_bool blocking = 0; blocking < 2; blocking++)
			for (size_t size = 0; size < 3; size++)
				for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
					size_t bytes = sizes[size] > 190000 && i == 6 ? 190000 : sizes[size];

					copy_one(busy, blocking, scratch, pairs[i].to, pairs[i].from, bytes, &well);
					if (!well)
						return;
				}
	CL(clFinish(queue));
	clSVMFree(context, a);
	clSVMFree(context, b);
	clSVMFree(context, scratch);
	free(c);
	free(d);
}

static void wrong_copies_are_refused(void)
{
	uint8_t *a = clSVMAlloc(context, CL_MEM_READ_WRITE, 1000, 0), host[16];

	REQUIRE(clEnqueueSVMMemcpy(NULL, CL_TRUE, a, host, 16, 0, NULL, NULL) == CL_INVALID_COMMAND_QUEUE);
	REQUIRE(clEnqueueSVMMemcpy(queue, CL_TRUE, NULL, host, 16, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMemcpy(queue, CL_TRUE, a, NULL, 16, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMemcpy(queue, CL_TRUE, a, a + 8, 16, 0, NULL, NULL) == CL_MEM_COPY_OVERLAP);
	REQUIRE(clEnqueueSVMMemcpy(queue, CL_TRUE, a + 8, a, 16, 0, NULL, NULL) == CL_MEM_COPY_OVERLAP);
	REQUIRE(clEnqueueSVMMemcpy(queue, CL_TRUE, a, host, 16, 1, NULL, NULL) == CL_INVALID_EVENT_WAIT_LIST);
	clSVMFree(context, a);
}

static void fills_have_every_pattern_size(void)
{
	uint8_t *a = clSVMAlloc(context, CL_MEM_READ_WRITE, 65536, 128), pattern[128];
	cl_event event;

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(200 - i);
	for (size_t bytes = 1; bytes <= 128; bytes *= 2) {
		CL(host_begin(a, 65536));
		memset(a, 0, 65536);
		CL(host_end(a));
		CL(clEnqueueSVMMemFill(queue, a + 2 * bytes, pattern, bytes, 100 * bytes, 0, NULL, &event));
		REQUIRE(type_of(event) == CL_COMMAND_SVM_MEMFILL);
		CL(host_begin(a, 65536));
		for (size_t i = 0; i < 104 * bytes; i++)
			REQUIRE(a[i] == (i >= 2 * bytes && i < 102 * bytes ? pattern[i % bytes] : 0));
		CL(host_end(a));
	}
	REQUIRE(clEnqueueSVMMemFill(NULL, a, pattern, 4, 16, 0, NULL, NULL) == CL_INVALID_COMMAND_QUEUE);
	REQUIRE(clEnqueueSVMMemFill(queue, NULL, pattern, 4, 16, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMemFill(queue, a, pattern, 0, 16, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMemFill(queue, a, pattern, 3, 12, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMemFill(queue, a, pattern, 4, 18, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMemFill(queue, a + 2, pattern, 4, 16, 0, NULL, NULL) == CL_INVALID_VALUE);
	CL(clFinish(queue));
	clSVMFree(context, a);
}

static void mapping_and_migrating_keep_their_place(void)
{
	cl_int *data = ints(16), *scratch = ints(1);
	const void *pointers[] = { data, scratch };
	const size_t sizes[] = { 16, 0 };
	cl_event event;

	*scratch = 0;
	CL(keep_busy(scratch));
	CL(clEnqueueSVMMap(queue, CL_FALSE, CL_MAP_READ, scratch, sizeof(*scratch), 0, NULL, &event));
	REQUIRE(type_of(event) == CL_COMMAND_SVM_MAP);
	REQUIRE(*scratch == 3000000);
	CL(clEnqueueSVMUnmap(queue, scratch, 0, NULL, &event));
	REQUIRE(type_of(event) == CL_COMMAND_SVM_UNMAP);
	CL(keep_busy(scratch));
	CL(host_begin(scratch, sizeof(*scratch)));
	REQUIRE(*scratch == 6000000);
	CL(host_end(scratch));
	CL(clEnqueueSVMMigrateMem(queue, 2, pointers, sizes, 0, 0, NULL, &event));
	REQUIRE(type_of(event) == CL_COMMAND_SVM_MIGRATE_MEM);
	CL(clEnqueueSVMMigrateMem(queue, 2, pointers, NULL, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL));
	REQUIRE(clEnqueueSVMMap(NULL, CL_TRUE, CL_MAP_READ, data, 4, 0, NULL, NULL) == CL_INVALID_COMMAND_QUEUE);
	REQUIRE(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, NULL, 4, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, data, 0, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMUnmap(queue, NULL, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMigrateMem(queue, 0, pointers, NULL, 0, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMMigrateMem(queue, 1, NULL, NULL, 0, 0, NULL, NULL) == CL_INVALID_VALUE);
	CL(clFinish(queue));
	clSVMFree(context, data);
	clSVMFree(context, scratch);
}

static void commands_wait_for_their_lists(void)
{
	cl_int *data = ints(4), host[4] = { 1, 2, 3, 4 }, seen[4] = { 0 }, status = 1;
	cl_event user = clCreateUserEvent(context, NULL), fill, copy;
	const cl_int nine = 9;

	memset(data, 0, 16);
	CL(clEnqueueSVMMemFill(queue, data, &nine, 4, 16, 1, &user, &fill));
	CL(clEnqueueSVMMemcpy(queue, CL_FALSE, data + 2, host, 8, 1, &fill, &copy));
	usleep(20000);
	CL(clGetEventInfo(copy, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	REQUIRE(status > CL_COMPLETE && data[0] == 0);
	CL(clSetUserEventStatus(user, CL_COMPLETE));
	CL(clEnqueueSVMMemcpy(queue, CL_TRUE, seen, data, 16, 1, &copy, NULL));
	REQUIRE(seen[0] == 9 && seen[1] == 9 && seen[2] == 1 && seen[3] == 2);
	CL(clReleaseEvent(user));
	CL(clReleaseEvent(fill));
	CL(clReleaseEvent(copy));
	clSVMFree(context, data);
}

struct freed {
	cl_command_queue queue;
	cl_uint count;
	void *pointers[2];
	int calls;
};

static void CL_CALLBACK on_free(cl_command_queue of, cl_uint count, void **pointers, void *data)
{
	struct freed *freed = data;

	freed->queue = of;
	freed->count = count;
	for (cl_uint i = 0; i < count && i < 2; i++) {
		freed->pointers[i] = pointers[i];
		clSVMFree(context, pointers[i]);
	}
	__atomic_fetch_add(&freed->calls, 1, __ATOMIC_RELEASE);
}

static void freeing_waits_for_its_turn(void)
{
	cl_int *a = ints(16), *b = ints(300000), *scratch = ints(1);
	void *pointers[] = { a, b };
	struct freed freed = { 0 };
	cl_event event;

	*scratch = 0;
	CL(keep_busy(scratch));
	CL(clEnqueueSVMFree(queue, 2, pointers, on_free, &freed, 0, NULL, &event));
	pointers[0] = pointers[1] = NULL;
	REQUIRE(type_of(event) == CL_COMMAND_SVM_FREE);
	for (int i = 0; i < 5000 && !__atomic_load_n(&freed.calls, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	REQUIRE(freed.calls == 1 && freed.queue == queue && freed.count == 2 && freed.pointers[0] == a && freed.pointers[1] == b);
	REQUIRE(*scratch == 3000000);
	/* And by the implementation itself, with and without work ahead. */
	for (int busy = 0; busy < 2; busy++) {
		pointers[0] = ints(100);
		pointers[1] = ints(100);
		if (busy)
			CL(keep_busy(scratch));
		CL(clEnqueueSVMFree(queue, 2, pointers, NULL, NULL, 0, NULL, &event));
		REQUIRE(type_of(event) == CL_COMMAND_SVM_FREE);
	}
	REQUIRE(clEnqueueSVMFree(NULL, 1, pointers, NULL, NULL, 0, NULL, NULL) == CL_INVALID_COMMAND_QUEUE);
	REQUIRE(clEnqueueSVMFree(queue, 1, NULL, NULL, NULL, 0, NULL, NULL) == CL_INVALID_VALUE);
	REQUIRE(clEnqueueSVMFree(queue, 0, pointers, NULL, NULL, 0, NULL, NULL) == CL_INVALID_VALUE);
	CL(clFinish(queue));
	clSVMFree(context, scratch);
}

static void a_buffer_may_be_made_of_it(void)
{
	cl_int *data = ints(4096), three = 3, plain[4] = { 0 };
	cl_kernel kernel = kernel_of("scale"), where = kernel_of("where");
	cl_buffer_region region = { 4096, 4096 };
	cl_ulong *address = clSVMAlloc(context, CL_MEM_READ_WRITE, sizeof(*address), 0);
	cl_mem buffer, part, other;
	cl_bool uses = CL_FALSE;
	void *pointer = NULL;
	cl_int *mapped;

	for (int i = 0; i < 4096; i++)
		data[i] = i;
	buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, 4096 * sizeof(cl_int), data, NULL);
	other = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, sizeof(plain), plain, NULL);
	REQUIRE(buffer && other);
	part = clCreateSubBuffer(buffer, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, NULL);
	REQUIRE(part);
	CL(clGetMemObjectInfo(buffer, CL_MEM_USES_SVM_POINTER, sizeof(uses), &uses, NULL));
	REQUIRE(uses);
	CL(clGetMemObjectInfo(other, CL_MEM_USES_SVM_POINTER, sizeof(uses), &uses, NULL));
	REQUIRE(!uses);
	CL(clGetMemObjectInfo(buffer, CL_MEM_HOST_PTR, sizeof(pointer), &pointer, NULL));
	REQUIRE(pointer == data);
	CL(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer));
	CL(clSetKernelArg(kernel, 1, sizeof(three), &three));
	CL(launch(kernel, 4096, NULL));
	CL(clSetKernelArg(kernel, 0, sizeof(part), &part));
	CL(launch(kernel, 1024, NULL));
	/* It is at its address in the kernel, too. */
	CL(clSetKernelArg(where, 0, sizeof(buffer), &buffer));
	CL(clSetKernelArgSVMPointer(where, 1, address));
	CL(launch(where, 1, NULL));
	mapped = clEnqueueMapBuffer(queue, buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, 4096 * sizeof(cl_int), 0, NULL, NULL, NULL);
	REQUIRE(mapped == data && *address == (uintptr_t)data);
	for (int i = 0; i < 4096; i++)
		REQUIRE(data[i] == i * (i >= 1024 && i < 2048 ? 9 : 3));
	data[7] = 1;
	CL(clEnqueueUnmapMemObject(queue, buffer, mapped, 0, NULL, NULL));
	CL(clSetKernelArgSVMPointer(kernel, 0, data));
	CL(launch(kernel, 16, NULL));
	CL(clFinish(queue));
	REQUIRE(data[7] == 3);
	CL(clReleaseMemObject(part));
	CL(clReleaseMemObject(buffer));
	CL(clReleaseMemObject(other));
	CL(clReleaseKernel(kernel));
	CL(clReleaseKernel(where));
	data[0] = 1;	/* outlives its buffer */
	clSVMFree(context, data);
	clSVMFree(context, address);
}

static void fine_grained_memory_needs_no_map(void)
{
	cl_int *data, two = 2;
	cl_kernel kernel = kernel_of("scale");

	if (!(capabilities & CL_DEVICE_SVM_FINE_GRAIN_BUFFER)) {
		REQUIRE(!clSVMAlloc(context, CL_MEM_SVM_FINE_GRAIN_BUFFER, 16, 0));
		CL(clReleaseKernel(kernel));
		return;
	}
	data = clSVMAlloc(context, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER, 1024 * sizeof(cl_int), 0);
	REQUIRE(data);
	CL(clSetKernelArgSVMPointer(kernel, 0, data));
	CL(clSetKernelArg(kernel, 1, sizeof(two), &two));
	for (int round = 1; round <= 50; round++) {
		for (int i = 0; i < 1024; i++)
			data[i] = i * round;
		CL(launch(kernel, 1024, NULL));
		CL(clFinish(queue));
		for (int i = 0; i < 1024; i++)
			REQUIRE(data[i] == 2 * i * round);
	}
	clSVMFree(context, data);
	CL(clReleaseKernel(kernel));
}

static void a_running_kernel_sees_the_host_and_is_seen(void)
{
	cl_int *words, times = 2000000;
	cl_kernel await = kernel_of("await"), count = kernel_of("count");

	if (capabilities & CL_DEVICE_SVM_ATOMICS) {
		words = clSVMAlloc(context, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS, 1024, 0);
		REQUIRE(words);
		memset(words, 0, 1024);
		CL(clSetKernelArgSVMPointer(await, 0, words));
		CL(clSetKernelArgSVMPointer(await, 1, words + 64));
		CL(launch(await, 1, NULL));
		CL(clFlush(queue));
		usleep(100000);
		__atomic_store_n(words, 17, __ATOMIC_SEQ_CST);
		for (int i = 0; i < 20000 && !__atomic_load_n(words + 64, __ATOMIC_SEQ_CST); i++)
			usleep(1000);
		REQUIRE(words[64] == 17);
		CL(clSetKernelArgSVMPointer(count, 0, words + 128));
		CL(clSetKernelArg(count, 1, sizeof(times), &times));
		CL(launch(count, 1, NULL));
		CL(clFlush(queue));
		for (int i = 0; i < times; i++)
			__atomic_fetch_add(words + 128, 1, __ATOMIC_SEQ_CST);
		CL(clFinish(queue));
		REQUIRE(words[128] == 2 * times);
		clSVMFree(context, words);
	}
	CL(clReleaseKernel(await));
	CL(clReleaseKernel(count));
}

static void many_allocations_come_and_go(void)
{
	enum { COUNT = 2000, ROUNDS = 10000 };
	static struct { uint8_t *at; size_t bytes; } blocks[COUNT];
	unsigned random = 7;

	for (int i = 0; i < ROUNDS; i++) {
		int n = rand_r(&random) % COUNT;
		size_t bytes = rand_r(&random) % 100 ? 1 + (size_t)rand_r(&random) % 3000 : 700000;

		if (blocks[n].at) {
			REQUIRE(blocks[n].at[0] == (uint8_t)n && blocks[n].at[blocks[n].bytes - 1] == (uint8_t)n);
			clSVMFree(context, blocks[n].at);
			blocks[n].at = NULL;
		} else {
			blocks[n].at = clSVMAlloc(context, CL_MEM_READ_WRITE, bytes, 0);
			REQUIRE(blocks[n].at);
			blocks[n].bytes = bytes;
			memset(blocks[n].at, n, bytes);
		}
	}
	for (int n = 0; n < COUNT; n++)
		if (blocks[n].at) {
			REQUIRE(blocks[n].at[0] == (uint8_t)n && blocks[n].at[blocks[n].bytes - 1] == (uint8_t)n);
			clSVMFree(context, blocks[n].at);
		}
}

static void *thread_main(void *data)
{
	bool *well = data;
	cl_kernel kernel = kernel_of("scale");
	cl_command_queue own = clCreateCommandQueueWithProperties(context, device, NULL, NULL);
	const size_t count = 256;
	cl_int two = 2;

	*well = kernel && own;
	for (int round = 0; *well && round < 100; round++) {
		cl_int *ours = ints(count);

		for (size_t i = 0; ours && i < count; i++)
			ours[i] = (cl_int)i + round;
		*well = ours && !clSetKernelArgSVMPointer(kernel, 0, ours) && !clSetKernelArg(kernel, 1, sizeof(two), &two) &&
			!clEnqueueNDRangeKernel(own, kernel, 1, NULL, &count, NULL, 0, NULL, NULL) && !clFinish(own);
		for (size_t i = 0; *well && i < count; i++)
			*well = ours[i] == 2 * ((cl_int)i + round);
		clSVMFree(context, ours);
	}
	clReleaseKernel(kernel);
	clReleaseCommandQueue(own);
	return NULL;
}

static void threads_use_it_at_once(void)
{
	pthread_t threads[4];
	bool well[4];

	for (int i = 0; i < 4; i++)
		REQUIRE(!pthread_create(&threads[i], NULL, thread_main, &well[i]));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	REQUIRE(well[0] && well[1] && well[2] && well[3]);
}

static void contexts_come_and_go(void)
{
	for (int i = 0; i < 30; i++) {
		cl_context other = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
		int *a, *b;

		REQUIRE(other);
		a = clSVMAlloc(other, CL_MEM_READ_WRITE, 100000, 0);
		b = clSVMAlloc(context, CL_MEM_READ_WRITE, 100000, 0);
		REQUIRE(a && b && a != b);
		memset(a, 1, 100000);
		memset(b, 2, 100000);
		REQUIRE(a[20000] == 0x01010101);
		clSVMFree(other, a);
		clSVMFree(context, b);
		CL(clReleaseContext(other));
	}
}

/* ---- the frame ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
#define TEST(name) { #name, name }
	TEST(memory_is_given_as_asked),
	TEST(what_cannot_be_given_is_null),
	TEST(a_list_is_followed_through_many_allocations),
	TEST(arguments_may_point_into_memory_or_nowhere),
	TEST(an_argument_changes_between_buffer_and_pointer),
	TEST(wrong_arguments_are_refused),
	TEST(copies_go_in_every_direction),
	TEST(wrong_copies_are_refused),
	TEST(fills_have_every_pattern_size),
	TEST(mapping_and_migrating_keep_their_place),
	TEST(commands_wait_for_their_lists),
	TEST(freeing_waits_for_its_turn),
	TEST(a_buffer_may_be_made_of_it),
	TEST(fine_grained_memory_needs_no_map),
	TEST(a_running_kernel_sees_the_host_and_is_seen),
	TEST(many_allocations_come_and_go),
	TEST(threads_use_it_at_once),
	TEST(contexts_come_and_go),
};

static int begin(void)
{
	cl_platform_id platform;
	const char *text = source;

	if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL)) {
		fprintf(stderr, "no OpenCL device\n");
		return 1;
	}
	clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(capabilities), &capabilities, NULL);
	printf("capabilities %llu\n", (unsigned long long)capabilities);
	context = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
	queue = context ? clCreateCommandQueueWithProperties(context, device, NULL, NULL) : NULL;
	if (!queue) {
		fprintf(stderr, "no context\n");
		return 1;
	}
	if (!(capabilities & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER)) {
		cl_int word = 0, refused = clEnqueueSVMMemcpy(queue, CL_TRUE, &word, &capabilities, sizeof(word), 0, NULL, NULL);

		printf("without: alloc %d, memcpy %d\n", clSVMAlloc(context, CL_MEM_READ_WRITE, 16, 0) != NULL, refused);
		return 77;
	}
	program = clCreateProgramWithSource(context, 1, &text, NULL, NULL);
	return program && !clBuildProgram(program, 1, &device, "", NULL, NULL) ? 0 : 1;
}

static unsigned take_all(void **blocks, unsigned most, size_t bytes)
{
	unsigned count = 0;

	while (count < most && (blocks[count] = clSVMAlloc(context, CL_MEM_READ_WRITE, bytes, 0))) {
		memset(blocks[count], 1, bytes);
		count++;
	}
	return count;
}

/* Prints how many bytes there were, each time. */
static int limit(void)
{
	static void *blocks[100000];

	for (int round = 0; round < 3; round++)
		for (size_t bytes = 65536; bytes <= 4u << 20; bytes *= 64) {
			unsigned count = take_all(blocks, 100000, bytes);

			printf("limit %zu bytes each: %llu\n", bytes, (unsigned long long)count * bytes);
			while (count)
				clSVMFree(context, blocks[--count]);
		}
	return 0;
}

int main(int argc, char **argv)
{
	int status = begin();

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (status)
		return status;
	if (argc > 1 && !strcmp(argv[1], "limit"))
		return limit();
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		why[0] = '\0';
		tests[i].run();
		printf(why[0] ? "not ok %s: %s\n" : "ok %s\n", tests[i].name, why);
		failed += why[0] != '\0';
	}
	clReleaseProgram(program);
	clReleaseCommandQueue(queue);
	clReleaseContext(context);
	return failed;
}
