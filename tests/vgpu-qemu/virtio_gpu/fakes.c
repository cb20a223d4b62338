/* SPDX-License-Identifier: MIT */
#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"

#define REQUIRE(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno)); \
		abort(); \
	} \
} while (0)

/* ---- guest memory --------------------------------------------------------------------------------------- */

static bool inside(uint64_t address, uint64_t bytes)
{
	return address >= RIG_MEMORY_BASE && bytes <= RIG_MEMORY_BYTES &&
	       address - RIG_MEMORY_BASE <= RIG_MEMORY_BYTES - bytes;
}

int guest_memory_read(struct guest_memory *memory, uint64_t address, void *buffer, size_t bytes)
{
	if (!inside(address, bytes))
		return -EFAULT;
	memcpy(buffer, memory->bytes + (address - RIG_MEMORY_BASE), bytes);
	return 0;
}

int guest_memory_write(struct guest_memory *memory, uint64_t address, const void *buffer, size_t bytes)
{
	if (!inside(address, bytes))
		return -EFAULT;
	memcpy(memory->bytes + (address - RIG_MEMORY_BASE), buffer, bytes);
	return 0;
}

bool guest_memory_covers(struct guest_memory *memory, struct guest_range range, bool writable)
{
	(void)memory;
	(void)writable;
	return inside(range.address, range.bytes);
}

/* ---- the queue -------------------------------------------------------------------------------------------- */

static long copy_part(struct guest_memory *memory, const struct virtqueue_element *element, unsigned first, unsigned count,
		      uint64_t offset, void *out, const void *in, size_t bytes)
{
	size_t done = 0;

	for (unsigned i = first; i < first + count && done < bytes; i++) {
		const struct guest_range *range = &element->range[i];
		uint64_t part;
		int status;

		if (offset >= range->bytes) {
			offset -= range->bytes;
			continue;
		}
		part = range->bytes - offset;
		if (part > bytes - done)
			part = bytes - done;
		status = out ? guest_memory_read(memory, range->address + offset, (uint8_t *)out + done, part) :
			       guest_memory_write(memory, range->address + offset, (const uint8_t *)in + done, part);
		if (status)
			return status;
		done += part;
		offset = 0;
	}
	return (long)done;
}

long virtqueue_element_read(struct guest_memory *memory, const struct virtqueue_element *element, uint64_t offset,
			    void *buffer, size_t bytes)
{
	return copy_part(memory, element, 0, element->readable_count, offset, buffer, NULL, bytes);
}

long virtqueue_element_write(struct guest_memory *memory, const struct virtqueue_element *element, uint64_t offset,
			     const void *buffer, size_t bytes)
{
	return copy_part(memory, element, element->readable_count, element->writable_count, offset, NULL, buffer, bytes);
}

static void publish(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	REQUIRE(head < VIRTQUEUE_SIZE_MAX);
	if (!queue->outstanding[head]) {
		queue->ignored++;
		return;
	}
	queue->completions[head]++;
	queue->written[head] = written;
	queue->outstanding[head] = false;
}

void virtqueue_complete(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	publish(queue, head, written);
}

/* ---- the keeper ----------------------------------------------------------------------------------------------- */

static int *fd_of(const struct keeper_link *link, uint32_t tag)
{
	uint32_t kind = KEEPER_TAG_KIND(tag);

	if (kind == KEEPER_FD_ENGINE_LISTENER && KEEPER_TAG_INDEX(tag) < KEEPER_CONTEXT_MAX)
		return (int *)&link->fd[3][KEEPER_TAG_INDEX(tag)];
	if (kind == KEEPER_FD_ENGINE_CHECKPOINT && KEEPER_TAG_INDEX(tag) < KEEPER_CONTEXT_MAX)
		return (int *)&link->fd[4][KEEPER_TAG_INDEX(tag)];
	if (kind < KEEPER_FD_ENGINE_CHANNEL || kind > KEEPER_FD_ENGINE_COMPLETION ||
	    KEEPER_TAG_INDEX(tag) >= KEEPER_CONTEXT_MAX)
		return NULL;
	return (int *)&link->fd[kind - KEEPER_FD_ENGINE_CHANNEL][KEEPER_TAG_INDEX(tag)];
}

int keeper_link_fd(const struct keeper_link *link, uint32_t tag)
{
	int *fd = fd_of(link, tag);

	return fd ? *fd : -1;
}

void keeper_link_store(struct keeper_link *link, uint32_t tag, int fd)
{
	int *place = fd_of(link, tag);

	REQUIRE(place);
	if (*place >= 0)
		close(*place);
	*place = fd;
}

void keeper_link_drop(struct keeper_link *link, uint32_t tag)
{
	int *fd = fd_of(link, tag);

	REQUIRE(fd);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void keeper_link_engine_start(struct keeper_link *link, uint32_t context, bool again)
{
	link->starts++;
	link->start_again[context] = again;
	link->start_wanted[context] = true;
}

void keeper_link_engine_kill(struct keeper_link *link, uint32_t context)
{
	link->kills++;
	link->kill_wanted[context] = true;
}

void keeper_link_strike(struct keeper_link *link, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(link->strike, sizeof(link->strike), format, arguments);
	va_end(arguments);
	link->strikes++;
}

/* ---- the rig ------------------------------------------------------------------------------------------------ */

static int make_capset(void)
{
	struct wire_capset capset = {
		.magic = htole32(WIRE_CAPSET_MAGIC),
		.version_min = htole16(WIRE_VERSION_MIN),
		.version_max = htole16(WIRE_VERSION),
		.bytes = htole32(RIG_CAPSET_BYTES),
		.info_bytes = htole32(16),
		.vgpu_name = "rig",
	};
	uint8_t info[16] = {1, 2, 3};
	int fd = memfd_create("capset", MFD_CLOEXEC);

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, &capset, sizeof(capset)) == (ssize_t)sizeof(capset));
	REQUIRE(write(fd, info, sizeof(info)) == (ssize_t)sizeof(info));
	return fd;
}

/* All that outlives a device process, so that a forked one can be killed. */
static void *map_shared(size_t bytes)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	REQUIRE(mapped != MAP_FAILED);
	return mapped;
}

void rig_begin(struct rig *rig, struct vgpu_page *page, uint32_t slot, uint64_t vram_limit_bytes, uint32_t max_contexts)
{
	memset(rig, 0, sizeof(*rig));
	rig->owns_page = !page;
	if (!page) {
		page = map_shared(sizeof(*page));
		page->magic = VGPU_PAGE_MAGIC;
		page->version = VGPU_PAGE_VERSION;
		page->vram_limit_bytes = vram_limit_bytes;
	}
	rig->vgpu_page = page;
	rig->memory.bytes = map_shared(RIG_MEMORY_BYTES);
	for (unsigned kind = 0; kind < 5; kind++)
		for (unsigned i = 0; i < KEEPER_CONTEXT_MAX; i++)
			rig->keeper.fd[kind][i] = -1;
	for (unsigned i = 0; i < KEEPER_CONTEXT_MAX; i++)
		rig->keeper.engine[i] = (struct fake_engine){.channel = -1, .doorbell = -1, .completion = -1};
	memset(rig->keeper.kept, 0xff, sizeof(rig->keeper.kept));
	rig->wiring = (struct virtio_gpu_wiring){
		.state = map_shared(sizeof(struct gpu_state)),
		.memory = &rig->memory,
		.control = &rig->control,
		.cursor = &rig->cursor,
		.keeper = &rig->keeper,
		.vgpu_page = page,
		.slot = slot,
		.aperture_fd = memfd_create("aperture", MFD_CLOEXEC | MFD_ALLOW_SEALING),
		.capset_fd = make_capset(),
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.limits = {
			.aperture_bytes = RIG_APERTURE_BYTES,
			.max_contexts = max_contexts,
			.slack_bytes = 4 << 20,
		},
	};
	REQUIRE(rig->wiring.aperture_fd >= 0 &&
		rig->wiring.epoll_fd >= 0);
	REQUIRE(ftruncate(rig->wiring.aperture_fd, RIG_APERTURE_BYTES) == 0);
	REQUIRE(fcntl(rig->wiring.aperture_fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0);
	virtio_gpu_state_init(rig->wiring.state);
	REQUIRE(virtio_gpu_create(&rig->wiring, &rig->gpu) == 0);
}

static void close_engine(struct rig *rig, uint32_t slot)
{
	struct fake_engine *engine = &rig->keeper.engine[slot];

	if (engine->channel >= 0)
		close(engine->channel);
	if (engine->doorbell >= 0)
		close(engine->doorbell);
	if (engine->completion >= 0)
		close(engine->completion);
	*engine = (struct fake_engine){.channel = -1, .doorbell = -1, .completion = -1};
}

void rig_end(struct rig *rig)
{
	virtio_gpu_destroy(rig->gpu);
	for (unsigned i = 0; i < KEEPER_CONTEXT_MAX; i++) {
		for (unsigned kind = 0; kind < 5; kind++)
			if (rig->keeper.fd[kind][i] >= 0)
				close(rig->keeper.fd[kind][i]);
		close_engine(rig, i);
		if (rig->keeper.kept[i] >= 0)
			close(rig->keeper.kept[i]);
	}
	munmap(rig->wiring.state, sizeof(struct gpu_state));
	close(rig->wiring.aperture_fd);
	close(rig->wiring.capset_fd);
	close(rig->wiring.epoll_fd);
	munmap(rig->memory.bytes, RIG_MEMORY_BYTES);
	if (rig->owns_page)
		munmap(rig->vgpu_page, sizeof(*rig->vgpu_page));
}

void rig_take_over(struct rig *rig)
{
	/* A killed process takes its epoll set with it. */
	virtio_gpu_destroy(rig->gpu);
	rig->gpu = NULL;
	close(rig->wiring.epoll_fd);
	rig->wiring.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	REQUIRE(virtio_gpu_create(&rig->wiring, &rig->gpu) == 0);
}

void rig_lay(struct rig *rig, uint16_t head, const void *request, uint32_t request_bytes, uint32_t response_bytes,
	     struct virtqueue_element *ret_element)
{
	uint64_t at = RIG_MEMORY_BASE + head * 2ull * RIG_HEAD_BYTES;

	REQUIRE(request_bytes <= RIG_HEAD_BYTES && response_bytes <= RIG_HEAD_BYTES);
	memset(ret_element, 0, sizeof(*ret_element));
	if (request_bytes)
		memcpy(rig->memory.bytes + (at - RIG_MEMORY_BASE), request, request_bytes);
	memset(rig->memory.bytes + (at - RIG_MEMORY_BASE) + RIG_HEAD_BYTES, 0xee, RIG_HEAD_BYTES);
	ret_element->head = head;
	ret_element->attempt = 1;
	ret_element->serial = ++rig->control.serial;
	if (request_bytes)
		ret_element->range[ret_element->readable_count++] = (struct guest_range){at, request_bytes};
	if (response_bytes)
		ret_element->range[ret_element->readable_count + ret_element->writable_count++] =
			(struct guest_range){at + RIG_HEAD_BYTES, response_bytes};
	ret_element->readable_bytes = request_bytes;
	ret_element->writable_bytes = response_bytes;
}

void rig_read_response(struct rig *rig, uint16_t head)
{
	const uint8_t *at = rig->memory.bytes + head * 2ull * RIG_HEAD_BYTES + RIG_HEAD_BYTES;
	struct virtio_gpu_ctrl_hdr header;

	memcpy(&header, at, sizeof(header));
	memcpy(rig->response.bytes, at, RIG_HEAD_BYTES);
	rig->response.type = le32toh(header.type);
	rig->response.flags = le32toh(header.flags);
	rig->response.fence_id = le64toh(header.fence_id);
	rig->response.context_id = le32toh(header.ctx_id);
	rig->response.ring_index = header.ring_idx;
	rig->response.written = rig->control.written[head];
}

enum virtqueue_verdict rig_handle_element(struct rig *rig, const struct virtqueue_element *element, bool last_attempt)
{
	enum virtqueue_verdict verdict;
	uint32_t written = 0;

	rig->control.outstanding[element->head] = true;
	rig->taken.valid = true;
	rig->taken.element = *element;
	rig_trace_point(rig);
	verdict = virtio_gpu_control(rig->gpu, element, last_attempt, &written);
	rig_trace_point(rig);
	rig->taken.valid = false;
	if (verdict == VIRTQUEUE_COMPLETE)
		publish(&rig->control, element->head, written);
	rig_read_response(rig, element->head);
	return verdict;
}

void rig_trace_point(struct rig *rig)
{
	if (rig->traced)
		raise(SIGSTOP);
}

bool rig_replay(struct rig *rig, enum virtqueue_verdict *ret_verdict)
{
	if (!rig->taken.valid)
		return false;
	/* Taken and not answered: an answer published by anything else would be the guest's second. */
	REQUIRE(rig->control.outstanding[rig->taken.element.head]);
	rig->taken.element.attempt++;
	struct virtqueue_element element = rig->taken.element;
	*ret_verdict = rig_handle_element(rig, &element, false);
	return true;
}

enum virtqueue_verdict rig_handle(struct rig *rig, uint16_t head, const void *request, uint32_t request_bytes,
				  uint32_t response_bytes)
{
	static struct virtqueue_element element;

	rig_lay(rig, head, request, request_bytes, response_bytes, &element);
	return rig_handle_element(rig, &element, false);
}

void rig_run(struct rig *rig, int timeout_ms)
{
	struct epoll_event events[16];
	int count;

	while ((count = epoll_wait(rig->wiring.epoll_fd, events, 16, timeout_ms)) > 0) {
		for (int i = 0; i < count; i++) {
			REQUIRE(events[i].data.u64 & VIRTIO_GPU_EVENT);
			virtio_gpu_event(rig->gpu, events[i].data.u64, events[i].events);
		}
		timeout_ms = 0;
	}
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static uint32_t run(struct rig *rig, uint16_t head, const void *request, uint32_t bytes)
{
	return rig_handle(rig, head, request, bytes, 64) == VIRTQUEUE_COMPLETE ? rig->response.type : 0;
}

uint32_t rig_context_create(struct rig *rig, uint32_t id)
{
	struct virtio_gpu_ctx_create request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_CTX_CREATE), .ctx_id = htole32(id)},
		.nlen = htole32(4),
		.context_init = htole32(WIRE_CAPSET_ID),
		.debug_name = "test",
	};

	return run(rig, 0, &request, sizeof(request));
}

uint32_t rig_context_destroy(struct rig *rig, uint32_t id)
{
	struct virtio_gpu_ctx_destroy request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_CTX_DESTROY), .ctx_id = htole32(id)},
	};

	return run(rig, 0, &request, sizeof(request));
}

uint32_t rig_blob_create(struct rig *rig, uint32_t context, uint32_t resource, uint64_t blob_id, uint64_t bytes)
{
	return rig_blob_create_at(rig, 0, context, resource, blob_id, bytes);
}

uint32_t rig_blob_create_at(struct rig *rig, uint16_t head, uint32_t context, uint32_t resource, uint64_t blob_id,
			    uint64_t bytes)
{
	struct virtio_gpu_resource_create_blob request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB), .ctx_id = htole32(context)},
		.resource_id = htole32(resource),
		.blob_mem = htole32(VIRTIO_GPU_BLOB_MEM_HOST3D),
		.blob_flags = htole32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
		.blob_id = htole64(blob_id),
		.size = htole64(bytes),
	};

	return run(rig, head, &request, sizeof(request));
}

uint32_t rig_map(struct rig *rig, uint16_t head, uint32_t resource, uint64_t offset)
{
	struct virtio_gpu_resource_map_blob request = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB),
		.resource_id = htole32(resource),
		.offset = htole64(offset),
	};

	return run(rig, head, &request, sizeof(request));
}

uint32_t rig_unmap(struct rig *rig, uint32_t resource)
{
	struct virtio_gpu_resource_unmap_blob request = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB),
		.resource_id = htole32(resource),
	};

	return run(rig, 0, &request, sizeof(request));
}

uint32_t rig_unref(struct rig *rig, uint16_t head, uint32_t resource)
{
	struct virtio_gpu_resource_unref request = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
		.resource_id = htole32(resource),
	};

	return run(rig, head, &request, sizeof(request));
}

uint32_t rig_submit(struct rig *rig, uint16_t head, uint32_t context, uint32_t op, uint32_t version, uint64_t arg)
{
	struct {
		struct virtio_gpu_cmd_submit submit;
		struct wire_submit wire;
	} request = {
		.submit = {
			.hdr = {
				.type = htole32(VIRTIO_GPU_CMD_SUBMIT_3D),
				.flags = htole32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX),
				.fence_id = htole64(0x100000000ull + head),
				.ctx_id = htole32(context),
				.ring_idx = WIRE_FENCE_RING_WAKE,
			},
			.size = htole32(sizeof(struct wire_submit)),
		},
		.wire = {.op = htole32(op), .version = htole32(version), .arg = htole64(arg)},
	};

	return run(rig, head, &request, sizeof(request));
}

uint32_t rig_slot_of(struct rig *rig, uint32_t context_id)
{
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		if (rig->wiring.state->context[i].use == GPU_CONTEXT_LIVE && rig->wiring.state->context[i].id == context_id)
			return i;
	REQUIRE(!"a live context of this id");
	return GPU_NONE;
}

uint32_t rig_context_running(struct rig *rig, uint32_t context, uint64_t ring_at)
{
	uint64_t ring = WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1);
	uint32_t slot;

	REQUIRE(rig_context_create(rig, context) == VIRTIO_GPU_RESP_OK_NODATA);
	REQUIRE(rig_blob_create(rig, context, 1000 + context, ring, WIRE_RING_BLOB_BYTES) == VIRTIO_GPU_RESP_OK_NODATA);
	REQUIRE(rig_map(rig, 0, 1000 + context, ring_at) == VIRTIO_GPU_RESP_OK_MAP_INFO);
	REQUIRE(rig_submit(rig, 0, context, WIRE_SUBMIT_SETUP, WIRE_VERSION, ring) == VIRTIO_GPU_RESP_OK_NODATA);
	slot = rig_slot_of(rig, context);
	REQUIRE(rig->keeper.start_wanted[slot]);
	rig_engine_start(rig, slot);
	rig_engine_send(rig, slot, ENGINE_READY, 0, 0, ENGINE_PROTOCOL_VERSION);
	rig_run(rig, 0);
	return slot;
}

/* ---- engines ---------------------------------------------------------------------------------------------------- */

void rig_engine_start(struct rig *rig, uint32_t slot)
{
	struct fake_engine *engine = &rig->keeper.engine[slot];
	int pair[2];
	int doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int completion = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	REQUIRE(!engine->alive);
	REQUIRE(seqpacket_pair(pair) == 0 && doorbell >= 0 && completion >= 0);
	*engine = (struct fake_engine){
		.alive = true,
		.channel = pair[1],
		.doorbell = dup(doorbell),
		.completion = dup(completion),
	};
	REQUIRE(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0);
	rig->keeper.start_wanted[slot] = false;
	if (rig->keeper.kept[slot] >= 0)
		close(rig->keeper.kept[slot]);
	rig->keeper.kept[slot] = dup(pair[0]);
	keeper_link_store(&rig->keeper, KEEPER_TAG(KEEPER_FD_ENGINE_CHANNEL, slot), pair[0]);
	keeper_link_store(&rig->keeper, KEEPER_TAG(KEEPER_FD_ENGINE_DOORBELL, slot), doorbell);
	keeper_link_store(&rig->keeper, KEEPER_TAG(KEEPER_FD_ENGINE_COMPLETION, slot), completion);
	virtio_gpu_engine_started(rig->gpu, slot, 4711);
}

void rig_engine_die(struct rig *rig, uint32_t slot, int64_t status)
{
	close_engine(rig, slot);
	rig->keeper.kill_wanted[slot] = false;
	rig->keeper.start_wanted[slot] = false;
	/* As keeper_link.c does: its table forgets first. */
	for (uint32_t kind = KEEPER_FD_ENGINE_CHANNEL; kind <= KEEPER_FD_ENGINE_COMPLETION; kind++)
		keeper_link_drop(&rig->keeper, KEEPER_TAG(kind, slot));
	virtio_gpu_engine_died(rig->gpu, slot, status);
}

bool rig_engine_receive(struct rig *rig, uint32_t slot, struct engine_message *ret_message)
{
	int fd = rig->keeper.engine[slot].channel;

	return fd >= 0 && recv(fd, ret_message, sizeof(*ret_message), MSG_DONTWAIT) == (ssize_t)sizeof(*ret_message);
}

void rig_engine_drain(struct rig *rig, uint32_t slot)
{
	struct engine_message message;

	while (rig_engine_receive(rig, slot, &message))
		;
}

void rig_engine_send(struct rig *rig, uint32_t slot, uint32_t op, uint64_t blob_id, uint64_t offset, uint64_t value)
{
	struct engine_message message = {.op = op, .blob_id = blob_id, .offset = offset, .value = value};
	const struct gpu_state *state = rig->wiring.state;

	for (uint32_t i = 0; op == ENGINE_RELEASED && !value && i < state->resource_high; i++)
		if (state->resource[i].use != GPU_RESOURCE_FREE && state->resource[i].owner == slot &&
		    state->resource[i].blob_id == blob_id)
			message.value = state->resource[i].unmap_number;
	REQUIRE(seqpacket_send(rig->keeper.engine[slot].channel, &message, sizeof(message), NULL, 0) == 0);
}

void rig_engine_complete(struct rig *rig, uint32_t slot)
{
	REQUIRE(eventfd_write(rig->keeper.engine[slot].completion, 1) == 0);
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

uint64_t rig_charged(const struct rig *rig)
{
	return rig->vgpu_page->slot[rig->wiring.slot].charged_bytes;
}

uint64_t rig_blocks(const struct rig *rig)
{
	struct stat st;

	REQUIRE(fstat(rig->wiring.aperture_fd, &st) == 0);
	return (uint64_t)st.st_blocks * 512;
}

uint8_t *rig_aperture_map(const struct rig *rig)
{
	void *mapped = mmap(NULL, RIG_APERTURE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, rig->wiring.aperture_fd, 0);

	REQUIRE(mapped != MAP_FAILED);
	return mapped;
}

void rig_aperture_unmap(uint8_t *aperture)
{
	munmap(aperture, RIG_APERTURE_BYTES);
}
