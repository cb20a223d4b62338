/* SPDX-License-Identifier: MIT */
#include "mdev/leases.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "mdev/freezer.h"
#include "mdev/log/log.h"

/*
 * A switch loses 18 to 30 us (make bench-fairness: lost), and may lose 0.5 % of the time. Shares are to be within 1 % over 10 s with 16 vGPUs, so a
 * round of all is well below 100 ms.
 */
#define CPU_SWITCH_COST_NS 30000ull
#define CPU_SWITCH_PPM 6000u
#define CPU_ROUND_NS 80000000ull
#define CPU_SLICE_MAX_NS 12000000ull
#define OVERRUN_LOG_NS 5000000000ull	/* one line per vGPU and kind in this time */

struct queue {
	char name[64];
	uint64_t id;
	struct arbiter *arbiter;
	int timer_fd;
	struct lease_trace *trace;
	struct queue *next;
};

struct engine {
	uint32_t slot, context;
	pid_t pid;
	int pidfd;			/* -1: not a process of its own */
	struct lease_status *status;
	struct arbiter_engine *entity;
	struct lease_trace_engine seen;	/* for the trace */
	struct engine *next;
};

struct leases_vgpu {
	char name[128];
	uint64_t id;
	struct queue *queue;
	int want_fd;
	dev_t device;			/* of the grant page's file, to know it again */
	ino_t inode;
	struct lease_grant *grant;
	struct arbiter_entity *entity;
	struct engine *engines;
	struct freezer *freezer;
	uint64_t overrun_logged_ns;
	uint64_t overruns_unsaid;
	uint64_t squat_logged_ns;
	uint64_t squat_unsaid_ns;
	uint32_t trace_number;
	struct leases_vgpu *next;
};

struct leases {
	pthread_mutex_t lock;		/* over everything below */
	pthread_t thread;
	int epoll_fd;
	int stop_fd;
	uint64_t slice_ns;		/* of all vGPUs; 0 = the run queues' own */
	bool groups;			/* there are cgroups: freezing is quick */
	uint64_t last_id;		/* epoll carries ids, so that an event of something removed finds nothing */
	bool settled;
	struct queue *queues;
	struct leases_vgpu *vgpus;
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the arbiter's hands -------------------------------------------------------------------------- */

static void wake(struct lease_grant *grant, void *data)
{
	(void)data;
	syscall(SYS_futex, (uint32_t *)(void *)&grant->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void overrun(void *owner, uint64_t held_ns, void *data)
{
	struct leases_vgpu *vgpu = owner;
	uint64_t now_ns = monotonic_ns();

	(void)data;
	vgpu->overruns_unsaid++;
	if (vgpu->overrun_logged_ns && now_ns - vgpu->overrun_logged_ns < OVERRUN_LOG_NS)
		return;
	log_warning("vGPU %s does not give %s back: %llu ms since its grant (%llu such since the last line); it is waited for",
		    vgpu->name, vgpu->queue->name, (unsigned long long)(held_ns / 1000000),
		    (unsigned long long)vgpu->overruns_unsaid);
	vgpu->overrun_logged_ns = now_ns;
	vgpu->overruns_unsaid = 0;
}

static void trace_engines(struct leases_vgpu *vgpu, uint64_t now_ns)
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
	uint64_t now_ns = monotonic_ns();

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
	return monotonic_ns();
}

/* For the trace; the end of a lease is when to look what each engine did in it. */
static void note(void *owner, enum trace_kind kind, uint64_t value, uint64_t kernel_id, uint64_t now_ns, void *data)
{
	struct leases_vgpu *vgpu = owner;

	(void)data;
	if (kind == TRACE_RELEASE)
		trace_engines(vgpu, now_ns);
	lease_trace_note(vgpu->queue->trace, vgpu->trace_number, kind, value, kernel_id, now_ns);
}

static const struct arbiter_ops arbiter_operations = {
	.wake = wake,
	.overrun = overrun,
	.freeze = freeze,
	.cpu_ns = cpu_ns,
	.hang = hang,
	.squat = squat,
	.clock_ns = clock_of,
	.note = note,
};

/* Lets the arbiter decide and sets the queue's timer to when it wants to be asked again. */
static void run_locked(struct queue *queue)
{
	uint64_t next_ns = arbiter_run(queue->arbiter, monotonic_ns());
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(next_ns / 1000000000u), .tv_nsec = (long)(next_ns % 1000000000u)},
	};

	timerfd_settime(queue->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ---- the thread ------------------------------------------------------------------------------------ */

static void drain(int fd)
{
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof(count));
	(void)got;	/* empty: another event took it */
}

/*
 * The want eventfd is shared with engines, which run guest code and could clear O_NONBLOCK and be quicker to read: a plain
 * read would then wait for them, with the lock held. RWF_NOWAIT is this call's own.
 */
static void drain_shared(int fd)
{
	uint64_t count;
	struct iovec into = {.iov_base = &count, .iov_len = sizeof(count)};
	ssize_t got = preadv2(fd, &into, 1, -1, RWF_NOWAIT);
	(void)got;	/* as above */
}

static void handle_locked(struct leases *leases, uint64_t id)
{
	for (struct leases_vgpu *vgpu = leases->vgpus; vgpu; vgpu = vgpu->next) {
		if (vgpu->id != id)
			continue;
		drain_shared(vgpu->want_fd);
		run_locked(vgpu->queue);
		return;
	}
	for (struct queue *queue = leases->queues; queue; queue = queue->next) {
		if (queue->id != id)
			continue;
		drain(queue->timer_fd);
		run_locked(queue);
		return;
	}
}

static void *leases_thread(void *data)
{
	struct leases *leases = data;
	struct sched_param priority = {.sched_priority = 1};
	struct epoll_event events[16];

	pthread_setname_np(pthread_self(), "leases");
	/* On a CPU parent the engines keep all processors busy; a hand-over must not wait behind them. */
	if (pthread_setschedparam(pthread_self(), SCHED_RR | SCHED_RESET_ON_FORK, &priority))
		log_info("no real-time priority for hand-overs of leases (needs CAP_SYS_NICE): going on without");
	for (;;) {
		int count = epoll_wait(leases->epoll_fd, events, 16, -1);
		if (count < 0 && errno != EINTR) {
			log_error("leases: epoll_wait: %s; no lease changes hands any more, restart vgpud", strerror(errno));
			return NULL;
		}
		pthread_mutex_lock(&leases->lock);
		for (int i = 0; i < count; i++) {
			if (!events[i].data.u64) {
				pthread_mutex_unlock(&leases->lock);
				return NULL;
			}
			handle_locked(leases, events[i].data.u64);
		}
		pthread_mutex_unlock(&leases->lock);
	}
}

static int watch(struct leases *leases, int fd, uint64_t id)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = id};

	return epoll_ctl(leases->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int leases_create(uint64_t slice_ns, bool groups, struct leases **ret_leases)
{
	struct leases *leases = calloc(1, sizeof(*leases));
	int error;

	if (!leases)
		return -ENOMEM;
	/* The thread of the hand-overs must not wait for one of ordinary priority that has the lock and no processor. */
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&leases->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	leases->slice_ns = slice_ns;
	leases->groups = groups;
	leases->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	leases->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (leases->epoll_fd < 0 || leases->stop_fd < 0) {
		error = -errno;
		goto close;
	}
	error = watch(leases, leases->stop_fd, 0);
	if (error)
		goto close;
	error = -pthread_create(&leases->thread, NULL, leases_thread, leases);
	if (error)
		goto close;
	*ret_leases = leases;
	return 0;
close:
	if (leases->epoll_fd >= 0)
		close(leases->epoll_fd);
	if (leases->stop_fd >= 0)
		close(leases->stop_fd);
	pthread_mutex_destroy(&leases->lock);
	free(leases);
	return error;
}

static void engine_destroy(struct engine *engine)
{
	munmap(engine->status, LEASE_STATUS_BYTES);
	if (engine->pidfd >= 0)
		close(engine->pidfd);
	free(engine);
}

static void vgpu_destroy(struct leases_vgpu *vgpu)
{
	while (vgpu->engines) {
		struct engine *engine = vgpu->engines;
		vgpu->engines = engine->next;
		engine_destroy(engine);
	}
	freezer_destroy(vgpu->freezer);
	if (vgpu->grant)
		munmap(vgpu->grant, LEASE_GRANT_BYTES);
	if (vgpu->want_fd >= 0)
		close(vgpu->want_fd);
	free(vgpu);
}

void leases_destroy(struct leases *leases)
{
	uint64_t one = 1;

	if (!leases)
		return;
	ssize_t written = write(leases->stop_fd, &one, sizeof(one));
	(void)written;
	pthread_join(leases->thread, NULL);
	while (leases->queues) {
		struct queue *queue = leases->queues;
		leases->queues = queue->next;
		arbiter_destroy(queue->arbiter);
		lease_trace_destroy(queue->trace);
		close(queue->timer_fd);
		free(queue);
	}
	while (leases->vgpus) {
		struct leases_vgpu *vgpu = leases->vgpus;
		leases->vgpus = vgpu->next;
		vgpu_destroy(vgpu);
	}
	close(leases->epoll_fd);
	close(leases->stop_fd);
	pthread_mutex_destroy(&leases->lock);
	free(leases);
}

void leases_settle(struct leases *leases)
{
	pthread_mutex_lock(&leases->lock);
	leases->settled = true;
	for (struct queue *queue = leases->queues; queue; queue = queue->next) {
		arbiter_set_hold(queue->arbiter, false);
		run_locked(queue);
	}
	pthread_mutex_unlock(&leases->lock);
}

/* ---- members ------------------------------------------------------------------------------------------ */

static int queue_get_locked(struct leases *leases, const char *name, struct queue **ret_queue)
{
	struct arbiter_settings settings = {.slice_ns = leases->slice_ns, .overrun_grace_ns = ARBITER_OVERRUN_GRACE_NS};
	struct queue *queue;
	int error;

	for (queue = leases->queues; queue; queue = queue->next) {
		if (!strcmp(queue->name, name)) {
			*ret_queue = queue;
			return 0;
		}
	}
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	snprintf(queue->name, sizeof(queue->name), "%s", name);
	queue->id = ++leases->last_id;
	queue->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (queue->timer_fd < 0) {
		error = -errno;
		goto free_queue;
	}
	queue->trace = lease_trace_create(LEASE_TRACE_EVENTS, monotonic_ns());
	queue->arbiter = queue->trace ? arbiter_create(&settings, &arbiter_operations, leases) : NULL;
	if (!queue->arbiter) {
		error = -ENOMEM;
		goto close_timer;
	}
	arbiter_set_hold(queue->arbiter, !leases->settled);
	error = watch(leases, queue->timer_fd, queue->id);
	if (error)
		goto destroy_arbiter;
	queue->next = leases->queues;
	leases->queues = queue;
	*ret_queue = queue;
	return 0;
destroy_arbiter:
	arbiter_destroy(queue->arbiter);
close_timer:
	lease_trace_destroy(queue->trace);
	close(queue->timer_fd);
free_queue:
	free(queue);
	return error;
}

/* Maps a page whose file is long enough and stays so. 0 or -errno. */
static int map_page(int fd, size_t bytes, int protection, void **ret_page, struct stat *ret_stat)
{
	const int needed = F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, ret_stat))
		return -errno;
	if (ret_stat->st_size < (off_t)bytes)
		return -EPROTO;
	if (seals < 0 || ((seals & needed) != needed && fcntl(fd, F_ADD_SEALS, needed)))
		return -EPERM;
	void *page = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*ret_page = page;
	return 0;
}

static_assert(LEASE_RECORDS_AT >= sizeof(struct lease_grant) && LEASE_RECORDS_AT % 8 == 0 &&
	      LEASE_RECORDS_AT + 2 * sizeof(struct entity_record) <= LEASE_GRANT_BYTES, "the records lie behind the grant, in its page");

/* Debts and budgets live in the page, which the keeper holds over our death. */
static void keep_locked(struct leases_vgpu *vgpu)
{
	struct entity_record *records = (struct entity_record *)(void *)((char *)vgpu->grant + LEASE_RECORDS_AT);
	char why[ADMISSION_WHY_BYTES];

	if (arbiter_keep(vgpu->entity, records, monotonic_ns(), why))
		log_warning("vGPU %s: its scheduling before the restart cannot go on: %s; it begins anew", vgpu->name, why);
}

static void trace_leave_locked(struct leases_vgpu *vgpu)
{
	struct entity_settings settings = vgpu->entity ? *arbiter_entity_settings(vgpu->entity) : entity_defaults();

	lease_trace_leave(vgpu->queue->trace, vgpu->trace_number, &settings);
}

int leases_add(struct leases *leases, const char *queue, const char *name, const char *group, int grant_fd, int want_fd,
	       struct leases_vgpu **ret_vgpu)
{
	struct leases_vgpu *vgpu = calloc(1, sizeof(*vgpu));
	struct stat status;
	void *page;
	int error = -ENOMEM;

	if (!vgpu) {
		close(want_fd);
		goto out;
	}
	vgpu->want_fd = want_fd;
	snprintf(vgpu->name, sizeof(vgpu->name), "%s", name);
	vgpu->freezer = freezer_create(group);
	if (!vgpu->freezer)
		goto destroy;
	/* Reading an empty eventfd must not stop the thread. */
	fcntl(want_fd, F_SETFL, fcntl(want_fd, F_GETFL) | O_NONBLOCK);
	error = map_page(grant_fd, LEASE_GRANT_BYTES, PROT_READ | PROT_WRITE, &page, &status);
	if (error)
		goto destroy;
	vgpu->grant = page;
	vgpu->device = status.st_dev;
	vgpu->inode = status.st_ino;
	pthread_mutex_lock(&leases->lock);
	vgpu->id = ++leases->last_id;
	error = queue_get_locked(leases, queue, &vgpu->queue);
	if (!error) {
		vgpu->trace_number = lease_trace_join(vgpu->queue->trace, name);
		vgpu->entity = arbiter_add(vgpu->queue->arbiter, vgpu->grant, vgpu, monotonic_ns());
		error = vgpu->entity ? watch(leases, want_fd, vgpu->id) : -EPROTO;
		if (!error)
			keep_locked(vgpu);
		if (error) {
			trace_leave_locked(vgpu);
			arbiter_remove(vgpu->queue->arbiter, vgpu->entity, monotonic_ns());
		}
	}
	if (!error) {
		vgpu->next = leases->vgpus;
		leases->vgpus = vgpu;
		run_locked(vgpu->queue);
	}
	pthread_mutex_unlock(&leases->lock);
destroy:
	if (error)
		vgpu_destroy(vgpu);
	else
		*ret_vgpu = vgpu;
out:
	close(grant_fd);
	return error;
}

void leases_remove(struct leases *leases, struct leases_vgpu *vgpu)
{
	if (!vgpu)
		return;
	pthread_mutex_lock(&leases->lock);
	for (struct leases_vgpu **at = &leases->vgpus; *at; at = &(*at)->next) {
		if (*at == vgpu) {
			*at = vgpu->next;
			break;
		}
	}
	epoll_ctl(leases->epoll_fd, EPOLL_CTL_DEL, vgpu->want_fd, NULL);
	trace_leave_locked(vgpu);
	arbiter_remove(vgpu->queue->arbiter, vgpu->entity, monotonic_ns());
	run_locked(vgpu->queue);
	pthread_mutex_unlock(&leases->lock);
	vgpu_destroy(vgpu);
}

static void engine_remove_locked(struct leases_vgpu *vgpu, uint32_t slot, uint32_t context)
{
	for (struct engine **at = &vgpu->engines; *at; at = &(*at)->next) {
		struct engine *engine = *at;
		if (engine->slot != slot || engine->context != context)
			continue;
		arbiter_engine_remove(vgpu->entity, engine->entity, monotonic_ns());
		*at = engine->next;
		freezer_engine_remove(vgpu->freezer, engine->pid);
		engine_destroy(engine);
		return;
	}
}

int leases_engine_add(struct leases *leases, struct leases_vgpu *vgpu, uint32_t slot, uint32_t context, pid_t pid, int status_fd)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	struct stat status;
	void *page;
	int error = engine ? map_page(status_fd, LEASE_STATUS_BYTES, PROT_READ | PROT_WRITE, &page, &status) : -ENOMEM;

	close(status_fd);
	if (error) {
		free(engine);
		return error;
	}
	engine->slot = slot;
	engine->context = context;
	engine->pid = pid;
	engine->pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	engine->status = page;
	engine->seen = lease_trace_look(page);
	pthread_mutex_lock(&leases->lock);
	engine_remove_locked(vgpu, slot, context);
	engine->entity = arbiter_engine_add(vgpu->entity, engine->status, engine);
	if (engine->entity) {
		freezer_engine_add(vgpu->freezer, pid);
		atomic_store(&engine->status->heard, 1);
		syscall(SYS_futex, &engine->status->heard, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		engine->next = vgpu->engines;
		vgpu->engines = engine;
		run_locked(vgpu->queue);	/* it may want already */
	}
	pthread_mutex_unlock(&leases->lock);
	if (!engine->entity) {
		engine_destroy(engine);
		return -ENOMEM;
	}
	return 0;
}

void leases_engine_remove(struct leases *leases, struct leases_vgpu *vgpu, uint32_t slot, uint32_t context)
{
	pthread_mutex_lock(&leases->lock);
	engine_remove_locked(vgpu, slot, context);
	run_locked(vgpu->queue);
	pthread_mutex_unlock(&leases->lock);
}

int leases_edit(struct leases *leases, struct leases_vgpu *vgpu, const struct entity_settings *settings, uint64_t hang_timeout_ns,
		char ret_why[ADMISSION_WHY_BYTES])
{
	pthread_mutex_lock(&leases->lock);
	int error = arbiter_edit(vgpu->entity, settings, monotonic_ns(), ret_why);
	if (!error) {
		arbiter_set_hang_timeout(vgpu->entity, hang_timeout_ns);
		run_locked(vgpu->queue);
	}
	pthread_mutex_unlock(&leases->lock);
	return error;
}

static uint32_t processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count > 0 ? (uint32_t)count : 1;
}

struct run_queue_settings leases_parent_defaults(bool on_cpu, uint32_t compute_units)
{
	struct run_queue_settings settings = run_queue_defaults();

	if (!on_cpu)
		return settings;
	settings.switch_cost_ns = CPU_SWITCH_COST_NS;
	settings.switch_ppm = CPU_SWITCH_PPM;
	settings.target_latency_ns = CPU_ROUND_NS;
	settings.slice_max_ns = CPU_SLICE_MAX_NS;
	/* Work that uses one processor of several leases one, not the machine. */
	settings.leases = compute_units && compute_units < processors() ? processors() / compute_units : 1;
	if (settings.leases > RUN_QUEUE_LEASES_MAX)
		settings.leases = RUN_QUEUE_LEASES_MAX;
	return settings;
}

int leases_set_parent(struct leases *leases, const char *name, bool on_cpu)
{
	struct queue *queue;

	pthread_mutex_lock(&leases->lock);
	int error = queue_get_locked(leases, name, &queue);
	if (!error) {
		/* Without groups stopping takes milliseconds: then only those are stopped who do not end by themselves. */
		arbiter_set_parent(queue->arbiter, on_cpu && leases->groups, on_cpu ? processors() : 0);
		run_locked(queue);
	}
	pthread_mutex_unlock(&leases->lock);
	return error;
}

int leases_configure(struct leases *leases, const char *name, const struct run_queue_settings *settings, char ret_why[ADMISSION_WHY_BYTES])
{
	struct queue *queue;

	pthread_mutex_lock(&leases->lock);
	int error = queue_get_locked(leases, name, &queue);
	if (error)
		snprintf(ret_why, ADMISSION_WHY_BYTES, "no run queue can be made: %s", strerror(-error));
	else
		error = arbiter_configure(queue->arbiter, settings, monotonic_ns(), ret_why);
	if (!error)
		run_locked(queue);
	pthread_mutex_unlock(&leases->lock);
	return error;
}

int leases_same_page(const struct leases_vgpu *vgpu, int grant_fd)
{
	struct stat status;

	return vgpu && !fstat(grant_fd, &status) && status.st_dev == vgpu->device && status.st_ino == vgpu->inode;
}

bool leases_totals(struct leases *leases, const char *name, struct arbiter_totals *ret_totals)
{
	struct queue *queue;

	pthread_mutex_lock(&leases->lock);
	for (queue = leases->queues; queue && strcmp(queue->name, name); queue = queue->next)
		;
	if (queue)
		arbiter_totals(queue->arbiter, ret_totals);
	pthread_mutex_unlock(&leases->lock);
	return queue;
}

void leases_usage(struct leases *leases, const struct leases_vgpu *vgpu, struct arbiter_usage *ret_usage)
{
	pthread_mutex_lock(&leases->lock);
	arbiter_usage(vgpu->entity, monotonic_ns(), ret_usage);
	pthread_mutex_unlock(&leases->lock);
}

/* ---- the trace ---------------------------------------------------------------------------------------- */

void leases_identify(struct leases *leases, struct leases_vgpu *vgpu, const char *uuid)
{
	pthread_mutex_lock(&leases->lock);
	lease_trace_identify(vgpu->queue->trace, vgpu->trace_number, uuid);
	pthread_mutex_unlock(&leases->lock);
}

/* The settings of those that are still there are the arbiter's to say. */
static void trace_settings_locked(const struct leases *leases, struct lease_trace_page *page, const struct queue *queue)
{
	page->queue = *arbiter_queue_settings(queue->arbiter);
	page->freezes = arbiter_freezes(queue->arbiter);
	for (const struct leases_vgpu *vgpu = leases->vgpus; vgpu; vgpu = vgpu->next)
		for (size_t i = 0; vgpu->queue == queue && i < page->member_count; i++)
			if (page->members[i].number == vgpu->trace_number)
				page->members[i].settings = *arbiter_entity_settings(vgpu->entity);
}

int leases_trace(struct leases *leases, const char *name, uint64_t after, size_t most, struct lease_trace_page **ret_page)
{
	struct lease_trace_page *page = lease_trace_page_create(most);
	struct timespec realtime;
	int error = -ENOENT;

	if (!page)
		return -ENOMEM;
	pthread_mutex_lock(&leases->lock);
	for (const struct queue *queue = leases->queues; queue; queue = queue->next) {
		if (strcmp(queue->name, name))
			continue;
		for (struct leases_vgpu *vgpu = leases->vgpus; vgpu; vgpu = vgpu->next)
			if (vgpu->queue == queue && lease_trace_holds(queue->trace, vgpu->trace_number))
				trace_engines(vgpu, monotonic_ns());
		error = lease_trace_read(queue->trace, after, most, page);
		if (!error)
			trace_settings_locked(leases, page, queue);
		page->now_ns = monotonic_ns();
		clock_gettime(CLOCK_REALTIME, &realtime);
	}
	pthread_mutex_unlock(&leases->lock);
	if (error) {
		lease_trace_page_destroy(page);
		return error;
	}
	page->realtime_ns = (uint64_t)realtime.tv_sec * 1000000000u + (uint64_t)realtime.tv_nsec;
	*ret_page = page;
	return 0;
}
