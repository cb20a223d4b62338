/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/keeper_table.h"

#include <stdlib.h>
#include <unistd.h>

#include "mdev/log/log.h"

void keeper_table_finish(struct keeper_table *table)
{
	for (unsigned i = 0; i < table->entry_count; i++)
		close(table->entry[i].fd);
	free(table->entry);
	free(table->drop);
	*table = (struct keeper_table){0};
}

static struct keeper_table_entry *find(const struct keeper_table *table, uint32_t tag)
{
	for (unsigned i = 0; i < table->entry_count; i++)
		if (table->entry[i].tag == tag)
			return &table->entry[i];
	return NULL;
}

static void drop_forget(struct keeper_table *table, uint32_t tag)
{
	for (unsigned i = 0; i < table->drop_count; i++)
		if (table->drop[i] == tag)
			table->drop[i--] = table->drop[--table->drop_count];
}

void keeper_table_put(struct keeper_table *table, uint32_t tag, int fd, bool unsent)
{
	struct keeper_table_entry *entry = find(table, tag);

	drop_forget(table, tag);
	if (!entry) {
		if (table->entry_count == table->entry_room) {
			unsigned room = table->entry_room ? 2 * table->entry_room : 64;
			struct keeper_table_entry *grown = realloc(table->entry, room * sizeof(*grown));
			if (!grown) {
				log_error("no memory for a descriptor table of %u entries", room);
				abort();
			}
			table->entry = grown;
			table->entry_room = room;
		}
		entry = &table->entry[table->entry_count++];
		entry->tag = tag;
		entry->fd = -1;
	}
	if (entry->fd >= 0)
		close(entry->fd);
	entry->fd = fd;
	entry->unsent = unsent;
}

bool keeper_table_remove(struct keeper_table *table, uint32_t tag)
{
	struct keeper_table_entry *entry = find(table, tag);

	if (!entry)
		return false;
	close(entry->fd);
	*entry = table->entry[--table->entry_count];
	return true;
}

void keeper_table_drop(struct keeper_table *table, uint32_t tag)
{
	drop_forget(table, tag);
	if (table->drop_count == table->drop_room) {
		unsigned room = table->drop_room ? 2 * table->drop_room : 64;
		uint32_t *grown = realloc(table->drop, room * sizeof(*grown));
		if (!grown)
			return; /* the keeper keeps a descriptor too many: harmless, the slot's end drops it */
		table->drop = grown;
		table->drop_room = room;
	}
	table->drop[table->drop_count++] = tag;
}

int keeper_table_fd(const struct keeper_table *table, uint32_t tag)
{
	const struct keeper_table_entry *entry = find(table, tag);

	return entry ? entry->fd : -1;
}

void keeper_table_unsent_all(struct keeper_table *table)
{
	for (unsigned i = 0; i < table->entry_count; i++)
		table->entry[i].unsent = true;
	table->drop_count = 0;
}
