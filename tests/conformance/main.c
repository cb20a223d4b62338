/* SPDX-License-Identifier: MIT */
/*
 * cl-conformance errors [--wrong-kinds]   a line per question: entry point, what is wrong, specified, answered, verdict
 *                printf | sub-devices | queries | extensions | fork | threads [SECONDS]
 *
 * On the first device of the first platform. `errors` runs in a child that is started again behind a question it crashed
 * over; what it is at stands in shared memory. Exits 1 if an answer is not among those specified.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/conformance.h"

struct scene s;
cl_int err;
bool wrong_kinds;
unsigned wrong_count;

/* Shared with the child. */
static struct progress {
	unsigned at;		/* the question being asked, from 1 */
	unsigned answered, differs;
	char entry[64], what[128];
} *progress;
static unsigned from, current;
static unsigned patience_s = 60;	/* for one question; CONFORMANCE_PATIENCE_S */

void need(cl_int error, const char *call)
{
	if (!error)
		return;
	fprintf(stderr, "cl-conformance: %s answers %d\n", call, error);
	_exit(3);
}
#define NEED(call) need((call), #call)
#define NEED_MADE(target, call) \
	do { \
		target = (call); \
		need(err, #call); \
	} while (0)

void wrong(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	__atomic_fetch_add(&wrong_count, 1, __ATOMIC_SEQ_CST);
}

void *wrong_kind_for(const char *type)
{
	/* Any object is of another kind than all but one type. */
	return strcmp(type, "cl_command_queue") ? (void *)s.queue : (void *)s.context;
}

bool ask(const char *entry, const char *what)
{
	if (++current < from)
		return false;
	alarm(patience_s);	/* some implementations wait for ever */
	snprintf(progress->entry, sizeof(progress->entry), "%s", entry);
	snprintf(progress->what, sizeof(progress->what), "%s", what);
	__atomic_store_n(&progress->at, current, __ATOMIC_SEQ_CST);
	return true;
}

static void line(const char *expected, const char *got, const char *verdict)
{
	printf("%s\t%s\t%s\t%s\t%s\n", progress->entry, progress->what, expected, got, verdict);
	fflush(stdout);
}

void answer(cl_int got, const cl_int *allowed, size_t count)
{
	char expected[96] = "", text[32];
	bool known = false;

	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(expected);
		snprintf(expected + used, sizeof(expected) - used, "%s%d", i ? "|" : "", allowed[i]);
		known |= got == allowed[i];
	}
	snprintf(text, sizeof(text), "%d", got);
	line(expected, text, known ? "ok" : "DIFFERS");
	progress->answered++;
	progress->differs += !known;
}

static void device_facts(void)
{
	cl_uint align_bits = 0, units = 0, pipes = 0, parts = 0;
	cl_device_svm_capabilities svm = 0;
	cl_device_exec_capabilities exec = 0;
	cl_device_device_enqueue_capabilities enqueue = 0;
	cl_bool flag = CL_FALSE;
	size_t items[3] = {1, 1, 1}, bytes = 0, binary_bytes = 0;
	cl_uint sub_groups = 0;

	clGetDeviceInfo(s.device, CL_DEVICE_IMAGE_SUPPORT, sizeof(flag), &flag, NULL);
	s.has_images = flag;
	clGetDeviceInfo(s.device, CL_DEVICE_SVM_CAPABILITIES, sizeof(svm), &svm, NULL);
	s.has_svm = svm;
	flag = CL_FALSE;
	clGetDeviceInfo(s.device, CL_DEVICE_LINKER_AVAILABLE, sizeof(flag), &flag, NULL);
	s.has_linker = flag;
	clGetDeviceInfo(s.device, CL_DEVICE_IL_VERSION, 0, NULL, &bytes);
	s.has_il = bytes > 1;
	clGetDeviceInfo(s.device, CL_DEVICE_EXECUTION_CAPABILITIES, sizeof(exec), &exec, NULL);
	s.has_native = exec & CL_EXEC_NATIVE_KERNEL;
	clGetDeviceInfo(s.device, CL_DEVICE_PIPE_SUPPORT, sizeof(pipes), &pipes, NULL);
	s.has_pipes = pipes;
	clGetDeviceInfo(s.device, CL_DEVICE_MAX_NUM_SUB_GROUPS, sizeof(sub_groups), &sub_groups, NULL);
	s.has_sub_groups = sub_groups;
	clGetDeviceInfo(s.device, CL_DEVICE_DEVICE_ENQUEUE_CAPABILITIES, sizeof(enqueue), &enqueue, NULL);
	s.has_device_queues = enqueue;
	clGetDeviceInfo(s.device, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof(parts), &parts, NULL);
	s.divides = parts > 1;
	clGetDeviceInfo(s.device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL);
	s.units = units;
	clGetDeviceInfo(s.device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(align_bits), &align_bits, NULL);
	s.align_bytes = align_bits / 8;
	clGetDeviceInfo(s.device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(s.max_group), &s.max_group, NULL);
	clGetDeviceInfo(s.device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(items), items, NULL);
	s.max_items = items[0];
	clGetDeviceInfo(s.device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(s.max_alloc), &s.max_alloc, NULL);
	clGetProgramInfo(s.program, CL_PROGRAM_BINARY_SIZES, sizeof(binary_bytes), &binary_bytes, NULL);
	s.has_binaries = binary_bytes;
}

static const char *program_text =
	"kernel void takes(global int *a, int b) { a[get_global_id(0)] += b; }\n"
	"kernel void keeps(global int *a, local int *b) { b[get_local_id(0)] = a[0]; a[0] = b[0]; }\n"
	"__attribute__((reqd_work_group_size(4, 1, 1))) kernel void fours(global int *a) { a[get_global_id(0)] = 4; }\n";

static cl_mem buffer_with(cl_mem_flags flags)
{
	cl_mem mem;

	NEED_MADE(mem, clCreateBuffer(s.context, flags, BUFFER_BYTES, NULL, &err));
	return mem;
}

void scene_make(void)
{
	const char *broken = "kernel void f(void) { this is no program }";
	const int one = 1;
	cl_buffer_region region = {0, BUFFER_BYTES / 2};

	NEED(clGetPlatformIDs(1, &s.platform, NULL));
	NEED(clGetDeviceIDs(s.platform, CL_DEVICE_TYPE_ALL, 1, &s.device, NULL));
	NEED_MADE(s.context, clCreateContext(NULL, 1, &s.device, NULL, NULL, &err));
	NEED_MADE(s.other_context, clCreateContext(NULL, 1, &s.device, NULL, NULL, &err));
	NEED_MADE(s.queue, clCreateCommandQueue(s.context, s.device, CL_QUEUE_PROFILING_ENABLE, &err));
	NEED_MADE(s.other_queue, clCreateCommandQueue(s.other_context, s.device, 0, &err));
	NEED_MADE(s.unprofiled, clCreateCommandQueue(s.context, s.device, 0, &err));
	s.buffer = buffer_with(0);
	s.target = buffer_with(0);
	s.read_only = buffer_with(CL_MEM_READ_ONLY);
	s.write_only = buffer_with(CL_MEM_WRITE_ONLY);
	s.host_read_only = buffer_with(CL_MEM_HOST_READ_ONLY);
	s.host_write_only = buffer_with(CL_MEM_HOST_WRITE_ONLY);
	s.host_no_access = buffer_with(CL_MEM_HOST_NO_ACCESS);
	NEED_MADE(s.other_buffer, clCreateBuffer(s.other_context, 0, BUFFER_BYTES, NULL, &err));
	NEED_MADE(s.sub_buffer, clCreateSubBuffer(s.buffer, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &err));
	NEED_MADE(s.program, clCreateProgramWithSource(s.context, 1, &program_text, NULL, &err));
	NEED_MADE(s.unbuilt, clCreateProgramWithSource(s.context, 1, &program_text, NULL, &err));
	NEED_MADE(s.broken, clCreateProgramWithSource(s.context, 1, &broken, NULL, &err));
	NEED(clBuildProgram(s.program, 0, NULL, NULL, NULL, NULL));
	NEED_MADE(s.kernel, clCreateKernel(s.program, "takes", &err));
	NEED_MADE(s.unset, clCreateKernel(s.program, "takes", &err));
	NEED_MADE(s.local, clCreateKernel(s.program, "keeps", &err));
	NEED_MADE(s.required, clCreateKernel(s.program, "fours", &err));
	NEED(clSetKernelArg(s.kernel, 0, sizeof(s.buffer), &s.buffer));
	NEED(clSetKernelArg(s.kernel, 1, sizeof(one), &one));
	NEED(clSetKernelArg(s.required, 0, sizeof(s.buffer), &s.buffer));
	NEED(clEnqueueMarkerWithWaitList(s.queue, 0, NULL, &s.done));
	NEED(clFinish(s.queue));
	NEED(clEnqueueMarkerWithWaitList(s.other_queue, 0, NULL, &s.other_done));
	NEED(clFinish(s.other_queue));
	NEED_MADE(s.failed, clCreateUserEvent(s.context, &err));
	NEED(clSetUserEventStatus(s.failed, -7));
	device_facts();
}

static int errors_child(void)
{
	scene_make();
	errors_platform();
	errors_context();
	errors_buffer();
	errors_transfer();
	errors_image();
	errors_svm();
	errors_program();
	errors_kernel();
	errors_event();
	__atomic_store_n(&progress->at, 0, __ATOMIC_SEQ_CST);	/* all asked */
	fflush(stdout);
	_exit(0);
}

/* Asks all; false if the child could not even begin. */
static int errors_all(void)
{
	unsigned crashes = 0;

	for (from = 1;;) {
		int status = 0;
		progress->at = from;
		progress->entry[0] = '\0';
		fflush(stdout);
		/* OpenCL is not touched in this process, so that its child may use it. */
		pid_t child = fork();
		if (child == 0) {
			current = 0;
			alarm(2 * patience_s);
			exit(errors_child());
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 3;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
			return 3;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !progress->at)
			break;
		if (!progress->entry[0]) {
			fprintf(stderr, "cl-conformance: the scene cannot be made (status %#x)\n", status);
			return 3;
		}
		line("?", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit", "CRASHES");
		crashes++;
		from = progress->at + 1;
	}
	fprintf(stderr, "%u answered, %u differ, %u crashed\n", progress->answered, progress->differs, crashes);
	return progress->differs || crashes || !progress->answered;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 3;
	if (getenv("CONFORMANCE_PATIENCE_S"))
		patience_s = (unsigned)strtoul(getenv("CONFORMANCE_PATIENCE_S"), NULL, 10);
	wrong_kinds = argc > 2 && !strcmp(argv[2], "--wrong-kinds");
	if (!strcmp(what, "errors"))
		return errors_all();
	if (!strcmp(what, "fork"))
		return run_fork();
	scene_make();
	if (!strcmp(what, "printf"))
		return run_printf();
	if (!strcmp(what, "sub-devices"))
		return run_sub_devices();
	if (!strcmp(what, "queries"))
		return run_queries();
	if (!strcmp(what, "extensions"))
		return run_extensions();
	if (!strcmp(what, "threads"))
		return run_threads(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5);
	fprintf(stderr, "usage: cl-conformance errors [--wrong-kinds] | printf | sub-devices | queries | extensions | fork | threads [SECONDS]\n");
	return 2;
}
