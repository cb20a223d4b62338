/* SPDX-License-Identifier: MIT */
/*
 * Buffers, and the two ways their bytes are reached.
 */
#ifndef VGPU_SHIM_OPENCL_BUFFER_H
#define VGPU_SHIM_OPENCL_BUFFER_H

#include "shim/opencl/object.h"

/* Unified: the buffer is aperture memory. Staged: it is the device's, reached by records through staging memory. */
struct buffer_ops {
	const char *name;
	/* Makes the storage and the engine's object, with `initial` bytes in it (or NULL). CL_SUCCESS or the API's error. */
	cl_int (*create)(struct _cl_mem *mem, const void *initial);
	/* Gives the storage back when the engine has let go. */
	void (*destroy)(struct _cl_mem *mem);
	/* Where the byte lies for us, NULL: nowhere. */
	uint8_t *(*address)(const struct _cl_mem *mem, size_t offset);
};
/* Placed: memory that is somebody else's to give back, at the address that the engine has it: shared virtual memory. */
extern const struct buffer_ops buffer_unified, buffer_staged, buffer_placed;

/* A USE_HOST_PTR buffer that is its host_ptr: nothing is to be copied. */
static inline bool mem_in_place(const struct _cl_mem *mem)
{
	return mem->host_ptr && mem->ops->address(mem, 0) == mem->host_ptr;
}

void mem_release(struct _cl_mem *mem);
/* A buffer without storage, or what an image is to be; its context is not held yet. NULL with *ret_error. */
struct _cl_mem *mem_new(struct _cl_context *context, cl_mem_flags flags, size_t bytes, cl_int *ret_error);
cl_int mem_flags_check(cl_mem_flags flags, const void *host_ptr);
/* What a sub-buffer, or an image in a buffer, takes over from it. */
cl_int mem_flags_inherit(const struct _cl_mem *parent, cl_mem_flags *flags);

/* One read or write of consecutive bytes, in queue order. Arguments are checked. */
struct transfer {
	struct _cl_command_queue *queue;
	struct _cl_mem *mem;
	size_t offset, bytes;
	cl_bool blocking;
	cl_uint wait_count;
	const cl_event *waits;
	cl_command_type type;
};
cl_int transfer_read(const struct transfer *transfer, void *destination, cl_event *ret_event);
cl_int transfer_write(const struct transfer *transfer, const void *source, cl_event *ret_event);
/* One side of a rectangle: where rows lie. */
struct side {
	size_t offset, row_pitch, slice_pitch;
	size_t span;			/* bytes from offset to the end of the last row */
};
struct rows {
	size_t region[3];
	struct side device, host;
};
static inline size_t row_at(const struct side *side, size_t slice, size_t row)
{
	return slice * side->slice_pitch + row * side->row_pitch;
}
/* Offsets are not added: both pointers are to the first row. */
void rows_copy(uint8_t *destination, const struct side *to, const uint8_t *source, const struct side *from,
	       const size_t *region);
/* Moves them when the queue has come to it, on the library's thread; returns at once. */
cl_int transfer_defer(const struct transfer *transfer, bool write, void *host, const struct rows *rows, cl_event *ret_event);
/* Takes the transfer's place in the queue; when that has come, the library's thread calls run, and what follows waits until it has
 * returned. data: taken, freed. */
cl_int transfer_defer_call(const struct transfer *transfer, cl_int (*run)(void *data), void *data, cl_event *ret_event);
/* Memory of the queue may be touched right now. */
bool transfer_settled(const struct transfer *transfer);
/* A read that is held back is to fill the application's bytes first; waits for those under way that do. */
bool transfer_read_is_held(struct session *session, const uint8_t *host, size_t bytes);
void transfer_await_reads(struct session *session, const uint8_t *host, size_t bytes);
/* A command that only keeps its place in the queue; blocking: waited for. */
cl_int transfer_place(const struct transfer *transfer, cl_event *ret_event);
/* A command that calls run(data, status) on the library's thread when the queue has come to it, and ends with what that returns;
 * status: CL_COMPLETE, or the error of what it waited for. Called once if this is a success, else never. */
cl_int command_call(const struct transfer *transfer, cl_int (*run)(void *data, cl_int status), void *data, cl_event *ret_event);
/* Waits for the list and for everything on the queue, so that memory may be touched here. */
cl_int transfer_settle(const struct transfer *transfer);
/* A BUFFER_READ or BUFFER_WRITE between the buffer and aperture memory. With release, the range is taken. */
cl_int transfer_record(const struct transfer *transfer, enum wire_opcode opcode, struct memory_range *range,
		       bool release, cl_event *ret_event);
/* A MARKER with the transfer's waits. staging: taken, goes back when the marker is over; or NULL. */
cl_int transfer_marker(const struct transfer *transfer, struct memory_range *staging, cl_event *ret_event);
/* A command that only keeps its place in the queue; blocking, it waits until that has come. The buffer is not looked at. */
cl_int transfer_place(const struct transfer *transfer, cl_event *ret_event);
/* What every enqueue with one buffer checks. */
cl_int transfer_check(const struct _cl_command_queue *queue, const struct _cl_mem *mem, size_t offset, size_t bytes,
		      cl_uint wait_count, const cl_event *waits);
/* map.c: flags of a map of it. */
cl_int map_flags_check(const struct _cl_mem *mem, cl_map_flags flags);
/* Takes mapping. */
void mapping_add(struct _cl_mem *mem, struct mapping *mapping);
/* The end of a map into mapping->staging, whose filling answered `error`. read: what to wait for, taken, or NULL: it is not waited for. After an error
 * the staging is given back. */
cl_int mapping_filled(const struct transfer *transfer, struct mapping *mapping, cl_int error, struct _cl_event *read, cl_event *ret_event);
/* Like memory_alloc, finishing reads under way when memory is out. */
int staging_alloc(struct session *session, size_t bytes, struct memory_range *ret_range);
#endif
