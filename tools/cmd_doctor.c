/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cutrace doctor`: trace a tiny CUDA program, this one, and say what the trace says.
 * Nothing is guessed from files that lie around: what worked has worked.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyze/model.h"
#include "analyze/report.h"
#include "tools/args.h"
#include "tools/color.h"
#include "tools/tool.h"

enum probe { PROBE_OK = 0, PROBE_NO_DRIVER = 10, PROBE_INIT_FAILED = 11, PROBE_NO_DEVICE = 12 };

/* The probe: use the driver a little. Runs under the preload, in a process of its own. */
static int probe(void)
{
	void *driver = dlopen("libcuda.so.1", RTLD_NOW);
	int (*init)(unsigned), (*count)(int *), (*retain)(void **, int), (*current)(void *);
	int (*allocate)(uint64_t *, size_t), (*release)(uint64_t);
	uint64_t memory;
	void *context;
	int devices = 0;

	if (!driver)
		return PROBE_NO_DRIVER;
	*(void **)&init = dlsym(driver, "cuInit");
	*(void **)&count = dlsym(driver, "cuDeviceGetCount");
	*(void **)&retain = dlsym(driver, "cuDevicePrimaryCtxRetain");
	*(void **)&current = dlsym(driver, "cuCtxSetCurrent");
	*(void **)&allocate = dlsym(driver, "cuMemAlloc_v2");
	*(void **)&release = dlsym(driver, "cuMemFree_v2");
	if (!init || init(0) != 0)
		return PROBE_INIT_FAILED;
	if (!count || count(&devices) != 0 || devices == 0)
		return PROBE_NO_DEVICE;
	if (retain && retain(&context, 0) == 0 && current && current(context) == 0 && allocate &&
	    allocate(&memory, 256) == 0 && release)
		release(memory);
	return PROBE_OK;
}

static int run_probe(const char *library, const char *directory)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("LD_PRELOAD", library, 1);
		setenv("CUTRACE_OUTPUT", directory, 1);
		setenv("CUTRACE_REPORT", "0", 1);
		unsetenv("CUDA_INJECTION64_PATH");
		execl("/proc/self/exe", "cutrace", "doctor", "--probe", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int say(int good, const char *what, const char *text)
{
	printf("%-5s %-10s %s\n", good ? "ok" : "NO", what, text);
	return !good;
}

static int judge_driver(int result)
{
	switch (result) {
	case PROBE_OK:
		return say(1, "driver", "libcuda.so.1 works and sees a device");
	case PROBE_NO_DRIVER:
		return say(0, "driver", "libcuda.so.1 not found: install the NVIDIA driver");
	case PROBE_INIT_FAILED:
		return say(0, "driver", "cuInit failed: no GPU, or the driver's kernel module is not "
			   "loaded (nvidia-smi says more)");
	case PROBE_NO_DEVICE:
		return say(0, "driver", "no CUDA device is visible (CUDA_VISIBLE_DEVICES?)");
	default:
		return say(0, "driver", "the probe died: run `cutrace doctor --probe` by itself");
	}
}

static int judge_notes(const struct ct_model *model)
{
	int problems = 0, blind = 0;
	char text[PATH_MAX + 64], count[48];

	for (size_t i = 0; i < model->notes.count; i++) {
		const struct ct_note_info *note = &model->notes.at[i];

		snprintf(text, sizeof(text), "%s (%u)", note->text, (unsigned)note->value);
		if (note->code == CT_NOTE_CUPTI_VERSION)
			say(1, "CUPTI", text);
		else if (note->code == CT_NOTE_DRIVER_VERSION)
			say(1, "version", text);
		else if (note->code == CT_NOTE_NO_CUPTI)
			blind += say(0, "CUPTI", note->text);
		else if (note->code == CT_NOTE_PARTIAL_CUPTI)
			problems += say(0, "CUPTI", note->text);
		else if (note->code == CT_NOTE_NO_UNWINDER)
			problems += say(0, "stacks", note->text);
		else if (note->code == CT_NOTE_CLOCK_ERROR) {
			snprintf(text, sizeof(text), "device and host agree within %u ns",
				 (unsigned)note->value);
			problems += say(note->value < 100000, "clock", text);
		}
	}
	snprintf(text, sizeof(text), "%s of the probe seen",
		 ct_report_count(model->calls.count, "call", count));
	if (!blind)
		problems += say(model->calls.count > 0, "calls", text);
	return problems + blind;
}

static void remove_directory(const char *directory)
{
	char path[PATH_MAX + 300];
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(directory);
}

static int examine(const char *library)
{
	char directory[] = "/tmp/cutrace-doctor.XXXXXX", path[PATH_MAX];
	struct ct_model *model;
	int problems, r;

	if (!mkdtemp(directory))
		return ct_fail(directory, strerror(errno));
	problems = judge_driver(run_probe(library, directory));
	snprintf(path, sizeof(path), "%s/trace.cutrace", directory);
	r = ct_model_load(path, &model);
	if (r == 0) {
		problems += judge_notes(model);
		ct_model_destroy(model);
	} else if (!problems) {
		problems += say(0, "trace", "the probe left none: does another tool own "
				"CUDA_INJECTION64_PATH, or is the library blocked?");
	}
	remove_directory(directory);
	printf("%s\n", problems ? "cutrace will not see everything here."
				: "Everything cutrace needs works here.");
	return problems ? CT_EXIT_FAILED : 0;
}

int ct_cmd_doctor(const struct ct_args *args)
{
	char library[PATH_MAX], name[PATH_MAX];
	int r;

	if (ct_args_has(args, CT_ARG_doctor_probe))
		return probe();
	ct_color_begin(ct_args_value(args, CT_ARG_doctor_color));
	if (getenv("CUDA_INJECTION64_PATH"))
		say(0, "injection", "CUDA_INJECTION64_PATH is set: while it is, cutrace sees calls "
		    "but no device times");
	if (ct_find_library(library, sizeof(library)) < 0)
		return ct_fail("libcutrace.so", "not found beside this command; reinstall cutrace");
	say(1, "library", library);
	r = ct_preload_name(library, name, sizeof(name));
	return r < 0 ? ct_fail(library, strerror(-r)) : examine(name);
}
