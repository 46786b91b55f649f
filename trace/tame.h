/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CT_TRACE_TAME_H
#define CT_TRACE_TAME_H

/*
 * Make text fit for a terminal: control characters (C1 as well), those that turn the
 * direction of writing and what is not UTF-8 become `mark`. Names are anybody's.
 */
void ct_tame(char *text, char mark);

/* Bytes of the character that a text begins with; 0: it is not UTF-8 (RFC 3629, section 4). */
unsigned ct_utf8_length(const char *text);

#endif
