/* SPDX-License-Identifier: MIT */
/*
 * A user's mistake: one sentence that names the place, the offending text, what is accepted and the way out.
 *
 * Three kinds of error are never mixed. A guest event (page fault, EPT violation, VMfail) is returned data. A
 * user's mistake is a `struct hv_err`, printed once by the command, exit code 2. A simulator bug is HV_ASSERT.
 */
#ifndef HV_BASE_ERR_H
#define HV_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/* The exit codes of the hvsim command. */
enum hv_exit {
    HV_EXIT_OK = 0,
    HV_EXIT_RUN_FAILED = 1,  /* deadlock, a figure out of its band, a stale translation found */
    HV_EXIT_USER = 2,        /* the user's mistake */
    HV_EXIT_INTERRUPTED = 3, /* SIGINT: partial results were written */
    HV_EXIT_BUG = 70,        /* a simulator bug */
};

struct hv_err {
    char text[1024]; /* one sentence without a trailing newline; "" when there was no error */
};

/* Where a piece of configuration text came from, for messages: "file:line:column" or "--set". */
struct hv_where {
    const char *file; /* file name, or the option's name when line is 0 */
    unsigned line;    /* from 1 */
    unsigned column;  /* from 1 */
};

/* Stores the sentence and returns false, so that a caller can `return hv_fail(err, ...)`. Keeps the first error. */
bool hv_fail(struct hv_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, with "file:line:column: " (or "--set: ") before the sentence. */
bool hv_fail_at(struct hv_err *err, const struct hv_where *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * A simulator bug. Prints what was expected, where, and aborts through exit code HV_EXIT_BUG; on in release builds.
 */
_Noreturn void hv_bug(const char *file, int line, const char *expression, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define HV_ASSERT(condition, ...)                                            \
    do {                                                                     \
        if (__builtin_expect(!(condition), 0)) {                             \
            hv_bug(__FILE__, __LINE__, #condition, __VA_ARGS__);             \
        }                                                                    \
    } while (0)

#endif
