/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the SQLite export share. */
#ifndef CT_EXPORT_SQLITE_INT_H
#define CT_EXPORT_SQLITE_INT_H

#include "export/events.h"
#include "export/export.h"
#include "export/memory.h"
#include "export/sql.h"

struct ct_sqlite {
	const struct ct_export *export;
	const struct ct_export_process *process; /* at hand */
	struct ct_sql sql;
	struct ct_memory_map *memory; /* of it */
	CT_ARRAY(uint32_t) domains;   /* of its NVTX ranges, that have a row */
};

/* nsys' types of rows in NVTX_EVENTS. */
enum ct_sqlite_event { CT_SQLITE_PUSHED = 59, CT_SQLITE_STARTED = 60, CT_SQLITE_DOMAIN = 75 };

/* Write the calls, waits, operations and so on of a part. Returns 0 or -errno. */
int ct_sqlite_part(struct ct_sqlite *s, const struct ct_analysis *part);

/* No part follows: write what became of memory in calls that were under way. 0 or -errno. */
int ct_sqlite_end_memory(struct ct_sqlite *s, const struct ct_model *model);

/* Write what a process's sums say. Returns 0 or -errno. */
int ct_sqlite_sums(struct ct_sqlite *s, const struct ct_analysis *analysis);

/* Times and ids as the tables have them: those of nsys, see docs/exports.md. */
int64_t ct_sqlite_time(const struct ct_sqlite *s, const struct ct_model *model, uint64_t ns);
int64_t ct_sqlite_pid(const struct ct_sqlite *s, const struct ct_model *model);
int64_t ct_sqlite_tid(const struct ct_sqlite *s, const struct ct_model *model, uint32_t tid);
int64_t ct_sqlite_chain(const struct ct_sqlite *s, uint32_t stack);

/* enum ct_memory as nsys numbers it. */
int64_t ct_sqlite_memory(uint8_t memory);

#endif
