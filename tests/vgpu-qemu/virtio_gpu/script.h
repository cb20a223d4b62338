/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a hostile guest, a hostile engine and an unlucky host: commands, messages, deaths, kills, resets.
 *
 * Shared by the random test and the fuzz target. Small numbers of ids and offsets, so that things meet.
 */
#ifndef TESTS_VGPU_QEMU_VIRTIO_GPU_SCRIPT_H
#define TESTS_VGPU_QEMU_VIRTIO_GPU_SCRIPT_H

#include <stddef.h>

#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

/* Runs steps until the bytes are used up; checks after each that the device keeps its promises (aborts if not).
 * Returns the number of commands handled. */
unsigned script_run(struct rig *rig, const uint8_t *data, size_t bytes);

#endif
