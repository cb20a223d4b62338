/* SPDX-License-Identifier: MIT */
/*
 * A device process for the keeper's tests: it does what the keeper protocol asks of a device and obeys one-letter
 * commands that the test writes into the vfio-user connection, answering each with one line.
 *
 *   p  pid            c  number of descriptors held   s  state byte 0, then adds one to it
 *   e  start engine 3 k  kill engine 3 (answers when it is dead)       r  strike
 *   x  exit at once   f  finish                          d  exit as if the state page were damaged
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper_protocol.h"

struct device {
	const char *dir;
	uint32_t slot;
	int keeper;
	unsigned count;
	uint32_t tag[128];
	int fd[128];
	int64_t engine_pid;
};

static int fd_of(const struct device *device, uint32_t tag)
{
	for (unsigned i = 0; i < device->count; i++)
		if (device->tag[i] == tag)
			return device->fd[i];
	return -1;
}

static void say(const struct device *device, uint32_t op, uint32_t context, const char *text)
{
	struct {
		struct keeper_message message;
		char text[64];
	} out = {.message = {.op = op, .slot = device->slot, .context = context, .bytes = (uint32_t)strlen(text)}};

	strcpy(out.text, text);
	seqpacket_send(device->keeper, &out, sizeof(out.message) + strlen(text), NULL, 0);
}

/* Returns the op, 0 at the end. */
static uint32_t hear(struct device *device, struct keeper_message *ret_message)
{
	int fds[SEQPACKET_FDS_MAX];
	unsigned count;
	ssize_t got = seqpacket_receive(device->keeper, ret_message, sizeof(*ret_message), false, fds, &count);

	if (got <= 0)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (fd_of(device, ret_message->tags[i]) >= 0 || device->count == 128) {
			close(fds[i]);
			continue;
		}
		device->tag[device->count] = ret_message->tags[i];
		device->fd[device->count++] = fds[i];
	}
	if (ret_message->op == KEEPER_ENGINE_STARTED)
		device->engine_pid = ret_message->value;
	return ret_message->op;
}

static void rejoin(struct device *device)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct keeper_message message = {.op = KEEPER_REJOIN, .slot = device->slot, .value = getpid()};

	close(device->keeper);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/keeper.sock", device->dir);
	for (;;) {
		device->keeper = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (!connect(device->keeper, (struct sockaddr *)&address, sizeof(address)))
			break;
		close(device->keeper);
		usleep(10000);
	}
	seqpacket_send(device->keeper, &message, sizeof(message), NULL, 0);
	for (unsigned i = 0; i < device->count; i++) {
		message = (struct keeper_message){.op = KEEPER_STORE, .slot = device->slot, .tag_count = 1};
		message.tags[0] = device->tag[i];
		seqpacket_send(device->keeper, &message, sizeof(message), &device->fd[i], 1);
	}
	if (device->engine_pid) {
		message = (struct keeper_message){
			.op = KEEPER_ENGINE_IS, .slot = device->slot, .context = 3, .value = device->engine_pid};
		seqpacket_send(device->keeper, &message, sizeof(message), NULL, 0);
	}
	say(device, KEEPER_REJOINED, 0, "");
}

static void obey(struct device *device, int connection, unsigned char *state)
{
	struct keeper_message message;
	char command, answer[64];

	if (read(connection, &command, 1) != 1) {
		say(device, KEEPER_FINISHED, 0, "");
		exit(0);
	}
	switch (command) {
	case 'p':
		snprintf(answer, sizeof(answer), "%d\n", (int)getpid());
		break;
	case 'c':
		snprintf(answer, sizeof(answer), "%u\n", device->count);
		break;
	case 's':
		snprintf(answer, sizeof(answer), "%u\n", (*state)++);
		break;
	case 'e':
		say(device, KEEPER_ENGINE_START, 3, "");
		while (hear(device, &message) && message.op != KEEPER_ENGINE_STARTED && message.op != KEEPER_ENGINE_DIED)
			;
		snprintf(answer, sizeof(answer), "%u %d\n", message.op, (int)message.value);
		break;
	case 'k':
		say(device, KEEPER_ENGINE_KILL, 3, "");
		while (hear(device, &message) && message.op != KEEPER_ENGINE_DIED)
			;
		snprintf(answer, sizeof(answer), "%u %d\n", message.op, (int)message.value);
		break;
	case 'r':
		say(device, KEEPER_STRIKE, 0, "touched what it may not");
		snprintf(answer, sizeof(answer), "ok\n");
		break;
	case 'f':
		say(device, KEEPER_FINISHED, 0, "");
		exit(0);
	case 'd':
		_exit(DEVICE_EXIT_STATE_DAMAGED);
	default:
		_exit(9);
	}
	if (write(connection, answer, strlen(answer)) < 0)
		_exit(8);
}

int main(int argc, char **argv)
{
	struct device device = {.keeper = 3};
	struct keeper_message message;

	if (argc != 5)
		return 2;
	device.dir = argv[2];
	device.slot = (uint32_t)atoi(argv[4]);
	while (hear(&device, &message) && message.op != KEEPER_GIVEN)
		;
	int connection = fd_of(&device, KEEPER_TAG(KEEPER_FD_CONNECTION, 0));
	unsigned char *state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
				    fd_of(&device, KEEPER_TAG(KEEPER_FD_STATE, 0)), 0);
	if (connection < 0 || state == MAP_FAILED)
		return 7;
	for (;;) {
		struct pollfd fds[2] = {{.fd = connection, .events = POLLIN}, {.fd = device.keeper, .events = POLLIN}};
		poll(fds, 2, -1);
		if (fds[1].revents && !hear(&device, &message))
			rejoin(&device);
		if (fds[0].revents)
			obey(&device, connection, state);
	}
}
