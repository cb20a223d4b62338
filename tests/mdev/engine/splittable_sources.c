/* SPDX-License-Identifier: MIT */
#include "tests/mdev/engine/splittable_sources.h"

#include <stddef.h>

#define YES true
#define NO false
#define F "kernel void f(global int *a, int n) { "

const struct splittable_source splittable_sources[] = {
	/* ---- blind to the split */
	{YES, "the global id", F "a[get_global_id(0)] = 1; }", NULL},
	{YES, "local ids, local memory and barriers",
	 "__kernel void f(__global float *a, __local float *t) { int l = get_local_id(0), n = get_local_size(0);\n"
	 "t[l] = a[get_global_id(0)]; barrier(CLK_LOCAL_MEM_FENCE); a[get_global_id(0)] = t[n - 1 - l]; }", NULL},
	{YES, "all dimensions, mathematics and vectors",
	 F "size_t i = get_global_id(1) * n + get_global_id(0); float4 v = (float4)(1.0f, sin((float)i), 0x1p-3f, 1.e+5f);\n"
	   "a[i] = convert_int_sat(dot(v, native_sqrt(v)) + as_float(a[i])) + mad24(a[i], 2, 3); vstore4(v, i, (global float *)a); }", NULL},
	{YES, "a loop", F "int s = 0; for (int i = 0; i < n; i++) s += a[i]; while (s > 9) { s /= 2; } a[get_global_id(0)] = s; }", NULL},
	{YES, "an atomic outside loops", F "atomic_inc(&a[get_global_id(0) & 7]); }", NULL},
	{YES, "a helper", "static inline int g(int x) { return x * 2; }\n" F "a[get_global_id(0)] = g(n); }", NULL},
	{YES, "a helper behind its prototype, with an attribute",
	 "int g(int x) __attribute__((overloadable));\n" F "a[get_global_id(0)] = g(n); }\n"
	 "int __attribute__((overloadable)) g(int x) { return x; }", NULL},
	{YES, "what another kernel does is its own", "kernel void o(global int *a) { a[get_group_id(0)] = 1; }\n" F "a[get_global_id(0)] = 1; }", NULL},
	{YES, "an attribute of the kernel, by a macro",
	 "#define W 64\n#define REQD(n) __attribute__((reqd_work_group_size(n, 1, 1)))\nkernel REQD(W) void f(global int *a)\n"
	 "{ a[get_global_id(0)] = W; }", NULL},
	{YES, "a macro with arguments", "#define SQUARE(x) ((x) * (x))\n" F "a[get_global_id(0)] = SQUARE(n + 1); }", NULL},
	{YES, "a type by a macro and a typedef",
	 "#define real float\ntypedef struct { real x, y; } pair;\nkernel void f(global pair *p, const real s) {\n"
	 "const real t = s; p[get_global_id(0)].x += t; }", NULL},
	{YES, "an option defines a constant", F "a[get_global_id(0)] = WIDTH * n; }", "-cl-std=CL1.2 -D WIDTH=16 -DREAL=float -cl-mad-enable"},
	{YES, "a table of the program", "constant int table[] = {1, 2, 3};\n__constant float g = 2;\nconst sampler_t s = 1;\n"
	 F "a[get_global_id(0)] = table[n % 3]; }", NULL},
	{YES, "names in comments and strings", "/* get_group_id(0) */ // get_num_groups\n#error get_global_size\n"
	 F "a[get_global_id(0)] = 1; /* printf(\"x\") */ }", NULL},
	{YES, "conditionals with known branches", "#ifdef GPU\n#define ID get_global_id(0)\n#else\n#define ID get_global_id(1)\n#endif\n"
	 F "a[ID] = 1; }", NULL},
	{YES, "a pragma for the extension of doubles", "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n" F "\n#pragma unroll 4\n"
	 "for (int i = 0; i < 4; i++) a[get_global_id(0)] += i; }", NULL},
	{YES, "work-group collectives", F "int s = work_group_reduce_add(a[get_global_id(0)]); work_group_barrier(CLK_GLOBAL_MEM_FENCE); a[get_global_id(0)] = s; }", NULL},
	{YES, "a continued line", F "a[get_glo\\\nbal_id(0)] = 1; }", NULL},
	{YES, "an alias of a known function", "#define ID get_global_id\n" F "a[ID(0)] = 1; }", NULL},
	{YES, "an empty macro", "#define EMPTY\n" F "a[get_global_id EMPTY (0)] = 1; }", NULL},
	{YES, "images", "kernel void f(read_only image2d_t i, write_only image2d_t o, sampler_t s) { int2 p = (int2)(get_global_id(0), "
	 "get_global_id(1)); if (p.x < get_image_width(i)) write_imagef(o, p, read_imagef(i, s, p)); }", NULL},

	/* ---- sees it */
	{NO, "the group's id", F "a[get_group_id(0)] = 1; }", NULL},
	{NO, "the number of groups", F "a[get_global_id(0)] = get_num_groups(0); }", NULL},
	{NO, "the global size", F "for (int i = get_global_id(0); i < n; i += get_global_size(0)) a[i] = 1; }", NULL},
	{NO, "the offset", F "a[get_global_id(0) - get_global_offset(0)] = 1; }", NULL},
	{NO, "the linear id", F "a[get_global_linear_id()] = 1; }", NULL},
	{NO, "sub-groups", F "a[get_global_id(0)] = get_sub_group_id(); }", NULL},
	{NO, "an extension's sub-groups", F "a[get_global_id(0)] = intel_sub_group_shuffle(n, 0); }", NULL},
	{NO, "enqueued sub-groups", F "a[get_global_id(0)] = get_enqueued_num_sub_groups(); }", NULL},
	{NO, "output", F "printf(\"%d\\n\", n); }", NULL},
	{NO, "device-side enqueue", F "enqueue_kernel(get_default_queue(), 0, ndrange_1D(n), ^{ a[0] = 1; }); }", NULL},
	{NO, "a pipe", "kernel void f(read_only pipe int p, global int *a) { read_pipe(p, a); }", NULL},

	/* ---- through something */
	{NO, "a helper", "int g(void) { return get_group_id(0); }\n" F "a[get_global_id(0)] = g(); }", NULL},
	{NO, "a helper of a helper", "int g(void) { return get_group_id(0); } int h(void) { return g(); }\n" F "a[get_global_id(0)] = h(); }", NULL},
	{NO, "another kernel that it calls", "kernel void o(global int *a) { a[get_group_id(0)] = 1; }\n" F "o(a); }", NULL},
	{NO, "a macro", "#define G get_group_id\n" F "a[G(0)] = 1; }", NULL},
	{NO, "a macro of a macro", "#define G H\n#define H get_group_id(0)\n" F "a[G] = 1; }", NULL},
	{NO, "a macro's argument", "#define CALL(x) x(0)\n" F "a[CALL(get_group_id)] = 1; }", NULL},
	{NO, "a macro's argument of a name we do not know", "#define CALL(x) x(0)\n" F "a[CALL(vendor_id)] = 1; }", NULL},
	{NO, "an option", F "a[G(0)] = 1; }", "-DG=get_group_id"},
	{NO, "an option with a blank", F "a[G(0)] = 1; }", "-w -D G=get_group_id -cl-mad-enable"},
	{NO, "an option with an argument", F "a[G(0)] = 1; }", "-DG(x)=get_group_id(x)"},
	{NO, "one branch of a conditional", "#ifdef NEVER\n#define ID get_group_id(0)\n#else\n#define ID get_global_id(0)\n#endif\n" F "a[ID] = 1; }", NULL},
	{NO, "one branch inside", F "\n#if 0\na[0] = get_num_groups(0);\n#endif\n}", NULL},
	{NO, "a keyword that is a macro", "#define if(x) get_group_id(x); if (x)\n" F "if (n) a[0] = 1; }", NULL},
	{NO, "a known function that is a macro", "#define sin get_group_id\n" F "a[get_global_id(0)] = sin(0); }", NULL},
	{NO, "a continued line", F "a[get_gr\\\noup_id(0)] = 1; }", NULL},
	{NO, "a continued line with blanks", F "a[get_gr\\  \noup_id(0)] = 1; }", NULL},
	{NO, "a comment between", F "a[get_group_id /* ( */ (0)] = 1; }", NULL},
	{NO, "a comment that a string only seems to begin", F "/* \" */ a[get_group_id(0)] = 1; /* \" */ }", NULL},
	{NO, "a string that a comment only seems to begin in", F "constant char *s = \"/*\"; a[get_group_id(0)] = 1; constant char *t = \"*/\"; }", NULL},
	{NO, "a function pointer", F "size_t (*p)(uint) = get_group_id; a[p(0)] = 1; }", NULL},
	{NO, "a function pointer to a name we do not know", F "size_t (*p)(uint) = vendor_id; a[p(0)] = 1; }", NULL},
	{NO, "a name built by ##", "#define G(x) get_##x##_id\n" F "a[G(group)(0)] = 1; }", NULL},
	{NO, "a name built by a digraph's ##", "%:define G(x) get_%:%:x\n" F "a[G(group_id)(0)] = 1; }", NULL},
	{NO, "digraphs", "kernel void f(global int *a) <% a<:get_global_id(0):> = 1; %>", NULL},
	{NO, "trigraphs", "?" "?=define G get_group_id\n" F "a[get_global_id(0)] = G(0); }", NULL},
	{NO, "a universal character name", F "a[get_gro\\u0075p_id(0)] = 1; }", NULL},
	{NO, "bytes outside ASCII", F "int \xc3\xa4 = get_global_id(0); a[\xc3\xa4] = 1; }", NULL},
	{NO, "an inclusion", "#include \"other.h\"\n" F "a[get_global_id(0)] = 1; }", NULL},
	{NO, "an option that includes", F "a[get_global_id(0)] = 1; }", "-include other.h"},
	{NO, "an option that we do not know", F "a[get_global_id(0)] = 1; }", "-Xclang -fblocks"},
	{NO, "quotes in options", F "a[get_global_id(0)] = 1; }", "-D \"G=get_group_id\""},
	{NO, "C++", F "a[get_global_id(0)] = 1; }", "-cl-std=CLC++2021"},
	{NO, "assembly", F "asm volatile(\"\"); a[get_global_id(0)] = 1; }", NULL},
	{NO, "another name for a function", "size_t sin(uint) __asm(\"get_group_id\");\n" F "a[sin(0)] = 1; }", NULL},
	{NO, "a compiler's own function", F "a[get_global_id(0)] = __builtin_amdgcn_workgroup_id_x(); }", NULL},
	{NO, "a driver's own spelling", F "a[_cl_get_group_id(0)] = 1; }", NULL},
	{NO, "a function that we do not know", F "a[get_global_id(0)] = vendor_id(0); }", NULL},
	{NO, "a get_ that we do not know", F "a[get_global_id(0)] = get_vendor_id(0); }", NULL},
	{NO, "a function that is only declared", "int g(int);\n" F "a[get_global_id(0)] = g(0); }", NULL},
	{NO, "an unknown function behind an empty macro", "#define EMPTY\n" F "a[vendor_id EMPTY (0)] = 1; }", NULL},
	{NO, "an unknown function whose arguments are a macro", "#define ARGS (0)\n" F "a[vendor_id ARGS] = 1; }", NULL},
	{NO, "an unknown function behind a macro that is empty somewhere",
	 "#ifdef A\n#define E\n#else\n#define E +\n#endif\n" F "a[vendor_id E (0)] = 1; }", NULL},
	{NO, "an alias of an unknown function", "#define G vendor_id\n" F "a[G(0)] = 1; }", NULL},
	{NO, "what a macro's call stands for is called", "#define ID(x) x\n" F "a[ID(vendor_id)(0)] = 1; }", NULL},
	{NO, "a bracket in a macro", "#define OPEN (\n" F "a[vendor_id OPEN 0)] = 1; }", NULL},
	{NO, "a block in a macro", "#define BEGIN {\nkernel void f(global int *a) BEGIN a[get_group_id(0)] = 1; }", NULL},
	{NO, "a pragma that we do not know", "#pragma redefine_extname sin get_group_id\n" F "a[sin(0)] = 1; }", NULL},
	{NO, "a directive that we do not know", "#import \"x\"\n" F "a[get_global_id(0)] = 1; }", NULL},
	{NO, "a pragma as an operator", F "_Pragma(\"unroll\") for (;;) a[get_global_id(0)] = 1; }", NULL},

	/* ---- may wait for others, or share more than its arguments */
	{NO, "a spin lock", F "while (atomic_xchg(a, 1)); a[1]++; atomic_xchg(a, 0); }", NULL},
	{NO, "a volatile flag", "kernel void f(global volatile int *a) { while (!a[0]) ; a[get_global_id(0)] = 1; }", NULL},
	{NO, "a volatile by a typedef", "typedef volatile global int *flag;\nkernel void f(flag a) { do { } while (!a[0]); }", NULL},
	{NO, "a volatile in a struct", "struct s { volatile int x; };\nkernel void f(global struct s *p) { for (; !p->x;) ; }", NULL},
	{NO, "a fence in a loop", F "for (;;) { if (a[0]) break; mem_fence(CLK_GLOBAL_MEM_FENCE); } }", NULL},
	{NO, "a loop by goto", F "again: if (atomic_load((global atomic_int *)a) == 0) goto again; }", NULL},
	{NO, "a loop in a helper", "void wait(global int *a) { while (!atomic_or(a, 0)) ; }\n" F "wait(a); }", NULL},
	{NO, "a loop by a macro", "#define AGAIN while\n" F "AGAIN (!atomic_or(a, 0)) ; }", NULL},
	{NO, "a variable of the program", "global int counter;\n" F "a[get_global_id(0)] = atomic_inc(&counter); }", NULL},
	{NO, "a variable of the program, without an address space", "int counter = 0;\n" F "a[get_global_id(0)] = counter++; }", NULL},
	{NO, "a variable of the program in a struct's declaration", "struct s { int x; } counter;\n" F "a[get_global_id(0)] = counter.x++; }", NULL},
	{NO, "a static of a function", F "static global int c; a[get_global_id(0)] = c++; }", NULL},
	{NO, "an extern of a function", F "extern global int c; a[get_global_id(0)] = c++; }", NULL},
	{NO, "an attribute that we do not know", "int g(int) __attribute__((noinline));\n__attribute__((alias(\"g\"))) " F "a[get_global_id(0)] = 1; }", NULL},

	/* ---- is not seen to be defined */
	{NO, "no text", "", NULL},
	{NO, "another kernel only", "kernel void o(global int *a) { a[get_global_id(0)] = 1; }", NULL},
	{NO, "a kernel by a macro", "#define KERNEL(n) kernel void n(global int *a) { a[get_group_id(0)] = 1; }\nKERNEL(f)", NULL},
	{NO, "a kernel's name by a macro", "#define NAME f\nkernel void NAME(global int *a) { a[get_global_id(0)] = 1; }", NULL},
	{NO, "a declaration only", "kernel void f(global int *a);", NULL},
	{NO, "no end", F "a[get_global_id(0)] = 1;", NULL},
	{NO, "an end too many", F "a[get_global_id(0)] = 1; }}", NULL},
	{NO, "blocks that open in both branches", "#ifdef A\nkernel void f(global int *a) {\n#else\nkernel void f(int n, global int *a) {\n#endif\n"
	 "a[get_global_id(0)] = 1; }", NULL},
	{NO, "a comment without an end", F "a[get_global_id(0)] = 1; } /* ", NULL},
	{NO, "a string without an end", F "a[get_global_id(0)] = 1; } constant char *s = \"", NULL},
	{NO, "a raw string", "constant char *s = R\"(\")\"; \n" F "a[get_global_id(0)] = 1; }", NULL},
};
const unsigned splittable_source_count = sizeof(splittable_sources) / sizeof(splittable_sources[0]);
