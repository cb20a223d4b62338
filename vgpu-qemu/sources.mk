# SPDX-License-Identifier: MIT
PROGRAMS += vgpu-run
vgpu-run_SRCS := $(addprefix vgpu-qemu/launcher/,vgpu_run.c accel.c args.c frame.c initrd.c options.c \
	qemu_args.c session.c vgpu_query.c vm.c)

# The virtio-gpu device: everything of vgpu-device but its transport and queues.
VIRTIO_GPU_SRCS := $(addprefix vgpu-qemu/virtio_gpu/,virtio_gpu.c control.c contexts.c retirement.c blobs.c guest_blob.c \
	engine_channel.c map_guard.c pending.c waiting.c aperture.c audit.c ledger.c resource_table.c)

# The way to the keeper.
KEEPER_LINK_SRCS := $(addprefix vgpu-qemu/,keeper_link.c keeper_link_send.c keeper_link_receive.c keeper_link_join.c \
	keeper_table.c keeper_retry.c)

# The device process: its transport and queues, and all together.
VGPU_DEVICE_SRCS := vgpu-qemu/main/device.c vgpu-qemu/device.c vgpu-qemu/state_page.c $(KEEPER_LINK_SRCS) \
	vgpu-qemu/vfio_user/request_log.c vgpu-qemu/vfio_user/dispatch.c vgpu-qemu/dma.c vgpu-qemu/pci.c \
	vgpu-qemu/msix.c vgpu-qemu/virtio_pci.c vgpu-qemu/virtqueue.c mdev/log/log.c mdev/ipc/seqpacket.c

PROGRAMS += vgpu-device
vgpu-device_SRCS := $(VGPU_DEVICE_SRCS) $(VIRTIO_GPU_SRCS)
vgpu-device_PKGS := jansson

# The same sources built another way, objects in a folder of their own: folder and program, defines, sources, variant.
define vgpu_variant
$(BUILD)/variant/$(4)/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  CC    $$< ($(4))"
	$$(Q)$$(CC) $(2) $$(CPPFLAGS_OWN) $$(PKG_CFLAGS_ONCE) $$(CFLAGS_OWN) $$(CFLAGS) -MMD -MP -c -o $$@ $$<
$(1): $(patsubst %.c,$(BUILD)/variant/$(4)/%.o,$(3))
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $$(LDFLAGS_OWN) -o $$@ $$^ $$(shell $$(PKG_CONFIG) --libs jansson) -lpthread
all: $(1)
-include $(patsubst %.c,$(BUILD)/variant/$(4)/%.d,$(3))
endef

# A build whose state page is one version further: what a running vGPU is replaced with in tests.
$(eval $(call vgpu_variant,$(BUILD)/bin/vgpu-device-next,-DSTATE_PAGE_NEXT_BUILD,$(vgpu-device_SRCS),next))
# A build that certain requests kill (vgpu-qemu/fragile.h): for tests, never installed.
$(eval $(call vgpu_variant,$(BUILD)/tests/vgpu-device-fragile,-DVGPU_FRAGILE,$(vgpu-device_SRCS),fragile))
