/* SPDX-License-Identifier: MIT */
/*
 * Labelled instants at which tests kill the process (tests/vgpu-qemu/test_point.c); nothing in other builds.
 */
#ifndef VGPU_QEMU_TEST_POINT_H
#define VGPU_QEMU_TEST_POINT_H

#ifdef VGPU_TEST_POINTS
void test_point(const char *label);
#define TEST_POINT(label) test_point(label)
#else
#define TEST_POINT(label) ((void)0)
#endif

#endif
