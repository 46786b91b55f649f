/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing but assertions: our prefixes are where the headers put the fields. */
#include "cupti/layout.h"

#include <assert.h>
#include <cupti.h>
#include <stddef.h>

#define SAME(ours, our_field, theirs, field)                                                       \
	static_assert(offsetof(struct ours, our_field) == offsetof(theirs, field), #theirs "." #field)

#if CUPTI_API_VERSION >= 130000
SAME(ct_cupti_kernel, registers, CUpti_ActivityKernel10, registersPerThread);
SAME(ct_cupti_kernel, start, CUpti_ActivityKernel10, start);
SAME(ct_cupti_kernel, stream, CUpti_ActivityKernel10, streamId);
SAME(ct_cupti_kernel, grid_x, CUpti_ActivityKernel10, gridX);
SAME(ct_cupti_kernel, dynamic_shared, CUpti_ActivityKernel10, dynamicSharedMemory);
SAME(ct_cupti_kernel, correlation, CUpti_ActivityKernel10, correlationId);
SAME(ct_cupti_kernel, name, CUpti_ActivityKernel10, name);
SAME(ct_cupti_kernel, graph_node, CUpti_ActivityKernel10, graphNodeId);
SAME(ct_cupti_kernel, channel, CUpti_ActivityKernel10, channelID);
SAME(ct_cupti_kernel, graph, CUpti_ActivityKernel10, graphId);
SAME(ct_cupti_memcpy, copy_kind, CUpti_ActivityMemcpy6, copyKind);
SAME(ct_cupti_memcpy, bytes, CUpti_ActivityMemcpy6, bytes);
SAME(ct_cupti_memcpy, correlation, CUpti_ActivityMemcpy6, correlationId);
SAME(ct_cupti_memcpy, graph_node, CUpti_ActivityMemcpy6, graphNodeId);
SAME(ct_cupti_memcpy, graph, CUpti_ActivityMemcpy6, graphId);
SAME(ct_cupti_memcpy_peer, source_device, CUpti_ActivityMemcpyPtoP4, srcDeviceId);
SAME(ct_cupti_memcpy_peer, target_device, CUpti_ActivityMemcpyPtoP4, dstDeviceId);
SAME(ct_cupti_memcpy_peer, correlation, CUpti_ActivityMemcpyPtoP4, correlationId);
SAME(ct_cupti_memcpy_peer, graph, CUpti_ActivityMemcpyPtoP4, graphId);
SAME(ct_cupti_memset, bytes, CUpti_ActivityMemset4, bytes);
SAME(ct_cupti_memset, memory, CUpti_ActivityMemset4, memoryKind);
SAME(ct_cupti_memset, graph, CUpti_ActivityMemset4, graphId);
SAME(ct_cupti_sync, start, CUpti_ActivitySynchronization2, start);
SAME(ct_cupti_sync, event, CUpti_ActivitySynchronization2, cudaEventId);
SAME(ct_cupti_sync, event_sync, CUpti_ActivitySynchronization2, cudaEventSyncId);
SAME(ct_cupti_event, event, CUpti_ActivityCudaEvent2, eventId);
SAME(ct_cupti_event, event_sync, CUpti_ActivityCudaEvent2, cudaEventSyncId);
SAME(ct_cupti_overhead, object, CUpti_ActivityOverhead3, objectId);
SAME(ct_cupti_overhead, start, CUpti_ActivityOverhead3, start);
SAME(ct_cupti_overhead, correlation, CUpti_ActivityOverhead3, correlationId);
SAME(ct_cupti_graph, graph, CUpti_ActivityGraphTrace2, graphId);
SAME(ct_cupti_graph, stream, CUpti_ActivityGraphTrace2, streamId);
SAME(ct_cupti_stream, flag, CUpti_ActivityStream, flag);
SAME(ct_cupti_context, null_stream, CUpti_ActivityContext3, nullStreamId);
SAME(ct_cupti_device, multiprocessors, CUpti_ActivityDevice5, numMultiprocessors);
SAME(ct_cupti_device, capability_major, CUpti_ActivityDevice5, computeCapabilityMajor);
SAME(ct_cupti_device, id, CUpti_ActivityDevice5, id);
SAME(ct_cupti_device, name, CUpti_ActivityDevice5, name);
#endif

typedef int ct_layout_is_assertions_only;
