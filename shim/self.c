/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/self.h"

#include <link.h>
#include <stdint.h>

/* The linker's name for the first byte of this library. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

bool ct_ours(const void *address)
{
	uintptr_t base = (uintptr_t)&__ehdr_start, at = (uintptr_t)address - base;
	const ElfW(Phdr) *segment = (const void *)(base + __ehdr_start.e_phoff);

	for (int i = 0; i < __ehdr_start.e_phnum; i++)
		if (segment[i].p_type == PT_LOAD && segment[i].p_flags & PF_X &&
		    at - segment[i].p_vaddr < segment[i].p_memsz)
			return true;
	return false;
}
