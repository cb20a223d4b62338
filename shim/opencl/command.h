/* SPDX-License-Identifier: MIT */
/*
 * Commands on their way into the ring: wait lists, in-order queues, and holding back what waits for a user event.
 */
#ifndef VGPU_SHIM_OPENCL_COMMAND_H
#define VGPU_SHIM_OPENCL_COMMAND_H

#include "shim/opencl/object.h"

/* One queue record to be: struct wire_queued, `body`, the waits, `tail`. All borrowed. */
struct command {
	struct _cl_command_queue *queue;
	enum wire_opcode opcode;
	cl_uint wait_count;
	const cl_event *waits;		/* checked by wait_list_check */
	const void *body;
	size_t body_bytes;		/* multiple of 8 */
	const void *tail;
	size_t tail_bytes;		/* multiple of 8 */
	struct memory_range *staging;	/* taken: goes back when the command is over, or it fails here; or NULL */
	struct _cl_event *event;	/* borrowed, or NULL */
	struct _cl_mem *mems[2];	/* what it uses, borrowed, or NULL; held commands keep them, and the kernel and its */
	struct _cl_kernel *kernel;
};

/* Writes it now, or when the user events it depends on are set. CL_SUCCESS, CL_DEVICE_NOT_AVAILABLE or
 * CL_OUT_OF_HOST_MEMORY. A failed event in the list fails the command's own event, which is a success here. */
cl_int command_submit(const struct command *command);
/* True if something in the list has already failed. */
bool waits_failed(cl_uint count, const cl_event *waits);
/* True if it would be held now: a user event of the application's must be set before it can go on. */
bool command_would_be_held(const struct _cl_command_queue *queue, cl_uint wait_count, const cl_event *waits);
/* True if everything in the list is over. */
bool waits_over(cl_uint count, const cl_event *waits);

/* False: it was set before. */
bool commands_user_event_set(struct _cl_event *event, cl_int status);
/* Blocks a little: until some held command moves, or the event is written or over. */
void commands_held_wait(struct session *session, struct _cl_event *event);

/* The end of most enqueues: makes the event the application wants, submits, hands the event out. */
cl_int command_enqueue(struct command *command, cl_command_type type, cl_event *ret_event);
/* For what was done here and now: a finished event. */
cl_int command_done_here(struct _cl_command_queue *queue, cl_command_type type, cl_event *ret_event);
#endif
