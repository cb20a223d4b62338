/* SPDX-License-Identifier: MIT */
#include "tests/e2e/hostile/hostile.h"

#include <stdio.h>
#include <string.h>

#include "shim/transport/direct/direct.h"

#define BLOB_BYTES (64u * 1024)
#define PATTERN 0x5a

static const struct wire_submit doorbell = {.op = WIRE_SUBMIT_DOORBELL, .version = WIRE_VERSION};

static bool open_one(struct hostile *hostile, const char *path, struct bystander *bystander, const char *who)
{
	char why[256] = "";
	int err;

	*bystander = (struct bystander){0};
	err = direct_open(path, 0, &bystander->transport, why);
	if (err)
		return hostile_check(hostile, false, "%s gets no context: %s", who, why);
	err = bystander->transport->ops->blob_create(bystander->transport, WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 1), BLOB_BYTES,
						     &bystander->blob);
	if (err) {
		bystander->transport->ops->close(bystander->transport);
		return hostile_check(hostile, false, "%s gets no blob: %s", who, strerror(-err));
	}
	/* New memory reads zero, whoever had it before. */
	const uint8_t *bytes = bystander->blob.address;
	for (unsigned i = 0; i < BLOB_BYTES; i++)
		if (bytes[i])
			return hostile_check(hostile, false, "%s finds byte %#x at %u of its new blob", who, bytes[i], i);
	memset(bystander->blob.address, PATTERN, BLOB_BYTES);
	return true;
}

static void close_one(struct bystander *bystander)
{
	bystander->transport->ops->blob_destroy(bystander->transport, &bystander->blob);
	bystander->transport->ops->close(bystander->transport);
}

bool bystander_begin(struct hostile *hostile, struct bystander *bystander)
{
	return open_one(hostile, hostile->path, bystander, "a well-behaved client");
}

bool bystander_works(struct hostile *hostile, struct bystander *bystander)
{
	const struct transport_ops *ops = bystander->transport->ops;
	const uint8_t *bytes = bystander->blob.address;
	struct transport_blob another;
	uint64_t began_ms = hostile_now_ms();
	int err;

	for (unsigned i = 0; i < BLOB_BYTES; i++)
		if (bytes[i] != PATTERN)
			return hostile_check(hostile, false, "the bystander's blob has byte %#x at %u, it wrote %#x", bytes[i], i, PATTERN);
	err = ops->blob_create(bystander->transport, WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 2), BLOB_BYTES, &another);
	if (err)
		return hostile_check(hostile, false, "the bystander gets no further blob: %s", strerror(-err));
	ops->blob_destroy(bystander->transport, &another);
	err = ops->submit(bystander->transport, &doorbell);
	if (err)
		return hostile_check(hostile, false, "the bystander cannot ring: %s", strerror(-err));
	uint64_t took_ms = hostile_now_ms() - began_ms;
	if (took_ms > bystander->worst_ms)
		bystander->worst_ms = took_ms;
	return true;
}

void bystander_end(struct hostile *hostile, struct bystander *bystander)
{
	if (bystander_works(hostile, bystander))
		hostile_check(hostile, bystander->worst_ms < 5000, "the bystander noticed nothing (its slowest round took %llu ms)",
			      (unsigned long long)bystander->worst_ms);
	close_one(bystander);
}

bool newcomer_works(struct hostile *hostile, const char *after)
{
	struct bystander newcomer;
	char path[256];

	/* Another spelling of the path, so that it does not share the bystander's connection. */
	snprintf(path, sizeof(path), "%s%s", hostile->path[0] == '/' ? "/." : "./", hostile->path);
	if (!open_one(hostile, path, &newcomer, "a newcomer"))
		return false;
	bool works = bystander_works(hostile, &newcomer);
	if (works)
		hostile_check(hostile, true, "a newcomer is served %s", after);
	close_one(&newcomer);
	return works;
}
