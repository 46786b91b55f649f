/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/identity.h"

/* Values come from a file: what no pid or rank can be is not known. */
static uint32_t number(uint64_t value)
{
	return value < INT32_MAX ? (uint32_t)value : CT_NONE;
}

struct ct_identity ct_identity_of(const struct ct_model *model)
{
	struct ct_identity id = { "", "", CT_NONE, CT_NONE, CT_NONE, CT_NONE };

	for (size_t i = 0; i < model->notes.count; i++) {
		const struct ct_note_info *note = &model->notes.at[i];

		if (note->code == CT_NOTE_HOST) {
			id.host = note->text;
		} else if (note->code == CT_NOTE_PARENT) {
			id.parent = number(note->value);
		} else if (note->code == CT_NOTE_RANK) {
			id.rank = number(note->value);
			id.variable = note->text;
		} else if (note->code == CT_NOTE_LOCAL_RANK) {
			id.local_rank = number(note->value);
		} else if (note->code == CT_NOTE_WORLD_SIZE) {
			id.size = number(note->value);
		}
	}
	if (id.rank == CT_NONE || id.size <= id.rank)
		id.size = CT_NONE;
	return id;
}
