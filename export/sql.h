/* SPDX-License-Identifier: Apache-2.0 */
/* An SQLite file that rows are written to, table by table, and its strings. */
#ifndef CT_EXPORT_SQL_H
#define CT_EXPORT_SQL_H

#include <stdint.h>

#include "analyze/lookup.h"

struct sqlite3;
struct sqlite3_stmt;

enum ct_sql_table {
#define CT_TABLE(id, name, columns) CT_SQL_##id,
#include "export/tables.def"
#undef CT_TABLE
	CT_SQL_TABLES
};

/* All zeros but what ct_sql_open() fills. */
struct ct_sql {
	struct sqlite3 *db;
	struct sqlite3_stmt *inserts[CT_SQL_TABLES];
	struct ct_lookup strings; /* those of StringIds, which are few: names and places */
	int64_t last_string;
	int error; /* the first failure, which all calls from then on return; 0 */
};

/*
 * Make all tables in an empty file, and begin. Returns 0 or -errno; ct_sql_close() frees in
 * any case, and keeps nothing that was not committed.
 */
int ct_sql_open(struct ct_sql *sql, const char *path);
int ct_sql_commit(struct ct_sql *sql);
void ct_sql_close(struct ct_sql *sql);

/* A row on its way into a table: its fields, one by one. */
struct ct_row {
	struct ct_sql *sql;
	struct sqlite3_stmt *insert;
	int column;
};

struct ct_row ct_row_begin(struct ct_sql *sql, enum ct_sql_table table);
void ct_row_number(struct ct_row *row, int64_t value);
void ct_row_id(struct ct_row *row, uint32_t id);            /* CT_NONE: NULL */
void ct_row_text(struct ct_row *row, const char *text);     /* NULL: NULL */
void ct_row_string(struct ct_row *row, const char *text);   /* its id in StringIds; NULL: NULL */
void ct_row_null(struct ct_row *row);
/* Store it; fields that were not given are NULL. Returns 0 or -errno. */
int ct_row_end(struct ct_row *row);

#endif
