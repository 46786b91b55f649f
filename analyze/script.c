/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/script.h"

#include <ctype.h>
#include <string.h>

/* Is this the rest of "python3.11/..." or "python311.zip/..." behind "python3"? */
static bool ends_version(const char *at)
{
	if (*at == '.')
		at++;
	while (isdigit((unsigned char)*at))
		at++;
	return *at == '/' || strncmp(at, ".zip/", 5) == 0;
}

/* Where an interpreter keeps its standard library: lib/python3.11 and its like. */
static bool standard_library(const char *path)
{
	static const char *const places[] = { "/lib/python3", "/lib64/python3" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (const char *at = strstr(path, places[i]); at; at = strstr(at, places[i])) {
			at += strlen(places[i]);
			if (ends_version(at))
				return true;
		}
	return false;
}

bool ct_script_of_user(const char *path)
{
	static const char *const foreign[] = { "/site-packages/", "/dist-packages/",
					       "/torchinductor_" };

	if (strncmp(path, "<frozen ", 8) == 0)
		return false;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (strstr(path, foreign[i]))
			return false;
	return !standard_library(path);
}

const struct ct_frame *ct_script_place(struct ct_symbols *symbols,
				       const struct ct_stack_info *stack)
{
	const struct ct_frame *frame, *innermost = NULL;

	for (uint32_t i = 0; i < stack->count; i++) {
		if (!CT_PC_IS_SCRIPT(stack->pc[i]) ||
		    ct_symbols_resolve(symbols, stack->pc[i], &frame) < 1 || !frame->path)
			continue;
		if (ct_script_of_user(frame->path))
			return frame;
		if (!innermost)
			innermost = frame;
	}
	return innermost;
}

int ct_script_tell(const struct ct_model *model, struct ct_symbols *symbols)
{
	int r = 0;

	for (size_t id = 0; r == 0 && id < model->scripts.count; id++) {
		const struct ct_script_info *script = &model->scripts.at[id];

		if (script->file)
			r = ct_symbols_script(symbols, (uint32_t)id, script->file, script->line,
					      script->function);
	}
	return r;
}

const char *ct_script_missing(uint32_t state)
{
	static const char *const texts[CT_SCRIPT_STATE_COUNT] = {
#define X(name, text) [CT_SCRIPT_##name] = text,
		CT_SCRIPT_STATES(X)
#undef X
	};

	return state < CT_SCRIPT_STATE_COUNT ? texts[state]
					     : "for a reason that this version does not know";
}
