/* SPDX-License-Identifier: MIT */
/*
 * The state page: everything a vgpu-device process knows, so that another one can go on from it.
 *
 * Theory of operation. The file (a memfd the keeper makes and holds) is a header and two banks; the header
 * names the active one. A process maps the file, checks the active bank and works in it by plain stores: only
 * SIGKILL and crashes matter, never a lost write, so the order of stores (compiler barriers) is enough. A bank of an
 * older version is copied into the other bank, brought up to date there step by step (state_page_upgrades,
 * version k -> k+1), and only then made the active one by a single store: a process killed halfway leaves the old
 * state untouched and the next one begins the upgrade again.
 *
 * The page has two parts. `device` is what the guest sees (virtio, PCI, contexts, resources); it would migrate.
 * `connection` belongs to this connection's descriptors and request in flight; it would not.
 *
 * Owner: the slot's device process, alone. The keeper only stores the file. Trusted, but checked before use: a page
 * that does not make sense is refused, never repaired by guessing.
 * Any change of a struct here, or of struct gpu_state, is a new STATE_PAGE_VERSION with an upgrade function.
 */
#ifndef VGPU_QEMU_STATE_PAGE_H
#define VGPU_QEMU_STATE_PAGE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpu-qemu/virtio_gpu/gpu_state.h"
#include "vgpu-qemu/virtqueue_state.h"

#define STATE_PAGE_MAGIC 0x4554415453504756ull	/* "VGPSTATE" */
#define STATE_PAGE_LAYOUT 1u			/* of the file: header and banks; never changes within a major version */
#ifdef STATE_PAGE_NEXT_BUILD
#define STATE_PAGE_VERSION 3u
#else
#define STATE_PAGE_VERSION 2u
#endif

#define STATE_PAGE_HEADER_BYTES 4096u
#define STATE_PAGE_BANK_BYTES (4u << 20)	/* an address range; only touched pages take memory */
#define STATE_PAGE_FILE_BYTES (STATE_PAGE_HEADER_BYTES + 2u * STATE_PAGE_BANK_BYTES)

/* ---- limits ------------------------------------------------------------------------------------ */

#define DMA_SLOT_MAX 256u		/* DMA_MAPs at a time; said in the VERSION reply */
#define MSIX_VECTOR_COUNT 3u		/* configuration changes, control queue, cursor queue */
#define VIRTIO_QUEUE_COUNT 2u
#define PCI_CONFIG_BYTES 256u
#define REQUEST_MAX_BYTES 8192u		/* one vfio-user message from the client */
#define REPLY_MAX_BYTES 4096u		/* one reply: PIPE_BUF, so that the pipe takes it whole */
#define REQUEST_FDS_MAX 16u

/* ---- the connection's part ------------------------------------------------------------------------ */

enum dma_slot_state {
	DMA_SLOT_FREE = 0,
	DMA_SLOT_MEMORY = 1,		/* its descriptor is KEEPER_TAG(KEEPER_FD_DMA, slot) */
	DMA_SLOT_NO_DESCRIPTOR = 2,	/* a ROM or BAR: known, not accessible */
};
#define DMA_SLOT_READ (1u << 0)
#define DMA_SLOT_WRITE (1u << 1)
struct dma_slot {
	uint64_t address;
	uint64_t bytes;
	uint64_t offset;		/* in the descriptor's file */
	uint32_t state;			/* enum dma_slot_state, stored last */
	uint32_t access;		/* DMA_SLOT_READ | DMA_SLOT_WRITE */
};

enum request_phase {
	REQUEST_NONE = 0,
	REQUEST_LOGGED = 1,		/* copied here, its descriptors are with the keeper; perhaps consumed */
	REQUEST_CONSUMED = 2,
	REQUEST_EXECUTED = 3,		/* the reply stands below; perhaps in the pipe */
	REQUEST_IN_PIPE = 4,		/* perhaps sent */
	REQUEST_SENDING_FD = 5,		/* a reply with a descriptor, which no pipe carries; perhaps sent */
	REQUEST_PHASE_COUNT
};
struct request_log {
	uint32_t phase;			/* enum request_phase */
	uint32_t attempts;		/* processes that began to execute it */
	uint32_t message_bytes;
	uint32_t fd_count;		/* KEEPER_TAG(KEEPER_FD_PENDING, 0..fd_count-1) */
	uint32_t refused_errno;		/* not to be executed: answer with this */
	uint32_t reply_bytes;		/* 0: the client wants none */
	uint32_t reply_fd_tag;		/* 0: none */
	uint32_t clears_isr;		/* reading this reply clears the ISR status (virtio 1.3 §4.1.4.5) */
	uint64_t serial;		/* requests so far */
	uint8_t message[REQUEST_MAX_BYTES];
	uint8_t reply[REPLY_MAX_BYTES];
};

struct connection_state {
	uint32_t negotiated;		/* VERSION has been answered */
	uint32_t irq_attached;		/* bit v: KEEPER_TAG(KEEPER_FD_IRQ, v) is the client's */
	struct dma_slot dma[DMA_SLOT_MAX];
	struct request_log request;
};

/* ---- the device's part ----------------------------------------------------------------------------- */

struct pci_state {
	uint8_t config[PCI_CONFIG_BYTES];
};

struct msix_state {
	uint32_t table[MSIX_VECTOR_COUNT][4];	/* address low, high, data, control */
	uint32_t pending;			/* bit v: raised while there was nobody to tell */
	uint32_t reserved;
};

struct virtio_state {
	uint64_t offered_features;
	uint64_t driver_features;
	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint16_t config_vector;
	uint16_t queue_select;
	uint8_t status;
	uint8_t isr;
	uint8_t config_generation;
	uint8_t reserved;
	struct virtqueue_state queue[VIRTIO_QUEUE_COUNT];
};

struct device_state {
	struct pci_state pci;
	struct msix_state msix;
	struct virtio_state virtio;
#ifdef STATE_PAGE_NEXT_BUILD
	uint64_t upgraded_at_generation;	/* 0: begun by a build of this version */
#endif
	struct gpu_state gpu;
};

/* ---- the file --------------------------------------------------------------------------------------- */

struct state_page {
	uint64_t magic;
	uint32_t version;		/* of this bank */
	uint32_t reserved;
	uint64_t bytes;			/* sizeof(struct state_page) of the build that wrote it */
	char build[32];			/* that build, for the log */
	struct connection_state connection;
	struct device_state device;
};
static_assert(sizeof(struct state_page) <= STATE_PAGE_BANK_BYTES, "a bank holds a page of this version");

struct state_header {
	uint64_t magic;
	uint32_t layout;
	uint32_t active;		/* bank 0 or 1 */
	uint64_t generation;		/* processes that have worked on it */
	uint64_t reserved[5];
};
static_assert(sizeof(struct state_header) == 64, "spoken between builds");

/*
 * Maps the state file behind fd (borrowed) and makes it ready: a blank file gets a fresh page (*ret_fresh), a page of
 * an older version is upgraded. A file of 0 bytes is given its size here and sealed against resizing.
 * 0, or after one line in the log: -EPROTO (a newer build's page), -EBADMSG (damaged), -EMSGSIZE (the file
 * is too small and cannot grow), another -errno.
 */
int state_page_open(int fd, struct state_page **ret_page, uint64_t *ret_generation, int *ret_fresh);
/* Unmaps what open returned. Accepts NULL. */
void state_page_close(struct state_page *page);

/* Fresh content; exported for tests. */
void state_page_init(struct state_page *page);
/* True if every index and count in the page is in bounds. */
int state_page_sane(const struct state_page *page);

/* Orders stores against a SIGKILL: the compiler must not move them; the memory outlives the process as it is. */
#define state_barrier() __asm__ volatile("" ::: "memory")

#endif
