/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream capture and graphs: a graph is the list of what was captured, in order, and a
 * launch runs it as one operation of the stream. Nodes cannot be added by hand.
 */
#include "engine.h"

#include <stdatomic.h>
#include <stdlib.h>

struct fake_graph {
	struct fake_op *head, **tail;
	uint32_t id;
};

static _Atomic uint32_t graph_count;

static struct fake_graph *graph_new(void)
{
	struct fake_graph *graph = calloc(1, sizeof(*graph));

	if (!graph)
		abort();
	graph->tail = &graph->head;
	graph->id = atomic_fetch_add(&graph_count, 1) + 1;
	return graph;
}

void fake_graph_append(struct fake_graph *graph, struct fake_op *op)
{
	*graph->tail = op;
	graph->tail = &op->next;
}

/* Staged bytes stay with the graph; the copies only borrow them. */
static struct fake_op *node_copy(const struct fake_op *from, struct fake_stream *stream,
				 uint32_t id)
{
	struct fake_op *op = fake_op_new(from->kind, stream);
	uint32_t correlation = op->correlation;

	*op = *from;
	op->next = NULL;
	op->stream = stream;
	op->correlation = correlation;
	op->graph_id = id;
	op->staging = NULL;
	op->deps = NULL;
	op->dep_count = 0;
	return op;
}

DRIVER_PTSZ(cuStreamBeginCapture_v2, (CUstream hStream, CUstreamCaptureMode mode),
	    (hStream, mode))
{
	struct fake_stream *stream = fake_stream_get(hStream);

	(void)mode;
	if (stream->capture || stream->id == FAKE_NULL_STREAM_ID)
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	stream->capture = graph_new();
	return CUDA_SUCCESS;
}

DRIVER_PTSZ(cuStreamEndCapture, (CUstream hStream, CUgraph *phGraph), (hStream, phGraph))
{
	struct fake_stream *stream = fake_stream_get(hStream);

	if (!stream->capture)
		return CUDA_ERROR_ILLEGAL_STATE;
	*phGraph = (CUgraph)stream->capture;
	fake_end_capture(stream->capture);
	return CUDA_SUCCESS;
}

/* No call of these is unsafe: the mode is remembered, and means nothing. */
DRIVER_EARLY(cuThreadExchangeStreamCaptureMode, (CUstreamCaptureMode *mode), (mode))
{
	static _Thread_local CUstreamCaptureMode own = CU_STREAM_CAPTURE_MODE_GLOBAL;
	CUstreamCaptureMode before = own;

	own = *mode;
	*mode = before;
	return CUDA_SUCCESS;
}

DRIVER_PTSZ(cuStreamIsCapturing, (CUstream hStream, CUstreamCaptureStatus *captureStatus),
	    (hStream, captureStatus))
{
	*captureStatus = fake_stream_get(hStream)->capture ? CU_STREAM_CAPTURE_STATUS_ACTIVE :
							     CU_STREAM_CAPTURE_STATUS_NONE;
	return CUDA_SUCCESS;
}

DRIVER(cuGraphCreate, (CUgraph *phGraph, unsigned int flags), (phGraph, flags))
{
	(void)flags;
	*phGraph = (CUgraph)graph_new();
	return CUDA_SUCCESS;
}

/* Graphs are never freed: an instance may still be running. */
DRIVER(cuGraphDestroy, (CUgraph hGraph), (hGraph))
{
	return hGraph ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* Measured table, row "cudaGraphInstantiate, Launch, ExecDestroy": wait for nothing. */
DRIVER(cuGraphInstantiateWithFlags,
       (CUgraphExec *phGraphExec, CUgraph hGraph, unsigned long long flags),
       (phGraphExec, hGraph, flags))
{
	(void)flags;
	*phGraphExec = (CUgraphExec)hGraph;
	return hGraph ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

DRIVER(cuGraphExecDestroy, (CUgraphExec hGraphExec), (hGraphExec))
{
	return hGraphExec ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

DRIVER_PTSZ(cuGraphUpload, (CUgraphExec hGraphExec, CUstream hStream), (hGraphExec, hStream))
{
	(void)hStream;
	return hGraphExec ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

DRIVER_PTSZ(cuGraphLaunch, (CUgraphExec hGraphExec, CUstream hStream), (hGraphExec, hStream))
{
	const struct fake_graph *graph = (const struct fake_graph *)hGraphExec;

	if (!graph)
		return CUDA_ERROR_INVALID_VALUE;
	struct fake_stream *stream = fake_stream_get(hStream);
	struct fake_op *op = fake_op_new(FAKE_GRAPH, stream);
	struct fake_op **tail = &op->children;
	op->graph_id = graph->id;
	for (const struct fake_op *node = graph->head; node; node = node->next) {
		*tail = node_copy(node, stream, graph->id);
		tail = &(*tail)->next;
	}
	fake_submit(op);
	return CUDA_SUCCESS;
}
