/* SPDX-License-Identifier: MIT */
/* The event loop; sim.h has the model. */
#include "scheduler/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/sim/fluid.h"
#include "scheduler/sim/work.h"

struct server {
	uint32_t holder;	/* RULE_NOBODY = free */
	uint32_t last;		/* who ran here last */
	uint64_t granted_ns;
	uint64_t charged_ns;
	uint64_t deadline_ns;
	uint64_t begin_ns;	/* of the piece that runs: behind switch and chunk cost */
	uint64_t end_ns;
	uint64_t stop_ns;	/* 0 = not being frozen */
};

struct sim {
	const struct scenario *scenario;
	const struct rule_ops *ops;
	void *rule;
	const struct sim_watch *watch;
	struct fluid *fluid;
	struct work *works;
	struct server *servers;
	double *window_ideal;
	uint64_t *window_served;
	size_t next_edit;
	uint64_t now_ns;
	uint64_t window_ns;
	struct sim_result *result;
};

static void tell(struct sim *sim, enum sim_event_kind kind, uint32_t member, const struct server *server, uint64_t value)
{
	uint32_t lease = server ? (uint32_t)(server - sim->servers) : 0;

	if (kind == SIM_GRANT || kind == SIM_RELEASE) {
		uint64_t word = sim->now_ns * 8 + kind + ((uint64_t)member << 48) + ((uint64_t)lease << 40);
		sim->result->decisions_hash = (sim->result->decisions_hash ^ word) * 0x100000001b3u;
	}
	if (!sim->watch || !sim->watch->event)
		return;
	struct sim_event event = {.kind = kind, .member = member, .lease = lease, .at_ns = sim->now_ns, .value = value};
	sim->watch->event(sim->watch->data, &event);
}

/* ---- a server --------------------------------------------------------------------------------------- */

static void charge(struct sim *sim, struct server *server)
{
	sim->ops->charge(sim->rule, server->holder, sim->now_ns - server->charged_ns, sim->now_ns);
	server->charged_ns = sim->now_ns;
}

static void release(struct sim *sim, struct server *server)
{
	uint32_t member = server->holder;
	const struct job *next = work_first(&sim->works[member]);

	tell(sim, SIM_RELEASE, member, server, sim->now_ns - server->granted_ns);
	server->holder = RULE_NOBODY;
	sim->ops->release(sim->rule, member, next != NULL, next ? next->kernel_id : 0, sim->now_ns);
}

/* Starts the next piece of the holder's first kernel; lead_ns is lost before it. */
static void start(struct sim *sim, struct server *server, uint64_t lead_ns)
{
	const struct scenario *scenario = sim->scenario;
	uint32_t member = server->holder;
	struct job *job = work_first(&sim->works[member]);
	uint64_t piece_ns = job->left_ns;

	if (!job->is_started) {
		job->is_started = true;
		work_waited(&sim->works[member], sim->now_ns + lead_ns - job->arrived_ns);
		tell(sim, SIM_START, member, server, job->kernel_id);
	} else if (scenario->preemption == PREEMPTION_CHUNKS) {
		lead_ns += scenario->chunk_cost_ns;
		sim->result->chunks++;
	}
	if (scenario->preemption == PREEMPTION_CHUNKS && sim->ops->chunk_ns && !scenario->members[member].load.is_whole) {
		uint64_t chunk_ns = sim->ops->chunk_ns(sim->rule, member, sim->now_ns);
		if (chunk_ns && piece_ns > chunk_ns + scenario->queue.chunk_ns / 8)
			piece_ns = chunk_ns;
	}
	sim->result->lost_ns += lead_ns;
	server->begin_ns = sim->now_ns + lead_ns;
	server->end_ns = server->begin_ns + piece_ns;
	server->stop_ns = 0;
}

/* Books what the piece has done by now, and ends the kernel if that was all of it. */
static void book(struct sim *sim, struct server *server)
{
	uint32_t member = server->holder;
	struct work *work = &sim->works[member];
	struct job *job = work_first(work);
	uint64_t did_ns = sim->now_ns > server->begin_ns ? sim->now_ns - server->begin_ns : 0;

	if (sim->now_ns < server->begin_ns)	/* frozen while it was switching: that part is not lost after all */
		sim->result->lost_ns -= server->begin_ns - sim->now_ns;
	job->left_ns -= did_ns;
	sim->result->members[member].served_ns += did_ns;
	if (sim->scenario->preemption != PREEMPTION_FREEZE && sim->ops->observe)
		sim->ops->observe(sim->rule, member, job->kernel_id, did_ns);
	if (job->left_ns)
		return;
	tell(sim, SIM_DONE, member, server, job->length_ns);
	work_done(work, sim->now_ns);
}

static bool goes_on(struct sim *sim, const struct server *server)
{
	const struct job *job = work_first(&sim->works[server->holder]);

	if (!job || server->stop_ns || (server->deadline_ns && sim->now_ns >= server->deadline_ns))
		return false;
	return !sim->ops->may_start || sim->ops->may_start(sim->rule, server->holder, job->kernel_id, sim->now_ns);
}

static void end_piece(struct sim *sim, struct server *server)
{
	book(sim, server);
	charge(sim, server);
	server->deadline_ns = sim->ops->deadline(sim->rule, server->holder, sim->now_ns);
	if (goes_on(sim, server))
		start(sim, server, 0);
	else
		release(sim, server);
}

/* Something happened: until when may it go on now? */
static void look_again(struct sim *sim, struct server *server)
{
	charge(sim, server);
	server->deadline_ns = sim->ops->deadline(sim->rule, server->holder, sim->now_ns);
	if (sim->scenario->preemption != PREEMPTION_FREEZE || sim->scenario->members[server->holder].load.is_whole || !sim->ops->chunk_ns ||
	    server->stop_ns)
		return;
	if (server->deadline_ns && server->deadline_ns <= sim->now_ns)
		server->stop_ns = sim->now_ns + sim->scenario->freeze_ns;
}

static void grant(struct sim *sim, struct server *server)
{
	uint64_t deadline_ns = 0, lead_ns;
	uint32_t member = sim->ops->pick(sim->rule, sim->now_ns, &deadline_ns);

	if (member == RULE_NOBODY)
		return;
	server->holder = member;
	server->granted_ns = sim->now_ns;
	server->charged_ns = sim->now_ns;
	server->deadline_ns = deadline_ns;
	tell(sim, SIM_GRANT, member, server, deadline_ns);
	lead_ns = server->last == member ? 0 : sim->scenario->switch_ns;
	sim->result->switches += server->last != member;
	server->last = member;
	if (sim->ops->may_start)
		sim->ops->may_start(sim->rule, member, work_first(&sim->works[member])->kernel_id, sim->now_ns);
	start(sim, server, lead_ns);
}

/* ---- time ---------------------------------------------------------------------------------------------- */

static void sooner(uint64_t *at_ns, uint64_t candidate_ns)
{
	if (candidate_ns && candidate_ns < *at_ns)
		*at_ns = candidate_ns;
}

static uint64_t next_event_ns(const struct sim *sim)
{
	uint64_t at_ns = sim->window_ns + SIM_WINDOW_NS;

	for (uint32_t i = 0; i < sim->scenario->member_count; i++)
		sooner(&at_ns, sim->works[i].next_ns);
	for (uint32_t i = 0; i < sim->scenario->queue.leases; i++) {
		const struct server *server = &sim->servers[i];
		if (server->holder == RULE_NOBODY)
			continue;
		sooner(&at_ns, server->end_ns);
		sooner(&at_ns, server->stop_ns);
		if (sim->scenario->preemption == PREEMPTION_FREEZE && !server->stop_ns && server->deadline_ns > sim->now_ns)
			sooner(&at_ns, server->deadline_ns);
	}
	sooner(&at_ns, sim->ops->next_ns(sim->rule, sim->now_ns));
	if (sim->next_edit < sim->scenario->edit_count)
		sooner(&at_ns, sim->scenario->edits[sim->next_edit].at_ns);
	sooner(&at_ns, sim->scenario->duration_ns);
	return at_ns > sim->now_ns ? at_ns : sim->now_ns;
}

static uint64_t served_by_now_ns(const struct sim *sim, uint32_t member)
{
	uint64_t served_ns = sim->result->members[member].served_ns;

	for (uint32_t i = 0; i < sim->scenario->queue.leases; i++) {
		const struct server *server = &sim->servers[i];
		if (server->holder == member && sim->now_ns > server->begin_ns)
			served_ns += sim->now_ns - server->begin_ns;
	}
	return served_ns;
}

static void end_window(struct sim *sim)
{
	size_t window = sim->window_ns / SIM_WINDOW_NS;

	for (uint32_t i = 0; i < sim->scenario->member_count; i++) {
		struct sim_member *member = &sim->result->members[i];
		uint64_t served_ns = served_by_now_ns(sim, i);
		double ideal_ns = fluid_served_ns(sim->fluid, i);
		double gap_ns = (double)(served_ns - sim->window_served[i]) - (ideal_ns - sim->window_ideal[i]);
		if (gap_ns < 0)
			gap_ns = -gap_ns;
		if (gap_ns > member->window_gap_ns)
			member->window_gap_ns = gap_ns;
		if (window < sim->result->window_count)
			member->window_us[window] = (uint32_t)((served_ns - sim->window_served[i]) / 1000);
		sim->window_served[i] = served_ns;
		sim->window_ideal[i] = ideal_ns;
	}
	sim->window_ns = sim->now_ns;
}

static void arrivals(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->scenario->member_count; i++) {
		struct work *work = &sim->works[i];
		while (work->next_ns && work->next_ns <= sim->now_ns) {
			bool was_empty = !work_first(work);
			uint64_t brought_ns = work_arrive(work);
			if (sim->scenario->members[i].load.arrival != ARRIVAL_BACKLOGGED)
				fluid_arrive(sim->fluid, i, brought_ns);
			if (!was_empty)
				continue;
			tell(sim, SIM_WANT, i, NULL, 0);
			sim->ops->wake(sim->rule, i, work_first(work)->kernel_id, sim->now_ns);
		}
	}
}

static void edits(struct sim *sim)
{
	for (; sim->next_edit < sim->scenario->edit_count; sim->next_edit++) {
		const struct edit *edit = &sim->scenario->edits[sim->next_edit];
		if (edit->at_ns > sim->now_ns)
			return;
		sim->ops->edit(sim->rule, edit->member, &edit->settings, sim->now_ns);
		fluid_edit(sim->fluid, edit->member, &edit->settings);
	}
}

static void happen(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->scenario->queue.leases; i++)
		if (sim->servers[i].holder != RULE_NOBODY)
			charge(sim, &sim->servers[i]);
	arrivals(sim);
	edits(sim);
	for (uint32_t i = 0; i < sim->scenario->queue.leases; i++) {
		struct server *server = &sim->servers[i];
		if (server->holder == RULE_NOBODY)
			continue;
		if (sim->now_ns >= server->end_ns || (server->stop_ns && sim->now_ns >= server->stop_ns))
			end_piece(sim, server);
	}
	for (uint32_t i = 0; i < sim->scenario->queue.leases; i++)
		if (sim->servers[i].holder == RULE_NOBODY)
			grant(sim, &sim->servers[i]);
	for (uint32_t i = 0; i < sim->scenario->queue.leases; i++)
		if (sim->servers[i].holder != RULE_NOBODY)
			look_again(sim, &sim->servers[i]);
}

static void run(struct sim *sim)
{
	while (sim->now_ns < sim->scenario->duration_ns) {
		happen(sim);
		if (sim->watch && sim->watch->settled && !sim->watch->settled(sim->watch->data, sim->rule, sim->now_ns))
			return;
		sim->now_ns = next_event_ns(sim);
		fluid_advance(sim->fluid, sim->now_ns);
		if (sim->now_ns >= sim->window_ns + SIM_WINDOW_NS)
			end_window(sim);
	}
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

static void finish(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->scenario->member_count; i++) {
		struct sim_member *member = &sim->result->members[i];
		member->served_ns = served_by_now_ns(sim, i);
		member->ideal_ns = fluid_served_ns(sim->fluid, i);
		sim->result->served_ns += member->served_ns;
		work_measure(&sim->works[i], sim->now_ns, member);
	}
	sim->result->duration_ns = sim->now_ns;
}

static int prepare(struct sim *sim, uint64_t seed, char ret_why[ADMISSION_WHY_BYTES])
{
	size_t count = sim->scenario->member_count;

	snprintf(ret_why, ADMISSION_WHY_BYTES, "no memory");
	sim->result = calloc(1, sizeof(*sim->result) + count * sizeof(sim->result->members[0]));
	sim->fluid = fluid_create(sim->scenario);
	sim->works = calloc(count, sizeof(*sim->works));
	sim->servers = calloc(sim->scenario->queue.leases, sizeof(*sim->servers));
	sim->window_ideal = calloc(count, sizeof(*sim->window_ideal));
	sim->window_served = calloc(count, sizeof(*sim->window_served));
	if (!sim->result || !sim->fluid || !sim->works || !sim->servers || !sim->window_ideal || !sim->window_served)
		return -ENOMEM;
	sim->result->member_count = count;
	sim->result->window_count = sim->scenario->duration_ns / SIM_WINDOW_NS;
	sim->result->decisions_hash = 0xcbf29ce484222325u;
	for (size_t i = 0; i < count; i++) {
		work_init(&sim->works[i], &sim->scenario->members[i].load, seed, i);
		sim->result->members[i].window_us = calloc(sim->result->window_count + 1, sizeof(uint32_t));
		if (!sim->result->members[i].window_us)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < sim->scenario->queue.leases; i++)
		sim->servers[i] = (struct server){.holder = RULE_NOBODY, .last = RULE_NOBODY};
	sim->rule = sim->ops->create(sim->scenario, ret_why);
	return sim->rule ? 0 : -EINVAL;
}

int sim_run(const struct scenario *scenario, const struct rule_ops *ops, uint64_t seed, const struct sim_watch *watch,
	    struct sim_result **ret_result, char ret_why[ADMISSION_WHY_BYTES])
{
	struct sim sim = {.scenario = scenario, .ops = ops, .watch = watch};
	int error = prepare(&sim, seed, ret_why);

	if (!error) {
		run(&sim);
		finish(&sim);
		for (size_t i = 0; i < scenario->member_count && !error; i++)
			error = sim.works[i].error;
	}
	if (sim.rule)
		ops->destroy(sim.rule);
	for (size_t i = 0; sim.works && i < scenario->member_count; i++)
		work_finish(&sim.works[i]);
	fluid_destroy(sim.fluid);
	free(sim.works);
	free(sim.servers);
	free(sim.window_ideal);
	free(sim.window_served);
	if (error)
		sim_result_destroy(sim.result);
	else
		*ret_result = sim.result;
	return error;
}

void sim_result_destroy(struct sim_result *result)
{
	if (!result)
		return;
	for (size_t i = 0; i < result->member_count; i++)
		free(result->members[i].window_us);
	free(result);
}

double sim_jain(const struct sim_result *result)
{
	double sum = 0, squares = 0, count = 0;

	for (size_t i = 0; i < result->member_count; i++) {
		if (result->members[i].ideal_ns < 1)
			continue;
		double x = (double)result->members[i].served_ns / result->members[i].ideal_ns;
		sum += x;
		squares += x * x;
		count++;
	}
	return squares > 0 ? sum * sum / (count * squares) : 1;
}
