# SPDX-License-Identifier: MIT
# TESTS are cmocka programs; TEST_PROGRAMS are what they start; FUZZERS have a LLVMFuzzerTestOneInput.

TESTS += test_keeper
test_keeper_SRCS := tests/mdev/keeper/test_keeper.c mdev/ipc/seqpacket.c
test_keeper_PKGS := cmocka
TEST_PROGRAMS += fake_device
fake_device_SRCS := tests/mdev/keeper/fake_device.c mdev/ipc/seqpacket.c

TEST_PROGRAMS += vgpu-guest-test
vgpu-guest-test_SRCS := $(addprefix tests/e2e/guest/,main.c gpu.c soak.c zerocopy.c spin.c scan.c wild.c)
vgpu-guest-test_PKGS := OpenCL
TEST_PROGRAMS += aperture_peek
aperture_peek_SRCS := tests/e2e/aperture_peek.c

# The service
TESTS += test_arbiter test_leases
test_arbiter_SRCS := tests/scheduler/test_arbiter.c scheduler/arbiter.c
test_arbiter_PKGS := cmocka
test_leases_SRCS := tests/mdev/test_leases.c mdev/leases.c mdev/log/log.c scheduler/arbiter.c scheduler/lease.c
test_leases_PKGS := cmocka
TEST_PROGRAMS += fake-libexec/vgpu-keeper
fake-libexec/vgpu-keeper_SRCS := tests/mdev/fake_keeper.c mdev/ipc/seqpacket.c
