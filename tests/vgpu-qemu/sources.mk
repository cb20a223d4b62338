# SPDX-License-Identifier: MIT
TESTS += test_pci test_guest_memory test_virtqueue test_state_page test_requests test_takeover test_keeper_link \
	test_keeper_retry

test_pci_SRCS := tests/vgpu-qemu/test_pci.c vgpu-qemu/pci.c
test_pci_PKGS := cmocka
test_guest_memory_SRCS := tests/vgpu-qemu/test_guest_memory.c tests/vgpu-qemu/fake_keeper_link.c vgpu-qemu/dma.c mdev/log/log.c
test_guest_memory_PKGS := cmocka
test_virtqueue_SRCS := tests/vgpu-qemu/test_virtqueue.c tests/vgpu-qemu/fake_keeper_link.c vgpu-qemu/virtqueue.c \
	vgpu-qemu/dma.c mdev/log/log.c
test_virtqueue_PKGS := cmocka
test_state_page_SRCS := tests/vgpu-qemu/test_state_page.c vgpu-qemu/state_page.c mdev/log/log.c
test_state_page_PKGS := cmocka

RIG_SRCS := tests/vgpu-qemu/rig.c mdev/ipc/seqpacket.c mdev/log/log.c
test_requests_SRCS := tests/vgpu-qemu/test_requests.c $(RIG_SRCS)
test_requests_PKGS := cmocka
test_takeover_SRCS := tests/vgpu-qemu/test_takeover.c $(RIG_SRCS)
test_takeover_PKGS := cmocka
test_keeper_link_SRCS := tests/vgpu-qemu/test_keeper_link.c $(RIG_SRCS)
test_keeper_link_PKGS := cmocka
test_keeper_retry_SRCS := tests/vgpu-qemu/test_keeper_retry.c vgpu-qemu/keeper_retry.c
test_keeper_retry_PKGS := cmocka

# The real device process over a fake virtio-gpu, with instants at which it can be killed; this build and the next.
FAKE_DEVICE_SRCS := $(VGPU_DEVICE_SRCS) tests/vgpu-qemu/fake_gpu.c tests/vgpu-qemu/test_point.c
FAKE_DEVICE_FLAGS := -Itests/vgpu-qemu/fake -DVGPU_TEST_POINTS
$(eval $(call vgpu_variant,$(BUILD)/test-programs/vgpu-device-fake,$(FAKE_DEVICE_FLAGS),$(FAKE_DEVICE_SRCS),fake))
$(eval $(call vgpu_variant,$(BUILD)/test-programs/vgpu-device-fake-next,$(FAKE_DEVICE_FLAGS) -DSTATE_PAGE_NEXT_BUILD,$(FAKE_DEVICE_SRCS),fake-next))
$(foreach t,test_requests test_takeover test_keeper_link,$(eval $(BUILD)/tests/$(t): $(BUILD)/test-programs/vgpu-device-fake $(BUILD)/test-programs/vgpu-device-fake-next))
