/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §5.2.2 to §5.2.5, §5.5.2 to §5.5.4: reading, writing, copying, filling, mapping and migrating buffers. */
#include "tests/conformance/conformance.h"

static char data[2 * BUFFER_BYTES];

#define READ(queue, mem, offset, bytes, to, n, list) clEnqueueReadBuffer(queue, mem, CL_TRUE, offset, bytes, to, n, list, NULL)
#define WRITE(queue, mem, offset, bytes, from, n, list) clEnqueueWriteBuffer(queue, mem, CL_TRUE, offset, bytes, from, n, list, NULL)
#define CHECK_TRANSFER(entry, OP, forbidden_flags_buffer) \
	do { \
		CHECK_HANDLE(entry, cl_command_queue, CL_INVALID_COMMAND_QUEUE, OP(bad, s.buffer, 0, 64, data, 0, NULL)); \
		CHECK_HANDLE(entry, cl_mem, CL_INVALID_MEM_OBJECT, OP(s.queue, bad, 0, 64, data, 0, NULL)); \
		CHECK(entry, "a queue of another context", OP(s.other_queue, s.buffer, 0, 64, data, 0, NULL), CL_INVALID_CONTEXT); \
		CHECK(entry, "past the end", OP(s.queue, s.buffer, BUFFER_BYTES - 32, 64, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "from behind the end", OP(s.queue, s.buffer, BUFFER_BYTES + 1, 1, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "an end that overflows", OP(s.queue, s.buffer, SIZE_MAX - 32, 64, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "past the end of a sub-buffer", OP(s.queue, s.sub_buffer, BUFFER_BYTES / 2, 64, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "no pointer", OP(s.queue, s.buffer, 0, 64, NULL, 0, NULL), CL_INVALID_VALUE); \
		CHECK_WAITS(entry, OP(s.queue, s.buffer, 0, 64, data, count, list)); \
		CHECK(entry, "blocking, for an event that failed", OP(s.queue, s.buffer, 0, 64, data, 1, &s.failed), \
		      CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST); \
		CHECK(entry, "against the host's access", OP(s.queue, forbidden_flags_buffer, 0, 64, data, 0, NULL), CL_INVALID_OPERATION); \
		CHECK(entry, "where the host has no access", OP(s.queue, s.host_no_access, 0, 64, data, 0, NULL), CL_INVALID_OPERATION); \
	} while (0)

static const size_t zero[3], small[3] = {16, 4, 1}, flat[3] = {16, 0, 1}, wide[3] = {BUFFER_BYTES + 1, 1, 1}, far[3] = {0, 256, 0};

#define READ_RECT(queue, mem, origin, region, brow, bslice, hrow, hslice, to, n, list) \
	clEnqueueReadBufferRect(queue, mem, CL_TRUE, origin, zero, region, brow, bslice, hrow, hslice, to, n, list, NULL)
#define WRITE_RECT(queue, mem, origin, region, brow, bslice, hrow, hslice, to, n, list) \
	clEnqueueWriteBufferRect(queue, mem, CL_TRUE, origin, zero, region, brow, bslice, hrow, hslice, to, n, list, NULL)
#define CHECK_RECT(entry, OP, forbidden_flags_buffer) \
	do { \
		CHECK_HANDLE(entry, cl_command_queue, CL_INVALID_COMMAND_QUEUE, OP(bad, s.buffer, zero, small, 0, 0, 0, 0, data, 0, NULL)); \
		CHECK_HANDLE(entry, cl_mem, CL_INVALID_MEM_OBJECT, OP(s.queue, bad, zero, small, 0, 0, 0, 0, data, 0, NULL)); \
		CHECK(entry, "a queue of another context", OP(s.other_queue, s.buffer, zero, small, 0, 0, 0, 0, data, 0, NULL), CL_INVALID_CONTEXT); \
		CHECK(entry, "a region of nothing", OP(s.queue, s.buffer, zero, flat, 0, 0, 0, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "a row longer than the buffer", OP(s.queue, s.buffer, zero, wide, 0, 0, 0, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "rows past the end", OP(s.queue, s.buffer, far, small, 64, 0, 0, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "no pointer", OP(s.queue, s.buffer, zero, small, 0, 0, 0, 0, NULL, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "the buffer's rows too close", OP(s.queue, s.buffer, zero, small, 8, 0, 0, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "the host's rows too close", OP(s.queue, s.buffer, zero, small, 0, 0, 8, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "the buffer's slices too close", OP(s.queue, s.buffer, zero, small, 16, 48, 0, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "the host's slices too close", OP(s.queue, s.buffer, zero, small, 0, 0, 16, 48, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "slices of no whole rows", OP(s.queue, s.buffer, zero, small, 16, 72, 0, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK_WAITS(entry, OP(s.queue, s.buffer, zero, small, 0, 0, 0, 0, data, count, list)); \
		CHECK(entry, "blocking, for an event that failed", OP(s.queue, s.buffer, zero, small, 0, 0, 0, 0, data, 1, &s.failed), \
		      CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST); \
		CHECK(entry, "against the host's access", OP(s.queue, forbidden_flags_buffer, zero, small, 0, 0, 0, 0, data, 0, NULL), \
		      CL_INVALID_OPERATION); \
		CHECK(entry, "where the host has no access", OP(s.queue, s.host_no_access, zero, small, 0, 0, 0, 0, data, 0, NULL), \
		      CL_INVALID_OPERATION); \
	} while (0)

static void copies(void)
{
#define COPY(queue, from, to, at, there, bytes, n, list) clEnqueueCopyBuffer(queue, from, to, at, there, bytes, n, list, NULL)
	CHECK_HANDLE(clEnqueueCopyBuffer, cl_command_queue, CL_INVALID_COMMAND_QUEUE, COPY(bad, s.buffer, s.target, 0, 0, 64, 0, NULL));
	CHECK_HANDLE(clEnqueueCopyBuffer, cl_mem, CL_INVALID_MEM_OBJECT, COPY(s.queue, bad, s.target, 0, 0, 64, 0, NULL));
	CHECK_HANDLE(clEnqueueCopyBuffer, cl_mem, CL_INVALID_MEM_OBJECT, COPY(s.queue, s.buffer, bad, 0, 0, 64, 0, NULL));
	CHECK(clEnqueueCopyBuffer, "to another context", COPY(s.queue, s.buffer, s.other_buffer, 0, 0, 64, 0, NULL), CL_INVALID_CONTEXT);
	CHECK(clEnqueueCopyBuffer, "from another context", COPY(s.queue, s.other_buffer, s.buffer, 0, 0, 64, 0, NULL), CL_INVALID_CONTEXT);
	CHECK(clEnqueueCopyBuffer, "from past the end", COPY(s.queue, s.buffer, s.target, BUFFER_BYTES, 0, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBuffer, "to past the end", COPY(s.queue, s.buffer, s.target, 0, BUFFER_BYTES - 32, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBuffer, "an end that overflows", COPY(s.queue, s.buffer, s.target, SIZE_MAX - 8, 0, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBuffer, "onto itself", COPY(s.queue, s.buffer, s.buffer, 0, 32, 64, 0, NULL), CL_MEM_COPY_OVERLAP);
	CHECK(clEnqueueCopyBuffer, "onto itself through a sub-buffer", COPY(s.queue, s.buffer, s.sub_buffer, 0, 32, 64, 0, NULL), CL_MEM_COPY_OVERLAP);
	CHECK_WAITS(clEnqueueCopyBuffer, COPY(s.queue, s.buffer, s.target, 0, 0, 64, count, list));
#define COPY_RECT(queue, from, to, at, there, region, row, slice, to_row, to_slice, n, list) \
	clEnqueueCopyBufferRect(queue, from, to, at, there, region, row, slice, to_row, to_slice, n, list, NULL)
	const size_t near[3] = {8, 1, 0};
	CHECK_HANDLE(clEnqueueCopyBufferRect, cl_command_queue, CL_INVALID_COMMAND_QUEUE,
		     COPY_RECT(bad, s.buffer, s.target, zero, zero, small, 0, 0, 0, 0, 0, NULL));
	CHECK_HANDLE(clEnqueueCopyBufferRect, cl_mem, CL_INVALID_MEM_OBJECT, COPY_RECT(s.queue, bad, s.target, zero, zero, small, 0, 0, 0, 0, 0, NULL));
	CHECK_HANDLE(clEnqueueCopyBufferRect, cl_mem, CL_INVALID_MEM_OBJECT, COPY_RECT(s.queue, s.buffer, bad, zero, zero, small, 0, 0, 0, 0, 0, NULL));
	CHECK(clEnqueueCopyBufferRect, "to another context", COPY_RECT(s.queue, s.buffer, s.other_buffer, zero, zero, small, 0, 0, 0, 0, 0, NULL),
	      CL_INVALID_CONTEXT);
	CHECK(clEnqueueCopyBufferRect, "a region of nothing", COPY_RECT(s.queue, s.buffer, s.target, zero, zero, flat, 0, 0, 0, 0, 0, NULL),
	      CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBufferRect, "rows past the end", COPY_RECT(s.queue, s.buffer, s.target, zero, far, small, 0, 0, 64, 0, 0, NULL),
	      CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBufferRect, "rows too close", COPY_RECT(s.queue, s.buffer, s.target, zero, zero, small, 8, 0, 0, 0, 0, NULL),
	      CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBufferRect, "slices too close", COPY_RECT(s.queue, s.buffer, s.target, zero, zero, small, 16, 0, 16, 48, 0, NULL),
	      CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBufferRect, "one buffer with two pitches", COPY_RECT(s.queue, s.buffer, s.buffer, zero, far, small, 32, 0, 16, 0, 0, NULL),
	      CL_INVALID_VALUE);
	CHECK(clEnqueueCopyBufferRect, "onto itself", COPY_RECT(s.queue, s.buffer, s.buffer, zero, near, small, 64, 256, 64, 256, 0, NULL),
	      CL_MEM_COPY_OVERLAP);
	CHECK_WAITS(clEnqueueCopyBufferRect, COPY_RECT(s.queue, s.buffer, s.target, zero, zero, small, 0, 0, 0, 0, count, list));
}

static void fills(void)
{
#define FILL(queue, mem, pattern, pattern_bytes, offset, bytes, n, list) \
	clEnqueueFillBuffer(queue, mem, pattern, pattern_bytes, offset, bytes, n, list, NULL)
	CHECK_HANDLE(clEnqueueFillBuffer, cl_command_queue, CL_INVALID_COMMAND_QUEUE, FILL(bad, s.buffer, data, 4, 0, 64, 0, NULL));
	CHECK_HANDLE(clEnqueueFillBuffer, cl_mem, CL_INVALID_MEM_OBJECT, FILL(s.queue, bad, data, 4, 0, 64, 0, NULL));
	CHECK(clEnqueueFillBuffer, "a queue of another context", FILL(s.other_queue, s.buffer, data, 4, 0, 64, 0, NULL), CL_INVALID_CONTEXT);
	CHECK(clEnqueueFillBuffer, "past the end", FILL(s.queue, s.buffer, data, 4, BUFFER_BYTES - 32, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueFillBuffer, "no pattern", FILL(s.queue, s.buffer, NULL, 4, 0, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueFillBuffer, "a pattern of 0 bytes", FILL(s.queue, s.buffer, data, 0, 0, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueFillBuffer, "a pattern of 3 bytes", FILL(s.queue, s.buffer, data, 3, 0, 63, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueFillBuffer, "a pattern of 256 bytes", FILL(s.queue, s.buffer, data, 256, 0, 256, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueFillBuffer, "an offset of no whole patterns", FILL(s.queue, s.buffer, data, 4, 2, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueFillBuffer, "a size of no whole patterns", FILL(s.queue, s.buffer, data, 4, 0, 62, 0, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueFillBuffer, FILL(s.queue, s.buffer, data, 4, 0, 64, count, list));
}

static void maps(void)
{
	void *mapped;

#define MAP(queue, mem, flags, offset, bytes, n, list) MADE(clEnqueueMapBuffer(queue, mem, CL_TRUE, flags, offset, bytes, n, list, NULL, &err))
	CHECK_HANDLE(clEnqueueMapBuffer, cl_command_queue, CL_INVALID_COMMAND_QUEUE, MAP(bad, s.buffer, CL_MAP_READ, 0, 64, 0, NULL));
	CHECK_HANDLE(clEnqueueMapBuffer, cl_mem, CL_INVALID_MEM_OBJECT, MAP(s.queue, bad, CL_MAP_READ, 0, 64, 0, NULL));
	CHECK(clEnqueueMapBuffer, "a queue of another context", MAP(s.other_queue, s.buffer, CL_MAP_READ, 0, 64, 0, NULL), CL_INVALID_CONTEXT);
	CHECK(clEnqueueMapBuffer, "past the end", MAP(s.queue, s.buffer, CL_MAP_READ, BUFFER_BYTES - 32, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueMapBuffer, "no bytes", MAP(s.queue, s.buffer, CL_MAP_READ, 0, 0, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueMapBuffer, "an unknown flag", MAP(s.queue, s.buffer, 1 << 20, 0, 64, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueMapBuffer, "written and written over", MAP(s.queue, s.buffer, CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION, 0, 64, 0, NULL),
	      CL_INVALID_VALUE);
	CHECK(clEnqueueMapBuffer, "to read what the host only writes", MAP(s.queue, s.host_write_only, CL_MAP_READ, 0, 64, 0, NULL),
	      CL_INVALID_OPERATION);
	CHECK(clEnqueueMapBuffer, "to write what the host only reads", MAP(s.queue, s.host_read_only, CL_MAP_WRITE, 0, 64, 0, NULL),
	      CL_INVALID_OPERATION);
	CHECK(clEnqueueMapBuffer, "to overwrite what the host only reads",
	      MAP(s.queue, s.host_read_only, CL_MAP_WRITE_INVALIDATE_REGION, 0, 64, 0, NULL), CL_INVALID_OPERATION);
	CHECK(clEnqueueMapBuffer, "where the host has no access", MAP(s.queue, s.host_no_access, CL_MAP_READ, 0, 64, 0, NULL), CL_INVALID_OPERATION);
	CHECK_WAITS(clEnqueueMapBuffer, MAP(s.queue, s.buffer, CL_MAP_READ, 0, 64, count, list));
	CHECK(clEnqueueMapBuffer, "blocking, for an event that failed", MAP(s.queue, s.buffer, CL_MAP_READ, 0, 64, 1, &s.failed),
	      CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);

	mapped = clEnqueueMapBuffer(s.queue, s.buffer, CL_TRUE, CL_MAP_READ, 0, 64, 0, NULL, NULL, &err);
	need(err, "clEnqueueMapBuffer");
	CHECK_HANDLE(clEnqueueUnmapMemObject, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueUnmapMemObject(bad, s.buffer, mapped, 0, NULL, NULL));
	CHECK_HANDLE(clEnqueueUnmapMemObject, cl_mem, CL_INVALID_MEM_OBJECT, clEnqueueUnmapMemObject(s.queue, bad, mapped, 0, NULL, NULL));
	CHECK(clEnqueueUnmapMemObject, "a queue of another context", clEnqueueUnmapMemObject(s.other_queue, s.buffer, mapped, 0, NULL, NULL),
	      CL_INVALID_CONTEXT);
	CHECK(clEnqueueUnmapMemObject, "what was not mapped", clEnqueueUnmapMemObject(s.queue, s.buffer, data, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueUnmapMemObject, "NULL", clEnqueueUnmapMemObject(s.queue, s.buffer, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueUnmapMemObject, "of another buffer", clEnqueueUnmapMemObject(s.queue, s.target, mapped, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueUnmapMemObject, clEnqueueUnmapMemObject(s.queue, s.buffer, mapped, count, list, NULL));
	need(clEnqueueUnmapMemObject(s.queue, s.buffer, mapped, 0, NULL, NULL), "clEnqueueUnmapMemObject");
	need(clFinish(s.queue), "clFinish");
}

void errors_transfer(void)
{
	CHECK_TRANSFER(clEnqueueReadBuffer, READ, s.host_write_only);
	CHECK_TRANSFER(clEnqueueWriteBuffer, WRITE, s.host_read_only);
	CHECK_RECT(clEnqueueReadBufferRect, READ_RECT, s.host_write_only);
	CHECK_RECT(clEnqueueWriteBufferRect, WRITE_RECT, s.host_read_only);
	copies();
	fills();
	maps();
#define MIGRATE(queue, number, mems, flags, n, list) clEnqueueMigrateMemObjects(queue, number, mems, flags, n, list, NULL)
	const cl_mem null = NULL;
	CHECK_HANDLE(clEnqueueMigrateMemObjects, cl_command_queue, CL_INVALID_COMMAND_QUEUE, MIGRATE(bad, 1, &s.buffer, 0, 0, NULL));
	CHECK(clEnqueueMigrateMemObjects, "NULL among them", MIGRATE(s.queue, 1, &null, 0, 0, NULL), CL_INVALID_MEM_OBJECT);
	CHECK(clEnqueueMigrateMemObjects, "of another context", MIGRATE(s.queue, 1, &s.other_buffer, 0, 0, NULL), CL_INVALID_CONTEXT);
	CHECK(clEnqueueMigrateMemObjects, "none", MIGRATE(s.queue, 0, &s.buffer, 0, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueMigrateMemObjects, "no list", MIGRATE(s.queue, 1, NULL, 0, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueMigrateMemObjects, "an unknown flag", MIGRATE(s.queue, 1, &s.buffer, 1 << 20, 0, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueMigrateMemObjects, MIGRATE(s.queue, 1, &s.buffer, 0, count, list));
}
