// SPDX-License-Identifier: MIT
/* The loads that are counted: a queue that is never empty, a kernel without end, and a frame now and then. */
#include "benchmarks/fairness/load.h"

#include "benchmarks/clock.h"
#include "benchmarks/fairness/meter.h"
#include "benchmarks/stats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Goes on beyond the window, so that the first to see its end leaves nobody alone within it. */
#define AFTER_NS 100000000u
#define FRAMES_SKIP_NS 500000000u	/* of each phase */

const char load_names[] = "backlog, endless, frames, build, flush, burn";

const struct load *load_find(const char *name)
{
	static const struct load *const loads[] = {
		&load_backlog, &load_endless, &load_frames, &load_build, &load_flush, &load_burn,
	};

	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		if (!strcmp(name, loads[i]->name))
			return loads[i];
	return NULL;
}

static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void client_clock(struct client *client, uint64_t now_ns)
{
	if (!client->cpu_begin_ns && now_ns >= client->progress.begin_ns)
		client->cpu_begin_ns = cpu_now_ns();
	if (!client->cpu_end_ns && now_ns >= client->progress.end_ns)
		client->cpu_end_ns = cpu_now_ns();
	if (!client->options->tell_ns || now_ns < client->progress.begin_ns || now_ns - client->told_ns < client->options->tell_ns)
		return;
	client->told_ns = now_ns;
	printf("done %" PRIu64 "\n", client->kernels);
	fflush(stdout);
}

static void count_kernels(struct client *client, uint64_t now_ns, unsigned kernels)
{
	if (now_ns >= client->progress.begin_ns && now_ns < client->progress.end_ns)
		client->kernels += kernels;
}

bool client_may_go_on(const struct client *client)
{
	uint64_t now_ns = clock_now_ns(), begin_ns = client->progress.begin_ns, end_ns = client->progress.end_ns + AFTER_NS;
	const struct phase_plan *plan = &client->options->plan;

	if (!phase_is_active(plan, begin_ns, now_ns)) {
		uint64_t at_ns = phase_active_at_ns(plan, begin_ns, now_ns);

		clock_sleep_until(at_ns < end_ns ? at_ns : end_ns);
	}
	return clock_now_ns() < end_ns;
}

struct backlog {
	cl_command_queue queue[CLIENT_QUEUES_MAX];
	cl_event pending[CLIENT_DEPTH_MAX];
	struct meter meter;
	bool metered;
	uint32_t *counted_before;	/* the meter's counters when the load began */
};

static void backlog_open(struct client *client, struct backlog *backlog)
{
	struct session *cl = &client->spin.cl;

	for (unsigned i = 0; i < client->options->queues && !cl->failed; i++) {
		cl_int err;

		backlog->queue[i] = clCreateCommandQueueWithProperties(cl->context, client->spin.choice.device, NULL, &err);
		session_check(cl, "clCreateCommandQueueWithProperties", err);
	}
}

static void backlog_submit(struct client *client, struct backlog *backlog, uint64_t turn)
{
	const struct client_options *options = client->options;
	cl_command_queue queue = backlog->queue[turn % options->queues];

	for (unsigned i = 1; i <= options->batch; i++)
		spin_enqueue(&client->spin, queue, i == options->batch ? &backlog->pending[turn % options->depth] : NULL);
	session_flush(&client->spin.cl, queue);
}

static void backlog_take(struct client *client, struct backlog *backlog, uint64_t turn)
{
	cl_event *event = &backlog->pending[turn % client->options->depth];
	uint64_t now_ns;

	session_wait(&client->spin.cl, 1, event);
	if (client->spin.cl.failed)
		return;
	now_ns = clock_now_ns();
	count_kernels(client, now_ns, client->options->batch);
	if (!backlog->metered)
		progress_add(&client->progress, now_ns, client->options->batch);
	client_clock(client, now_ns);
	clReleaseEvent(*event);
	*event = NULL;
}

/* Kernels of several queues may run at the same time, and would count over each other. */
static void backlog_meter(struct client *client, struct backlog *backlog)
{
	struct spin *spin = &client->spin;

	if (client->options->queues > 1 || !spin->counter)
		return;
	backlog->counted_before = session_host_memory(&spin->cl, spin->global, sizeof(*backlog->counted_before));
	if (backlog->counted_before)
		memcpy(backlog->counted_before, spin->counter, spin->global * sizeof(*spin->counter));
	backlog->metered = meter_start(&backlog->meter, spin, &client->progress);
}

/* Every loop of so many kernels must have been seen. */
static void backlog_check_meter(struct client *client, struct backlog *backlog, uint64_t kernels)
{
	struct spin *spin = &client->spin;
	uint32_t due = (uint32_t)(kernels * spin->loops);

	meter_stop(&backlog->meter);
	for (size_t i = 0; backlog->metered && i < spin->global; i++)
		if (spin->counter[i] - backlog->counted_before[i] != due)
			session_fail(&spin->cl, "after %" PRIu64 " kernels work item %zu has counted %" PRIu32 " loops, not %" PRIu32, kernels, i,
				spin->counter[i] - backlog->counted_before[i], due);
}

static void run_backlog(struct client *client)
{
	struct session *cl = &client->spin.cl;
	struct backlog *backlog = session_host_memory(cl, 1, sizeof(*backlog));
	uint64_t submitted = 0, taken = 0;

	if (!backlog)
		return;
	backlog_open(client, backlog);
	backlog_meter(client, backlog);
	while (!cl->failed && clock_now_ns() < client->progress.end_ns + AFTER_NS) {
		if (!phase_is_active(&client->options->plan, client->progress.begin_ns, clock_now_ns())) {
			while (!cl->failed && taken < submitted)
				backlog_take(client, backlog, taken++);
			client_may_go_on(client);
		} else if (submitted - taken < client->options->depth)
			backlog_submit(client, backlog, submitted++);
		else
			backlog_take(client, backlog, taken++);
	}
	while (!cl->failed && taken < submitted)
		backlog_take(client, backlog, taken++);
	backlog_check_meter(client, backlog, taken * client->options->batch);
	for (unsigned i = 0; i < client->options->queues; i++)
		if (backlog->queue[i])
			clReleaseCommandQueue(backlog->queue[i]);
	client_clock(client, clock_now_ns());
}

/* Ends by the process's end: there is no other way to stop it. */
static void run_endless(struct client *client)
{
	spin_enqueue(&client->spin, client->spin.cl.upload_queue, NULL);
	session_flush(&client->spin.cl, client->spin.cl.upload_queue);
	if (!client->spin.cl.failed)
		session_check(&client->spin.cl, "clFinish", clFinish(client->spin.cl.upload_queue));
	session_fail(&client->spin.cl, "an endless kernel has ended");
}

/* Of one phase, or of all if there are none. */
struct frames {
	uint64_t due, met;
	double *latency_ns;
	size_t count;
};

/* NULL: what is due now belongs to no phase, for the one before lingers. */
static struct frames *frames_now(const struct client *client, struct frames *frames, uint64_t due_ns)
{
	const struct phase_plan *plan = &client->options->plan;
	uint64_t in_ns = due_ns - client->progress.begin_ns;

	if (plan->count == 0)
		return &frames[0];
	if (in_ns % plan->phase_ns < FRAMES_SKIP_NS)
		return NULL;
	return &frames[in_ns / plan->phase_ns % plan->count];
}

static void frames_write(const struct client *client, const struct frames *frames, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fprintf(client->out, "frames%u %" PRIu64 "\nmissed%u %" PRIu64 "\np50_ns%u %.0f\np99_ns%u %.0f\n",
			i, frames[i].due, i, frames[i].due - frames[i].met,
			i, stats_percentile(frames[i].latency_ns, frames[i].count, 50),
			i, stats_percentile(frames[i].latency_ns, frames[i].count, 99));
}

/* Submits one and waits; says when it was done. */
static uint64_t frame_run(struct client *client, struct frames *frames)
{
	uint64_t submitted_ns = clock_now_ns(), done_ns;

	spin_time_ns(&client->spin, 1);
	done_ns = clock_now_ns();
	count_kernels(client, done_ns, 1);
	progress_add(&client->progress, done_ns, 1);
	if (frames)
		frames->latency_ns[frames->count++] = (double)(done_ns - submitted_ns);
	return done_ns;
}

/*
 * A frame is due at each period's begin, and done in time if it is by the next. Like a display, it has no frame for the
 * periods that a late one ran into: those are missed as well.
 */
static void run_frames(struct client *client)
{
	uint64_t period_ns = client->options->period_ns, begin_ns = client->progress.begin_ns, done_ns = begin_ns;
	uint64_t count = (client->progress.end_ns - begin_ns) / period_ns;
	unsigned phases = client->options->plan.count ? client->options->plan.count : 1;
	struct frames frames[PHASES_MAX] = { { 0 } };

	for (unsigned i = 0; i < phases; i++)
		frames[i].latency_ns = session_host_memory(&client->spin.cl, count + 1, sizeof(*frames[i].latency_ns));
	for (uint64_t period = 0; !client->spin.cl.failed && period < count; period++) {
		uint64_t due_ns = begin_ns + period * period_ns;
		struct frames *now = frames_now(client, frames, due_ns);

		if (now)
			now->due++;
		if (done_ns > due_ns)
			continue;
		clock_sleep_until(due_ns);
		client_clock(client, due_ns);
		done_ns = frame_run(client, now);
		if (now)
			now->met += done_ns <= due_ns + period_ns;
	}
	clock_sleep_until(client->progress.end_ns);
	client_clock(client, clock_now_ns());
	frames_write(client, frames, phases);
}

const struct load load_backlog = { .name = "backlog", .run = run_backlog };
const struct load load_endless = { .name = "endless", .endless = true, .run = run_endless };
const struct load load_frames = { .name = "frames", .run = run_frames };
