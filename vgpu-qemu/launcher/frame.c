/* SPDX-License-Identifier: MIT */
/*
 * Parses the frames of the guest's init. Distrusts the guest: a length above the limit, an unknown type
 * or a payload of the wrong size ends the stream.
 */
#include "vgpu-qemu/launcher/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

void frame_reader_init(struct frame_reader *reader)
{
	reader->have_bytes = 0;
}

/* What a frame of each type may carry. */
static const struct {
	uint8_t type;
	uint32_t min_bytes;
	uint32_t max_bytes;
} rules[] = {
	{ FRAME_READY, 0, 0 },
	{ FRAME_OUTPUT, 1, FRAME_PAYLOAD_MAX_BYTES },
	{ FRAME_FAILED, 1, 4096 },
	{ FRAME_EXIT, 1, 1 },
};

static int header_parse(const uint8_t *bytes, enum frame_type *ret_type, size_t *ret_length)
{
	static const uint8_t zero[3];
	struct frame_header header;
	uint32_t length;

	memcpy(&header, bytes, sizeof(header));
	length = le32toh(header.length_le);
	if (memcmp(header.reserved, zero, sizeof(zero)) != 0)
		return -EPROTO;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].type != header.type)
			continue;
		if (length < rules[i].min_bytes || length > rules[i].max_bytes)
			return -EPROTO;
		*ret_type = (enum frame_type)header.type;
		*ret_length = length;
		return 0;
	}
	return -EPROTO;
}

/* Moves up to @want bytes in total into the reader; true when it then has them. */
static int fill(struct frame_reader *reader, size_t want, const uint8_t **bytes, size_t *count)
{
	size_t take = 0;

	if (reader->have_bytes < want) {
		take = want - reader->have_bytes;
		if (take > *count)
			take = *count;
		memcpy(reader->bytes + reader->have_bytes, *bytes, take);
		reader->have_bytes += take;
		*bytes += take;
		*count -= take;
	}
	return reader->have_bytes >= want;
}

int frame_feed(struct frame_reader *reader, const void *bytes, size_t count, frame_fn fn, void *arg)
{
	const size_t header_bytes = sizeof(struct frame_header);
	const uint8_t *next = bytes;

	for (;;) {
		struct frame frame;
		int r;

		if (!fill(reader, header_bytes, &next, &count))
			return 0;
		r = header_parse(reader->bytes, &frame.type, &frame.payload_bytes);
		if (r < 0)
			return r;
		if (!fill(reader, header_bytes + frame.payload_bytes, &next, &count))
			return 0;
		frame.payload = reader->bytes + header_bytes;
		reader->have_bytes = 0;
		r = fn(arg, &frame);
		if (r != 0)
			return r;
	}
}
