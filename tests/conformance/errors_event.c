/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §5.11 to §5.14: events, markers, barriers, profiling. */
#include "tests/conformance/conformance.h"

static void CL_CALLBACK called(cl_event event, cl_int status, void *data)
{
	(void)event;
	(void)status;
	(void)data;
}

static void user_events(void)
{
	cl_event event = NULL;

	CHECK_HANDLE(clCreateUserEvent, cl_context, CL_INVALID_CONTEXT, MADE(clCreateUserEvent(bad, &err)));
	event = clCreateUserEvent(s.context, &err);
	need(err, "clCreateUserEvent");
	CHECK_HANDLE(clSetUserEventStatus, cl_event, CL_INVALID_EVENT, clSetUserEventStatus(bad, CL_COMPLETE));
	CHECK(clSetUserEventStatus, "of a command's event", clSetUserEventStatus(s.done, CL_COMPLETE), CL_INVALID_EVENT);
	CHECK(clSetUserEventStatus, "to running", clSetUserEventStatus(event, CL_RUNNING), CL_INVALID_VALUE);
	CHECK(clSetUserEventStatus, "a second time", clSetUserEventStatus(s.failed, CL_COMPLETE), CL_INVALID_OPERATION);
	CHECK(clGetEventProfilingInfo, "of a user event", clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(cl_ulong), &(cl_ulong){0}, NULL),
	      CL_PROFILING_INFO_NOT_AVAILABLE);
	clReleaseEvent(event);
}

void errors_event(void)
{
	cl_event unprofiled = NULL, event, null = NULL, mixed[2] = {s.done, s.other_done};

	user_events();
	CHECK(clWaitForEvents, "none", clWaitForEvents(0, &s.done), CL_INVALID_VALUE);
	CHECK(clWaitForEvents, "no list", clWaitForEvents(1, NULL), CL_INVALID_VALUE);
	CHECK(clWaitForEvents, "NULL among them", clWaitForEvents(1, &null), CL_INVALID_EVENT);
	CHECK(clWaitForEvents, "of two contexts", clWaitForEvents(2, mixed), CL_INVALID_CONTEXT);
	CHECK(clWaitForEvents, "for one that failed", clWaitForEvents(1, &s.failed), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	CHECK_HANDLE(clGetEventInfo, cl_event, CL_INVALID_EVENT, clGetEventInfo(bad, CL_EVENT_CONTEXT, 0, NULL, NULL));
	CHECK_QUERY(clGetEventInfo, CL_EVENT_CONTEXT, clGetEventInfo(s.done, param, size, value, NULL));
	CHECK_HANDLE(clSetEventCallback, cl_event, CL_INVALID_EVENT, clSetEventCallback(bad, CL_COMPLETE, called, NULL));
	CHECK(clSetEventCallback, "no callback", clSetEventCallback(s.done, CL_COMPLETE, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clSetEventCallback, "for being queued", clSetEventCallback(s.done, CL_QUEUED, called, NULL), CL_INVALID_VALUE);
	CHECK(clSetEventCallback, "for an error", clSetEventCallback(s.done, -5, called, NULL), CL_INVALID_VALUE);
	CHECK_HANDLE(clRetainEvent, cl_event, CL_INVALID_EVENT, clRetainEvent(bad));
	CHECK_HANDLE(clReleaseEvent, cl_event, CL_INVALID_EVENT, clReleaseEvent(bad));
	CHECK_HANDLE(clGetEventProfilingInfo, cl_event, CL_INVALID_EVENT, clGetEventProfilingInfo(bad, CL_PROFILING_COMMAND_END, 0, NULL, NULL));
	CHECK_QUERY(clGetEventProfilingInfo, CL_PROFILING_COMMAND_END, clGetEventProfilingInfo(s.done, param, size, value, NULL));
	need(clEnqueueMarkerWithWaitList(s.unprofiled, 0, NULL, &unprofiled), "clEnqueueMarkerWithWaitList");
	need(clFinish(s.unprofiled), "clFinish");
	CHECK(clGetEventProfilingInfo, "of a queue that is not profiled",
	      clGetEventProfilingInfo(unprofiled, CL_PROFILING_COMMAND_END, sizeof(cl_ulong), &(cl_ulong){0}, NULL), CL_PROFILING_INFO_NOT_AVAILABLE);
	clReleaseEvent(unprofiled);
	CHECK_HANDLE(clEnqueueMarkerWithWaitList, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueMarkerWithWaitList(bad, 0, NULL, NULL));
	CHECK_WAITS(clEnqueueMarkerWithWaitList, clEnqueueMarkerWithWaitList(s.queue, count, list, NULL));
	CHECK_HANDLE(clEnqueueBarrierWithWaitList, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueBarrierWithWaitList(bad, 0, NULL, NULL));
	CHECK_WAITS(clEnqueueBarrierWithWaitList, clEnqueueBarrierWithWaitList(s.queue, count, list, NULL));
	CHECK_HANDLE(clEnqueueMarker, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueMarker(bad, &event));
	CHECK(clEnqueueMarker, "no event", clEnqueueMarker(s.queue, NULL), CL_INVALID_VALUE);
	CHECK_HANDLE(clEnqueueBarrier, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueBarrier(bad));
	CHECK_HANDLE(clEnqueueWaitForEvents, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueWaitForEvents(bad, 1, &s.done));
	CHECK(clEnqueueWaitForEvents, "none", clEnqueueWaitForEvents(s.queue, 0, &s.done), CL_INVALID_VALUE);
	CHECK(clEnqueueWaitForEvents, "no list", clEnqueueWaitForEvents(s.queue, 1, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueWaitForEvents, "NULL among them", clEnqueueWaitForEvents(s.queue, 1, &null), CL_INVALID_EVENT);
	CHECK(clEnqueueWaitForEvents, "of another context", clEnqueueWaitForEvents(s.queue, 1, &s.other_done), CL_INVALID_CONTEXT);
}
