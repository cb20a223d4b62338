/* SPDX-License-Identifier: MIT */
/* What kernels print, between what the host prints: the same bytes on every implementation. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/conformance/conformance.h"

static const char *text =
	"kernel void say(int value) { printf(\"kernel says %d\\n\", value); }\n"
	"kernel void formats(float f, int4 v, global int *p) {\n"
	"  printf(\"%s %c %5d|%-5d|%05d %x %#x %u %ld %%\\n\", \"text\", 'c', 42, 42, 42, 255, 255, 4000000000u, 1234567890123L);\n"
	"  printf(\"%f %.2f %e %g %a\\n\", f, f, f, f, f);\n"
	"  printf(\"%v4d %v4hld\\n\", v, v); printf(\"%d\\n\", p[0]); }\n"
	"kernel void many(int lines) { for (int i = 0; i < lines; i++) printf(\"line %d of %d, which is not a short one\\n\", i, lines); }\n";

static void say(const char *words)
{
	if (write(STDOUT_FILENO, words, strlen(words)) < 0)
		wrong("standard output cannot be written");
}

static void launch(cl_kernel kernel, int value, cl_event *event)
{
	need(clSetKernelArg(kernel, 0, sizeof(value), &value), "clSetKernelArg");
	need(clEnqueueTask(s.queue, kernel, 0, NULL, event), "clEnqueueTask");
}

int run_printf(void)
{
	cl_program program = clCreateProgramWithSource(s.context, 1, &text, NULL, &err);
	cl_kernel kernel, formats, many;
	const cl_int4 vector = {.s = {1, -2, 3, -4}};
	const float number = 3.25f;
	const int seven = 7;
	cl_event event;
	cl_int status;
	void *mapped;

	need(clBuildProgram(program, 0, NULL, NULL, NULL, NULL), "clBuildProgram");
	kernel = clCreateKernel(program, "say", &err);
	need(err, "clCreateKernel");
	formats = clCreateKernel(program, "formats", &err);
	need(err, "clCreateKernel");
	many = clCreateKernel(program, "many", &err);
	need(err, "clCreateKernel");
	say("begin\n");
	for (int i = 0; i < 5; i++)
		launch(kernel, i, NULL);
	need(clFinish(s.queue), "clFinish");
	say("after five in order\n");
	launch(kernel, 10, &event);
	need(clWaitForEvents(1, &event), "clWaitForEvents");
	say("after a wait\n");
	clReleaseEvent(event);
	launch(kernel, 11, &event);
	need(clFlush(s.queue), "clFlush");
	do
		need(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL), "clGetEventInfo");
	while (status != CL_COMPLETE);
	say("after it was seen complete\n");
	clReleaseEvent(event);
	need(clEnqueueWriteBuffer(s.queue, s.buffer, CL_TRUE, 0, sizeof(seven), &seven, 0, NULL, NULL), "clEnqueueWriteBuffer");
	need(clSetKernelArg(formats, 0, sizeof(number), &number), "clSetKernelArg");
	need(clSetKernelArg(formats, 1, sizeof(vector), &vector), "clSetKernelArg");
	need(clSetKernelArg(formats, 2, sizeof(s.buffer), &s.buffer), "clSetKernelArg");
	need(clEnqueueTask(s.queue, formats, 0, NULL, NULL), "clEnqueueTask");
	mapped = clEnqueueMapBuffer(s.queue, s.buffer, CL_TRUE, CL_MAP_READ, 0, 64, 0, NULL, NULL, &err);
	need(err, "clEnqueueMapBuffer");
	say("after a map\n");
	need(clEnqueueUnmapMemObject(s.queue, s.buffer, mapped, 0, NULL, NULL), "clEnqueueUnmapMemObject");
	launch(many, 10000, NULL);	/* half a megabyte */
	launch(kernel, 12, NULL);
	need(clFinish(s.queue), "clFinish");
	say("end\n");
	clReleaseKernel(kernel);
	clReleaseKernel(formats);
	clReleaseKernel(many);
	clReleaseProgram(program);
	return wrong_count != 0;
}
