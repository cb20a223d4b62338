/* SPDX-License-Identifier: MIT */
/* What the arbiters ask for. Under the lock; the owner they name is a vGPU. */
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mdev/leases_parts.h"
#include "mdev/log/log.h"

#define OVERRUN_LOG_NS 5000000000ull	/* one line per vGPU and kind in this time */

static void wake(struct lease_grant *grant, void *data)
{
	(void)data;
	syscall(SYS_futex, (uint32_t *)(void *)&grant->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void overrun(void *owner, uint64_t held_ns, void *data)
{
	struct leases_vgpu *vgpu = owner;
	uint64_t now_ns = leases_now_ns();

	(void)data;
	vgpu->overruns_unsaid++;
	if (vgpu->overrun_logged_ns && now_ns - vgpu->overrun_logged_ns < OVERRUN_LOG_NS)
		return;
	log_warning("vGPU %s does not give %s back: %llu ms since its grant (%llu such since the last line)",
		    vgpu->name, vgpu->queue->name, (unsigned long long)(held_ns / 1000000),
		    (unsigned long long)vgpu->overruns_unsaid);
	vgpu->overrun_logged_ns = now_ns;
	vgpu->overruns_unsaid = 0;
}

void leases_trace_engines(struct leases_vgpu *vgpu, uint64_t now_ns)
{
	for (struct engine *engine = vgpu->engines; engine; engine = engine->next)
		lease_trace_engine(vgpu->queue->trace, vgpu->trace_number, engine->slot, engine->context, engine->status, &engine->seen, now_ns);
}

static int freeze(void *owner, enum freeze_depth depth, void *data)
{
	struct leases_vgpu *vgpu = owner;

	(void)data;
	int error = freezer_set(vgpu->freezer, depth);
	if (error)
		log_warning("vGPU %s: its engines cannot be %s: %s", vgpu->name, depth == FREEZE_NOTHING ? "let go on" : "stopped",
			    strerror(-error));
	return error;
}

static uint64_t cpu_ns(void *owner, void *data)
{
	const struct leases_vgpu *vgpu = owner;

	(void)data;
	return freezer_cpu_ns(vgpu->freezer);
}

static void squat(void *owner, uint64_t used_ns, void *data)
{
	struct leases_vgpu *vgpu = owner;
	uint64_t now_ns = leases_now_ns();

	(void)data;
	vgpu->squat_unsaid_ns += used_ns;
	if (vgpu->squat_logged_ns && now_ns - vgpu->squat_logged_ns < OVERRUN_LOG_NS)
		return;
	log_info("vGPU %s works without a lease (a build, or a guest that floods its device): %llu ms since the last line, charged; it goes on in its turn",
		 vgpu->name, (unsigned long long)(vgpu->squat_unsaid_ns / 1000000));
	vgpu->squat_logged_ns = now_ns;
	vgpu->squat_unsaid_ns = 0;
}

static void hang(void *owner, void *engine_owner, uint64_t lease_ns, void *data)
{
	const struct leases_vgpu *vgpu = owner;
	const struct engine *engine = engine_owner;

	(void)data;
	log_warning("vGPU %s: a command of connection %u, context %u has had %s for %llu ms, longer than the hang timeout: its engine is ended",
		    vgpu->name, engine->slot, engine->context, vgpu->queue->name, (unsigned long long)(lease_ns / 1000000));
	if (engine->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, engine->pidfd, SIGKILL, NULL, 0);
}

static uint64_t clock_of(void *data)
{
	(void)data;
	return leases_now_ns();
}

/* For the trace; the end of a lease is when to look what each engine did in it. */
static void note(void *owner, enum trace_kind kind, uint64_t value, uint64_t kernel_id, uint64_t now_ns, void *data)
{
	struct leases_vgpu *vgpu = owner;

	(void)data;
	if (kind == TRACE_RELEASE)
		leases_trace_engines(vgpu, now_ns);
	lease_trace_note(vgpu->queue->trace, vgpu->trace_number, kind, value, kernel_id, now_ns);
}

const struct arbiter_ops leases_hands = {
	.wake = wake,
	.overrun = overrun,
	.freeze = freeze,
	.cpu_ns = cpu_ns,
	.hang = hang,
	.squat = squat,
	.clock_ns = clock_of,
	.note = note,
};
