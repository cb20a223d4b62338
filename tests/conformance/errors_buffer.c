/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §5.2.1, §5.4, §5.5: buffers, sub-buffers, memory objects' queries and callbacks, pipes (§5.4). */
#include "tests/conformance/conformance.h"

static void CL_CALLBACK mem_ended(cl_mem mem, void *data)
{
	(void)mem;
	(void)data;
}

static cl_int sub_buffer(cl_mem of, cl_mem_flags flags, size_t origin, size_t bytes)
{
	const cl_buffer_region region = {origin, bytes};

	return MADE(clCreateSubBuffer(of, flags, CL_BUFFER_CREATE_TYPE_REGION, &region, &err));
}

static void creation(void)
{
	const cl_mem_properties unknown[] = {0x7777, 1, 0}, none[] = {0};
	static int data[BUFFER_BYTES / 4];

	CHECK_HANDLE(clCreateBuffer, cl_context, CL_INVALID_CONTEXT, MADE(clCreateBuffer(bad, 0, 64, NULL, &err)));
	CHECK_MADE(clCreateBuffer, "an unknown flag", clCreateBuffer(s.context, 1u << 30, 64, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateBuffer, "read-only and write-only", clCreateBuffer(s.context, CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, 64, NULL, &err),
		   CL_INVALID_VALUE);
	CHECK_MADE(clCreateBuffer, "the host both reads only and writes only",
		   clCreateBuffer(s.context, CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_WRITE_ONLY, 64, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateBuffer, "use and copy the host's pointer",
		   clCreateBuffer(s.context, CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR, 64, data, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateBuffer, "use and allocate the host's pointer",
		   clCreateBuffer(s.context, CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR, 64, data, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateBuffer, "no bytes", clCreateBuffer(s.context, 0, 0, NULL, &err), CL_INVALID_BUFFER_SIZE);
	CHECK_MADE(clCreateBuffer, "more than the device allocates", clCreateBuffer(s.context, 0, s.max_alloc + 1, NULL, &err),
		   CL_INVALID_BUFFER_SIZE);
	CHECK_MADE(clCreateBuffer, "a pointer without a flag", clCreateBuffer(s.context, 0, 64, data, &err), CL_INVALID_HOST_PTR);
	CHECK_MADE(clCreateBuffer, "use without a pointer", clCreateBuffer(s.context, CL_MEM_USE_HOST_PTR, 64, NULL, &err), CL_INVALID_HOST_PTR);
	CHECK_MADE(clCreateBuffer, "copy without a pointer", clCreateBuffer(s.context, CL_MEM_COPY_HOST_PTR, 64, NULL, &err), CL_INVALID_HOST_PTR);
	CHECK_HANDLE(clCreateBufferWithProperties, cl_context, CL_INVALID_CONTEXT, MADE(clCreateBufferWithProperties(bad, none, 0, 64, NULL, &err)));
	CHECK_MADE(clCreateBufferWithProperties, "an unknown property", clCreateBufferWithProperties(s.context, unknown, 0, 64, NULL, &err),
		   CL_INVALID_PROPERTY);
	CHECK_MADE(clCreateBufferWithProperties, "no bytes", clCreateBufferWithProperties(s.context, none, 0, 0, NULL, &err), CL_INVALID_BUFFER_SIZE);
}

static void sub_buffers(void)
{
	const cl_buffer_region region = {0, 64};

	CHECK_HANDLE(clCreateSubBuffer, cl_mem, CL_INVALID_MEM_OBJECT, sub_buffer(bad, 0, 0, 64));
	CHECK(clCreateSubBuffer, "of a sub-buffer", sub_buffer(s.sub_buffer, 0, 0, 64), CL_INVALID_MEM_OBJECT);
	CHECK(clCreateSubBuffer, "an unknown flag", sub_buffer(s.buffer, 1u << 30, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "with a host pointer's flag", sub_buffer(s.buffer, CL_MEM_USE_HOST_PTR, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "with an allocation's flag", sub_buffer(s.buffer, CL_MEM_ALLOC_HOST_PTR, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "written, of one that is read", sub_buffer(s.read_only, CL_MEM_WRITE_ONLY, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "read and written, of one that is read", sub_buffer(s.read_only, CL_MEM_READ_WRITE, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "read, of one that is written", sub_buffer(s.write_only, CL_MEM_READ_ONLY, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "the host writes, of one it reads", sub_buffer(s.host_read_only, CL_MEM_HOST_WRITE_ONLY, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "the host reads, of one it writes", sub_buffer(s.host_write_only, CL_MEM_HOST_READ_ONLY, 0, 64), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "the host reads, of one it has no access to", sub_buffer(s.host_no_access, CL_MEM_HOST_READ_ONLY, 0, 64),
	      CL_INVALID_VALUE);
	CHECK_MADE(clCreateSubBuffer, "an unknown type", clCreateSubBuffer(s.buffer, 0, 0x7777, &region, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateSubBuffer, "no region", clCreateSubBuffer(s.buffer, 0, CL_BUFFER_CREATE_TYPE_REGION, NULL, &err), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "past the end", sub_buffer(s.buffer, 0, s.align_bytes, BUFFER_BYTES), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "an end that overflows", sub_buffer(s.buffer, 0, SIZE_MAX / s.align_bytes * s.align_bytes, BUFFER_BYTES), CL_INVALID_VALUE);
	CHECK(clCreateSubBuffer, "no bytes", sub_buffer(s.buffer, 0, 0, 0), CL_INVALID_BUFFER_SIZE);
	if (s.align_bytes > 1)
		CHECK(clCreateSubBuffer, "misaligned", sub_buffer(s.buffer, 0, 1, 64), CL_MISALIGNED_SUB_BUFFER_OFFSET);
}

static void pipes(void)
{
	CHECK_HANDLE(clGetPipeInfo, cl_mem, CL_INVALID_MEM_OBJECT, clGetPipeInfo(bad, CL_PIPE_PACKET_SIZE, 0, NULL, NULL));
	CHECK(clGetPipeInfo, "of a buffer", clGetPipeInfo(s.buffer, CL_PIPE_PACKET_SIZE, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	if (s.has_pipes) {
		CHECK_MADE(clCreatePipe, "packets of 0 bytes", clCreatePipe(s.context, 0, 0, 4, NULL, &err), CL_INVALID_PIPE_SIZE);
		CHECK_MADE(clCreatePipe, "no packets", clCreatePipe(s.context, 0, 4, 0, NULL, &err), CL_INVALID_PIPE_SIZE);
	} else {
		CHECK_MADE(clCreatePipe, "where there are none", clCreatePipe(s.context, 0, 4, 4, NULL, &err), CL_INVALID_OPERATION);
	}
}

void errors_buffer(void)
{
	creation();
	sub_buffers();
	pipes();
	CHECK_HANDLE(clRetainMemObject, cl_mem, CL_INVALID_MEM_OBJECT, clRetainMemObject(bad));
	CHECK_HANDLE(clReleaseMemObject, cl_mem, CL_INVALID_MEM_OBJECT, clReleaseMemObject(bad));
	CHECK_HANDLE(clGetMemObjectInfo, cl_mem, CL_INVALID_MEM_OBJECT, clGetMemObjectInfo(bad, CL_MEM_SIZE, 0, NULL, NULL));
	CHECK_QUERY(clGetMemObjectInfo, CL_MEM_SIZE, clGetMemObjectInfo(s.buffer, param, size, value, NULL));
	CHECK_HANDLE(clSetMemObjectDestructorCallback, cl_mem, CL_INVALID_MEM_OBJECT, clSetMemObjectDestructorCallback(bad, mem_ended, NULL));
	CHECK(clSetMemObjectDestructorCallback, "no callback", clSetMemObjectDestructorCallback(s.buffer, NULL, NULL), CL_INVALID_VALUE);
}
