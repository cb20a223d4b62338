# SPDX-License-Identifier: MIT
SHIM_DIRECT_SRCS := $(addprefix shim/transport/direct/,vfio_user_client.c arena.c pci.c virtio.c queue.c \
	aperture.c gpu.c connection.c direct.c)
SHIM_TRANSPORT_SRCS := shim/transport/transport.c shim/transport/drm.c shim/transport/capset.c \
	shim/transport/fork_guard.c $(SHIM_DIRECT_SRCS)
SHIM_TRANSPORT_PKGS := libdrm

TESTS += test_shim_capset test_shim_aperture test_shim_direct
test_shim_capset_SRCS := tests/shim/transport/test_capset.c shim/transport/capset.c
test_shim_capset_PKGS := cmocka
test_shim_aperture_SRCS := tests/shim/transport/test_aperture.c shim/transport/direct/aperture.c
test_shim_aperture_PKGS := cmocka
test_shim_direct_SRCS := tests/shim/transport/test_direct.c tests/shim/transport/fake_device.c $(SHIM_TRANSPORT_SRCS)
test_shim_direct_PKGS := cmocka $(SHIM_TRANSPORT_PKGS)

TEST_PROGRAMS += hostile_guest
hostile_guest_SRCS := $(addprefix tests/e2e/hostile/,main.c bystander.c memory.c socket.c commands.c ring.c vanish.c crash.c) \
	tests/direct/raw_client.c $(SHIM_TRANSPORT_SRCS)
hostile_guest_PKGS := $(SHIM_TRANSPORT_PKGS)
# What runs in a guest process. The transports' sources are in SHIM_TRANSPORT_SRCS, with SHIM_TRANSPORT_PKGS.
SHIM_OPENCL_SRCS := shim/ring.c shim/ring_wait.c shim/memory.c shim/copy.c \
	$(addprefix shim/opencl/,icd.c unsupported.c device.c context.c session.c queue.c command.c event.c \
	buffer.c transfer.c defer.c map.c rect.c build.c build_reply.c output.c sub_device.c recipe.c container.c spirv.c program.c program_build.c program_info.c \
	device_programs.c sub_groups.c kernel.c ndrange.c \
	image.c image_formats.c image_move.c image_commands.c sampler.c svm.c svm_arena.c svm_commands.c)

LIBRARIES += libvgpu-opencl.so
libvgpu-opencl.so_SRCS = $(SHIM_OPENCL_SRCS) $(SHIM_TRANSPORT_SRCS)
libvgpu-opencl.so_PKGS = $(SHIM_TRANSPORT_PKGS)
libvgpu-opencl.so_MAP := shim/opencl/libvgpu-opencl.map
