/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/aperture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"

static int punch(struct virtio_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	int status;

	do
		status = fallocate(gpu->w.aperture_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				   (off_t)bytes);
	while (status && errno == EINTR);
	if (status) {
		status = -errno;
		log_error("aperture: cannot punch %llu bytes at 0x%llx: %s; the range is not handed on",
			  (unsigned long long)bytes, (unsigned long long)offset, strerror(-status));
	}
	return status;
}

/* Index of the first held range that ends after offset. */
static uint32_t first_after(const struct virtio_gpu *gpu, uint64_t offset)
{
	uint32_t low = 0;
	uint32_t high = gpu->extent_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct gpu_resource *r = &gpu->state->resource[gpu->extent[middle]];

		if (r->offset + r->bytes > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint32_t aperture_holder(const struct virtio_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	uint32_t at = first_after(gpu, offset);

	if (at == gpu->extent_count)
		return GPU_NONE;
	const struct gpu_resource *r = &gpu->state->resource[gpu->extent[at]];
	return r->offset == offset && r->bytes == bytes ? gpu->extent[at] : GPU_NONE;
}

static bool inside_file(const struct virtio_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	uint64_t end;

	return bytes && offset % GPU_PAGE_BYTES == 0 && bytes % GPU_PAGE_BYTES == 0 &&
	       !__builtin_add_overflow(offset, bytes, &end) && end <= gpu->w.limits.aperture_bytes;
}

static void insert(struct virtio_gpu *gpu, uint32_t at, uint32_t slot)
{
	memmove(&gpu->extent[at + 1], &gpu->extent[at], (gpu->extent_count - at) * sizeof(gpu->extent[0]));
	gpu->extent[at] = slot;
	gpu->extent_count++;
	gpu->held_bytes += resource_at(gpu, slot)->bytes;
}

static int by_offset(const void *a, const void *b, void *resources)
{
	const struct gpu_resource *r = resources;
	uint64_t x = r[*(const uint32_t *)a].offset;
	uint64_t y = r[*(const uint32_t *)b].offset;

	return x < y ? -1 : x > y;
}

int aperture_rebuild(struct virtio_gpu *gpu)
{
	struct gpu_state *state = gpu->state;
	uint64_t now_ns = gpu_now_ns();
	uint64_t end = 0;

	for (uint32_t i = 0; i < state->resource_high; i++) {
		const struct gpu_resource *r = &state->resource[i];

		if (r->use == GPU_RESOURCE_FREE || r->range == GPU_RANGE_NONE)
			continue;
		if (r->kind == GPU_RESOURCE_GUEST || !inside_file(gpu, r->offset, r->bytes))
			return -EPROTO;
		gpu->extent[gpu->extent_count++] = i;
		gpu->held_bytes += r->bytes;
		if (r->range == GPU_RANGE_UNMAPPING) {
			gpu->unmapping_count++;
			gpu->view[i].unmapping_since_ns = now_ns;
		}
	}
	qsort_r(gpu->extent, gpu->extent_count, sizeof(gpu->extent[0]), by_offset, state->resource);
	for (uint32_t i = 0; i < gpu->extent_count; i++) {
		const struct gpu_resource *r = resource_at(gpu, gpu->extent[i]);

		if (r->offset < end)
			return -EPROTO;
		end = r->offset + r->bytes;
	}
	return 0;
}

int aperture_claim(struct virtio_gpu *gpu, uint32_t slot, uint64_t offset)
{
	struct gpu_resource *r = resource_at(gpu, slot);
	uint32_t at;
	int status;

	assert(r->range == GPU_RANGE_NONE);
	if (!inside_file(gpu, offset, r->bytes))
		return -EINVAL;
	at = first_after(gpu, offset);
	if (at < gpu->extent_count && resource_at(gpu, gpu->extent[at])->offset < offset + r->bytes)
		return -EBUSY;
	/* What the guest itself may have left there, having no blob. */
	status = punch(gpu, offset, r->bytes);
	if (status)
		return status;
	r->offset = offset;
	atomic_signal_fence(memory_order_seq_cst);
	r->range = GPU_RANGE_MAPPED;
	insert(gpu, at, slot);
	return 0;
}

void aperture_condemn(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);

	assert(r->range == GPU_RANGE_MAPPED);
	r->unmap_number = ++gpu->state->unmap_count;
	atomic_signal_fence(memory_order_seq_cst);
	r->range = GPU_RANGE_UNMAPPING;
	gpu->unmapping_count++;
	gpu->view[slot].unmapping_since_ns = gpu_now_ns();
}

int aperture_release(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);
	uint32_t at = first_after(gpu, r->offset);
	int status;

	assert(r->range == GPU_RANGE_UNMAPPING);
	assert(at < gpu->extent_count && gpu->extent[at] == slot);
	status = punch(gpu, r->offset, r->bytes);
	if (status)
		return status;
	gpu->extent_count--;
	memmove(&gpu->extent[at], &gpu->extent[at + 1], (gpu->extent_count - at) * sizeof(gpu->extent[0]));
	gpu->held_bytes -= r->bytes;
	gpu->unmapping_count--;
	atomic_signal_fence(memory_order_seq_cst);
	r->range = GPU_RANGE_NONE;
	return 0;
}

int64_t aperture_punch_strays(struct virtio_gpu *gpu)
{
	uint64_t position = 0;
	int64_t taken = 0;

	/* Hops from data to data, and over each held range at once. The file's offset is nobody else's concern: all
	 * others map it or name positions. */
	while (position < gpu->w.limits.aperture_bytes) {
		off_t data = lseek(gpu->w.aperture_fd, (off_t)position, SEEK_DATA);
		uint64_t end;
		uint32_t at;
		off_t hole;

		if (data < 0)
			return errno == ENXIO ? taken : -errno;
		if ((uint64_t)data >= gpu->w.limits.aperture_bytes)
			break;
		at = first_after(gpu, (uint64_t)data);
		if (at < gpu->extent_count) {
			const struct gpu_resource *r = resource_at(gpu, gpu->extent[at]);

			if (r->offset <= (uint64_t)data) {
				position = r->offset + r->bytes;
				continue;
			}
			end = r->offset;
		} else {
			end = gpu->w.limits.aperture_bytes;
		}
		hole = lseek(gpu->w.aperture_fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		if ((uint64_t)hole < end)
			end = (uint64_t)hole;
		if (end <= (uint64_t)data)	/* the page went meanwhile */
			end = (uint64_t)data + GPU_PAGE_BYTES;
		int status = punch(gpu, (uint64_t)data, end - (uint64_t)data);
		if (status)
			return status;
		taken += (int64_t)(end - (uint64_t)data);
		position = end;
	}
	return taken;
}

int aperture_write(struct virtio_gpu *gpu, uint32_t slot, uint64_t offset, const void *buffer, uint32_t bytes)
{
	const struct gpu_resource *r = resource_at(gpu, slot);
	ssize_t written;

	if (r->range == GPU_RANGE_NONE || offset > r->bytes || bytes > r->bytes - offset)
		return -EINVAL;
	do
		written = pwrite(gpu->w.aperture_fd, buffer, bytes, (off_t)(r->offset + offset));
	while (written < 0 && errno == EINTR);
	return written < 0 ? -errno : written == (ssize_t)bytes ? 0 : -EIO;
}

int aperture_read(struct virtio_gpu *gpu, uint32_t slot, uint64_t offset, void *buffer, uint32_t bytes)
{
	const struct gpu_resource *r = resource_at(gpu, slot);
	ssize_t got;

	if (r->range == GPU_RANGE_NONE || offset > r->bytes || bytes > r->bytes - offset)
		return -EINVAL;
	do
		got = pread(gpu->w.aperture_fd, buffer, bytes, (off_t)(r->offset + offset));
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got == (ssize_t)bytes ? 0 : -EIO;
}
