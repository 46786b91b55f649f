/* SPDX-License-Identifier: Apache-2.0 */
/* C++ names as people want to read them. */
#ifndef CT_ANALYZE_DEMANGLE_H
#define CT_ANALYZE_DEMANGLE_H

#include <stddef.h>

#define CT_DEMANGLE_MAX 4096  /* longer names are not given to the demangler */
#define CT_DEMANGLE_SURE 1024 /* GNU's demangler refuses longer ones */

/*
 * The readable form of a symbol. *ret_memory is what the caller must free() when done
 * with the result, or NULL.
 *
 * Returns the demangled text (which is *ret_memory), or `symbol` itself if it is not a
 * mangled name or memory ran out. Of a name too long to be demangled it returns only
 * the leading part, as "ns::kernel<...>": different symbols may have the same text then.
 */
const char *ct_demangle(const char *symbol, char **ret_memory);

/*
 * Shorten a demangled name to at most `width` characters for a table: a leading "void "
 * and the parameters are dropped; if that is not enough, template arguments become
 * "<...>", innermost first; if that is not enough, the middle becomes "...".
 *
 * Returns the length of the text stored in buf, always less than size. size must not be 0.
 */
size_t ct_demangle_short(const char *demangled, char *buf, size_t size, size_t width);

#endif
