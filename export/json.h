/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as it comes (RFC 8259): objects and lists, without a tree of them in memory. */
#ifndef CT_EXPORT_JSON_H
#define CT_EXPORT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct ct_json {
	FILE *to;
	bool more; /* a comma is due */
};

/* An object; of a key if there is one, else a line of its own, which ends with it. */
void ct_json_begin(struct ct_json *json, const char *key);
void ct_json_end(struct ct_json *json);
void ct_json_end_line(struct ct_json *json);

/* Members. Text: what JSON forbids is escaped, what is not UTF-8 becomes U+FFFD. */
void ct_json_text(struct ct_json *json, const char *key, const char *text);
void ct_json_number(struct ct_json *json, const char *key, uint64_t value);
void ct_json_signed(struct ct_json *json, const char *key, int64_t value);
void ct_json_id(struct ct_json *json, const char *key, uint32_t id); /* CT_NONE: null */
void ct_json_address(struct ct_json *json, const char *key, uint64_t address); /* "0x..." */
void ct_json_bool(struct ct_json *json, const char *key, bool value);
void ct_json_null(struct ct_json *json, const char *key);
void ct_json_raw(struct ct_json *json, const char *key, const char *value); /* JSON already */
void ct_json_real(struct ct_json *json, const char *key, double value); /* not finite: null */

/* A list, of objects, which ct_json_end() ends, or of texts. */
void ct_json_begin_list(struct ct_json *json, const char *key);
void ct_json_begin_item(struct ct_json *json);
void ct_json_text_item(struct ct_json *json, const char *text);
void ct_json_end_list(struct ct_json *json);

#endif
