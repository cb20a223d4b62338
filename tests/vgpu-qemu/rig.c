/* SPDX-License-Identifier: MIT */
#include "tests/vgpu-qemu/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper_protocol.h"
#include "vgpu-qemu/vfio_user/protocol.h"

#define PATIENCE_US 5000000u

uint64_t rig_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- the keeper --------------------------------------------------------------------------------------- */

static void store(struct rig *rig, uint32_t tag, int fd)
{
	for (unsigned i = 0; i < rig->store_count; i++)
		if (rig->store[i].tag == tag) {
			close(rig->store[i].fd);
			rig->store[i].fd = fd;
			return;
		}
	assert_true(rig->store_count < RIG_STORE_MAX);
	rig->store[rig->store_count].tag = tag;
	rig->store[rig->store_count++].fd = fd;
}

static void drop(struct rig *rig, uint32_t tag)
{
	for (unsigned i = 0; i < rig->store_count; i++)
		if (rig->store[i].tag == tag) {
			close(rig->store[i].fd);
			rig->store[i] = rig->store[--rig->store_count];
			return;
		}
}

int rig_stored(const struct rig *rig, uint32_t tag)
{
	for (unsigned i = 0; i < rig->store_count; i++)
		if (rig->store[i].tag == tag)
			return rig->store[i].fd;
	return -1;
}

static int memory_file(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	if (bytes)
		assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

void rig_use_program(struct rig *rig, const char *name)
{
	char self[256];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	assert_true(length > 0);
	self[length] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(self, '/');
		assert_non_null(slash);
		*slash = '\0';
	}
	snprintf(rig->program, sizeof(rig->program), "%s/test-programs/%s", self, name);
}

static void write_config(const struct rig *rig)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/config.json", rig->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"schema\":1,\"name\":\"rig\",\"max_contexts\":4,\"slack_bytes\":1048576}\n");
	assert_int_equal(fclose(file), 0);
}

struct rig *rig_create(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int pair[2], pipe_ends[2];
	struct vgpu_page page = {.magic = VGPU_PAGE_MAGIC, .version = VGPU_PAGE_VERSION};
	int page_fd;

	assert_non_null(rig);
	rig->keeper = -1;
	rig->exit_status = -1;
	rig->next_id = 1;
	snprintf(rig->dir, sizeof(rig->dir), "/tmp/vgpu-rig-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	write_config(rig);
	rig_use_program(rig, "vgpu-device-fake");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	rig->client = pair[0];
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	rig->ram_fd = memory_file("ram", RIG_RAM_BYTES);
	rig->ram = mmap(NULL, RIG_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, rig->ram_fd, 0);
	assert_true(rig->ram != MAP_FAILED);
	page_fd = memory_file("vgpu", VGPU_PAGE_BYTES);
	assert_true(pwrite(page_fd, &page, sizeof(page), 0) == (ssize_t)sizeof(page));
	store(rig, KEEPER_TAG(KEEPER_FD_CONNECTION, 0), pair[1]);
	store(rig, KEEPER_TAG(KEEPER_FD_STATE, 0), memory_file("state", 0));
	store(rig, KEEPER_TAG(KEEPER_FD_APERTURE, 0), memory_file("aperture", RIG_APERTURE_BYTES));
	store(rig, KEEPER_TAG(KEEPER_FD_REPLY_READ, 0), pipe_ends[0]);
	store(rig, KEEPER_TAG(KEEPER_FD_REPLY_WRITE, 0), pipe_ends[1]);
	store(rig, KEEPER_TAG(KEEPER_FD_VGPU_PAGE, 0), page_fd);
	store(rig, KEEPER_TAG(KEEPER_FD_CAPSET, 0), memory_file("capset", 168));
	return rig;
}

void rig_start(struct rig *rig)
{
	struct keeper_message message = {.op = KEEPER_HELLO, .value = rig->store_count};
	const char *kill_at = rig->kill_starts ? rig->kill_at : NULL;
	int pair[2];

	assert_int_equal(seqpacket_pair(pair), 0);
	if (rig->kill_starts)
		rig->kill_starts--;
	rig->starts++;
	rig->device = fork();
	assert_true(rig->device >= 0);
	if (!rig->device) {
		char *arguments[] = {rig->program, (char *)"--dir", rig->dir, (char *)"--slot", (char *)"0", NULL};

		if (kill_at)
			setenv("VGPU_TEST_KILL", kill_at, 1);
		if (!getenv("VGPU_LOG"))
			setenv("VGPU_LOG", "error", 1);
		/* dup2 onto itself would keep CLOEXEC. */
		int far = fcntl(pair[1], F_DUPFD, 100);
		dup2(far, 3);
		close(far);
		execv(rig->program, arguments);
		_exit(126);
	}
	close(pair[1]);
	rig->keeper = pair[0];
	assert_int_equal(seqpacket_send(rig->keeper, &message, sizeof(message), NULL, 0), 0);
	for (unsigned i = 0; i < rig->store_count; i++) {
		message = (struct keeper_message){.op = KEEPER_GIVE, .tag_count = 1, .tags = {rig->store[i].tag}};
		/* A device that dies at once leaves the rest unsent; it is started again. */
		if (seqpacket_send(rig->keeper, &message, sizeof(message), &rig->store[i].fd, 1))
			return;
	}
	message = (struct keeper_message){.op = KEEPER_GIVEN};
	seqpacket_send(rig->keeper, &message, sizeof(message), NULL, 0);
}

/* Reads what the device has said. */
static void drain(struct rig *rig)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX];
	} in;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;

	for (;;) {
		struct pollfd p = {.fd = rig->keeper, .events = POLLIN};
		if (rig->keeper < 0 || poll(&p, 1, 0) != 1)
			return;
		if (seqpacket_receive(rig->keeper, &in, sizeof(in), false, fds, &fd_count) <= 0)
			return;
		switch (in.message.op) {
		case KEEPER_STORE:
			assert_int_equal(in.message.tag_count, fd_count);
			for (unsigned i = 0; i < fd_count; i++)
				store(rig, in.message.tags[i], fds[i]);
			break;
		case KEEPER_DROP:
			for (unsigned i = 0; i < in.message.tag_count; i++)
				drop(rig, in.message.tags[i]);
			break;
		case KEEPER_STRIKE:
			rig->strikes++;
			break;
		case KEEPER_FINISHED:
			rig->finished = true;
			break;
		default:
			fail_msg("the device said %u", in.message.op);
		}
	}
}

void rig_pump(struct rig *rig)
{
	int status;

	drain(rig);
	if (!rig->device || waitpid(rig->device, &status, WNOHANG) != rig->device)
		return;
	drain(rig);
	if (rig->keeper >= 0)
		close(rig->keeper);
	rig->keeper = -1;
	rig->device = 0;
	if (WIFEXITED(status)) {
		rig->exit_status = WEXITSTATUS(status);
		return;
	}
	assert_int_equal(WTERMSIG(status), SIGKILL);
	rig_start(rig);
}

void rig_kill(struct rig *rig)
{
	int status;

	if (rig->device) {
		kill(rig->device, SIGKILL);
		waitpid(rig->device, &status, 0);
		drain(rig);
		close(rig->keeper);
	}
	rig_start(rig);
}

bool rig_wait_exit(struct rig *rig)
{
	uint64_t until_us = rig_now_us() + PATIENCE_US;

	while (rig->device && rig_now_us() < until_us) {
		rig_pump(rig);
		usleep(500);
	}
	return !rig->device;
}

void rig_destroy(struct rig *rig)
{
	char path[128];

	if (rig->device) {
		kill(rig->device, SIGKILL);
		waitpid(rig->device, NULL, 0);
	}
	for (unsigned i = 0; i < rig->store_count; i++)
		close(rig->store[i].fd);
	if (rig->client >= 0)
		close(rig->client);
	if (rig->keeper >= 0)
		close(rig->keeper);
	munmap(rig->ram, RIG_RAM_BYTES);
	close(rig->ram_fd);
	snprintf(path, sizeof(path), "%s/config.json", rig->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/keeper.sock", rig->dir);
	unlink(path);
	rmdir(rig->dir);
	free(rig);
}

/* ---- the client ----------------------------------------------------------------------------------------- */

void rig_send(struct rig *rig, uint16_t command, uint32_t flags, const void *payload, uint32_t bytes, const int *fds,
	      unsigned fd_count)
{
	struct vfio_user_header header = {rig->next_id++, command, (uint32_t)sizeof(header) + bytes, flags, 0};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)payload, bytes}};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = bytes ? 2 : 1};

	if (fd_count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	assert_int_equal(sendmsg(rig->client, &message, MSG_NOSIGNAL), sizeof(header) + bytes);
}

/* Reads bytes of one reply, pumping meanwhile. */
static bool read_exactly(struct rig *rig, void *buffer, size_t bytes, int *ret_fd)
{
	uint64_t until_us = rig_now_us() + PATIENCE_US;
	size_t have = 0;

	while (have < bytes) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = {(uint8_t *)buffer + have, bytes - have};
		struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
					 .msg_controllen = sizeof(control)};
		struct pollfd p = {.fd = rig->client, .events = POLLIN};

		rig_pump(rig);
		if (rig_now_us() >= until_us)
			return false;
		if (poll(&p, 1, 1) != 1)
			continue;
		ssize_t got = recvmsg(rig->client, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got <= 0)
			return false;
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		if (c && c->cmsg_type == SCM_RIGHTS)
			memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
		have += (size_t)got;
	}
	return true;
}

bool rig_receive(struct rig *rig, uint16_t id, struct rig_reply *ret_reply)
{
	struct vfio_user_header header;
	int fd = -1;

	if (!read_exactly(rig, &header, sizeof(header), &fd))
		return false;
	assert_int_equal(header.message_id, id);
	assert_int_equal(header.flags & VFIO_USER_FLAGS_TYPE, VFIO_USER_FLAGS_REPLY);
	assert_in_range(header.message_size, sizeof(header), sizeof(header) + sizeof(ret_reply->payload));
	ret_reply->error = header.flags & VFIO_USER_FLAGS_ERROR ? header.error : 0;
	ret_reply->bytes = header.message_size - (uint32_t)sizeof(header);
	if (!read_exactly(rig, ret_reply->payload, ret_reply->bytes, &fd))
		return false;
	ret_reply->fd = fd;
	return true;
}

bool rig_request(struct rig *rig, uint16_t command, const void *payload, uint32_t bytes, const int *fds, unsigned fd_count,
		 struct rig_reply *ret_reply)
{
	uint16_t id = rig->next_id;

	rig_send(rig, command, VFIO_USER_FLAGS_COMMAND, payload, bytes, fds, fd_count);
	return rig_receive(rig, id, ret_reply);
}

bool rig_quiet(struct rig *rig)
{
	for (int i = 0; i < 20; i++) {
		struct pollfd p = {.fd = rig->client, .events = POLLIN};

		rig_pump(rig);
		if (poll(&p, 1, 1))
			return false;
	}
	return true;
}

void rig_version(struct rig *rig)
{
	const char text[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":16}}";
	struct rig_reply reply;

	assert_true(rig_request(rig, VFIO_USER_VERSION, text, sizeof(text), NULL, 0, &reply));
	assert_int_equal(reply.error, 0);
	assert_true(reply.bytes > 4);
}

void rig_map_ram(struct rig *rig)
{
	struct vfio_user_dma_map map = {sizeof(map), 3, 0, RIG_RAM_ADDRESS, RIG_RAM_BYTES};
	struct rig_reply reply;

	assert_true(rig_request(rig, VFIO_USER_DMA_MAP, &map, sizeof(map), &rig->ram_fd, 1, &reply));
	assert_int_equal(reply.error, 0);
}

void rig_write(struct rig *rig, uint32_t region, uint64_t offset, uint64_t value, uint32_t bytes)
{
	struct {
		struct vfio_user_region_access access;
		uint64_t value;
	} request = {{offset, region, bytes}, value};
	struct rig_reply reply;

	assert_true(rig_request(rig, VFIO_USER_REGION_WRITE, &request, (uint32_t)sizeof(request.access) + bytes, NULL, 0, &reply));
	assert_int_equal(reply.error, 0);
}

uint64_t rig_read(struct rig *rig, uint32_t region, uint64_t offset, uint32_t bytes)
{
	struct vfio_user_region_access access = {offset, region, bytes};
	struct rig_reply reply;
	uint64_t value = 0;

	assert_true(rig_request(rig, VFIO_USER_REGION_READ, &access, sizeof(access), NULL, 0, &reply));
	assert_int_equal(reply.error, 0);
	assert_int_equal(reply.bytes, sizeof(access) + bytes);
	memcpy(&value, reply.payload + sizeof(access), bytes);
	return value;
}

/* ---- the driver ------------------------------------------------------------------------------------------- */

void rig_driver_start(struct rig *rig)
{
	rig_write(rig, 0, 0x14, 0, 1);
	rig_write(rig, 0, 0x14, 1, 1);
	rig_write(rig, 0, 0x14, 3, 1);
	rig_write(rig, 0, 0x08, 1, 4);
	rig_write(rig, 0, 0x0c, 1, 4);	/* VERSION_1 */
	rig_write(rig, 0, 0x14, 11, 1);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 11);
	rig_write(rig, 0, 0x16, 0, 2);
	rig_write(rig, 0, 0x18, 64, 2);
	rig_write(rig, 0, 0x1a, 1, 2);
	rig_write(rig, 0, 0x20, RIG_DESCRIPTORS, 8);
	rig_write(rig, 0, 0x28, RIG_AVAILABLE, 8);
	rig_write(rig, 0, 0x30, RIG_USED, 8);
	rig_write(rig, 0, 0x1c, 1, 2);
	assert_int_equal(rig_read(rig, 0, 0x1c, 2), 1);
	rig_write(rig, 0, 0x14, 15, 1);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 15);
}

void rig_submit(struct rig *rig, unsigned slot, uint8_t kind)
{
	struct {
		uint64_t address;
		uint32_t bytes;
		uint16_t flags;
		uint16_t next;
	} *d = (void *)(rig->ram + (RIG_DESCRIPTORS - RIG_RAM_ADDRESS));
	uint16_t *available = (void *)(rig->ram + (RIG_AVAILABLE - RIG_RAM_ADDRESS));
	uint64_t buffer = RIG_BUFFERS + 256ull * slot;
	uint8_t *bytes = rig->ram + (buffer - RIG_RAM_ADDRESS);

	memset(bytes, 0, 256);
	bytes[0] = kind;
	memcpy(bytes + 8, &rig->available_index, sizeof(rig->available_index));
	d[2 * slot].address = buffer;
	d[2 * slot].bytes = 16;
	d[2 * slot].flags = 1;
	d[2 * slot].next = (uint16_t)(2 * slot + 1);
	d[2 * slot + 1].address = buffer + 64;
	d[2 * slot + 1].bytes = 64;
	d[2 * slot + 1].flags = 2;
	available[2 + rig->available_index % 64] = (uint16_t)(2 * slot);
	__atomic_store_n(&available[1], ++rig->available_index, __ATOMIC_RELEASE);
}

void rig_doorbell(struct rig *rig)
{
	rig_write(rig, 0, 0x3000, 0, 2);
}

uint16_t rig_wait_used(struct rig *rig, uint16_t index)
{
	uint16_t *used = (void *)(rig->ram + (RIG_USED - RIG_RAM_ADDRESS));
	uint64_t until_us = rig_now_us() + PATIENCE_US;

	while (__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) != index && rig_now_us() < until_us) {
		rig_pump(rig);
		usleep(100);
	}
	return __atomic_load_n(&used[1], __ATOMIC_ACQUIRE);
}

const void *rig_response(struct rig *rig, unsigned slot)
{
	return rig->ram + (RIG_BUFFERS - RIG_RAM_ADDRESS) + 256ull * slot + 64;
}
