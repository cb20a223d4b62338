/* SPDX-License-Identifier: MIT */
/*
 * Events: the application's view of a record's completion, and the hooks that run before it is visible.
 */
#ifndef VGPU_SHIM_OPENCL_EVENT_H
#define VGPU_SHIM_OPENCL_EVENT_H

#include "shim/opencl/object.h"

/* One reference, for the application or the caller. NULL: no memory. queue NULL: a user event. */
struct _cl_event *event_create(struct _cl_context *context, struct _cl_command_queue *queue, cl_command_type type);
void event_release(struct _cl_event *event);
/* Over, hooks included; event->status is valid then. Runs hooks that are due. */
bool event_done(struct _cl_event *event);
/* Blocks until event_done. */
void event_wait(struct _cl_event *event);
/* Ends one that the engine never saw. times: it was done here, now. */
void event_finish_here(struct _cl_event *event, cl_int status, bool times);
/* CL_SUCCESS, or what an enqueue must answer for such a list. */
cl_int wait_list_check(const struct _cl_context *context, cl_uint count, const cl_event *events);
/* Frees the pool of a session that ends. */
void events_drop_pool(struct session *session);

/* Takes hook, which holds its event, whose command was or will be submitted. */
void hook_add(struct session *session, struct hook *hook);
/* Runs every hook whose command is over, and waits for those that another thread runs. */
void hooks_run(struct session *session);
#endif
