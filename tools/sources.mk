# SPDX-License-Identifier: MIT
PROGRAMS += vgpu-admin
TRACE_FILE_SRCS := $(addprefix tools/vgpu-admin/,trace_events.c trace_perfetto.c trace_recorded.c) tools/vgpu-sim/scenario_write.c
vgpu-admin_SRCS := $(addprefix tools/vgpu-admin/,main.c commands.c client.c scheduling.c table.c trace.c) $(TRACE_FILE_SRCS) \
	mdev/json/json_reader.c mdev/quantity.c
vgpu-admin_PKGS := jansson smartcols

PROGRAMS += vgpu-sim
SIM_FILE_SRCS := $(addprefix tools/vgpu-sim/,scenario_file.c scenario_write.c recorded_file.c) mdev/json/json_reader.c $(SIM_SRCS)
vgpu-sim_SRCS := $(addprefix tools/vgpu-sim/,main.c summary.c report.c compare.c fit.c) $(SIM_FILE_SRCS)
vgpu-sim_PKGS := jansson
vgpu-sim_LIBS := -lm
