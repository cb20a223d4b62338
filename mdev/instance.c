/* SPDX-License-Identifier: MIT */
/* instance.h has the theory. */
#include "mdev/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mdev/child.h"
#include "mdev/folder.h"
#include "mdev/keeper_client.h"
#include "mdev/log/log.h"

#define CONNECT_EVERY_US 3000u
#define CONNECT_PATIENCE_US 10000000u	/* a keeper that lives and does not listen for so long is killed */
#define DEATHS_WINDOW_US 10000000u
/* In the window, with a restart at once; then with a pause. One that never came to serve weighs ten times. */
#define DEATHS_AT_ONCE 50u
#define DEATH_UNMANAGED 10u
#define PAUSE_FIRST_US 500000u
#define PAUSE_MOST_US 30000000u
#define STOP_EVERY_US 3000u
#define STOP_PATIENCE_US 3000000u	/* then SIGKILL */

struct engine {
	struct instance *instance;
	uint32_t slot, context;
	pid_t pid;
	int pidfd;
	sd_event_source *source;
	struct engine *next;
};

/* A process the end of which a stop waits for. */
struct awaited {
	int pidfd;
	struct awaited *next;
};

struct instance {
	const struct vgpu_spec *spec;
	const struct instance_surroundings *around;
	void *owner;
	char dir[256];
	enum instance_state state;
	char why[256];
	struct parent *parent;

	struct keeper_client *client;
	bool managed;			/* the keeper has told everything */
	pid_t keeper_pid;		/* 0 = none lives */
	int keeper_pidfd;
	sd_event_source *keeper_source;
	sd_event_source *timer;		/* connect again, start again, or look whether all have stopped */
	uint64_t since_us;		/* when the current state's waiting began */
	uint64_t window_us;		/* of deaths counted */
	unsigned deaths;
	uint64_t pause_us;

	struct vgpu_page *page;
	struct leases_vgpu *lease;
	struct engine *engines;
	bool slot_open[KEEPER_SLOT_MAX];
	struct awaited *awaited;
};

static const struct keeper_client_ops client_operations;
static void start_keeper(struct instance *instance);

static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

const char *instance_state_name(enum instance_state state)
{
	static const char *const names[] = {"waiting", "starting", "running", "failed", "stopping", "gone"};

	return names[state];
}

static void enter_state(struct instance *instance, enum instance_state state, const char *why)
{
	bool is_new = instance->state != state;

	snprintf(instance->why, sizeof(instance->why), "%s", why);
	instance->state = state;
	if (is_new)
		instance->around->changed(instance, instance->owner);
}

static void set_timer(struct instance *instance, uint64_t delay_us, sd_event_time_handler_t handler)
{
	instance->timer = sd_event_source_disable_unref(instance->timer);
	if (!handler)
		return;
	int r = sd_event_add_time_relative(instance->around->loop, &instance->timer, CLOCK_MONOTONIC, delay_us, 1000, handler, instance);
	if (r < 0)
		log_error("vGPU %s: no timer: %s", instance->spec->name, strerror(-r));
}

/* ---- engines ------------------------------------------------------------------------------------------- */

static void engine_forget(struct engine *engine)
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

static void engine_gone(struct engine *engine)
{
	struct instance *instance = engine->instance;

	if (instance->lease)
		leases_engine_remove(instance->around->leases, instance->lease, engine->slot, engine->context);
	engine_forget(engine);
}

static int on_engine_exit(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	engine_gone(data);
	return 0;
}

static struct engine *engine_find(struct instance *instance, uint32_t slot, uint32_t context)
{
	struct engine *engine = instance->engines;

	while (engine && (engine->slot != slot || engine->context != context))
		engine = engine->next;
	return engine;
}

static void engine_add(struct instance *instance, const struct keeper_message *message, int status_fd)
{
	struct engine *engine = engine_find(instance, message->slot, message->context);

	if (engine)
		engine_forget(engine);	/* leases_engine_add replaces its page */
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
		error = leases_engine_add(instance->around->leases, instance->lease, engine->slot, engine->context, status_fd);
	else
		close(status_fd);
	engine->next = instance->engines;
	instance->engines = engine;
	if (error < 0) {
		if (error != -ESRCH)
			log_error("vGPU %s: engine %d (slot %u, context %u) gets no lease: %s", instance->spec->name, (int)engine->pid,
				  engine->slot, engine->context, strerror(-error));
		engine_gone(engine);
	}
}

/* ---- what the keeper tells -------------------------------------------------------------------------------- */

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

static void watch_keeper(struct instance *instance, pid_t pid, int pidfd);

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
	int error = leases_add(instance->around->leases, instance->spec->gpu, instance->spec->name, grant_fd, want_fd, &instance->lease);
	if (error)
		log_error("vGPU %s: its keeper's lease page cannot be used: %s; no kernel of it will run", instance->spec->name,
			  strerror(-error));
}

static void on_managed(struct instance *instance)
{
	instance->managed = true;
	set_timer(instance, 0, NULL);
	if (instance->state != INSTANCE_STOPPING)
		enter_state(instance, INSTANCE_RUNNING, "");
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
			watch_keeper(instance, (pid_t)message->value, child_open((pid_t)message->value));
		break;
	case KEEPER_LEASE:
		take_lease(instance, take_fd(message, fds, KEEPER_FD_GRANT), take_fd(message, fds, KEEPER_FD_WANT));
		break;
	case KEEPER_ENGINE: {
		int status_fd = take_fd(message, fds, KEEPER_FD_ENGINE_STATUS);
		if (status_fd >= 0 && instance->lease && message->value > 0)
			engine_add(instance, message, status_fd);
		else if (status_fd >= 0)
			close(status_fd);
		break;
	}
	case KEEPER_ENGINE_GONE:
		engine = engine_find(instance, message->slot, message->context);
		if (engine)
			engine_gone(engine);
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

static void watch_keeper(struct instance *instance, pid_t pid, int pidfd);

static int connect_keeper(struct instance *instance)
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
		watch_keeper(instance, pid, child_open(pid));
	return 0;
}

static int on_connect_time(sd_event_source *source, uint64_t now_us, void *data)
{
	struct instance *instance = data;

	(void)source;
	(void)now_us;
	if (instance->client || !connect_keeper(instance))
		return 0;
	if (monotonic_us() - instance->since_us > CONNECT_PATIENCE_US && instance->keeper_pidfd >= 0) {
		event_log_add(instance->around->events, "keeper.silent", instance->spec->uuid,
			      "keeper %d of vGPU %s has not answered for %u s: killed", (int)instance->keeper_pid, instance->spec->name,
			      CONNECT_PATIENCE_US / 1000000);
		child_kill(instance->keeper_pidfd, SIGKILL);
		instance->since_us = monotonic_us();
	}
	set_timer(instance, CONNECT_EVERY_US, on_connect_time);
	return 0;
}

static void on_connection_end(void *data)
{
	struct instance *instance = data;

	instance->client = NULL;	/* managed stays: should this be its death, it has served */
	if (instance->state == INSTANCE_STOPPING)
		return;
	/* Most often the keeper is dead, which its pidfd is about to say; else it has dismissed us: connect again. */
	instance->since_us = monotonic_us();
	set_timer(instance, CONNECT_EVERY_US, on_connect_time);
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
	uint64_t now_us = monotonic_us();

	if (now_us - instance->window_us > DEATHS_WINDOW_US) {
		instance->window_us = now_us;
		instance->deaths = 0;
		instance->pause_us = PAUSE_FIRST_US;
	}
	instance->deaths += had_served ? 1 : DEATH_UNMANAGED;
	if (instance->deaths <= DEATHS_AT_ONCE) {
		start_keeper(instance);
		return;
	}
	enter_state(instance, INSTANCE_FAILED, why);
	set_timer(instance, instance->pause_us, on_pause_end);
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
	watch_keeper(instance, 0, -1);
	keeper_client_close(instance->client);
	instance->client = NULL;
	if (instance->state == INSTANCE_STOPPING)
		return 0;
	event_log_add(instance->around->events, "keeper.died", instance->spec->uuid, "vGPU %s: %s; it is started again", instance->spec->name,
		      why);
	/* Its devices may have been quicker. */
	if (!connect_keeper(instance)) {
		enter_state(instance, INSTANCE_STARTING, "");
		return 0;
	}
	if (instance->parent) {
		start_again(instance, had_served, why);
	} else {
		set_timer(instance, 0, NULL);
		enter_state(instance, INSTANCE_WAITING, why);
	}
	return 0;
}

/* Takes pidfd; a negative one: none lives. */
static void watch_keeper(struct instance *instance, pid_t pid, int pidfd)
{
	instance->keeper_source = sd_event_source_disable_unref(instance->keeper_source);
	if (instance->keeper_pidfd >= 0)
		close(instance->keeper_pidfd);
	instance->keeper_pidfd = pidfd >= 0 ? pidfd : -1;
	instance->keeper_pid = pidfd >= 0 ? pid : 0;
	if (pidfd < 0)
		return;
	int r = sd_event_add_io(instance->around->loop, &instance->keeper_source, pidfd, EPOLLIN, on_keeper_exit, instance);
	if (r < 0)
		log_error("vGPU %s: cannot watch its keeper: %s", instance->spec->name, strerror(-r));
}

/* Calls each for every device process that lives. */
static unsigned devices(const struct instance *instance, void (*each)(pid_t pid, void *data), void *data)
{
	unsigned count = 0;
	int dir_fd = open(instance->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return 0;
	for (unsigned slot = 0; slot < KEEPER_SLOT_MAX; slot++) {
		char name[32];
		snprintf(name, sizeof(name), "slot-%u.pid", slot);
		pid_t pid = child_noted(dir_fd, name);
		if (!pid)
			continue;
		count++;
		if (each)
			each(pid, data);
	}
	close(dir_fd);
	return count;
}

static void start_keeper(struct instance *instance)
{
	int dir_fd, pidfd = -1, error = 0;
	char why[256] = "";
	pid_t pid = 0;

	set_timer(instance, 0, NULL);
	if (!instance->parent) {
		enter_state(instance, INSTANCE_WAITING, "its GPU is not there");
		return;
	}
	dir_fd = open(instance->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		error = -errno;
		snprintf(why, sizeof(why), "cannot open %.150s: %s", instance->dir, strerror(-error));
	} else {
		/* What device processes run on does not change under them. */
		if (!devices(instance, NULL, NULL) || faccessat(dir_fd, "config.json", F_OK, 0))
			error = instance->parent->ops->prepare(instance->parent, instance->spec, dir_fd, why);
		close(dir_fd);
	}
	if (!error)
		error = instance->parent->ops->start(instance->parent, instance->spec, instance->dir, &pid, &pidfd, why);
	if (error) {
		enter_state(instance, INSTANCE_FAILED, why);
		event_log_add(instance->around->events, "keeper.failed", instance->spec->uuid, "vGPU %s: %s", instance->spec->name, why);
		instance->pause_us = instance->pause_us ? instance->pause_us : PAUSE_FIRST_US;
		set_timer(instance, instance->pause_us, on_pause_end);
		instance->pause_us = instance->pause_us * 2 > PAUSE_MOST_US ? PAUSE_MOST_US : instance->pause_us * 2;
		return;
	}
	instance->managed = false;
	watch_keeper(instance, pid, pidfd);
	enter_state(instance, INSTANCE_STARTING, "");
	instance->since_us = monotonic_us();
	set_timer(instance, CONNECT_EVERY_US, on_connect_time);
}

bool instance_adopt(struct instance *instance)
{
	if (instance->client || connect_keeper(instance))
		return false;
	enter_state(instance, INSTANCE_STARTING, "");
	return true;
}

void instance_run(struct instance *instance, struct parent *parent)
{
	instance->parent = parent;
	if (instance->client || instance->keeper_pid || instance->state == INSTANCE_STOPPING || instance->state == INSTANCE_GONE)
		return;
	start_keeper(instance);
}

/* ---- stopping -------------------------------------------------------------------------------------------------- */

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
	bool is_late = monotonic_us() - instance->since_us > STOP_PATIENCE_US;

	(void)source;
	(void)now_us;
	awaited_look(instance, is_late || !instance->keeper_pid);
	/* One may have been started after the list was made; with the keeper gone no more are. */
	if (!instance->awaited && !instance->keeper_pid) {
		devices(instance, await, instance);
		awaited_look(instance, true);
	}
	if (instance->awaited || instance->keeper_pid) {
		set_timer(instance, STOP_EVERY_US, on_stop_time);
		return 0;
	}
	set_timer(instance, 0, NULL);
	while (instance->engines)
		engine_gone(instance->engines);
	leases_remove(instance->around->leases, instance->lease);
	instance->lease = NULL;
	enter_state(instance, INSTANCE_GONE, "");
	return 0;
}

void instance_stop(struct instance *instance)
{
	if (instance->state == INSTANCE_STOPPING || instance->state == INSTANCE_GONE)
		return;
	set_timer(instance, 0, NULL);
	if (!instance->client && instance->keeper_pid)
		connect_keeper(instance);
	if (instance->keeper_pid)
		await(instance->keeper_pid, instance);
	devices(instance, await, instance);
	for (const struct engine *engine = instance->engines; engine; engine = engine->next)
		await(engine->pid, instance);
	if (!instance->client || keeper_client_send(instance->client, KEEPER_STOP, NULL))
		awaited_look(instance, true);	/* nobody there who could end them in order */
	instance->since_us = monotonic_us();
	enter_state(instance, INSTANCE_STOPPING, "");
	set_timer(instance, 0, on_stop_time);
}

int instance_remove_folder(struct instance *instance)
{
	return folder_remove(instance->dir);
}

/* ---- the rest ----------------------------------------------------------------------------------------------------- */

int instance_create(const struct vgpu_spec *spec, const struct instance_surroundings *surroundings, void *owner,
		    struct instance **ret_instance, char ret_why[256])
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	*instance = (struct instance){.spec = spec, .around = surroundings, .owner = owner, .keeper_pidfd = -1,
				      .state = INSTANCE_WAITING, .pause_us = PAUSE_FIRST_US};
	snprintf(instance->dir, sizeof(instance->dir), "%s/vgpu/%s", surroundings->runtime_dir, spec->uuid);
	if (mkdir(instance->dir, 0711) && errno != EEXIST) {
		int error = -errno;
		snprintf(ret_why, 256, "cannot make the folder %.180s: %s", instance->dir, strerror(-error));
		free(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

void instance_destroy(struct instance *instance)
{
	if (!instance)
		return;
	set_timer(instance, 0, NULL);
	keeper_client_close(instance->client);
	watch_keeper(instance, 0, -1);
	while (instance->engines)
		engine_forget(instance->engines);
	/* A lease still there is that of a vGPU that runs on: leases_destroy forgets it and leaves its page as it is. */
	if (instance->page)
		munmap(instance->page, VGPU_PAGE_BYTES);
	while (instance->awaited) {
		struct awaited *awaited = instance->awaited;
		instance->awaited = awaited->next;
		close(awaited->pidfd);
		free(awaited);
	}
	free(instance);
}

int instance_replace_device(struct instance *instance, const char *program)
{
	if (!instance->client || !instance->managed)
		return -ENOTCONN;
	return keeper_client_send(instance->client, KEEPER_REPLACE_DEVICE, program);
}

enum instance_state instance_state(const struct instance *instance)
{
	return instance->state;
}

const char *instance_why(const struct instance *instance)
{
	return instance->why;
}

unsigned instance_connections(const struct instance *instance)
{
	unsigned count = 0;

	for (unsigned i = 0; i < KEEPER_SLOT_MAX; i++)
		count += instance->slot_open[i];
	return count;
}

static void append_pid(pid_t pid, void *data)
{
	json_array_append_new(data, json_integer(pid));
}

void instance_json(const struct instance *instance, json_t *object)
{
	uint64_t used_bytes = 0, contexts = 0, resources = 0, backing_bytes = 0, punched_bytes = 0, strikes = 0;
	struct arbiter_usage usage = {0};
	json_t *pids = json_array();
	unsigned engines = 0;

	for (unsigned i = 0; instance->page && i < KEEPER_SLOT_MAX; i++) {
		used_bytes += atomic_load(&instance->page->slot[i].charged_bytes);
		contexts += atomic_load(&instance->page->slot[i].contexts);
		resources += atomic_load(&instance->page->slot[i].resources);
		backing_bytes += atomic_load(&instance->page->slot[i].backing_bytes);
		punched_bytes += atomic_load(&instance->page->slot[i].punched_bytes);
	}
	if (instance->page)
		strikes = atomic_load(&instance->page->strikes);
	if (instance->lease)
		leases_usage(instance->around->leases, instance->lease, &usage);
	for (const struct engine *engine = instance->engines; engine; engine = engine->next)
		engines++;
	devices(instance, append_pid, pids);
	json_t *more = json_pack(
		"{ss so sI sI sI sI sI si si sI sI sI sb sI so so s{so so}}", "state", instance_state_name(instance->state), "why",
		instance->why[0] ? json_string(instance->why) : json_null(), "vram_used_bytes", (json_int_t)used_bytes, "backing_bytes",
		(json_int_t)backing_bytes, "punched_bytes", (json_int_t)punched_bytes, "contexts", (json_int_t)contexts, "resources",
		(json_int_t)resources, "engines", (int)engines, "slots", (int)instance_connections(instance), "gpu_time_ns",
		(json_int_t)usage.gpu_time_ns, "grants", (json_int_t)usage.grants, "overruns", (json_int_t)usage.overruns, "holds_lease",
		(int)usage.holds, "strikes", (json_int_t)strikes, "keeper_pid",
		instance->keeper_pid ? json_integer(instance->keeper_pid) : json_null(), "devices", pids, "sockets", "vfio_user",
		json_sprintf("%s/vfio-user.sock", instance->dir), "direct", json_sprintf("%s/direct.sock", instance->dir));
	if (more)
		json_object_update(object, more);
	json_decref(more);
}
