/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module's file is anybody's. The input is one, behind 8 bytes: 1 = a build id is expected
 * that it hardly has, and offsets that are looked up besides those of its symbols.
 */
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "analyze/symbol.h"
#include "tests/fuzz/form.h"

enum { HEAD = 8, LOOK_UPS = 24, ID = 20 };

/* Nothing is asked for over a network. */
int socket(int domain, int type, int protocol)
{
	(void)domain, (void)type, (void)protocol;
	form_failed("no socket", __FILE__, __LINE__);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9", 1);
	return 0;
}

static void look_at(const struct ct_frame *frame)
{
	const char *const texts[] = { frame->function, frame->symbol, frame->file, frame->path };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		MUST(!texts[i] || strlen(texts[i]) < SIZE_MAX);
	MUST(frame->module);
}

static void look_up(struct ct_symbols *symbols, uint64_t pc)
{
	const struct ct_frame *frames;
	int count = ct_symbols_resolve(symbols, pc, &frames);

	MUST(count >= 1 && count <= CT_FRAMES_MAX);
	for (int i = 0; i < count; i++)
		look_at(&frames[i]);
}

/* The file's own build id, or one that it hardly has. Returns its length; 0: it has none. */
static uint32_t expected_id(int fd, bool another, uint8_t *ret)
{
	Elf *elf = elf_version(EV_CURRENT) ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : NULL;
	const void *found;
	ssize_t n = elf ? dwelf_elf_gnu_build_id(elf, &found) : 0;

	if (another)
		memcpy(ret, "nobody has this one", n = ID);
	else if (n > 0 && n <= 32)
		memcpy(ret, found, (size_t)n);
	else
		n = 0;
	elf_end(elf);
	return (uint32_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const uint64_t bias = 0x10000000;
	struct ct_symbols *symbols;
	uint8_t id[32];
	char path[64];
	int fd;

	if (size <= HEAD)
		return 0;
	fd = memfd_create("module", MFD_CLOEXEC);
	MUST(fd >= 0 && write(fd, input + HEAD, size - HEAD) == (ssize_t)(size - HEAD));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(ct_symbols_create(&symbols) == 0);
	MUST(ct_symbols_module(symbols, path, bias, bias, UINT64_MAX / 2, id,
			       expected_id(fd, input[0] == 1, id)) == 0);
	for (int i = 0; i < LOOK_UPS; i++)
		look_up(symbols, bias + 0x200 + input[1 + i % (HEAD - 1)] + (uint64_t)i / HEAD * 0x80);
	MUST(input[0] != 1 || memmem(input, size, id, ID) ||
	     ct_symbols_mismatched(symbols) + ct_symbols_missing(symbols) == 1);
	ct_symbols_destroy(symbols);
	close(fd);
	return 0;
}
