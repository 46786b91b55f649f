/* SPDX-License-Identifier: Apache-2.0 */
/* JSON inside an HTML page: nothing in it can end the script element that it stands in. */
#ifndef CT_EXPORT_HTML_JSON_H
#define CT_EXPORT_HTML_JSON_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

/*
 * A text. '<' and control characters are escaped, bytes that are not UTF-8 become U+FFFD, so
 * that it is valid wherever the text is from.
 */
void ct_json_text(FILE *to, const char *text);

/* "key": */
void ct_json_key(FILE *to, const char *key);

/* A comma before all but the first; counts up *count. */
void ct_json_next(FILE *to, size_t *count);

#endif
