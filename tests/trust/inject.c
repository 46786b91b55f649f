/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes calls of libcutrace.so fail, and nobody else's: preloaded behind it, this library's
 * constructor runs first and points the entries of libcutrace.so's global offset table at
 * stubs. A stub passes its call on with every register and the return address as they were,
 * or returns a failure. What libcutrace.so looks up by dlsym() gets a stub as well.
 *
 * FAULT_BOARD: a file, shared with the children, that becomes a struct board. FAULT: which
 * row's calls fail: "ROW once|on NUMBER ERROR", the NUMBERth or all from it on. Row "memory"
 * is the calls of malloc(), calloc() and mmap() together.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STUBS 160 /* as in the assembly below */
#define ROWS_MAX 160

typedef uint64_t args[6];

static bool any(const args a) { (void)a; return true; }
static bool none(const args a) { (void)a; return false; }
static bool shared(const args a) { return a[3] & MAP_SHARED; }
static bool wipes(const args a) { return a[2] == MADV_WIPEONFORK; }
static bool names_cuda(const args a)
{
	const char *name = (const char *)a[1];

	return !strncmp(name, "cu", 2) && strncmp(name, "cupti", 5) && strcmp(name, "cuDriverGetVersion");
}
static bool futex(const args a) { return a[0] == SYS_futex; }
static bool reads_link(const args a) { return a[0] == SYS_readlinkat; }
static bool checks_memory(const args a) { return a[0] == SYS_rt_sigprocmask; }

enum outcome { MINUS, NOTHING, ERROR, AFTER };

struct row {
	const char *function, *variant;
	bool (*only)(const args);
	enum outcome outcome;
	int errors[9]; /* for the harness; ends with 0 */
};

static const struct row rows[] = {
#define FAULT(function_, variant_, only_, outcome_, ...) \
	{ .function = #function_, .variant = variant_, .only = only_, .outcome = outcome_,         \
	  .errors = { __VA_ARGS__ } },
#define HARMLESS(function)
#define CT_CUPTI_NEED(function) FAULT(function, "", any, ERROR, 999, 8)
#define CT_CUPTI_LIKE(function) FAULT(function, "", any, ERROR, 999, 8)
#include "tests/trust/faults.def"
#include "cupti/functions.def"
#undef CT_CUPTI_LIKE
#undef CT_CUPTI_NEED
#undef HARMLESS
#undef FAULT
	{ .function = "memory", .variant = "", .only = none, .errors = { ENOMEM } },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define MEMORY (&rows[ROWS - 1])

static const char *const harmless[] = {
#define FAULT(...)
#define HARMLESS(function) #function,
#include "tests/trust/faults.def"
#undef HARMLESS
#undef FAULT
};

/* What is shared with the harness. A name is the function, with its variant in brackets. */
struct board {
	struct line {
		char name[64];
		uint64_t calls, failed;
		int32_t errors[10];
	} lines[ROWS_MAX];
	char unknown[4096]; /* imports that faults.def does not know */
};

/* The function behind each stub. */
static struct stub {
	const char *function;
	void *real;
} stubs[STUBS];

static struct board *board;
static uintptr_t text_start, text_end; /* libcutrace.so's */
static uint64_t at;                    /* the call that fails */
static bool on;                        /* and all that follow */
static int error;
static const struct row *victim;

extern char ct_fault_stubs[];
#define STUB_BYTES 16

__asm__(".text\n"
	".p2align 4\n"
	"ct_fault_stubs:\n"
	".set ct_fault_index, 0\n"
	".rept 160\n"
	"	.p2align 4\n"
	"	pushq $ct_fault_index\n"
	"	jmp ct_fault_common\n"
	"	.set ct_fault_index, ct_fault_index + 1\n"
	".endr\n"
	"ct_fault_common:\n"
	"	sub $192, %rsp\n"
	"	movups %xmm0, (%rsp)\n	movups %xmm1, 16(%rsp)\n"
	"	movups %xmm2, 32(%rsp)\n	movups %xmm3, 48(%rsp)\n"
	"	movups %xmm4, 64(%rsp)\n	movups %xmm5, 80(%rsp)\n"
	"	movups %xmm6, 96(%rsp)\n	movups %xmm7, 112(%rsp)\n"
	"	mov %rdi, 128(%rsp)\n	mov %rsi, 136(%rsp)\n	mov %rdx, 144(%rsp)\n"
	"	mov %rcx, 152(%rsp)\n	mov %r8, 160(%rsp)\n	mov %r9, 168(%rsp)\n"
	"	mov %rax, 176(%rsp)\n"
	"	lea 128(%rsp), %rdi\n"
	"	mov 192(%rsp), %rsi\n"
	"	mov 200(%rsp), %rdx\n"
	"	lea 184(%rsp), %rcx\n"
	"	call ct_fault_decide\n"
	"	mov %rax, %r11\n"
	"	movups (%rsp), %xmm0\n	movups 16(%rsp), %xmm1\n"
	"	movups 32(%rsp), %xmm2\n	movups 48(%rsp), %xmm3\n"
	"	movups 64(%rsp), %xmm4\n	movups 80(%rsp), %xmm5\n"
	"	movups 96(%rsp), %xmm6\n	movups 112(%rsp), %xmm7\n"
	"	mov 128(%rsp), %rdi\n	mov 136(%rsp), %rsi\n	mov 144(%rsp), %rdx\n"
	"	mov 152(%rsp), %rcx\n	mov 160(%rsp), %r8\n	mov 168(%rsp), %r9\n"
	"	mov 176(%rsp), %rax\n	mov 184(%rsp), %r10\n"
	"	add $200, %rsp\n"
	"	test %r11, %r11\n"
	"	jz 1f\n"
	"	jmp *%r11\n"
	"1:	mov %r10, %rax\n"
	"	ret\n");

static void *stub_address(int i)
{
	return ct_fault_stubs + i * STUB_BYTES;
}

/* A stub for this function, the same each time; `real` itself where no row is about it. */
static void *stub_for(const char *function, void *real)
{
	bool known = false;

	for (size_t i = 0; i < ROWS; i++)
		known |= strcmp(rows[i].function, function) == 0;
	for (int i = 0; known && real && i < STUBS; i++) {
		if (!stubs[i].function)
			stubs[i] = (struct stub){ strdup(function), real };
		if (strcmp(stubs[i].function, function) == 0)
			return stub_address(i);
	}
	return real;
}

static const struct row *row_of(const char *function, const args a)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].function, function) == 0 && rows[i].only(a))
			return &rows[i];
	return NULL;
}

/* Count the call as one of this row. Is it one that must fail? */
static bool fails_as(const struct row *row)
{
	struct line *line = &board->lines[row - rows];
	uint64_t n = __atomic_add_fetch(&line->calls, 1, __ATOMIC_RELAXED);

	if (row != victim || (on ? n < at : n != at))
		return false;
	__atomic_add_fetch(&line->failed, 1, __ATOMIC_RELAXED);
	return true;
}

static bool allocates(const struct row *row)
{
	return strcmp(row->function, "malloc") == 0 || strcmp(row->function, "calloc") == 0 ||
	       strcmp(row->function, "mmap64") == 0;
}

static bool fails(const struct row *row)
{
	bool by_itself = fails_as(row), as_memory = allocates(row) && fails_as(MEMORY);

	return by_itself || as_memory;
}

/* A lookup that succeeds, of a function that has a stub: its address goes to *result. */
static bool swaps(const struct stub *stub, const args a, int64_t *result)
{
	const char *name = (const char *)a[1];
	bool by_version = strcmp(stub->function, "dlvsym") == 0;
	void *(*dlsym_)(void *, const char *) = NULL;
	void *found = NULL, *swapped;

	if (by_version && strcmp(name, "dlsym") == 0) {
		*result = (int64_t)stub_for("dlsym", dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34"));
		return true;
	}
	if (strcmp(stub->function, "dlsym") != 0)
		return false;
	*(void **)&dlsym_ = stub->real;
	if ((void *)a[0] == RTLD_NEXT && strcmp(name, "dlopen") == 0) { /* which it defines itself */
		*result = (int64_t)stub_for(name, dlsym_(RTLD_NEXT, name));
		return true;
	}
	if ((void *)a[0] == RTLD_NEXT || (void *)a[0] == RTLD_DEFAULT)
		return false;
	found = dlsym_((void *)a[0], name);
	swapped = stub_for(name, found);
	*result = (int64_t)swapped;
	return swapped != found;
}

/* Where to go on; NULL: return *result. */
__attribute__((used, visibility("hidden"))) void *ct_fault_decide(const args a, uint64_t index,
								  uintptr_t caller,
								  int64_t *result);

void *ct_fault_decide(const args a, uint64_t index, uintptr_t caller, int64_t *result)
{
	const struct stub *stub = &stubs[index];
	const struct row *row = row_of(stub->function, a);
	int (*real)(uint64_t, uint64_t, uint64_t) = NULL;
	int saved = errno;

	if (!row || caller < text_start || caller >= text_end)
		return stub->real;
	if (!fails(row)) {
		void *go = swaps(stub, a, result) ? NULL : stub->real;

		errno = saved;
		return go;
	}
	*(void **)&real = stub->real;
	if (row->outcome == AFTER)
		real(a[0], a[1], a[2]);
	*result = row->outcome == ERROR ? error : row->outcome == NOTHING ? 0 : -1;
	errno = row->outcome == ERROR ? saved : error;
	return NULL;
}

static void unknown(const char *name)
{
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strcmp(harmless[i], name) == 0)
			return;
	if (strlen(board->unknown) + strlen(name) + 2 < sizeof(board->unknown))
		strcat(strcat(board->unknown, name), " ");
}

/* One relocation against a symbol: of a function that others define? Then the stub comes in. */
static void patch(uintptr_t base, const ElfW(Rela) *rela, const ElfW(Sym) *symbols,
		  const char *names)
{
	const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(rela->r_info)];
	const char *name = names + symbol->st_name;
	uintptr_t *slot = (uintptr_t *)(base + rela->r_offset);
	uintptr_t page = (uintptr_t)slot & ~(uintptr_t)4095;
	void *stub;

	if (!ELF64_R_SYM(rela->r_info) || symbol->st_shndx != SHN_UNDEF ||
	    ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT)
		return;
	stub = stub_for(name, (void *)*slot);
	if (stub == (void *)*slot) {
		unknown(name);
		return;
	}
	mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
	*slot = (uintptr_t)stub;
}

static void patch_all(const struct dl_phdr_info *info, const ElfW(Dyn) *dynamic)
{
	uintptr_t table[DT_JMPREL + 1] = { 0 };
	const ElfW(Rela) *plt, *rela;

	for (; dynamic->d_tag != DT_NULL; dynamic++)
		if (dynamic->d_tag >= 0 && dynamic->d_tag <= DT_JMPREL)
			table[dynamic->d_tag] = dynamic->d_un.d_val;
	plt = (const void *)table[DT_JMPREL];
	rela = (const void *)table[DT_RELA];
	for (size_t i = 0; i < table[DT_PLTRELSZ] / sizeof(*plt); i++)
		patch(info->dlpi_addr, &plt[i], (const void *)table[DT_SYMTAB],
		      (const char *)table[DT_STRTAB]);
	for (size_t i = 0; i < table[DT_RELASZ] / sizeof(*rela); i++)
		patch(info->dlpi_addr, &rela[i], (const void *)table[DT_SYMTAB],
		      (const char *)table[DT_STRTAB]);
}

/* dl_iterate_phdr() callback. */
static int find_library(struct dl_phdr_info *info, size_t size, void *found)
{
	const ElfW(Dyn) *dynamic = NULL;

	(void)size;
	if (!strstr(info->dlpi_name, "libcutrace.so"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_DYNAMIC)
			dynamic = (const void *)(info->dlpi_addr + p->p_vaddr);
		if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
			text_start = info->dlpi_addr + p->p_vaddr;
			text_end = text_start + p->p_memsz;
		}
	}
	patch_all(info, dynamic);
	*(bool *)found = true;
	return 1;
}

static bool map_board(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map = fd < 0 ? MAP_FAILED : /* the harness has given it its size */
		mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	board = map == MAP_FAILED ? NULL : map;
	return board;
}

static void name_lines(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		snprintf(board->lines[i].name, sizeof(board->lines[i].name), *rows[i].variant ?
			 "%s(%s)" : "%s%s", rows[i].function, rows[i].variant);
		memcpy(board->lines[i].errors, rows[i].errors, sizeof(rows[i].errors));
	}
}

static void choose(const char *fault)
{
	char name[64], how[8];

	if (!fault || sscanf(fault, "%63[^/]/%7[^/]/%lu/%d", name, how, &at, &error) != 4)
		return;
	on = strcmp(how, "on") == 0;
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(board->lines[i].name, name) == 0)
			victim = &rows[i];
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_BOARD");
	bool found = false;

	_Static_assert(ROWS <= ROWS_MAX, "lines of the board");
	if (!path || !map_board(path))
		return;
	name_lines();
	choose(getenv("FAULT"));
	dl_iterate_phdr(find_library, &found);
}
