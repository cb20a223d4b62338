/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/pieces.h"

#include <string.h>

#define ENQUEUE_NS 20000u	/* before it is measured; where enqueuing runs the kernel it is not */
#define ALWAYS_NS 500000u	/* PIECES_ALWAYS without a chunk_ns */

/* A piece that was enqueued. */
struct piece {
	cl_event event;		/* owned; NULL: none */
	uint64_t enqueued_ns;
	uint64_t groups;
	uint64_t expected_ns;
	bool is_clean;		/* its time will be the work's alone */
	bool is_over;
};

void pieces_init(struct pieces *pieces, const struct device *device, struct complete *complete, const struct lease_grant *grant,
		 struct lease_status *status, const char *mode_name)
{
	cl_uint units = 0;

	clGetDeviceInfo(device->id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL);
	*pieces = (struct pieces){
		.device = device,
		.complete = complete,
		.grant = grant,
		.status = status,
		.mode = mode_name && !strcmp(mode_name, "chunks") ? PIECES_ALWAYS :
			mode_name && !strcmp(mode_name, "whole")  ? PIECES_NEVER :
								    PIECES_BY_GRANT,
		.compute_units = units ? units : 1,
		.enqueue_ns = ENQUEUE_NS,
	};
}

void pieces_describe(const struct pieces *pieces, struct kernel *kernel, const struct program *program, const char *name)
{
	kernel->is_splittable = splittable_kernel(program->splittable, name);
	clGetKernelWorkGroupInfo(kernel->cl, pieces->device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof(kernel->max_group_size),
				 &kernel->max_group_size, NULL);
	clGetKernelWorkGroupInfo(kernel->cl, pieces->device->id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
				 sizeof(kernel->required_local), kernel->required_local, NULL);
}

/* Launches of splittable kernels may be asked for in pieces, now or later. */
static bool may_be_asked_for(const struct pieces *p)
{
	uint64_t word = atomic_load_explicit(&p->grant->word, memory_order_relaxed);

	return p->mode == PIECES_ALWAYS || (p->mode == PIECES_BY_GRANT && !(word & LEASE_FREEZES));
}

/* The next piece's length, 0 = do not split. ahead_ns: of what runs before it. What is left of a contended lease is made use of, if
 * it is not too little to be worth a piece. */
static uint64_t target_ns(const struct pieces *p, uint64_t ahead_ns)
{
	uint64_t word = atomic_load_explicit(&p->grant->word, memory_order_acquire);
	uint64_t chunk_ns = atomic_load_explicit(&p->grant->chunk_ns, memory_order_relaxed);

	if (p->mode == PIECES_ALWAYS && !chunk_ns)
		chunk_ns = ALWAYS_NS;
	else if (p->mode != PIECES_ALWAYS && (!may_be_asked_for(p) || !(word & LEASE_CONTENDED)))
		return 0;
	if (!(word & LEASE_CONTENDED) || word & LEASE_FREEZES)
		return chunk_ns;
	uint64_t deadline_ns = atomic_load_explicit(&p->grant->deadline_ns, memory_order_relaxed);
	uint64_t from_ns = clock_now_ns() + ahead_ns;
	uint64_t rest_ns = deadline_ns > from_ns ? deadline_ns - from_ns : 0;
	rest_ns -= rest_ns / 8;		/* expectations are not exact */
	return deadline_ns && rest_ns < chunk_ns && rest_ns >= chunk_ns / 4 ? rest_ns : chunk_ns;
}

static uint64_t next_groups(const struct pieces *p, const struct kernel *kernel, uint64_t length_ns)
{
	return length_ns ? chunk_cost_groups(&kernel->cost, length_ns, p->enqueue_ns, p->compute_units) : UINT64_MAX;
}

uint64_t pieces_expect(const struct pieces *p, const struct kernel *kernel)
{
	uint64_t length_ns = kernel->is_splittable ? target_ns(p, 0) : 0;
	uint64_t whole_ns = complete_expect(p->complete, kernel->name_hash);

	if (!length_ns)
		return whole_ns;
	uint64_t piece_ns = chunk_cost_of(&kernel->cost, next_groups(p, kernel, length_ns));
	return whole_ns && whole_ns < piece_ns ? whole_ns : piece_ns;
}

static void count(_Atomic uint64_t *counter)
{
	/* One writer: no read-modify-write needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static cl_int enqueue(struct pieces *p, const struct kernel *kernel, cl_command_queue queue, const struct chunk_range *range,
		      bool has_local, cl_uint wait_count, const cl_event *waits, cl_event *ret_event)
{
	bool has_offset = false;

	for (uint32_t i = 0; i < range->dimensions; i++)
		has_offset |= range->offset[i] != 0;
	count(&p->status->pieces);
	return clEnqueueNDRangeKernel(queue, kernel->cl, range->dimensions, has_offset ? range->offset : NULL, range->global,
				      has_local ? range->local : NULL, wait_count, wait_count ? waits : NULL, ret_event);
}

/* Learns what enqueuing costs: the least, rising slowly, as a call that compiles or is preempted says nothing. */
static void learn_enqueue(struct pieces *p, uint64_t took_ns)
{
	if (complete_is_synchronous(p->complete))
		return;
	if (took_ns > 4 * p->enqueue_ns)
		took_ns = 4 * p->enqueue_ns;
	if (took_ns < p->enqueue_ns)
		p->enqueue_ns = took_ns ? took_ns : 1;
	else
		p->enqueue_ns += (took_ns - p->enqueue_ns) / 32;
}

/* Waits for a piece and learns from it. Its status: CL_COMPLETE, or negative if it failed. */
static cl_int settle(struct kernel *kernel, struct piece *piece, uint64_t *ended_ns)
{
	cl_int status = CL_COMPLETE;

	if (!piece->event || piece->is_over)
		return status;
	clWaitForEvents(1, &piece->event);
	uint64_t now_ns = clock_now_ns(), from_ns = piece->enqueued_ns > *ended_ns ? piece->enqueued_ns : *ended_ns;
	piece->is_over = true;
	*ended_ns = now_ns;
	if (clGetEventInfo(piece->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL))
		status = CL_OUT_OF_RESOURCES;
	if (status == CL_COMPLETE)
		chunk_cost_observe(&kernel->cost, piece->groups, now_ns - from_ns, piece->is_clean);
	return status;
}

/* The driver compiles for a kernel's first launch, and PoCL once more for the first at an offset. */
static bool compiled_before(struct kernel *kernel, const struct chunk_range *range)
{
	bool *ran = &kernel->ran_at_zero;

	for (uint32_t i = 0; i < range->dimensions; i++)
		if (range->offset[i])
			ran = &kernel->ran_at_offset;
	bool before = *ran;
	*ran = true;
	return before;
}

/* One piece behind `last`, which may still run. */
static cl_int enqueue_piece(struct pieces *p, struct kernel *kernel, cl_command_queue queue, const struct chunk_range *range,
			    uint64_t groups, cl_uint wait_count, const cl_event *waits, struct piece *ret_piece)
{
	struct piece piece = {
		.enqueued_ns = clock_now_ns(),
		.groups = groups,
		.expected_ns = chunk_cost_of(&kernel->cost, groups),
		.is_clean = compiled_before(kernel, range),
	};
	cl_int error = enqueue(p, kernel, queue, range, true, wait_count, waits, &piece.event);

	if (error)
		return error;
	clFlush(queue);
	learn_enqueue(p, clock_now_ns() - piece.enqueued_ns);
	*ret_piece = piece;
	return 0;
}

static uint64_t ahead_ns(const struct piece *last)
{
	return last->event && !last->is_over ? last->expected_ns : 0;
}

/* Before another piece: true if the lease allows it, perhaps after a while. *ret_status: how `last` ended, if that is known. */
static bool may_go_on(struct pieces *p, struct kernel *kernel, struct piece *last, uint64_t *ended_ns, cl_int *ret_status)
{
	uint64_t groups = next_groups(p, kernel, target_ns(p, ahead_ns(last)));

	if (p->may_start(p->data, ahead_ns(last) + chunk_cost_of(&kernel->cost, groups)))
		return true;
	*ret_status = settle(kernel, last, ended_ns);
	if (*ret_status != CL_COMPLETE)
		return false;
	if (!p->yield(p->data)) {
		*ret_status = CL_OUT_OF_RESOURCES;	/* the engine ends, and the queue with it */
		return false;
	}
	complete_begin(p->complete);
	return true;
}

static int launch_pieces(struct pieces *p, struct kernel *kernel, const struct complete_queue *queue, struct chunk_plan *plan,
			 cl_uint wait_count, const cl_event *waits, struct complete_pending *pending)
{
	struct piece last = {0}, next;
	struct chunk_range range;
	uint64_t ended_ns = 0, groups;
	cl_int status = CL_COMPLETE, error = 0;
	/* Behind other work, or waiting for some, the first piece's time is not its own. */
	bool is_alone = !wait_count && !atomic_load(&p->complete->outstanding);

	while (status == CL_COMPLETE) {
		if (last.event && plan->is_over)
			break;
		if (last.event && !may_go_on(p, kernel, &last, &ended_ns, &status))
			break;
		uint64_t length_ns = target_ns(p, ahead_ns(&last));
		groups = chunk_next(plan, next_groups(p, kernel, length_ns), &range);
		error = enqueue_piece(p, kernel, queue->cl, &range, groups, last.event ? 0 : wait_count, waits, &next);
		if (error)
			break;
		if (!last.event) {
			next.is_clean &= is_alone;
			if (queue->profiling && !clRetainEvent(next.event))
				pending->first = next.event;
		} else {
			status = settle(kernel, &last, &ended_ns);
			clReleaseEvent(last.event);
		}
		/* What waits for something that failed does nothing: nor do its other pieces. And a driver that runs pieces as they
		 * are enqueued is through with it. */
		if (status == CL_COMPLETE && ((wait_count && !last.event) || complete_is_synchronous(p->complete)))
			status = settle(kernel, &next, &ended_ns);
		last = next;
		complete_begin(p->complete);
	}
	if (!last.event)
		return error;	/* refused as a whole */
	pending->event = last.event;
	pending->is_split = true;
	pending->status = error ? error : status;
	return 0;
}

/* What the launch covers, with a local size. False: it is to run whole, as it is. */
static bool plan_launch(const struct pieces *p, const struct kernel *kernel, const struct parsed_ndrange *n, struct chunk_range *ret_range,
			struct chunk_plan *ret_plan)
{
	if (!kernel->is_splittable || !may_be_asked_for(p))
		return false;
	if (!n->has_local && !chunk_local_choose(n->dimensions, n->global, kernel->max_group_size, kernel->required_local, ret_range->local))
		return false;
	return chunk_plan_init(ret_plan, ret_range);
}

int pieces_launch(struct pieces *p, struct kernel *kernel, const struct parsed_ndrange *n, const struct complete_queue *queue,
		  cl_uint wait_count, const cl_event *waits, bool with_event, struct complete_pending *pending)
{
	struct chunk_range range = {.dimensions = n->dimensions};
	struct chunk_plan plan;

	memcpy(range.offset, n->offset, sizeof(range.offset));
	memcpy(range.global, n->global, sizeof(range.global));
	if (n->has_local)
		memcpy(range.local, n->local, sizeof(range.local));
	count(&p->status->kernels);
	bool can_split = plan_launch(p, kernel, n, &range, &plan);
	uint64_t length_ns = can_split ? target_ns(p, 0) : 0;
	/* Uneven groups are for the driver to accept or refuse, which it does for a whole: only then may they be in a last piece. */
	if (length_ns && next_groups(p, kernel, length_ns) < chunk_plan_groups(&plan) &&
	    (chunk_is_uniform(&range) || kernel->may_be_uneven)) {
		complete_batch_end(p->complete);	/* what is done by now does not wait for all of this to be enqueued */
		return launch_pieces(p, kernel, queue, &plan, wait_count, waits, pending);
	}
	cl_int error = enqueue(p, kernel, queue->cl, &range, n->has_local || can_split, wait_count, waits,
			       with_event ? &pending->event : NULL);
	kernel->may_be_uneven |= !error && can_split && !chunk_is_uniform(&range);
	return error;
}
