/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "trace/tame.h"

void ct_warn(const char *format, ...)
{
	static int printed;
	int saved = errno;
	char line[1024] = "cutrace: ";
	const int prefix = 9;
	va_list args;
	int n;

	if (__atomic_fetch_add(&printed, 1, __ATOMIC_RELAXED) >= CT_WARN_MAX)
		return;
	va_start(args, format);
	n = prefix + vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	ct_tame(line, '?'); /* it may name what came from outside */
	line[n++] = '\n';
	while (write(STDERR_FILENO, line, (size_t)n) < 0 && errno == EINTR)
		errno = 0; /* nobody to tell */
	errno = saved;
}
