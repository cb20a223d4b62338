/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/aperture.h"

#include <errno.h>
#include <stdlib.h>

struct aperture_range {
	struct aperture_range *next;
	uint64_t offset;
	uint64_t bytes;
};

int aperture_init(struct aperture *aperture, uint64_t bytes)
{
	struct aperture_range *all = malloc(sizeof(*all));

	if (!all)
		return -ENOMEM;
	*all = (struct aperture_range){.bytes = bytes};
	aperture->free = all;
	pthread_mutex_init(&aperture->lock, NULL);
	return 0;
}

void aperture_finish(struct aperture *aperture)
{
	while (aperture->free) {
		struct aperture_range *next = aperture->free->next;

		free(aperture->free);
		aperture->free = next;
	}
	pthread_mutex_destroy(&aperture->lock);
}

int aperture_take(struct aperture *aperture, uint64_t bytes, uint64_t *ret_offset)
{
	int err = -ENOMEM;

	pthread_mutex_lock(&aperture->lock);
	for (struct aperture_range **at = &aperture->free; *at; at = &(*at)->next) {
		struct aperture_range *range = *at;

		if (range->bytes < bytes)
			continue;
		*ret_offset = range->offset;
		range->offset += bytes;
		range->bytes -= bytes;
		if (!range->bytes) {
			*at = range->next;
			free(range);
		}
		err = 0;
		break;
	}
	pthread_mutex_unlock(&aperture->lock);
	return err;
}

/* Joins *range with its successor where they touch. */
static void join_next(struct aperture_range *range)
{
	struct aperture_range *next = range->next;

	if (!next || range->offset + range->bytes != next->offset)
		return;
	range->bytes += next->bytes;
	range->next = next->next;
	free(next);
}

void aperture_give(struct aperture *aperture, uint64_t offset, uint64_t bytes)
{
	struct aperture_range **at, *before = NULL, *range;

	pthread_mutex_lock(&aperture->lock);
	for (at = &aperture->free; *at && (*at)->offset < offset; at = &(*at)->next)
		before = *at;
	if (before && before->offset + before->bytes == offset) {
		before->bytes += bytes;
		join_next(before);
	} else if (*at && offset + bytes == (*at)->offset) {
		(*at)->offset = offset;
		(*at)->bytes += bytes;
	} else {
		range = malloc(sizeof(*range));
		if (range) {
			*range = (struct aperture_range){*at, offset, bytes};
			*at = range;
		}
	}
	pthread_mutex_unlock(&aperture->lock);
}

uint64_t aperture_free_bytes(struct aperture *aperture)
{
	uint64_t bytes = 0;

	pthread_mutex_lock(&aperture->lock);
	for (struct aperture_range *range = aperture->free; range; range = range->next)
		bytes += range->bytes;
	pthread_mutex_unlock(&aperture->lock);
	return bytes;
}
