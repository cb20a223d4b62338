/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/execute.h"

#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/build_client.h"
#include "mdev/engine/compute/image.h"
#include "mdev/engine/compute/partition.h"
#include "mdev/engine/compute/program_records.h"
#include "mdev/engine/compute/svm.h"

static struct buffer *find_memory(const struct executor *x, uint32_t id)
{
	return id < WIRE_OBJECT_MAX ? x->objects->buffers[id] : NULL;
}

static struct buffer *find_buffer(const struct executor *x, uint32_t id)
{
	struct buffer *found = find_memory(x, id);

	return found && !found->image ? found : NULL;
}

/* ---- object records: return 0 or an OpenCL error, which is the answer ------------------------------ */

static int queue_create(struct executor *x, const struct parsed *p)
{
	struct complete_queue **at = &x->objects->queues[p->queue_create.queue];

	if (*at)
		return CL_INVALID_COMMAND_QUEUE;
	cl_device_id sub_device = p->queue_create.sub_device ? x->objects->sub_devices[p->queue_create.sub_device] : NULL;
	if (p->queue_create.sub_device && !sub_device)
		return CL_INVALID_DEVICE;
	return complete_queue_create(x->complete, p->queue_create.queue, sub_device, p->queue_create.profiling, p->sequence, at);
}

static int partition(struct executor *x, const struct parsed *p)
{
	cl_device_id *made = &x->objects->sub_devices[p->partition.first];
	const cl_device_id *devices;

	for (uint32_t i = 0; i < p->partition.count; i++)
		if (made[i])
			return CL_INVALID_DEVICE;
	int error = partition_take(&x->objects->partitions, x->device->id, &p->partition, &devices);
	if (!error)
		memcpy(made, devices, p->partition.count * sizeof(*made));
	return error;
}

static int buffer_create(struct executor *x, const struct parsed *p)
{
	const struct parsed_buffer_create *c = &p->buffer_create;
	struct buffer **at = &x->objects->buffers[c->buffer];
	void *memory = NULL;
	cl_int error = CL_OUT_OF_HOST_MEMORY;

	if (*at)
		return CL_INVALID_MEM_OBJECT;
	struct buffer *buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return CL_OUT_OF_HOST_MEMORY;
	if (c->backing.bytes) {
		memory = blobs_pin(x->blobs, &c->backing);
		if (!memory) {
			error = CL_INVALID_HOST_PTR;	/* taken back since it was parsed */
			goto free_buffer;
		}
		buffer->blob_id = c->backing.blob_id;
		buffer->backing = c->backing;
	} else {
		if (!x->charge(x->data, x->objects->charged_bytes + c->bytes)) {
			error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
			goto free_buffer;
		}
		x->objects->charged_bytes += c->bytes;
		buffer->charged_bytes = c->bytes;
	}
	buffer->uses = 1;
	buffer->cl = clCreateBuffer(x->device->context, c->flags | (memory ? CL_MEM_USE_HOST_PTR : 0), c->bytes, memory,
				    &error);
	if (!buffer->cl)
		goto give_back;
	buffer->bytes = c->bytes;
	buffer->serial = x->objects->next_serial++;
	*at = buffer;
	if (c->buffer >= x->objects->buffer_id_end)
		x->objects->buffer_id_end = c->buffer + 1;
	return 0;

give_back:
	if (memory) {
		blobs_unpin(x->blobs, buffer->blob_id);
	} else {
		x->objects->charged_bytes -= c->bytes;
		x->charge(x->data, x->objects->charged_bytes);
	}
free_buffer:
	free(buffer);
	return error;
}

static int sub_buffer_create(struct executor *x, const struct parsed *p)
{
	const struct parsed_sub_buffer *c = &p->sub_buffer;
	const cl_buffer_region region = {c->origin, c->bytes};
	struct buffer **at = &x->objects->buffers[c->buffer], *parent = x->objects->buffers[c->parent];
	cl_int error = CL_OUT_OF_HOST_MEMORY;

	/* A part of aperture memory has a backing of its own, which is let go of by itself. */
	if (*at || !parent || parent->image || parent->parent || parent->blob_id)
		return CL_INVALID_MEM_OBJECT;
	if (c->origin > parent->bytes || c->bytes > parent->bytes - c->origin)
		return CL_INVALID_VALUE;
	struct buffer *buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return error;
	buffer->cl = clCreateSubBuffer(parent->cl, c->flags, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
	if (!buffer->cl) {
		free(buffer);
		return error;
	}
	buffer->uses = 1;
	buffer->parent = parent;
	parent->uses++;
	buffer->bytes = c->bytes;
	buffer->serial = x->objects->next_serial++;
	*at = buffer;
	if (c->buffer >= x->objects->buffer_id_end)
		x->objects->buffer_id_end = c->buffer + 1;
	return 0;
}

void execute_buffer_unuse(struct executor *x, struct buffer *buffer)
{
	while (buffer && !--buffer->uses) {
		struct buffer *parent = buffer->parent;

		if (buffer->charged_bytes) {
			x->objects->charged_bytes -= buffer->charged_bytes;
			x->charge(x->data, x->objects->charged_bytes);
		}
		buffer_free(buffer);
		buffer = parent;
	}
}

/* Takes the buffer or image out of its table; slot answers once its last use is over. */
static int buffer_remove(struct executor *x, uint32_t id, uint64_t sequence, uint32_t slot)
{
	struct buffer *buffer = find_memory(x, id);

	if (!buffer)
		return CL_INVALID_MEM_OBJECT;
	x->objects->buffers[id] = NULL;
	clReleaseMemObject(buffer->cl);
	int r = complete_barrier(x->complete, sequence, slot, buffer->blob_id);
	execute_buffer_unuse(x, buffer);
	return r ? CL_OUT_OF_HOST_MEMORY : 0;
}

static int program_build(struct executor *x, const struct parsed *p, uint32_t *ret_value)
{
	const struct parsed_program_build *b = &p->program_build;
	struct program **at = &x->objects->programs[b->program];
	const void *source = NULL, *options = NULL;
	int error = 0;

	if (b->source.bytes) {
		if (*at)
			return CL_INVALID_PROGRAM;
		source = blobs_pin(x->blobs, &b->source);
		options = b->options.bytes ? blobs_pin(x->blobs, &b->options) : NULL;
		if (source && (options || !b->options.bytes))
			error = compile_program(x->compiler, source, b->source.bytes, options, b->options.bytes, x->complete->output, at);
		else
			error = CL_INVALID_VALUE;
		if (options)
			blobs_unpin(x->blobs, b->options.blob_id);
		if (source)
			blobs_unpin(x->blobs, b->source.blob_id);
		if (error)
			return error;
	}
	if (!*at)
		return CL_INVALID_PROGRAM;
	return program_reply(x, *at, &b->reply, ret_value);
}

static int kernel_make(struct executor *x, const struct parsed *p)
{
	struct kernel **at = &x->objects->kernels[p->kernel_create.kernel];
	struct program *program = x->objects->programs[p->kernel_create.program];
	const char *name = p->kernel_create.name;
	cl_int error = 0;

	if (*at)
		return CL_INVALID_KERNEL;
	if (!program)
		return CL_INVALID_PROGRAM;
	if (program->type != CL_PROGRAM_BINARY_TYPE_EXECUTABLE)
		return CL_INVALID_PROGRAM_EXECUTABLE;
	error = compile_ready(program);
	if (error)
		return error;
	cl_kernel cl = clCreateKernel(program->cl, name, &error);
	if (!cl)
		return error;
	*at = kernel_create(cl, hash_bytes(program->source_hash, name, strlen(name)));
	if (*at) {
		pieces_describe(x->pieces, *at, program, name);
		return 0;
	}
	clReleaseKernel(cl);
	return CL_OUT_OF_HOST_MEMORY;
}

/* Objects without memory of the guest's: gone from the table now, the slot answers after their last use. */
static int object_remove(struct executor *x, const struct parsed *p)
{
	uint32_t id = p->destroy_id;

	switch (p->opcode) {
	case WIRE_QUEUE_DESTROY:
		if (!x->objects->queues[id])
			return CL_INVALID_COMMAND_QUEUE;
		complete_queue_detach(x->objects->queues[id]);
		x->objects->queues[id] = NULL;
		break;
	case WIRE_SUB_DEVICE_DESTROY:
		if (!x->objects->sub_devices[id])
			return CL_INVALID_DEVICE;
		x->objects->sub_devices[id] = NULL;
		break;
	case WIRE_PROGRAM_DESTROY:
		if (!x->objects->programs[id])
			return CL_INVALID_PROGRAM;
		program_destroy(x->objects->programs[id]);
		x->objects->programs[id] = NULL;
		break;
	case WIRE_SAMPLER_DESTROY:
		if (!x->objects->samplers[id])
			return CL_INVALID_SAMPLER;
		sampler_destroy(x->objects->samplers[id]);
		x->objects->samplers[id] = NULL;
		break;
	default:
		if (!x->objects->kernels[id])
			return CL_INVALID_KERNEL;
		kernel_destroy(x->objects->kernels[id]);
		x->objects->kernels[id] = NULL;
	}
	return complete_barrier(x->complete, p->sequence, p->slot, 0) ? CL_OUT_OF_HOST_MEMORY : 0;
}

/* No object may lie in the blob any more: those still there are dropped, then earlier commands are waited for. */
static int blob_release(struct executor *x, const struct parsed *p)
{
	for (uint32_t i = 1; i < x->objects->buffer_id_end; i++)
		if (x->objects->buffers[i] && x->objects->buffers[i]->blob_id == p->release_blob_id)
			buffer_remove(x, i, p->sequence, WIRE_NO_SLOT);
	return complete_barrier(x->complete, p->sequence, p->slot, 0) ? CL_OUT_OF_HOST_MEMORY : 0;
}

static int output_read(struct executor *x, const struct parsed *p, uint32_t *ret_value)
{
	void *to = blobs_pin(x->blobs, &p->output_range);

	if (!to)
		return CL_INVALID_VALUE;
	*ret_value = output_take(x->complete->output, to, p->output_range.bytes);
	blobs_unpin(x->blobs, p->output_range.blob_id);
	return 0;
}

void execute_drop_dying(struct executor *x, uint64_t sequence)
{
	for (uint32_t i = 1; i < x->objects->buffer_id_end; i++) {
		const struct buffer *buffer = x->objects->buffers[i];
		if (buffer && buffer->blob_id && blobs_is_dying(x->blobs, buffer->blob_id))
			buffer_remove(x, i, sequence + 1, WIRE_NO_SLOT);
	}
}

/* ---- queue records: return 0 or an OpenCL error; *ret_event if one was made ------------------------- */

struct waits {
	cl_uint count;
	cl_event events[WIRE_WAIT_MAX];
	uint32_t after_count;
	struct complete_after after[WIRE_WAIT_MAX];
};

static int waits_resolve(struct executor *x, const struct parsed *p, const struct complete_queue *queue,
			 struct waits *waits)
{
	bool failed = false;

	waits->count = waits->after_count = 0;
	for (uint32_t i = 0; i < p->wait_count; i++) {
		struct complete_after *after = &waits->after[waits->after_count];
		cl_event event = complete_event_of(x->complete, &p->waits[i], queue, &failed, after);
		if (event)
			waits->events[waits->count++] = event;
		if (after->queue)
			waits->after_count++;
	}
	return failed ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : 0;
}

static void waits_release(struct waits *waits)
{
	for (cl_uint i = 0; i < waits->count; i++)
		clReleaseEvent(waits->events[i]);
}

static int argument_set(struct executor *x, struct kernel *kernel, uint32_t index, const struct parsed_arg *arg)
{
	struct kernel_arg *last = &kernel->args[index];
	cl_int error;

	if (last->kind && last->kind != (arg->kind == WIRE_ARG_SVM ? WIRE_ARG_BUFFER : arg->kind))
		return CL_INVALID_ARG_VALUE;
	if (arg->kind == WIRE_ARG_SVM)
		return svm_argument_set(x->blobs, kernel, index, arg->address);
	if (arg->kind == WIRE_ARG_BUFFER) {
		const struct buffer *buffer = arg->object ? find_buffer(x, arg->object) : NULL;
		uint64_t serial = buffer ? buffer->serial : 0;
		if (arg->object && !buffer)
			return CL_INVALID_MEM_OBJECT;
		if (last->set && !last->is_address && last->serial == serial)
			return 0;
		last->is_address = false;
		error = clSetKernelArg(kernel->cl, index, sizeof(cl_mem), buffer ? &buffer->cl : NULL);
		last->serial = serial;
	} else if (arg->kind == WIRE_ARG_IMAGE) {
		const struct buffer *image = find_memory(x, arg->object);
		if (!image || !image->image)
			return CL_INVALID_MEM_OBJECT;
		if (last->set && last->serial == image->serial)
			return 0;
		error = clSetKernelArg(kernel->cl, index, sizeof(cl_mem), &image->cl);
		last->serial = image->serial;
	} else if (arg->kind == WIRE_ARG_SAMPLER) {
		const struct sampler *sampler = x->objects->samplers[arg->object];
		if (!sampler)
			return CL_INVALID_SAMPLER;
		if (last->set && last->serial == sampler->serial)
			return 0;
		error = clSetKernelArg(kernel->cl, index, sizeof(cl_sampler), &sampler->cl);
		last->serial = sampler->serial;
	} else if (arg->kind == WIRE_ARG_LOCAL) {
		if (last->set && last->bytes == arg->bytes)
			return 0;
		error = clSetKernelArg(kernel->cl, index, arg->bytes, NULL);
	} else {
		bool kept = arg->bytes <= OBJECTS_VALUE_MAX;
		if (last->set && kept && last->bytes == arg->bytes && !memcmp(last->value, arg->value, arg->bytes))
			return 0;
		error = clSetKernelArg(kernel->cl, index, arg->bytes, arg->value);
		if (kept)
			memcpy(last->value, arg->value, arg->bytes);
		last->bytes = arg->bytes;
		last->set = !error && kept;
		return error;
	}
	last->bytes = arg->bytes;
	last->set = !error;
	return error;
}

const struct kernel *execute_kernel_of(const struct executor *x, const struct parsed *p)
{
	return p->opcode == WIRE_NDRANGE && p->ndrange.kernel < WIRE_OBJECT_MAX ? x->objects->kernels[p->ndrange.kernel] : NULL;
}

static int ndrange(struct executor *x, const struct parsed *p, const struct complete_queue *queue, const struct waits *waits,
		   bool with_event, struct complete_pending *pending)
{
	const struct parsed_ndrange *n = &p->ndrange;
	struct kernel *kernel = x->objects->kernels[n->kernel];

	if (!kernel)
		return CL_INVALID_KERNEL;
	if (n->arg_count != kernel->arg_count)
		return CL_INVALID_KERNEL_ARGS;
	for (uint32_t i = 0; i < n->arg_count; i++) {
		int error = argument_set(x, kernel, i, &n->args[i]);
		if (error)
			return error;
	}
	pending->kernel_id = kernel->name_hash;
	return pieces_launch(x->pieces, kernel, n, queue, waits->count, waits->events, with_event, pending);
}

static bool inside(const struct buffer *buffer, uint64_t offset, uint64_t bytes)
{
	return offset <= buffer->bytes && bytes <= buffer->bytes - offset;
}

static int fill(struct executor *x, const struct parsed *p, cl_command_queue queue, const struct waits *waits,
		cl_event *ret_event)
{
	const struct parsed_fill *f = &p->fill;
	const struct buffer *buffer = find_buffer(x, f->buffer);

	if (!buffer)
		return CL_INVALID_MEM_OBJECT;
	if (!inside(buffer, f->offset, f->bytes))
		return CL_INVALID_VALUE;
	return clEnqueueFillBuffer(queue, buffer->cl, f->pattern, f->pattern_bytes, f->offset, f->bytes, waits->count,
				   waits->count ? waits->events : NULL, ret_event);
}

static int copy(struct executor *x, const struct parsed *p, cl_command_queue queue, const struct waits *waits,
		cl_event *ret_event)
{
	const struct parsed_copy *c = &p->copy;
	const struct buffer *source = find_buffer(x, c->source), *destination = find_buffer(x, c->destination);

	if (!source || !destination)
		return CL_INVALID_MEM_OBJECT;
	if (!inside(source, c->source_offset, c->bytes) || !inside(destination, c->destination_offset, c->bytes))
		return CL_INVALID_VALUE;
	return clEnqueueCopyBuffer(queue, source->cl, destination->cl, c->source_offset, c->destination_offset, c->bytes,
				   waits->count, waits->count ? waits->events : NULL, ret_event);
}

/* The aperture range stays pinned until the transfer is done; the caller arranges that. */
static int transfer(struct executor *x, const struct parsed *p, cl_command_queue queue, const struct waits *waits,
		    cl_event *ret_event, uint64_t *ret_pinned_blob)
{
	const struct parsed_transfer *t = &p->transfer;
	const struct buffer *buffer = find_buffer(x, t->buffer);
	int error;

	if (!buffer)
		return CL_INVALID_MEM_OBJECT;
	if (!inside(buffer, t->offset, t->range.bytes))
		return CL_INVALID_VALUE;
	void *memory = blobs_pin(x->blobs, &t->range);
	if (!memory)
		return CL_INVALID_VALUE;
	if (p->opcode == WIRE_BUFFER_WRITE)
		error = clEnqueueWriteBuffer(queue, buffer->cl, CL_FALSE, t->offset, t->range.bytes, memory, waits->count,
					     waits->count ? waits->events : NULL, ret_event);
	else
		error = clEnqueueReadBuffer(queue, buffer->cl, CL_FALSE, t->offset, t->range.bytes, memory, waits->count,
					    waits->count ? waits->events : NULL, ret_event);
	if (error)
		blobs_unpin(x->blobs, t->range.blob_id);
	else
		*ret_pinned_blob = t->range.blob_id;
	return error;
}

/* What the record waits for goes with it: it is to be published before. */
static int waits_keep(const struct waits *waits, struct complete_pending *pending)
{
	if (!waits->after_count)
		return 0;
	pending->after = malloc(waits->after_count * sizeof(*pending->after));
	if (!pending->after)
		return CL_OUT_OF_HOST_MEMORY;
	memcpy(pending->after, waits->after, waits->after_count * sizeof(*pending->after));
	pending->after_count = waits->after_count;
	return 0;
}

static int enqueue(struct executor *x, const struct parsed *p, struct complete_queue *queue,
		   struct complete_pending *pending, uint64_t *ret_pinned_blob)
{
	struct waits waits;
	bool with_event = p->slot != WIRE_NO_SLOT || complete_wants_every_event(x->complete);
	cl_event *ret_event = with_event ? &pending->event : NULL;
	int error = waits_resolve(x, p, queue, &waits);

	if (!error)
		error = waits_keep(&waits, pending);
	if (!error) {
		switch (p->opcode) {
		case WIRE_NDRANGE:
			error = ndrange(x, p, queue, &waits, with_event, pending);
			break;
		case WIRE_BUFFER_FILL:
			error = fill(x, p, queue->cl, &waits, ret_event);
			break;
		case WIRE_BUFFER_COPY:
			error = copy(x, p, queue->cl, &waits, ret_event);
			break;
		case WIRE_BUFFER_WRITE:
		case WIRE_BUFFER_READ:
			error = transfer(x, p, queue->cl, &waits, ret_event, ret_pinned_blob);
			break;
		case WIRE_IMAGE_WRITE:
		case WIRE_IMAGE_READ:
		case WIRE_IMAGE_COPY:
		case WIRE_IMAGE_TO_BUFFER:
		case WIRE_IMAGE_FROM_BUFFER:
		case WIRE_IMAGE_FILL:
			error = image_enqueue(x, p, queue->cl, waits.count, waits.events, ret_event, ret_pinned_blob);
			break;
		default:
			/* A marker with nothing to wait for but its own queue needs no command of its own,
			 * unless somebody reads its times. */
			if (waits.count || queue->profiling)
				error = clEnqueueMarkerWithWaitList(queue->cl, waits.count,
								    waits.count ? waits.events : NULL, ret_event);
		}
	}
	waits_release(&waits);
	return error;
}

/* Tells the queue of a refused record that has no slot for it. Before the record is counted, so that whoever waits for
 * the queue sees it (release; pairs with the acquire of queue_done, and of this word itself). */
static void refusal_tell(struct executor *x, uint32_t queue, const struct parsed *p, int error)
{
	if (!error || p->slot != WIRE_NO_SLOT || error == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
		return;
	__atomic_store_n(&x->complete->engine_page->queue_refused[queue], WIRE_REFUSED(++x->refused[queue], error),
			 __ATOMIC_RELEASE);
}

static void execute_queued(struct executor *x, const struct parsed *p, int error, uint64_t taken_ns)
{
	struct complete_queue *queue = x->objects->queues[p->queue];
	struct complete_pending pending = {.sequence = p->sequence, .slot = p->slot};
	uint64_t pinned_blob = 0;

	if (!queue) {
		error = error ? error : CL_INVALID_COMMAND_QUEUE;
		refusal_tell(x, p->queue, p, error);
		complete_answer(x->complete, p->sequence, p->slot, error, 0);
		complete_count(x->complete, p->queue, p->sequence);
		return;
	}
	complete_begin(x->complete);
	if (!error)
		error = enqueue(x, p, queue, &pending, &pinned_blob);
	if (error) {	/* it waits for nothing any more */
		free(pending.after);
		pending.after = NULL;
		pending.after_count = 0;
	}
	refusal_tell(x, p->queue, p, error);
	if (error)	/* else it is what became of the pieces */
		pending.status = error;
	pending.taken_ns = queue->profiling ? taken_ns : 0;
	complete_push(queue, &pending);
	/* Later than this record, so that it counts among the earlier ones. */
	if (pinned_blob && complete_barrier(x->complete, p->sequence + 1, WIRE_NO_SLOT, pinned_blob)) {
		complete_drain(x->complete);
		blobs_unpin(x->blobs, pinned_blob);
	}
}

void execute_record(struct executor *x, const struct parsed *p, int error, uint64_t taken_ns)
{
	uint32_t value = 0;
	bool answers_later = false;

	if (p->queue) {
		execute_queued(x, p, error, taken_ns);
		return;
	}
	if (!error) {
		switch (p->opcode) {
		case WIRE_QUEUE_CREATE:
			error = queue_create(x, p);
			break;
		case WIRE_BUFFER_CREATE:
			error = buffer_create(x, p);
			break;
		case WIRE_PROGRAM_BUILD:
			error = program_build(x, p, &value);
			break;
		case WIRE_PROGRAM_COMPILE:
			error = record_program_compile(x, &p->program_compile, &value);
			break;
		case WIRE_PROGRAM_LINK:
			error = record_program_link(x, &p->program_link, &value);
			break;
		case WIRE_KERNEL_SUB_GROUPS:
			error = record_kernel_sub_groups(x, &p->sub_groups, &value);
			break;
		case WIRE_KERNEL_CREATE:
			error = kernel_make(x, p);
			break;
		case WIRE_SUB_BUFFER_CREATE:
			error = sub_buffer_create(x, p);
			break;
		case WIRE_PARTITION:
			error = partition(x, p);
			break;
		case WIRE_OUTPUT_READ:
			error = output_read(x, p, &value);
			break;
		case WIRE_BUFFER_DESTROY:
			error = buffer_remove(x, p->destroy_id, p->sequence, p->slot);
			answers_later = !error;
			break;
		case WIRE_BLOB_RELEASE:
			error = blob_release(x, p);
			answers_later = !error;
			break;
		case WIRE_IMAGE_CREATE:
			error = image_create(x, p);
			break;
		case WIRE_IMAGE_FORMATS:
			error = image_formats(x, p, &value);
			break;
		case WIRE_SAMPLER_CREATE:
			error = sampler_create(x, p);
			break;
		case WIRE_SVM_MAP:
			error = svm_map(x->blobs, &p->svm_map);
			break;
		default:
			error = object_remove(x, p);
			answers_later = !error;
		}
	}
	if (p->opcode == WIRE_QUEUE_CREATE && p->queue_create.queue)
		refusal_tell(x, p->queue_create.queue, p, error);
	if (!answers_later)
		complete_answer(x->complete, p->sequence, p->slot, error, value);
	if (error && p->opcode == WIRE_QUEUE_CREATE && p->queue_create.queue && !x->objects->queues[p->queue_create.queue])
		complete_count(x->complete, p->queue_create.queue, p->sequence);
}
