/* SPDX-License-Identifier: MIT */
/*
 * Buffers and sub-buffers: creation, information, end.
 */
#include "shim/opencl/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/copy.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"
#include "shim/opencl/image.h"
#include "shim/opencl/svm.h"

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY)
#define HOST_ACCESS_FLAGS (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)
#define HOST_PTR_FLAGS (CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)
#define UPLOAD_CHUNK_BYTES 0x400000u

/* ---- storage ------------------------------------------------------------------------------------ */

static cl_int create_record(struct _cl_mem *mem, const struct memory_range *backing, struct ring_completion *completion)
{
	struct ring *ring = mem->context->session->ring;
	struct wire_buffer_create *record = ring_begin(ring, WIRE_BUFFER_CREATE, sizeof(*record), completion);

	if (!record)
		return CL_DEVICE_NOT_AVAILABLE;
	record->buffer = mem->id;
	record->flags = mem->flags & (ACCESS_FLAGS | HOST_ACCESS_FLAGS);
	record->bytes = mem->bytes;
	record->backing = backing ? memory_wire_range(backing) : (struct wire_range){ 0 };
	ring_commit(ring);
	return CL_SUCCESS;
}

static cl_int unified_create(struct _cl_mem *mem, const void *initial)
{
	struct session *session = mem->context->session;
	int r;
	cl_int error;

	if (!mem->parent) {
		r = staging_alloc(session, mem->bytes, &mem->range);
		if (r < 0)
			return r == -ENOMEM ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_DEVICE_NOT_AVAILABLE;
		if (initial)
			copy_bytes(mem->range.address, initial, mem->bytes);
	}
	error = create_record(mem, &mem->range, NULL);
	if (error && !mem->parent)
		memory_release(session->memory, &mem->range);
	return error;
}

/* The last use of a sub-buffer or an image in a buffer, which its parent's memory must outlive. */
struct sub_end {
	struct ring_wait wait;
	struct ring_completion completion;
	struct _cl_mem *parent;
};

static bool sub_end_done(struct ring *ring, struct ring_wait *wait)
{
	return ring_poll(ring, &((struct sub_end *)wait)->completion);
}

static void sub_end_notified(struct ring *ring, struct ring_wait *wait)
{
	struct sub_end *end = (struct sub_end *)wait;

	(void)ring;
	mem_release(end->parent);
	free(end);
}

/* Releases the parent when the engine has let go of the sub-buffer. */
static void sub_destroy(struct _cl_mem *mem)
{
	struct session *session = mem->context->session;
	struct sub_end *end = calloc(1, sizeof(*end));
	struct wire_destroy *record = ring_begin(session->ring, WIRE_BUFFER_DESTROY, sizeof(*record),
						 end ? &end->completion : NULL);

	if (record) {
		record->id = mem->id;
		ring_commit(session->ring);
	}
	if (!record || !end) {
		/* Lost: nobody uses it. No memory for the note: the parent stays, which is safe. */
		if (!record)
			mem_release(mem->parent);
		free(end);
		return;
	}
	end->parent = mem->parent;
	end->wait.done = sub_end_done;
	end->wait.notify = sub_end_notified;
	if (ring_wait_async(session->ring, &end->wait) < 0) {
		ring_wait_completion(session->ring, &end->completion, 0);
		sub_end_notified(session->ring, &end->wait);
	}
}

static void unified_destroy(struct _cl_mem *mem)
{
	if (mem->parent)
		sub_destroy(mem);
	else
		memory_release_destroy(mem->context->session->memory, &mem->range, WIRE_BUFFER_DESTROY, mem->id);
	session_id_return(mem->context->session, ID_BUFFER, mem->id);
}

static uint8_t *unified_address(const struct _cl_mem *mem, size_t offset)
{
	return (uint8_t *)mem->range.address + offset;
}

const struct buffer_ops buffer_unified = { "unified", unified_create, unified_destroy, unified_address };

static cl_int upload(struct _cl_mem *mem, const void *initial)
{
	struct _cl_command_queue *queue;
	cl_int error;

	/* Rare and blocking, so a queue for the purpose is no cost worth saving. */
	queue = vgpu_clCreateCommandQueueWithProperties(mem->context, mem->context->devices[0], NULL, &error);
	if (!queue)
		return error;
	for (size_t offset = 0; offset < mem->bytes && !error; offset += UPLOAD_CHUNK_BYTES) {
		struct transfer transfer = { .queue = queue, .mem = mem, .offset = offset, .blocking = CL_TRUE,
					     .type = CL_COMMAND_WRITE_BUFFER };

		transfer.bytes = mem->bytes - offset < UPLOAD_CHUNK_BYTES ? mem->bytes - offset : UPLOAD_CHUNK_BYTES;
		error = transfer_write(&transfer, (const uint8_t *)initial + offset, NULL);
	}
	queue_release(queue);
	return error;
}

static cl_int part_record(struct _cl_mem *mem, struct ring_completion *completion)
{
	struct ring *ring = mem->context->session->ring;
	struct wire_sub_buffer_create *record = ring_begin(ring, WIRE_SUB_BUFFER_CREATE, sizeof(*record), completion);

	if (!record)
		return CL_DEVICE_NOT_AVAILABLE;
	record->buffer = mem->id;
	record->parent = mem->parent->id;
	record->reserved = 0;
	record->flags = mem->flags & (ACCESS_FLAGS | HOST_ACCESS_FLAGS);
	record->origin = mem->origin;
	record->bytes = mem->bytes;
	ring_commit(ring);
	return CL_SUCCESS;
}

static cl_int staged_create(struct _cl_mem *mem, const void *initial)
{
	struct session *session = mem->context->session;
	struct ring_completion completion;
	cl_int error;

	/* The device's memory may be out, which the application must hear at a point it expects: so this waits. */
	error = mem->parent ? part_record(mem, &completion) : create_record(mem, NULL, &completion);
	if (error)
		return error;
	if (ring_wait_completion(session->ring, &completion, RING_SPIN_NS) < 0)
		return CL_DEVICE_NOT_AVAILABLE;
	if (completion.status < 0)	/* anything but "no memory" is a host that does not do this */
		return completion.status == CL_MEM_OBJECT_ALLOCATION_FAILURE || completion.status == CL_OUT_OF_HOST_MEMORY ?
		       completion.status : CL_OUT_OF_RESOURCES;
	error = initial ? upload(mem, initial) : CL_SUCCESS;
	if (error) {
		struct wire_destroy *record = ring_begin(session->ring, WIRE_BUFFER_DESTROY, sizeof(*record), NULL);

		if (record) {
			record->id = mem->id;
			ring_commit(session->ring);
		}
	}
	return error;
}

static void staged_destroy(struct _cl_mem *mem)
{
	session_object_destroy(mem->context->session, WIRE_BUFFER_DESTROY, ID_BUFFER, mem->id);
	if (mem->parent)	/* the engine keeps what it needs of it */
		mem_release(mem->parent);
}

static uint8_t *staged_address(const struct _cl_mem *mem, size_t offset)
{
	(void)mem;
	(void)offset;
	return NULL;
}

const struct buffer_ops buffer_staged = { "staged", staged_create, staged_destroy, staged_address };

static cl_int placed_create(struct _cl_mem *mem, const void *initial)
{
	(void)initial;		/* is what lies there */
	return create_record(mem, &mem->range, NULL);
}

const struct buffer_ops buffer_placed = { "placed", placed_create, staged_destroy, unified_address };

/* A host_ptr in shared virtual memory: the buffer is that memory, if a buffer can lie there. */
static void place_in_svm(struct _cl_mem *mem)
{
	struct svm_place place;

	if (!svm_find(mem->context, mem->host_ptr, &place))
		return;
	mem->uses_svm = true;
	if (place.offset % mem->context->device->capset->mem_align_bytes || place.room < mem->bytes)
		return;
	mem->range = (struct memory_range){ .address = mem->host_ptr, .blob_id = place.mem->range.blob_id, .bytes = mem->bytes,
					    .offset = place.mem->range.offset + place.offset };
	mem->ops = &buffer_placed;
}

/* ---- creation ----------------------------------------------------------------------------------- */

static bool one_at_most(cl_mem_flags flags)
{
	return (flags & (flags - 1)) == 0;
}

cl_int mem_flags_check(cl_mem_flags flags, const void *host_ptr)
{
	if (flags & ~(cl_mem_flags)(ACCESS_FLAGS | HOST_ACCESS_FLAGS | HOST_PTR_FLAGS))
		return CL_INVALID_VALUE;
	if (!one_at_most(flags & ACCESS_FLAGS) || !one_at_most(flags & HOST_ACCESS_FLAGS))
		return CL_INVALID_VALUE;
	if ((flags & CL_MEM_USE_HOST_PTR) && (flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)))
		return CL_INVALID_VALUE;
	if (!(flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)) != !host_ptr)
		return CL_INVALID_HOST_PTR;
	return CL_SUCCESS;
}

struct _cl_mem *mem_new(struct _cl_context *context, cl_mem_flags flags, size_t bytes, cl_int *ret_error)
{
	struct _cl_mem *mem = calloc(1, sizeof(*mem));

	if (!mem)
		return refuse(ret_error, CL_OUT_OF_HOST_MEMORY);
	mem->context = context;
	mem->flags = flags & ACCESS_FLAGS ? flags : flags | CL_MEM_READ_WRITE;
	mem->bytes = bytes;
	mem->ops = context->session->unified ? &buffer_unified : &buffer_staged;
	mem->id = session_id_take(context->session, ID_BUFFER);
	if (!mem->id) {
		free(mem);
		return refuse(ret_error, CL_OUT_OF_RESOURCES);
	}
	object_init(&mem->object, OBJECT_MEM);
	return mem;
}

cl_mem vgpu_clCreateBufferWithProperties(cl_context context, const cl_mem_properties *properties, cl_mem_flags flags,
					 size_t size, void *host_ptr, cl_int *errcode_ret)
{
	struct _cl_mem *mem;
	cl_int error;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (properties && properties[0])
		return refuse(errcode_ret, CL_INVALID_PROPERTY);
	error = mem_flags_check(flags, host_ptr);
	if (!error && (size == 0 || size > context->device->capset->max_alloc_bytes))
		error = CL_INVALID_BUFFER_SIZE;
	if (!error && session_lost(context->session))
		error = CL_DEVICE_NOT_AVAILABLE;
	if (error)
		return refuse(errcode_ret, error);
	mem = mem_new(context, flags, size, errcode_ret);
	if (!mem)
		return NULL;
	if (properties) {
		mem->properties = calloc(1, sizeof(*properties));
		mem->property_count = mem->properties ? 1 : 0;
	}
	if (flags & CL_MEM_USE_HOST_PTR)
		mem->host_ptr = host_ptr;
	place_in_svm(mem);
	error = mem->ops->create(mem, host_ptr);
	if (error) {
		session_id_return(context->session, ID_BUFFER, mem->id);
		free(mem->properties);
		free(mem);
		return refuse(errcode_ret, error);
	}
	object_retain(context);
	refuse(errcode_ret, CL_SUCCESS);
	return mem;
}

cl_mem vgpu_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host_ptr, cl_int *errcode_ret)
{
	return vgpu_clCreateBufferWithProperties(context, NULL, flags, size, host_ptr, errcode_ret);
}

/* OpenCL 3.0 §5.2.1, table 13: what is not said is inherited, what is said must not contradict. */
cl_int mem_flags_inherit(const struct _cl_mem *parent, cl_mem_flags *flags)
{
	const cl_mem_flags parent_access = parent->flags & ACCESS_FLAGS, parent_host = parent->flags & HOST_ACCESS_FLAGS;

	if (*flags & ~(cl_mem_flags)(ACCESS_FLAGS | HOST_ACCESS_FLAGS))
		return CL_INVALID_VALUE;
	if (!one_at_most(*flags & ACCESS_FLAGS) || !one_at_most(*flags & HOST_ACCESS_FLAGS))
		return CL_INVALID_VALUE;
	if ((parent_access == CL_MEM_WRITE_ONLY && (*flags & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY))) ||
	    (parent_access == CL_MEM_READ_ONLY && (*flags & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY))) ||
	    (parent_host == CL_MEM_HOST_WRITE_ONLY && (*flags & CL_MEM_HOST_READ_ONLY)) ||
	    (parent_host == CL_MEM_HOST_READ_ONLY && (*flags & CL_MEM_HOST_WRITE_ONLY)) ||
	    (parent_host == CL_MEM_HOST_NO_ACCESS && (*flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_WRITE_ONLY))))
		return CL_INVALID_VALUE;
	if (!(*flags & ACCESS_FLAGS))
		*flags |= parent_access;
	if (!(*flags & HOST_ACCESS_FLAGS))
		*flags |= parent_host;
	*flags |= parent->flags & HOST_PTR_FLAGS;
	return CL_SUCCESS;
}

cl_mem vgpu_clCreateSubBuffer(cl_mem parent, cl_mem_flags flags, cl_buffer_create_type type, const void *info,
			      cl_int *errcode_ret)
{
	const cl_buffer_region *region = info;
	struct _cl_mem *mem;
	cl_int error;

	if (!mem_is_buffer(parent) || parent->parent)
		return refuse(errcode_ret, CL_INVALID_MEM_OBJECT);
	error = mem_flags_inherit(parent, &flags);
	if (!error && (type != CL_BUFFER_CREATE_TYPE_REGION || !region))
		error = CL_INVALID_VALUE;
	if (!error && region->size == 0)
		error = CL_INVALID_BUFFER_SIZE;
	if (!error && (region->origin > parent->bytes || region->size > parent->bytes - region->origin))
		error = CL_INVALID_VALUE;
	if (!error && region->origin % parent->context->device->capset->mem_align_bytes)
		error = CL_MISALIGNED_SUB_BUFFER_OFFSET;
	/* In version 1 buffers of a device's own memory have no parts. */
	if (!error && !parent->context->session->unified && parent->context->session->transport->capset->version_max < 2)
		error = CL_OUT_OF_RESOURCES;
	if (error)
		return refuse(errcode_ret, error);
	mem = mem_new(parent->context, flags, region->size, errcode_ret);
	if (!mem)
		return NULL;
	mem->parent = parent;
	mem->origin = region->origin;
	mem->uses_svm = parent->uses_svm;
	mem->host_ptr = parent->host_ptr ? (uint8_t *)parent->host_ptr + region->origin : NULL;
	if (parent->context->session->unified) {
		mem->range = parent->range;
		mem->range.slab = NULL;
		mem->range.address = (uint8_t *)parent->range.address + region->origin;
		mem->range.offset += region->origin;
		mem->range.bytes = region->size;
	}
	error = mem->ops->create(mem, NULL);
	if (error) {
		session_id_return(parent->context->session, ID_BUFFER, mem->id);
		free(mem);
		return refuse(errcode_ret, error);
	}
	object_retain(parent);
	object_retain(parent->context);
	refuse(errcode_ret, CL_SUCCESS);
	return mem;
}

/* ---- end and information --------------------------------------------------------------------------- */

void mem_release(struct _cl_mem *mem)
{
	struct _cl_context *context = mem->context;
	struct mapping *mapping;

	if (!object_release(mem))
		return;
	end_callbacks_run(mem->end_callbacks, mem);
	while ((mapping = mem->mappings)) {
		mem->mappings = mapping->next;
		/* A map that is held back holds the buffer, so here it is written, and counts among the queue's. */
		if (mapping->queue) {
			queue_staging_return(mapping->queue, &mapping->staging);
			queue_release(mapping->queue);
		}
		free(mapping);
	}
	mem->ops->destroy(mem);
	mem->object.kind = OBJECT_DEAD;
	free(mem->image);
	free(mem->properties);
	free(mem);
	context_release(context);
}

OBJECT_REFERENCE_CALLS(MemObject, cl_mem, OBJECT_MEM, CL_INVALID_MEM_OBJECT, mem_release)

cl_int vgpu_clGetMemObjectInfo(cl_mem mem, cl_mem_info param_name, size_t param_value_size, void *param_value,
			       size_t *param_value_size_ret)
{
	if (!object_is(mem, OBJECT_MEM))
		return CL_INVALID_MEM_OBJECT;
	switch (param_name) {
	case CL_MEM_TYPE:
		INFO_ANSWER(cl_mem_object_type, mem->image ? mem->image->shape.type : CL_MEM_OBJECT_BUFFER);
	case CL_MEM_FLAGS:
		INFO_ANSWER(cl_mem_flags, mem->flags);
	case CL_MEM_SIZE:
		INFO_ANSWER(size_t, mem->bytes);
	case CL_MEM_HOST_PTR:
		INFO_ANSWER(void *, mem->host_ptr);
	case CL_MEM_MAP_COUNT:
		INFO_ANSWER(cl_uint, mem->map_count);
	case CL_MEM_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, object_references(mem));
	case CL_MEM_CONTEXT:
		INFO_ANSWER(cl_context, mem->context);
	case CL_MEM_ASSOCIATED_MEMOBJECT:
		INFO_ANSWER(cl_mem, mem->parent);
	case CL_MEM_OFFSET:
		INFO_ANSWER(size_t, mem->origin);
	case CL_MEM_USES_SVM_POINTER:
		INFO_ANSWER(cl_bool, mem->uses_svm);
	case CL_MEM_PROPERTIES:
		return info_answer(mem->properties, mem->property_count * sizeof(*mem->properties), param_value_size,
				   param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}

cl_int vgpu_clSetMemObjectDestructorCallback(cl_mem mem, void(CL_CALLBACK *pfn_notify)(cl_mem, void *), void *user_data)
{
	if (!object_is(mem, OBJECT_MEM))
		return CL_INVALID_MEM_OBJECT;
	return end_callback_add(mem->context, &mem->end_callbacks, (void (*)(void *, void *))(void *)pfn_notify, user_data);
}
