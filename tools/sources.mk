# SPDX-License-Identifier: MIT
PROGRAMS += vgpu-admin
vgpu-admin_SRCS := $(addprefix tools/vgpu-admin/,main.c commands.c client.c table.c) mdev/json/json_reader.c mdev/quantity.c
vgpu-admin_PKGS := jansson smartcols
