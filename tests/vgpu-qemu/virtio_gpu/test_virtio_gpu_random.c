/* SPDX-License-Identifier: MIT */
/* A hundred thousand random commands with engines, deaths, kills and resets in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <signal.h>

#include "tests/vgpu-qemu/virtio_gpu/script.h"

#define COMMANDS 100000u

static void random_guests_break_nothing(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));
	uint64_t seed = 0x9e3779b97f4a7c15ull;	/* fixed: a failure is found again */
	unsigned commands = 0;
	static uint8_t data[1 << 14];

	(void)state;
	rig_begin(rig, NULL, 0, 24 << 20, 6);
	while (commands < COMMANDS) {
		for (unsigned i = 0; i < sizeof(data); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			data[i] = (uint8_t)(seed >> 32);
		}
		commands += script_run(rig, data, sizeof(data));
	}
	/* Whatever has become of it: a reset and the death of all engines leave nothing. */
	virtio_gpu_reset(rig->gpu);
	for (uint32_t slot = 0; slot < KEEPER_CONTEXT_MAX; slot++)
		rig_engine_die(rig, slot, SIGKILL);
	virtio_gpu_reset(rig->gpu);
	assert_true(virtio_gpu_idle(rig->gpu));
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_blocks(rig), 0);
	assert_int_equal(rig->vgpu_page->slot[0].contexts, 0);
	assert_int_equal(rig->vgpu_page->slot[0].resources, 0);
	print_message("%u commands, %u engines started, %u kills asked for, %u strikes\n", commands, rig->keeper.starts,
		      rig->keeper.kills, rig->keeper.strikes);
	assert_true(rig->keeper.starts > 50);
	rig_end(rig);
	free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_guests_break_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
