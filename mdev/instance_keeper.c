/* SPDX-License-Identifier: MIT */
/*
 * The keeper of an instance: found, or started, and started again when it dies; what it tells is taken down. instance.h has the
 * theory. The keeper is trusted, but may be of another build: what does not make sense is named and left out.
 */
#include "mdev/instance_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/child.h"
#include "mdev/log/log.h"
#include "mdev/refusal.h"

#define CONNECT_EVERY_US 3000u
#define CONNECT_PATIENCE_US 10000000u	/* a keeper that lives and does not listen for so long is killed */
#define DEATHS_WINDOW_US 10000000u
/* In the window, with a restart at once; then with a pause. One that never came to serve weighs ten times. */
#define DEATHS_AT_ONCE 50u
#define DEATH_UNMANAGED 10u
#define PAUSE_MOST_US 30000000u

static const struct keeper_client_ops client_operations;
static void start_keeper(struct instance *instance);

/* ---- what it tells ---------------------------------------------------------------------------------------- */

/* The descriptor of that kind, no longer the message's; -1 if there is none. */
static int take_fd(const struct keeper_message *message, int fds[SEQPACKET_FDS_MAX], enum keeper_tag_kind kind)
{
	for (uint32_t i = 0; i < message->tag_count; i++) {
		if (KEEPER_TAG_KIND(message->tags[i]) == (uint32_t)kind && fds[i] >= 0) {
			int fd = fds[i];
			fds[i] = -1;
			return fd;
		}
	}
	return -1;
}

static void take_page(struct instance *instance, int fd)
{
	struct stat status;

	if (fd < 0)
		return;
	if (!fstat(fd, &status) && status.st_size >= (off_t)VGPU_PAGE_BYTES) {
		void *page = mmap(NULL, VGPU_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (page != MAP_FAILED) {
			if (instance->page)
				munmap(instance->page, VGPU_PAGE_BYTES);
			instance->page = page;
			atomic_store(&instance->page->vram_limit_bytes, instance->spec->vram_bytes);
		}
	}
	close(fd);
}

static void take_lease(struct instance *instance, int grant_fd, int want_fd)
{
	if (grant_fd < 0 || want_fd < 0 || leases_same_page(instance->lease, grant_fd)) {
		if (grant_fd >= 0)
			close(grant_fd);
		if (want_fd >= 0)
			close(want_fd);
		return;
	}
	leases_remove(instance->around->leases, instance->lease);
	instance->lease = NULL;
	char group[GROUPS_PATH_BYTES];
	bool has_group = instance->around->groups && !groups_make(instance->around->groups, instance->spec->uuid, group);
	int error = leases_add(instance->around->leases, instance->spec->gpu, instance->spec->name, has_group ? group : NULL, grant_fd, want_fd,
			       &instance->lease);
	if (error)
		log_error("vGPU %s: its keeper's lease page cannot be used: %s; no kernel of it will run", instance->spec->name,
			  strerror(-error));
	else
		leases_identify(instance->around->leases, instance->lease, instance->spec->uuid);
	/* The page remembers settings as well; the definition may have been changed since. */
	char why[ADMISSION_WHY_BYTES];
	if (!error && instance_schedule(instance, &instance->spec->sched, why))
		event_log_add(instance->around->events, "vgpu.trouble", instance->spec->uuid, "vGPU '%s' does not run by its settings: %s",
			      instance->spec->name, why);
}

static void on_managed(struct instance *instance)
{
	instance->managed = true;
	if (instance->state == INSTANCE_STOPPING)
		return;		/* the timer is the stop's */
	instance_set_timer(instance, 0, NULL);
	instance_enter_state(instance, INSTANCE_RUNNING, "");
}

static void on_message(const struct keeper_message *message, const char *text, int fds[SEQPACKET_FDS_MAX], void *data)
{
	struct instance *instance = data;
	struct engine *engine;

	if (message->slot >= KEEPER_SLOT_MAX || message->context >= KEEPER_CONTEXT_MAX) {
		log_error("vGPU %s: its keeper named slot %u, context %u: left out", instance->spec->name, message->slot, message->context);
		return;
	}
	switch (message->op) {
	case KEEPER_IS:
		take_page(instance, take_fd(message, fds, KEEPER_FD_VGPU_PAGE));
		if (message->value > 0 && (pid_t)message->value != instance->keeper_pid)
			instance_watch_keeper(instance, (pid_t)message->value, child_open((pid_t)message->value));
		break;
	case KEEPER_LEASE:
		take_lease(instance, take_fd(message, fds, KEEPER_FD_GRANT), take_fd(message, fds, KEEPER_FD_WANT));
		break;
	case KEEPER_ENGINE: {
		int status_fd = take_fd(message, fds, KEEPER_FD_ENGINE_STATUS);
		if (status_fd >= 0 && instance->lease && message->value > 0)
			instance_engine_add(instance, message, status_fd);
		else if (status_fd >= 0)
			close(status_fd);
		break;
	}
	case KEEPER_ENGINE_GONE:
		engine = instance_engine_find(instance, message->slot, message->context);
		if (engine)
			instance_engine_gone(engine);
		break;
	case KEEPER_SLOT:
		if (instance->slot_open[message->slot] != (message->value == 1))
			event_log_add(instance->around->events, message->value ? "vgpu.connected" : "vgpu.disconnected",
				      instance->spec->uuid, "vGPU %s, connection %u: %s", instance->spec->name, message->slot,
				      text[0] ? text : message->value ? "opened" : "closed");
		instance->slot_open[message->slot] = message->value == 1;
		break;
	case KEEPER_EVENT:
		event_log_add(instance->around->events, message->value > 0 ? "vgpu.strike" : "vgpu.event", instance->spec->uuid, "vGPU %s: %s",
			      instance->spec->name, text);
		break;
	case KEEPER_MANAGED:
		on_managed(instance);
		break;
	default:
		log_warning("vGPU %s: its keeper said %u, which this vgpud does not know: left out", instance->spec->name, message->op);
	}
}

/* ---- connecting and starting --------------------------------------------------------------------------------- */

int instance_connect(struct instance *instance)
{
	char path[sizeof(instance->dir) + 16];

	snprintf(path, sizeof(path), "%s/keeper.sock", instance->dir);
	int error = keeper_client_open(instance->around->loop, path, &client_operations, instance, &instance->client);
	if (error < 0)
		return error;
	instance->managed = false;
	memset(instance->slot_open, 0, sizeof(instance->slot_open));
	/* A device may have started it, and one that we started have left in its favour: watch the one that serves. */
	pid_t pid = keeper_client_peer(instance->client);
	if (pid != instance->keeper_pid)
		instance_watch_keeper(instance, pid, child_open(pid));
	return 0;
}

static int on_connect_time(sd_event_source *source, uint64_t now_us, void *data)
{
	struct instance *instance = data;

	(void)source;
	(void)now_us;
	if (instance->client || !instance_connect(instance))
		return 0;
	if (instance_now_us() - instance->since_us > CONNECT_PATIENCE_US && instance->keeper_pidfd >= 0) {
		event_log_add(instance->around->events, "keeper.silent", instance->spec->uuid,
			      "keeper %d of vGPU %s has not answered for %u s: killed", (int)instance->keeper_pid, instance->spec->name,
			      CONNECT_PATIENCE_US / 1000000);
		child_kill(instance->keeper_pidfd, SIGKILL);
		instance->since_us = instance_now_us();
	}
	instance_set_timer(instance, CONNECT_EVERY_US, on_connect_time);
	return 0;
}

static void on_connection_end(void *data)
{
	struct instance *instance = data;

	instance->client = NULL;	/* managed stays: should this be its death, it has served */
	if (instance->state == INSTANCE_STOPPING)
		return;
	/* Most often the keeper is dead, which its pidfd is about to say; else it has dismissed us: connect again. */
	instance->since_us = instance_now_us();
	instance_set_timer(instance, CONNECT_EVERY_US, on_connect_time);
}

static const struct keeper_client_ops client_operations = {.message = on_message, .ended = on_connection_end};

static int on_pause_end(sd_event_source *source, uint64_t now_us, void *data)
{
	(void)source;
	(void)now_us;
	start_keeper(data);
	return 0;
}

/* Starts the keeper again: at once, or after a pause when it dies again and again. */
static void start_again(struct instance *instance, bool had_served, const char *why)
{
	uint64_t now_us = instance_now_us();

	if (now_us - instance->window_us > DEATHS_WINDOW_US) {
		instance->window_us = now_us;
		instance->deaths = 0;
		instance->pause_us = INSTANCE_PAUSE_FIRST_US;
	}
	instance->deaths += had_served ? 1 : DEATH_UNMANAGED;
	if (instance->deaths <= DEATHS_AT_ONCE) {
		start_keeper(instance);
		return;
	}
	instance_enter_state(instance, INSTANCE_FAILED, why);
	instance_set_timer(instance, instance->pause_us, on_pause_end);
	instance->window_us = now_us + instance->pause_us;
	instance->pause_us = instance->pause_us * 2 > PAUSE_MOST_US ? PAUSE_MOST_US : instance->pause_us * 2;
}

static int on_keeper_exit(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct instance *instance = data;
	bool had_served = instance->managed;
	char why[128];

	(void)source;
	(void)fd;
	(void)events;
	snprintf(why, sizeof(why), "its keeper (pid %d) died", (int)instance->keeper_pid);
	instance_watch_keeper(instance, 0, -1);
	keeper_client_close(instance->client);
	instance->client = NULL;
	if (instance->state == INSTANCE_STOPPING)
		return 0;
	event_log_add(instance->around->events, "keeper.died", instance->spec->uuid, "vGPU %s: %s; it is started again", instance->spec->name,
		      why);
	/* Its devices may have been quicker. */
	if (!instance_connect(instance)) {
		instance_enter_state(instance, INSTANCE_STARTING, "");
		return 0;
	}
	if (instance->parent) {
		start_again(instance, had_served, why);
	} else {
		instance_set_timer(instance, 0, NULL);
		instance_enter_state(instance, INSTANCE_WAITING, why);
	}
	return 0;
}

void instance_watch_keeper(struct instance *instance, pid_t pid, int pidfd)
{
	instance->keeper_source = sd_event_source_disable_unref(instance->keeper_source);
	if (instance->keeper_pidfd >= 0)
		close(instance->keeper_pidfd);
	instance->keeper_pidfd = pidfd >= 0 ? pidfd : -1;
	instance->keeper_pid = pidfd >= 0 ? pid : 0;
	if (pidfd < 0)
		return;
	/* What it starts from now on is in its group as well. */
	groups_serve(instance->around->groups, instance->spec->uuid, pid);
	int r = sd_event_add_io(instance->around->loop, &instance->keeper_source, pidfd, EPOLLIN, on_keeper_exit, instance);
	if (r < 0)
		log_error("vGPU %s: cannot watch its keeper: %s", instance->spec->name, strerror(-r));
}

static void start_keeper(struct instance *instance)
{
	int dir_fd, pidfd = -1, error = 0;
	char why[256] = "";
	pid_t pid = 0;

	instance_set_timer(instance, 0, NULL);
	if (!instance->parent) {
		instance_enter_state(instance, INSTANCE_WAITING, "its GPU is not there");
		return;
	}
	/* Made here, where a failure is tried again: a full disk is no reason to give up a vGPU that is defined. */
	dir_fd = mkdir(instance->dir, 0711) && errno != EEXIST ? -1 : open(instance->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		error = -errno;
		snprintf(why, sizeof(why), "cannot make the folder %.120s: %s; %s", instance->dir, strerror(-error),
			 refusal_disk_hint(error));
	} else {
		/* What device processes run on does not change under them. */
		if (!instance_devices(instance, NULL, NULL) || faccessat(dir_fd, "config.json", F_OK, 0))
			error = instance->parent->ops->prepare(instance->parent, instance->spec, dir_fd, why);
		close(dir_fd);
	}
	if (!error && instance->around->groups) {
		char group[GROUPS_PATH_BYTES];
		if (groups_make(instance->around->groups, instance->spec->uuid, group))
			log_warning("vGPU %s has no cgroup of its own: its leases end by signals, which takes longer", instance->spec->name);
	}
	if (!error)
		error = instance->parent->ops->start(instance->parent, instance->spec, instance->dir, &pid, &pidfd, why);
	if (error) {
		instance_enter_state(instance, INSTANCE_FAILED, why);
		event_log_add(instance->around->events, "keeper.failed", instance->spec->uuid, "vGPU %s: %s", instance->spec->name, why);
		instance->pause_us = instance->pause_us ? instance->pause_us : INSTANCE_PAUSE_FIRST_US;
		instance_set_timer(instance, instance->pause_us, on_pause_end);
		instance->pause_us = instance->pause_us * 2 > PAUSE_MOST_US ? PAUSE_MOST_US : instance->pause_us * 2;
		return;
	}
	instance->managed = false;
	instance_watch_keeper(instance, pid, pidfd);
	instance_enter_state(instance, INSTANCE_STARTING, "");
	instance->since_us = instance_now_us();
	instance_set_timer(instance, CONNECT_EVERY_US, on_connect_time);
}

bool instance_adopt(struct instance *instance)
{
	groups_thaw_serving(instance->around->groups, instance->spec->uuid);
	if (instance->client || instance_connect(instance))
		return false;
	instance_enter_state(instance, INSTANCE_STARTING, "");
	return true;
}

void instance_run(struct instance *instance, struct parent *parent)
{
	instance->parent = parent;
	if (instance->client || instance->keeper_pid || instance->state == INSTANCE_STOPPING || instance->state == INSTANCE_GONE)
		return;
	start_keeper(instance);
}
