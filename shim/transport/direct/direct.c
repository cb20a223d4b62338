/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/transport/direct/connection.h"

struct direct_blob {
	struct direct_blob *next;
	struct gpu_blob gpu;
	uint64_t blob_id;
	void *address;
};

/* A wake fence under way. Belongs to the list of its transport; freed by the queue's callback. */
struct direct_wake {
	struct gpu_fence fence;
	struct direct_wakes *wakes;
	struct direct_wake *next;
	int eventfd;			/* ours; the caller has its own */
};

/* Outlives the transport while fences are under way: counted. */
struct direct_wakes {
	pthread_mutex_t lock;
	struct direct_wake *first;
	unsigned references;
};

struct direct {
	struct transport base;
	struct connection *connection;
	uint32_t context;
	struct connection_watcher watcher;
	pthread_mutex_t lock;		/* blobs and ring */
	struct direct_blob *blobs;
	struct wire_engine_page *ring;	/* NULL: no ring yet */
	struct direct_wakes *wakes;
};

static struct direct *direct_of(struct transport *transport)
{
	return (struct direct *)((char *)transport - offsetof(struct direct, base));
}

/* ---- wakes ------------------------------------------------------------------------------------- */

static void wakes_put(struct direct_wakes *wakes)
{
	bool last;

	pthread_mutex_lock(&wakes->lock);
	last = --wakes->references == 0;
	pthread_mutex_unlock(&wakes->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&wakes->lock);
	free(wakes);
}

static void ring_eventfd(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void wake_done(struct queue_request *request)
{
	struct direct_wake *wake = (struct direct_wake *)((char *)request - offsetof(struct direct_wake, fence.request));
	struct direct_wakes *wakes = wake->wakes;

	ring_eventfd(wake->eventfd);
	pthread_mutex_lock(&wakes->lock);
	for (struct direct_wake **at = &wakes->first; *at; at = &(*at)->next)
		if (*at == wake) {
			*at = wake->next;
			break;
		}
	pthread_mutex_unlock(&wakes->lock);
	close(wake->eventfd);
	free(wake);
	wakes_put(wakes);
}

/* Makes all descriptors readable whose fence has not come yet. */
static void wakes_ring_all(struct direct_wakes *wakes)
{
	pthread_mutex_lock(&wakes->lock);
	for (struct direct_wake *wake = wakes->first; wake; wake = wake->next)
		ring_eventfd(wake->eventfd);
	pthread_mutex_unlock(&wakes->lock);
}

static int direct_submit_wake(struct transport *transport, int *ret_fence)
{
	struct direct *direct = direct_of(transport);
	const struct wire_submit submit = {.op = WIRE_SUBMIT_WAKE, .version = WIRE_VERSION};
	struct direct_wakes *wakes = direct->wakes;
	struct direct_wake *wake;
	int callers, err;

	if (!connection_usable(direct->connection))
		return -ENODEV;
	wake = calloc(1, sizeof(*wake));
	if (!wake)
		return -ENOMEM;
	wake->wakes = wakes;
	wake->fence.request.done = wake_done;
	wake->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	callers = wake->eventfd < 0 ? -1 : fcntl(wake->eventfd, F_DUPFD_CLOEXEC, 0);
	if (callers < 0) {
		err = -errno;
		goto fail;
	}
	/* On the list before it is posted: it may be done before that call returns. */
	pthread_mutex_lock(&wakes->lock);
	wakes->references++;
	wake->next = wakes->first;
	wakes->first = wake;
	pthread_mutex_unlock(&wakes->lock);
	err = gpu_submit_fenced(connection_gpu(direct->connection), direct->context, WIRE_FENCE_RING_WAKE, &submit, &wake->fence);
	if (!err) {
		*ret_fence = callers;
		return 0;
	}
	pthread_mutex_lock(&wakes->lock);
	for (struct direct_wake **at = &wakes->first; *at; at = &(*at)->next)
		if (*at == wake) {
			*at = wake->next;
			break;
		}
	wakes->references--;
	pthread_mutex_unlock(&wakes->lock);
	close(callers);
fail:
	if (wake->eventfd >= 0)
		close(wake->eventfd);
	free(wake);
	return err;
}

/* ---- blobs ------------------------------------------------------------------------------------- */

/* The connection died: what polls the ring must see it without a system call of ours. Under the connection's lock. */
static void direct_lost(struct connection_watcher *watcher)
{
	struct direct *direct = (struct direct *)((char *)watcher - offsetof(struct direct, watcher));

	pthread_mutex_lock(&direct->lock);
	if (direct->ring && __atomic_load_n(&direct->ring->engine_state, __ATOMIC_RELAXED) != WIRE_ENGINE_LOST) {
		__atomic_store_n(&direct->ring->lost_reason, WIRE_LOST_CRASH, __ATOMIC_RELAXED);
		__atomic_store_n(&direct->ring->engine_state, WIRE_ENGINE_LOST, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&direct->lock);
	wakes_ring_all(direct->wakes);
}

static int direct_blob_create(struct transport *transport, uint64_t blob_id, size_t bytes, struct transport_blob *ret_blob)
{
	struct direct *direct = direct_of(transport);
	struct direct_blob *blob;
	int err;

	if (!bytes || bytes > SIZE_MAX - 4095)
		return -EINVAL;
	bytes = (bytes + 4095) & ~(size_t)4095;
	if (!connection_usable(direct->connection))
		return -ENODEV;
	blob = calloc(1, sizeof(*blob));
	if (!blob)
		return -ENOMEM;
	err = gpu_blob_create(connection_gpu(direct->connection), direct->context, blob_id, bytes, &blob->gpu);
	if (err)
		goto free_blob;
	err = connection_map(direct->connection, blob->gpu.offset, bytes, &blob->address);
	if (err)
		goto destroy_blob;
	blob->blob_id = blob_id;
	pthread_mutex_lock(&direct->lock);
	blob->next = direct->blobs;
	direct->blobs = blob;
	if (WIRE_BLOB_KIND(blob_id) == WIRE_BLOB_KIND_RING && bytes >= WIRE_RING_BLOB_BYTES)
		direct->ring = (struct wire_engine_page *)((uint8_t *)blob->address + WIRE_OFFSET_ENGINE_PAGE);
	pthread_mutex_unlock(&direct->lock);
	*ret_blob = (struct transport_blob){
		.blob_id = blob_id,
		.address = blob->address,
		.bytes = bytes,
		.handle = blob->gpu.resource,
	};
	return 0;

destroy_blob:
	gpu_blob_destroy(connection_gpu(direct->connection), direct->context, &blob->gpu);
free_blob:
	free(blob);
	return err;
}

static void direct_blob_destroy(struct transport *transport, struct transport_blob *blob)
{
	struct direct *direct = direct_of(transport);
	struct direct_blob *found = NULL;

	if (connection_in_child(direct->connection))
		return;		/* neither mapped nor ours here */
	pthread_mutex_lock(&direct->lock);
	for (struct direct_blob **at = &direct->blobs; *at; at = &(*at)->next)
		if ((*at)->gpu.resource == blob->handle) {
			found = *at;
			*at = found->next;
			break;
		}
	if (found && direct->ring && (uint8_t *)direct->ring == (uint8_t *)found->address + WIRE_OFFSET_ENGINE_PAGE)
		direct->ring = NULL;
	pthread_mutex_unlock(&direct->lock);
	if (!found)
		return;
	munmap(found->address, found->gpu.bytes);
	gpu_blob_destroy(connection_gpu(direct->connection), direct->context, &found->gpu);
	free(found);
	blob->address = NULL;
}

static int direct_blob_move(struct transport *transport, struct transport_blob *blob, void *address)
{
	struct direct *direct = direct_of(transport);
	int err = -ENOENT;

	if (connection_in_child(direct->connection))
		return -ENODEV;
	pthread_mutex_lock(&direct->lock);
	for (struct direct_blob *at = direct->blobs; at; at = at->next) {
		if (at->gpu.resource != blob->handle)
			continue;
		err = 0;
		if (mremap(at->address, at->gpu.bytes, at->gpu.bytes, MREMAP_MAYMOVE | MREMAP_FIXED, address) == MAP_FAILED)
			err = -errno;
		else
			at->address = blob->address = address;
		break;
	}
	pthread_mutex_unlock(&direct->lock);
	return err;
}

/* ---- the transport ------------------------------------------------------------------------------- */

static int direct_submit(struct transport *transport, const struct wire_submit *submit)
{
	struct direct *direct = direct_of(transport);

	if (!connection_usable(direct->connection))
		return -ENODEV;
	/* SETUP is rare and its refusal worth knowing at once; a doorbell is neither. */
	return gpu_submit(connection_gpu(direct->connection), direct->context, submit, submit->op == WIRE_SUBMIT_SETUP);
}

/* Blobs still alive: their memory stays readable and writable, but is nobody's any more, as the aperture's pages
 * go to others now. It reads zero. */
static void abandon_blobs(struct direct *direct)
{
	struct gpu *gpu = connection_gpu(direct->connection);

	while (direct->blobs) {
		struct direct_blob *blob = direct->blobs;

		direct->blobs = blob->next;
		(void)!mmap(blob->address, blob->gpu.bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
		if (connection_usable(direct->connection))
			gpu_blob_destroy(gpu, direct->context, &blob->gpu);
		free(blob);
	}
}

static void forget_in_child(struct direct *direct)
{
	while (direct->blobs) {
		struct direct_blob *blob = direct->blobs;

		direct->blobs = blob->next;
		free(blob);
	}
	while (direct->wakes->first) {
		struct direct_wake *wake = direct->wakes->first;

		direct->wakes->first = wake->next;
		close(wake->eventfd);
		free(wake);
	}
	free(direct->wakes);
}

static void direct_close(struct transport *transport)
{
	struct direct *direct = direct_of(transport);

	if (connection_in_child(direct->connection)) {
		forget_in_child(direct);
	} else {
		connection_unwatch(direct->connection, &direct->watcher);
		abandon_blobs(direct);
		if (connection_usable(direct->connection))
			gpu_context_destroy(connection_gpu(direct->connection), direct->context);
		wakes_ring_all(direct->wakes);
		connection_put(direct->connection);
		wakes_put(direct->wakes);
		pthread_mutex_destroy(&direct->lock);
	}
	free(direct->base.capset);
	free(direct);
}

static const struct transport_ops direct_ops = {
	.name = "direct",
	.blob_create = direct_blob_create,
	.blob_destroy = direct_blob_destroy,
	.blob_move = direct_blob_move,
	.submit = direct_submit,
	.submit_wake = direct_submit_wake,
	.close = direct_close,
};

static int copy_capset(struct connection *connection, struct wire_capset **ret_capset)
{
	const struct wire_capset *capset = connection_capset(connection);
	struct wire_capset *copy = malloc(capset->bytes);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, capset, capset->bytes);
	*ret_capset = copy;
	return 0;
}

int direct_capset(const char *path, struct wire_capset **ret_capset, char ret_why[256])
{
	struct connection *connection;
	int err = connection_get(path, 0, &connection, ret_why);

	if (err)
		return err;
	err = copy_capset(connection, ret_capset);
	if (err)
		snprintf(ret_why, 256, "out of memory");
	/* A context is usually opened next. */
	connection_keep(connection);
	connection_put(connection);
	return err;
}

static struct direct *direct_alloc(void)
{
	struct direct *direct = calloc(1, sizeof(*direct));

	if (!direct)
		return NULL;
	direct->wakes = calloc(1, sizeof(*direct->wakes));
	if (!direct->wakes) {
		free(direct);
		return NULL;
	}
	direct->wakes->references = 1;
	pthread_mutex_init(&direct->wakes->lock, NULL);
	pthread_mutex_init(&direct->lock, NULL);
	direct->base.ops = &direct_ops;
	direct->base.same_host = true;
	direct->watcher.lost = direct_lost;
	return direct;
}

int direct_open(const char *path, unsigned timeout_ms, struct transport **ret_transport, char ret_why[256])
{
	struct direct *direct = direct_alloc();
	int err = -ENOMEM;

	snprintf(ret_why, 256, "out of memory");
	if (!direct)
		return err;
	err = connection_get(path, timeout_ms, &direct->connection, ret_why);
	if (err)
		goto free_direct;
	connection_unkeep(direct->connection);
	err = copy_capset(direct->connection, &direct->base.capset);
	if (err)
		goto put_connection;
	err = gpu_context_create(connection_gpu(direct->connection), program_invocation_short_name, &direct->context);
	if (err) {
		snprintf(ret_why, 256, "vGPU '%.64s' gives no further context: %s; end a process that uses it, or take a profile with more contexts",
			 direct->base.capset->vgpu_name, strerror(-err));
		goto free_capset;
	}
	connection_watch(direct->connection, &direct->watcher);
	*ret_transport = &direct->base;
	return 0;

free_capset:
	free(direct->base.capset);
put_connection:
	connection_put(direct->connection);
free_direct:
	pthread_mutex_destroy(&direct->lock);
	wakes_put(direct->wakes);
	free(direct);
	return err;
}

uint64_t direct_notify_count(struct transport *transport)
{
	return connection_notify_count(direct_of(transport)->connection);
}
