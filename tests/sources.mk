# SPDX-License-Identifier: MIT
include tests/vgpu-qemu/sources.mk
