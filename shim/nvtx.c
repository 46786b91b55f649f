/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/nvtx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/* The types of its tools; the functions are in whoever calls them. */
#define NVTX_NO_IMPL
#include <nvtx3/nvToolsExt.h>

#include "shim/shim.h"
#include "shim/thread.h"

#define VARIABLE "NVTX_INJECTION64_PATH"
#define DEPTH_MAX 128   /* of a thread, all domains together */
#define SPANS 1024      /* started and not ended, of the process; a power of two */
#define SPAN_PROBES 64
#define PATIENCE 1000000  /* readings while show_spans() is at one: some stores */
#define BUSY 1          /* no id of a span: those have more bits */

/*
 * A range under way, and where the trace says so (NULL: it does not). Those that are pushed leave
 * their place to the next one at their depth.
 */
struct open {
	struct ct_nvtx_range range;
	struct ct_nvtx_range *place;
};

struct ct_ranges {
	uint32_t depth, beyond; /* pushed and kept; pushed and not kept, as there were too many */
	struct open open[DEPTH_MAX];
	char text[CT_NVTX_NAME_MAX + 4]; /* scratch */
};

/* Started ranges; id 0 = free, BUSY = a thread is at it, and nobody else. */
static struct {
	uint64_t id;
	struct open open;
} spans[SPANS];
static uint64_t span_serial;

static bool taken_by_other; /* another tool has the ranges */
static bool attached;       /* some NVTX has called us */
static uint32_t lost_early; /* before there was a trace */

void ct_nvtx_offer(const char *library)
{
	const char *before = getenv(VARIABLE);

	if (!ct_options_nvtx())
		return;
	if (!before || !*before)
		setenv(VARIABLE, library, 1);
	else
		taken_by_other = strcmp(before, library) != 0;
}

void ct_nvtx_note(void)
{
	if (!ct_shim.options.nvtx)
		ct_shim_note(CT_NOTE_NO_NVTX, 0, "they are switched off (CUTRACE_NVTX=off)");
	else if (taken_by_other)
		ct_shim_note(CT_NOTE_NO_NVTX, 0, "%s", VARIABLE " belongs to another tool");
}

static void lose(void)
{
	if (ct_shim_alive())
		ct_file_lose(&ct_shim.file, CT_LOSS_RANGES, 1);
	else
		__atomic_fetch_add(&lost_early, 1, __ATOMIC_RELAXED);
}

static struct ct_ranges *ranges_of(struct ct_thread *thread)
{
	int saved = errno;
	void *map;

	if (thread->ranges)
		return thread->ranges;
	map = mmap(NULL, sizeof(*thread->ranges), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	errno = saved;
	if (map != MAP_FAILED)
		thread->ranges = map;
	return thread->ranges;
}

/*
 * The calling thread, at work for us until leave(). NULL: nothing is to be done, as tracing has
 * ended, there is no memory, or a signal handler interrupted cutrace itself.
 */
static struct ct_thread *enter(void)
{
	struct ct_thread *thread = ct_shim_closed() ? NULL : ct_thread_self();

	if (!thread)
		return NULL;
	if (thread->in_tool) {
		lose();
		return NULL;
	}
	thread->in_tool = true;
	if (ranges_of(thread))
		return thread;
	thread->in_tool = false;
	lose();
	return NULL;
}

static void leave(struct ct_thread *thread)
{
	thread->in_tool = false;
}

static uint32_t intern(struct ct_thread *thread, const char *text)
{
	return text ? ct_nvtx_intern(thread, text, (uint32_t)strnlen(text, CT_NVTX_NAME_MAX)) : 0;
}

/* As UTF-8, of a text in UTF-32, which is what Linux has in wchar_t. */
static uint32_t put_character(uint32_t c, char *ret)
{
	static const uint8_t firsts[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	uint32_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (uint32_t i = n; --i > 0; c >>= 6)
		ret[i] = (char)(0x80 | (c & 63));
	ret[0] = (char)(firsts[n] | c);
	return n;
}

static uint32_t intern_wide(struct ct_thread *thread, const wchar_t *text)
{
	char *to = thread->ranges->text;
	uint32_t n = 0;

	for (; text && *text && n < CT_NVTX_NAME_MAX - 4; text++)
		n += put_character((uint32_t)*text > 0x10ffff ? '?' : (uint32_t)*text, to + n);
	return ct_nvtx_intern(thread, to, n);
}

/* Names of registered strings and of domains are handles by their number. */
static uint32_t number(const void *handle)
{
	return (uint32_t)(uintptr_t)handle;
}

static uint32_t message(struct ct_thread *thread, const nvtxEventAttributes_t *attributes)
{
	switch (attributes->messageType) {
	case NVTX_MESSAGE_TYPE_ASCII:
		return intern(thread, attributes->message.ascii);
	case NVTX_MESSAGE_TYPE_UNICODE:
		return intern_wide(thread, attributes->message.unicode);
	case NVTX_MESSAGE_TYPE_REGISTERED:
		return number(attributes->message.registered);
	default:
		return 0;
	}
}

static struct ct_nvtx_range describe(struct ct_thread *thread, uint32_t domain,
				     const nvtxEventAttributes_t *attributes)
{
	struct ct_nvtx_range range = { .tid = thread->tid, .domain = domain };

	if (!attributes)
		return range;
	range.name = message(thread, attributes);
	range.category = attributes->category;
	if (attributes->colorType == NVTX_COLOR_ARGB)
		range.color = attributes->color;
	return range;
}

static void begin(struct open *open, enum ct_nvtx_kind kind)
{
	open->range.kind = (uint8_t)kind;
	open->range.begin_ns = ct_now_ns();
	if (!ct_shim_alive())
		return;
	if (!open->place)
		open->place = ct_nvtx_open_take();
	ct_nvtx_open_fill(open->place, &open->range);
}

static void end(struct ct_thread *thread, struct open *open, bool cut)
{
	uint64_t now_ns = ct_now_ns();

	open->range.end_ns = now_ns < open->range.begin_ns ? open->range.begin_ns : now_ns;
	open->range.end_tid = thread->tid;
	open->range.cut = cut;
	if (!ct_shim_alive()) /* it was over before the first CUDA call, or this is a child */
		return;
	ct_writer_put(&thread->writer, CT_RECORD_NVTX_RANGE, &open->range);
	ct_nvtx_open_empty(open->place);
}

/* Takes the thread from enter(). */
static int push(struct ct_thread *thread, struct ct_nvtx_range range)
{
	struct ct_ranges *ranges = thread->ranges;

	if (ranges->depth == DEPTH_MAX) {
		ranges->beyond++;
		lose();
	} else {
		ranges->open[ranges->depth].range = range;
		begin(&ranges->open[ranges->depth++], CT_NVTX_PUSHED);
	}
	leave(thread);
	return NVTX_NO_PUSH_POP_TRACKING;
}

static void pop_at(struct ct_thread *thread, uint32_t i)
{
	struct ct_ranges *ranges = thread->ranges;
	struct ct_nvtx_range *place = ranges->open[i].place;

	end(thread, &ranges->open[i], false);
	ranges->depth--;
	memmove(&ranges->open[i], &ranges->open[i + 1],
		(ranges->depth - i) * sizeof(ranges->open[0]));
	ranges->open[ranges->depth].place = place;
}

/* The innermost one of a domain. */
static int pop(uint32_t domain)
{
	struct ct_thread *thread = enter();

	if (!thread)
		return NVTX_NO_PUSH_POP_TRACKING;
	if (thread->ranges->beyond)
		thread->ranges->beyond--;
	else
		for (uint32_t i = thread->ranges->depth; i-- > 0;)
			if (thread->ranges->open[i].range.domain == domain) {
				pop_at(thread, i);
				break;
			}
	leave(thread);
	return NVTX_NO_PUSH_POP_TRACKING;
}

/* Takes the thread from enter(). Returns the id that ends it; 0: it is not kept. */
static nvtxRangeId_t start_span(struct ct_thread *thread, struct ct_nvtx_range range)
{
	uint64_t serial = __atomic_add_fetch(&span_serial, 1, __ATOMIC_RELAXED), id = 0;

	for (uint64_t n = 0; !id && n < SPAN_PROBES; n++) {
		uint64_t i = (serial + n) % SPANS, none = 0;

		if (!__atomic_compare_exchange_n(&spans[i].id, &none, BUSY, false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		spans[i].open = (struct open){ .range = range };
		begin(&spans[i].open, CT_NVTX_STARTED);
		id = serial * SPANS + i;
		__atomic_store_n(&spans[i].id, id, __ATOMIC_RELEASE);
	}
	if (!id)
		lose();
	leave(thread);
	return id;
}

static void end_span(nvtxRangeId_t id)
{
	struct ct_thread *thread = enter();
	uint64_t i = id % SPANS, seen;
	int patience = PATIENCE;

	if (!thread)
		return;
	do
		seen = id;
	while (id > BUSY && !__atomic_compare_exchange_n(&spans[i].id, &seen, BUSY, false,
							 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED) &&
	       seen == BUSY && --patience);
	if (id > BUSY && seen == id) {
		end(thread, &spans[i].open, false);
		if (ct_shim_alive())
			ct_nvtx_open_give(spans[i].open.place);
		__atomic_store_n(&spans[i].id, 0, __ATOMIC_RELEASE);
	}
	leave(thread);
}

static void show_spans(void)
{
	for (uint64_t i = 0; i < SPANS; i++) {
		uint64_t id = __atomic_load_n(&spans[i].id, __ATOMIC_RELAXED);

		if (id <= BUSY || !__atomic_compare_exchange_n(&spans[i].id, &id, BUSY, false,
							       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		if (!spans[i].open.place) {
			spans[i].open.place = ct_nvtx_open_take();
			ct_nvtx_open_fill(spans[i].open.place, &spans[i].open.range);
		}
		__atomic_store_n(&spans[i].id, id, __ATOMIC_RELEASE);
	}
}

/* Of what is pushed only this thread's: others may be at work on theirs. */
void ct_nvtx_started(struct ct_thread *thread)
{
	struct ct_ranges *ranges = thread->ranges;

	if (!__atomic_load_n(&attached, __ATOMIC_SEQ_CST))
		return;
	ct_nvtx_open_prepare();
	ct_nvtx_names_started(thread);
	ct_file_lose(&ct_shim.file, CT_LOSS_RANGES, __atomic_load_n(&lost_early, __ATOMIC_RELAXED));
	for (uint32_t i = 0; ranges && i < ranges->depth; i++) {
		ranges->open[i].place = ct_nvtx_open_take();
		ct_nvtx_open_fill(ranges->open[i].place, &ranges->open[i].range);
	}
	show_spans();
}

void ct_nvtx_finish(struct ct_thread *thread)
{
	struct ct_ranges *ranges = thread->ranges;

	for (uint32_t i = ranges ? ranges->depth : 0; i-- > 0;)
		end(thread, &ranges->open[i], true);
	for (uint32_t i = 0; ranges && ct_shim_alive() && i < DEPTH_MAX; i++)
		ct_nvtx_open_give(ranges->open[i].place);
	if (ranges)
		munmap(ranges, sizeof(*ranges));
	thread->ranges = NULL;
}

static int push_ex_in(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *attributes)
{
	struct ct_thread *thread = enter();

	return thread ? push(thread, describe(thread, number(domain), attributes))
		      : NVTX_NO_PUSH_POP_TRACKING;
}

static int push_ex(const nvtxEventAttributes_t *attributes)
{
	return push_ex_in(NULL, attributes);
}

static struct ct_nvtx_range named(const struct ct_thread *thread, uint32_t name)
{
	return (struct ct_nvtx_range){ .tid = thread->tid, .name = name };
}

static int push_a(const char *text)
{
	struct ct_thread *thread = enter();

	return thread ? push(thread, named(thread, intern(thread, text))) : NVTX_NO_PUSH_POP_TRACKING;
}

static int push_w(const wchar_t *text)
{
	struct ct_thread *thread = enter();

	return thread ? push(thread, named(thread, intern_wide(thread, text)))
		      : NVTX_NO_PUSH_POP_TRACKING;
}

static int pop_default(void)
{
	return pop(0);
}

static int pop_in(nvtxDomainHandle_t domain)
{
	return pop(number(domain));
}

static nvtxRangeId_t start_ex_in(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *attributes)
{
	struct ct_thread *thread = enter();

	return thread ? start_span(thread, describe(thread, number(domain), attributes)) : 0;
}

static nvtxRangeId_t start_ex(const nvtxEventAttributes_t *attributes)
{
	return start_ex_in(NULL, attributes);
}

static nvtxRangeId_t start_a(const char *text)
{
	struct ct_thread *thread = enter();

	return thread ? start_span(thread, named(thread, intern(thread, text))) : 0;
}

static nvtxRangeId_t start_w(const wchar_t *text)
{
	struct ct_thread *thread = enter();

	return thread ? start_span(thread, named(thread, intern_wide(thread, text))) : 0;
}

static void end_in(nvtxDomainHandle_t domain, nvtxRangeId_t id)
{
	(void)domain; /* the id says it all */
	end_span(id);
}

/* A handle is the name's number: the same for the same name, as NVTX wants it of domains. */
static void *handle(const char *text, const wchar_t *wide)
{
	struct ct_thread *thread = enter();
	uint32_t id = 0;

	if (!thread)
		return NULL;
	id = wide ? intern_wide(thread, wide) : intern(thread, text);
	leave(thread);
	return (void *)(uintptr_t)id;
}

static nvtxDomainHandle_t domain_a(const char *name)
{
	return handle(name, NULL);
}

static nvtxDomainHandle_t domain_w(const wchar_t *name)
{
	return handle(NULL, name);
}

static nvtxStringHandle_t string_a(nvtxDomainHandle_t domain, const char *text)
{
	(void)domain;
	return handle(text, NULL);
}

static nvtxStringHandle_t string_w(nvtxDomainHandle_t domain, const wchar_t *text)
{
	(void)domain;
	return handle(NULL, text);
}

/* What we take of each table of NVTX's functions; it does the rest without a tool. */
static const struct {
	NvtxCallbackModule module;
	unsigned id;
	NvtxFunctionPointer function;
} rows[] = {
#define ROW(module, id, function) { NVTX_CB_MODULE_##module, NVTX_CBID_##module##_##id, \
				    (NvtxFunctionPointer)(function) },
	ROW(CORE, RangeStartEx, start_ex)
	ROW(CORE, RangeStartA, start_a)
	ROW(CORE, RangeStartW, start_w)
	ROW(CORE, RangeEnd, end_span)
	ROW(CORE, RangePushEx, push_ex)
	ROW(CORE, RangePushA, push_a)
	ROW(CORE, RangePushW, push_w)
	ROW(CORE, RangePop, pop_default)
	ROW(CORE2, DomainRangeStartEx, start_ex_in)
	ROW(CORE2, DomainRangeEnd, end_in)
	ROW(CORE2, DomainRangePushEx, push_ex_in)
	ROW(CORE2, DomainRangePop, pop_in)
	ROW(CORE2, DomainRegisterStringA, string_a)
	ROW(CORE2, DomainRegisterStringW, string_w)
	ROW(CORE2, DomainCreateA, domain_a)
	ROW(CORE2, DomainCreateW, domain_w)
#undef ROW
};

__attribute__((visibility("default"))) int
InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table);

/* Called by each copy of NVTX in the process on its first use. Returns 0: there is no tool. */
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table)
{
	const NvtxExportTableCallbacks *callbacks = get_table(NVTX_ETID_CALLBACKS);
	NvtxFunctionTable table = NULL;
	unsigned size = 0;

	if (getauxval(AT_SECURE) || !ct_options_nvtx() || !callbacks ||
	    callbacks->struct_size < sizeof(*callbacks))
		return 0;
	__atomic_store_n(&attached, true, __ATOMIC_SEQ_CST);
	if (ct_shim_alive())
		ct_nvtx_open_prepare();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!i || rows[i].module != rows[i - 1].module)
			if (!callbacks->GetModuleFunctionTable(rows[i].module, &table, &size))
				size = 0;
		if (rows[i].id < size && table[rows[i].id])
			*table[rows[i].id] = rows[i].function;
	}
	return 1;
}
