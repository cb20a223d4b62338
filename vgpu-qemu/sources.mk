# SPDX-License-Identifier: MIT
PROGRAMS += vgpu-run
vgpu-run_SRCS := $(addprefix vgpu-qemu/launcher/,vgpu_run.c accel.c args.c frame.c initrd.c options.c \
	qemu_args.c session.c vgpu_query.c vm.c)

# The virtio-gpu device: everything of vgpu-device but its transport and queues.
VIRTIO_GPU_SRCS := $(addprefix vgpu-qemu/virtio_gpu/,virtio_gpu.c control.c contexts.c blobs.c guest_blob.c \
	engine_channel.c pending.c aperture.c audit.c ledger.c resource_table.c)
