/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/modules.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/python.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "trace/keep.h"

static uint32_t busy;
static unsigned long long seen_adds; /* loader's count of loads at the last pass */

/* dl_iterate_phdr() callback: only the first entry's load counter. */
static int read_adds(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	*(unsigned long long *)ret = info->dlpi_adds;
	return 1;
}

/* The GNU build id among the notes of a segment, at most 32 bytes; returns its length. */
static uint32_t find_build_id(const uint8_t *note, size_t size, uint8_t *ret)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *head = (const void *)note;
		size_t name = (head->n_namesz + 3u) & ~3u;
		size_t desc = (head->n_descsz + 3u) & ~3u;
		size_t whole = sizeof(*head) + name + desc;

		if (whole > size)
			return 0;
		if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 &&
		    !memcmp(note + sizeof(*head), "GNU", 4) && head->n_descsz <= 32) {
			memcpy(ret, note + sizeof(*head) + name, head->n_descsz);
			return head->n_descsz;
		}
		note += whole;
		size -= whole;
	}
	return 0;
}

static void describe(const struct dl_phdr_info *info, struct ct_module *module)
{
	module->bias = info->dlpi_addr;
	module->start = UINT64_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD) {
			module->start = at < module->start ? at : module->start;
			if (at + p->p_memsz > module->end)
				module->end = at + p->p_memsz;
		}
		if (p->p_type == PT_NOTE && !module->build_id_length)
			module->build_id_length = find_build_id((const uint8_t *)at, p->p_memsz,
								module->build_id);
	}
	module->seen_ns = ct_now_ns();
}

/* dl_iterate_phdr() callback: one MODULE record. */
static int record_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	static char exe[PATH_MAX]; /* stacks may be tiny; `busy` makes this ours */
	struct ct_thread *thread = arg;
	const char *path = info->dlpi_name;
	struct ct_module *module;
	uint32_t bytes, length;
	ssize_t n;

	(void)size;
	ct_python_consider(info);
	if (!path || !*path) { /* the program itself; /proc/self has lost it if the first thread ended */
		/* a sanitizer would see that it is written, and not that `busy` guards it */
		n = syscall(SYS_readlinkat, AT_FDCWD, "/proc/thread-self/exe", exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = '\0';
		path = exe;
	}
	length = (uint32_t)strlen(path);
	bytes = (uint32_t)sizeof(*module) + length;
	module = ct_keep_reserve(&thread->writer, bytes);
	if (!module)
		return 1;
	describe(info, module);
	module->path_length = length;
	memcpy(module->path, path, length);
	ct_writer_commit(module, CT_RECORD_MODULE, bytes);
	return 0;
}

void ct_modules_refresh(void)
{
	struct ct_thread *thread = ct_thread_self();
	unsigned long long adds = 0;

	if (!thread || __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return;
	dl_iterate_phdr(read_adds, &adds);
	if (adds != seen_adds) {
		seen_adds = adds;
		dl_iterate_phdr(record_module, thread);
	}
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}
