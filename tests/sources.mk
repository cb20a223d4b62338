# SPDX-License-Identifier: MIT

# ---- engine -------------------------------------------------------------------------------------
TESTS += test_engine
test_engine_SRCS := tests/mdev/engine/test_engine.c tests/mdev/engine/bench_engine.c \
	tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_PKGS := cmocka

TESTS += test_parse
test_parse_SRCS := tests/mdev/engine/test_parse.c tests/mdev/engine/wire_records.c mdev/engine/compute/parse.c
test_parse_PKGS := cmocka

FUZZERS += fuzz_wire_parse
fuzz_wire_parse_SRCS := tests/fuzz/fuzz_wire_parse.c tests/mdev/engine/wire_records.c mdev/engine/compute/parse.c

TESTS += test_lease
test_lease_SRCS := tests/scheduler/test_lease.c scheduler/lease.c
test_lease_PKGS := cmocka
