/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/options.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shim/log.h"

static bool parse_switch(const char *text, bool *ret)
{
	static const char *const yes[] = { "1", "on", "yes", "true" };
	static const char *const no[] = { "0", "off", "no", "false" };

	for (int i = 0; i < 4; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*ret = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static bool parse_mode(const char *text, enum ct_cupti_mode *ret)
{
	bool on;

	if (strcasecmp(text, "yield") == 0)
		*ret = CT_CUPTI_YIELD;
	else if (parse_switch(text, &on))
		*ret = on ? CT_CUPTI_ON : CT_CUPTI_OFF;
	else
		return false;
	return true;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long n;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end && strchr("kKmMgG", *end))
		shift = strchr("kK", *end) ? 10 : strchr("mM", *end) ? 20 : 30;
	if (errno || (shift ? end[1] : end[0]) || n > UINT64_MAX >> shift)
		return false;
	*ret = (uint64_t)n << shift;
	return true;
}

static bool parse_level(const char *text, enum ct_level *ret)
{
	static const char *const names[] = {
		[CT_LEVEL_FULL] = "full", [CT_LEVEL_LIGHT] = "light", [CT_LEVEL_AUTO] = "auto",
	};

	for (int i = 0; i < 3; i++)
		if (strcasecmp(text, names[i]) == 0) {
			*ret = (enum ct_level)i;
			return true;
		}
	return false;
}

static bool parse_fix(const char *text, enum ct_fix_setting *ret)
{
	static const char *const names[] = {
		[CT_FIX_OFF] = "off", [CT_FIX_FREES] = "free", [CT_FIX_PINS] = "pin",
		[CT_FIX_BOTH] = "all",
	};

	for (int i = 0; i < 4; i++)
		if (strcasecmp(text, names[i]) == 0) {
			*ret = (enum ct_fix_setting)i;
			return true;
		}
	return false;
}

/* A whole number and its unit, which is not optional: 500us. */
static bool parse_duration(const char *text, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	for (int i = 0; !errno && i < 4; i++)
		if (strcasecmp(end, units[i].name) == 0 && n <= UINT64_MAX / units[i].ns) {
			*ret = n * units[i].ns;
			return true;
		}
	return false;
}

/* Without a signal's name none is taken from the program. */
static bool parse_start(const char *text, struct ct_start_setting *ret)
{
	static const struct {
		const char *text;
		struct ct_start_setting setting;
	} known[] = {
		{ "now", { .by = CT_START_NOW } },
		{ "api", { .by = CT_START_API } },
		{ "signal", { .by = CT_START_ASKED } },
		{ "signal:USR1", { .by = CT_START_ASKED, .signal = SIGUSR1 } },
		{ "signal:USR2", { .by = CT_START_ASKED, .signal = SIGUSR2 } },
	};
	struct ct_start_setting delay = { .by = CT_START_DELAY };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(text, known[i].text) == 0) {
			*ret = known[i].setting;
			return true;
		}
	if (strncasecmp(text, "delay:", 6) != 0 || !parse_duration(text + 6, &delay.delay_ns))
		return false;
	*ret = delay;
	return true;
}

static bool parse_text(const char *text, const char **ret)
{
	*ret = text;
	return true;
}

#define PARSE_TEXT parse_text
#define PARSE_SWITCH parse_switch
#define PARSE_NUMBER parse_number
#define PARSE_MODE parse_mode
#define PARSE_LEVEL parse_level
#define PARSE_DURATION parse_duration
#define PARSE_START parse_start
#define PARSE_FIX parse_fix

static bool known(const char *variable, size_t length)
{
#define CT_OPTION(name, field, kind, fallback, help)                                               \
	if (length == strlen("CUTRACE_" #name) && !strncmp(variable, "CUTRACE_" #name, length))    \
		return true;
#include "trace/options.def"
#undef CT_OPTION
	return false;
}

static void warn_unknown(void)
{
	extern char **environ;

	for (char **e = environ; e && *e; e++) {
		const char *equals = strchr(*e, '=');

		if (strncmp(*e, "CUTRACE_", 8) != 0 || !equals)
			continue;
		if (!known(*e, (size_t)(equals - *e)))
			ct_warn("unknown setting ignored: %.*s (`cutrace run --help` lists them)",
				(int)(equals - *e), *e);
	}
}

/* Unset and empty both mean the default. */
static const char *lookup(const char *variable)
{
	const char *value = secure_getenv(variable);

	return value && *value ? value : NULL;
}

/*
 * Whoever has CUPTI ready, even without asking it for anything, pays at every launch (on an
 * H200 0.7 to 1.7 us of 3.5, tools/bench): the light mode does without, unless told otherwise,
 * and `auto` and whoever waits to be started for as long as there is nothing to record in full.
 */
static enum ct_cupti_mode cupti_of(enum ct_cupti_mode mode, enum ct_level level,
				   const struct ct_start_setting *start)
{
	static const enum ct_cupti_mode yielding[] = {
		[CT_LEVEL_FULL] = CT_CUPTI_YIELD,
		[CT_LEVEL_LIGHT] = CT_CUPTI_OFF,
		[CT_LEVEL_AUTO] = CT_CUPTI_LATE,
	};

	if (mode == CT_CUPTI_YIELD && level == CT_LEVEL_FULL && start->by != CT_START_NOW)
		return CT_CUPTI_LATE;
	return mode == CT_CUPTI_YIELD ? yielding[level] : mode;
}

enum ct_cupti_mode ct_options_cupti(void)
{
	const char *value = lookup("CUTRACE_CUPTI"), *level_value = lookup("CUTRACE_MODE");
	const char *start_value = lookup("CUTRACE_START");
	struct ct_start_setting start = { .by = CT_START_NOW };
	enum ct_cupti_mode mode = CT_CUPTI_YIELD;
	enum ct_level level = CT_LEVEL_FULL;

	if (value)
		parse_mode(value, &mode);
	if (level_value)
		parse_level(level_value, &level);
	if (start_value)
		parse_start(start_value, &start);
	return cupti_of(mode, level, &start);
}

enum ct_fix_setting ct_options_fix(void)
{
	const char *value = lookup("CUTRACE_FIX");
	enum ct_fix_setting fix = CT_FIX_OFF;

	if (value)
		parse_fix(value, &fix);
	return fix;
}

const char *ct_options_fix_counts(void)
{
	const char *value = lookup("CUTRACE_FIX_COUNTS");

	return value ? value : "";
}

bool ct_options_nvtx(void)
{
	const char *value = lookup("CUTRACE_NVTX"), *disable_value = lookup("CUTRACE_DISABLE");
	bool wanted = true, disable = false;

	if (value)
		parse_switch(value, &wanted);
	if (disable_value)
		parse_switch(disable_value, &disable);
	return wanted && !disable;
}

void ct_options_read(struct ct_options *options)
{
	const char *value;

#define CT_OPTION(name, field, kind, fallback, help)                                               \
	PARSE_##kind(fallback, &options->field);                                                   \
	value = lookup("CUTRACE_" #name);                                                          \
	if (value && !PARSE_##kind(value, &options->field))                                        \
		ct_warn("CUTRACE_" #name "=%s not understood, using %s", value, fallback);
#include "trace/options.def"
#undef CT_OPTION
	options->cupti = cupti_of(options->cupti, options->mode, &options->start);
	warn_unknown();
}
