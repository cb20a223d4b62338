# SPDX-License-Identifier: MIT
PROGRAMS += vgpu-keeper
vgpu-keeper_SRCS := mdev/keeper/main.c mdev/keeper/config.c mdev/keeper/process.c mdev/keeper/store.c \
	mdev/keeper/slot.c mdev/keeper/engine.c mdev/keeper/doors.c mdev/keeper/peer.c mdev/keeper/manager.c \
	mdev/ipc/seqpacket.c mdev/log/log.c
vgpu-keeper_PKGS := jansson

# ---- engine -------------------------------------------------------------------------------------
PROGRAMS += vgpu-compute
vgpu-compute_SRCS := $(addprefix mdev/engine/compute/,main.c engine_config.c environment.c jail.c device.c \
	blobs.c parse.c objects.c build.c execute.c complete.c complete_strategy.c ring.c channel.c probe.c) \
	mdev/ipc/seqpacket.c mdev/log/log.c scheduler/lease.c
vgpu-compute_PKGS := OpenCL jansson
