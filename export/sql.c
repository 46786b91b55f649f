/* SPDX-License-Identifier: Apache-2.0 */
#include "export/sql.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/tame.h"

#define TEXT_MAX 8192

static const struct {
	const char *name, *columns;
} tables[CT_SQL_TABLES] = {
#define CT_TABLE(id, name, columns) [CT_SQL_##id] = { name, columns },
#include "export/tables.def"
#undef CT_TABLE
};

struct string {
	struct ct_link link; /* by text */
	int64_t id;
	char text[];
};

/* What an error of SQLite is as -errno. */
static int error_of(struct ct_sql *sql, int code)
{
	int system = sql->db ? sqlite3_system_errno(sql->db) : 0;

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return system > 0 ? -system : -EIO;
	}
}

static int check(struct ct_sql *sql, int code)
{
	if (!sql->error)
		sql->error = error_of(sql, code);
	return sql->error;
}

static int run(struct ct_sql *sql, const char *statement)
{
	if (sql->error)
		return sql->error;
	return check(sql, sqlite3_exec(sql->db, statement, NULL, NULL, NULL));
}

/* "INSERT INTO t VALUES (?,?)" with as many as the table has columns. */
static int prepare(struct ct_sql *sql, enum ct_sql_table table)
{
	char text[1024];
	sqlite3_stmt *columns = NULL;
	int count, n;

	snprintf(text, sizeof(text), "SELECT * FROM %s", tables[table].name);
	if (check(sql, sqlite3_prepare_v2(sql->db, text, -1, &columns, NULL)) < 0)
		return sql->error;
	count = sqlite3_column_count(columns);
	sqlite3_finalize(columns);
	n = snprintf(text, sizeof(text), "INSERT INTO %s VALUES (?", tables[table].name);
	for (int i = 1; i < count; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",?");
	snprintf(text + n, sizeof(text) - (size_t)n, ")");
	return check(sql, sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT,
					     &sql->inserts[table], NULL));
}

static int make_tables(struct ct_sql *sql)
{
	char text[2048];

	for (int i = 0; i < CT_SQL_TABLES && !sql->error; i++) {
		snprintf(text, sizeof(text), "CREATE TABLE %s (%s)", tables[i].name,
			 tables[i].columns);
		if (run(sql, text) == 0)
			prepare(sql, (enum ct_sql_table)i);
	}
	return sql->error;
}

/* Nobody else sees the file before it is whole, so it needs no journal. */
int ct_sql_open(struct ct_sql *sql, const char *path)
{
	if (check(sql, sqlite3_open_v2(path, &sql->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				       NULL)) < 0)
		return sql->error;
	run(sql, "PRAGMA journal_mode = OFF");
	run(sql, "PRAGMA synchronous = OFF");
	run(sql, "PRAGMA locking_mode = EXCLUSIVE");
	run(sql, "BEGIN");
	return make_tables(sql);
}

int ct_sql_commit(struct ct_sql *sql)
{
	return run(sql, "COMMIT");
}

void ct_sql_close(struct ct_sql *sql)
{
	for (int i = 0; i < CT_SQL_TABLES; i++)
		sqlite3_finalize(sql->inserts[i]);
	sqlite3_close(sql->db);
	ct_lookup_free(&sql->strings);
}

struct ct_row ct_row_begin(struct ct_sql *sql, enum ct_sql_table table)
{
	return (struct ct_row){ sql, sql->inserts[table], 0 };
}

void ct_row_number(struct ct_row *row, int64_t value)
{
	if (!row->sql->error)
		check(row->sql, sqlite3_bind_int64(row->insert, ++row->column, value));
}

void ct_row_id(struct ct_row *row, uint32_t id)
{
	if (id == UINT32_MAX)
		ct_row_null(row);
	else
		ct_row_number(row, id);
}

void ct_row_null(struct ct_row *row)
{
	if (!row->sql->error)
		check(row->sql, sqlite3_bind_null(row->insert, ++row->column));
}

/* Readers may refuse text that is not UTF-8. */
void ct_row_text(struct ct_row *row, const char *text)
{
	char tame[TEXT_MAX];

	if (!text) {
		ct_row_null(row);
		return;
	}
	snprintf(tame, sizeof(tame), "%s", text);
	ct_tame(tame, '?');
	if (!row->sql->error)
		check(row->sql, sqlite3_bind_text(row->insert, ++row->column, tame, -1,
						  SQLITE_TRANSIENT));
}

static struct string *add_string(struct ct_sql *sql, const char *text)
{
	size_t length = strlen(text);
	struct string *string = calloc(1, sizeof(*string) + length + 1);
	struct ct_row row;

	if (!string)
		return NULL;
	memcpy(string->text, text, length);
	if (ct_lookup_add(&sql->strings, string, string->text, length) < 0) {
		free(string);
		return NULL;
	}
	string->id = ++sql->last_string;
	row = ct_row_begin(sql, CT_SQL_STRINGS);
	ct_row_number(&row, string->id);
	ct_row_text(&row, text);
	ct_row_end(&row);
	return string;
}

void ct_row_string(struct ct_row *row, const char *text)
{
	struct string *string;

	if (!text) {
		ct_row_null(row);
		return;
	}
	string = ct_lookup_find(&row->sql->strings, text, strlen(text));
	if (!string)
		string = add_string(row->sql, text);
	if (string)
		ct_row_number(row, string->id);
	else
		check(row->sql, SQLITE_NOMEM);
}

int ct_row_end(struct ct_row *row)
{
	struct ct_sql *sql = row->sql;

	if (sql->error)
		return sql->error;
	check(sql, sqlite3_step(row->insert));
	sqlite3_reset(row->insert);
	sqlite3_clear_bindings(row->insert);
	return sql->error;
}
