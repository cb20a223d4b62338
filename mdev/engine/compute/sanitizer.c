/* SPDX-License-Identifier: MIT */
/*
 * What a build with sanitizers is to leave alone in this process; nothing in other builds.
 *
 * Leaks: this process ends by _exit or is killed, so nothing would look for any. channel.c asks for it at an orderly end, when all of
 * ours is taken down and nothing runs. OpenCL runtimes and the compilers in them keep memory until the process ends: what
 * was allocated under them is passed over. Faults: kernels are the guest's code and may fault as they like; that is to end the
 * process by the signal, as in any build, and is no finding. What the sanitizers find in our own code is reported all the same.
 *
 * A check for leaks stops the process's threads by ptrace, which the jail of such a build therefore leaves open.
 */
#include "mdev/engine/compute/sanitizer.h"

#if ENGINE_HAS_SANITIZER
#include <sanitizer/lsan_interface.h>

const char *__asan_default_options(void)
{
	return "leak_check_at_exit=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0";
}

const char *__lsan_default_suppressions(void)
{
	return "leak:libOpenCL.so\n"
	       "leak:libpocl\n"
	       "leak:libLLVM\n"
	       "leak:libclang\n"
	       "leak:libhwloc\n";
}

bool sanitizer_finds_leaks(void)
{
	return __lsan_do_recoverable_leak_check() != 0;
}
#endif
