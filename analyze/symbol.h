/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of a traced program -> functions and source lines, after the fact and
 * from the files on this machine. Nothing is printed and no network is used.
 */
#ifndef CT_ANALYZE_SYMBOL_H
#define CT_ANALYZE_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/record.h"

#define CT_FRAMES_MAX 32 /* most frames (inlined ones included) of one address */

struct ct_frame {
	const char *function; /* demangled; NULL = unknown */
	const char *symbol;   /* mangled, as in the symbol table; NULL = unknown */
	const char *file;     /* base name of path; NULL = unknown */
	const char *path;     /* source file as the compiler was given it; NULL = unknown */
	uint32_t line;        /* 0 = unknown */
	bool inlined;         /* its code was expanded into the frame that follows */
	bool script;          /* of an interpreted language: module names it, no symbol, no address */
	const char *module;   /* base name of the executable or library; "?" = unknown */
	uint64_t address;     /* of the return address in the module's ELF file; 0 = unknown */
};

struct ct_symbols;

/* Returns 0 and stores an empty ct_symbols the caller must ct_symbols_destroy(), or -ENOMEM. */
int ct_symbols_create(struct ct_symbols **ret);

/* Free it and every frame it gave out; accepts NULL. */
void ct_symbols_destroy(struct ct_symbols *symbols);

/*
 * Tell of a mapped module, as a MODULE record does: bias is run-time minus ELF address,
 * [start, end) the addresses. Everything is copied and no file is opened yet. Modules
 * told of earlier that overlap it are gone from then on. build_id_length 0: it had none.
 *
 * Returns 0, -EINVAL if the range is empty or the build id longer than 32 bytes, or
 * -ENOMEM.
 */
int ct_symbols_module(struct ct_symbols *symbols, const char *path, uint64_t bias, uint64_t start,
		      uint64_t end, const uint8_t *build_id, uint32_t build_id_length);

/*
 * Tell of a script frame, which has been stored as a SCRIPT record. The texts are not
 * copied and must live as long as symbols. line 0: not known. Of an id told twice the
 * first counts. Returns 0, or -ENOMEM.
 */
int ct_symbols_script(struct ct_symbols *symbols, uint32_t id, const char *path, uint32_t line,
		      const char *function);

/*
 * The frames at a return address (the instruction before it is looked up), innermost
 * inlined function first, or the one of a script frame (CT_PC_SCRIPT). They belong
 * to symbols and live as long; asking again is cheap.
 *
 * Returns their count, at least 1 (an address nobody knows has one frame with only a
 * module), or -ENOMEM.
 */
int ct_symbols_resolve(struct ct_symbols *symbols, uint64_t pc,
		       const struct ct_frame **ret_frames);

/* Was there no memory for something so far? Then a name or a frame is not what it should be. */
bool ct_symbols_failed(const struct ct_symbols *symbols);

/* Modules looked into whose file has another build id now; it was not used. */
uint32_t ct_symbols_mismatched(const struct ct_symbols *symbols);

/* Modules looked into that had no build id: their file may be another one by now. */
uint32_t ct_symbols_unverified(const struct ct_symbols *symbols);

/* Modules looked into whose debug information is in part in further files, which are not opened. */
uint32_t ct_symbols_outside(const struct ct_symbols *symbols);

/* Modules looked into whose file is gone or is not a readable ELF file. */
uint32_t ct_symbols_missing(const struct ct_symbols *symbols);

#endif
