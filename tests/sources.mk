# SPDX-License-Identifier: MIT

# ---- engine -------------------------------------------------------------------------------------
TESTS += test_engine
test_engine_SRCS := tests/mdev/engine/test_engine.c tests/mdev/engine/bench_engine.c \
	tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_PKGS := cmocka
