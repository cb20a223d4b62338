/* SPDX-License-Identifier: MIT */
/* Requests that kill the device process each time: answered with an error in the end, on a connection that goes on. */
#include "tests/e2e/hostile/hostile.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <unistd.h>

#include "vgpu-qemu/fragile.h"

#define OK VIRTIO_GPU_RESP_OK_NODATA
#define CALM_US 200000	/* a device process that dies sooner after its start looks as if it could not live at all */

static void kill_by_command(struct hostile *hostile, struct raw_client *raw)
{
	const struct wire_submit deadly = {.op = FRAGILE_SUBMIT_OP, .version = WIRE_VERSION};
	uint64_t began_ms = hostile_now_ms();
	int type = raw_gpu_submit(raw, 1, &deadly);

	hostile_check(hostile, type == VIRTIO_GPU_RESP_ERR_UNSPEC,
		      "a submission that kills the device is answered with an error (%#x, %llu ms)", type < 0 ? -type : type,
		      (unsigned long long)(hostile_now_ms() - began_ms));
}

static void kill_by_register(struct hostile *hostile, struct raw_client *raw)
{
	const uint32_t anything = 1;
	uint64_t began_ms = hostile_now_ms();
	int err = vfio_user_client_write(raw->client, 0, FRAGILE_BAR0_OFFSET, &anything, sizeof(anything));

	hostile_check(hostile, err && err != -ENODEV && err != -ETIMEDOUT,
		      "a register write that kills the device is answered with an error (%s, %llu ms)", strerror(-err),
		      (unsigned long long)(hostile_now_ms() - began_ms));
}

static void still_works(struct hostile *hostile, struct raw_client *raw, uint32_t context, const char *after)
{
	hostile_check(hostile, raw_gpu_context_create(raw, context) == OK && raw_gpu_context_destroy(raw, context) == OK,
		      "the same connection works after %s", after);
}

void hostile_crash(struct hostile *hostile)
{
	struct raw_client *raw;
	int err = raw_client_open(hostile->path, RAW_RUNNING, &raw);

	if (!hostile_check(hostile, !err, "a connection of its own (%s)", err ? strerror(-err) : "ok"))
		return;
	if (!hostile_check(hostile, raw_gpu_context_create(raw, 1) == OK, "a good context")) {
		raw_client_close(raw);
		return;
	}
	for (unsigned turn = 0; turn < 3; turn++) {
		usleep(CALM_US);
		kill_by_command(hostile, raw);
		still_works(hostile, raw, 2, "the submission");
		usleep(CALM_US);
		kill_by_register(hostile, raw);
		still_works(hostile, raw, 3, "the register write");
	}
	/* What it had before is still its own. */
	hostile_check(hostile, raw_gpu_context_destroy(raw, 1) == OK, "the context from before all that is still there");
	raw_client_close(raw);
}
