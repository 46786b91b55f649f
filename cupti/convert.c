/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/convert.h"

#include <cupti.h>
#include <stdbool.h>
#include <string.h>

#include "cupti/layout.h"

static bool has_event_sync(uint32_t version)
{
	return version >= CT_CUPTI_EVENT_SYNC;
}

/* id: where it is from that version on; before, the record ends ahead of it. */
static uint64_t event_sync(uint32_t version, const uint64_t *id)
{
	return has_event_sync(version) && *id != CT_CUPTI_EVENT_SYNC_NONE ? *id : 0;
}

static uint16_t narrow(int64_t value)
{
	return value < 0 ? 0 : value > UINT16_MAX ? UINT16_MAX : (uint16_t)value;
}

/* What CUPTI's records of device work have in common, under the same names. */
#define WHEN_AND_WHERE(record)                                                                     \
	.correlation = (record)->correlation, .start_ns = (record)->start,                         \
	.end_ns = (record)->end, .context = (record)->context, .stream = (record)->stream,         \
	.device = (uint16_t)(record)->device

static enum ct_record_type kernel(const struct ct_cupti_kernel *k, struct ct_device_op *op,
				  const char **ret_name)
{
	*op = (struct ct_device_op){
		WHEN_AND_WHERE(k),
		.graph = k->graph_node ? k->graph : 0,
		.kind = CT_DEVICE_KERNEL,
		.channel = (uint8_t)(k->channel % 255 + 1),
		.shared_bytes = (uint32_t)k->static_shared + (uint32_t)k->dynamic_shared,
		.u.kernel = {
			.grid_x = (uint32_t)k->grid_x,
			.grid_y = narrow(k->grid_y),
			.grid_z = narrow(k->grid_z),
			.block_x = narrow(k->block_x),
			.block_y = narrow(k->block_y),
			.block_z = narrow(k->block_z),
			.registers = k->registers,
		},
	};
	*ret_name = k->name;
	return CT_RECORD_DEVICE;
}

static enum ct_record_type copy(const struct ct_cupti_memcpy *m, struct ct_device_op *op)
{
	*op = (struct ct_device_op){
		WHEN_AND_WHERE(m),
		.graph = m->graph_node ? m->graph : 0,
		.kind = CT_DEVICE_COPY,
		.u.copy = {
			.bytes = m->bytes,
			.direction = m->copy_kind,
			.source = m->source,
			.target = m->target,
			.async = m->flags & CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC,
		},
	};
	return CT_RECORD_DEVICE;
}

static enum ct_record_type peer_copy(const struct ct_cupti_memcpy_peer *m, struct ct_device_op *op)
{
	const struct ct_cupti_memcpy plain = {
		.copy_kind = CT_DIRECTION_P2P,
		.source = m->source,
		.target = m->target,
		.flags = m->flags,
		.bytes = m->bytes,
		.start = m->start,
		.end = m->end,
		.device = m->device,
		.context = m->context,
		.stream = m->stream,
		.correlation = m->correlation,
		.graph_node = m->graph_node,
		.graph = m->graph,
	};

	copy(&plain, op);
	op->u.copy.peer.source = (uint16_t)(m->source_device + 1);
	op->u.copy.peer.target = (uint16_t)(m->target_device + 1);
	return CT_RECORD_DEVICE;
}

static enum ct_record_type fill(const struct ct_cupti_memset *m, struct ct_device_op *op)
{
	*op = (struct ct_device_op){
		WHEN_AND_WHERE(m),
		.graph = m->graph_node ? m->graph : 0,
		.kind = CT_DEVICE_FILL,
		.u.copy = {
			.bytes = m->bytes,
			.target = (uint8_t)m->memory,
			.async = m->flags & CUPTI_ACTIVITY_FLAG_MEMSET_ASYNC,
			.value = m->value,
		},
	};
	return CT_RECORD_DEVICE;
}

static enum ct_record_type graph(const struct ct_cupti_graph *g, struct ct_device_op *op)
{
	*op = (struct ct_device_op){
		WHEN_AND_WHERE(g),
		.graph = g->graph,
		.kind = CT_DEVICE_GRAPH,
	};
	return CT_RECORD_DEVICE;
}

static enum ct_record_type sync_record(const struct ct_cupti_sync *s, uint32_t version,
				       struct ct_sync *sync)
{
	*sync = (struct ct_sync){
		.correlation = s->correlation,
		.start_ns = s->start,
		.end_ns = s->end,
		.context = s->context,
		.stream = s->stream,
		.event = s->event,
		.kind = (uint8_t)s->type,
		.event_sync = event_sync(version, &s->event_sync),
	};
	return CT_RECORD_SYNC;
}

static enum ct_record_type event_record(const struct ct_cupti_event *e, uint32_t version,
					struct ct_event *event)
{
	*event = (struct ct_event){
		.correlation = e->correlation,
		.context = e->context,
		.stream = e->stream,
		.event = e->event,
		.event_sync = event_sync(version, &e->event_sync),
	};
	return CT_RECORD_EVENT;
}

static uint8_t overhead_kind(uint32_t kind)
{
	switch (kind) {
	case CUPTI_ACTIVITY_OVERHEAD_DRIVER_COMPILER:
		return CT_OVERHEAD_COMPILER;
	case CUPTI_ACTIVITY_OVERHEAD_CUPTI_BUFFER_FLUSH:
		return CT_OVERHEAD_BUFFER_FLUSH;
	case CUPTI_ACTIVITY_OVERHEAD_CUPTI_INSTRUMENTATION:
		return CT_OVERHEAD_INSTRUMENTATION;
	case CUPTI_ACTIVITY_OVERHEAD_CUPTI_RESOURCE:
		return CT_OVERHEAD_RESOURCE;
	case 4 << 16: /* the names of these are younger than CUDA 12.0's headers */
		return CT_OVERHEAD_MODULE_LOADING;
	case 5 << 16:
		return CT_OVERHEAD_LAZY_LOADING;
	case 6 << 16:
		return CT_OVERHEAD_QUEUE_FULL;
	case 7 << 16:
		return CT_OVERHEAD_BUFFER_REQUEST;
	case 8 << 16:
		return CT_OVERHEAD_UVM_INIT;
	default:
		return CT_OVERHEAD_UNKNOWN;
	}
}

static enum ct_record_type overhead_record(const struct ct_cupti_overhead *o, uint32_t version,
					   struct ct_overhead *overhead)
{
	*overhead = (struct ct_overhead){
		.start_ns = o->start,
		.end_ns = o->end,
		.kind = overhead_kind(o->overhead),
		.correlation = has_event_sync(version) ? o->correlation : 0,
	};
	if (o->object_kind == CUPTI_ACTIVITY_OBJECT_THREAD) {
		overhead->tid = o->object.pt.thread;
	} else if (o->object_kind != CUPTI_ACTIVITY_OBJECT_PROCESS) {
		overhead->context = o->object.dcs.context;
		overhead->stream = o->object.dcs.stream;
	}
	return CT_RECORD_OVERHEAD;
}

static enum ct_record_type stream_record(const struct ct_cupti_stream *s, struct ct_stream *stream)
{
	*stream = (struct ct_stream){
		.context = s->context,
		.stream = s->stream,
		.priority = (int32_t)s->priority,
		.flag = (uint8_t)s->flag,
	};
	return CT_RECORD_STREAM;
}

static enum ct_record_type context_record(const struct ct_cupti_context *c,
					  struct ct_context *context)
{
	*context = (struct ct_context){
		.context = c->context,
		.device = c->device,
		.null_stream = c->null_stream == CT_CUPTI_NULL_STREAM_NONE ? CT_ID_NONE
									   : c->null_stream,
	};
	return CT_RECORD_CONTEXT;
}

static enum ct_record_type gpu_record(const struct ct_cupti_device *d, struct ct_gpu *gpu,
				      const char **ret_name)
{
	*gpu = (struct ct_gpu){
		.device = d->id,
		.memory_bytes = d->memory_bytes,
		.multiprocessors = d->multiprocessors,
		.warps_per_multiprocessor = d->warps_per_multiprocessor,
		.registers_per_multiprocessor = d->registers_per_multiprocessor,
		.shared_per_multiprocessor = d->shared_per_multiprocessor,
		.capability_major = (uint16_t)d->capability_major,
		.capability_minor = (uint16_t)d->capability_minor,
	};
	*ret_name = d->name;
	return CT_RECORD_GPU;
}

enum ct_record_type ct_convert(const void *activity, uint32_t version, union ct_converted *ret,
			       const char **ret_name)
{
	*ret_name = NULL;
	switch (*(const uint32_t *)activity) {
	case CUPTI_ACTIVITY_KIND_KERNEL:
	case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
		return kernel(activity, &ret->op, ret_name);
	case CUPTI_ACTIVITY_KIND_MEMCPY:
		return copy(activity, &ret->op);
	case CUPTI_ACTIVITY_KIND_MEMCPY2:
		return peer_copy(activity, &ret->op);
	case CUPTI_ACTIVITY_KIND_MEMSET:
		return fill(activity, &ret->op);
	case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
		return graph(activity, &ret->op);
	case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
		return sync_record(activity, version, &ret->sync);
	case CUPTI_ACTIVITY_KIND_CUDA_EVENT:
		return event_record(activity, version, &ret->event);
	case CUPTI_ACTIVITY_KIND_OVERHEAD:
		return overhead_record(activity, version, &ret->overhead);
	case CUPTI_ACTIVITY_KIND_STREAM:
		return stream_record(activity, &ret->stream);
	case CUPTI_ACTIVITY_KIND_CONTEXT:
		return context_record(activity, &ret->context);
	case CUPTI_ACTIVITY_KIND_DEVICE:
		return gpu_record(activity, &ret->gpu, ret_name);
	default:
		return CT_RECORD_NONE;
	}
}
