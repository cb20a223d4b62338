# SPDX-License-Identifier: MIT
# The shim on the fake engine. Its OpenCL tests are applications: they come through the system's ICD loader.
LIBRARIES += libvgpu-opencl-fake.so
libvgpu-opencl-fake.so_SRCS := $(SHIM_OPENCL_SRCS) tests/shim/fake_engine.c
libvgpu-opencl-fake.so_MAP := tests/shim/libvgpu-opencl-fake.map

SHIM_OPENCL_TESTS := test_opencl_commands
TESTS += $(SHIM_OPENCL_TESTS)
test_opencl_commands_SRCS := tests/shim/opencl/test_commands.c tests/shim/opencl/fixture.c
$(foreach t,$(SHIM_OPENCL_TESTS),$(eval $(t)_PKGS := OpenCL cmocka))
$(foreach t,$(SHIM_OPENCL_TESTS),$(eval $(t)_LIBS := -ldl))
$(SHIM_OPENCL_TESTS:%=$(BUILD)/tests/%): | $(BUILD)/lib/libvgpu-opencl-fake.so
