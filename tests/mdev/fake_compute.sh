#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands in for `vgpu-compute --probe` in the service's tests: one CPU device of 8 GiB, or what FAKE_PROBE names.
[ "$1" = --probe ] || exit 2
case "$*" in
*FAKE_PROBE=hang*) exec sleep 100 ;;
*FAKE_PROBE=garbage*) echo 'not json'; exit 0 ;;
*FAKE_PROBE=crash*) kill -SEGV $$ ;;
esac
cat <<'END'
{"devices":[{"platform":"Fake OpenCL","platform_index":0,"device":"fake-cpu","device_index":0,"type":"cpu","vendor":"nobody",
"driver_version":"1.0","version":"OpenCL 3.0 fake","global_mem_bytes":8589934592,"max_alloc_bytes":2147483648,"compute_units":2,
"mem_align_bytes":128,"unified":true,"native_kernel":true,"info":"2b1000000400000001000000000000002c1000000500000066616b6500000000"}]}
END
