/* SPDX-License-Identifier: MIT */
#include "tests/mdev/engine/engine_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "mdev/ipc/seqpacket.h"

#define BUILD_OFFSET (HARNESS_MEMORY_BYTES - (2u << 20))
#define REPLY_OFFSET (HARNESS_MEMORY_BYTES - (1u << 20))
#define SETUP_TIMEOUT_MS 20000

uint64_t harness_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Next to this test: build/tests/NAME -> build/bin/vgpu-compute. */
void harness_program(const char *name, char path[4096])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 32);

	assert_true(length > 0);
	path[length] = 0;
	for (int i = 0; i < 2; i++)
		*strrchr(path, '/') = 0;
	strcat(path, "/bin/");
	strcat(path, name);
}

static void write_config(struct harness *h, const struct harness_options *o)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/config.json", h->dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"schema\":1,\"uuid\":\"0b6f3c1e-test\",\"name\":\"t\",\"profile\":\"p\",\"vram_bytes\":%u,"
		"\"engine\":{\"icd\":\"/etc/OpenCL/vendors/pocl.icd\",\"device_index\":0,\"memory_limit_bytes\":0,"
		"\"cache_dir\":\"%s\",\"unified\":%s,\"svm\":%s,\"environment\":{\"POCL_DEVICES\":\"%s\"",
		HARNESS_MEMORY_BYTES, h->dir, o->discrete ? "false" : "true", o->discrete || o->no_svm ? "false" : "true",
		o->devices ? o->devices : "pthread");
	if (o->strategy)
		fprintf(file, ",\"VGPU_ENGINE_COMPLETION\":\"%s\"", o->strategy);
	if (o->spin_ns)
		fprintf(file, ",\"VGPU_ENGINE_SPIN_NS\":\"%s\"", o->spin_ns);
	if (o->preempt)
		fprintf(file, ",\"VGPU_ENGINE_PREEMPT\":\"%s\"", o->preempt);
	fprintf(file, "}}}\n");
	assert_int_equal(fclose(file), 0);
}

static void *make_page(const char *name, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	*ret_fd = fd;
	return page;
}

static void run_program(struct harness *h, const int *fds, int count)
{
	char path[PATH_MAX];
	int high[8];

	harness_program("vgpu-compute", path);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (h->pid)
		return;
	for (int i = 0; i < count; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 100);
	for (int i = 0; i < count; i++)
		dup2(high[i], 3 + i);
	close_range(3u + (unsigned)count, ~0u, 0);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	close(null);
	setenv("VGPU_LOG", getenv("VGPU_LOG") ? getenv("VGPU_LOG") : "warning", 1);
	setenv("SECRET_OF_THE_STARTER", "must not reach the engine", 1);
	execl(path, path, "--dir", h->dir, "--slot", "0", "--context", "5", (char *)NULL);
	_exit(127);
}

void harness_start_bare(struct harness *h, const struct harness_options *options)
{
	const struct harness_options none = {0};
	int pair[2], grant_fd, status_fd;

	*h = (struct harness){.listener = -1};
	pthread_mutex_init(&h->lock, NULL);
	strcpy(h->dir, "/tmp/vgpu-engine-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	/* An engine started by root gives root up: it must still reach its scratch folder. */
	assert_int_equal(chmod(h->dir, 0711), 0);
	write_config(h, options ? options : &none);
	assert_int_equal(seqpacket_pair(pair), 0);
	h->channel = pair[0];
	h->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->completion = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->want = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->grant = make_page("grant", &grant_fd);
	h->status = make_page("status", &status_fd);
	atomic_store(&h->status->heard, 1);
	h->grant->magic = LEASE_MAGIC;
	h->grant->version = LEASE_VERSION;
	if (!options || !options->no_lease)
		harness_grant(h, LEASE_GRANTED, 0);
	h->aperture_fd = memfd_create("aperture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(h->aperture_fd >= 0);
	assert_int_equal(fchmod(h->aperture_fd, 0600), 0);
	size_t bytes = HARNESS_MEMORY_OFFSET + HARNESS_MEMORY_BYTES;
	assert_int_equal(ftruncate(h->aperture_fd, (off_t)bytes), 0);
	h->aperture = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, h->aperture_fd, 0);
	assert_ptr_not_equal(h->aperture, MAP_FAILED);
	h->memory = h->aperture + HARNESS_MEMORY_OFFSET;
	h->shim_page = (struct wire_shim_page *)(void *)(h->aperture + WIRE_OFFSET_SHIM_PAGE);
	h->engine_page = (struct wire_engine_page *)(void *)(h->aperture + WIRE_OFFSET_ENGINE_PAGE);
	h->slots = (struct wire_slot *)(void *)(h->aperture + WIRE_OFFSET_SLOTS);
	h->records = h->aperture + WIRE_OFFSET_RING;
	h->same_host = getenv("TEST_SAME_HOST");
	h->shim_page->bell_by = h->same_host ? WIRE_BELL_FUTEX : WIRE_BELL_SUBMIT;

	char grant_path[64];
	snprintf(grant_path, sizeof(grant_path), "/proc/self/fd/%d", grant_fd);
	int grant_read_only = open(grant_path, O_RDONLY | O_CLOEXEC);
	assert_true(grant_read_only >= 0);
	const int compiler_fd = options ? options->compiler_fd : 0;
	const int fds[8] = {pair[1], h->doorbell, h->completion, grant_read_only, status_fd, h->want, h->aperture_fd, compiler_fd};
	run_program(h, fds, compiler_fd ? 8 : 7);
	close(pair[1]);
	close(grant_read_only);
	close(grant_fd);
	close(status_fd);
	harness_tell(h, ENGINE_RESYNC, 0, 0, 0, ENGINE_PROTOCOL_VERSION);
	harness_tell(h, ENGINE_MAP, HARNESS_RING_BLOB, 0, 0x100000, 0);
	harness_tell(h, ENGINE_MAP, HARNESS_MEMORY_BLOB, HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, 0);
}

void harness_start(struct harness *h, const struct harness_options *options)
{
	struct engine_message message;

	harness_start_bare(h, options);
	harness_tell(h, ENGINE_RING, HARNESS_RING_BLOB, 0, 0, WIRE_VERSION);
	assert_true(harness_heard(h, ENGINE_READY, &message, SETUP_TIMEOUT_MS));
	assert_int_equal(message.value, ENGINE_PROTOCOL_VERSION);
	assert_int_equal(harness_queue(h, HARNESS_QUEUE, 0), 0);
}

int harness_died(struct harness *h, int timeout_ms)
{
	uint64_t until_ns = harness_now_ns() + (uint64_t)timeout_ms * 1000000u;

	while (h->pid) {
		if (waitpid(h->pid, &h->wait_status, WNOHANG) == h->pid)
			h->pid = 0;
		else if (harness_now_ns() > until_ns)
			fail_msg("the engine is still alive after %d ms", timeout_ms);
		else
			usleep(2000);
	}
	return h->wait_status;
}

void harness_stop(struct harness *h)
{
	char command[128];
	bool late = false;

	close(h->channel);
	for (int i = 0; h->pid && i < 2500; i++) {
		if (waitpid(h->pid, &h->wait_status, WNOHANG) == h->pid)
			h->pid = 0;
		else
			usleep(2000);
	}
	if (h->pid) {
		late = true;
		kill(h->pid, SIGKILL);
		waitpid(h->pid, &h->wait_status, 0);
	}
	if (h->listener >= 0) {
		/* The kernel hangs the listener up with the last process under the filter. */
		pthread_join(h->map_guard, NULL);
		close(h->listener);
	}
	pthread_mutex_destroy(&h->lock);
	close(h->doorbell);
	close(h->completion);
	close(h->want);
	close(h->aperture_fd);
	munmap(h->grant, 4096);
	munmap(h->status, 4096);
	munmap(h->aperture, HARNESS_MEMORY_OFFSET + HARNESS_MEMORY_BYTES);
	snprintf(command, sizeof(command), "rm -rf %s", h->dir);
	assert_int_equal(system(command), 0);
	if (late)
		fail_msg("the engine outlived its channel by 5 s");
}

/* ---- the engine's mappings --------------------------------------------------------------------- */

static bool was_told(struct harness *h, const struct seccomp_data *call)
{
	bool found = false;

	pthread_mutex_lock(&h->lock);
	for (unsigned i = 0; i < h->told_count; i++)
		found |= h->told[i].offset == call->args[5] && h->told[i].bytes == call->args[1];
	pthread_mutex_unlock(&h->lock);
	return found && call->args[3] == MAP_SHARED;
}

static void *guard_maps(void *data)
{
	struct harness *h = data;
	struct pollfd asked = {.fd = h->listener, .events = POLLIN};

	while (poll(&asked, 1, -1) > 0 && asked.revents & POLLIN) {
		struct seccomp_notif request = {0};
		if (ioctl(h->listener, SECCOMP_IOCTL_NOTIF_RECV, &request))
			continue;
		bool right = was_told(h, &request.data);
		struct seccomp_notif_resp response = {
			.id = request.id,
			.error = right ? 0 : -EPERM,
			.flags = right ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
		};
		if (!right)
			__atomic_add_fetch(&h->refused_maps, 1, __ATOMIC_SEQ_CST);
		ioctl(h->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
	return NULL;
}

static void note_told(struct harness *h, uint32_t op, uint64_t blob_id, uint64_t offset, uint64_t bytes)
{
	pthread_mutex_lock(&h->lock);
	for (unsigned i = 0; i < h->told_count; i++)
		if (h->told[i].blob_id == blob_id)
			h->told[i--] = h->told[--h->told_count];
	if (op == ENGINE_MAP) {
		assert_true(h->told_count < HARNESS_TOLD_MAX);
		h->told[h->told_count].blob_id = blob_id;
		h->told[h->told_count].offset = offset;
		h->told[h->told_count++].bytes = bytes;
	}
	pthread_mutex_unlock(&h->lock);
}

void harness_tell(struct harness *h, uint32_t op, uint64_t blob_id, uint64_t offset, uint64_t bytes, uint64_t value)
{
	const struct engine_message m = {.op = op, .blob_id = blob_id, .offset = offset, .bytes = bytes, .value = value};

	if (op == ENGINE_MAP)
		note_told(h, op, blob_id, offset, bytes);
	assert_int_equal(seqpacket_send(h->channel, &m, sizeof(m), NULL, 0), 0);
}

bool harness_heard(struct harness *h, uint32_t op, struct engine_message *ret_message, int timeout_ms)
{
	uint64_t until_ns = harness_now_ns() + (uint64_t)timeout_ms * 1000000u;
	int fds[SEQPACKET_FDS_MAX];
	unsigned count;

	for (;;) {
		uint64_t now_ns = harness_now_ns();
		struct pollfd readable = {.fd = h->channel, .events = POLLIN};
		if (now_ns >= until_ns || poll(&readable, 1, (int)((until_ns - now_ns) / 1000000u) + 1) <= 0)
			return false;
		if (seqpacket_receive(h->channel, ret_message, sizeof(*ret_message), false, fds, &count) !=
		    sizeof(*ret_message))
			return false;
		if (ret_message->op == ENGINE_LISTENER) {
			assert_int_equal(count, 1);
			assert_int_equal(h->listener, -1);
			h->listener = fds[0];
			assert_int_equal(pthread_create(&h->map_guard, NULL, guard_maps, h), 0);
			continue;
		}
		assert_int_equal(count, 0);
		if (ret_message->op == ENGINE_RELEASED)
			note_told(h, ENGINE_RELEASED, ret_message->blob_id, 0, 0);
		if (ret_message->op == op)
			return true;
	}
}

void harness_grant(struct harness *h, uint32_t flags, uint64_t deadline_ns)
{
	uint32_t epoch = lease_word_epoch(atomic_load(&h->grant->word));

	atomic_store(&h->grant->deadline_ns, deadline_ns);
	atomic_store(&h->grant->word, lease_word(epoch + 1, flags));
	/* The engine maps the page on its own: a shared futex. */
	syscall(SYS_futex, (const uint32_t *)(const void *)&h->grant->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void harness_ring_bell(struct harness *h)
{
	uint64_t one = 1;

	if (h->engine_page->features & WIRE_FEATURE_BELL) {
		__atomic_fetch_add(&h->engine_page->bell, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &h->engine_page->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
		return;
	}
	assert_int_equal(write(h->doorbell, &one, sizeof(one)), sizeof(one));
}

static void put_raw(struct harness *h, const void *record, uint32_t bytes)
{
	memcpy(h->records + (h->tail & (WIRE_RING_BYTES - 1)), record, bytes);
	h->tail += bytes;
}

static void make_room(struct harness *h, uint32_t bytes)
{
	while (h->tail + bytes - __atomic_load_n(&h->engine_page->head, __ATOMIC_ACQUIRE) > WIRE_RING_BYTES)
		usleep(50);
}

uint64_t harness_put(struct harness *h, uint16_t opcode, void *record, uint32_t bytes)
{
	struct wire_header *header = record;
	uint32_t room = WIRE_RING_BYTES - (h->tail & (WIRE_RING_BYTES - 1));

	bytes = (bytes + 7) & ~7u;
	if (room < bytes) {
		make_room(h, room);
		if (room < sizeof(*header)) {
			h->tail += room;
		} else {
			const struct wire_header nop = {.opcode = WIRE_NOP, .bytes = room, .sequence = h->sequence};
			memcpy(h->records + (h->tail & (WIRE_RING_BYTES - 1)), &nop, sizeof(nop));
			h->tail += room;
		}
	}
	make_room(h, bytes);
	*header = (struct wire_header){.opcode = opcode, .bytes = bytes, .sequence = ++h->sequence};
	put_raw(h, record, bytes);
	__atomic_store_n(&h->shim_page->tail, h->tail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&h->engine_page->engine_state, __ATOMIC_RELAXED) == WIRE_ENGINE_SLEEPING)
		harness_ring_bell(h);
	return h->sequence;
}

uint32_t harness_slot(struct harness *h)
{
	return h->next_slot++ % WIRE_SLOT_COUNT;
}

bool harness_is_done(struct harness *h, uint32_t slot, uint64_t sequence)
{
	return __atomic_load_n(&h->slots[slot].sequence, __ATOMIC_ACQUIRE) == sequence;
}

int32_t harness_wait(struct harness *h, uint32_t slot, uint64_t sequence, int timeout_ms)
{
	uint64_t start_ns = harness_now_ns(), now_ns = start_ns, count;

	while (now_ns - start_ns < 20000) {
		for (int i = 0; i < 16; i++)
			if (harness_is_done(h, slot, sequence))
				return h->slots[slot].status;
		now_ns = harness_now_ns();
	}
	for (;;) {
		const uint32_t how = h->same_host ? WIRE_WAKE_FUTEX : WIRE_WAKE_FENCE;
		__atomic_store_n(&h->shim_page->wake_wanted, how, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (harness_is_done(h, slot, sequence))
			return h->slots[slot].status;
		struct pollfd bell = {.fd = h->completion, .events = POLLIN};
		const struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
		bool late = h->same_host ? syscall(SYS_futex, &h->shim_page->wake_wanted, FUTEX_WAIT, how, &limit, NULL, 0) &&
						   errno == ETIMEDOUT :
					   poll(&bell, 1, timeout_ms) <= 0;
		if (late) {
			if (harness_is_done(h, slot, sequence))
				fail_msg("record %llu is done, but its wake-up was lost", (unsigned long long)sequence);
			fail_msg("record %llu is not done after %d ms", (unsigned long long)sequence, timeout_ms);
		}
		if (h->same_host)
			continue;
		ssize_t got = read(h->completion, &count, sizeof(count));
		(void)got;
	}
}

/* ---- records ------------------------------------------------------------------------------------ */

int32_t harness_queue(struct harness *h, uint32_t queue, uint64_t properties)
{
	struct wire_queue_create r = {.slot = harness_slot(h), .queue = queue, .properties = properties};

	return harness_wait(h, r.slot, harness_put(h, WIRE_QUEUE_CREATE, &r, sizeof(r)), SETUP_TIMEOUT_MS);
}

int32_t harness_buffer(struct harness *h, uint32_t buffer, uint64_t offset, uint64_t bytes)
{
	struct wire_buffer_create r = {
		.slot = harness_slot(h), .buffer = buffer, .bytes = bytes, .backing = {HARNESS_MEMORY_BLOB, offset, bytes}};

	if (offset == UINT64_MAX)
		r.backing = (struct wire_range){0};
	return harness_wait(h, r.slot, harness_put(h, WIRE_BUFFER_CREATE, &r, sizeof(r)), SETUP_TIMEOUT_MS);
}

int32_t harness_destroy(struct harness *h, uint16_t opcode, uint32_t id)
{
	struct wire_destroy r = {.slot = harness_slot(h), .id = id};

	return harness_wait(h, r.slot, harness_put(h, opcode, &r, sizeof(r)), SETUP_TIMEOUT_MS);
}

int32_t harness_build(struct harness *h, uint32_t program, const char *source, const char *options,
		      const struct wire_build_reply **ret_reply)
{
	size_t source_bytes = strlen(source), options_bytes = options ? strlen(options) : 0;
	struct wire_program_build r = {
		.slot = harness_slot(h),
		.program = program,
		.source = {HARNESS_MEMORY_BLOB, BUILD_OFFSET, source_bytes},
		.options = {HARNESS_MEMORY_BLOB, BUILD_OFFSET + 65536, options_bytes},
		.reply = {HARNESS_MEMORY_BLOB, REPLY_OFFSET, 1u << 20},
	};

	memcpy(h->memory + BUILD_OFFSET, source, source_bytes);
	if (options)
		memcpy(h->memory + BUILD_OFFSET + 65536, options, options_bytes);
	if (ret_reply)
		*ret_reply = (const struct wire_build_reply *)(const void *)(h->memory + REPLY_OFFSET);
	return harness_wait(h, r.slot, harness_put(h, WIRE_PROGRAM_BUILD, &r, sizeof(r)), 60000);
}

int32_t harness_kernel(struct harness *h, uint32_t kernel, uint32_t program, const char *name)
{
	struct {
		struct wire_kernel_create r;
		char name[64];
	} r = {.r = {.slot = harness_slot(h), .kernel = kernel, .program = program, .name_bytes = (uint32_t)strlen(name)}};

	memcpy(r.name, name, strlen(name));
	return harness_wait(h, r.r.slot, harness_put(h, WIRE_KERNEL_CREATE, &r, (uint32_t)(sizeof(r.r) + strlen(name))),
			    SETUP_TIMEOUT_MS);
}

void harness_launch_begin(struct harness_launch *l, uint32_t queue, uint32_t kernel, uint32_t slot, uint64_t global,
			  uint64_t local)
{
	struct wire_ndrange r = {
		.q = {.slot = slot, .queue = queue},
		.kernel = kernel,
		.dimensions = 1,
		.has_local = local != 0,
		.global = {global},
		.local = {local},
	};

	memcpy(l->bytes, &r, sizeof(r));
	l->used = sizeof(r);
}

static struct wire_ndrange *launch_record(struct harness_launch *l)
{
	return (struct wire_ndrange *)(void *)l->bytes;
}

void harness_launch_wait(struct harness_launch *l, uint32_t slot, uint64_t sequence)
{
	const struct wire_wait wait = {.sequence = sequence, .slot = slot};

	memcpy(l->bytes + l->used, &wait, sizeof(wait));
	l->used += sizeof(wait);
	launch_record(l)->q.wait_count++;
}

static void launch_arg(struct harness_launch *l, const struct wire_arg *arg, const void *value)
{
	memcpy(l->bytes + l->used, arg, sizeof(*arg));
	l->used += sizeof(*arg);
	if (value) {
		memset(l->bytes + l->used, 0, (arg->bytes + 7) & ~7u);
		memcpy(l->bytes + l->used, value, arg->bytes);
		l->used += (arg->bytes + 7) & ~7u;
	}
	launch_record(l)->arg_count++;
}

void harness_launch_buffer(struct harness_launch *l, uint32_t buffer)
{
	launch_arg(l, &(struct wire_arg){.kind = WIRE_ARG_BUFFER, .object = buffer}, NULL);
}

void harness_launch_value(struct harness_launch *l, const void *value, uint32_t bytes)
{
	launch_arg(l, &(struct wire_arg){.kind = WIRE_ARG_VALUE, .bytes = bytes}, value);
}

void harness_launch_local(struct harness_launch *l, uint32_t bytes)
{
	launch_arg(l, &(struct wire_arg){.kind = WIRE_ARG_LOCAL, .bytes = bytes}, NULL);
}

void harness_launch_address(struct harness_launch *l, uint64_t address)
{
	launch_arg(l, &(struct wire_arg){.kind = WIRE_ARG_SVM, .object = (uint32_t)address, .high = (uint32_t)(address >> 32)}, NULL);
}

uint64_t harness_launch_put(struct harness *h, struct harness_launch *l)
{
	return harness_put(h, WIRE_NDRANGE, l->bytes, l->used);
}
