/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/raw_pointers.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "mdev/log/log.h"
#include "shim/wire/wire.h"

#define ARENA_BYTES 65536u
#define NODE_COUNT 16u
#define NODE_STRIDE_BYTES 1112u	/* no alignment but that of a pointer */

struct node {
	uint64_t next;		/* address */
	uint64_t value;
};

static const char source[] =
	"struct node { global struct node *next; ulong value; };\n"
	"kernel void follow(global struct node *first, global ulong *sum)\n"
	"{\n"
	"	ulong total = 0;\n"
	"	for (global struct node *at = first; at; at = at->next) {\n"
	"		total += at->value;\n"
	"		at->value = ~at->value;\n"
	"	}\n"
	"	*sum = total;\n"
	"}\n";

static bool reported(cl_device_id device)
{
	cl_device_svm_capabilities capabilities = 0;
	cl_bool unified = CL_FALSE;
	cl_uint bits = 0;

	return !clGetDeviceInfo(device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(unified), &unified, NULL) && unified &&
	       !clGetDeviceInfo(device, CL_DEVICE_ADDRESS_BITS, sizeof(bits), &bits, NULL) && bits == 64 &&
	       !clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(capabilities), &capabilities, NULL) &&
	       capabilities & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER;
}

static struct node *node_at(uint8_t *arena, uint32_t i)
{
	return (struct node *)(void *)(arena + 8 + i * NODE_STRIDE_BYTES);
}

static uint64_t value_of(uint32_t i)
{
	return 0x9e3779b97f4a7c15u * (i + 1);
}

static void list_make(uint8_t *arena)
{
	for (uint32_t i = 0; i < NODE_COUNT; i++)
		*node_at(arena, i) = (struct node){i + 1 < NODE_COUNT ? (uintptr_t)node_at(arena, i + 1) : 0, value_of(i)};
}

static bool list_was_followed(uint8_t *arena, const uint64_t *sum)
{
	uint64_t expected = 0;
	bool all = true;

	for (uint32_t i = 0; i < NODE_COUNT; i++) {
		expected += value_of(i);
		all &= node_at(arena, i)->value == ~value_of(i);
	}
	return all && *sum == expected;
}

static bool run(cl_context context, cl_device_id device, uint8_t *arena)
{
	const char *text = source;
	const size_t one = 1;
	uint64_t *sum = (uint64_t *)(void *)(arena + ARENA_BYTES - sizeof(*sum));
	cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, NULL);
	cl_command_queue queue = clCreateCommandQueueWithProperties(context, device, NULL, NULL);
	cl_kernel kernel = NULL;
	bool works = false;

	list_make(arena);
	if (program && queue && !clBuildProgram(program, 1, &device, NULL, NULL, NULL))
		kernel = clCreateKernel(program, "follow", NULL);
	if (kernel && !clSetKernelArgSVMPointer(kernel, 0, node_at(arena, 0)) && !clSetKernelArgSVMPointer(kernel, 1, sum) &&
	    !clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL) && !clFinish(queue))
		works = list_was_followed(arena, sum);
	if (kernel)
		clReleaseKernel(kernel);
	if (queue)
		clReleaseCommandQueue(queue);
	if (program)
		clReleaseProgram(program);
	return works;
}

bool raw_pointers_work(cl_device_id device)
{
	void *asked = (void *)(uintptr_t)WIRE_SVM_WINDOW_FIRST;
	bool works = false;

	if (!reported(device))
		return false;
	uint8_t *arena = mmap(asked, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		return false;
	cl_context context = arena == asked ? clCreateContext(NULL, 1, &device, NULL, NULL, NULL) : NULL;
	if (context) {
		works = run(context, device, arena);
		clReleaseContext(context);
	}
	munmap(arena, ARENA_BYTES);
	if (!works)
		log_info("a kernel does not go by raw pointers on this device: it is offered without shared virtual memory");
	return works;
}
