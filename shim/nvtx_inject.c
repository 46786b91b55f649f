/* SPDX-License-Identifier: Apache-2.0 */
/* What NVTX calls: the functions that are put into its tables, and how it comes to us. */
#include "shim/nvtx_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* The types of its tools; the functions are in whoever calls them. */
#define NVTX_NO_IMPL
#include <nvtx3/nvToolsExt.h>

#include "shim/shim.h"

#define VARIABLE "NVTX_INJECTION64_PATH"

static bool taken_by_other; /* another tool has the ranges */

void ct_nvtx_offer(const char *library)
{
	const char *before = getenv(VARIABLE);

	if (!ct_options_nvtx())
		return;
	if (!before || !*before)
		setenv(VARIABLE, library, 1);
	else
		taken_by_other = strcmp(before, library) != 0;
	if (!taken_by_other)
		ct_nvtx_load_offer(library);
}

void ct_nvtx_note(void)
{
	if (!ct_shim.options.nvtx)
		ct_shim_note(CT_NOTE_NO_NVTX, 0, "they are switched off (CUTRACE_NVTX=off)");
	else if (taken_by_other)
		ct_shim_note(CT_NOTE_NO_NVTX, 0, "%s", VARIABLE " belongs to another tool");
}

/* ct_nvtx_intern_range(); or ct_nvtx_intern(), of what is named for good. */
typedef uint32_t interns(struct ct_thread *thread, const char *text, uint32_t length);

static uint32_t intern(struct ct_thread *thread, const char *text, interns *by)
{
	return text ? by(thread, text, (uint32_t)strnlen(text, CT_NVTX_NAME_MAX)) : 0;
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

static uint32_t intern_wide(struct ct_thread *thread, const wchar_t *text, interns *by)
{
	char *to = ct_nvtx_scratch(thread);
	uint32_t n = 0;

	for (; text && *text && n < CT_NVTX_NAME_MAX - 4; text++)
		n += put_character((uint32_t)*text > 0x10ffff ? '?' : (uint32_t)*text, to + n);
	return by(thread, to, n);
}

/* Names of registered strings and of domains are handles by their number. */
static uint32_t number(const void *handle)
{
	return (uint32_t)(uintptr_t)handle;
}

/* NULL is what we returned where there was no room for one more. */
static uint32_t registered(nvtxStringHandle_t string)
{
	if (!string)
		ct_nvtx_nameless();
	return number(string);
}

static uint32_t message(struct ct_thread *thread, const nvtxEventAttributes_t *attributes)
{
	switch (attributes->messageType) {
	case NVTX_MESSAGE_TYPE_ASCII:
		return intern(thread, attributes->message.ascii, ct_nvtx_intern_range);
	case NVTX_MESSAGE_TYPE_UNICODE:
		return intern_wide(thread, attributes->message.unicode, ct_nvtx_intern_range);
	case NVTX_MESSAGE_TYPE_REGISTERED:
		return registered(attributes->message.registered);
	default:
		return 0;
	}
}

/* thread: from ct_nvtx_enter(); NULL: the result does not matter. */
static struct ct_nvtx_range describe(struct ct_thread *thread, uint32_t domain,
				     const nvtxEventAttributes_t *attributes)
{
	struct ct_nvtx_range range = { .domain = domain };

	if (!thread || !attributes)
		return range;
	range.name = message(thread, attributes);
	range.category = attributes->category;
	if (attributes->colorType == NVTX_COLOR_ARGB)
		range.color = attributes->color;
	return range;
}

static struct ct_nvtx_range named(struct ct_thread *thread, const char *text)
{
	return (struct ct_nvtx_range){ .name = thread ? intern(thread, text, ct_nvtx_intern_range) : 0 };
}

static struct ct_nvtx_range named_wide(struct ct_thread *thread, const wchar_t *text)
{
	return (struct ct_nvtx_range){
		.name = thread ? intern_wide(thread, text, ct_nvtx_intern_range) : 0
	};
}

/* What a push and a pop return without a tool. */
static int push(struct ct_thread *thread, struct ct_nvtx_range range)
{
	if (thread)
		ct_nvtx_push(thread, &range);
	return NVTX_NO_PUSH_POP_TRACKING;
}

static int pop(uint32_t domain)
{
	ct_nvtx_pop(domain);
	return NVTX_NO_PUSH_POP_TRACKING;
}

static nvtxRangeId_t start(struct ct_thread *thread, struct ct_nvtx_range range)
{
	return thread ? ct_nvtx_start(thread, &range) : 0;
}

static int push_ex_in(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *attributes)
{
	struct ct_thread *thread = ct_nvtx_enter();

	return push(thread, describe(thread, number(domain), attributes));
}

static int push_ex(const nvtxEventAttributes_t *attributes)
{
	return push_ex_in(NULL, attributes);
}

static int push_a(const char *text)
{
	struct ct_thread *thread = ct_nvtx_enter();

	return push(thread, named(thread, text));
}

static int push_w(const wchar_t *text)
{
	struct ct_thread *thread = ct_nvtx_enter();

	return push(thread, named_wide(thread, text));
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
	struct ct_thread *thread = ct_nvtx_enter();

	return start(thread, describe(thread, number(domain), attributes));
}

static nvtxRangeId_t start_ex(const nvtxEventAttributes_t *attributes)
{
	return start_ex_in(NULL, attributes);
}

static nvtxRangeId_t start_a(const char *text)
{
	struct ct_thread *thread = ct_nvtx_enter();

	return start(thread, named(thread, text));
}

static nvtxRangeId_t start_w(const wchar_t *text)
{
	struct ct_thread *thread = ct_nvtx_enter();

	return start(thread, named_wide(thread, text));
}

static void end_in(nvtxDomainHandle_t domain, nvtxRangeId_t id)
{
	(void)domain; /* the id says it all */
	ct_nvtx_end(id);
}

/* A handle is the name's number: the same for the same name, as NVTX wants it of domains. */
static void *handle(const char *text, const wchar_t *wide)
{
	struct ct_thread *thread = ct_nvtx_enter();
	uint32_t id = 0;

	if (!thread)
		return NULL;
	id = wide ? intern_wide(thread, wide, ct_nvtx_intern) : intern(thread, text, ct_nvtx_intern);
	ct_nvtx_leave(thread);
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
	ROW(CORE, RangeEnd, ct_nvtx_end)
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

void *const ct_nvtx_initialize = (void *)InitializeInjectionNvtx2;

/* Called by each copy of NVTX in the process on its first use. Returns 0: there is no tool. */
int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table)
{
	const NvtxExportTableCallbacks *callbacks = get_table(NVTX_ETID_CALLBACKS);
	NvtxFunctionTable table = NULL;
	unsigned size = 0;

	if (getauxval(AT_SECURE) || !ct_options_nvtx() || !callbacks ||
	    callbacks->struct_size < sizeof(*callbacks))
		return 0;
	ct_nvtx_attach();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!i || rows[i].module != rows[i - 1].module)
			if (!callbacks->GetModuleFunctionTable(rows[i].module, &table, &size))
				size = 0;
		if (rows[i].id < size && table[rows[i].id])
			*table[rows[i].id] = rows[i].function;
	}
	return 1;
}

__attribute__((visibility("default"))) int
InitializeInjectionNvtx(NvtxGetExportTableFunc_t get_table);

/* Versions 1 and 2 of NVTX, libraries of their own, ask for this one, with tables of the same form. */
int InitializeInjectionNvtx(NvtxGetExportTableFunc_t get_table)
{
	return InitializeInjectionNvtx2(get_table);
}

/*
 * Extensions of NVTX (nvtxDetail/nvtxExtTypes.h) have tables of their own, one for each
 * extension. Older headers lack them, so what is read is declared here.
 */
struct segment {
	size_t id, count;
	intptr_t *functions;
};

struct extension {
	uint16_t nvtx_version, bytes, module, compatible;
	size_t segment_count;
	struct segment *segments;
};

#define PAYLOADS 2 /* nvToolsExtPayload.h: NVTX_EXT_PAYLOAD_MODULEID */

/* What a range is called may be in its payload, of which we keep nothing. */
static int push_payload(nvtxDomainHandle_t domain, const void *payloads, size_t count)
{
	(void)payloads;
	(void)count;
	return push_ex_in(domain, NULL);
}

static int pop_payload(nvtxDomainHandle_t domain, const void *payloads, size_t count)
{
	(void)payloads;
	(void)count;
	return pop_in(domain);
}

static nvtxRangeId_t start_payload(nvtxDomainHandle_t domain, const void *payloads, size_t count)
{
	(void)payloads;
	(void)count;
	return start_ex_in(domain, NULL);
}

static void end_payload(nvtxDomainHandle_t domain, nvtxRangeId_t id, const void *payloads, size_t count)
{
	(void)payloads;
	(void)count;
	end_in(domain, id);
}

__attribute__((visibility("default"))) int InitializeInjectionNvtxExtension(struct extension *extension);

void *const ct_nvtx_extend = (void *)InitializeInjectionNvtxExtension;

/*
 * Called by each copy of an extension on its first use. NCCL, for one, ends ranges by that for
 * payloads which it began without. Returns 0: there is no tool for it.
 */
int InitializeInjectionNvtxExtension(struct extension *extension)
{
	/* NVTX3EXT_CBID_nvtxRangePushPayload, .. */
	static const struct {
		size_t id;
		void *function;
	} functions[] = { { 3, (void *)push_payload }, { 4, (void *)pop_payload },
			  { 5, (void *)start_payload }, { 6, (void *)end_payload } };

	if (getauxval(AT_SECURE) || !ct_options_nvtx() || extension->module != PAYLOADS ||
	    !extension->segment_count)
		return 0;
	ct_nvtx_attach();
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (functions[i].id < extension->segments->count)
			extension->segments->functions[functions[i].id] = (intptr_t)functions[i].function;
	return 1;
}
