/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An independent count of what a program asks of CUDA, to judge cutrace by: it shares no
 * code with cutrace and knows nothing of it.
 *
 * Preloaded, or named in CUDA_INJECTION64_PATH, it turns on CUPTI's own records of runtime
 * calls, driver calls, kernels, copies and memsets. When the program ends it writes to the
 * file named by REFERENCE_OUT, with the process id behind it, one line for each thing seen:
 *
 *     runtime cudaMalloc 100
 *     inner cuMemAlloc 100
 *     driver cuLaunchKernelEx 7
 *     kernel _Z4spinx 101
 *     copy - 2
 *
 * A driver call made within another call of its thread is "inner", else it is "driver".
 * Call names lose their _vNNNN suffix, kernel names stay mangled. A last line "dropped - N"
 * tells how many records CUPTI lost. Where CUPTI cannot be used, no file is written.
 */
#include <cupti.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES (4u << 20)
#define ROWS 2048
#define NAME_BYTES 240

static const CUpti_ActivityKind kinds[] = {
	CUPTI_ACTIVITY_KIND_RUNTIME, CUPTI_ACTIVITY_KIND_DRIVER,
	CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
	CUPTI_ACTIVITY_KIND_MEMCPY2, CUPTI_ACTIVITY_KIND_MEMSET,
};

/* The CUPTI functions used, looked up by name. */
static struct {
	CUptiResult (*enable)(CUpti_ActivityKind kind);
	CUptiResult (*callbacks)(CUpti_BuffersCallbackRequestFunc request,
				 CUpti_BuffersCallbackCompleteFunc complete);
	CUptiResult (*next)(uint8_t *buffer, size_t bytes, CUpti_Activity **record);
	CUptiResult (*dropped)(CUcontext context, uint32_t stream, size_t *count);
	CUptiResult (*flush)(uint32_t flag);
	CUptiResult (*name)(CUpti_CallbackDomain domain, uint32_t id, const char **name);
} cupti;

/* What was seen. Guarded by lock: CUPTI completes buffers on threads of its own. */
static struct row {
	const char *kind;
	char name[NAME_BYTES];
	unsigned long count;
} rows[ROWS];
static size_t row_count, dropped_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Calls, until the end tells which lie in which. Guarded by lock. */
static struct made {
	uint64_t start, end;
	uint32_t thread, id;
	CUpti_CallbackDomain domain;
} *made;
static size_t made_count, made_room;

static void add(const char *kind, const char *name)
{
	size_t i;

	for (i = 0; i < row_count; i++) {
		if (!strcmp(rows[i].kind, kind) && !strncmp(rows[i].name, name, NAME_BYTES - 1)) {
			rows[i].count++;
			return;
		}
	}
	if (row_count == ROWS) {
		dropped_count++;
		return;
	}
	rows[row_count].kind = kind;
	snprintf(rows[row_count].name, NAME_BYTES, "%s", name);
	rows[row_count++].count = 1;
}

static void add_call(const char *kind, const struct made *call)
{
	const char *name = NULL;
	char bare[NAME_BYTES];
	char *suffix;

	if (cupti.name(call->domain, call->id, &name) != CUPTI_SUCCESS || !name)
		name = "unknown";
	snprintf(bare, sizeof(bare), "%s", name);
	suffix = strrchr(bare, '_');
	if (suffix && suffix[1] == 'v' && !suffix[2 + strspn(suffix + 2, "0123456789")])
		*suffix = '\0';
	add(kind, bare);
}

static void keep_call(const CUpti_ActivityAPI *record, CUpti_CallbackDomain domain)
{
	if (made_count == made_room) {
		size_t room = made_room ? 2 * made_room : 4096;
		struct made *more = realloc(made, room * sizeof(*made));

		if (!more) {
			dropped_count++;
			return;
		}
		made = more;
		made_room = room;
	}
	made[made_count++] = (struct made){ record->start, record->end, record->threadId,
					    record->cbid, domain };
}

/* By thread and time; of two that begin together, the outer one first. */
static int by_time(const void *a, const void *b)
{
	const struct made *x = a, *y = b;

	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return (int)y->domain - (int)x->domain; /* the runtime's is the outer one */
}

static void count_calls(void)
{
	const struct made *outer = NULL;
	size_t i;

	if (made_count)
		qsort(made, made_count, sizeof(*made), by_time);
	for (i = 0; i < made_count; i++) {
		bool inner = outer && outer->thread == made[i].thread && made[i].start < outer->end;

		if (made[i].domain == CUPTI_CB_DOMAIN_RUNTIME_API)
			add_call("runtime", &made[i]);
		else
			add_call(inner ? "inner" : "driver", &made[i]);
		if (!inner)
			outer = &made[i];
	}
}

static void count(const CUpti_Activity *record)
{
	switch (record->kind) {
	case CUPTI_ACTIVITY_KIND_RUNTIME:
		keep_call((const CUpti_ActivityAPI *)record, CUPTI_CB_DOMAIN_RUNTIME_API);
		break;
	case CUPTI_ACTIVITY_KIND_DRIVER:
		keep_call((const CUpti_ActivityAPI *)record, CUPTI_CB_DOMAIN_DRIVER_API);
		break;
	case CUPTI_ACTIVITY_KIND_KERNEL:
	case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
		add("kernel", ((const CUpti_ActivityKernel9 *)record)->name);
		break;
	case CUPTI_ACTIVITY_KIND_MEMCPY:
	case CUPTI_ACTIVITY_KIND_MEMCPY2:
		add("copy", "-");
		break;
	case CUPTI_ACTIVITY_KIND_MEMSET:
		add("memset", "-");
		break;
	default:
		break;
	}
}

static void CUPTIAPI request(uint8_t **buffer, size_t *bytes, size_t *max_records)
{
	*buffer = aligned_alloc(8, BUFFER_BYTES);
	*bytes = *buffer ? BUFFER_BYTES : 0;
	*max_records = 0; /* as many as fit */
}

static void CUPTIAPI complete(CUcontext context, uint32_t stream, uint8_t *buffer, size_t bytes,
			      size_t valid_bytes)
{
	CUpti_Activity *record = NULL;
	size_t lost = 0;

	(void)bytes;
	pthread_mutex_lock(&lock);
	while (valid_bytes && cupti.next(buffer, valid_bytes, &record) == CUPTI_SUCCESS)
		count(record);
	if (cupti.dropped(context, stream, &lost) == CUPTI_SUCCESS)
		dropped_count += lost;
	pthread_mutex_unlock(&lock);
	free(buffer);
}

static void write_counts(void)
{
	const char *name = getenv("REFERENCE_OUT");
	char path[4096];
	FILE *file;
	size_t i;

	cupti.flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
	snprintf(path, sizeof(path), "%s.%d", name ? name : "reference", (int)getpid());
	file = fopen(path, "w");
	if (!file) {
		fprintf(stderr, "reference: %s: %s\n", path, strerror(errno));
		return;
	}
	pthread_mutex_lock(&lock);
	count_calls();
	for (i = 0; i < row_count; i++)
		fprintf(file, "%s %s %lu\n", rows[i].kind, rows[i].name, rows[i].count);
	fprintf(file, "dropped - %zu\n", dropped_count);
	pthread_mutex_unlock(&lock);
	fclose(file);
}

static void *open_cupti(void)
{
	static const char *const names[] = {
		"libcupti.so.13", "libcupti.so.12", "libcupti.so",
		"/usr/local/cuda/extras/CUPTI/lib64/libcupti.so",
	};
	void *library = NULL;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	return library;
}

static bool load_cupti(void)
{
	void *library = open_cupti();

	if (!library)
		return false;
	*(void **)&cupti.enable = dlsym(library, "cuptiActivityEnable");
	*(void **)&cupti.callbacks = dlsym(library, "cuptiActivityRegisterCallbacks");
	*(void **)&cupti.next = dlsym(library, "cuptiActivityGetNextRecord");
	*(void **)&cupti.dropped = dlsym(library, "cuptiActivityGetNumDroppedRecords");
	*(void **)&cupti.flush = dlsym(library, "cuptiActivityFlushAll");
	*(void **)&cupti.name = dlsym(library, "cuptiGetCallbackName");
	return cupti.enable && cupti.callbacks && cupti.next && cupti.dropped && cupti.flush &&
	       cupti.name;
}

/* The driver calls this at its first use in the process; 1 means success. */
int InitializeInjection(void);
int InitializeInjection(void)
{
	size_t i;

	if (!load_cupti()) {
		fputs("reference: no usable libcupti\n", stderr);
		return 1;
	}
	cupti.callbacks(request, complete);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CUptiResult result = cupti.enable(kinds[i]);

		if (result != CUPTI_SUCCESS) {
			fprintf(stderr, "reference: activity kind %d: CUPTI error %d\n",
				(int)kinds[i], (int)result);
			return 1;
		}
	}
	atexit(write_counts);
	return 1;
}

/* Preloaded: have the driver inject this very file. */
__attribute__((constructor)) static void inject_self(void)
{
	Dl_info self;

	if (dladdr((void *)inject_self, &self) && self.dli_fname)
		setenv("CUDA_INJECTION64_PATH", self.dli_fname, 0);
}
