// SPDX-License-Identifier: MIT
/* OpenCL calls that remember the first failure; see session.h. */
#include "benchmarks/session.h"

#include "benchmarks/clock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void session_fail(struct session *s, const char *format, ...)
{
	va_list args;

	if (s->failed)
		return;
	s->failed = true;
	va_start(args, format);
	vsnprintf(s->failure, sizeof(s->failure), format, args);
	va_end(args);
}

bool session_check(struct session *s, const char *call, cl_int code)
{
	if (code != CL_SUCCESS)
		session_fail(s, "%s failed: %s (%d)", call, cl_error_name(code), code);
	return s->failed;
}

void session_open(struct session *s, const struct device_choice *choice)
{
	const cl_context_properties properties[] = {
		CL_CONTEXT_PLATFORM, (cl_context_properties)choice->platform, 0,
	};
	const cl_queue_properties profiling[] = { CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0 };
	cl_int err;

	memset(s, 0, sizeof(*s));
	s->choice = choice;
	s->context = clCreateContext(properties, 1, &choice->device, NULL, NULL, &err);
	if (session_check(s, "clCreateContext", err))
		return;
	s->queue = clCreateCommandQueueWithProperties(s->context, choice->device, profiling, &err);
	if (session_check(s, "clCreateCommandQueueWithProperties", err))
		return;
	s->upload_queue = clCreateCommandQueueWithProperties(s->context, choice->device, NULL, &err);
	session_check(s, "clCreateCommandQueueWithProperties", err);
}

void session_close(struct session *s)
{
	/* Queued commands may still use the host memory freed below. */
	if (s->upload_queue)
		clFinish(s->upload_queue);
	if (s->queue)
		clFinish(s->queue);
	for (unsigned i = 0; i < s->kernel_count; i++)
		clReleaseKernel(s->kernels[i]);
	for (unsigned i = 0; i < s->program_count; i++)
		clReleaseProgram(s->programs[i]);
	for (unsigned i = 0; i < s->buffer_count; i++)
		clReleaseMemObject(s->buffers[i]);
	if (s->upload_queue)
		clReleaseCommandQueue(s->upload_queue);
	if (s->queue)
		clReleaseCommandQueue(s->queue);
	if (s->context)
		clReleaseContext(s->context);
	for (unsigned i = 0; i < s->host_count; i++)
		free(s->host[i]);
	s->kernel_count = s->program_count = s->buffer_count = s->host_count = 0;
	s->queue = s->upload_queue = NULL;
	s->context = NULL;
}

/* True: there is room for one more object of a kind. */
static bool room(struct session *s, unsigned count)
{
	if (count >= SESSION_OBJECTS_MAX)
		session_fail(s, "a benchmark made more than %d objects of one kind", SESSION_OBJECTS_MAX);
	return !s->failed;
}

void *session_host_memory(struct session *s, size_t count, size_t size)
{
	void *memory;

	if (!room(s, s->host_count))
		return NULL;
	memory = calloc(count, size);
	if (!memory) {
		session_fail(s, "out of host memory: %zu x %zu bytes; choose a smaller size", count, size);
		return NULL;
	}
	s->host[s->host_count++] = memory;
	return memory;
}

cl_mem session_buffer(struct session *s, cl_mem_flags flags, size_t bytes, void *host)
{
	cl_mem buffer;
	cl_int err;

	if (!room(s, s->buffer_count))
		return NULL;
	buffer = clCreateBuffer(s->context, flags, bytes, host, &err);
	if (err != CL_SUCCESS) {
		session_fail(s, "clCreateBuffer of %zu bytes failed: %s (%d); the device allows %llu per "
			"buffer and has %llu", bytes, cl_error_name(err), err,
			(unsigned long long)s->choice->allocation_max_bytes,
			(unsigned long long)s->choice->memory_bytes);
		return NULL;
	}
	s->buffers[s->buffer_count++] = buffer;
	return buffer;
}

static void fail_build(struct session *s, cl_program program, const char *options, cl_int err)
{
	char log[SESSION_LOG_MAX / 2] = "";

	/* A log longer than this comes back as CL_INVALID_VALUE; then the error's name has to do. */
	if (clGetProgramBuildInfo(program, s->choice->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log,
			NULL) != CL_SUCCESS)
		strcpy(log, "(no build log)");
	log[sizeof(log) - 1] = '\0';
	session_fail(s, "clBuildProgram with options '%s' failed: %s (%d): %s", options, cl_error_name(err),
		err, log);
}

cl_program session_build(struct session *s, const char *source, const char *options)
{
	cl_program program;
	uint64_t start_ns;
	cl_int err;

	if (!room(s, s->program_count))
		return NULL;
	program = clCreateProgramWithSource(s->context, 1, &source, NULL, &err);
	if (session_check(s, "clCreateProgramWithSource", err))
		return NULL;
	s->programs[s->program_count++] = program;
	start_ns = clock_now_ns();
	err = clBuildProgram(program, 1, &s->choice->device, options, NULL, NULL);
	s->build_ns += clock_now_ns() - start_ns;
	if (err != CL_SUCCESS) {
		fail_build(s, program, options, err);
		return NULL;
	}
	return program;
}

cl_kernel session_kernel(struct session *s, cl_program program, const char *name)
{
	cl_kernel kernel;
	cl_int err;

	if (!room(s, s->kernel_count))
		return NULL;
	kernel = clCreateKernel(program, name, &err);
	if (err != CL_SUCCESS) {
		session_fail(s, "clCreateKernel of '%s' failed: %s (%d)", name, cl_error_name(err), err);
		return NULL;
	}
	s->kernels[s->kernel_count++] = kernel;
	return kernel;
}

size_t session_group_size_max(struct session *s, cl_kernel kernel)
{
	size_t size = 0;

	if (s->failed)
		return 0;
	if (session_check(s, "clGetKernelWorkGroupInfo",
			clGetKernelWorkGroupInfo(kernel, s->choice->device, CL_KERNEL_WORK_GROUP_SIZE,
				sizeof(size), &size, NULL)))
		return 0;
	if (size == 0)
		session_fail(s, "clGetKernelWorkGroupInfo says CL_KERNEL_WORK_GROUP_SIZE is 0");
	return size;
}

void session_arg(struct session *s, cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
	cl_int err;

	if (s->failed)
		return;
	err = clSetKernelArg(kernel, index, bytes, value);
	if (err != CL_SUCCESS)
		session_fail(s, "clSetKernelArg of argument %u (%zu bytes) failed: %s (%d)", index, bytes,
			cl_error_name(err), err);
}

void session_arg_buffer(struct session *s, cl_kernel kernel, cl_uint index, cl_mem buffer)
{
	session_arg(s, kernel, index, sizeof(buffer), &buffer);
}

void session_arg_u32(struct session *s, cl_kernel kernel, cl_uint index, uint32_t value)
{
	session_arg(s, kernel, index, sizeof(value), &value);
}

void session_arg_local(struct session *s, cl_kernel kernel, cl_uint index, size_t bytes)
{
	session_arg(s, kernel, index, bytes, NULL);
}

void session_launch(struct session *s, cl_kernel kernel, cl_uint dimensions, const size_t *global,
	const size_t *local, struct wait_list wait, cl_event *ret_event)
{
	if (!s->failed)
		session_check(s, "clEnqueueNDRangeKernel",
			clEnqueueNDRangeKernel(s->queue, kernel, dimensions, NULL, global, local, wait.count,
				wait.events, ret_event));
}

void session_write(struct session *s, cl_command_queue queue, cl_mem buffer, cl_bool blocking,
	size_t offset, size_t bytes, const void *from, struct wait_list wait, cl_event *ret_event)
{
	if (!s->failed)
		session_check(s, "clEnqueueWriteBuffer",
			clEnqueueWriteBuffer(queue, buffer, blocking, offset, bytes, from, wait.count,
				wait.events, ret_event));
}

void session_read(struct session *s, cl_command_queue queue, cl_mem buffer, cl_bool blocking,
	size_t offset, size_t bytes, void *to, struct wait_list wait, cl_event *ret_event)
{
	if (!s->failed)
		session_check(s, "clEnqueueReadBuffer",
			clEnqueueReadBuffer(queue, buffer, blocking, offset, bytes, to, wait.count,
				wait.events, ret_event));
}

void session_copy(struct session *s, cl_mem from, cl_mem to, size_t bytes, struct wait_list wait,
	cl_event *ret_event)
{
	if (!s->failed)
		session_check(s, "clEnqueueCopyBuffer",
			clEnqueueCopyBuffer(s->queue, from, to, 0, 0, bytes, wait.count, wait.events,
				ret_event));
}

void session_fill_u32(struct session *s, cl_mem buffer, uint32_t pattern, size_t offset, size_t bytes,
	struct wait_list wait, cl_event *ret_event)
{
	if (!s->failed)
		session_check(s, "clEnqueueFillBuffer",
			clEnqueueFillBuffer(s->queue, buffer, &pattern, sizeof(pattern), offset, bytes,
				wait.count, wait.events, ret_event));
}

void *session_map(struct session *s, cl_mem buffer, cl_map_flags flags, size_t bytes)
{
	void *mapped;
	cl_int err;

	if (s->failed)
		return NULL;
	mapped = clEnqueueMapBuffer(s->queue, buffer, CL_TRUE, flags, 0, bytes, 0, NULL, NULL, &err);
	if (session_check(s, "clEnqueueMapBuffer", err))
		return NULL;
	if (!mapped)
		session_fail(s, "clEnqueueMapBuffer returned no pointer and no error");
	return mapped;
}

void session_unmap(struct session *s, cl_mem buffer, void *mapped, cl_event *ret_event)
{
	if (!s->failed)
		session_check(s, "clEnqueueUnmapMemObject",
			clEnqueueUnmapMemObject(s->queue, buffer, mapped, 0, NULL, ret_event));
}

void session_flush(struct session *s, cl_command_queue queue)
{
	if (!s->failed)
		session_check(s, "clFlush", clFlush(queue));
}

void session_finish(struct session *s)
{
	if (!s->failed)
		session_check(s, "clFinish", clFinish(s->queue));
}

void session_wait(struct session *s, cl_uint count, const cl_event *events)
{
	if (!s->failed)
		session_check(s, "clWaitForEvents", clWaitForEvents(count, events));
}

uint64_t session_profile_ns(struct session *s, cl_event event)
{
	cl_ulong start_ns = 0, end_ns = 0;

	if (s->failed)
		return 0;
	if (session_check(s, "clGetEventProfilingInfo",
			clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(start_ns),
				&start_ns, NULL)) ||
	    session_check(s, "clGetEventProfilingInfo",
			clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end_ns), &end_ns,
				NULL)))
		return 0;
	if (end_ns < start_ns)
		session_fail(s, "clGetEventProfilingInfo: a command ended at %llu ns, before its start at "
			"%llu ns", (unsigned long long)end_ns, (unsigned long long)start_ns);
	return s->failed ? 0 : end_ns - start_ns;
}
