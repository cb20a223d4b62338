# SPDX-License-Identifier: MIT
# Who is next, and what it is charged; then the simulator of it.
RUN_QUEUE_SRCS := $(addprefix scheduler/,run_queue.c timeline.c account.c pick.c prediction.c admission.c entity_record.c)
ARBITER_SRCS := $(addprefix scheduler/,arbiter.c arbiter_books.c arbiter_moves.c arbiter_squat.c) $(RUN_QUEUE_SRCS)
SIM_SRCS := $(addprefix scheduler/sim/,sim.c work.c draw.c fluid.c mix.c rule_vgpud.c rule_rivals.c) $(RUN_QUEUE_SRCS)
