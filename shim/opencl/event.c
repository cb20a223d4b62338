/* SPDX-License-Identifier: MIT */
/*
 * Events, their callbacks, and hooks.
 *
 * Theory of operation. The engine answers a record in its slot; ring_poll brings that into event->completion. Where the
 * shim has work of its own to do then (copying a read out of staging), a hook does it in whichever thread first sees that
 * something is over: before any later event is reported complete, every hook that is due has run. So an application that
 * waits only for the last of a chain finds all results, and no thread is needed for it.
 */
#include "shim/opencl/event.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/command.h"
#include "shim/opencl/output.h"

#define POOL_MAX 1024

struct _cl_event *event_create(struct _cl_context *context, struct _cl_command_queue *queue, cl_command_type type)
{
	struct session *session = context->session;
	struct _cl_event *event;

	pthread_mutex_lock(&session->pool_lock);
	event = session->pool;
	if (event) {
		session->pool = event->pool_next;
		session->pool_count--;
	}
	pthread_mutex_unlock(&session->pool_lock);
	if (!event)
		event = malloc(sizeof(*event));
	if (!event)
		return NULL;
	memset(event, 0, sizeof(*event));
	object_init(&event->object, OBJECT_EVENT);
	event->context = context;
	event->queue = queue;
	event->type = type;
	event->completion.slot = WIRE_NO_SLOT;
	object_retain(queue ? (void *)queue : (void *)context);
	return event;
}

void event_release(struct _cl_event *event)
{
	struct _cl_context *context = event->context;
	struct _cl_command_queue *queue = event->queue;
	struct session *session = context->session;

	if (!object_release(event))
		return;
	ring_forget(session->ring, &event->completion);
	event->object.kind = OBJECT_DEAD;
	pthread_mutex_lock(&session->pool_lock);
	if (session->pool_count < POOL_MAX) {
		event->pool_next = session->pool;
		session->pool = event;
		session->pool_count++;
		event = NULL;
	}
	pthread_mutex_unlock(&session->pool_lock);
	free(event);
	if (queue)
		queue_release(queue);
	else
		context_release(context);
}

void events_drop_pool(struct session *session)
{
	struct _cl_event *event;

	while ((event = session->pool)) {
		session->pool = event->pool_next;
		free(event);
	}
}

static void event_end(struct _cl_event *event, cl_int status)
{
	event->status = status;
	__atomic_store_n(&event->over, 1, __ATOMIC_RELEASE);
}

void event_finish_here(struct _cl_event *event, cl_int status, bool times)
{
	if (times && event->queue && (event->queue->properties & CL_QUEUE_PROFILING_ENABLE)) {
		uint64_t now_ns = ring_device_now_ns(event->context->session->ring);

		event->completion.queued_ns = event->completion.submit_ns = now_ns;
		event->completion.start_ns = event->completion.end_ns = now_ns;
	}
	event_end(event, status);
}

bool event_done(struct _cl_event *event)
{
	struct session *session = event->context->session;

	if (__atomic_load_n(&event->over, __ATOMIC_ACQUIRE))
		return true;
	if (!__atomic_load_n(&event->written, __ATOMIC_ACQUIRE) || !ring_poll(session->ring, &event->completion))
		return false;
	output_check(session);
	if (__atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE))
		hooks_run(session);
	if (!__atomic_load_n(&event->over, __ATOMIC_ACQUIRE))
		event_end(event, event->completion.status);
	return true;
}

/* How long a wait may spin for it: only what is expected to be over soon is worth a core. */
static uint32_t event_spin_ns(const struct _cl_event *event)
{
	return event->queue ? queue_spin_ns(event->queue) : 0;
}

void event_wait(struct _cl_event *event)
{
	struct session *session = event->context->session;
	uint64_t start_ns;

	if (event_done(event))
		return;
	start_ns = ring_now_ns();
	while (!event_done(event)) {
		if (__atomic_load_n(&event->written, __ATOMIC_ACQUIRE))
			ring_wait_completion(session->ring, &event->completion, event_spin_ns(event));
		else
			commands_held_wait(session, event);
	}
	/* Its queue's last command: nothing of what was predicted is ahead any more. */
	if (event->queue && event->completion.sequence &&
	    event->completion.sequence == __atomic_load_n(&event->queue->last_sequence, __ATOMIC_RELAXED))
		queue_learn(event->queue, ring_now_ns() - start_ns);
}

/* ---- hooks ----------------------------------------------------------------------------------- */

void hook_add(struct session *session, struct hook *hook)
{
	struct hook **end = &session->hooks;

	pthread_mutex_lock(&session->hook_lock);
	while (*end)
		end = &(*end)->next;
	hook->next = NULL;
	*end = hook;
	__atomic_fetch_add(&session->hook_count, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&session->hook_lock);
}

static bool hook_due(struct session *session, struct hook *hook)
{
	return __atomic_load_n(&hook->event->over, __ATOMIC_ACQUIRE) ||
	       (__atomic_load_n(&hook->event->written, __ATOMIC_ACQUIRE) &&
		ring_poll(session->ring, &hook->event->completion));
}

void hooks_run(struct session *session)
{
	bool again;

	pthread_mutex_lock(&session->hook_lock);
	do {
		again = false;
		for (struct hook *hook = session->hooks, **link; hook; hook = hook->next) {
			struct _cl_event *event = hook->event;
			cl_int status;

			if (!hook_due(session, hook))
				continue;
			again = true;
			if (hook->claimed) {
				pthread_cond_wait(&session->hook_ran, &session->hook_lock);
				break;
			}
			hook->claimed = true;
			pthread_mutex_unlock(&session->hook_lock);
			output_check(session);
			status = event->over ? event->status : event->completion.status;
			hook->run(hook, status >= 0);
			if (!event->over)
				event_end(event, status);
			pthread_mutex_lock(&session->hook_lock);
			for (link = &session->hooks; *link != hook; link = &(*link)->next)
				;
			*link = hook->next;
			__atomic_fetch_sub(&session->hook_count, 1, __ATOMIC_RELEASE);
			pthread_cond_broadcast(&session->hook_ran);
			pthread_mutex_unlock(&session->hook_lock);
			if (hook->mem)
				mem_release(hook->mem);
			free(hook);
			event_release(event);
			pthread_mutex_lock(&session->hook_lock);
			break;
		}
	} while (again);
	pthread_mutex_unlock(&session->hook_lock);
}

/* ---- the API ------------------------------------------------------------------------------------ */

cl_int wait_list_check(const struct _cl_context *context, cl_uint count, const cl_event *events)
{
	if ((count == 0) != (events == NULL))
		return CL_INVALID_EVENT_WAIT_LIST;
	for (cl_uint i = 0; i < count; i++) {
		if (!object_is(events[i], OBJECT_EVENT))
			return CL_INVALID_EVENT_WAIT_LIST;
		if (events[i]->context != context)
			return CL_INVALID_CONTEXT;
	}
	return CL_SUCCESS;
}

cl_int vgpu_clWaitForEvents(cl_uint num_events, const cl_event *event_list)
{
	cl_int error = CL_SUCCESS;

	if (num_events == 0 || !event_list)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < num_events; i++) {
		if (!object_is(event_list[i], OBJECT_EVENT))
			return CL_INVALID_EVENT;
		if (event_list[i]->context != event_list[0]->context)
			return CL_INVALID_CONTEXT;
	}
	for (cl_uint i = 0; i < num_events; i++) {
		event_wait(event_list[i]);
		if (event_list[i]->status < 0)
			error = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	}
	return error;
}

static cl_int event_execution_status(struct _cl_event *event)
{
	if (event_done(event))
		return event->status;
	if (!event->queue)
		return CL_SUBMITTED;	/* a user event's initial status (OpenCL 3.0 §5.11) */
	return __atomic_load_n(&event->written, __ATOMIC_ACQUIRE) ? CL_SUBMITTED : CL_QUEUED;
}

cl_int vgpu_clGetEventInfo(cl_event event, cl_event_info param_name, size_t param_value_size, void *param_value,
			   size_t *param_value_size_ret)
{
	if (!object_is(event, OBJECT_EVENT))
		return CL_INVALID_EVENT;
	switch (param_name) {
	case CL_EVENT_COMMAND_QUEUE:
		INFO_ANSWER(cl_command_queue, event->queue);
	case CL_EVENT_CONTEXT:
		INFO_ANSWER(cl_context, event->context);
	case CL_EVENT_COMMAND_TYPE:
		INFO_ANSWER(cl_command_type, event->type);
	case CL_EVENT_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, object_references(event));
	case CL_EVENT_COMMAND_EXECUTION_STATUS:
		INFO_ANSWER(cl_int, event_execution_status(event));
	default:
		return CL_INVALID_VALUE;
	}
}

OBJECT_REFERENCE_CALLS(Event, cl_event, OBJECT_EVENT, CL_INVALID_EVENT, event_release)

cl_int vgpu_clGetEventProfilingInfo(cl_event event, cl_profiling_info param_name, size_t param_value_size,
				    void *param_value, size_t *param_value_size_ret)
{
	if (!object_is(event, OBJECT_EVENT))
		return CL_INVALID_EVENT;
	if (!event->queue || !(event->queue->properties & CL_QUEUE_PROFILING_ENABLE) || !event_done(event) ||
	    event->status != CL_COMPLETE)
		return CL_PROFILING_INFO_NOT_AVAILABLE;
	switch (param_name) {
	case CL_PROFILING_COMMAND_QUEUED:
		INFO_ANSWER(cl_ulong, event->completion.queued_ns);
	case CL_PROFILING_COMMAND_SUBMIT:
		INFO_ANSWER(cl_ulong, event->completion.submit_ns);
	case CL_PROFILING_COMMAND_START:
		INFO_ANSWER(cl_ulong, event->completion.start_ns);
	case CL_PROFILING_COMMAND_END:
	case CL_PROFILING_COMMAND_COMPLETE:
		INFO_ANSWER(cl_ulong, event->completion.end_ns);
	default:
		return CL_INVALID_VALUE;
	}
}

/* ---- callbacks --------------------------------------------------------------------------------- */

static struct event_callback *callback_of(struct ring_wait *wait)
{
	return (void *)((char *)wait - offsetof(struct event_callback, wait));
}

static bool callback_due(struct ring *ring, struct ring_wait *wait)
{
	const struct event_callback *callback = callback_of(wait);
	struct _cl_event *event = callback->event;

	if (__atomic_load_n(&event->over, __ATOMIC_ACQUIRE))
		return true;
	if (!__atomic_load_n(&event->written, __ATOMIC_ACQUIRE))
		return false;
	return callback->type == CL_SUBMITTED || ring_poll(ring, &event->completion);
}

static void callback_run(struct ring *ring, struct ring_wait *wait)
{
	struct event_callback *callback = callback_of(wait);
	struct _cl_event *event = callback->event;
	cl_int status = callback->type;

	(void)ring;
	if (callback->type != CL_SUBMITTED || ring_is_lost(ring)) {
		if (event_done(event)) {
			if (event->status < 0)
				status = event->status;
		} else {
			status = CL_DEVICE_NOT_AVAILABLE;	/* a held command of a lost device */
		}
	}
	callback->function(event, status, callback->user_data);
	event_release(event);
	free(callback);
}

cl_int vgpu_clSetEventCallback(cl_event event, cl_int command_exec_callback_type,
			       void(CL_CALLBACK *pfn_notify)(cl_event, cl_int, void *), void *user_data)
{
	struct event_callback *callback;

	if (!object_is(event, OBJECT_EVENT))
		return CL_INVALID_EVENT;
	if (!pfn_notify || (command_exec_callback_type != CL_COMPLETE && command_exec_callback_type != CL_RUNNING &&
			    command_exec_callback_type != CL_SUBMITTED))
		return CL_INVALID_VALUE;
	callback = calloc(1, sizeof(*callback));
	if (!callback)
		return CL_OUT_OF_HOST_MEMORY;
	callback->event = event;
	callback->type = command_exec_callback_type;
	callback->function = pfn_notify;
	callback->user_data = user_data;
	callback->wait.done = callback_due;
	callback->wait.notify = callback_run;
	object_retain(event);
	if (ring_wait_async(event->context->session->ring, &callback->wait) < 0) {
		free(callback);
		event_release(event);
		return CL_OUT_OF_RESOURCES;
	}
	return CL_SUCCESS;
}

/* ---- user events --------------------------------------------------------------------------------- */

cl_event vgpu_clCreateUserEvent(cl_context context, cl_int *errcode_ret)
{
	struct _cl_event *event;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	event = event_create(context, NULL, CL_COMMAND_USER);
	refuse(errcode_ret, event ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY);
	return event;
}

cl_int vgpu_clSetUserEventStatus(cl_event event, cl_int execution_status)
{
	if (!object_is(event, OBJECT_EVENT) || event->queue)
		return CL_INVALID_EVENT;
	if (execution_status > CL_COMPLETE)
		return CL_INVALID_VALUE;
	if (!commands_user_event_set(event, execution_status))
		return CL_INVALID_OPERATION;
	return CL_SUCCESS;
}
