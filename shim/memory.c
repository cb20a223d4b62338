/* SPDX-License-Identifier: MIT */
/*
 * Slabs and large blobs. Owns every MEMORY blob of the session.
 *
 * Theory of operation. Each blob is a `memory_slab` with a list of free extents sorted by offset; a large range is a
 * slab with one owner. Ranges on their way back wait in `parting`, in the order of their records, until those are
 * answered; `memory_reap` then returns their extents. A slab that becomes wholly free goes (one empty one is kept): it
 * leaves the list, a BLOB_RELEASE is written, and when that is answered the blob is destroyed. Reaping happens on each
 * allocation; when much is parting, the waiter thread does it, so that an idle process gives memory back too.
 *
 * No record is written with memory->lock held: writing may wait for room, and the thread that makes room may need the lock.
 */
#include "shim/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_MAX_BYTES 0x200000u
#define SLAB_MIN_BYTES 0x10000u
#define PAGE_BYTES 4096u
#define PARTING_QUIET_BYTES 0x100000u	/* as much may lie about unreaped in an idle process */

struct extent {
	struct extent *next;
	size_t offset, bytes;
};

struct memory_slab {
	struct memory_slab *next;
	struct transport_blob blob;
	struct extent *free;		/* sorted, never adjacent */
	size_t free_bytes;
	bool large;			/* one range, own blob */
	struct ring_completion release;
};

struct parting {
	struct parting *next;
	struct memory_slab *slab;
	size_t offset, bytes;
	struct ring_completion completion;	/* of the DESTROY; or, with queue != 0: */
	uint32_t queue;
	uint64_t sequence;
};

struct memory {
	struct ring *ring;
	size_t align_bytes;
	size_t slab_bytes;
	pthread_mutex_t reap_lock;	/* held over a whole reaping, so that nothing is between two lists meanwhile */
	pthread_mutex_t lock;		/* guards what follows */
	uint32_t next_blob;
	struct memory_slab *slabs;
	struct memory_slab *leaving;	/* BLOB_RELEASE under way */
	struct parting *parting, **parting_end;
	struct parting *pool;
	uint64_t held_bytes;
	size_t parting_bytes;
	struct ring_wait reaper;
	bool reaper_set;
};

static bool reapable(struct ring *ring, struct ring_wait *wait);
static void reaper_notified(struct ring *ring, struct ring_wait *wait);

int memory_create(struct ring *ring, struct memory **ret_memory)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	const struct wire_capset *capset = ring->transport->capset;
	size_t slab_bytes = SLAB_MIN_BYTES;

	if (!memory)
		return -ENOMEM;
	while (slab_bytes < SLAB_MAX_BYTES && slab_bytes * 2 <= capset->vram_bytes / 64)
		slab_bytes *= 2;
	memory->ring = ring;
	memory->slab_bytes = slab_bytes;
	memory->align_bytes = capset->mem_align_bytes > 64 ? capset->mem_align_bytes : 64;
	memory->next_blob = 1;
	memory->reaper.done = reapable;
	memory->reaper.notify = reaper_notified;
	memory->parting_end = &memory->parting;
	pthread_mutex_init(&memory->lock, NULL);
	pthread_mutex_init(&memory->reap_lock, NULL);
	*ret_memory = memory;
	return 0;
}

static void slab_destroy(struct memory *memory, struct memory_slab *slab)
{
	struct extent *extent;

	while ((extent = slab->free)) {
		slab->free = extent->next;
		free(extent);
	}
	memory->ring->transport->ops->blob_destroy(memory->ring->transport, &slab->blob);
	free(slab);
}

static void slabs_destroy(struct memory *memory, struct memory_slab *slab)
{
	while (slab) {
		struct memory_slab *next = slab->next;

		ring_forget(memory->ring, &slab->release);
		slab_destroy(memory, slab);
		slab = next;
	}
}

static void partings_free(struct memory *memory, struct parting *parting)
{
	while (parting) {
		struct parting *next = parting->next;

		ring_forget(memory->ring, &parting->completion);
		free(parting);
		parting = next;
	}
}

void memory_destroy(struct memory *memory)
{
	if (!memory)
		return;
	slabs_destroy(memory, memory->slabs);
	slabs_destroy(memory, memory->leaving);
	partings_free(memory, memory->parting);
	partings_free(memory, memory->pool);
	pthread_mutex_destroy(&memory->lock);
	pthread_mutex_destroy(&memory->reap_lock);
	free(memory);
}

void memory_after_fork(struct memory *memory)
{
	pthread_mutex_init(&memory->lock, NULL);
	pthread_mutex_init(&memory->reap_lock, NULL);
}

uint64_t memory_held_bytes(struct memory *memory)
{
	uint64_t bytes;

	pthread_mutex_lock(&memory->lock);
	bytes = memory->held_bytes;
	pthread_mutex_unlock(&memory->lock);
	return bytes;
}

/* ---- extents ---------------------------------------------------------------------------------- */

static int slab_take(struct memory_slab *slab, size_t bytes, size_t *ret_offset)
{
	for (struct extent **link = &slab->free, *extent; (extent = *link); link = &extent->next) {
		if (extent->bytes < bytes)
			continue;
		*ret_offset = extent->offset;
		extent->offset += bytes;
		extent->bytes -= bytes;
		slab->free_bytes -= bytes;
		if (extent->bytes == 0) {
			*link = extent->next;
			free(extent);
		}
		return 0;
	}
	return -ENOMEM;
}

/* Merges the range back. Where no memory for an extent can be had, its bytes are lost until the slab goes. */
static void slab_return(struct memory_slab *slab, size_t offset, size_t bytes)
{
	struct extent **link = &slab->free, *before = NULL, *after, *extent;

	while ((after = *link) && after->offset < offset) {
		before = after;
		link = &after->next;
	}
	slab->free_bytes += bytes;
	if (before && before->offset + before->bytes == offset) {
		before->bytes += bytes;
		if (after && before->offset + before->bytes == after->offset) {
			before->bytes += after->bytes;
			before->next = after->next;
			free(after);
		}
	} else if (after && offset + bytes == after->offset) {
		after->offset = offset;
		after->bytes += bytes;
	} else {
		extent = malloc(sizeof(*extent));
		if (!extent)
			return;
		*extent = (struct extent){ .next = after, .offset = offset, .bytes = bytes };
		*link = extent;
	}
}

/* ---- giving back ------------------------------------------------------------------------------- */

static bool parting_over(struct memory *memory, struct parting *parting)
{
	if (parting->queue)
		return ring_queue_done(memory->ring, parting->queue, parting->sequence);
	return ring_poll(memory->ring, &parting->completion);
}

/* Returns answered ranges to their slabs and collects slabs that have become free into *ret_empty. */
static void reap_locked(struct memory *memory, struct memory_slab **ret_empty)
{
	struct parting **link = &memory->parting, *parting;
	struct memory_slab **slab_link = &memory->slabs, *slab;
	bool kept = false;

	if (!memory->parting)
		return;
	while ((parting = *link)) {
		if (!parting_over(memory, parting)) {
			link = &parting->next;
			continue;
		}
		*link = parting->next;
		memory->parting_bytes -= parting->bytes;
		slab_return(parting->slab, parting->offset, parting->bytes);
		parting->next = memory->pool;
		memory->pool = parting;
	}
	memory->parting_end = link;
	while ((slab = *slab_link)) {
		bool empty = slab->free_bytes == slab->blob.bytes;

		if (empty && (slab->large || kept)) {
			*slab_link = slab->next;
			slab->next = *ret_empty;
			*ret_empty = slab;
			continue;
		}
		kept |= empty;
		slab_link = &slab->next;
	}
}

/* Without the lock: asks the engine to let go of each, then files them as leaving. A process that does nothing more must get
 * its answer too: so the engine is told, also by who finds the waiter thread waiting already. */
static void slabs_part(struct memory *memory, struct memory_slab *slab)
{
	bool any = slab;

	while (slab) {
		struct memory_slab *next = slab->next;
		struct wire_blob_release *record = ring_begin(memory->ring, WIRE_BLOB_RELEASE, sizeof(*record),
							      &slab->release);

		if (record) {
			record->reserved = 0;
			record->blob_id = slab->blob.blob_id;
			ring_commit(memory->ring);
		}
		pthread_mutex_lock(&memory->lock);
		slab->next = memory->leaving;
		memory->leaving = slab;
		pthread_mutex_unlock(&memory->lock);
		slab = next;
	}
	if (any)
		ring_flush(memory->ring);
}

static void leaving_drop(struct memory *memory)
{
	struct memory_slab *gone = NULL, *slab;

	pthread_mutex_lock(&memory->lock);
	for (struct memory_slab **link = &memory->leaving; (slab = *link);) {
		if (!ring_is_lost(memory->ring) && !ring_poll(memory->ring, &slab->release)) {
			link = &slab->next;
			continue;
		}
		ring_forget(memory->ring, &slab->release);
		*link = slab->next;
		slab->next = gone;
		gone = slab;
		memory->held_bytes -= slab->blob.bytes;
	}
	pthread_mutex_unlock(&memory->lock);
	while ((slab = gone)) {
		gone = slab->next;
		slab_destroy(memory, slab);
	}
}

static void reap(struct memory *memory)
{
	struct memory_slab *empty = NULL;

	pthread_mutex_lock(&memory->reap_lock);
	pthread_mutex_lock(&memory->lock);
	reap_locked(memory, &empty);
	pthread_mutex_unlock(&memory->lock);
	slabs_part(memory, empty);
	leaving_drop(memory);
	pthread_mutex_unlock(&memory->reap_lock);
}

/* Something under way of going is over. */
static bool reapable(struct ring *ring, struct ring_wait *wait)
{
	struct memory *memory = (void *)((char *)wait - offsetof(struct memory, reaper));
	bool over;

	(void)ring;
	if (pthread_mutex_trylock(&memory->lock) != 0)
		return false;	/* whoever has it reaps, or arms again */
	over = (memory->parting && parting_over(memory, memory->parting)) ||
	       (memory->leaving && ring_poll(memory->ring, &memory->leaving->release)) ||
	       (!memory->parting && !memory->leaving);
	pthread_mutex_unlock(&memory->lock);
	return over;
}

static void reaper_arm(struct memory *memory)
{
	bool due, arm;

	pthread_mutex_lock(&memory->lock);
	due = (memory->leaving || memory->parting_bytes >= PARTING_QUIET_BYTES) && !ring_is_lost(memory->ring);
	arm = due && !memory->reaper_set;
	memory->reaper_set |= arm;
	pthread_mutex_unlock(&memory->lock);
	/* What it waits for already may be behind a record that a sleeping engine has not been told of. */
	if (due && !arm)
		ring_flush(memory->ring);
	/* Without a thread for it the next allocation reaps. */
	if (arm && ring_wait_async(memory->ring, &memory->reaper) < 0) {
		pthread_mutex_lock(&memory->lock);
		memory->reaper_set = false;
		pthread_mutex_unlock(&memory->lock);
	}
}

static void reaper_notified(struct ring *ring, struct ring_wait *wait)
{
	struct memory *memory = (void *)((char *)wait - offsetof(struct memory, reaper));

	(void)ring;
	reap(memory);
	pthread_mutex_lock(&memory->lock);
	memory->reaper_set = false;
	pthread_mutex_unlock(&memory->lock);
	reaper_arm(memory);
}

/* A zeroed one with the range in it, or NULL. */
static struct parting *parting_new(struct memory *memory, const struct memory_range *range)
{
	struct parting *parting;

	pthread_mutex_lock(&memory->lock);
	parting = memory->pool;
	if (parting)
		memory->pool = parting->next;
	pthread_mutex_unlock(&memory->lock);
	if (!parting)
		parting = malloc(sizeof(*parting));
	if (!parting)
		return NULL;
	memset(parting, 0, sizeof(*parting));
	parting->slab = range->slab;
	parting->offset = range->offset;
	/* A large one has its blob to itself. */
	parting->bytes = range->slab->large ? range->slab->blob.bytes :
		(range->bytes + memory->align_bytes - 1) / memory->align_bytes * memory->align_bytes;
	return parting;
}

static void parting_add(struct memory *memory, struct parting *parting)
{
	pthread_mutex_lock(&memory->lock);
	parting->next = NULL;
	*memory->parting_end = parting;
	memory->parting_end = &parting->next;
	memory->parting_bytes += parting->bytes;
	pthread_mutex_unlock(&memory->lock);
	reaper_arm(memory);
}

/* Where memory for the note itself is out, the range stays taken until the session ends: safe, and all there is to do. */
void memory_release_destroy(struct memory *memory, struct memory_range *range, enum wire_opcode opcode, uint32_t id)
{
	struct parting *parting = range->slab ? parting_new(memory, range) : NULL;
	struct wire_destroy *record = ring_begin(memory->ring, opcode, sizeof(*record),
						 parting ? &parting->completion : NULL);

	if (record) {
		record->id = id;
		ring_commit(memory->ring);
	}
	range->slab = NULL;
	if (!parting)
		return;
	if (!record) {		/* lost: nobody touches anything */
		parting->completion.done = 1;
		parting->completion.slot = WIRE_NO_SLOT;
	}
	parting_add(memory, parting);
}

void memory_release_after(struct memory *memory, struct memory_range *range, uint32_t queue, uint64_t sequence)
{
	struct parting *parting = range->slab ? parting_new(memory, range) : NULL;

	range->slab = NULL;
	if (!parting)
		return;
	parting->queue = queue;
	parting->sequence = sequence;
	parting_add(memory, parting);
}

void memory_release(struct memory *memory, struct memory_range *range)
{
	struct parting *parting = range->slab ? parting_new(memory, range) : NULL;

	range->slab = NULL;
	if (!parting)
		return;
	parting->completion.done = 1;
	parting->completion.slot = WIRE_NO_SLOT;
	parting_add(memory, parting);
}

/* ---- taking ------------------------------------------------------------------------------------ */

static int slab_create(struct memory *memory, size_t bytes, bool large, struct memory_slab **ret_slab)
{
	struct transport *transport = memory->ring->transport;
	struct memory_slab *slab = calloc(1, sizeof(*slab));
	struct extent *extent = calloc(1, sizeof(*extent));
	uint32_t id = __atomic_fetch_add(&memory->next_blob, 1, __ATOMIC_RELAXED);
	int r = -ENOMEM;

	if (slab && extent)
		r = transport->ops->blob_create(transport, WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id), bytes, &slab->blob);
	if (r < 0) {
		free(slab);
		free(extent);
		return r;
	}
	slab->blob.bytes = bytes;
	extent->bytes = bytes;
	slab->free = extent;
	slab->free_bytes = bytes;
	slab->large = large;
	slab->release.slot = WIRE_NO_SLOT;
	*ret_slab = slab;
	return 0;
}

static int range_take_locked(struct memory *memory, size_t rounded, struct memory_range *ret_range)
{
	for (struct memory_slab *slab = memory->slabs; slab; slab = slab->next) {
		size_t offset;

		if (slab->large || slab->free_bytes < rounded || slab_take(slab, rounded, &offset) < 0)
			continue;
		ret_range->slab = slab;
		ret_range->offset = offset;
		ret_range->blob_id = slab->blob.blob_id;
		ret_range->address = (uint8_t *)slab->blob.address + offset;
		return 0;
	}
	return -ENOMEM;
}

/* One attempt. alone: in a blob of its own. */
static int range_take(struct memory *memory, size_t bytes, bool alone, struct memory_range *ret_range)
{
	size_t rounded = (bytes + memory->align_bytes - 1) / memory->align_bytes * memory->align_bytes;
	bool large = alone || rounded > memory->slab_bytes / 4;
	struct memory_range range = { .bytes = bytes };
	struct memory_slab *slab;
	int r = -ENOMEM;

	if (!large) {
		pthread_mutex_lock(&memory->lock);
		r = range_take_locked(memory, rounded, &range);
		pthread_mutex_unlock(&memory->lock);
	}
	if (r < 0) {
		size_t blob_bytes = large ? (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES : memory->slab_bytes;

		r = slab_create(memory, blob_bytes, large, &slab);
		if (r == -ENOMEM && !large) {	/* no whole slab any more, perhaps just enough */
			blob_bytes = (rounded + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
			r = slab_create(memory, blob_bytes, false, &slab);
		}
		if (r < 0)
			return r;
		pthread_mutex_lock(&memory->lock);
		slab->next = memory->slabs;
		memory->slabs = slab;
		memory->held_bytes += blob_bytes;
		r = slab_take(slab, large ? blob_bytes : rounded, &range.offset);
		range.slab = slab;
		range.blob_id = slab->blob.blob_id;
		range.address = (uint8_t *)slab->blob.address + range.offset;
		pthread_mutex_unlock(&memory->lock);
	}
	*ret_range = range;
	return r;
}

static bool something_goes(struct memory *memory)
{
	bool found;

	pthread_mutex_lock(&memory->lock);
	found = memory->parting || memory->leaving;
	pthread_mutex_unlock(&memory->lock);
	return found;
}

static bool reap_possible(struct ring *ring, struct ring_wait *wait)
{
	return reapable(ring, (void *)(uintptr_t)wait->sequence);
}

static int alloc(struct memory *memory, size_t bytes, bool alone, struct memory_range *ret_range)
{
	int r;

	if (bytes == 0)
		bytes = 1;
	reap(memory);
	while ((r = range_take(memory, bytes, alone, ret_range)) == -ENOMEM) {
		struct ring_wait wait = { .done = reap_possible, .sequence = (uintptr_t)&memory->reaper };
		bool more;

		/* Another thread may have given something back since, or be about to. */
		pthread_mutex_lock(&memory->reap_lock);
		r = range_take(memory, bytes, alone, ret_range);
		more = something_goes(memory);
		pthread_mutex_unlock(&memory->reap_lock);
		if (r != -ENOMEM || !more)
			break;
		if (ring_wait(memory->ring, &wait, 0) < 0)
			return -EIO;
		reap(memory);
	}
	return r == -ENOMEM || r == 0 ? r : ring_is_lost(memory->ring) ? -EIO : r;
}

int memory_alloc(struct memory *memory, size_t bytes, struct memory_range *ret_range)
{
	return alloc(memory, bytes, false, ret_range);
}

int memory_alloc_blob(struct memory *memory, size_t bytes, struct memory_range *ret_range)
{
	return alloc(memory, bytes, true, ret_range);
}

int memory_move(struct memory *memory, struct memory_range *range, void *address)
{
	struct transport *transport = memory->ring->transport;
	int r = transport->ops->blob_move(transport, &range->slab->blob, address);

	if (!r)
		range->address = address;
	return r;
}
