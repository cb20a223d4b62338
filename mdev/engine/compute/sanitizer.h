/* SPDX-License-Identifier: MIT */
/* The names the sanitizer's runtime looks for, in builds that have one. */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_SANITIZER_H
#define VGPU_MDEV_ENGINE_COMPUTE_SANITIZER_H

#include <stdbool.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ENGINE_HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ENGINE_HAS_SANITIZER 1
#endif
#ifndef ENGINE_HAS_SANITIZER
#define ENGINE_HAS_SANITIZER 0
#endif

#if ENGINE_HAS_SANITIZER
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
/* Looks for leaks now and reports them. What is still reachable, also from the caller's stack, is none. True if there are some. */
bool sanitizer_finds_leaks(void);
#else
static inline bool sanitizer_finds_leaks(void)
{
	return false;
}
#endif

#endif
