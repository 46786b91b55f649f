/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CT_TOOLS_IN_USE_H
#define CT_TOOLS_IN_USE_H

#include <stdbool.h>

#include "trace/record.h"

/*
 * May somebody still write to the trace? The kernel grants a read lease only on a file
 * that nobody has open, or mapped, for writing (fcntl(2)). Where there are no leases the
 * trace itself has to say.
 */
bool ct_in_use(const char *path, const struct ct_file_header *header);

#endif
