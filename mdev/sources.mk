# SPDX-License-Identifier: MIT

# ---- engine -------------------------------------------------------------------------------------
PROGRAMS += vgpu-compute
vgpu-compute_SRCS := $(addprefix mdev/engine/compute/,main.c engine_config.c environment.c jail.c jail_namespaces.c \
	jail_landlock.c jail_seccomp.c device.c \
	blobs.c parse.c objects.c build.c execute.c complete.c complete_strategy.c ring.c channel.c probe.c) \
	mdev/ipc/seqpacket.c mdev/log/log.c scheduler/lease.c
vgpu-compute_PKGS := OpenCL jansson libseccomp
