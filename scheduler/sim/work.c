/* SPDX-License-Identifier: MIT */
#include "scheduler/sim/work.h"

#include <errno.h>
#include <stdlib.h>

/* Kernels of about the same length are the same kernel: an application has a handful of them. Four to the octave. */
static uint64_t kernel_of(uint64_t length_ns)
{
	unsigned octave = 63 - (unsigned)__builtin_clzll(length_ns | 1);
	unsigned quarter = octave >= 2 ? (unsigned)(length_ns >> (octave - 2)) & 3 : 0;

	return 1 + octave * 4 + quarter;
}

static void push(struct work *work, uint64_t at_ns, uint64_t kernel_id, uint64_t length_ns, uint64_t due_ns)
{
	if (work->count == work->capacity) {
		size_t capacity = work->capacity ? work->capacity * 2 : 8;
		struct job *jobs = calloc(capacity, sizeof(*jobs));
		if (!jobs) {
			work->error = -ENOMEM;
			return;
		}
		for (size_t i = 0; i < work->count; i++)
			jobs[i] = work->jobs[(work->first + i) % work->capacity];
		free(work->jobs);
		work->jobs = jobs;
		work->first = 0;
		work->capacity = capacity;
	}
	work->jobs[(work->first + work->count++) % work->capacity] = (struct job){
		.arrived_ns = at_ns, .length_ns = length_ns, .left_ns = length_ns, .kernel_id = kernel_id, .due_ns = due_ns,
	};
}

static uint64_t push_drawn(struct work *work, uint64_t at_ns, uint64_t due_ns)
{
	uint64_t length_ns = draw_ns(&work->draw, &work->load->kernel);

	push(work, at_ns, kernel_of(length_ns), length_ns, due_ns);
	return length_ns;
}

void work_init(struct work *work, const struct load *load, uint64_t seed, uint64_t stream)
{
	*work = (struct work){.load = load, .draw = draw_from(seed, stream)};
	work->next_ns = load->begin_ns + 1;
	work->nominal_ns = work->next_ns;
	if (load->arrival == ARRIVAL_TRACE)
		work->next_ns = load->record_count ? load->records[0].at_ns + 1 : 0;
}

void work_finish(struct work *work)
{
	free(work->jobs);
	free(work->waits_us10);
}

struct job *work_first(const struct work *work)
{
	return work->count ? &work->jobs[work->first] : NULL;
}

uint64_t work_arrive(struct work *work)
{
	const struct load *load = work->load;
	uint64_t at_ns = work->next_ns, brought_ns = 0;

	switch (load->arrival) {
	case ARRIVAL_BACKLOGGED:
		work->next_ns = 0;
		return push_drawn(work, at_ns, 0);
	case ARRIVAL_PERIODIC:
		brought_ns = push_drawn(work, at_ns, work->nominal_ns + load->gap.a_ns);
		work->frames++;
		work->nominal_ns += load->gap.a_ns;
		work->next_ns = work->nominal_ns + (load->jitter_ns ? draw_below(&work->draw, load->jitter_ns) : 0);
		return brought_ns;
	case ARRIVAL_RANDOM:
	case ARRIVAL_THINK:
		for (uint32_t i = 0; i < load->burst; i++)
			brought_ns += push_drawn(work, at_ns, 0);
		work->next_ns = load->arrival == ARRIVAL_THINK ? 0 : at_ns + draw_ns(&work->draw, &load->gap);
		return brought_ns;
	case ARRIVAL_TRACE:
		break;
	}
	const struct recorded *record = &load->records[work->next_record++];
	push(work, at_ns, record->kernel_id, record->length_ns, 0);
	work->next_ns = work->next_record < load->record_count ? load->records[work->next_record].at_ns + 1 : 0;
	return record->length_ns;
}

void work_waited(struct work *work, uint64_t wait_ns)
{
	if (work->wait_count == work->wait_capacity) {
		size_t capacity = work->wait_capacity ? work->wait_capacity * 2 : 1024;
		void *grown = reallocarray(work->waits_us10, capacity, sizeof(*work->waits_us10));
		if (!grown) {
			work->error = -ENOMEM;
			return;
		}
		work->waits_us10 = grown;
		work->wait_capacity = capacity;
	}
	work->waits_us10[work->wait_count++] = wait_ns / 100 > UINT32_MAX ? UINT32_MAX : (uint32_t)(wait_ns / 100);
}

void work_done(struct work *work, uint64_t now_ns)
{
	const struct job *job = work_first(work);

	work->kernels++;
	work->missed += job->due_ns && now_ns > job->due_ns;
	work->first = (work->first + 1) % work->capacity;
	work->count--;
	if (work->load->arrival == ARRIVAL_BACKLOGGED)
		push_drawn(work, now_ns, 0);
	else if (work->load->arrival == ARRIVAL_THINK && !work->count)
		work->next_ns = now_ns + draw_ns(&work->draw, &work->load->gap);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void work_measure(struct work *work, uint64_t end_ns, struct sim_member *ret_member)
{
	/* What has not begun has waited too, and a frame that is overdue is missed. */
	for (size_t i = 0; i < work->count; i++) {
		const struct job *job = &work->jobs[(work->first + i) % work->capacity];
		if (!job->is_started && work->load->arrival != ARRIVAL_BACKLOGGED)
			work_waited(work, end_ns > job->arrived_ns ? end_ns - job->arrived_ns : 0);
		work->missed += job->due_ns && end_ns > job->due_ns;
	}
	ret_member->kernels = work->kernels;
	ret_member->frames = work->frames;
	ret_member->missed = work->missed;
	if (!work->wait_count)
		return;
	qsort(work->waits_us10, work->wait_count, sizeof(*work->waits_us10), by_size);
	ret_member->waits = (struct sim_waits){
		.count = work->wait_count,
		.p50_ns = work->waits_us10[work->wait_count / 2] * 100ull,
		.p99_ns = work->waits_us10[work->wait_count - 1 - work->wait_count / 100] * 100ull,
		.max_ns = work->waits_us10[work->wait_count - 1] * 100ull,
	};
}
