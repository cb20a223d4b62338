/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/state_page.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"

#ifdef STATE_PAGE_NEXT_BUILD
#define BUILD_NAME VGPU_VERSION "-next"
#else
#define BUILD_NAME VGPU_VERSION
#endif

/* ---- upgrades ----------------------------------------------------------------------------------- */

/* Version 2 knows engines that retire: values and fields that were zero in version 1. */
static void upgrade_1_to_2(void *bank, const struct state_header *header)
{
	(void)bank;
	(void)header;
}

#ifdef STATE_PAGE_NEXT_BUILD
#define BYTES_BEFORE_3 (sizeof(struct state_page) - sizeof(uint64_t))
static_assert(_Alignof(struct gpu_state) <= 8, "the gpu part moves by 8 bytes exactly");
/* Version 3 puts upgraded_at_generation before the gpu part, which moves up by eight bytes. */
static void upgrade_2_to_3(void *bank, const struct state_header *header)
{
	uint8_t *bytes = bank;
	struct state_page *page = bank;
	const size_t field = offsetof(struct state_page, device.upgraded_at_generation);

	memmove(bytes + field + sizeof(uint64_t), bytes + field, sizeof(struct gpu_state));
	page->device.upgraded_at_generation = header->generation;
}
#else
#define BYTES_BEFORE_3 sizeof(struct state_page)
#endif

/* [k - 1] brings a bank from version k to k + 1. old_bytes: what version k was in size. */
static const struct {
	uint64_t old_bytes;
	void (*upgrade)(void *bank, const struct state_header *header);
} state_page_upgrades[] = {
	{BYTES_BEFORE_3, upgrade_1_to_2},
#ifdef STATE_PAGE_NEXT_BUILD
	{BYTES_BEFORE_3, upgrade_2_to_3},
#endif
};
static_assert(sizeof(state_page_upgrades) / sizeof(state_page_upgrades[0]) == STATE_PAGE_VERSION - 1,
	      "one upgrade per older version");

static uint8_t *bank_of(struct state_header *header, uint32_t bank)
{
	return (uint8_t *)header + STATE_PAGE_HEADER_BYTES + (size_t)bank * STATE_PAGE_BANK_BYTES;
}

/* Works on the idle bank, so a kill anywhere in here changes nothing. */
static int upgrade(struct state_header *header)
{
	const struct state_page *old = (const struct state_page *)bank_of(header, header->active);
	uint32_t version = old->version;
	uint8_t *target = bank_of(header, !header->active);
	struct state_page *page = (struct state_page *)target;

	if (old->bytes != state_page_upgrades[version - 1].old_bytes) {
		log_error("the state page of version %u has %" PRIu64 " bytes, expected %" PRIu64 ": damaged; not taken over",
			  version, old->bytes, state_page_upgrades[version - 1].old_bytes);
		return -EBADMSG;
	}
	memcpy(target, old, old->bytes);
	memset(target + old->bytes, 0, sizeof(struct state_page) - old->bytes);
	for (; version < STATE_PAGE_VERSION; version++)
		state_page_upgrades[version - 1].upgrade(target, header);
	page->version = STATE_PAGE_VERSION;
	page->bytes = sizeof(struct state_page);
	if (!state_page_sane(page)) {
		log_error("the state page is damaged: it makes no sense after the upgrade from version %u; not taken over",
			  old->version);
		return -EBADMSG;
	}
	log_info("state page upgraded from version %u (build %.31s) to %u (build %s)", old->version, old->build,
		 STATE_PAGE_VERSION, BUILD_NAME);
	state_barrier();
	header->active = !header->active;
	return 0;
}

/* ---- content --------------------------------------------------------------------------------------- */

void state_page_init(struct state_page *page)
{
	/* The gpu part is large and sparse, and knows itself which of its bytes matter. */
	memset(page, 0, offsetof(struct state_page, device.gpu));
	page->magic = STATE_PAGE_MAGIC;
	page->version = STATE_PAGE_VERSION;
	page->bytes = sizeof(*page);
	strncpy(page->build, BUILD_NAME, sizeof(page->build) - 1);
	for (unsigned i = 0; i < MSIX_VECTOR_COUNT; i++)
		page->device.msix.table[i][3] = 1;	/* masked, as after power-on */
	page->device.virtio.config_vector = VIRTQUEUE_NO_VECTOR;
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++) {
		page->device.virtio.queue[i].size = VIRTQUEUE_SIZE_MAX;
		page->device.virtio.queue[i].vector = VIRTQUEUE_NO_VECTOR;
	}
	virtio_gpu_state_init(&page->device.gpu);
}

static int queue_sane(const struct virtqueue_state *queue)
{
	return queue->size && queue->size <= VIRTQUEUE_SIZE_MAX && !(queue->size & (queue->size - 1)) &&
	       queue->enabled <= 1 &&
	       (queue->vector < MSIX_VECTOR_COUNT || queue->vector == VIRTQUEUE_NO_VECTOR) &&
	       queue->taken.state <= VIRTQUEUE_RECORD_TAKEN && queue->taken.head < VIRTQUEUE_SIZE_MAX &&
	       queue->done.state != VIRTQUEUE_RECORD_TAKEN && queue->done.state <= VIRTQUEUE_RECORD_DONE &&
	       queue->done.head < VIRTQUEUE_SIZE_MAX;
}

int state_page_sane(const struct state_page *page)
{
	const struct connection_state *connection = &page->connection;
	const struct request_log *request = &connection->request;
	const struct virtio_state *virtio = &page->device.virtio;

	if (page->magic != STATE_PAGE_MAGIC || page->version != STATE_PAGE_VERSION || page->bytes != sizeof(*page))
		return 0;
	if (connection->negotiated > 1 || connection->irq_attached >> MSIX_VECTOR_COUNT)
		return 0;
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++) {
		const struct dma_slot *slot = &connection->dma[i];
		if (slot->state > DMA_SLOT_NO_DESCRIPTOR)
			return 0;
		if (slot->state != DMA_SLOT_FREE && (!slot->bytes || slot->address + slot->bytes - 1 < slot->address))
			return 0;
	}
	if (request->phase >= REQUEST_PHASE_COUNT || request->message_bytes > REQUEST_MAX_BYTES ||
	    request->reply_bytes > REPLY_MAX_BYTES || request->fd_count > REQUEST_FDS_MAX || request->clears_isr > 1)
		return 0;
	if (request->phase != REQUEST_NONE && request->message_bytes < 16)
		return 0;
	if (virtio->config_vector >= MSIX_VECTOR_COUNT && virtio->config_vector != VIRTQUEUE_NO_VECTOR)
		return 0;
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++)
		if (!queue_sane(&virtio->queue[i]))
			return 0;
	return 1;
}

/* ---- the file --------------------------------------------------------------------------------------- */

static int file_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size >= (off_t)STATE_PAGE_FILE_BYTES)
		return 0;
	if (ftruncate(fd, STATE_PAGE_FILE_BYTES)) {
		log_error("the state file has %lld bytes, %u are needed, and it cannot grow (%s): the keeper should pass an empty memfd",
			  (long long)st.st_size, STATE_PAGE_FILE_BYTES, strerror(errno));
		return -EMSGSIZE;
	}
	/* The keeper may have made it without MFD_ALLOW_SEALING; it is the keeper's to decide. */
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	return 0;
}

static int check_header(const struct state_header *header)
{
	if (header->magic != STATE_PAGE_MAGIC || header->active > 1) {
		log_error("the state page is damaged: its header is not one; not taken over");
		return -EBADMSG;
	}
	if (header->layout != STATE_PAGE_LAYOUT) {
		log_error("the state page has layout %u, this build (%s) knows %u: replace by a build that knows it",
			  header->layout, BUILD_NAME, STATE_PAGE_LAYOUT);
		return -EPROTO;
	}
	return 0;
}

static int check_bank(struct state_header *header)
{
	const struct state_page *page = (const struct state_page *)bank_of(header, header->active);

	if (page->magic != STATE_PAGE_MAGIC || page->version == 0) {
		log_error("the state page is damaged: bank %u does not begin as one; not taken over", header->active);
		return -EBADMSG;
	}
	if (page->version > STATE_PAGE_VERSION) {
		log_error("the state page is of version %u, written by build %.31s; this build (%s) knows versions up to %u: "
			  "start the newer build again",
			  page->version, page->build, BUILD_NAME, STATE_PAGE_VERSION);
		return -EPROTO;
	}
	if (page->version < STATE_PAGE_VERSION)
		return upgrade(header);
	if (!state_page_sane(page)) {
		log_error("the state page is damaged: a count or an index in it is out of bounds; not taken over");
		return -EBADMSG;
	}
	return 0;
}

int state_page_open(int fd, struct state_page **ret_page, uint64_t *ret_generation, int *ret_fresh)
{
	struct state_header *header;
	struct state_page *page;
	int fresh = 0;
	int error = file_size(fd);

	if (error)
		return error;
	header = mmap(NULL, STATE_PAGE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED) {
		error = -errno;
		log_error("mapping the state page failed: %s", strerror(errno));
		return error;
	}
	if (!header->magic) {
		/* The magic is stored last: a process killed in here leaves a blank file. */
		state_page_init((struct state_page *)bank_of(header, 0));
		header->layout = STATE_PAGE_LAYOUT;
		header->active = 0;
		header->generation = 0;
		state_barrier();
		header->magic = STATE_PAGE_MAGIC;
		fresh = 1;
	}
	error = check_header(header);
	if (!error)
		error = check_bank(header);
	if (error) {
		munmap(header, STATE_PAGE_FILE_BYTES);
		return error;
	}
	header->generation++;
	page = (struct state_page *)bank_of(header, header->active);
	memset(page->build, 0, sizeof(page->build));
	strncpy(page->build, BUILD_NAME, sizeof(page->build) - 1);
	*ret_page = page;
	*ret_generation = header->generation;
	*ret_fresh = fresh;
	return 0;
}

void state_page_close(struct state_page *page)
{
	if (!page)
		return;
	/* The page lies in one of two banks behind the header, which is page-aligned in an aligned mapping. */
	uint8_t *bank = (uint8_t *)page;
	struct state_header *header = (struct state_header *)(bank - STATE_PAGE_HEADER_BYTES);
	if (header->magic != STATE_PAGE_MAGIC || header->layout != STATE_PAGE_LAYOUT)
		header = (struct state_header *)(bank - STATE_PAGE_BANK_BYTES - STATE_PAGE_HEADER_BYTES);
	munmap(header, STATE_PAGE_FILE_BYTES);
}
