# SPDX-License-Identifier: MIT
VGPU_DEVICE_SRCS := vgpu-qemu/main/device.c vgpu-qemu/device.c vgpu-qemu/state_page.c vgpu-qemu/keeper_link.c \
	vgpu-qemu/vfio_user/request_log.c vgpu-qemu/vfio_user/dispatch.c vgpu-qemu/dma.c vgpu-qemu/pci.c \
	vgpu-qemu/msix.c vgpu-qemu/virtio_pci.c vgpu-qemu/virtqueue.c mdev/log/log.c mdev/ipc/seqpacket.c

PROGRAMS += vgpu-device
vgpu-device_SRCS := $(VGPU_DEVICE_SRCS) $(VGPU_GPU_SRCS)
vgpu-device_PKGS := jansson
