# SPDX-License-Identifier: MIT
PROGRAMS += vgpu-keeper
vgpu-keeper_SRCS := mdev/keeper/main.c mdev/keeper/config.c mdev/keeper/process.c mdev/keeper/store.c \
	mdev/keeper/slot.c mdev/keeper/engine.c mdev/keeper/doors.c mdev/keeper/peer.c mdev/keeper/manager.c \
	mdev/ipc/seqpacket.c mdev/log/log.c
vgpu-keeper_PKGS := jansson
