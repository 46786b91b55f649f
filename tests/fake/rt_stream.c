/* SPDX-License-Identifier: Apache-2.0 */
/* Streams and events, captures and graphs. */
#include "rt.h"

RT(cudaStreamCreate, 3020, (cudaStream_t *pStream), (pStream))
{
	return rt_error(cuStreamCreate(pStream, CU_STREAM_DEFAULT));
}

RT(cudaStreamCreateWithFlags, 5000, (cudaStream_t *pStream, unsigned int flags), (pStream, flags))
{
	return rt_error(cuStreamCreate(pStream, flags));
}

RT(cudaStreamCreateWithPriority, 5050,
   (cudaStream_t *pStream, unsigned int flags, int priority), (pStream, flags, priority))
{
	return rt_error(cuStreamCreateWithPriority(pStream, flags, priority));
}

RT(cudaStreamDestroy, 5050, (cudaStream_t stream), (stream))
{
	return rt_error(cuStreamDestroy_v2(stream));
}

RT_PTSZ(cudaStreamSynchronize, 3020, 7000, (cudaStream_t stream), (stream))
{
	return rt_error(cuStreamSynchronize(stream));
}

RT_PTSZ(cudaStreamQuery, 3020, 7000, (cudaStream_t stream), (stream))
{
	return rt_error(cuStreamQuery(stream));
}

RT_PTSZ(cudaStreamWaitEvent, 3020, 7000,
	(cudaStream_t stream, cudaEvent_t event, unsigned int flags), (stream, event, flags))
{
	return rt_error(cuStreamWaitEvent(stream, event, flags));
}

RT_PTSZ(cudaStreamGetFlags, 5050, 7000, (cudaStream_t hStream, unsigned int *flags),
	(hStream, flags))
{
	return rt_error(cuStreamGetFlags(hStream, flags));
}

RT_PTSZ(cudaStreamGetPriority, 5050, 7000, (cudaStream_t hStream, int *priority),
	(hStream, priority))
{
	return rt_error(cuStreamGetPriority(hStream, priority));
}

RT_PTSZ(cudaStreamGetId, 12000, 12000, (cudaStream_t hStream, unsigned long long *streamId),
	(hStream, streamId))
{
	return rt_error(cuStreamGetId(hStream, streamId));
}

RT(cudaEventCreate, 3020, (cudaEvent_t *event), (event))
{
	return rt_error(cuEventCreate(event, CU_EVENT_DEFAULT));
}

RT(cudaEventCreateWithFlags, 3020, (cudaEvent_t *event, unsigned int flags), (event, flags))
{
	return rt_error(cuEventCreate(event, flags));
}

RT(cudaEventDestroy, 3020, (cudaEvent_t event), (event))
{
	return rt_error(cuEventDestroy_v2(event));
}

RT_PTSZ(cudaEventRecord, 3020, 7000, (cudaEvent_t event, cudaStream_t stream), (event, stream))
{
	return rt_error(cuEventRecord(event, stream));
}

RT_PTSZ(cudaEventRecordWithFlags, 11010, 11010,
	(cudaEvent_t event, cudaStream_t stream, unsigned int flags), (event, stream, flags))
{
	return rt_error(cuEventRecordWithFlags(event, stream, flags));
}

RT(cudaEventSynchronize, 3020, (cudaEvent_t event), (event))
{
	return rt_error(cuEventSynchronize(event));
}

RT(cudaEventQuery, 3020, (cudaEvent_t event), (event))
{
	return rt_error(cuEventQuery(event));
}

RT(cudaEventElapsedTime, 12080, (float *ms, cudaEvent_t start, cudaEvent_t end), (ms, start, end))
{
	return rt_error(cuEventElapsedTime_v2(ms, start, end));
}

RT_PTSZ(cudaStreamBeginCapture, 10000, 10000,
	(cudaStream_t stream, enum cudaStreamCaptureMode mode), (stream, mode))
{
	return rt_error(cuStreamBeginCapture_v2(stream, (CUstreamCaptureMode)mode));
}

RT_PTSZ(cudaStreamEndCapture, 10000, 10000, (cudaStream_t stream, cudaGraph_t *pGraph),
	(stream, pGraph))
{
	return rt_error(cuStreamEndCapture(stream, pGraph));
}

RT_PTSZ(cudaStreamIsCapturing, 10000, 10000,
	(cudaStream_t stream, enum cudaStreamCaptureStatus *pCaptureStatus),
	(stream, pCaptureStatus))
{
	return rt_error(cuStreamIsCapturing(stream, (CUstreamCaptureStatus *)pCaptureStatus));
}

RT(cudaGraphCreate, 10000, (cudaGraph_t *pGraph, unsigned int flags), (pGraph, flags))
{
	return rt_error(cuGraphCreate(pGraph, flags));
}

RT(cudaGraphDestroy, 10000, (cudaGraph_t graph), (graph))
{
	return rt_error(cuGraphDestroy(graph));
}

RT(cudaGraphInstantiate, 12000,
   (cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags),
   (pGraphExec, graph, flags))
{
	return rt_error(cuGraphInstantiateWithFlags(pGraphExec, graph, flags));
}

RT(cudaGraphInstantiateWithFlags, 11040,
   (cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags),
   (pGraphExec, graph, flags))
{
	return rt_error(cuGraphInstantiateWithFlags(pGraphExec, graph, flags));
}

RT_PTSZ(cudaGraphLaunch, 10000, 10000, (cudaGraphExec_t graphExec, cudaStream_t stream),
	(graphExec, stream))
{
	return rt_error(cuGraphLaunch(graphExec, stream));
}

RT_PTSZ(cudaGraphUpload, 10000, 10000, (cudaGraphExec_t graphExec, cudaStream_t stream),
	(graphExec, stream))
{
	return rt_error(cuGraphUpload(graphExec, stream));
}

RT(cudaGraphExecDestroy, 10000, (cudaGraphExec_t graphExec), (graphExec))
{
	return rt_error(cuGraphExecDestroy(graphExec));
}
