/* SPDX-License-Identifier: MIT */
/* Configuration space: layout, capability chain, what can be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "vgpu-qemu/pci.h"

#define APERTURE_BYTES (5ull << 30)

static uint16_t word(const uint8_t *config, unsigned offset)
{
	return (uint16_t)(config[offset] | config[offset + 1] << 8);
}

static uint32_t dword(const uint8_t *config, unsigned offset)
{
	return word(config, offset) | (uint32_t)word(config, offset + 2) << 16;
}

static void shows_a_virtio_gpu(void **state)
{
	uint8_t config[PCI_CONFIG_BYTES];

	(void)state;
	pci_config_init(config, APERTURE_BYTES);
	assert_int_equal(dword(config, 0x00), 0x10501af4);
	assert_int_equal(dword(config, 0x08), 0x03800001);
	assert_int_equal(dword(config, 0x2c), 0x11001af4);
	assert_int_equal(config[0x3d], 0); /* no INTx: it would cost the mapping of the aperture */
}

static void capability_chain_ends_and_names_every_part(void **state)
{
	uint8_t config[PCI_CONFIG_BYTES];
	uint32_t virtio_types = 0;
	unsigned offset, count = 0, msix = 0;

	(void)state;
	pci_config_init(config, APERTURE_BYTES);
	for (offset = config[0x34]; offset; offset = config[offset + 1]) {
		assert_in_range(offset, 0x40, 0xfc);
		assert_true(++count < 32);
		if (config[offset] == 0x09) {
			assert_true(offset + config[offset + 2] <= PCI_CONFIG_BYTES);
			virtio_types |= 1u << config[offset + 3];
			if (config[offset + 3] == 8) {
				assert_int_equal(config[offset + 4], 2);
				assert_int_equal(config[offset + 5], 1);
				assert_int_equal(dword(config, offset + 12), (uint32_t)APERTURE_BYTES);
				assert_int_equal(dword(config, offset + 20), APERTURE_BYTES >> 32);
			}
		} else if (config[offset] == 0x11) {
			msix = offset;
		}
	}
	assert_int_equal(virtio_types, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 8);
	assert_int_not_equal(msix, 0);
	assert_int_equal(word(config, msix + 2), MSIX_VECTOR_COUNT - 1);
}

/* Writes all ones everywhere, one byte at a time and in one piece: only the listed bits move. */
static void read_only_bits_stay(void **state)
{
	uint8_t before[PCI_CONFIG_BYTES], config[PCI_CONFIG_BYTES], ones[PCI_CONFIG_BYTES];
	unsigned changed = 0;

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	pci_config_init(before, APERTURE_BYTES);
	pci_config_init(config, APERTURE_BYTES);
	pci_config_write(config, 0, ones, sizeof(ones));
	assert_int_equal(word(config, 0x04), 0x0506);
	assert_int_equal(word(config, 0x06), word(before, 0x06));
	assert_int_equal(dword(config, 0x00), dword(before, 0x00));
	assert_int_equal(dword(config, 0x10), 0xffffc000);
	assert_int_equal(dword(config, 0x14), 0xfffff000);
	assert_int_equal(dword(config, 0x18), 0x0000000c);
	assert_int_equal(dword(config, 0x1c), 0xfffffffe);
	assert_int_equal(config[0x34], before[0x34]);
	for (unsigned i = 0x40; i < PCI_CONFIG_BYTES; i++)
		changed += config[i] != before[i];
	/* MSI-X enable and mask-all; the window's bar, offset and length */
	assert_int_equal(changed, 1 + 1 + 4 + 4);
}

static void window_refuses_odd_shapes(void **state)
{
	uint8_t config[PCI_CONFIG_BYTES];
	struct pci_window window = {9, 9, 9};
	uint32_t data = pci_window_data_offset();
	uint32_t value;
	uint8_t bar = 0;

	(void)state;
	pci_config_init(config, APERTURE_BYTES);
	assert_false(pci_window_hit(config, data, 4, &window)); /* length 0 */
	value = 3;
	pci_config_write(config, data - 4, &value, 4);
	assert_false(pci_window_hit(config, data, 4, &window));
	value = 4;
	pci_config_write(config, data - 4, &value, 4);
	value = 0x1002;
	pci_config_write(config, data - 8, &value, 4);
	assert_false(pci_window_hit(config, data, 4, &window)); /* unaligned */
	value = 0x1000;
	pci_config_write(config, data - 8, &value, 4);
	pci_config_write(config, data - 12, &bar, 1);
	assert_int_equal(window.bytes, 9);
	assert_true(pci_window_hit(config, data, 4, &window));
	assert_int_equal(window.bar, 0);
	assert_int_equal(window.offset, 0x1000);
	assert_int_equal(window.bytes, 4);
	assert_false(pci_window_hit(config, data - 4, 4, &window));
	assert_false(pci_window_hit(config, data + 4, 4, &window));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_a_virtio_gpu),
		cmocka_unit_test(capability_chain_ends_and_names_every_part),
		cmocka_unit_test(read_only_bits_stay),
		cmocka_unit_test(window_refuses_odd_shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
