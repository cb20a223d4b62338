/* SPDX-License-Identifier: MIT */
/* The engines of an instance: each with a lease while it lives, watched by a pidfd of its own. */
#include "mdev/instance_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mdev/child.h"
#include "mdev/log/log.h"

void instance_engine_forget(struct engine *engine)
{
	struct instance *instance = engine->instance;

	for (struct engine **at = &instance->engines; *at; at = &(*at)->next) {
		if (*at == engine) {
			*at = engine->next;
			break;
		}
	}
	sd_event_source_disable_unref(engine->source);
	if (engine->pidfd >= 0)
		close(engine->pidfd);
	free(engine);
}

void instance_engine_gone(struct engine *engine)
{
	struct instance *instance = engine->instance;

	if (instance->lease)
		leases_engine_remove(instance->around->leases, instance->lease, engine->slot, engine->context);
	instance_engine_forget(engine);
}

static int on_engine_exit(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	instance_engine_gone(data);
	return 0;
}

struct engine *instance_engine_find(struct instance *instance, uint32_t slot, uint32_t context)
{
	struct engine *engine = instance->engines;

	while (engine && (engine->slot != slot || engine->context != context))
		engine = engine->next;
	return engine;
}

void instance_engine_add(struct instance *instance, const struct keeper_message *message, int status_fd)
{
	struct engine *engine = instance_engine_find(instance, message->slot, message->context);

	if (engine)
		instance_engine_forget(engine);	/* leases_engine_add replaces its page */
	engine = calloc(1, sizeof(*engine));
	if (!engine) {
		close(status_fd);
		return;
	}
	*engine = (struct engine){.instance = instance, .slot = message->slot, .context = message->context,
				  .pid = (pid_t)message->value, .pidfd = child_open((pid_t)message->value)};
	int error = engine->pidfd < 0 ? engine->pidfd : 0;
	if (!error)
		error = sd_event_add_io(instance->around->loop, &engine->source, engine->pidfd, EPOLLIN, on_engine_exit, engine);
	if (error >= 0)
		error = leases_engine_add(instance->around->leases, instance->lease, engine->slot, engine->context, engine->pid, status_fd);
	else
		close(status_fd);
	engine->next = instance->engines;
	instance->engines = engine;
	if (error < 0) {
		if (error != -ESRCH)
			log_error("vGPU %s: engine %d (slot %u, context %u) gets no lease: %s", instance->spec->name, (int)engine->pid,
				  engine->slot, engine->context, strerror(-error));
		instance_engine_gone(engine);
	}
}
