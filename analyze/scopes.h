/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions lie around an address, inlined ones included: dwarf_getscopes() goes through a
 * unit from its beginning for each address, this once.
 */
#ifndef CT_ANALYZE_SCOPES_H
#define CT_ANALYZE_SCOPES_H

#include <elfutils/libdw.h>

#include "analyze/lookup.h"

struct ct_scopes_index;

/* All zeros is an empty one. What it knows is of DIEs, so it must go before their Dwarf. */
struct ct_scopes {
	struct ct_lookup by_root;
	struct ct_scopes_index *indexes;
};

/*
 * The concrete functions of a unit around an address, as in its DIEs, innermost first: those that
 * were inlined there, at last the one that they are inlined in.
 *
 * Returns how many of them are stored, at most `most`; 0 if no function is there; -ENOMEM.
 */
int ct_scopes_find(struct ct_scopes *scopes, Dwarf_Die *unit, Dwarf_Addr address,
		   Dwarf_Die *ret_dies, int most);

void ct_scopes_clear(struct ct_scopes *scopes);

#endif
