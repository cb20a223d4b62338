/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/msix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mdev/keeper/keeper_protocol.h"
#include "mdev/log/log.h"

static void signal_vector(struct msix *msix, unsigned vector)
{
	const uint64_t one = 1;
	int fd = keeper_link_fd(msix->keeper, KEEPER_TAG(KEEPER_FD_IRQ, vector));

	/* EAGAIN: the counter is full, so the client has an interrupt to look at anyway. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_debug("signalling vector %u failed: %s", vector, strerror(errno));
}

void msix_raise(struct msix *msix, uint16_t vector)
{
	if (vector >= MSIX_VECTOR_COUNT)
		return;
	if (*msix->attached >> vector & 1)
		signal_vector(msix, vector);
	else
		msix->state->pending |= 1u << vector;
}

void msix_raise_all(struct msix *msix)
{
	for (uint16_t v = 0; v < MSIX_VECTOR_COUNT; v++)
		if (*msix->attached >> v & 1)
			signal_vector(msix, v);
}

int msix_attach(struct msix *msix, unsigned vector, int eventfd)
{
	int flags = fcntl(eventfd, F_GETFL);
	int own;

	/* Whatever file the client passed, a write to it must not block this process. */
	if (flags < 0 || fcntl(eventfd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	own = fcntl(eventfd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	keeper_link_store(msix->keeper, KEEPER_TAG(KEEPER_FD_IRQ, vector), own);
	state_barrier();
	*msix->attached |= 1u << vector;
	if (msix->state->pending >> vector & 1) {
		signal_vector(msix, vector);
		msix->state->pending &= ~(1u << vector);
	}
	return 0;
}

void msix_detach(struct msix *msix, unsigned vector)
{
	*msix->attached &= ~(1u << vector);
	state_barrier();
	keeper_link_drop(msix->keeper, KEEPER_TAG(KEEPER_FD_IRQ, vector));
}

void msix_read(const struct msix *msix, uint64_t offset, void *buffer, uint32_t bytes)
{
	const uint8_t *table = (const uint8_t *)msix->state->table;
	const uint64_t pending = msix->state->pending;
	uint8_t *to = buffer;

	for (uint32_t i = 0; i < bytes; i++) {
		uint64_t at = offset + i;

		if (at < sizeof(msix->state->table))
			to[i] = table[at];
		else if (at >= MSIX_PENDING_OFFSET && at < MSIX_PENDING_OFFSET + sizeof(pending))
			to[i] = ((const uint8_t *)&pending)[at - MSIX_PENDING_OFFSET];
		else
			to[i] = 0;
	}
}

void msix_write(struct msix *msix, uint64_t offset, const void *buffer, uint32_t bytes)
{
	uint8_t *table = (uint8_t *)msix->state->table;
	const uint8_t *from = buffer;

	for (uint32_t i = 0; i < bytes && offset + i < sizeof(msix->state->table); i++)
		table[offset + i] = from[i];
}

void msix_reset(struct msix *msix)
{
	memset(msix->state, 0, sizeof(*msix->state));
	for (unsigned v = 0; v < MSIX_VECTOR_COUNT; v++)
		msix->state->table[v][3] = 1;
}
