/* SPDX-License-Identifier: MIT */
/*
 * A keeper for the service's tests: speaks mdev/keeper/keeper_protocol.h to vgpud, and starts one process (itself, asleep) as its "device",
 * noted in slot-0.pid, which is found again by the next keeper as a real device would rejoin. No vfio-user, no engines.
 *
 *   fake_keeper --dir DIR
 *
 * A file DIR/../../fail-start makes it exit at once, for tests of a keeper that does not stay up; DIR/connected makes it tell of one connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper_protocol.h"
#include "scheduler/lease.h"

static int page(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		exit(1);
	return fd;
}

static int listen_at(const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	unlink(name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 8))
		exit(1);
	return fd;
}

static unsigned long long start_time(int pid)
{
	char path[64], text[1024], *at;
	unsigned long long ticks = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (file && fgets(text, sizeof(text), file) && (at = strrchr(text, ')')))
		sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks);
	if (file)
		fclose(file);
	return ticks;
}

/* The device that a keeper before this one left, or a new one. */
static int device(void)
{
	int pid = 0;
	unsigned long long ticks = 0;
	FILE *file = fopen("slot-0.pid", "re");

	if (file) {
		if (fscanf(file, "%d %llu", &pid, &ticks) != 2 || start_time(pid) != ticks)
			pid = 0;
		fclose(file);
	}
	if (pid)
		return pid;
	pid = fork();
	if (!pid) {
		for (;;)
			pause();
	}
	file = fopen("slot-0.pid", "we");
	if (!file)
		exit(1);
	fprintf(file, "%d %llu\n", pid, start_time(pid));
	fclose(file);
	return pid;
}

static void tell(int socket, struct keeper_message message, const char *text, const int *fds, unsigned fd_count)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX];
	} out = {.message = message};

	out.message.bytes = (uint32_t)strlen(text);
	memcpy(out.text, text, strlen(text));
	seqpacket_send(socket, &out, sizeof(out.message) + strlen(text), fds, fd_count);
}

int main(int argc, char **argv)
{
	int device_pid, manager = -1, pages[3];
	struct pollfd polls[2];

	if (argc != 3 || strcmp(argv[1], "--dir") || chdir(argv[2]) || !access("../../fail-start", F_OK))
		return 1;
	int lock = open("keeper.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) || access("config.json", R_OK) || access("capset", R_OK))
		return 1;
	signal(SIGCHLD, SIG_IGN);
	device_pid = device();
	pages[0] = page("vgpu-page", VGPU_PAGE_BYTES);
	pages[1] = page("grant", LEASE_GRANT_BYTES);
	pages[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct vgpu_page *vgpu = mmap(NULL, VGPU_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, pages[0], 0);
	struct lease_grant *grant = mmap(NULL, LEASE_GRANT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, pages[1], 0);
	vgpu->magic = VGPU_PAGE_MAGIC;
	vgpu->version = VGPU_PAGE_VERSION;
	vgpu->slot[0].charged_bytes = 12345;
	vgpu->slot[3].contexts = 2;
	grant->magic = LEASE_MAGIC;
	grant->version = LEASE_VERSION;
	listen_at("vfio-user.sock", SOCK_STREAM);
	listen_at("direct.sock", SOCK_STREAM);
	polls[0] = (struct pollfd){.fd = listen_at("keeper.sock", SOCK_SEQPACKET), .events = POLLIN};
	for (;;) {
		polls[1] = (struct pollfd){.fd = manager, .events = POLLIN};
		if (poll(polls, 2, -1) < 0)
			return 1;
		if (polls[0].revents) {
			if (manager >= 0)
				close(manager);
			manager = accept4(polls[0].fd, NULL, NULL, SOCK_CLOEXEC);
			continue;
		}
		struct {
			struct keeper_message message;
			char text[KEEPER_TEXT_MAX + 1];
		} in;
		int fds[SEQPACKET_FDS_MAX];
		unsigned fd_count;
		ssize_t got = seqpacket_receive(manager, &in, sizeof(in) - 1, false, fds, &fd_count);
		if (got < (ssize_t)sizeof(in.message)) {
			close(manager);
			manager = -1;
			continue;
		}
		((char *)&in)[got] = '\0';
		switch (in.message.op) {
		case KEEPER_MANAGE:
			tell(manager, (struct keeper_message){.op = KEEPER_IS, .value = getpid(), .tag_count = 1,
							      .tags = {KEEPER_TAG(KEEPER_FD_VGPU_PAGE, 0)}}, "", pages, 1);
			tell(manager, (struct keeper_message){.op = KEEPER_LEASE, .tag_count = 2,
							      .tags = {KEEPER_TAG(KEEPER_FD_GRANT, 0), KEEPER_TAG(KEEPER_FD_WANT, 0)}},
			     "", pages + 1, 2);
			if (!access("connected", F_OK))
				tell(manager, (struct keeper_message){.op = KEEPER_SLOT, .value = 1}, "pid 1 uid 0", NULL, 0);
			tell(manager, (struct keeper_message){.op = KEEPER_MANAGED}, "", NULL, 0);
			break;
		case KEEPER_REPLACE_DEVICE:
			vgpu->strikes++;
			tell(manager, (struct keeper_message){.op = KEEPER_EVENT, .value = (int64_t)vgpu->strikes}, in.text, NULL, 0);
			break;
		case KEEPER_STOP:
			kill(device_pid, SIGKILL);
			return 0;
		}
	}
}
