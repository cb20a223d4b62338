/* SPDX-License-Identifier: MIT */
/* The three sockets a keeper listens on: QEMU's, direct clients', and its peers' (vgpud, devices that rejoin). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mdev/keeper/keeper.h"
#include "mdev/log/log.h"

static int listen_at(struct keeper *keeper, const char *name, int type, mode_t mode, uint64_t event)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", keeper->dir, name) >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);	/* a former keeper's; the lock says it is gone */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(address.sun_path, mode) || listen(fd, 16)) {
		error = -errno;
		log_error("cannot listen on %s: %s", address.sun_path, strerror(-error));
		close(fd);
		return error;
	}
	keeper_watch(keeper, fd, event);
	return fd;
}

int doors_open_peers(struct keeper *keeper)
{
	keeper->peer_door = listen_at(keeper, "keeper.sock", SOCK_SEQPACKET, 0600, KEEPER_EVENT_DATA(EVENT_DOOR_PEERS, 0, 0));
	return keeper->peer_door < 0 ? keeper->peer_door : 0;
}

int doors_open_clients(struct keeper *keeper)
{
	keeper->vm_door = listen_at(keeper, "vfio-user.sock", SOCK_STREAM, 0660, KEEPER_EVENT_DATA(EVENT_DOOR_VM, 0, 0));
	if (keeper->vm_door < 0)
		return keeper->vm_door;
	keeper->direct_door = listen_at(keeper, "direct.sock", SOCK_STREAM, 0660, KEEPER_EVENT_DATA(EVENT_DOOR_DIRECT, 0, 0));
	return keeper->direct_door < 0 ? keeper->direct_door : 0;
}

void doors_close(struct keeper *keeper)
{
	static const char *const names[] = {"vfio-user.sock", "direct.sock", "keeper.sock"};
	int *const doors[] = {&keeper->vm_door, &keeper->direct_door, &keeper->peer_door};
	char path[4096];

	for (unsigned i = 0; i < 3; i++) {
		if (*doors[i] < 0)
			continue;
		keeper_close_watched(keeper, doors[i]);
		snprintf(path, sizeof(path), "%s/%s", keeper->dir, names[i]);
		unlink(path);
	}
}

void doors_reserve(struct keeper *keeper)
{
	if (keeper->reserve_fd < 0)
		keeper->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/*
 * Without a free descriptor a client in the backlog can be neither taken nor refused, and its door would be
 * ready for ever: the one in reserve takes it for as long as it takes to close it.
 */
static void turn_away(struct keeper *keeper, int door)
{
	uint64_t now_ns = keeper_now_ns();

	if (now_ns - keeper->exhausted_said_ns > 1000000000ull) {
		log_error("clients of vGPU %s are turned away: no descriptor is left; end connections, or raise the hard limit of vgpud "
			  "(LimitNOFILE=)", keeper->config.name);
		keeper->exhausted_said_ns = now_ns;
	}
	if (keeper->reserve_fd >= 0)
		close(keeper->reserve_fd);
	keeper->reserve_fd = -1;
	int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno != EAGAIN)
		poll(NULL, 0, 10);	/* the whole system is out of them: not in a tight loop */
	doors_reserve(keeper);
}

static int accept_one(struct keeper *keeper, int door)
{
	int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
		turn_away(keeper, door);
	return fd;
}

static int accept_from(struct keeper *keeper, int door, char peer[64])
{
	struct ucred credentials = {0};
	socklen_t bytes = sizeof(credentials);
	int fd = accept_one(keeper, door);

	if (fd < 0)
		return -1;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes);
	snprintf(peer, 64, "pid %d uid %u", (int)credentials.pid, credentials.uid);
	return fd;
}

void doors_accept_vm(struct keeper *keeper)
{
	char peer[64];
	int fd = accept_from(keeper, keeper->vm_door, peer);

	if (fd < 0)
		return;
	if (keeper->slot[0]) {
		log_warning("%s wants to connect to vfio-user.sock of vGPU %s, but a VM uses it (slot 0): stop that VM first, "
			    "or create another vGPU", peer, keeper->config.name);
		close(fd);
		return;
	}
	slot_open(keeper, 0, fd, peer);
}

void doors_accept_direct(struct keeper *keeper)
{
	char peer[64];
	int fd = accept_from(keeper, keeper->direct_door, peer);

	if (fd < 0)
		return;
	for (uint32_t index = 1; index <= keeper->config.max_direct_clients && index < KEEPER_SLOT_MAX; index++) {
		if (keeper->slot[index])
			continue;
		slot_open(keeper, index, fd, peer);
		return;
	}
	log_warning("%s wants to connect to direct.sock of vGPU %s, but its %u direct clients are all in use: end one, or raise "
		    "the profile's number", peer, keeper->config.name, keeper->config.max_direct_clients);
	close(fd);
}

void doors_accept_peer(struct keeper *keeper)
{
	struct ucred credentials = {.uid = (uid_t)-1};
	socklen_t bytes = sizeof(credentials);
	int fd = accept_one(keeper, keeper->peer_door);

	if (fd < 0)
		return;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes);
	if (credentials.uid != geteuid() && credentials.uid != 0) {
		log_warning("uid %u may not speak to this keeper", credentials.uid);
		close(fd);
		return;
	}
	for (unsigned i = 0; i < KEEPER_PEERS_MAX; i++) {
		if (keeper->peer[i] >= 0)
			continue;
		keeper->peer[i] = fd;
		keeper_watch(keeper, fd, KEEPER_EVENT_DATA(EVENT_PEER, 0, i));
		return;
	}
	log_warning("too many peers that have not said who they are");
	close(fd);
}
