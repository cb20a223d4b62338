/* SPDX-License-Identifier: MIT */
/*
 * What a build with sanitizers is to leave alone in this process; nothing in other builds.
 *
 * Leaks: OpenCL runtimes and the compilers in them keep memory until the process ends. Faults: kernels are the guest's code
 * and may fault as they like; that is to end the process by the signal, as in any build, and is no finding. What the
 * sanitizers find in our own code is reported all the same.
 */
#include "mdev/engine/compute/sanitizer.h"

#if ENGINE_HAS_SANITIZER
const char *__asan_default_options(void)
{
	return "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0";
}
#endif
