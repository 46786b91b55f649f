/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/nvtx.h"
#include "shim/python.h"
#include "shim/shim.h"
#include "shim/totals.h"
#include "shim/walk.h"

__thread struct ct_thread *ct_thread_current;

static pthread_key_t end_key;
static pthread_once_t end_once = PTHREAD_ONCE_INIT;
static bool end_key_made;

/*
 * The thread ends. A destructor of the program that runs later and calls CUDA
 * finds no state and makes a new one, which sets the key again.
 */
static void thread_end(void *state)
{
	struct ct_thread *thread = state;

	ct_thread_current = NULL;
	ct_nvtx_finish(thread);
	if (ct_shim_alive())
		ct_writer_release(&thread->writer);
	ct_totals_finish(thread);
	ct_walk_finish(thread);
	ct_python_finish(thread);
	munmap(thread, sizeof(*thread));
}

static void make_end_key(void)
{
	end_key_made = pthread_key_create(&end_key, thread_end) == 0;
}

struct ct_thread *ct_thread_begin(void)
{
	struct ct_thread *thread;
	int saved = errno;

	thread = mmap(NULL, sizeof(*thread), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	errno = saved;
	if (thread == MAP_FAILED) {
		ct_file_lose(&ct_shim.file, CT_LOSS_THREADS, 1);
		return NULL;
	}
	thread->tid = (uint32_t)syscall(SYS_gettid);
	ct_writer_init(&thread->writer, &ct_shim.file, thread->tid);
	prctl(PR_GET_NAME, thread->writer.name);
	pthread_once(&end_once, make_end_key);
	if (end_key_made)
		pthread_setspecific(end_key, thread);
	ct_thread_current = thread;
	return thread;
}
