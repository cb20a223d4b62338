/* SPDX-License-Identifier: MIT */
/*
 * test_engine --bench: what the way through the ring costs, against the same driver called directly. Printed,
 * not judged.
 */
#ifndef VGPU_TESTS_MDEV_ENGINE_BENCH_ENGINE_H
#define VGPU_TESTS_MDEV_ENGINE_BENCH_ENGINE_H

void bench_engine(void);
#endif
