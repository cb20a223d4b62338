/* SPDX-License-Identifier: MIT */
/* The end of an instance: all its processes end, or are killed. */
#include "mdev/instance_parts.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "mdev/child.h"

#define STOP_EVERY_US 3000u
#define STOP_PATIENCE_US 3000000u	/* then SIGKILL */

static void await(pid_t pid, void *data)
{
	struct instance *instance = data;
	struct awaited *awaited = calloc(1, sizeof(*awaited));

	if (!awaited)
		return;
	awaited->pidfd = child_open(pid);
	if (awaited->pidfd < 0) {
		free(awaited);
		return;
	}
	awaited->next = instance->awaited;
	instance->awaited = awaited;
}

static void awaited_look(struct instance *instance, bool kill_them)
{
	for (struct awaited **at = &instance->awaited; *at;) {
		struct awaited *awaited = *at;
		if (!child_has_ended(awaited->pidfd)) {
			if (kill_them)
				child_kill(awaited->pidfd, SIGKILL);
			at = &awaited->next;
			continue;
		}
		*at = awaited->next;
		close(awaited->pidfd);
		free(awaited);
	}
}

static int on_stop_time(sd_event_source *source, uint64_t now_us, void *data)
{
	struct instance *instance = data;
	bool is_late = instance_now_us() - instance->since_us > STOP_PATIENCE_US;

	(void)source;
	(void)now_us;
	awaited_look(instance, is_late || !instance->keeper_pid);
	/* One may have been started after the list was made; with the keeper gone no more are. */
	if (!instance->awaited && !instance->keeper_pid) {
		instance_devices(instance, await, instance);
		awaited_look(instance, true);
	}
	if (instance->awaited || instance->keeper_pid) {
		instance_set_timer(instance, STOP_EVERY_US, on_stop_time);
		return 0;
	}
	instance_set_timer(instance, 0, NULL);
	while (instance->engines)
		instance_engine_gone(instance->engines);
	leases_remove(instance->around->leases, instance->lease);
	instance->lease = NULL;
	instance_enter_state(instance, INSTANCE_GONE, "");
	return 0;
}

void instance_stop(struct instance *instance)
{
	if (instance->state == INSTANCE_STOPPING || instance->state == INSTANCE_GONE)
		return;
	instance_set_timer(instance, 0, NULL);
	if (!instance->client && instance->keeper_pid)
		instance_connect(instance);
	if (instance->keeper_pid)
		await(instance->keeper_pid, instance);
	instance_devices(instance, await, instance);
	for (const struct engine *engine = instance->engines; engine; engine = engine->next)
		await(engine->pid, instance);
	if (!instance->client || keeper_client_send(instance->client, KEEPER_STOP, NULL))
		awaited_look(instance, true);	/* nobody there who could end them in order */
	instance->since_us = instance_now_us();
	instance_enter_state(instance, INSTANCE_STOPPING, "");
	instance_set_timer(instance, 0, on_stop_time);
}
