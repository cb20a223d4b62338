# SPDX-License-Identifier: MIT
PROGRAMS += vgpu-run
vgpu-run_SRCS := $(addprefix vgpu-qemu/launcher/,vgpu_run.c accel.c args.c frame.c initrd.c options.c \
	qemu_args.c session.c vgpu_query.c vm.c)
