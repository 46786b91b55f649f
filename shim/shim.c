/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/control.h"
#include "shim/entry.h"
#include "shim/exits.h"
#include "shim/flusher.h"
#include "shim/hook.h"
#include "shim/inject.h"
#include "shim/log.h"
#include "shim/mode.h"
#include "shim/modules.h"
#include "shim/name.h"
#include "shim/nvtx.h"
#include "shim/once.h"
#include "shim/python.h"
#include "shim/rank.h"
#include "shim/self.h"
#include "shim/stack.h"
#include "shim/thread.h"
#include "trace/apis.h"
#include "trace/flight.h"
#include "trace/folders.h"
#include "trace/keep.h"

#define DIRECTORY_TRIES 1000
#define TAKEN 1

struct ct_shim ct_shim;

static const uint32_t unborn = CT_LIFE_UNBORN;
const volatile uint32_t *ct_shim_life = &unborn;
static ct_once_state started;

static void set_life(enum ct_life to)
{
	__atomic_store_n((volatile uint32_t *)(uintptr_t)ct_shim_life, to, __ATOMIC_RELEASE);
}

/* May a trace go into this directory, which is there? Links that others laid are not followed. */
static bool usable(const char *directory)
{
	static char trace[PATH_MAX + 32];
	struct stat st;

	snprintf(trace, sizeof(trace), "%s/trace.cutrace", directory);
	return lstat(directory, &st) == 0 && st.st_uid == geteuid() &&
	       stat(directory, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       access(directory, W_OK) == 0 && lstat(trace, &st) < 0;
}

/*
 * Make the output directory. A name that is taken gets a number behind it, unless
 * the directory holds no trace yet: two processes never share one. Returns 1 if it
 * was made, 0 if it was there, or -errno.
 */
static int make_directory(const char *name, char *ret, size_t size)
{
	for (int i = 0; i < DIRECTORY_TRIES; i++) {
		int n = i ? snprintf(ret, size, "%s.%d", name, i) : snprintf(ret, size, "%s", name);
		int r;

		if (n < 0 || (size_t)n >= size)
			return -ENAMETOOLONG;
		r = ct_make_folder(ret, 0700);
		if (r == 0)
			return 1;
		if (r != -EEXIST)
			return r;
		if (usable(ret))
			return 0;
	}
	return -EEXIST;
}

/* Returns TAKEN if another process has just taken the directory that was chosen. */
static int create_trace(const char *name, const char *program)
{
	static char directory[PATH_MAX], trace[PATH_MAX + 32];
	int made = make_directory(name, directory, sizeof(directory));
	int r;

	if (made < 0)
		return made;
	if (!realpath(directory, ct_shim.directory))
		return -errno;
	snprintf(trace, sizeof(trace), "%s/trace.cutrace", ct_shim.directory);
	r = ct_file_create(&ct_shim.file, trace, program);
	if (r < 0 && made)
		rmdir(directory);
	return r == -EEXIST ? TAKEN : r;
}

/* The limit on the trace's size; one that leaves no room for records is a slip. */
static uint64_t limit(void)
{
	uint64_t wanted = ct_shim.options.limit;

	if (!wanted || wanted >= CT_FLIGHT_LEAST)
		return wanted;
	ct_warn("CUTRACE_LIMIT is too small for any trace, using %u KiB",
		(unsigned)(CT_FLIGHT_LEAST >> 10));
	return CT_FLIGHT_LEAST;
}

static bool no_flight; /* there is a limit, and no memory to keep the newest records */

static void start_flight(void)
{
	uint64_t bytes = limit();

	no_flight = bytes && ct_flight_start(&ct_shim.file, bytes) < 0;
}

static int create_in(const char *name, const char *program)
{
	int r;

	do
		r = create_trace(name, program);
	while (r == TAKEN);
	return r;
}

/*
 * The file system has no shared mappings to be written to: some of networks and of FUSE
 * (mmap(2), ENODEV; 9p says EINVAL). What is written in another way would not survive a kill,
 * so the trace goes where there are some. Returns 0, or -errno of the last place.
 */
static int create_elsewhere(const char *name, const char *program)
{
	const char *const places[] = { secure_getenv("TMPDIR"), "/tmp", "/dev/shm" };
	const char *slash = strrchr(name, '/');
	static char other[PATH_MAX];
	int r = -ENODEV;

	for (size_t i = 0; r < 0 && i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i] && *places[i] &&
		    snprintf(other, sizeof(other), "%s/%s", places[i], slash ? slash + 1 : name) <
			    (int)sizeof(other))
			r = create_in(other, program);
	if (r == 0)
		ct_warn("the trace is in %.400s: the file system of %.400s cannot be written to by "
			"mapping", ct_shim.directory, name);
	return r;
}

/* What to do, in the words in which the directory is given: `cutrace run` leaves its list in the environment. */
static const char *advice(void)
{
	return *ct_shim.options.started_list ? "give -o" : "set CUTRACE_OUTPUT to";
}

static int open_trace(void)
{
	static char name[PATH_MAX]; /* here and above: we may have a tiny stack, and run once */
	char program[64];
	int r;

	ct_name_program(program, sizeof(program));
	r = ct_name_expand(ct_shim.options.output, program, name, sizeof(name));
	if (r == 0)
		r = create_in(name, program);
	if (r == -ENODEV || r == -EINVAL)
		r = create_elsewhere(name, program);
	if (r < 0)
		ct_warn("nothing is recorded: cannot create %.600s: %s; %s a writable place with free "
			"space", name, strerror(-r), advice());
	else
		start_flight();
	return r;
}

/* Tell `cutrace run` that there is a trace, so that it can report on one that is cut off. */
static void announce(void)
{
	const char *list = ct_shim.options.started_list;
	static char line[PATH_MAX + 1];
	ssize_t written;
	int fd, n;

	if (!*list)
		return;
	do /* a FIFO must not make us wait */
		fd = open(list, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s\n", ct_shim.directory);
	do
		written = write(fd, line, (size_t)n); /* of a file: all of it, or nothing */
	while (written < 0 && errno == EINTR);
	if (written < 0)
		ct_warn("cannot write to %s: %s", list, strerror(errno));
	close(fd);
}

static volatile uint32_t *make_life_page(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, 4096, MADV_WIPEONFORK) < 0) {
		munmap(page, 4096);
		return NULL;
	}
	return page;
}

static void write_api_table(struct ct_thread *thread)
{
	for (int i = 1; i < CT_API_COUNT; i++) {
		uint32_t length = (uint32_t)strlen(ct_apis[i].name);
		uint32_t bytes = (uint32_t)sizeof(struct ct_api_record) + length;
		struct ct_api_record *record = ct_keep_reserve(&thread->writer, bytes);

		if (!record)
			return;
		record->id = (uint16_t)i;
		record->name_length = (uint16_t)length;
		record->effects = ct_apis[i].effects;
		memcpy(record->name, ct_apis[i].name, length);
		ct_writer_commit(record, CT_RECORD_API, bytes);
	}
}

/*
 * Is the GPU lent to several processes by MPS? Then its control daemon's pipe lies where
 * the variable says, or in the default place (MPS manual, 4.2.2).
 */
static void note_sharing(void)
{
	const char *folder = secure_getenv("CUDA_MPS_PIPE_DIRECTORY");
	static char pipe[PATH_MAX];

	snprintf(pipe, sizeof(pipe), "%s/control", folder && *folder ? folder : "/tmp/nvidia-mps");
	if (access(pipe, F_OK) == 0)
		ct_shim_note(CT_NOTE_SHARED_GPU, 0, "MPS runs here: %.900s", pipe);
}

/* A trace of a changed program must not be taken for one of the program. */
static void note_fix(void)
{
	static const char *const texts[] = {
		[CT_FIX_FREES] = "CUTRACE_FIX=free: frees of device memory wait for nothing",
		[CT_FIX_PINS] = "CUTRACE_FIX=pin: asynchronous copies of pageable memory to the device "
				"are staged in page-locked memory",
		[CT_FIX_BOTH] = "CUTRACE_FIX=all: frees of device memory wait for nothing; "
				"asynchronous copies of pageable memory to the device are staged in "
				"page-locked memory",
	};

	if (ct_shim.options.fix != CT_FIX_OFF)
		ct_shim_note(CT_NOTE_FIX, 0, "%s", texts[ct_shim.options.fix]);
}

static void note_number(enum ct_note_code code, uint32_t value, const char *variable)
{
	if (variable)
		ct_shim_note(code, value, "%s", variable);
}

/* Which process of which run this is: what a report of several processes goes by. */
static void note_identity(void)
{
	char host[HOST_NAME_MAX + 1];
	struct ct_rank rank;

	if (gethostname(host, sizeof(host)) == 0) {
		host[sizeof(host) - 1] = '\0';
		ct_shim_note(CT_NOTE_HOST, 0, "%s", host);
	}
	ct_shim_note(CT_NOTE_PARENT, (uint64_t)getppid(), "%s", "");
	ct_rank_read(&rank);
	note_number(CT_NOTE_RANK, rank.rank, rank.rank_from);
	note_number(CT_NOTE_LOCAL_RANK, rank.local_rank, rank.local_rank_from);
	note_number(CT_NOTE_WORLD_SIZE, rank.size, rank.size_from);
}

static void find_self(void)
{
	const ElfW(Ehdr) *elf;
	const ElfW(Phdr) *segment;
	Dl_info info;

	if (!dladdr((void *)ct_shim_start, &info))
		return;
	if (!realpath(info.dli_fname, ct_shim.library))
		ct_shim.library[0] = '\0';
	elf = info.dli_fbase;
	segment = (const void *)((const char *)elf + elf->e_phoff);
	for (int i = 0; i < elf->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD && segment[i].p_flags & PF_X) {
			ct_shim.text_start = (uintptr_t)elf + segment[i].p_vaddr;
			ct_shim.text_end = ct_shim.text_start + segment[i].p_memsz;
		}
}

/* By origin, as the runtime makes calls of the driver of its own: see count_missed(). */
static uint32_t missed, missed_entries;

bool ct_shim_starting(void)
{
	return ct_once_inside(&started);
}

void ct_shim_miss(bool entry)
{
	__atomic_fetch_add(entry ? &missed_entries : &missed, 1, __ATOMIC_RELAXED);
}

/* Of the program's calls each is seen as one of the runtime's, or is one of the driver's. */
static void count_missed(void)
{
	ct_file_lose(&ct_shim.file, CT_LOSS_NESTED, missed ? missed : missed_entries);
}

static void start(void)
{
	volatile uint32_t *page;
	struct ct_thread *thread;

	find_self();
	if (getauxval(AT_SECURE))
		return; /* somebody else's privileges: leave no trace at all */
	ct_options_read(&ct_shim.options);
	if (ct_shim.options.disable)
		return;
	if (!ct_self_first()) {
		ct_warn("preloaded twice: the copy that comes first records, not %.600s",
			ct_shim.library);
		return;
	}
	ct_clock_init();
	page = make_life_page();
	if (!page)
		ct_warn("nothing is recorded: no memory, or the kernel is older than Linux 4.14");
	if (!page || open_trace() < 0)
		return;
	thread = ct_thread_self();
	if (!thread) {
		ct_warn("nothing is recorded: there is no memory for the first thread's state");
		return;
	}
	if (no_flight)
		ct_warn("no memory to keep the newest records: recording ends at CUTRACE_LIMIT");
	thread->in_tool = true;
	write_api_table(thread);
	note_sharing();
	note_fix();
	note_identity();
	ct_nvtx_note();
	ct_mode_start();
	ct_control_start();
	ct_stack_init(ct_shim.options.stacks);
	ct_python_init(ct_shim.options.stacks && ct_shim.options.python);
	ct_modules_refresh();
	ct_python_settle();
	ct_exits_arm();
	announce();
	if (!ct_cupti_at_start(ct_shim.options.cupti))
		ct_entry_decide(CT_ENTRY_RECORDS);
	__atomic_store_n(&ct_shim_life, page, __ATOMIC_RELEASE);
	set_life(CT_LIFE_ALIVE);
	count_missed();
	ct_nvtx_started(thread);
	ct_flusher_start();
	ct_inject_deferred(thread);
	thread->in_tool = false;
}

/* Said once, by whoever waited longest. */
static void say_given_up(void)
{
	static uint32_t said;

	if (ct_once_given_up(&started) && !__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
		ct_warn("nothing is recorded before the thread that used CUDA first comes back from "
			"starting cutrace (did a signal's handler jump away?)");
}

bool ct_shim_start(void)
{
	int saved = errno, cancel;

	/* start() opens files: no place to be cancelled in, as the call is none without us */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (!ct_once(&started, start))
		say_given_up();
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	return ct_shim_alive();
}

bool ct_shim_note(enum ct_note_code code, uint64_t value, const char *format, ...)
{
	struct ct_thread *thread = ct_thread_self();
	struct ct_note *note;
	char text[1000];
	va_list args;
	uint32_t bytes;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || !thread)
		return false;
	if (n >= (int)sizeof(text))
		n = (int)sizeof(text) - 1;
	bytes = (uint32_t)sizeof(*note) + (uint32_t)n;
	note = ct_keep_reserve(&thread->writer, bytes);
	if (!note)
		return false;
	note->code = (uint16_t)code;
	note->length = (uint16_t)n;
	note->seen_ns = ct_now_ns();
	note->value = value;
	memcpy(note->text, text, (size_t)n);
	ct_writer_commit(note, CT_RECORD_NOTE, bytes);
	return true;
}

void ct_shim_finish(enum ct_finish how)
{
	static uint32_t once;
	struct ct_thread *thread;
	int cancel;

	/* A vfork()ed child shares our memory: only its pid tells it from us. */
	if (!ct_shim_alive() || (uint32_t)getpid() != ct_shim.file.header->pid ||
	    __atomic_exchange_n(&once, 1, __ATOMIC_ACQ_REL))
		return;
	thread = ct_thread_self();
	if (!thread || thread->in_tool)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	thread->in_tool = true;
	if (!ct_flusher_finish())
		ct_file_lose(&ct_shim.file, CT_LOSS_FLUSH, 1);
	ct_inject_explain();
	ct_hook_note_cost(true);
	ct_modules_refresh();
	set_life(CT_LIFE_CLOSED);
	ct_file_finish(&ct_shim.file, how);
	thread->in_tool = false;
	thread->ending = true;
	ct_exits_report();
	pthread_setcancelstate(cancel, NULL);
}
