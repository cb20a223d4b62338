/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "shim/transport/capset.h"
#include "shim/transport/fork_guard.h"

#define KEEP_MS 1000

struct connection {
	struct connection *next;	/* in the registry */
	char *path;
	unsigned references;		/* under fork_lock, as is kept */
	bool kept;			/* a reference of its own, until keep_timer */
	int keep_timer;
	struct fork_guard guard;
	unsigned timeout_ms;		/* of a gpu command */

	struct vfio_user_client *client;
	struct virtio_device device;
	struct arena arena;
	struct queue queue;
	struct gpu gpu;
	struct wire_capset *capset;
	int aperture_fd;
	uint64_t aperture_file_offset;
	uint64_t aperture_bytes;

	int config_irq;			/* eventfds behind MSI-X vectors */
	int control_irq;
	int stop;			/* eventfd: the thread is to end */
	pthread_t thread;
	pthread_mutex_t lock;
	bool dead;			/* under lock, as is the list */
	struct connection_watcher *watchers;
};

/* Process-wide because it is about the process: all its contexts share what is here. Under fork_lock. */
static struct connection *registry;

bool connection_in_child(struct connection *connection)
{
	return fork_guard_in_child(&connection->guard);
}

bool connection_usable(struct connection *connection)
{
	return !connection_in_child(connection) && !vfio_user_client_dead(connection->client);
}

struct gpu *connection_gpu(struct connection *connection)
{
	return &connection->gpu;
}

const struct wire_capset *connection_capset(struct connection *connection)
{
	return connection->capset;
}

uint64_t connection_notify_count(struct connection *connection)
{
	return atomic_load_explicit(&connection->queue.notify_count, memory_order_relaxed);
}

int connection_map(struct connection *connection, uint64_t offset, size_t bytes, void **ret_address)
{
	void *address;

	if (offset > connection->aperture_bytes || bytes > connection->aperture_bytes - offset)
		return -EINVAL;
	address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, connection->aperture_fd,
		       (off_t)(connection->aperture_file_offset + offset));
	if (address == MAP_FAILED)
		return -errno;
	madvise(address, bytes, MADV_DONTFORK);
	*ret_address = address;
	return 0;
}

void connection_watch(struct connection *connection, struct connection_watcher *watcher)
{
	pthread_mutex_lock(&connection->lock);
	watcher->previous = NULL;
	watcher->next = connection->watchers;
	if (watcher->next)
		watcher->next->previous = watcher;
	connection->watchers = watcher;
	if (connection->dead)
		watcher->lost(watcher);
	pthread_mutex_unlock(&connection->lock);
}

void connection_unwatch(struct connection *connection, struct connection_watcher *watcher)
{
	pthread_mutex_lock(&connection->lock);
	if (watcher->previous)
		watcher->previous->next = watcher->next;
	else
		connection->watchers = watcher->next;
	if (watcher->next)
		watcher->next->previous = watcher->previous;
	pthread_mutex_unlock(&connection->lock);
}

/* ---- the thread --------------------------------------------------------------------------------- */

static void declare_dead(struct connection *connection)
{
	vfio_user_client_kill(connection->client);
	pthread_mutex_lock(&connection->lock);
	connection->dead = true;
	for (struct connection_watcher *watcher = connection->watchers; watcher; watcher = watcher->next)
		watcher->lost(watcher);
	pthread_mutex_unlock(&connection->lock);
	queue_fail(&connection->queue);
}

static bool take_event(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

static bool needs_reset(struct connection *connection)
{
	uint8_t status;

	return virtio_status(&connection->device, &status) || (status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* Under fork_lock. True: it was the last reference, and the connection is no longer in the registry. */
static bool put_locked(struct connection *connection)
{
	if (--connection->references)
		return false;
	for (struct connection **at = &registry; *at; at = &(*at)->next)
		if (*at == connection) {
			*at = connection->next;
			break;
		}
	return true;
}

static bool unkeep(struct connection *connection)
{
	bool last = false;

	fork_lock();
	if (connection->kept) {
		connection->kept = false;
		last = put_locked(connection);
	}
	fork_unlock();
	return last;
}

static void destroy_all_but_thread(struct connection *connection);

/* Sleeps until the device interrupts, the service hangs up, or the connection ends. */
static void *serve(void *data)
{
	struct connection *connection = data;
	enum { CONTROL, CONFIG, SOCKET, STOP, KEEP, COUNT };
	bool last = false;
	struct pollfd p[COUNT] = {
		[CONTROL] = {.fd = connection->control_irq, .events = POLLIN},
		[CONFIG] = {.fd = connection->config_irq, .events = POLLIN},
		/* Nobody writes to us unasked: only the end of the stream is of interest (POLLHUP comes in any case). */
		[SOCKET] = {.fd = *vfio_user_client_socket(connection->client), .events = 0},
		[STOP] = {.fd = connection->stop, .events = POLLIN},
		[KEEP] = {.fd = connection->keep_timer, .events = POLLIN},
	};

	for (;;) {
		if (poll(p, COUNT, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (p[STOP].revents)
			break;
		if (p[CONTROL].revents && take_event(connection->control_irq) && queue_reap(&connection->queue))
			break;
		if (p[CONFIG].revents && take_event(connection->config_irq) && needs_reset(connection))
			break;
		if (p[SOCKET].revents)
			break;
		if (p[KEEP].revents && take_event(connection->keep_timer) && (last = unkeep(connection)))
			break;
	}
	/* What the device completed before it went still counts. */
	(void)queue_reap(&connection->queue);
	declare_dead(connection);
	/* Nobody opened what was kept: then there is nobody but this thread to end it. */
	if (last || unkeep(connection)) {
		pthread_detach(pthread_self());
		destroy_all_but_thread(connection);
	}
	return NULL;
}

/* An application's signals are none of a library thread's business. */
static int start_thread(struct connection *connection)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&connection->thread, NULL, serve, connection);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		pthread_setname_np(connection->thread, "vgpu-direct");
	return -err;
}

/* ---- bringing the device up ---------------------------------------------------------------------- */

/* Finds the file behind the shared memory and checks that all of it may be mapped. */
static int find_aperture(struct connection *connection, char ret_why[256])
{
	const struct pci_window *window = &connection->device.layout.host_visible;
	struct vfio_user_region region;
	struct stat file;
	bool covered = false;
	int err = vfio_user_client_region_info(connection->client, window->bar, &region);

	if (err) {
		snprintf(ret_why, 256, "the service does not describe BAR %u, the aperture: %s", window->bar, strerror(-err));
		return err;
	}
	for (unsigned i = 0; i < region.area_count; i++)
		covered |= window->offset >= region.area[i].offset && window->bytes <= region.area[i].size &&
			   window->offset - region.area[i].offset <= region.area[i].size - window->bytes;
	if (region.fd < 0 || !covered || window->offset % 4096 || region.file_offset % 4096) {
		snprintf(ret_why, 256, "the service does not let the aperture (%llu bytes in BAR %u) be mapped",
			 (unsigned long long)window->bytes, window->bar);
		goto refuse;
	}
	connection->aperture_file_offset = region.file_offset + window->offset;
	connection->aperture_bytes = window->bytes;
	if (fstat(region.fd, &file) || (uint64_t)file.st_size < connection->aperture_file_offset + window->bytes) {
		snprintf(ret_why, 256, "the file behind the aperture is shorter than the %llu bytes the device names",
			 (unsigned long long)window->bytes);
		goto refuse;
	}
	connection->aperture_fd = region.fd;
	return 0;

refuse:
	if (region.fd >= 0)
		close(region.fd);
	return -EPROTO;
}

static int attach_interrupts(struct connection *connection, char ret_why[256])
{
	struct vfio_user_client *client = connection->client;
	uint32_t vectors;
	int err = vfio_user_client_irq_count(client, VFIO_USER_IRQ_MSIX, &vectors);

	if (!err && vectors < VIRTIO_VECTOR_COUNT) {
		snprintf(ret_why, 256, "the device has %u MSI-X vectors, %u are needed; service and shim do not fit together", vectors,
			 VIRTIO_VECTOR_COUNT);
		return -EPROTO;
	}
	if (!err)
		err = vfio_user_client_irq_eventfd(client, VFIO_USER_IRQ_MSIX, VIRTIO_VECTOR_CONFIG, connection->config_irq);
	if (!err)
		err = vfio_user_client_irq_eventfd(client, VFIO_USER_IRQ_MSIX, VIRTIO_VECTOR_CONTROL, connection->control_irq);
	if (err)
		snprintf(ret_why, 256, "the service does not take interrupt eventfds: %s", strerror(-err));
	return err;
}

/* virtio 1.3 §3.1.1, up to DRIVER_OK. */
static int bring_up(struct connection *connection, char ret_why[256])
{
	struct vfio_user_client *client = connection->client;
	struct virtio_device *device = &connection->device;
	struct vfio_user_device_info info;
	uint64_t features;
	int err = vfio_user_client_device_info(client, &info);

	if (!err && (!(info.flags & VFIO_USER_DEVICE_PCI) || info.num_regions <= VFIO_USER_REGION_CONFIG)) {
		snprintf(ret_why, 256, "the service offers no PCI device on this socket; use a vGPU's direct.sock");
		return -EPROTO;
	}
	if (err)
		goto gone;
	err = pci_read_layout(client, &device->layout, ret_why);
	if (!err)
		err = find_aperture(connection, ret_why);
	if (!err)
		err = attach_interrupts(connection, ret_why);
	if (err)
		return err;
	err = pci_enable(client, &device->layout);
	if (!err)
		err = vfio_user_client_dma_map(client, ARENA_BUS_ADDRESS, connection->arena.bytes, connection->arena.fd, 0);
	if (!err)
		err = virtio_reset(device);
	if (err)
		goto gone;
	err = virtio_negotiate(device, GPU_FEATURES_REQUIRED, GPU_FEATURES_OPTIONAL, &features);
	if (err == -ENOTSUP) {
		snprintf(ret_why, 256, "the device offers features %#llx, needed are %#llx; service and shim do not fit together",
			 (unsigned long long)features, (unsigned long long)GPU_FEATURES_REQUIRED);
		return err;
	}
	if (!err)
		err = queue_init(&connection->queue, device, 0, VIRTIO_VECTOR_CONTROL,
				 features & (1ull << VIRTIO_RING_F_INDIRECT_DESC), &connection->arena);
	if (err)
		goto gone;
	err = virtio_driver_ok(device);
	if (!err)
		return 0;
	queue_finish(&connection->queue);
gone:
	snprintf(ret_why, 256, "the device could not be brought up: %s; see vgpud's log", strerror(-err));
	return err;
}

static int read_capset(struct connection *connection, char ret_why[256])
{
	struct virtio_gpu_config config;
	struct arena_piece large;
	const void *data;
	size_t bytes;
	int err = virtio_config_read(&connection->device, 0, &config, sizeof(config));

	if (!err)
		err = arena_take(&connection->arena, WIRE_CAPSET_MAX_BYTES + sizeof(struct virtio_gpu_ctrl_hdr), 64, &large);
	if (!err)
		err = gpu_capset_read(&connection->gpu, (uint16_t)config.num_capsets, &large, &data, &bytes);
	if (err) {
		snprintf(ret_why, 256, "the device does not tell its capset %u: %s; see vgpud's log", WIRE_CAPSET_ID, strerror(-err));
		return err;
	}
	return capset_check(data, bytes, &connection->capset, ret_why);
}

static int make_eventfds(struct connection *connection)
{
	connection->config_irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	connection->control_irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	connection->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	connection->keep_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return connection->config_irq < 0 || connection->control_irq < 0 || connection->stop < 0 ||
	       connection->keep_timer < 0 ? -errno : 0;
}

static void close_fds(struct connection *connection)
{
	const int fds[] = {connection->config_irq, connection->control_irq, connection->stop, connection->keep_timer,
			   connection->aperture_fd};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void stop_thread(struct connection *connection)
{
	uint64_t one = 1;

	while (write(connection->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(connection->thread, NULL);
}

static int create(const char *path, unsigned timeout_ms, struct connection **ret_connection, char ret_why[256])
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int err = -ENOMEM;

	snprintf(ret_why, 256, "out of memory or descriptors");
	if (!connection)
		return err;
	connection->aperture_fd = -1;
	connection->references = 1;
	connection->timeout_ms = timeout_ms ? timeout_ms : GPU_TIMEOUT_MS;
	connection->path = strdup(path);
	if (!connection->path)
		goto free_connection;
	err = make_eventfds(connection);
	if (err)
		goto close_fds;
	err = arena_init(&connection->arena, QUEUE_ARENA_BYTES);
	if (err)
		goto close_fds;
	err = vfio_user_client_connect(path, timeout_ms ? timeout_ms : VFIO_USER_TIMEOUT_MS, &connection->client, ret_why);
	if (err)
		goto finish_arena;
	connection->device.client = connection->client;
	connection->guard = (struct fork_guard){
		.fd = {vfio_user_client_socket(connection->client), &connection->arena.fd, &connection->aperture_fd,
		       &connection->config_irq, &connection->control_irq, &connection->stop, &connection->keep_timer},
		.fd_count = 7,
	};
	fork_guard_enter(&connection->guard);
	err = bring_up(connection, ret_why);
	if (err)
		goto destroy_client;
	err = gpu_init(&connection->gpu, &connection->queue, connection->aperture_bytes, connection->timeout_ms);
	if (err)
		goto finish_queue;
	pthread_mutex_init(&connection->lock, NULL);
	err = start_thread(connection);
	if (err)
		goto finish_gpu;
	err = read_capset(connection, ret_why);
	if (err)
		goto stop_thread;
	*ret_connection = connection;
	return 0;

stop_thread:
	stop_thread(connection);
finish_gpu:
	pthread_mutex_destroy(&connection->lock);
	gpu_finish(&connection->gpu);
finish_queue:
	queue_finish(&connection->queue);
destroy_client:
	fork_guard_leave(&connection->guard);
	vfio_user_client_destroy(connection->client);
finish_arena:
	arena_finish(&connection->arena);
close_fds:
	close_fds(connection);
	free(connection->path);
free_connection:
	free(connection);
	return err;
}

static void destroy_all_but_thread(struct connection *connection)
{
	pthread_mutex_destroy(&connection->lock);
	gpu_finish(&connection->gpu);
	queue_finish(&connection->queue);
	fork_guard_leave(&connection->guard);
	vfio_user_client_destroy(connection->client);
	arena_finish(&connection->arena);
	close_fds(connection);
	free(connection->capset);
	free(connection->path);
	free(connection);
}

static void destroy(struct connection *connection)
{
	stop_thread(connection);
	destroy_all_but_thread(connection);
}

/* ---- the registry -------------------------------------------------------------------------------- */

static struct connection *find_locked(const char *path)
{
	for (struct connection *connection = registry; connection; connection = connection->next)
		if (!strcmp(connection->path, path) && connection_usable(connection)) {
			connection->references++;
			return connection;
		}
	return NULL;
}

int connection_get(const char *path, unsigned timeout_ms, struct connection **ret_connection, char ret_why[256])
{
	struct connection *found, *made;
	int err;

	fork_lock();
	found = find_locked(path);
	fork_unlock();
	if (!found) {
		/* Not under the lock, which would hold up a fork for as long as a sick service takes. */
		err = create(path, timeout_ms, &made, ret_why);
		if (err)
			return err;
		fork_lock();
		found = find_locked(path);
		if (!found) {
			made->next = registry;
			registry = made;
		}
		fork_unlock();
		if (found)
			destroy(made);	/* another thread was faster */
		else
			found = made;
	}
	*ret_connection = found;
	return 0;
}

void connection_put(struct connection *connection)
{
	bool last;

	/* A child owns neither thread nor locks nor memory of it: what was copied stays where it is. */
	if (connection_in_child(connection))
		return;
	fork_lock();
	last = put_locked(connection);
	fork_unlock();
	if (last)
		destroy(connection);
}

void connection_keep(struct connection *connection)
{
	const struct itimerspec when = {.it_value = {.tv_sec = KEEP_MS / 1000, .tv_nsec = KEEP_MS % 1000 * 1000000}};

	fork_lock();
	/* One that died has no thread any more to end this. */
	if (connection_usable(connection) && !timerfd_settime(connection->keep_timer, 0, &when, NULL) && !connection->kept) {
		connection->kept = true;
		connection->references++;
	}
	fork_unlock();
}

void connection_unkeep(struct connection *connection)
{
	(void)unkeep(connection);	/* never the last: the caller has one */
}
