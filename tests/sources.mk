# SPDX-License-Identifier: MIT
include tests/vgpu-qemu/sources.mk

# vgpu-qemu/virtio_gpu, against fakes of what it stands on.
VIRTIO_GPU_TEST_SRCS := $(VIRTIO_GPU_SRCS) mdev/ipc/seqpacket.c mdev/log/log.c tests/vgpu-qemu/virtio_gpu/fakes.c

TESTS += test_virtio_gpu_control
test_virtio_gpu_control_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_control.c
test_virtio_gpu_control_PKGS := cmocka
TESTS += test_virtio_gpu_engines
test_virtio_gpu_engines_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_engines.c
test_virtio_gpu_engines_PKGS := cmocka
TESTS += test_virtio_gpu_memory
test_virtio_gpu_memory_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_memory.c
test_virtio_gpu_memory_PKGS := cmocka
TESTS += test_virtio_gpu_kills
test_virtio_gpu_kills_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_kills.c
test_virtio_gpu_kills_PKGS := cmocka
TESTS += test_virtio_gpu_random
test_virtio_gpu_random_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/script.c \
	tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_random.c
test_virtio_gpu_random_PKGS := cmocka

FUZZERS += fuzz_virtio_gpu_control
fuzz_virtio_gpu_control_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/script.c \
	tests/fuzz/fuzz_virtio_gpu_control.c
