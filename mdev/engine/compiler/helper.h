/* SPDX-License-Identifier: MIT */
/* `vgpu-compute --compiler`: the life of a compile helper, from its arguments into the jail to server_run. */
#ifndef VGPU_MDEV_ENGINE_COMPILER_HELPER_H
#define VGPU_MDEV_ENGINE_COMPILER_HELPER_H

/* Serves the descriptors of compile_protocol.h for the vGPU of runtime folder dir. The exit status. */
int helper_run(const char *dir, char *const *argv);
#endif
