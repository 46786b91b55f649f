/* SPDX-License-Identifier: Apache-2.0 */
/* Looking functions up ourselves. */
#ifndef CT_SHIM_DLSYM_H
#define CT_SHIM_DLSYM_H

/*
 * The loader's own dlsym(), called by us: RTLD_NEXT is what comes behind us. Whatever else
 * is preloaded and interposes dlsym() has no say, and no wrapper of ours is given out.
 */
void *ct_dlsym(void *handle, const char *name);

/* The loader's own function of this name, such as dlopen(), by its version; NULL: not found. */
void *ct_dlsym_loaders(const char *name);

#endif
