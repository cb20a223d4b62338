/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/complete_strategy.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIAL_TURNS 10000u
static const struct timespec trial_turn = {.tv_nsec = 100000};	/* of TRIAL_TURNS at most */

/* ---- synchronous ------------------------------------------------------------------------------ */

static void synchronous_batch_end(struct complete_queue *queue)
{
	clFinish(queue->cl);
	complete_publish(queue, queue->pushed_sequence);
}

/* ---- native ----------------------------------------------------------------------------------- */

struct native_args {
	struct complete_queue *queue;
	uint64_t sequence;
};

/* On the driver's worker, after all earlier commands of the queue. */
static void CL_CALLBACK native_publish(void *data)
{
	struct native_args args;

	memcpy(&args, data, sizeof(args));	/* the driver's copy; its alignment is the driver's choice */
	complete_publish(args.queue, args.sequence);
}

static void native_batch_end(struct complete_queue *queue)
{
	struct native_args args = {queue, queue->pushed_sequence};

	if (clEnqueueNativeKernel(queue->cl, native_publish, &args, sizeof(args), 0, NULL, NULL, 0, NULL, NULL) ||
	    clFlush(queue->cl))
		synchronous_batch_end(queue);
}

/* ---- callback --------------------------------------------------------------------------------- */

/* One command less than `native`, which a worker has to be found for; on PoCL as quick as the driver's own clFinish. */
struct callback_args {
	struct complete_queue *queue;
	uint64_t sequence;
};

/* On the driver's worker, or on ours if the event was over by then. The event's command may be over for everybody, so
 * that only `callbacks` keeps the queue until the end of this. */
static void CL_CALLBACK callback_publish(cl_event event, cl_int status, void *data)
{
	struct callback_args args = *(struct callback_args *)data;
	struct complete *complete = args.queue->complete;

	(void)event;
	(void)status;	/* of a failure as well: publication looks at every event's own */
	free(data);
	complete_publish(args.queue, args.sequence);
	pthread_mutex_lock(&complete->lock);
	args.queue->callbacks--;
	pthread_cond_broadcast(&complete->changed);
	pthread_mutex_unlock(&complete->lock);
}

/* The last record's event, retained, and a callback counted for it; NULL if it has none or is over. */
static cl_event callback_begin(struct complete_queue *queue)
{
	struct complete *complete = queue->complete;
	cl_event event = NULL;

	pthread_mutex_lock(&complete->lock);
	if (queue->head != queue->tail)
		event = queue->fifo[(queue->tail - 1) & (COMPLETE_DEPTH - 1)].event;
	if (event) {
		clRetainEvent(event);
		queue->callbacks++;
	}
	pthread_mutex_unlock(&complete->lock);
	return event;
}

static void callback_batch_end(struct complete_queue *queue)
{
	struct callback_args *args = malloc(sizeof(*args));
	cl_event event = args ? callback_begin(queue) : NULL;

	if (!event) {
		free(args);
		native_batch_end(queue);
		return;
	}
	*args = (struct callback_args){queue, queue->pushed_sequence};
	if (clSetEventCallback(event, CL_COMPLETE, callback_publish, args)) {
		free(args);
		pthread_mutex_lock(&queue->complete->lock);
		queue->callbacks--;
		pthread_mutex_unlock(&queue->complete->lock);
		native_batch_end(queue);
	} else if (clFlush(queue->cl)) {
		clFinish(queue->cl);
	}
	clReleaseEvent(event);
}

static void callback_queue_finish(struct complete_queue *queue)
{
	pthread_mutex_lock(&queue->complete->lock);
	while (queue->callbacks)
		pthread_cond_wait(&queue->complete->changed, &queue->complete->lock);
	pthread_mutex_unlock(&queue->complete->lock);
}

/* ---- waiter ----------------------------------------------------------------------------------- */

/* The oldest record in flight, and the event to wait for: false when the queue is to end. */
static bool waiter_next(struct complete_queue *queue, uint64_t *ret_sequence, cl_event *ret_event)
{
	struct complete *complete = queue->complete;
	bool found = false;

	pthread_mutex_lock(&complete->lock);
	while (queue->head == queue->tail && queue->waiter_runs)
		pthread_cond_wait(&complete->changed, &complete->lock);
	if (queue->head != queue->tail) {
		/* The newest with an event covers all before it: the queue is in order. */
		for (uint32_t i = queue->tail; i != queue->head && !found; i--) {
			const struct complete_pending *p = &queue->fifo[(i - 1) & (COMPLETE_DEPTH - 1)];
			if (p->event) {
				*ret_sequence = p->sequence;
				*ret_event = p->event;
				clRetainEvent(p->event);
				found = true;
			}
		}
		if (!found) {
			*ret_sequence = queue->fifo[(queue->tail - 1) & (COMPLETE_DEPTH - 1)].sequence;
			*ret_event = NULL;
			found = true;
		}
	}
	pthread_mutex_unlock(&complete->lock);
	return found;
}

static void *waiter_main(void *data)
{
	struct complete_queue *queue = data;
	uint64_t sequence = 0;
	cl_event event = NULL;

	while (waiter_next(queue, &sequence, &event)) {
		if (event) {
			clWaitForEvents(1, &event);
			clReleaseEvent(event);
		} else {
			clFinish(queue->cl);
		}
		complete_publish(queue, sequence);
	}
	return NULL;
}

static int waiter_queue_init(struct complete_queue *queue)
{
	queue->waiter_runs = true;
	if (!pthread_create(&queue->waiter, NULL, waiter_main, queue))
		return 0;
	queue->waiter_runs = false;
	return CL_OUT_OF_HOST_MEMORY;
}

static void waiter_batch_end(struct complete_queue *queue)
{
	clFlush(queue->cl);
	pthread_cond_broadcast(&queue->complete->changed);
}

static void waiter_queue_finish(struct complete_queue *queue)
{
	pthread_mutex_lock(&queue->complete->lock);
	queue->waiter_runs = false;
	pthread_cond_broadcast(&queue->complete->changed);
	pthread_mutex_unlock(&queue->complete->lock);
	pthread_join(queue->waiter, NULL);
}

/* ---- choice ------------------------------------------------------------------------------------ */

static const struct complete_strategy strategies[] = {
	{.name = "synchronous", .batch_end = synchronous_batch_end},
	{.name = "native", .batch_end = native_batch_end},
	{
		.name = "callback",
		.every_event = true,
		.batch_end = callback_batch_end,
		.queue_finish = callback_queue_finish,
	},
	{
		.name = "waiter",
		.queue_init = waiter_queue_init,
		.batch_end = waiter_batch_end,
		.queue_finish = waiter_queue_finish,
	},
};

struct trial {
	pthread_t enqueuer;
	_Atomic int ran_on;	/* 0 not yet, 1 the enqueuer, 2 another thread */
};

static void CL_CALLBACK trial_kernel(void *data)
{
	struct trial *trial;

	memcpy(&trial, data, sizeof(trial));
	atomic_store(&trial->ran_on, pthread_equal(pthread_self(), trial->enqueuer) ? 1 : 2);
}

/* Where the device runs a native kernel: 1 on the enqueuing thread before the call returns, 2 elsewhere, 0 nowhere. */
static int try_native(const struct device *device)
{
	struct trial trial = {.enqueuer = pthread_self()}, *argument = &trial;
	cl_int error = 0;
	int at_return = 0;

	cl_command_queue queue = clCreateCommandQueueWithProperties(device->context, device->id, NULL, &error);
	if (!queue)
		return 0;
	error = clEnqueueNativeKernel(queue, trial_kernel, &argument, sizeof(argument), 0, NULL, NULL, 0, NULL, NULL);
	at_return = atomic_load(&trial.ran_on);
	clFinish(queue);
	int finally = atomic_load(&trial.ran_on);
	clReleaseCommandQueue(queue);
	if (error || !finally)
		return 0;
	/* Run by clFinish on this thread: neither; publishing from there would wait for somebody to finish. */
	return finally == 2 ? 2 : at_return;
}

struct callback_trial {
	_Atomic bool go;	/* the callback is set: the kernel may end */
	_Atomic bool called;
	pthread_t ran_on, called_on;
};

static void CL_CALLBACK callback_trial_kernel(void *data)
{
	struct callback_trial *trial;

	memcpy(&trial, data, sizeof(trial));
	trial->ran_on = pthread_self();
	for (unsigned i = 0; i < TRIAL_TURNS && !atomic_load(&trial->go); i++)
		nanosleep(&trial_turn, NULL);
}

static void CL_CALLBACK callback_trial_event(cl_event event, cl_int status, void *data)
{
	struct callback_trial *trial = data;

	(void)event;
	(void)status;
	trial->called_on = pthread_self();
	atomic_store(&trial->called, true);
}

/* Whether an event's callback comes from the worker that ended its command, and not from a thread that has to be woken for it.
 * For devices that run native kernels on workers. */
static bool try_callback(const struct device *device)
{
	/* Not on the stack: a callback that comes after all patience still has where to write. */
	static struct callback_trial trial;
	struct callback_trial *argument = &trial;
	cl_event event = NULL;
	cl_int error = 0;

	cl_command_queue queue = clCreateCommandQueueWithProperties(device->context, device->id, NULL, &error);
	if (!queue)
		return false;
	error = clEnqueueNativeKernel(queue, callback_trial_kernel, &argument, sizeof(argument), 0, NULL, NULL, 0, NULL, &event);
	if (!error)
		error = clSetEventCallback(event, CL_COMPLETE, callback_trial_event, &trial);
	atomic_store(&trial.go, true);
	clFinish(queue);
	for (unsigned i = 0; !error && i < TRIAL_TURNS && !atomic_load(&trial.called); i++)
		nanosleep(&trial_turn, NULL);
	if (event)
		clReleaseEvent(event);
	clReleaseCommandQueue(queue);
	return !error && atomic_load(&trial.called) && pthread_equal(trial.ran_on, trial.called_on);
}

static const struct complete_strategy *by_name(const char *name)
{
	for (unsigned i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		if (!strcmp(strategies[i].name, name))
			return &strategies[i];
	return NULL;
}

const struct complete_strategy *complete_strategy_choose(const struct device *device, const char *name)
{
	if (name)
		return by_name(name);
	switch (device->native_kernels ? try_native(device) : 0) {
	case 1:
		return by_name("synchronous");
	case 2:
		return by_name(try_callback(device) ? "callback" : "native");
	default:
		return by_name("waiter");
	}
}

bool complete_strategy_is_synchronous(const struct complete_strategy *strategy)
{
	return strategy == &strategies[0];
}
