/* SPDX-License-Identifier: MIT */
/*
 * vgpu-keeper: one per vGPU. Holds its descriptors, starts and restarts its processes (keeper.h has the theory).
 *
 *   vgpu-keeper --dir DIR
 *
 * DIR is the vGPU's runtime folder, with config.json and capset in it. Exit status: 0 stopped, or another keeper
 * serves DIR already; 1 could not start; 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mdev/keeper/keeper.h"
#include "mdev/log/log.h"
#include "scheduler/lease.h"

#define REJOIN_PATIENCE_NS 5000000000ull
#define DESCRIPTORS_LEAST 512u

uint64_t keeper_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int keeper_watch(struct keeper *keeper, int fd, uint64_t data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
	return epoll_ctl(keeper->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void keeper_unwatch(struct keeper *keeper, int fd)
{
	epoll_ctl(keeper->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void keeper_close_watched(struct keeper *keeper, int *fd)
{
	if (*fd < 0)
		return;
	keeper_unwatch(keeper, *fd);
	close(*fd);
	*fd = -1;
}

static bool is_earlier(uint64_t when_ns, uint64_t than_ns)
{
	return when_ns && (!than_ns || when_ns < than_ns);
}

void keeper_arm_timer(struct keeper *keeper)
{
	uint64_t when_ns = keeper->look_at_ns;

	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++)
		if (keeper->slot[index] && is_earlier(keeper->slot[index]->restart_at_ns, when_ns))
			when_ns = keeper->slot[index]->restart_at_ns;
	if (is_earlier(keeper->compiler.end_at_ns, when_ns))
		when_ns = keeper->compiler.end_at_ns;
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(when_ns / 1000000000ull), .tv_nsec = (long)(when_ns % 1000000000ull)}};
	timerfd_settime(keeper->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int make_page(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || fchmod(fd, 0600) || ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	return fd;
}

/* The pages all slots share, where no living device brought them back. */
static int make_shared(struct keeper *keeper)
{
	keeper->vgpu_page_fd = make_page("vgpu-page", VGPU_PAGE_BYTES);
	keeper->grant_fd = make_page("vgpu-lease-grant", LEASE_GRANT_BYTES);
	keeper->want_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (keeper->vgpu_page_fd < 0 || keeper->grant_fd < 0 || keeper->want_fd < 0)
		return -ENOMEM;
	struct lease_grant *grant = mmap(NULL, LEASE_GRANT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, keeper->grant_fd, 0);
	if (grant == MAP_FAILED)
		return -errno;
	grant->version = LEASE_VERSION;
	grant->magic = LEASE_MAGIC;
	munmap(grant, LEASE_GRANT_BYTES);
	return 0;
}

int keeper_open(struct keeper *keeper)
{
	bool fresh = keeper->vgpu_page_fd < 0;
	int error = fresh ? make_shared(keeper) : 0;

	if (!error) {
		keeper->page = mmap(NULL, VGPU_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, keeper->vgpu_page_fd, 0);
		if (keeper->page == MAP_FAILED) {
			keeper->page = NULL;
			error = -errno;
		}
	}
	if (!error && fresh) {
		keeper->page->version = VGPU_PAGE_VERSION;
		atomic_store(&keeper->page->vram_limit_bytes, keeper->config.vram_bytes);
		keeper->page->magic = VGPU_PAGE_MAGIC;
	}
	if (!error) {
		/* A slot that ended with its keeper's death left its entry behind. */
		for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++)
			if (!keeper->slot[index])
				memset(&keeper->page->slot[index], 0, sizeof(keeper->page->slot[index]));
		engine_kill_orphans(keeper);
		compiler_kill_orphan(keeper);
		error = doors_open_clients(keeper);
	}
	if (error) {
		log_error("cannot open vGPU %s: %s", keeper->config.name, strerror(-error));
		return error;
	}
	keeper->open = true;
	manager_opened(keeper);
	log_info("serves vGPU %s (%s, %llu MiB) in %s%s", keeper->config.name, keeper->config.uuid,
		 (unsigned long long)(keeper->config.vram_bytes >> 20), keeper->dir, fresh ? "" : ", taken over");
	return 0;
}

static void handle(struct keeper *keeper, uint64_t data)
{
	enum keeper_event kind = (enum keeper_event)(data >> 32);
	uint32_t index = (uint32_t)(data >> 16) & 0xffff, low = (uint32_t)data & 0xffff;
	struct slot *slot = index < KEEPER_SLOT_MAX ? keeper->slot[index] : NULL;
	uint64_t count;

	switch (kind) {
	case EVENT_DOOR_VM:
		doors_accept_vm(keeper);
		break;
	case EVENT_DOOR_DIRECT:
		doors_accept_direct(keeper);
		break;
	case EVENT_DOOR_PEERS:
		doors_accept_peer(keeper);
		break;
	case EVENT_PEER:
		if (low < KEEPER_PEERS_MAX && keeper->peer[low] >= 0)
			peer_message(keeper, low);
		break;
	case EVENT_MANAGER:
		if (keeper->manager >= 0)
			manager_message(keeper);
		break;
	case EVENT_DEVICE:
		if (slot)
			slot_device_message(keeper, slot);
		break;
	case EVENT_DEVICE_EXIT:
		if (slot && slot->device_pidfd >= 0)
			slot_device_exited(keeper, slot);
		break;
	case EVENT_ENGINE_EXIT:
		if (slot && low < KEEPER_CONTEXT_MAX)
			engine_exited(keeper, slot, low);
		break;
	case EVENT_COMPILER_EXIT:
		compiler_exited(keeper);
		break;
	case EVENT_TIMER:
		if (read(keeper->timer_fd, &count, sizeof(count)) != sizeof(count))
			break;
		keeper->look_at_ns = 0;
		restart_due(keeper);
		compiler_look(keeper);
		peer_open_when_ready(keeper);
		keeper_arm_timer(keeper);
		break;
	case EVENT_SIGNAL:
		keeper->stopping = true;
		break;
	}
	if (!keeper->open)
		peer_open_when_ready(keeper);
}

static bool anything_lives(const struct keeper *keeper)
{
	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++)
		if (keeper->slot[index])
			return true;
	return false;
}

static void run(struct keeper *keeper)
{
	struct epoll_event event;
	bool ended = false;

	while (!keeper->stopping || anything_lives(keeper)) {
		if (keeper->stopping && !ended) {
			ended = true;
			doors_close(keeper);
			for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++)
				if (keeper->slot[index])
					slot_end(keeper, keeper->slot[index]);
			continue;
		}
		/* One at a time: handling an event may close what another, fetched with it, would be about. */
		if (epoll_wait(keeper->epoll_fd, &event, 1, -1) == 1)
			handle(keeper, event.data.u64);
	}
	program_forget(keeper);
	doors_close(keeper);
	compiler_finish(keeper);
}

/*
 * The same for a keeper that vgpud started and one that a device did, which has these already: what it starts
 * must not depend on who started it. Engines need no privilege that a program could give them by being executed.
 */
static void set_limits(void)
{
	struct rlimit core = {0, 0}, files;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_warning("no_new_privs is not available: %s", strerror(errno));
	setrlimit(RLIMIT_CORE, &core);	/* it would hold what guests hold */
	/* Every descriptor of every slot is here. */
	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < DESCRIPTORS_LEAST)
		log_warning("this process may have %llu descriptors only, %u are needed for one connection and its engines: raise the "
			    "hard limit of vgpud (LimitNOFILE=)", (unsigned long long)files.rlim_max, DESCRIPTORS_LEAST);
}

static int take_lock(struct keeper *keeper)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/keeper.lock", keeper->dir);
	keeper->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (keeper->lock_fd < 0)
		return -errno;
	return flock(keeper->lock_fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

static int start(struct keeper *keeper)
{
	char why[256];
	sigset_t signals;
	int error = keeper_config_load(keeper->dir, &keeper->config, why);

	if (error) {
		log_error("%s", why);
		return error;
	}
	log_init("vgpu-keeper", keeper->config.name);
	program_load(keeper);
	set_limits();
	doors_reserve(keeper);
	keeper->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	keeper->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (keeper->epoll_fd < 0 || keeper->timer_fd < 0 || signal_fd < 0)
		return -errno;
	keeper_watch(keeper, signal_fd, KEEPER_EVENT_DATA(EVENT_SIGNAL, 0, 0));
	keeper_watch(keeper, keeper->timer_fd, KEEPER_EVENT_DATA(EVENT_TIMER, 0, 0));
	/* What device processes of ours leave behind is ours to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (peer_expect_devices(keeper))
		keeper->open_at_ns = keeper_now_ns() + REJOIN_PATIENCE_NS;
	error = doors_open_peers(keeper);
	if (!error)
		peer_open_when_ready(keeper);
	return error;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int option, error;

	log_init("vgpu-keeper", NULL);
	if (!keeper)
		return 1;
	keeper->manager = keeper->vm_door = keeper->direct_door = keeper->peer_door = -1;
	keeper->vgpu_page_fd = keeper->grant_fd = keeper->want_fd = keeper->lock_fd = keeper->reserve_fd = -1;
	keeper->compiler = (struct keeper_compiler){.cache_fd = -1, .pidfd = -1, .socket = -1};
	for (unsigned i = 0; i < KEEPER_PEERS_MAX; i++)
		keeper->peer[i] = -1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd') {
			keeper->dir = optarg;
		} else if (option == 'V') {
			puts("vgpu-keeper " VGPU_VERSION);
			return 0;
		} else {
			return 2;
		}
	}
	if (!keeper->dir || keeper->dir[0] != '/' || optind != argc) {
		log_error("usage: vgpu-keeper --dir DIR, the absolute path of a vGPU's runtime folder");
		return 2;
	}
	setsid();	/* not killed with the terminal or the process group of who started it; fails if it leads one already */
	error = take_lock(keeper);
	bool served_already = error == -EWOULDBLOCK;
	if (!error)
		error = start(keeper);
	if (!error)
		run(keeper);
	else if (!served_already)
		log_error("cannot serve %s: %s", keeper->dir, strerror(-error));
	keeper_config_finish(&keeper->config);
	free(keeper->former_device_program);
	free(keeper);
	return error && !served_already;
}
