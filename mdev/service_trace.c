/* SPDX-License-Identifier: MIT */
/* Traces of the GPUs' run queues. */
#include <errno.h>

#include "mdev/service_parts.h"

bool service_gpu_trace(struct service *service, const char *id, uint64_t after, uint64_t most, json_t **ret_trace, struct refusal *refusal)
{
	struct lease_trace_page *page;

	if (!service_gpu_find(service, id))
		return refuse(refusal, REFUSAL_NOT_FOUND, "'vgpu-admin gpu list' shows all", "there is no GPU '%.60s'", id);
	int error = leases_trace(service->leases, id, after, most ? most : LEASE_TRACE_PAGE_DEFAULT, &page);
	if (error == -ENOENT)
		return refuse(refusal, REFUSAL_NOT_FOUND, "try again when 'vgpu-admin gpu list' says ready", "GPU '%.60s' has not been found since vgpud started, and so has no trace", id);
	if (error)
		return refuse(refusal, REFUSAL_FAILED, NULL, "no memory for a trace of %llu events", (unsigned long long)most);
	*ret_trace = lease_trace_json(page);
	lease_trace_page_destroy(page);
	return true;
}
