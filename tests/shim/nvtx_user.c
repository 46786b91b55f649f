/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that marks what it does by NVTX, in every way there is, around CUDA calls. It prints
 * what it got back as a program may; with -DTOOL: another tool that has NVTX; with -DWAITS: a
 * library whose constructor waits for a thread that uses NVTX.
 */
#if !defined(TOOL) && !defined(WAITS)

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cuda_profiler_api.h>
#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>
#if __has_include(<nvtx3/nvToolsExtPayload.h>)
#include <nvtx3/nvToolsExtPayload.h>
#endif

static void work(void)
{
	void *memory;

	cudaMalloc(&memory, 1 << 20);
	cudaMemset(memory, 0, 1 << 20);
	cudaFree(memory);
}

static nvtxEventAttributes_t attributes(void)
{
	nvtxEventAttributes_t a = { .version = NVTX_VERSION, .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE,
				    .colorType = NVTX_COLOR_ARGB, .color = 0xff112233, .category = 7 };

	return a;
}

/* Names in each of the three ways, in the default domain and in one of ours. */
static void every_way(void)
{
	nvtxDomainHandle_t domain = nvtxDomainCreateA("solver");
	nvtxEventAttributes_t a = attributes();

	nvtxRangePushW(L"w\u00efde");
	work();
	nvtxRangePop();
	a.messageType = NVTX_MESSAGE_TYPE_ASCII;
	a.message.ascii = "ex";
	nvtxRangePushEx(&a);
	work();
	a.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
	a.message.registered = nvtxDomainRegisterStringA(domain, "registered");
	nvtxDomainRangePushEx(domain, &a);
	work();
	nvtxRangePop(); /* of the default domain: not the innermost */
	work();
	nvtxDomainRangePop(domain);
	work();
}

/* Started here, ended by another thread. */
static void *end_it(void *id)
{
	nvtxRangeEnd(*(nvtxRangeId_t *)id);
	return NULL;
}

static void started(void)
{
	nvtxRangeId_t outer = nvtxRangeStartA("outer span"), inner;
	pthread_t thread;

	work();
	inner = nvtxRangeStartA("inner span");
	work();
	pthread_create(&thread, NULL, end_it, &outer);
	pthread_join(thread, NULL);
	work();
	nvtxRangeEnd(inner);
	nvtxRangeEnd(inner); /* once more, and one that never was */
	nvtxRangeEnd(12345);
}

/* Its thread ends and leaves a range open. */
static void *leaves_open(void *arg)
{
	nvtxRangePushA("left open");
	work();
	return arg;
}

static void deep(int levels)
{
	char name[32];

	for (int i = 0; i < levels; i++) {
		snprintf(name, sizeof(name), "level %d", i);
		nvtxRangePushA(name);
	}
	work();
	for (int i = 0; i < levels; i++)
		nvtxRangePop();
}

/* So many requests under way, as of a server, while others come and go. */
static void requests(int under_way)
{
	work();
	for (int i = 0; i < under_way; i++)
		nvtxRangeStartA("long request");
	for (int i = 0; i < 1100; i++)
		nvtxRangeEnd(nvtxRangeStartA("request"));
}

/* The first that is too deep to be kept is followed by one of another domain. */
static void deep_in_two(void)
{
	nvtxDomainHandle_t domain = nvtxDomainCreateA("another");
	nvtxEventAttributes_t a = attributes();

	nvtxRangePushA("outer");
	for (int i = 0; i < 127; i++)
		nvtxRangePushA("inner");
	nvtxDomainRangePushEx(domain, &a);
	for (int i = 0; i < 127; i++)
		nvtxRangePop();
	nvtxDomainRangePop(domain);
	nvtxRangePop();
	nvtxRangePushA("next");
	nvtxRangePop();
}

static pthread_barrier_t all_back;

/* Has been deep, and lives on. */
static void *back_again(void *arg)
{
	deep(100);
	pthread_barrier_wait(&all_back);
	pause();
	return arg;
}

#define DIVERS 12 /* who have had more ranges under way than there are places for */

static void divers(void)
{
	pthread_t thread;

	work();
	pthread_barrier_init(&all_back, NULL, DIVERS + 1);
	for (int i = 0; i < DIVERS; i++)
		pthread_create(&thread, NULL, back_again, NULL);
	pthread_barrier_wait(&all_back);
}

static void many(int names)
{
	nvtxEventAttributes_t a = attributes();
	char name[32];

	work();
	for (int i = 0; i < names; i++) {
		snprintf(name, sizeof(name), "name %d", i);
		nvtxRangePushA(name);
		nvtxRangePop();
	}
	a.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
	do
		snprintf(name, sizeof(name), "name %d", names++);
	while ((a.message.registered = nvtxDomainRegisterStringA(NULL, name))); /* no room for it */
	for (int i = 0; i < 100; i++) {
		nvtxRangePushEx(&a);
		nvtxRangePop();
	}
}

/* Ranges inside and outside of a window, and across its borders. */
static void windows(void)
{
	nvtxRangeId_t around = nvtxRangeStartA("around");

	work();
	nvtxRangePushA("before it");
	nvtxRangePop();
	nvtxRangePushA("into it");
	cudaProfilerStart();
	nvtxRangePop();
	nvtxRangePushA("in it");
	work();
	nvtxRangePop();
	nvtxRangePushA("out of it");
	cudaProfilerStop();
	nvtxRangePop();
	nvtxRangeEnd(around);
	nvtxRangePushA("behind it");
	nvtxRangePop();
}

static void pass(int names, const char *of)
{
	char name[32];

	for (int i = 0; i < names; i++) {
		snprintf(name, sizeof(name), "%s %d", of, i);
		nvtxRangePushA(name);
		nvtxRangePop();
	}
}

/* A window behind so many names: names of its own, and a range from before it. */
static void windows_late(int names)
{
	work();
	pass(names, "outside");
	nvtxRangePushA("into it");
	cudaProfilerStart();
	nvtxRangePop();
	pass(1000, "inside");
	work();
	cudaProfilerStop();
}

/* As a library of NVTX before version 3: it has the first module's functions alone. */
static NvtxFunctionPointer old_push, old_pop;

static int old_tables(NvtxCallbackModule module, NvtxFunctionTable *table, unsigned *size)
{
	static NvtxFunctionPointer *functions[NVTX_CBID_CORE_SIZE + 1] = {
		[NVTX_CBID_CORE_RangePushA] = &old_push,
		[NVTX_CBID_CORE_RangePop] = &old_pop,
	};

	if (module != NVTX_CB_MODULE_CORE)
		return 0;
	*table = functions;
	*size = NVTX_CBID_CORE_SIZE;
	return 1;
}

static const void *old_export(uint32_t id)
{
	static const NvtxExportTableCallbacks callbacks = { sizeof(callbacks), old_tables };

	return id == NVTX_ETID_CALLBACKS ? &callbacks : NULL;
}

static void old(void)
{
	const char *library = getenv("NVTX_INJECTION64_PATH");
	void *injected = library ? dlopen(library, RTLD_LAZY) : NULL;
	int (*begin)(const void *(*)(uint32_t)) = NULL;

	if (injected)
		*(void **)&begin = dlsym(injected, "InitializeInjectionNvtx");
	if (begin && begin(old_export))
		((int (*)(const char *))old_push)("old");
	work();
	if (old_pop)
		((int (*)(void))old_pop)();
}

/* As NCCL does: a range begins by name and ends by payload. Then one that does both by payload. */
static void payloads(void)
{
#ifdef NVTX_EXT_PAYLOAD_MODULEID
	nvtxDomainHandle_t domain = nvtxDomainCreateA("NCCL");
	const uint64_t value = 1;
	const nvtxPayloadData_t data = { NVTX_PAYLOAD_ENTRY_TYPE_UINT64, sizeof(value), &value };
	nvtxEventAttributes_t a = attributes();
	nvtxRangeId_t id;

	a.messageType = NVTX_MESSAGE_TYPE_ASCII;
	a.message.ascii = "init";
	nvtxDomainRangePushEx(domain, &a);
	work();
	printf("%d\n", nvtxRangePopPayload(domain, &data, 1));
	work();
	printf("%d\n", nvtxRangePushPayload(domain, &data, 1));
	work();
	nvtxRangePopPayload(domain, &data, 1);
	id = nvtxRangeStartPayload(domain, &data, 1);
	nvtxRangeEndPayload(domain, id, &data, 1);
#else
	printf("no payloads in these headers\n");
#endif
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "ways";
	pthread_t thread;

	nvtxRangePushA("before the first call");
	printf("%d\n", nvtxRangePushA("early"));
	printf("%d\n", nvtxRangePop());
	if (strcmp(what, "ways") == 0) {
		work();
		every_way();
		started();
		pthread_create(&thread, NULL, leaves_open, NULL);
		pthread_join(thread, NULL);
	} else if (strcmp(what, "killed") == 0) {
		if (argc > 2)
			divers();
		work();
		nvtxRangePushA("under way");
		work();
		fflush(stdout);
		kill(getpid(), 9);
	} else if (strcmp(what, "old") == 0) {
		old();
	} else if (strcmp(what, "payloads") == 0) {
		work();
		nvtxRangePop();
		payloads();
	} else if (strcmp(what, "deep") == 0) {
		deep(atoi(argv[2]));
		deep_in_two();
	} else if (strcmp(what, "many") == 0) {
		many(atoi(argv[2]));
	} else if (strcmp(what, "windows") == 0) {
		windows();
	} else if (strcmp(what, "windows_late") == 0) {
		windows_late(atoi(argv[2]));
	} else if (strcmp(what, "requests") == 0) {
		requests(atoi(argv[2]));
	} else if (strcmp(what, "load") == 0) {
		printf("%d\n", dlopen(argv[2], RTLD_NOW) != NULL);
		work();
	} else if (strcmp(what, "none") == 0) {
		nvtxRangePushA("without CUDA");
		nvtxRangePop();
	}
	nvtxMarkA("a mark");
	printf("%d\n", nvtxRangePop());
	printf("%d\n", nvtxRangePop()); /* one too many */
	return 0;
}

#elif defined(WAITS)

#include <pthread.h>

#include <nvtx3/nvToolsExt.h>

static void *range(void *arg)
{
	nvtxRangePushA("in a constructor");
	nvtxRangePop();
	return arg;
}

__attribute__((constructor)) static void constructor(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, range, NULL);
	pthread_join(thread, NULL);
}

#else

#include <stdio.h>

int InitializeInjectionNvtx2(const void *(*get_table)(unsigned));

int InitializeInjectionNvtx2(const void *(*get_table)(unsigned))
{
	printf("the other tool\n");
	return get_table(1) != 0;
}

#endif
