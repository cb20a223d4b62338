/* SPDX-License-Identifier: MIT */
/*
 * Command queues. All run in order; the out-of-order property is accepted where the device reports it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/command.h"
#include "shim/opencl/event.h"
#include "shim/opencl/output.h"

/* Reads the property list (or takes `properties`). */
static cl_int properties_parse(const struct _cl_device_id *device, const cl_queue_properties *list,
			       cl_command_queue_properties *ret_properties, size_t *ret_count)
{
	const cl_command_queue_properties known = CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE |
						  CL_QUEUE_ON_DEVICE | CL_QUEUE_ON_DEVICE_DEFAULT;
	cl_command_queue_properties properties = 0;
	size_t count = 0;

	for (; list && list[count]; count += 2) {
		for (size_t i = 0; i < count; i += 2)
			if (list[i] == list[count])
				return CL_INVALID_VALUE;
		if (list[count] == CL_QUEUE_PROPERTIES)
			properties = (cl_command_queue_properties)list[count + 1];
		else if (list[count] == CL_QUEUE_SIZE)
			return CL_INVALID_QUEUE_PROPERTIES;	/* no queues on the device */
		else
			return CL_INVALID_VALUE;
	}
	if (properties & ~known)
		return CL_INVALID_VALUE;
	if (properties & (CL_QUEUE_ON_DEVICE | CL_QUEUE_ON_DEVICE_DEFAULT))
		return CL_INVALID_QUEUE_PROPERTIES;
	if ((properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) && !device->out_of_order)
		return CL_INVALID_QUEUE_PROPERTIES;
	*ret_properties = properties;
	*ret_count = list ? count + 1 : 0;
	return CL_SUCCESS;
}

cl_command_queue vgpu_clCreateCommandQueueWithProperties(cl_context context, cl_device_id device,
							 const cl_queue_properties *list, cl_int *errcode_ret)
{
	struct _cl_command_queue *queue;
	struct wire_queue_create_on *record;
	uint32_t sub_device = 0;
	cl_command_queue_properties properties;
	size_t count;
	cl_int error;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (!context_has(context, device))
		return refuse(errcode_ret, CL_INVALID_DEVICE);
	error = properties_parse(device, list, &properties, &count);
	if (error)
		return refuse(errcode_ret, error);
	queue = calloc(1, sizeof(*queue));
	if (queue && count)
		queue->property_list = malloc(count * sizeof(*list));
	if (!queue || (count && !queue->property_list)) {
		error = CL_OUT_OF_HOST_MEMORY;
		goto fail;
	}
	if (count)
		memcpy(queue->property_list, list, count * sizeof(*list));
	queue->property_count = count;
	queue->properties = properties;
	queue->context = context;
	queue->device = device;
	if (device->partition) {
		sub_device = sub_device_id(context->session, device);
		if (!sub_device) {
			error = session_lost(context->session) ? CL_DEVICE_NOT_AVAILABLE : CL_OUT_OF_RESOURCES;
			goto fail;
		}
	}
	queue->id = session_queue_take(context->session);
	if (!queue->id) {
		error = session_lost(context->session) ? CL_DEVICE_NOT_AVAILABLE : CL_OUT_OF_RESOURCES;
		goto fail;
	}
	record = ring_begin(context->session->ring, sub_device ? WIRE_QUEUE_CREATE_ON : WIRE_QUEUE_CREATE,
			    sub_device ? sizeof(*record) : sizeof(record->q), NULL);
	if (!record) {
		error = CL_DEVICE_NOT_AVAILABLE;
		goto fail;
	}
	record->q.queue = queue->id;
	record->q.properties = properties;
	if (sub_device) {
		record->sub_device = sub_device;
		record->reserved = 0;
	}
	/* Of the id's last owner, whose records are all over. */
	queue->refused_seen = __atomic_load_n(&context->session->ring->engine->queue_refused[queue->id], __ATOMIC_ACQUIRE);
	queue->last_sequence = ring_sequence_locked(context->session->ring);
	ring_commit(context->session->ring);
	object_init(&queue->object, OBJECT_QUEUE);
	object_retain(context);
	refuse(errcode_ret, CL_SUCCESS);
	return queue;

fail:
	if (queue)
		free(queue->property_list);
	free(queue);
	return refuse(errcode_ret, error);
}

cl_command_queue vgpu_clCreateCommandQueue(cl_context context, cl_device_id device,
					   cl_command_queue_properties properties, cl_int *errcode_ret)
{
	const cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, properties, 0 };
	cl_command_queue queue;

	if (properties & ~(cl_command_queue_properties)(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE))
		return refuse(errcode_ret, CL_INVALID_VALUE);
	queue = vgpu_clCreateCommandQueueWithProperties(context, device, list, errcode_ret);
	if (queue)
		queue->property_count = 0;	/* made without a list, so none is told */
	return queue;
}

void queue_release(struct _cl_command_queue *queue)
{
	struct _cl_context *context = queue->context;

	if (!object_release(queue))
		return;
	session_queue_return(context->session, queue->id);
	ring_flush(context->session->ring);	/* OpenCL 3.0 §5.1: an implicit flush */
	queue->object.kind = OBJECT_DEAD;
	free(queue->property_list);
	free(queue);
	context_release(context);
}

void queue_staging_return(struct _cl_command_queue *queue, struct memory_range *staging)
{
	memory_release_after(queue->context->session->memory, staging, queue->id,
			     __atomic_load_n(&queue->last_sequence, __ATOMIC_RELAXED));
}

static bool queue_written(struct _cl_command_queue *queue)
{
	return !__atomic_load_n(&queue->context->session->held_count, __ATOMIC_ACQUIRE) ||
	       !__atomic_load_n(&queue->held, __ATOMIC_ACQUIRE);
}

bool queue_idle(struct _cl_command_queue *queue)
{
	struct session *session = queue->context->session;

	if (!queue_written(queue) || session_lost(session) ||
	    !ring_queue_done(session->ring, queue->id, __atomic_load_n(&queue->last_sequence, __ATOMIC_RELAXED)))
		return false;
	output_check(session);
	if (__atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE))
		hooks_run(session);
	return true;
}

void queue_learn(struct _cl_command_queue *queue, uint64_t waited_ns)
{
	uint32_t count = __atomic_exchange_n(&queue->expected_count, 0, __ATOMIC_RELAXED);
	uint64_t *pace_ns = &queue->context->session->pace_ns[queue->last_kernel_id % SESSION_PACES];

	__atomic_store_n(&queue->expected_ns, 0, __ATOMIC_RELAXED);
	if (count) {
		uint64_t before_ns = __atomic_load_n(pace_ns, __ATOMIC_RELAXED), sample_ns = waited_ns / count;

		/* Noise only ever makes a wait longer, so a short one is believed at once. */
		__atomic_store_n(pace_ns, sample_ns < before_ns ? sample_ns : (3 * before_ns + sample_ns) / 4,
				 __ATOMIC_RELAXED);
	}
}

uint32_t queue_spin_ns(struct _cl_command_queue *queue)
{
	if (__atomic_load_n(&queue->expected_ns, __ATOMIC_RELAXED) <= 2 * RING_SPIN_NS)
		return RING_SPIN_NS;
	return __atomic_fetch_add(&queue->probe_count, 1, __ATOMIC_RELAXED) % RING_PROBE_EVERY == 0 ? RING_PROBE_NS : 0;
}

cl_int queue_refusal(struct _cl_command_queue *queue)
{
	const struct _cl_context *context = queue->context;
	const struct ring *ring = context->session->ring;
	cl_int status;
	uint32_t word;
	char text[96];

	if (__atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE))
		return CL_SUCCESS;	/* says more by itself */
	word = __atomic_load_n(&ring->engine->queue_refused[queue->id], __ATOMIC_ACQUIRE);
	if (__atomic_exchange_n(&queue->refused_seen, word, __ATOMIC_RELAXED) == word)
		return CL_SUCCESS;
	status = WIRE_REFUSED_ERROR(word);
	if (context->notify) {
		snprintf(text, sizeof(text), "vGPU: a command without an event was refused with error %d", status);
		context->notify(text, &status, sizeof(status), context->notify_data);
	}
	/* OpenCL 3.0 §5.13: the errors that a finish can have. */
	return status == CL_OUT_OF_HOST_MEMORY ? CL_OUT_OF_HOST_MEMORY : CL_OUT_OF_RESOURCES;
}

cl_int queue_drain(struct _cl_command_queue *queue)
{
	struct session *session = queue->context->session;
	uint64_t start_ns = ring_now_ns();
	int r;

	while (!queue_written(queue) && !session_lost(session))
		commands_held_wait(session, NULL);
	r = ring_wait_queue(session->ring, queue->id, __atomic_load_n(&queue->last_sequence, __ATOMIC_RELAXED),
			    queue_spin_ns(queue));
	output_check(session);
	if (__atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE))
		hooks_run(session);
	queue_learn(queue, ring_now_ns() - start_ns);
	if (r < 0 && queue->context->notify)
		queue->context->notify("vGPU: the device is lost", NULL, 0, queue->context->notify_data);
	return r < 0 ? CL_DEVICE_NOT_AVAILABLE : queue_refusal(queue);
}

cl_int vgpu_clFlush(cl_command_queue queue)
{
	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	ring_flush(queue->context->session->ring);
	return session_lost(queue->context->session) ? CL_DEVICE_NOT_AVAILABLE : CL_SUCCESS;
}

cl_int vgpu_clFinish(cl_command_queue queue)
{
	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	return queue_drain(queue);
}

/* OpenCL 3.0 §5.1: every release is a flush, not the last one only. */
static void queue_let_go(struct _cl_command_queue *queue)
{
	ring_flush(queue->context->session->ring);
	queue_release(queue);
}

OBJECT_REFERENCE_CALLS(CommandQueue, cl_command_queue, OBJECT_QUEUE, CL_INVALID_COMMAND_QUEUE, queue_let_go)

cl_int vgpu_clGetCommandQueueInfo(cl_command_queue queue, cl_command_queue_info param_name, size_t param_value_size,
				  void *param_value, size_t *param_value_size_ret)
{
	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	switch (param_name) {
	case CL_QUEUE_CONTEXT:
		INFO_ANSWER(cl_context, queue->context);
	case CL_QUEUE_DEVICE:
		INFO_ANSWER(cl_device_id, queue->device);
	case CL_QUEUE_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, object_references(queue));
	case CL_QUEUE_PROPERTIES:
		INFO_ANSWER(cl_command_queue_properties, queue->properties);
	case CL_QUEUE_PROPERTIES_ARRAY:
		return info_answer(queue->property_list, queue->property_count * sizeof(*queue->property_list),
				   param_value_size, param_value, param_value_size_ret);
	case CL_QUEUE_DEVICE_DEFAULT:
		INFO_ANSWER(cl_command_queue, NULL);
	case CL_QUEUE_SIZE:	/* a queue on the host has none */
		return CL_INVALID_COMMAND_QUEUE;
	default:
		return CL_INVALID_VALUE;
	}
}

cl_int vgpu_clSetCommandQueueProperty(cl_command_queue queue, cl_command_queue_properties properties, cl_bool enable,
				      cl_command_queue_properties *old_properties)
{
	(void)properties;
	(void)enable;
	(void)old_properties;
	/* Removed in OpenCL 1.1; the queue is named invalid as other implementations do for it. */
	return object_is(queue, OBJECT_QUEUE) ? CL_INVALID_OPERATION : CL_INVALID_COMMAND_QUEUE;
}
