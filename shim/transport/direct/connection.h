/* SPDX-License-Identifier: MIT */
/*
 * One process's connection to one vGPU: a virtio-gpu brought up over vfio-user, shared by the process's contexts.
 *
 * Connections are found by socket path and counted: the first get connects, the last put disconnects, upon which
 * the service drops everything. Each has one thread, which sleeps until the device interrupts or the service hangs up.
 * When the connection dies, every request under way ends with -ENODEV, every ring says LOST and every wake descriptor becomes
 * readable; a later get makes a new connection beside it. In the child of a fork a connection is dead.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_CONNECTION_H
#define VGPU_SHIM_TRANSPORT_DIRECT_CONNECTION_H

#include "shim/transport/direct/gpu.h"
#include "shim/wire/wire.h"

struct connection;

/* Called once, on the connection's thread, when the connection has died and before its requests end. Must not post or wait. */
struct connection_watcher {
	struct connection_watcher *next, *previous;
	void (*lost)(struct connection_watcher *watcher);
};

/* Finds or makes the connection to the socket at path. timeout_ms: of any one request, 0 for the defaults.
 * 0 or -errno with the sentence. */
int connection_get(const char *path, unsigned timeout_ms, struct connection **ret_connection, char ret_why[256]);
/* Gives it back. In the child of a fork: only forgets it. */
void connection_put(struct connection *connection);
/* Holds it open a second longer than its last put, so that who has looked at the capset finds it when opening a context. */
void connection_keep(struct connection *connection);
/* Ends that: a context holds it from now on. The caller has it from connection_get. */
void connection_unkeep(struct connection *connection);

/* False once it is dead, or belongs to a parent process. */
bool connection_usable(struct connection *connection);
bool connection_in_child(struct connection *connection);

struct gpu *connection_gpu(struct connection *connection);
const struct wire_capset *connection_capset(struct connection *connection);
/* Notifies sent so far, for tests. */
uint64_t connection_notify_count(struct connection *connection);

/* Maps bytes at offset of the shared memory: a mapping of its own, not inherited by children. 0 or -errno. */
int connection_map(struct connection *connection, uint64_t offset, size_t bytes, void **ret_address);

/* Adds a watcher; called at once if the connection has died already. */
void connection_watch(struct connection *connection, struct connection_watcher *watcher);
void connection_unwatch(struct connection *connection, struct connection_watcher *watcher);

#endif
