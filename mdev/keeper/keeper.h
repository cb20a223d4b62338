/* SPDX-License-Identifier: MIT */
/*
 * A keeper's whole state: one vGPU, its slots, their engines, and who manages it.
 *
 * Theory of operation. One thread, one epoll loop (main.c). Everything it owns is a descriptor: vfio-user
 * connections, memory, pipes, eventfds, pidfds. It interprets none of them; it hands them to a device process
 * (slot.c), starts engines for that (engine.c), tells vgpud (manager.c), and starts again whatever dies. A keeper
 * that starts anew first lets living device processes give it back what its predecessor held (peer.c), and only then
 * opens its doors (doors.c).
 *
 * It trusts its peers (the host service's own processes), and no guest byte comes here.
 */
#ifndef VGPU_MDEV_KEEPER_KEEPER_H
#define VGPU_MDEV_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mdev/keeper/config.h"
#include "mdev/keeper/keeper_protocol.h"
#include "mdev/keeper/store.h"

/* What an epoll event is about: data.u64 = kind << 32 | slot << 16 | context. */
enum keeper_event {
	EVENT_DOOR_VM = 1,
	EVENT_DOOR_DIRECT,
	EVENT_DOOR_PEERS,
	EVENT_PEER,		/* low half: index of the peer */
	EVENT_MANAGER,
	EVENT_DEVICE,		/* a device's keeper socket */
	EVENT_DEVICE_EXIT,	/* its pidfd */
	EVENT_ENGINE_EXIT,
	EVENT_COMPILER_EXIT,
	EVENT_TIMER,
	EVENT_SIGNAL,
};
#define KEEPER_EVENT_DATA(kind, slot, context) ((uint64_t)(kind) << 32 | (uint64_t)(slot) << 16 | (uint64_t)(context))

enum engine_life {
	ENGINE_NONE,
	ENGINE_ALIVE,
	ENGINE_DEAD,		/* reaped; the device has not acknowledged it (by dropping its channel) */
};
struct keeper_engine {
	enum engine_life life;
	pid_t pid;
	int pidfd;		/* -1 unless ALIVE */
	int status;		/* with DEAD */
};

/* The vGPU's compile helper (mdev/engine/compile_protocol.h) and what its helpers, one after another, keep. */
struct keeper_compiler {
	int cache_fd;		/* -1: none was needed yet */
	pid_t pid;
	int pidfd;		/* -1: none runs */
	int socket;		/* -1 with a pidfd: it was told to end */
	unsigned failures;	/* in a row, by their exit status */
	uint64_t end_at_ns;	/* no engine lives: when it is to end. 0: not yet known */
};

struct slot {
	uint32_t index;
	struct store store;
	pid_t device_pid;
	int device_pidfd;	/* -1: no device process runs */
	int device_socket;	/* -1 as well, or not rejoined yet */
	uint64_t device_started_ns;
	unsigned quick_deaths;	/* in a row: soon after they were started */
	bool rejoining;		/* its device is giving back what it holds */
	bool finished;		/* the device said so */
	bool ending;		/* we end it: do not start another device */
	unsigned restarts;
	/* While its device process cannot be started for want of something (restart.c); 0 = no such time. */
	uint64_t restart_at_ns, restart_since_ns, restart_pause_ns;
	struct keeper_engine engine[KEEPER_CONTEXT_MAX];
};

#define KEEPER_PEERS_MAX 16
struct keeper {
	const char *dir;
	struct keeper_config config;
	char *former_device_program;	/* before the last REPLACE_DEVICE; to fall back to */
	int epoll_fd;
	int lock_fd;
	int timer_fd;
	int vm_door, direct_door, peer_door;
	int reserve_fd;			/* given up for a moment to turn a client away when there is no descriptor left */
	uint64_t exhausted_said_ns;
	int vgpu_page_fd;
	struct vgpu_page *page;
	int grant_fd;		/* read-write */
	int want_fd;
	int manager;		/* vgpud's connection, or -1 */
	int peer[KEEPER_PEERS_MAX]; /* connected to keeper.sock and not yet known */
	bool manager_waits;	/* it asked before we were open */
	bool open;		/* the doors are open; before: waiting for devices to rejoin */
	bool stopping;
	bool namespaces_refused_said;
	uint64_t open_at_ns;	/* at the latest */
	uint64_t look_at_ns;	/* whether all have rejoined; 0: never */
	struct keeper_compiler compiler;
	struct slot *slot[KEEPER_SLOT_MAX];
};

uint64_t keeper_now_ns(void);
int keeper_watch(struct keeper *keeper, int fd, uint64_t data);
void keeper_unwatch(struct keeper *keeper, int fd);
/*
 * Ends *fd, which is watched, and makes it -1. Closing alone takes a descriptor out of an epoll set only with its last copy,
 * and copies there are: a child's until it executes its program, a device's after a rejoin. What is left in the set
 * goes on to report, under a slot's number that meanwhile may be another connection's.
 */
void keeper_close_watched(struct keeper *keeper, int *fd);
/* Opens the doors, making the shared pages where no device brought them back. 0 or -errno. */
int keeper_open(struct keeper *keeper);
/* Sets the one timer to the first of look_at_ns, the slots' restart_at_ns and the compile helper's end. */
void keeper_arm_timer(struct keeper *keeper);

/* slot.c */
/* A new connection: makes its memory and starts its device process. Takes connection. 0 or -errno. */
int slot_open(struct keeper *keeper, uint32_t index, int connection, const char *peer);
/*
 * A slot whose device process lives already and will give back what it holds. NULL: that process is dead, or another serves the
 * slot; then the newcomer is killed, as two on one connection would tear it apart.
 */
struct slot *slot_rejoin(struct keeper *keeper, uint32_t index, pid_t device_pid, int socket);
int slot_start_device(struct keeper *keeper, struct slot *slot);
/* Ends the device process so that a new one of the configured program takes over. */
void slot_replace_device(struct keeper *keeper, struct slot *slot);
void slot_device_message(struct keeper *keeper, struct slot *slot);
void slot_device_exited(struct keeper *keeper, struct slot *slot);
/* Kills device and engines; the slot closes when all are dead. */
void slot_end(struct keeper *keeper, struct slot *slot);
/* Frees a slot if nothing of it lives any more. */
void slot_close_if_over(struct keeper *keeper, struct slot *slot);
/* Acts on one message of the device; takes the descriptors. */
void slot_take(struct keeper *keeper, struct slot *slot, const struct keeper_message *message, const char *text,
	       int *fds, unsigned fd_count);

/* restart.c */
/* Another device process for a slot that has none: now, or when the host has room for it. Else the slot ends. former: what
 * became of the last one, for the log. */
void restart_device(struct keeper *keeper, struct slot *slot, const char *former);
/* An attempt came to nothing. */
void restart_failed(struct keeper *keeper, struct slot *slot, int error);
/* Those whose time has come. */
void restart_due(struct keeper *keeper);

/* program.c */
/* Takes up what a former keeper was told to start device processes from. */
void program_load(struct keeper *keeper);
void program_forget(const struct keeper *keeper);
/* -EINVAL: not the absolute path of a program. */
int program_replace(struct keeper *keeper, const char *program);
/* To the program before the last replacement; false if there is none. why completes a sentence about the current one. */
bool program_fall_back(struct keeper *keeper, const char *why);

/* engine.c */
void engine_start(struct keeper *keeper, struct slot *slot, uint32_t context);
void engine_kill(struct keeper *keeper, struct slot *slot, uint32_t context);
void engine_exited(struct keeper *keeper, struct slot *slot, uint32_t context);
void engine_rejoin(struct keeper *keeper, struct slot *slot, uint32_t context, pid_t pid, int pidfd);
/* Kills engines that a former keeper started and nobody claims. */
void engine_kill_orphans(struct keeper *keeper);
/* After a new device process has its descriptors: which engines died that the former one may not know of. */
void engine_tell_device(struct keeper *keeper, struct slot *slot);

/* compiler.c */
/* An engine's connection to the compile helper, which is started if there is none. The caller's; -1 where none can be had: the engine builds by itself. */
int compiler_connect(struct keeper *keeper, const struct slot *slot, uint32_t context);
void compiler_exited(struct keeper *keeper);
/* When engines come and go, and when the timer rings: a helper without engines ends after a while. */
void compiler_look(struct keeper *keeper);
/* Kills that of a former keeper, which has seen that one's end but may not have come to it. */
void compiler_kill_orphan(struct keeper *keeper);
/* Kills it and waits for its end, and forgets what it kept. */
void compiler_finish(struct keeper *keeper);

/* doors.c */
void doors_reserve(struct keeper *keeper);
int doors_open_peers(struct keeper *keeper);
int doors_open_clients(struct keeper *keeper);
void doors_close(struct keeper *keeper);
void doors_accept_vm(struct keeper *keeper);
void doors_accept_direct(struct keeper *keeper);
void doors_accept_peer(struct keeper *keeper);

/* peer.c */
void peer_message(struct keeper *keeper, unsigned index);
/* Opens the doors once every living device has rejoined, or time is up. */
void peer_open_when_ready(struct keeper *keeper);
bool peer_expect_devices(struct keeper *keeper);
/*
 * Are the slot's page and lease those of this keeper? They are not if the slot's device comes back after the doors were opened
 * without it: ledger and lease would be two, so its connection has to end.
 */
bool peer_slot_shares(const struct keeper *keeper, const struct slot *slot);

/* manager.c: all do nothing while no vgpud is connected */
void manager_welcome(struct keeper *keeper, int socket);
void manager_message(struct keeper *keeper);
void manager_opened(struct keeper *keeper);
void manager_engine_started(struct keeper *keeper, const struct slot *slot, uint32_t context);
void manager_engine_gone(struct keeper *keeper, const struct slot *slot, uint32_t context, int status);
void manager_slot(struct keeper *keeper, const struct slot *slot, bool opened, const char *peer);
void manager_event(struct keeper *keeper, uint64_t strikes, const char *text);

#endif
