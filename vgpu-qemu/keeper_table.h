/* SPDX-License-Identifier: MIT */
/*
 * The descriptors a device has, by tag, with what its keeper does not know of them yet.
 *
 * Private to the keeper link (keeper_link_parts.h). Device thread only. Owns every descriptor put into it.
 */
#ifndef VGPU_QEMU_KEEPER_TABLE_H
#define VGPU_QEMU_KEEPER_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct keeper_table_entry {
	uint32_t tag;
	int fd;
	bool unsent;
};

struct keeper_table {
	struct keeper_table_entry *entry;
	unsigned entry_count, entry_room;
	uint32_t *drop;			/* tags that the keeper is to forget */
	unsigned drop_count, drop_room;
};

/* Closes all. A table of zeros is an empty one. */
void keeper_table_finish(struct keeper_table *table);
/* Borrowed, or -1. */
int keeper_table_fd(const struct keeper_table *table, uint32_t tag);
/* Takes fd; a former one under the tag is closed, and its drop no longer wished. */
void keeper_table_put(struct keeper_table *table, uint32_t tag, int fd, bool unsent);
/* Closes it. False: there is none. */
bool keeper_table_remove(struct keeper_table *table, uint32_t tag);
/* Adds tag to the drops. */
void keeper_table_drop(struct keeper_table *table, uint32_t tag);
/* For a keeper that knows nothing: every entry is unsent, and nothing is to be dropped. */
void keeper_table_unsent_all(struct keeper_table *table);

#endif
