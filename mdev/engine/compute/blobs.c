/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/blobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKET_COUNT 1024u	/* power of two */

struct blob {
	struct blob *next;
	uint64_t id;
	uint64_t offset;
	uint64_t bytes;
	uint8_t *address;
	uint8_t *svm;			/* where it is mapped as well, NULL: nowhere */
	struct blob *svm_next;		/* of those that are, unless dying */
	uint32_t pins;
	bool dying;
	uint64_t unmap_number;		/* while dying */
};

struct blobs {
	pthread_mutex_t lock;
	int aperture_fd;
	uint32_t dying_count;
	blobs_released_fn *released;
	void *data;
	struct blob *svm_blobs;
	struct blob *buckets[BUCKET_COUNT];
};

static struct blob **find_locked(struct blobs *blobs, uint64_t blob_id)
{
	uint64_t mixed = blob_id * 0x9e3779b97f4a7c15u;
	struct blob **at = &blobs->buckets[(mixed >> 32) & (BUCKET_COUNT - 1)];

	while (*at && (*at)->id != blob_id)
		at = &(*at)->next;
	return at;
}

int blobs_create(int aperture_fd, blobs_released_fn *released, void *data, struct blobs **ret_blobs)
{
	struct blobs *blobs = calloc(1, sizeof(*blobs));

	if (!blobs)
		return -ENOMEM;
	pthread_mutex_init(&blobs->lock, NULL);
	blobs->aperture_fd = aperture_fd;
	blobs->released = released;
	blobs->data = data;
	*ret_blobs = blobs;
	return 0;
}

static void blob_destroy(struct blob *blob)
{
	if (blob->svm)
		munmap(blob->svm, blob->bytes);
	munmap(blob->address, blob->bytes);
	free(blob);
}

void blobs_destroy(struct blobs *blobs)
{
	if (!blobs)
		return;
	for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
		while (blobs->buckets[i]) {
			struct blob *blob = blobs->buckets[i];
			blobs->buckets[i] = blob->next;
			blob_destroy(blob);
		}
	}
	pthread_mutex_destroy(&blobs->lock);
	free(blobs);
}

/* 1: it is to be mapped; 0: it is. */
static int look_locked(struct blobs *blobs, uint64_t blob_id, uint64_t offset, uint64_t bytes)
{
	const struct blob *blob = *find_locked(blobs, blob_id);
	struct stat file;
	uint64_t end;

	if (blob) {
		if (blob->dying)
			return -EBUSY;
		return blob->offset == offset && blob->bytes == bytes ? 0 : -EEXIST;
	}
	if (fstat(blobs->aperture_fd, &file))
		return -errno;
	if (!bytes || __builtin_add_overflow(offset, bytes, &end) || end > (uint64_t)file.st_size)
		return -ERANGE;
	return 1;
}

/* Only the channel's thread maps and unmaps, so nothing comes in between while the lock is open. */
int blobs_map(struct blobs *blobs, uint64_t blob_id, uint64_t offset, uint64_t bytes)
{
	pthread_mutex_lock(&blobs->lock);
	int r = look_locked(blobs, blob_id, offset, bytes);
	pthread_mutex_unlock(&blobs->lock);
	if (r <= 0)
		return r;
	struct blob *blob = calloc(1, sizeof(*blob));
	if (!blob)
		return -ENOMEM;
	*blob = (struct blob){.id = blob_id, .offset = offset, .bytes = bytes};
	/* Waits for the device's answer, during a takeover for the next device's: without the lock, so that commands on
	 * other blobs go on meanwhile. A signal's handler may end the wait. */
	do
		blob->address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, blobs->aperture_fd, (off_t)offset);
	while (blob->address == MAP_FAILED && errno == EINTR);
	if (blob->address == MAP_FAILED) {
		r = -errno;
		free(blob);
		return r;
	}
	pthread_mutex_lock(&blobs->lock);
	blob->next = NULL;
	*find_locked(blobs, blob_id) = blob;
	pthread_mutex_unlock(&blobs->lock);
	return 0;
}

static void svm_forget_locked(struct blobs *blobs, const struct blob *blob)
{
	struct blob **at = &blobs->svm_blobs;

	while (*at && *at != blob)
		at = &(*at)->svm_next;
	if (*at)
		*at = blob->svm_next;
}

/* The pin keeps the blob while the lock is open. Without MAP_FIXED the kernel takes the address if it is free and another one if
 * not, so nothing is ever replaced; and vgpu-device judges the call as it does every mapping (map_guard.c). */
int blobs_svm_map(struct blobs *blobs, uint64_t blob_id, uint64_t address)
{
	const struct wire_range whole = {.blob_id = blob_id};
	void *asked = (void *)(uintptr_t)address;
	uint64_t offset, bytes;

	if (!blobs_pin(blobs, &whole))
		return -ENOENT;
	pthread_mutex_lock(&blobs->lock);
	const struct blob *blob = *find_locked(blobs, blob_id);
	bool taken = blob->svm;
	offset = blob->offset;
	bytes = blob->bytes;
	pthread_mutex_unlock(&blobs->lock);
	int r = taken ? -ENOENT : bytes > WIRE_SVM_WINDOW_END - address ? -EINVAL : 0;
	void *got = MAP_FAILED;
	if (!r) {
		do
			got = mmap(asked, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, blobs->aperture_fd, (off_t)offset);
		while (got == MAP_FAILED && errno == EINTR);
		r = got == MAP_FAILED ? -errno : got != asked ? -EEXIST : 0;
	}
	if (got != MAP_FAILED && r)
		munmap(got, bytes);
	if (!r) {
		pthread_mutex_lock(&blobs->lock);
		struct blob *mapped = *find_locked(blobs, blob_id);
		mapped->svm = got;
		if (!mapped->dying) {
			mapped->svm_next = blobs->svm_blobs;
			blobs->svm_blobs = mapped;
		}
		pthread_mutex_unlock(&blobs->lock);
	}
	blobs_unpin(blobs, blob_id);
	return r;
}

bool blobs_svm_holds(struct blobs *blobs, uint64_t address)
{
	bool found = false;

	pthread_mutex_lock(&blobs->lock);
	for (const struct blob *blob = blobs->svm_blobs; blob && !found; blob = blob->svm_next)
		found = address - (uintptr_t)blob->svm < blob->bytes;
	pthread_mutex_unlock(&blobs->lock);
	return found;
}

bool blobs_unmap(struct blobs *blobs, uint64_t blob_id, uint64_t unmap_number)
{
	struct blob *gone = NULL;
	bool kept = false;

	pthread_mutex_lock(&blobs->lock);
	struct blob **at = find_locked(blobs, blob_id);
	if (*at && (*at)->pins) {
		kept = true;
		(*at)->unmap_number = unmap_number;
		if (!(*at)->dying) {
			(*at)->dying = true;
			blobs->dying_count++;
			svm_forget_locked(blobs, *at);
		}
	} else if (*at) {
		gone = *at;
		*at = gone->next;
		svm_forget_locked(blobs, gone);
	}
	pthread_mutex_unlock(&blobs->lock);
	if (gone)
		blob_destroy(gone);
	return kept;
}

uint64_t blobs_bytes(struct blobs *blobs, uint64_t blob_id)
{
	pthread_mutex_lock(&blobs->lock);
	const struct blob *blob = *find_locked(blobs, blob_id);
	uint64_t bytes = blob && !blob->dying ? blob->bytes : 0;
	pthread_mutex_unlock(&blobs->lock);
	return bytes;
}

void *blobs_pin(struct blobs *blobs, const struct wire_range *range)
{
	void *bytes = NULL;
	uint64_t end;

	if (__builtin_add_overflow(range->offset, range->bytes, &end))
		return NULL;
	pthread_mutex_lock(&blobs->lock);
	struct blob *blob = *find_locked(blobs, range->blob_id);
	if (blob && !blob->dying && end <= blob->bytes) {
		blob->pins++;
		bytes = (blob->svm ? blob->svm : blob->address) + range->offset;
	}
	pthread_mutex_unlock(&blobs->lock);
	return bytes;
}

void blobs_unpin(struct blobs *blobs, uint64_t blob_id)
{
	struct blob *gone = NULL;

	pthread_mutex_lock(&blobs->lock);
	struct blob **at = find_locked(blobs, blob_id);
	if (*at && !--(*at)->pins && (*at)->dying) {
		gone = *at;
		*at = gone->next;
		blobs->dying_count--;
	}
	pthread_mutex_unlock(&blobs->lock);
	if (!gone)
		return;
	uint64_t offset = gone->offset, unmap_number = gone->unmap_number;
	blob_destroy(gone);
	blobs->released(blobs->data, blob_id, offset, unmap_number);
}

bool blobs_any_dying(struct blobs *blobs)
{
	pthread_mutex_lock(&blobs->lock);
	bool any = blobs->dying_count > 0;
	pthread_mutex_unlock(&blobs->lock);
	return any;
}

bool blobs_is_dying(struct blobs *blobs, uint64_t blob_id)
{
	pthread_mutex_lock(&blobs->lock);
	const struct blob *blob = *find_locked(blobs, blob_id);
	bool dying = blob && blob->dying;
	pthread_mutex_unlock(&blobs->lock);
	return dying;
}
