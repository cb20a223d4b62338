/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of vfio-user requests: the bytes are messages of a client (command, descriptors, payload), executed one after
 * another on a device whose virtio-gpu is the tests' counting one. Guest memory, interrupts, registers and queues are
 * the real ones. Held to what the framing stands on: a reply no longer than its room, and a state page a successor accepts.
 *
 * Guest memory begins with a copy of all that. A message: command (1 byte), what comes with it (1 byte: descriptors in the low half), payload length (2 bytes), payload.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/device.h"
#include "vgpu-qemu/vfio_user/dispatch.h"

#define RAM_BYTES (1u << 20)
#define APERTURE_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void hold(bool promise)
{
	if (!promise)
		abort();
}

/* A link whose keeper has gone for good: only its table is left. */
static struct keeper_link *lonely_link(struct device *device)
{
	struct keeper_link_wiring wiring = {.socket = eventfd(0, 0), .dir = "/nonexistent", .epoll_fd = -1, .data = device};
	struct keeper_link *link = NULL;

	hold(wiring.socket >= 0);
	hold(keeper_link_create(&wiring, &link) == 0);
	return link;
}

static void begin(struct device *device, struct state_page *page)
{
	struct virtio_gpu_wiring gpu = {.epoll_fd = -1};

	state_page_init(page);
	page->connection.negotiated = 1;	/* what comes before VERSION is refused: little to find there */
	*device = (struct device){.page = page, .aperture_bytes = APERTURE_BYTES, .aperture_fd = memfd_create("aperture", 0)};
	hold(device->aperture_fd >= 0 && ftruncate(device->aperture_fd, APERTURE_BYTES) == 0);
	device->keeper = lonely_link(device);
	device->msix = (struct msix){&page->device.msix, &page->connection.irq_attached, device->keeper};
	hold(guest_memory_create(page->connection.dma, device->keeper, &device->memory) == 0);
	device->virtio = (struct virtio_pci){.state = &page->device.virtio, .msix = &device->msix, .memory = device->memory};
	hold(virtio_pci_init(&device->virtio) == 0);
	gpu.state = &page->device.gpu;
	gpu.memory = device->memory;
	gpu.control = device->virtio.queue[0];
	gpu.cursor = device->virtio.queue[1];
	gpu.keeper = device->keeper;
	hold(virtio_gpu_create(&gpu, &device->gpu) == 0);
	device->virtio.gpu = device->gpu;
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++)
		virtqueue_set_handler_data(device->virtio.queue[i], device->gpu);
	device_reset(device);
}

static void finish(struct device *device)
{
	virtio_gpu_destroy(device->gpu);
	virtio_pci_finish(&device->virtio);
	guest_memory_destroy(device->memory);
	keeper_link_destroy(device->keeper);
	close(device->aperture_fd);
}

static void execute(struct device *device, const uint8_t *head, const uint8_t *payload, uint32_t payload_bytes, int ram)
{
	static uint8_t answer[REPLY_PAYLOAD_MAX];
	struct request request = {.command = head[0], .payload_bytes = payload_bytes};
	struct reply reply = {.payload = answer};
	uint8_t *copy = malloc(payload_bytes + 1);
	unsigned allowed = dispatch_fds_allowed(request.command);

	hold(copy);
	memcpy(copy, payload, payload_bytes);
	request.payload = copy;
	memset(answer, 0, sizeof(answer));
	/* The framing refuses messages with more descriptors than that, before they come here. */
	hold(allowed <= REQUEST_FDS_MAX);
	request.fd_count = (head[1] & 15u) < allowed ? head[1] & 15u : allowed;
	for (unsigned i = 0; i < request.fd_count; i++)
		request.fds[i] = request.command == VFIO_USER_DMA_MAP ? ram : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int error = dispatch_execute(device, &request, &reply);
	hold(error <= 0 && reply.payload_bytes <= REPLY_PAYLOAD_MAX);
	for (unsigned i = 0; i < request.fd_count; i++)
		if (request.fds[i] != ram)
			close(request.fds[i]);
	free(copy);
	for (unsigned i = 0; i < 4 && virtio_pci_run(&device->virtio); i++)
		;
	hold(state_page_sane(device->page));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct state_page *page;
	struct device device;
	int ram = memfd_create("ram", MFD_CLOEXEC);

	setenv("VGPU_LOG", "error", 1);
	log_init("fuzz", NULL);
	if (!page)
		page = malloc(sizeof(*page));
	hold(page && ram >= 0 && ftruncate(ram, RAM_BYTES) == 0);
	/* The messages are also what guest memory holds, so that a queue's rings may lie in them. */
	hold(pwrite(ram, data, bytes < RAM_BYTES ? bytes : RAM_BYTES, 0) >= 0);
	memset(page, 0, sizeof(*page));
	begin(&device, page);
	while (bytes >= 4) {
		uint32_t payload_bytes = data[2] | (uint32_t)data[3] << 8;

		if (payload_bytes > bytes - 4)
			payload_bytes = (uint32_t)bytes - 4;
		if (payload_bytes > REQUEST_MAX_BYTES - 16)
			payload_bytes = REQUEST_MAX_BYTES - 16;
		execute(&device, data, data + 4, payload_bytes, ram);
		data += 4 + payload_bytes;
		bytes -= 4 + payload_bytes;
	}
	finish(&device);
	close(ram);
	return 0;
}
