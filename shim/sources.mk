# SPDX-License-Identifier: MIT
# What runs in a guest process. The transports' sources are in SHIM_TRANSPORT_SRCS, with SHIM_TRANSPORT_PKGS.
SHIM_OPENCL_SRCS := shim/ring.c shim/ring_wait.c shim/memory.c \
	$(addprefix shim/opencl/,icd.c unsupported.c device.c context.c session.c queue.c command.c event.c \
	buffer.c transfer.c map.c rect.c build.c program.c kernel.c ndrange.c)

LIBRARIES += libvgpu-opencl.so
libvgpu-opencl.so_SRCS = $(SHIM_OPENCL_SRCS) $(SHIM_TRANSPORT_SRCS)
libvgpu-opencl.so_PKGS = $(SHIM_TRANSPORT_PKGS)
libvgpu-opencl.so_MAP := shim/opencl/libvgpu-opencl.map
