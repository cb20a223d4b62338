#!/bin/bash
# SPDX-License-Identifier: MIT
# Breaks the run queue in typical ways, one at a time, and expects the property tests to notice each. By hand (a minute):
#
#   tests/scheduler/mutate.sh
#
# Works on a copy; needs what building test_scheduler_properties needs.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
seen=0
missed=0

mkdir -p "$work/tree"
cp -r Makefile VERSION mk scheduler tools tests mdev vgpu-qemu shim benchmarks "$work/tree/"

try() { # WHAT FILE SED-EXPRESSION
	local what=$1 file=$2 expression=$3
	cp "scheduler/$file" "$work/tree/scheduler/$file"
	sed -i "$expression" "$work/tree/scheduler/$file"
	if cmp -s "scheduler/$file" "$work/tree/scheduler/$file"; then
		echo "FAILED  mutation: $what: nothing was changed; renew its expression"
		missed=$((missed + 1))
		return
	fi
	if ! make -C "$work/tree" -s build/tests/test_scheduler_properties >"$work/make" 2>&1; then
		echo "FAILED  mutation: $what: does not build"
		tail -n 5 "$work/make"
		missed=$((missed + 1))
	elif timeout 120 "$work/tree/build/tests/test_scheduler_properties" >"$work/out" 2>&1; then
		echo "FAILED  mutation: $what: not noticed"
		missed=$((missed + 1))
	else
		echo "ok      mutation: $what: $(grep -m 1 -E '^(seed|\[  FAILED)' "$work/out")"
		seen=$((seen + 1))
	fi
	cp "scheduler/$file" "$work/tree/scheduler/$file"
}

try "a weight is not looked at when time is charged" timeline.c 's/int64_t distance = virtual_of((int64_t)used_ns, entity->weight);/int64_t distance = virtual_of((int64_t)used_ns, 1024);/'
try "who sleeps in debt is forgiven" timeline.c 's/if (queue->present_count > 1 \&\& !timeline_is_eligible(queue, entity)) {/if (queue->present_count > 1000) {/; s/^	entity->lag_ns = timeline_lag_ns(queue, entity);/	entity->lag_ns = 0;/'
try "a claim brought back is not placed against what it moves" timeline.c 's/distance = distance \* (queue->set_weight + entity->weight) \/ queue->set_weight;/distance *= 4;/'
try "tokens of a cap are not taken" run_queue.c 's/entity->tokens_ns -= (int64_t)used_ns;/entity->tokens_ns -= (int64_t)(used_ns \/ 2);/'
try "realtime overruns are forgotten" account.c 's/entity->budget_left_ns += (int64_t)(settings->budget_ns \* periods);/entity->budget_left_ns = (int64_t)settings->budget_ns;/'
try "a reservation does not come first" pick.c 's/entity->settings.reservation_ppm \&\& entity->reserved_ns > 0/entity->settings.reservation_ppm \&\& entity->reserved_ns > 1000000000/'
try "the capped keep others from running" pick.c 's/return entity->wants \&\& !entity->holds \&\& !entity->parked;/return entity->wants \&\& !entity->holds;/'
try "the idle class is as good as any" pick.c 's/	if (entity->settings.class == ENTITY_IDLE)/	if (entity->settings.class == ENTITY_IDLE \&\& entity->wants \&\& queue->count > 1 \&\& queue->present_count)/; s/return TIER_IDLE;/return TIER_REALTIME;/'
try "work is not conserved: who is in debt never runs" pick.c 's/if (!is_waiting(entity))$/if (!is_waiting(entity) || (tier_of(queue, entity, now_ve) == TIER_AHEAD \&\& queue->count > 2))/'

echo "$seen of $((seen + missed)) mutations noticed"
[ "$missed" -eq 0 ]
