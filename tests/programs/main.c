/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "tests/programs/verdicts.h"

static const struct {
	const char *name;
	void (*ask)(const struct subject *subject);
} groups[] = {
	{ "errors", ask_errors },     { "compile_link", ask_compile_and_link }, { "binaries", ask_binaries },
	{ "callbacks", ask_callbacks }, { "kernels", ask_kernels },		{ "il", ask_il },
};

/* Arguments: the groups to ask; none: all. --without QUESTION: leave that one out. */
int main(int argc, char **argv)
{
	cl_platform_id platform;
	struct subject subject;
	cl_int error;
	int first = 1;

	for (; first + 1 < argc && !strcmp(argv[first], "--without"); first += 2)
		leave_out(argv[first + 1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &subject.device, NULL)) {
		fprintf(stderr, "no OpenCL device\n");
		return 1;
	}
	subject.context = clCreateContext(NULL, 1, &subject.device, NULL, NULL, &error);
	if (!error)
		subject.queue = clCreateCommandQueueWithProperties(subject.context, subject.device, NULL, &error);
	if (error) {
		fprintf(stderr, "no context or queue: OpenCL error %d\n", error);
		return 1;
	}
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		bool wanted = first == argc;

		for (int j = first; j < argc; j++)
			wanted |= !strcmp(argv[j], groups[i].name);
		if (wanted)
			groups[i].ask(&subject);
	}
	clReleaseCommandQueue(subject.queue);
	clReleaseContext(subject.context);
	printf("asked; %u not as the specification has it\n", verdicts_failed());
	return verdicts_failed() != 0;
}
