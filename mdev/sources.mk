# SPDX-License-Identifier: MIT
# The service. Everything of vgpud but main, so that tests can link it.
SERVICE_SRCS := \
	mdev/api/api.c mdev/api/handlers.c mdev/api/route.c \
	mdev/child.c mdev/daemon_options.c mdev/event_log.c mdev/folder.c mdev/freezer.c mdev/groups.c \
	mdev/gpu/capset.c mdev/gpu/mediated.c mdev/gpu/probe.c \
	mdev/instance.c mdev/instance_engines.c mdev/instance_keeper.c mdev/instance_stop.c \
	mdev/ipc/seqpacket.c mdev/json/json_reader.c mdev/keeper_client.c mdev/lease_trace.c mdev/leases.c mdev/leases_hands.c mdev/leases_members.c mdev/leases_settings.c mdev/lock_holder.c mdev/log/log.c \
	mdev/process_note.c mdev/profile.c mdev/quantity.c mdev/refusal.c mdev/sched_settings.c \
	mdev/service.c mdev/service_profiles.c mdev/service_sched.c mdev/service_trace.c mdev/service_vgpus.c \
	mdev/store/store.c mdev/vgpu_spec.c \
	scheduler/trace.c $(ARBITER_SRCS)

PROGRAMS += vgpud
vgpud_SRCS := mdev/vgpud.c $(SERVICE_SRCS)
vgpud_PKGS := libmicrohttpd jansson libsystemd

PROGRAMS += vgpu-keeper
vgpu-keeper_SRCS := mdev/keeper/main.c mdev/keeper/config.c mdev/keeper/process.c mdev/keeper/program.c mdev/process_note.c \
	mdev/keeper/store.c mdev/keeper/slot.c mdev/keeper/restart.c mdev/keeper/engine.c mdev/keeper/compiler.c mdev/keeper/doors.c mdev/keeper/peer.c mdev/keeper/manager.c \
	mdev/ipc/seqpacket.c mdev/log/log.c
vgpu-keeper_PKGS := jansson

# ---- engine -------------------------------------------------------------------------------------
PROGRAMS += vgpu-compute
vgpu-compute_SRCS := $(addprefix mdev/engine/compute/,main.c engine_config.c environment.c jail.c jail_namespaces.c \
	jail_landlock.c jail_seccomp.c device.c \
	blobs.c parse.c parse_image.c objects.c image.c image_linear.c build.c compile.c program_records.c splittable.c builtins.c source_tokens.c chunk.c pieces.c svm.c execute.c complete.c complete_strategy.c bell.c ring.c channel.c output.c partition.c raw_pointers.c probe.c sanitizer.c build_client.c late_build.c) \
	$(addprefix mdev/engine/compiler/,helper.c server.c builder.c build_cache.c parts.c sha256.c) \
	mdev/ipc/seqpacket.c mdev/log/log.c scheduler/lease.c scheduler/prediction.c
vgpu-compute_PKGS := OpenCL jansson libseccomp
