/* SPDX-License-Identifier: MIT */
/* A keeper link that is only a table, for tests of the modules above it. */
#include "vgpu-qemu/keeper_link.h"

#include <stdlib.h>
#include <unistd.h>

static struct {
	uint32_t tag;
	int fd;
} table[512];
static unsigned count;

void keeper_link_store(struct keeper_link *link, uint32_t tag, int fd)
{
	keeper_link_drop(link, tag);
	if (count == 512)
		abort();
	table[count].tag = tag;
	table[count++].fd = fd;
}

int keeper_link_fd(const struct keeper_link *link, uint32_t tag)
{
	(void)link;
	for (unsigned i = 0; i < count; i++)
		if (table[i].tag == tag)
			return table[i].fd;
	return -1;
}

void keeper_link_drop(struct keeper_link *link, uint32_t tag)
{
	(void)link;
	for (unsigned i = 0; i < count; i++)
		if (table[i].tag == tag) {
			close(table[i].fd);
			table[i] = table[--count];
			return;
		}
}
