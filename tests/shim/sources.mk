# SPDX-License-Identifier: MIT
# The shim on the fake engine. Its OpenCL tests are applications: they come through the system's ICD loader.
LIBRARIES += libvgpu-opencl-fake.so
libvgpu-opencl-fake.so_SRCS := $(SHIM_OPENCL_SRCS) tests/shim/fake_engine.c tests/shim/fake_images.c
libvgpu-opencl-fake.so_MAP := tests/shim/libvgpu-opencl-fake.map

SHIM_OPENCL_TESTS := test_opencl_commands test_opencl_events test_opencl_errors test_opencl_images test_opencl_programs test_opencl_svm test_opencl_costs \
	test_opencl_printf test_opencl_sub_devices
TESTS += $(SHIM_OPENCL_TESTS)
test_opencl_events_SRCS := tests/shim/opencl/test_events.c tests/shim/opencl/fixture.c
test_opencl_images_SRCS := tests/shim/opencl/test_images.c tests/shim/opencl/fixture.c
test_opencl_errors_SRCS := tests/shim/opencl/test_errors.c tests/shim/opencl/fixture.c
test_opencl_sub_devices_SRCS := tests/shim/opencl/test_sub_devices.c tests/shim/opencl/fixture.c
test_opencl_printf_SRCS := tests/shim/opencl/test_printf.c tests/shim/opencl/fixture.c
test_opencl_programs_SRCS := tests/shim/opencl/test_programs.c tests/shim/opencl/fixture.c tests/shim/opencl/containers.c \
	$(addprefix shim/opencl/,container.c recipe.c spirv.c)
test_opencl_commands_SRCS := tests/shim/opencl/test_commands.c tests/shim/opencl/fixture.c
test_opencl_costs_SRCS := tests/shim/opencl/test_costs.c tests/shim/opencl/fixture.c
test_opencl_svm_SRCS := tests/shim/opencl/test_svm.c tests/shim/opencl/fixture.c
$(foreach t,$(SHIM_OPENCL_TESTS),$(eval $(t)_PKGS := OpenCL cmocka))
$(foreach t,$(SHIM_OPENCL_TESTS),$(eval $(t)_LIBS := -ldl))
$(SHIM_OPENCL_TESTS:%=$(BUILD)/tests/%): | $(BUILD)/lib/libvgpu-opencl-fake.so

# Once more on a device with memory of its own, with shim and engine on one host, and, all but what tests later versions' own, with a host
# of version 1: what came later is absent there, and nothing else changes.
TEST_RUNS += $(foreach t,$(SHIM_OPENCL_TESTS),TEST_STAGED=1@$(t) TEST_SAME_HOST=1@$(t) VGPU_FORCE_STAGING=1@$(t))
SHIM_SINCE_VERSION_2 := test_opencl_images test_opencl_printf test_opencl_sub_devices
TEST_RUNS += $(foreach t,$(filter-out $(SHIM_SINCE_VERSION_2),$(SHIM_OPENCL_TESTS)),TEST_VERSION_1=1@$(t))

TESTS += test_copy
test_copy_SRCS := tests/shim/test_copy.c shim/copy.c
test_copy_PKGS := cmocka

TESTS += test_ring
test_ring_SRCS := tests/shim/test_ring.c shim/ring.c shim/ring_wait.c
test_ring_PKGS := cmocka
