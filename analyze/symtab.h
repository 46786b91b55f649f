/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbols of a module by address. elfutils reads them; to find one, dwfl_module_addrinfo() reads
 * them all again: 5.8 ms of libLLVM's 46 thousand, and PyTorch has more and some hundred calls
 * to be named.
 */
#ifndef CT_ANALYZE_SYMTAB_H
#define CT_ANALYZE_SYMTAB_H

#include <elfutils/libdwfl.h>
#include <stdint.h>

struct ct_symtab;

/*
 * Sort the symbols of a module, which must stay open. Returns 0, also where it has none, or
 * -ENOMEM. Free with ct_symtab_destroy().
 */
int ct_symtab_create(Dwfl_Module *module, struct ct_symtab **ret);
void ct_symtab_destroy(struct ct_symtab *symtab); /* accepts NULL */

/*
 * The name of what lies at an address: of symbols with a size that it is in the innermost, of
 * several that begin there the smallest, of those the one more widely seen, of those the first;
 * else a label without a size before it in the same section, if nothing with a size ended in
 * between. The module's; NULL = none.
 */
const char *ct_symtab_find(const struct ct_symtab *symtab, uint64_t address);

#endif
