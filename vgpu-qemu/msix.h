/* SPDX-License-Identifier: MIT */
/*
 * MSI-X vectors: raised through the eventfds the client gave with SET_IRQS.
 *
 * Table and pending bits lie in BAR1 and are memory here. QEMU keeps a table of its own over ours and masks a
 * vector by attaching an eventfd that it watches itself, so a vector with an eventfd is always told, whatever our
 * table says; one without is noted as pending and told when an eventfd comes. Device thread only.
 */
#ifndef VGPU_QEMU_MSIX_H
#define VGPU_QEMU_MSIX_H

#include "vgpu-qemu/keeper_link.h"
#include "vgpu-qemu/state_page.h"

#define MSIX_TABLE_OFFSET 0x0u
#define MSIX_PENDING_OFFSET 0x800u

struct msix {
	struct msix_state *state;
	uint32_t *attached;		/* connection_state.irq_attached */
	struct keeper_link *keeper;
};

void msix_raise(struct msix *msix, uint16_t vector);
/* After a takeover nobody knows which interrupts were lost: a driver survives one too many. */
void msix_raise_all(struct msix *msix);

/* Attaches eventfd (borrowed) to vector; a former one is replaced. 0 or -errno. */
int msix_attach(struct msix *msix, unsigned vector, int eventfd);
void msix_detach(struct msix *msix, unsigned vector);

/* BAR1. Reads outside table and pending bits give zero, writes there do nothing. */
void msix_read(const struct msix *msix, uint64_t offset, void *buffer, uint32_t bytes);
void msix_write(struct msix *msix, uint64_t offset, const void *buffer, uint32_t bytes);
/* Table and pending bits as after power-on; eventfds stay. */
void msix_reset(struct msix *msix);

#endif
