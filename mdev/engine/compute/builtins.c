/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/builtins.h"

#include <string.h>

struct row {
	const char *names;	/* each between spaces */
	unsigned is;
};

static const struct row exact[] = {
	{" if switch return sizeof alignof vec_step offsetof typeof __typeof__ case else ", BUILTIN_CALL | BUILTIN_WORD},
	{" for while do goto ", BUILTIN_CALL | BUILTIN_WORD | BUILTIN_LOOP},
	{" break continue default const restrict inline unsigned signed void bool char uchar short ushort int uint long ulong "
	 "float double half size_t ptrdiff_t intptr_t uintptr_t struct union enum typedef register auto kernel __kernel global "
	 "__global local __local constant __constant private __private generic __generic read_only __read_only write_only "
	 "__write_only read_write __read_write __attribute__ __attribute __inline __inline__ __const __const__ __restrict "
	 "__restrict__ __signed__ __extension__ __VA_ARGS__ __FILE__ __LINE__ __OPENCL_VERSION__ __OPENCL_C_VERSION__ "
	 "__ENDIAN_LITTLE__ __IMAGE_SUPPORT__ __FAST_RELAXED_MATH__ ",
	 BUILTIN_WORD},
	{" static extern ", BUILTIN_WORD},
	{" volatile __volatile __volatile__ _Atomic ", BUILTIN_WORD | BUILTIN_SHARED},
	/* In what a piece passes on unchanged, or within a work-group. get_global_id counts from the offset. */
	{" get_global_id get_local_id get_local_size get_enqueued_local_size get_local_linear_id get_work_dim barrier "
	 "work_group_barrier work_group_all work_group_any work_group_broadcast work_group_reduce_add work_group_reduce_min "
	 "work_group_reduce_max work_group_scan_exclusive_add work_group_scan_exclusive_min work_group_scan_exclusive_max "
	 "work_group_scan_inclusive_add work_group_scan_inclusive_min work_group_scan_inclusive_max async_work_group_copy "
	 "async_work_group_strided_copy async_work_group_copy_2D2D async_work_group_copy_3D3D wait_group_events prefetch ",
	 BUILTIN_CALL},
	{" mem_fence read_mem_fence write_mem_fence ", BUILTIN_CALL | BUILTIN_SHARED},
	/* OpenCL C 3.0 §6.15.2 to 6.15.7 */
	{" acos acosh acospi asin asinh asinpi atan atan2 atanh atanpi atan2pi cbrt ceil copysign cos cosh cospi erf erfc exp exp2 "
	 "exp10 expm1 fabs fdim floor fma fmax fmin fmod fract frexp hypot ilogb ldexp lgamma lgamma_r log log2 log10 log1p "
	 "logb mad maxmag minmag modf nan nextafter pow pown powr remainder remquo rint rootn round rsqrt sin sincos sinh "
	 "sinpi sqrt tan tanh tanpi tgamma trunc divide recip ",
	 BUILTIN_CALL},
	{" abs abs_diff add_sat hadd rhadd clamp clz ctz mad_hi mad_sat max min mul_hi rotate sub_sat upsample popcount mad24 mul24 "
	 "bit_reverse bitfield_insert bitfield_extract_signed bitfield_extract_unsigned dot_4x8packed_uu_uint "
	 "dot_4x8packed_ss_int dot_acc_sat_4x8packed_uu_uint dot_acc_sat_4x8packed_ss_int degrees mix radians step smoothstep "
	 "sign cross dot distance length normalize fast_distance fast_length fast_normalize isequal isnotequal isgreater "
	 "isgreaterequal isless islessequal islessgreater isfinite isinf isnan isnormal isordered isunordered signbit any all "
	 "bitselect select shuffle shuffle2 ",
	 BUILTIN_CALL},
	{" reqd_work_group_size work_group_size_hint vec_type_hint always_inline noinline unused packed aligned "
	 "opencl_unroll_hint nosvm endian host device pure const __const__ overloadable nothrow flatten __always_inline__ "
	 "__noinline__ __unused__ __packed__ __aligned__ __overloadable__ __pure__ ext_vector_type __ext_vector_type__ "
	 "deprecated hot cold may_alias ",
	 BUILTIN_ATTRIBUTE},
	{" asm __asm __asm__ printf pipe __pipe enqueue_kernel enqueue_marker _Pragma __pragma clock queue_t ndrange_t clk_event_t "
	 "get_default_queue ",
	 BUILTIN_NEVER},
};

static const struct row prefixes[] = {
	{" convert_ as_ vload vstore native_ half_ read_image write_image get_image_ ", BUILTIN_CALL},
	{" atomic_ atom_ atomic ", BUILTIN_CALL | BUILTIN_SHARED},
	{" get_ __ _Static_assert _Generic intel_ arm_ qcom_ amd_ nv_ ", BUILTIN_NEVER},
};

/* Wherever they stand: a driver's own spelling of a function carries its name inside. */
static const char *const never_within[] = {
	"get_group_id", "get_num_groups", "get_global_size", "get_global_offset", "global_linear_id", "sub_group", "subgroup",
	"num_sub_groups", "enqueued_num", "enqueue_kernel", "ndrange_", "read_pipe", "write_pipe", "reserve_id",
};

/* The name among the names of a row. */
static bool lists(const char *names, const char *name, size_t length)
{
	for (const char *at = names + 1; *at;) {
		size_t end = strcspn(at, " ");
		if (end == length && !memcmp(at, name, length))
			return true;
		at += end + (at[end] == ' ');
	}
	return false;
}

static bool lists_beginning(const char *names, const char *name, size_t length)
{
	for (const char *at = names + 1; *at;) {
		size_t end = strcspn(at, " ");
		if (end <= length && !memcmp(at, name, end))
			return true;
		at += end + (at[end] == ' ');
	}
	return false;
}

/* float, float4, ...: a type's name and a number of lanes. */
static bool is_vector(const char *name, size_t length)
{
	static const char types[] = " bool char uchar short ushort int uint long ulong float double half ";
	static const char lanes[] = " 2 3 4 8 16 ";
	size_t stem = length;

	while (stem && name[stem - 1] >= '0' && name[stem - 1] <= '9')
		stem--;
	return stem < length && lists(types, name, stem) && lists(lanes, name + stem, length - stem);
}

unsigned builtin_of(const char *name, size_t length)
{
	unsigned is = 0;

	for (size_t i = 0; i < sizeof(never_within) / sizeof(never_within[0]); i++)
		if (memmem(name, length, never_within[i], strlen(never_within[i])))
			return BUILTIN_NEVER;
	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (lists(exact[i].names, name, length))
			is |= exact[i].is;
	if (is)
		return is;
	if (is_vector(name, length))
		return BUILTIN_WORD;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (lists_beginning(prefixes[i].names, name, length))
			return prefixes[i].is;
	return BUILTIN_UNKNOWN;
}
