/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. A process gets its descriptors from the keeper, opens the state page, and begins or takes over:
 * both are the same steps, since a fresh page is just a state in which nothing has been done yet. Taking over adds
 * the recovery of what was in flight, in this order: the request (its execution may reset the device), the queues'
 * records, then an interrupt on every vector and a look at every queue, since lost ones cannot be told.
 *
 * The loop answers requests first and runs the queues afterwards: a doorbell is a synchronous write of the guest's
 * processor, so its reply never waits for the work it asks for. Both are done in small portions in turn, so that
 * neither a flood of requests nor a full queue keeps the engines' completions waiting.
 */
#include "vgpu-qemu/device.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mdev/keeper/keeper_protocol.h"
#include "mdev/log/log.h"
#include "vgpu-qemu/pci.h"
#include "vgpu-qemu/test_point.h"
#include "vgpu-qemu/vfio_user/dispatch.h"

#define EVENT_CONNECTION 3u		/* beside KEEPER_LINK_EVENT_* */
#define REQUEST_BUDGET 32u		/* requests before the queues get their turn */
#define FIRST_WORD_MS 10000u		/* a client that has not negotiated by then is sent away: its slot is for another */
static_assert(EVENT_CONNECTION != KEEPER_LINK_EVENT_SOCKET && EVENT_CONNECTION != KEEPER_LINK_EVENT_RETRY, "distinct");

/* ---- regions --------------------------------------------------------------------------------------- */

void device_region(const struct device *device, uint32_t index, struct device_region *ret_region)
{
	*ret_region = (struct device_region){0};
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		ret_region->bytes = PCI_BAR_VIRTIO_BYTES;
		break;
	case VFIO_PCI_BAR1_REGION_INDEX:
		ret_region->bytes = PCI_BAR_MSIX_BYTES;
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		ret_region->bytes = PCI_BAR_APERTURE_BYTES;
		ret_region->mmap_bytes = device->aperture_bytes;
		ret_region->fd_tag = KEEPER_TAG(KEEPER_FD_APERTURE, 0);
		break;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		ret_region->bytes = PCI_CONFIG_BYTES;
		break;
	default:
		break;
	}
}

/* The part of the aperture without memory behind it reads as zero and swallows writes. */
static void aperture_read(const struct device *device, uint64_t offset, uint8_t *to, uint32_t bytes)
{
	memset(to, 0, bytes);
	if (offset >= device->aperture_bytes)
		return;
	if (bytes > device->aperture_bytes - offset)
		bytes = (uint32_t)(device->aperture_bytes - offset);
	if (pread(device->aperture_fd, to, bytes, (off_t)offset) < 0)
		log_debug("reading the aperture at 0x%llx failed: %s", (unsigned long long)offset, strerror(errno));
}

static void aperture_write(const struct device *device, uint64_t offset, const uint8_t *from, uint32_t bytes)
{
	if (offset >= device->aperture_bytes)
		return;
	if (bytes > device->aperture_bytes - offset)
		bytes = (uint32_t)(device->aperture_bytes - offset);
	if (pwrite(device->aperture_fd, from, bytes, (off_t)offset) < 0)
		log_debug("writing the aperture at 0x%llx failed: %s", (unsigned long long)offset, strerror(errno));
}

static bool bar_access(const struct device *device, const struct pci_window *window)
{
	struct device_region region;

	if (window->bar > PCI_BAR_APERTURE)
		return false;
	device_region(device, window->bar, &region);
	return (uint64_t)window->offset + window->bytes <= region.bytes;
}

static void config_read(struct device *device, uint32_t offset, uint8_t *to, uint32_t bytes, bool *ret_clears_isr)
{
	uint8_t *config = device->page->device.pci.config;
	struct pci_window window;

	if (pci_window_hit(config, offset, bytes, &window) && bar_access(device, &window))
		device_region_read(device, window.bar, window.offset, config + pci_window_data_offset(), window.bytes,
				   ret_clears_isr);
	memcpy(to, config + offset, bytes);
}

static void config_write(struct device *device, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
	uint8_t *config = device->page->device.pci.config;
	const uint32_t data = pci_window_data_offset();
	struct pci_window window;

	pci_config_write(config, offset, from, bytes);
	if (!pci_window_hit(config, offset, bytes, &window) || !bar_access(device, &window))
		return;
	for (uint32_t i = 0; i < bytes; i++)
		if (offset + i >= data && offset + i < data + 4)
			config[offset + i] = from[i];
	device_region_write(device, window.bar, window.offset, config + data, window.bytes);
}

void device_region_read(struct device *device, uint32_t index, uint64_t offset, void *buffer, uint32_t bytes,
			bool *ret_clears_isr)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		virtio_pci_read(&device->virtio, (uint32_t)offset, buffer, bytes, ret_clears_isr);
		break;
	case VFIO_PCI_BAR1_REGION_INDEX:
		msix_read(&device->msix, offset, buffer, bytes);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		aperture_read(device, offset, buffer, bytes);
		break;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		config_read(device, (uint32_t)offset, buffer, bytes, ret_clears_isr);
		break;
	default:
		memset(buffer, 0, bytes);
	}
}

void device_region_write(struct device *device, uint32_t index, uint64_t offset, const void *buffer, uint32_t bytes)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		virtio_pci_write(&device->virtio, (uint32_t)offset, buffer, bytes);
		break;
	case VFIO_PCI_BAR1_REGION_INDEX:
		msix_write(&device->msix, offset, buffer, bytes);
		break;
	case VFIO_PCI_BAR2_REGION_INDEX:
		aperture_write(device, offset, buffer, bytes);
		break;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		config_write(device, (uint32_t)offset, buffer, bytes);
		break;
	default:
		break;
	}
}

void device_reset(struct device *device)
{
	virtio_pci_reset(&device->virtio);
	msix_reset(&device->msix);
	pci_config_init(device->page->device.pci.config, device->aperture_bytes);
}

/* ---- start ------------------------------------------------------------------------------------------ */

static void engine_started(void *data, uint32_t context, int64_t pid)
{
	struct device *device = data;

	if (device->gpu)
		virtio_gpu_engine_started(device->gpu, context, pid);
}

static void engine_died(void *data, uint32_t context, int64_t status)
{
	struct device *device = data;

	if (device->gpu)
		virtio_gpu_engine_died(device->gpu, context, status);
}

/* The descriptors without which there is no device. */
static int check_descriptors(struct device *device)
{
	static const struct {
		enum keeper_tag_kind kind;
		const char *name;
	} needed[] = {
		{KEEPER_FD_CONNECTION, "the vfio-user connection"},
		{KEEPER_FD_STATE, "the state page"},
		{KEEPER_FD_APERTURE, "the aperture"},
		{KEEPER_FD_REPLY_READ, "the reply pipe's read end"},
		{KEEPER_FD_REPLY_WRITE, "the reply pipe's write end"},
		{KEEPER_FD_VGPU_PAGE, "the vGPU's page"},
		{KEEPER_FD_CAPSET, "the capset"},
	};
	struct stat st;

	for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (keeper_link_fd(device->keeper, KEEPER_TAG(needed[i].kind, 0)) >= 0)
			continue;
		log_error("the keeper did not give %s (tag %u)", needed[i].name, needed[i].kind);
		return DEVICE_EXIT_KEEPER;
	}
	device->connection_fd = keeper_link_fd(device->keeper, KEEPER_TAG(KEEPER_FD_CONNECTION, 0));
	device->aperture_fd = keeper_link_fd(device->keeper, KEEPER_TAG(KEEPER_FD_APERTURE, 0));
	if (fstat(device->aperture_fd, &st) || st.st_size <= 0 || st.st_size % 4096 ||
	    (uint64_t)st.st_size > PCI_BAR_APERTURE_BYTES) {
		log_error("the aperture file has %lld bytes; between 4096 and 8 GiB in whole pages are right",
			  (long long)st.st_size);
		return DEVICE_EXIT_KEEPER;
	}
	device->aperture_bytes = (uint64_t)st.st_size;
	return 0;
}

static int open_pages(struct device *device, int *ret_fresh)
{
	int error = state_page_open(keeper_link_fd(device->keeper, KEEPER_TAG(KEEPER_FD_STATE, 0)), &device->page,
				    &device->generation, ret_fresh);
	void *page;

	if (error == -EPROTO)
		return DEVICE_EXIT_STATE_NEWER;
	if (error == -EBADMSG)
		return DEVICE_EXIT_STATE_DAMAGED;
	if (error)
		return DEVICE_EXIT_FAILED;
	page = mmap(NULL, VGPU_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		    keeper_link_fd(device->keeper, KEEPER_TAG(KEEPER_FD_VGPU_PAGE, 0)), 0);
	if (page == MAP_FAILED) {
		log_error("mapping the vGPU's page failed: %s", strerror(errno));
		return DEVICE_EXIT_FAILED;
	}
	device->vgpu_page = page;
	if (device->vgpu_page->magic != VGPU_PAGE_MAGIC || device->vgpu_page->version != VGPU_PAGE_VERSION) {
		log_error("the vGPU's page is of version %u, this build knows %u", device->vgpu_page->version,
			  VGPU_PAGE_VERSION);
		return DEVICE_EXIT_KEEPER;
	}
	return 0;
}

static int create_parts(struct device *device)
{
	struct device_state *state = &device->page->device;
	struct connection_state *connection = &device->page->connection;
	int error;

	device->msix = (struct msix){&state->msix, &connection->irq_attached, device->keeper};
	error = guest_memory_create(connection->dma, device->keeper, &device->memory);
	if (error)
		return error;
	device->virtio = (struct virtio_pci){
		.state = &state->virtio,
		.msix = &device->msix,
		.memory = device->memory,
	};
	error = virtio_pci_init(&device->virtio);
	if (error)
		return error;

	struct virtio_gpu_wiring gpu = {
		.state = &state->gpu,
		.memory = device->memory,
		.control = device->virtio.queue[0],
		.cursor = device->virtio.queue[1],
		.keeper = device->keeper,
		.vgpu_page = device->vgpu_page,
		.slot = device->options.slot,
		.aperture_fd = device->aperture_fd,
		.capset_fd = keeper_link_fd(device->keeper, KEEPER_TAG(KEEPER_FD_CAPSET, 0)),
		.epoll_fd = device->epoll_fd,
		.limits = {
			.aperture_bytes = device->aperture_bytes,
			.max_contexts = device->options.max_contexts,
			.slack_bytes = device->options.slack_bytes,
			.engine_idle_ms = device->options.engine_idle_ms,
		},
	};
	error = virtio_gpu_create(&gpu, &device->gpu);
	if (error)
		return error;
	device->virtio.gpu = device->gpu;
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++)
		virtqueue_set_handler_data(device->virtio.queue[i], device->gpu);

	struct request_log_wiring wiring = {
		.socket = device->connection_fd,
		.pipe_read = keeper_link_fd(device->keeper, KEEPER_TAG(KEEPER_FD_REPLY_READ, 0)),
		.pipe_write = keeper_link_fd(device->keeper, KEEPER_TAG(KEEPER_FD_REPLY_WRITE, 0)),
		.state = connection,
		.isr = &state->virtio.isr,
		.keeper = device->keeper,
		.fds_allowed = dispatch_fds_allowed,
		.execute = dispatch_execute,
		.data = device,
	};
	return vfio_user_connection_create(&wiring, &device->connection);
}

static void destroy_parts(struct device *device)
{
	vfio_user_connection_destroy(device->connection);
	virtio_gpu_destroy(device->gpu);
	virtio_pci_finish(&device->virtio);
	guest_memory_destroy(device->memory);
	if (device->vgpu_page)
		munmap(device->vgpu_page, VGPU_PAGE_BYTES);
	state_page_close(device->page);
	keeper_link_destroy(device->keeper);
	if (device->epoll_fd >= 0)
		close(device->epoll_fd);
}

/* What a page of zeroes cannot say by itself. Cut short by a kill, it is done again: offered_features comes last. */
static void begin(struct device *device)
{
	if (device->page->device.virtio.offered_features)
		return;
	pci_config_init(device->page->device.pci.config, device->aperture_bytes);
	state_barrier();
	device->page->device.virtio.offered_features = virtio_pci_features();
}

/* ---- the loop ---------------------------------------------------------------------------------------- */

/* The client is gone: nothing of it stays. */
static void connection_over(struct device *device)
{
	if (device->connection_ended)
		return;
	device->connection_ended = true;
	log_info("the client has disconnected: resetting");
	epoll_ctl(device->epoll_fd, EPOLL_CTL_DEL, device->connection_fd, NULL);
	device_reset(device);
	for (unsigned v = 0; v < MSIX_VECTOR_COUNT; v++)
		msix_detach(&device->msix, v);
	guest_memory_unmap_all(device->memory);
}

/* True if there is more to do at once. */
static bool serve(struct device *device)
{
	for (unsigned i = 0; i < REQUEST_BUDGET; i++) {
		int result = vfio_user_connection_serve(device->connection);

		if (result == 0)
			return false;
		if (result < 0) {
			connection_over(device);
			return false;
		}
		/* The reply is out; now the work it asked for, in time for the next reply. */
		if (device->virtio.kicked)
			return true;
	}
	return true;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* For epoll_wait: -1 once the client has negotiated, which every one does at once. Ends the connection of one that keeps silent. */
static int patience_ms(struct device *device, uint64_t began_ms)
{
	uint64_t waited_ms;

	if (device->page->connection.negotiated || device->connection_ended)
		return -1;
	waited_ms = now_ms() - began_ms;
	if (waited_ms < FIRST_WORD_MS)
		return (int)(FIRST_WORD_MS - waited_ms);
	log_warning("the client has not begun to speak vfio-user within %u s: sent away", FIRST_WORD_MS / 1000);
	shutdown(device->connection_fd, SHUT_RDWR);
	connection_over(device);
	return 0;
}

static int loop(struct device *device)
{
	const uint64_t began_ms = now_ms();
	bool look_at_socket = true;	/* edge-triggered: what came before the watch began has no edge */
	bool queues_busy = true;

	for (;;) {
		struct epoll_event events[16];
		const int left_ms = patience_ms(device, began_ms);
		const int wait_ms = look_at_socket || queues_busy ? 0 : left_ms;
		int count = epoll_wait(device->epoll_fd, events, 16, wait_ms);

		if (count < 0 && errno != EINTR) {
			log_error("epoll_wait failed: %s", strerror(errno));
			return DEVICE_EXIT_FAILED;
		}
		for (int i = 0; i < count; i++) {
			uint64_t data = events[i].data.u64;

			if (data & VIRTIO_GPU_EVENT)
				virtio_gpu_event(device->gpu, data, events[i].events);
			else if (data == EVENT_CONNECTION)
				look_at_socket = true;
			else
				keeper_link_event(device->keeper, data);
		}
		if (look_at_socket && !device->connection_ended)
			look_at_socket = serve(device);
		if (device->connection_ended) {
			look_at_socket = queues_busy = false;
			if (virtio_gpu_idle(device->gpu) && keeper_link_finished(device->keeper))
				return DEVICE_EXIT_FINISHED;
			continue;
		}
		queues_busy = virtio_pci_run(&device->virtio);
	}
}

int device_run(const struct device_options *options, int keeper_socket)
{
	struct device device = {.options = *options, .epoll_fd = -1, .connection_fd = -1, .aperture_fd = -1};
	struct keeper_link_wiring link = {
		.socket = keeper_socket,
		.slot = options->slot,
		.dir = options->dir,
		.keeper_program = options->keeper_program,
		.engine_started = engine_started,
		.engine_died = engine_died,
		.data = &device,
	};
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = EVENT_CONNECTION,
	};
	int fresh = 0;
	int result = DEVICE_EXIT_FAILED;
	int error;

	device.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	link.epoll_fd = device.epoll_fd;
	if (device.epoll_fd < 0 || keeper_link_create(&link, &device.keeper)) {
		log_error("starting failed: %s", strerror(errno));
		goto out;
	}
	result = DEVICE_EXIT_KEEPER;
	if (keeper_link_receive_all(device.keeper))
		goto out;
	result = check_descriptors(&device);
	if (!result)
		result = open_pages(&device, &fresh);
	if (result)
		goto out;
	result = DEVICE_EXIT_FAILED;
	error = create_parts(&device);
	if (!error)
		error = keeper_link_begin(device.keeper);
	if (!error && epoll_ctl(device.epoll_fd, EPOLL_CTL_ADD, device.connection_fd, &event))
		error = -errno;
	if (error) {
		log_error("starting failed: %s", strerror(-error));
		goto out;
	}
	begin(&device);
	if (fresh)
		log_info("serving a new client, aperture %llu MiB", (unsigned long long)device.aperture_bytes >> 20);
	else
		log_info("took over, process %llu of this connection", (unsigned long long)device.generation);
	TEST_POINT("begun");
	vfio_user_connection_recover(device.connection);
	virtio_pci_recover(&device.virtio);
	TEST_POINT("recovered");
	result = loop(&device);
out:
	destroy_parts(&device);
	return result;
}
