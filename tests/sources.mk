# SPDX-License-Identifier: MIT
include tests/shim/sources.mk
# TESTS are cmocka programs; TEST_PROGRAMS are what they start; FUZZERS have a LLVMFuzzerTestOneInput.

TESTS += test_keeper
test_keeper_SRCS := tests/mdev/keeper/test_keeper.c mdev/ipc/seqpacket.c
test_keeper_PKGS := cmocka
TEST_PROGRAMS += fake_device
fake_device_SRCS := tests/mdev/keeper/fake_device.c mdev/ipc/seqpacket.c

TEST_PROGRAMS += vgpu-guest-test
vgpu-guest-test_SRCS := $(addprefix tests/e2e/guest/,main.c gpu.c soak.c zerocopy.c spin.c scan.c build.c wild.c churn.c stray.c images.c images_kernels.c images_errors.c images_full.c pauses.c)
vgpu-guest-test_PKGS := OpenCL
TEST_PROGRAMS += cl-conformance
cl-conformance_SRCS := $(addprefix tests/conformance/,main.c errors_platform.c errors_context.c errors_buffer.c errors_transfer.c errors_image.c \
	errors_svm.c errors_program.c errors_kernel.c errors_event.c printf.c sub_devices.c queries.c threads.c)
cl-conformance_PKGS := OpenCL
TEST_PROGRAMS += aperture_peek
aperture_peek_SRCS := tests/e2e/aperture_peek.c

# The service
TESTS += test_arbiter test_leases
test_arbiter_SRCS := tests/scheduler/test_arbiter.c $(ARBITER_SRCS)
test_arbiter_PKGS := cmocka
TESTS += test_arbiter_freeze test_freezer test_groups
test_arbiter_freeze_SRCS := $(addprefix tests/scheduler/,test_arbiter_freeze.c arbiter_world.c) scheduler/sim/draw.c $(ARBITER_SRCS)
test_arbiter_freeze_PKGS := cmocka
test_arbiter_freeze_LIBS := -lm
test_freezer_SRCS := tests/mdev/test_freezer.c mdev/freezer.c mdev/groups.c
test_freezer_PKGS := cmocka
test_groups_SRCS := tests/mdev/test_groups.c mdev/groups.c
test_groups_PKGS := cmocka
test_leases_SRCS := tests/mdev/test_leases.c mdev/leases.c mdev/leases_hands.c mdev/leases_members.c mdev/leases_settings.c mdev/lease_trace.c mdev/freezer.c mdev/log/log.c scheduler/lease.c scheduler/trace.c \
	$(ARBITER_SRCS)
test_leases_PKGS := cmocka jansson
TEST_PROGRAMS += fake-libexec/vgpu-keeper
fake-libexec/vgpu-keeper_SRCS := tests/mdev/fake_keeper.c mdev/ipc/seqpacket.c
# benchmarks/: pure parts, then the set on a real OpenCL device.
TESTS += test_bench_stats test_bench_json test_bench_options test_bench_path test_bench_fairness test_bench_kernels
test_bench_stats_SRCS := tests/benchmarks/test_stats.c benchmarks/stats.c
test_bench_json_SRCS := tests/benchmarks/test_json.c benchmarks/json.c
test_bench_options_SRCS := tests/benchmarks/test_options.c $(BENCH_SET_SRCS)
test_bench_path_SRCS := tests/benchmarks/test_path.c $(BENCH_PATH_SRCS) $(BENCH_SET_SRCS)
test_bench_fairness_SRCS := tests/benchmarks/test_fairness.c $(BENCH_FAIRNESS_SRCS) $(BENCH_PATH_SRCS) $(BENCH_SET_SRCS)
test_bench_kernels_SRCS := tests/benchmarks/test_kernels.c $(BENCH_SET_SRCS)
$(foreach t,test_bench_stats test_bench_json test_bench_options test_bench_path test_bench_fairness test_bench_kernels, \
	$(eval $(t)_PKGS := OpenCL cmocka) $(eval $(t)_LIBS := -lm))
# vgpu-qemu/launcher: vgpu-run.
TESTS += test_launcher_options test_launcher_qemu_args test_launcher_frame test_launcher_accel
LAUNCHER_TEST := tests/vgpu-qemu/launcher
LAUNCHER := vgpu-qemu/launcher
test_launcher_options_SRCS := $(LAUNCHER_TEST)/test_options.c $(LAUNCHER)/options.c
test_launcher_qemu_args_SRCS := $(LAUNCHER_TEST)/test_qemu_args.c \
	$(addprefix $(LAUNCHER)/,qemu_args.c args.c vgpu_query.c vm.c)
test_launcher_frame_SRCS := $(LAUNCHER_TEST)/test_frame.c $(LAUNCHER)/frame.c
test_launcher_accel_SRCS := $(LAUNCHER_TEST)/test_accel.c $(addprefix $(LAUNCHER)/,accel.c args.c qemu_args.c vm.c)
test_launcher_options_PKGS := cmocka
test_launcher_qemu_args_PKGS := cmocka
test_launcher_frame_PKGS := cmocka
test_launcher_accel_PKGS := cmocka

# Counts that are bars (tests/e2e/counts.sh).
TEST_PROGRAMS += count_client count_memory count_instructions
count_memory_SRCS := tests/counts/memory.c
count_memory_PKGS := OpenCL
count_client_SRCS := tests/counts/client.c
count_client_PKGS := OpenCL
count_instructions_SRCS := tests/counts/instructions.c shim/ring.c shim/ring_wait.c mdev/engine/compute/parse.c mdev/engine/compute/parse_image.c scheduler/lease.c

# Scripts of `make test`, in their order, and those of `make test-smoke`.
E2E += tests/check_sources.sh
E2E += tests/e2e/direct_opencl.sh
E2E += tests/e2e/direct_conformance.sh
E2E += tests/e2e/direct_images.sh
E2E += tests/e2e/direct_programs.sh
E2E += tests/e2e/direct_svm.sh
E2E += tests/e2e/direct_builds.sh
E2E += tests/e2e/direct_chunks.sh
E2E += tests/e2e/direct_isolation.sh
E2E += tests/e2e/preempt.sh
E2E += tests/e2e/direct_kills.sh
E2E += tests/e2e/direct_retire.sh
E2E += tests/e2e/direct_hostile.sh
E2E += tests/e2e/direct_stress.sh
E2E += tests/e2e/direct_versions.sh
E2E += tests/e2e/service.sh
E2E += tests/e2e/settings.sh
E2E += tests/e2e/trace.sh
E2E += tests/e2e/counts.sh
E2E += tests/e2e/service_stress.sh
E2E += tests/e2e/full_disk.sh
E2E += tests/e2e/san_leaks.sh
E2E += tests/e2e/vm_launcher.sh
E2E += tests/e2e/vm_smoke.sh
E2E += tests/e2e/vm_guest.sh
E2E += tests/e2e/vm_svm.sh
E2E += tests/e2e/vm_pair.sh
E2E += tests/e2e/vm_apps.sh
E2E += tests/e2e/vm_kills.sh
E2E += tests/e2e/vm_qemu.sh
SMOKE += tests/e2e/vm_smoke.sh
# Applications of the distribution.
E2E += tests/e2e/direct_apps.sh
APPS = $(filter %_apps.sh,$(E2E))

# vgpu-qemu/virtio_gpu, against fakes of what it stands on.
VIRTIO_GPU_TEST_SRCS := $(VIRTIO_GPU_SRCS) mdev/ipc/seqpacket.c mdev/log/log.c tests/vgpu-qemu/virtio_gpu/fakes.c

TESTS += test_virtio_gpu_control
test_virtio_gpu_control_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_control.c
test_virtio_gpu_control_PKGS := cmocka
include tests/vgpu-qemu/sources.mk

# ---- engine -------------------------------------------------------------------------------------
TESTS += test_engine
# Once more with a shim on the same host.
TEST_RUNS += TEST_SAME_HOST=1@test_engine
test_engine_SRCS := tests/mdev/engine/test_engine.c tests/mdev/engine/bench_engine.c \
	tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_PKGS := cmocka

TESTS += test_engine_output
test_engine_output_SRCS := tests/mdev/engine/test_engine_output.c tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c mdev/log/log.c \
	$(addprefix mdev/engine/compute/,output.c source_tokens.c)
test_engine_output_PKGS := cmocka

TESTS += test_engine_partition
test_engine_partition_SRCS := tests/mdev/engine/test_engine_partition.c tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_partition_PKGS := cmocka
TESTS += test_engine_images
test_engine_images_SRCS := tests/mdev/engine/test_engine_images.c tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_images_PKGS := cmocka

TESTS += test_engine_programs
test_engine_programs_SRCS := tests/mdev/engine/test_engine_programs.c tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_programs_PKGS := cmocka

TESTS += test_engine_svm
test_engine_svm_SRCS := tests/mdev/engine/test_engine_svm.c tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_svm_PKGS := cmocka

TESTS += test_engine_retire
TEST_RUNS += TEST_SAME_HOST=1@test_engine_retire
test_engine_retire_SRCS := tests/mdev/engine/test_engine_retire.c tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c
test_engine_retire_PKGS := cmocka

TESTS += test_engine_pieces
test_engine_pieces_SRCS := tests/mdev/engine/test_engine_pieces.c tests/mdev/engine/engine_harness.c mdev/ipc/seqpacket.c \
	$(ARBITER_SRCS)
test_engine_pieces_PKGS := cmocka

TESTS += test_jail_seccomp
test_jail_seccomp_SRCS := tests/mdev/engine/test_jail_seccomp.c mdev/engine/compute/jail_seccomp.c
test_jail_seccomp_PKGS := cmocka libseccomp

TESTS += test_checkpoint
test_checkpoint_SRCS := tests/mdev/engine/test_checkpoint.c mdev/engine/compute/checkpoint.c mdev/engine/compute/records.c
test_checkpoint_PKGS := cmocka

TESTS += test_parse
test_parse_SRCS := tests/mdev/engine/test_parse.c tests/mdev/engine/wire_records.c mdev/engine/compute/parse.c mdev/engine/compute/parse_image.c
test_parse_PKGS := cmocka
TESTS += test_parse_seeds
test_parse_seeds_SRCS := tests/mdev/engine/test_parse_seeds.c tests/mdev/engine/wire_records.c mdev/engine/compute/parse.c mdev/engine/compute/parse_image.c
test_parse_seeds_PKGS := cmocka

FUZZERS += fuzz_wire_parse
fuzz_wire_parse_SRCS := tests/fuzz/fuzz_wire_parse.c tests/mdev/engine/wire_records.c mdev/engine/compute/parse.c mdev/engine/compute/parse_image.c

SPLITTABLE_SRCS := $(addprefix mdev/engine/compute/,splittable.c builtins.c source_tokens.c) tests/mdev/engine/splittable_sources.c
TESTS += test_splittable
test_splittable_SRCS := tests/mdev/engine/test_splittable.c $(SPLITTABLE_SRCS)
test_splittable_PKGS := cmocka

FUZZERS += fuzz_splittable
fuzz_splittable_SRCS := tests/fuzz/fuzz_splittable.c $(SPLITTABLE_SRCS)

TESTS += test_chunk
test_chunk_SRCS := tests/mdev/engine/test_chunk.c mdev/engine/compute/chunk.c
test_chunk_PKGS := cmocka

TESTS += test_lease
test_lease_SRCS := tests/scheduler/test_lease.c scheduler/lease.c
test_lease_PKGS := cmocka
TESTS += test_virtio_gpu_engines
test_virtio_gpu_engines_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_engines.c
test_virtio_gpu_engines_PKGS := cmocka

TESTS += test_virtio_gpu_retirement
test_virtio_gpu_retirement_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_retirement.c
test_virtio_gpu_retirement_PKGS := cmocka
TESTS += test_virtio_gpu_memory
test_virtio_gpu_memory_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_memory.c
test_virtio_gpu_memory_PKGS := cmocka
TESTS += test_virtio_gpu_waiting
test_virtio_gpu_waiting_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_waiting.c
test_virtio_gpu_waiting_PKGS := cmocka
TESTS += test_virtio_gpu_kills
test_virtio_gpu_kills_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_kills.c
test_virtio_gpu_kills_PKGS := cmocka
TESTS += test_virtio_gpu_random
test_virtio_gpu_random_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/script.c \
	tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_random.c
test_virtio_gpu_random_PKGS := cmocka

FUZZERS += fuzz_virtio_gpu_control
fuzz_virtio_gpu_control_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/script.c \
	tests/fuzz/fuzz_virtio_gpu_control.c
TESTS += test_instance_stop
test_instance_stop_SRCS := tests/mdev/test_instance_stop.c $(SERVICE_SRCS)
test_instance_stop_PKGS := cmocka libmicrohttpd jansson libsystemd
TESTS += test_service_parts
test_service_parts_SRCS := tests/mdev/test_service_parts.c $(SERVICE_SRCS)
test_service_parts_PKGS := cmocka libmicrohttpd jansson libsystemd
TESTS += test_sched_settings
test_sched_settings_SRCS := tests/mdev/test_sched_settings.c mdev/json/json_reader.c mdev/profile.c mdev/quantity.c mdev/sched_settings.c \
	mdev/vgpu_spec.c $(RUN_QUEUE_SRCS)
test_sched_settings_PKGS := cmocka jansson
FUZZERS += fuzz_api_request
fuzz_api_request_SRCS := tests/fuzz/fuzz_api_request.c $(SERVICE_SRCS)
fuzz_api_request_PKGS := libmicrohttpd jansson libsystemd
TESTS += test_virtio_gpu_isolation
test_virtio_gpu_isolation_SRCS := $(VIRTIO_GPU_TEST_SRCS) tests/vgpu-qemu/virtio_gpu/test_virtio_gpu_isolation.c
test_virtio_gpu_isolation_PKGS := cmocka
TEST_PROGRAMS += jail_breaker
jail_breaker_SRCS := tests/mdev/engine/jail_breaker.c mdev/ipc/seqpacket.c mdev/log/log.c \
	$(addprefix mdev/engine/compute/,jail.c jail_namespaces.c jail_landlock.c jail_seccomp.c)
jail_breaker_PKGS := libseccomp
# The reader of build replies; vfio-user requests, on the device of the tests of the transport.
FUZZERS += fuzz_build_reply fuzz_container fuzz_vfio_user
CONTAINER_SRCS := tests/shim/opencl/containers.c $(addprefix shim/opencl/,container.c recipe.c spirv.c)
fuzz_container_SRCS := tests/fuzz/fuzz_container.c $(CONTAINER_SRCS)
TESTS += test_container
test_container_SRCS := tests/shim/opencl/test_container.c $(CONTAINER_SRCS)
test_container_PKGS := cmocka
fuzz_build_reply_SRCS := tests/fuzz/fuzz_build_reply.c shim/opencl/build_reply.c
fuzz_vfio_user_SRCS := tests/fuzz/fuzz_vfio_user.c tests/vgpu-qemu/fake_gpu.c $(filter-out vgpu-qemu/main/%,$(VGPU_DEVICE_SRCS))
fuzz_vfio_user_FLAGS := -Itests/vgpu-qemu/fake

# The simulator's scenario files.
FUZZERS += fuzz_scenario
fuzz_scenario_SRCS := tests/fuzz/fuzz_scenario.c $(SIM_FILE_SRCS)
fuzz_scenario_PKGS := jansson
fuzz_scenario_LIBS := -lm

# Forged lease pages.
FUZZERS += fuzz_arbiter
fuzz_arbiter_SRCS := tests/fuzz/fuzz_arbiter.c $(ARBITER_SRCS)

# Every fuzz target's seeds in the unit tests, without a fuzzer: replay_TARGET.
define replay_test
TESTS += replay_$(1)
replay_$(1)_SRCS := tests/fuzz/replay.c $(fuzz_$(1)_SRCS)
replay_$(1)_PKGS := $(fuzz_$(1)_PKGS)
replay_$(1)_LIBS := $(fuzz_$(1)_LIBS)
endef
$(foreach f,$(FUZZERS:fuzz_%=%),$(if $(fuzz_$(f)_FLAGS),,$(eval $(call replay_test,$(f)))))
# The one that is compiled with flags of its own.
$(eval $(call vgpu_variant,$(BUILD)/tests/replay_vfio_user,$(fuzz_vfio_user_FLAGS),tests/fuzz/replay.c $(fuzz_vfio_user_SRCS),replay))
VARIANT_TESTS += $(BUILD)/tests/replay_vfio_user
# scheduler/: the lease protocol, all states of it; the run queue, on a simulated clock.
TESTS += test_lease_model
test_lease_model_SRCS := $(addprefix tests/scheduler/,test_lease_model.c lease_model.c lease_model_engine.c lease_model_arbiter.c state_search.c)
test_lease_model_PKGS := cmocka
TESTS += test_scheduler_properties
test_scheduler_properties_SRCS := $(addprefix tests/scheduler/,test_scheduler_properties.c random_scenario.c invariant.c) $(SIM_FILE_SRCS)
test_scheduler_properties_PKGS := cmocka jansson
test_scheduler_properties_LIBS := -lm
TESTS += test_scheduler_replays
test_scheduler_replays_SRCS := $(addprefix tests/scheduler/,test_scheduler_replays.c random_scenario.c) $(SIM_SRCS)
test_scheduler_replays_PKGS := cmocka
test_scheduler_replays_LIBS := -lm
TESTS += test_run_queue
test_run_queue_SRCS := tests/scheduler/test_run_queue.c scheduler/sim/draw.c $(RUN_QUEUE_SRCS)
test_run_queue_PKGS := cmocka
test_run_queue_LIBS := -lm -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray
TESTS += test_scenario_file
test_scenario_file_SRCS := tests/tools/vgpu-sim/test_scenario_file.c tests/scheduler/random_scenario.c $(SIM_FILE_SRCS)
test_scenario_file_PKGS := cmocka jansson
test_scenario_file_LIBS := -lm
TESTS += test_lease_trace test_trace_files
test_lease_trace_SRCS := tests/mdev/test_lease_trace.c mdev/lease_trace.c scheduler/trace.c $(RUN_QUEUE_SRCS)
test_lease_trace_PKGS := cmocka jansson
test_trace_files_SRCS := tests/tools/vgpu-admin/test_trace_files.c $(sort $(TRACE_FILE_SRCS) $(SIM_FILE_SRCS))
test_trace_files_PKGS := cmocka jansson
test_trace_files_LIBS := -lm
TESTS += test_trace
test_trace_SRCS := tests/scheduler/test_trace.c scheduler/trace.c
test_trace_PKGS := cmocka
# Program objects, asked of any OpenCL device.
TEST_PROGRAMS += vgpu-programs-test
vgpu-programs-test_SRCS := $(addprefix tests/programs/,main.c verdicts.c errors.c compile_link.c binaries.c callbacks.c kernels.c il.c)
vgpu-programs-test_PKGS := OpenCL

# Run natively and on a vGPU, with the same verdicts (tests/e2e/direct_svm.sh).
TEST_PROGRAMS += conformance_svm
conformance_svm_SRCS := tests/conformance/svm.c
conformance_svm_PKGS := OpenCL

# ---- compile helper ------------------------------------------------------------------------------
TESTS += test_build_cache
test_build_cache_SRCS := tests/mdev/engine/compiler/test_build_cache.c mdev/engine/compiler/build_cache.c mdev/engine/compiler/sha256.c
test_build_cache_PKGS := cmocka
TESTS += test_compiler
test_compiler_SRCS := tests/mdev/engine/compiler/test_compiler.c tests/mdev/engine/engine_harness.c mdev/engine/compiler/parts.c \
	mdev/ipc/seqpacket.c
test_compiler_PKGS := cmocka
TESTS += test_build_jail
test_build_jail_SRCS := tests/mdev/engine/compiler/test_build_jail.c \
	$(addprefix mdev/engine/compute/,jail.c jail_namespaces.c jail_landlock.c jail_seccomp.c) mdev/log/log.c
test_build_jail_PKGS := cmocka libseccomp
