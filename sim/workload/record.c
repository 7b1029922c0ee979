/* SPDX-License-Identifier: MIT */
#include "workload/record.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload/child.h"
#include "workload/lackey.h"
#include "workload/record_output.h"

#define BATCH 4096u

struct recording {
    const struct record_request *request;
    struct record_result *result;
    struct child child;
    struct record_output output;
    struct lackey_reader lackey;
};

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Whether a shell would find the command. Valgrind would not say so before it has begun to run. */
static bool command_exists(const char *command)
{
    if (strchr(command, '/') != NULL) {
        return is_program(command);
    }
    const char *path = getenv("PATH");
    bool found = false;
    for (const char *at = path; at != NULL && !found; at = *at == ':' ? at + 1 : NULL) {
        size_t length = strcspn(at, ":");
        char *candidate;
        if (asprintf(&candidate, "%.*s%s%s", (int)length, at, length > 0 ? "/" : "./", command) < 0) {
            return false;
        }
        found = is_program(candidate);
        free(candidate);
        at += length;
    }
    return found;
}

/* The command as one would type it: arguments with unusual characters stand in quotes. */
static void print_command(FILE *out, char *const *argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    for (size_t i = 0; argv[i] != NULL; i++) {
        fputs(i > 0 ? " " : "", out);
        if (argv[i][0] != '\0' && argv[i][strspn(argv[i], plain)] == '\0') {
            fputs(argv[i], out);
            continue;
        }
        fputc('\'', out);
        for (const char *at = argv[i]; *at != '\0'; at++) {
            if (*at == '\'') {
                fputs("'\\''", out);
            } else {
                fputc(*at, out);
            }
        }
        fputc('\'', out);
    }
}

static bool open_output(struct recording *r, struct hv_err *err)
{
    char *command = NULL;
    size_t bytes;
    FILE *text = open_memstream(&command, &bytes);
    if (text != NULL) {
        print_command(text, r->request->argv);
    }
    if (text == NULL || fclose(text) != 0) {
        free(command);
        return hv_fail(err, "out of memory for the command");
    }
    bool ok = record_output_open(&r->output, r->request, command, err);
    free(command);
    return ok;
}

/* Starts valgrind with the log going into the pipe. */
static bool start(struct recording *r, struct hv_err *err)
{
    static char *const options[] = { "valgrind", "--tool=lackey", "--trace-mem=yes", "--child-silent-after-fork=yes" };
    /* Whose turn it is, and turns for all, so that a limit leaves no thread without a trace. */
    static char *const thread_options[] = { "--trace-sched=yes", "--fair-sched=try" };
    struct child_pipe ends;
    if (!child_pipe_open(&ends, err)) {
        return false;
    }
    size_t words = 0;
    while (r->request->argv[words] != NULL) {
        words++;
    }
    char **argv = calloc(HV_ARRAY_LEN(options) + HV_ARRAY_LEN(thread_options) + 2 + words + 1, sizeof(*argv));
    char log_fd[32];
    snprintf(log_fd, sizeof(log_fd), "--log-fd=%d", ends.write_fd);
    if (argv == NULL) {
        child_pipe_close(&ends);
        return hv_fail(err, "out of memory for the command");
    }
    size_t at = HV_ARRAY_LEN(options);
    memcpy(argv, options, sizeof(options));
    argv[at++] = log_fd;
    for (size_t i = 0; r->request->threads && i < HV_ARRAY_LEN(thread_options); i++) {
        argv[at++] = thread_options[i];
    }
    argv[at++] = "--";
    memcpy(argv + at, r->request->argv, words * sizeof(*argv));
    int error = 0;
    bool ok = child_start(&r->child, &ends, argv, &error);
    free(argv);
    if (!ok && error == ENOENT) {
        return hv_fail(err, "recording needs valgrind, which was not found; install the package valgrind");
    }
    return ok || hv_fail(err, "cannot start valgrind: %s", strerror(error));
}

/* The lackey reader's callback: what the pipe yields, until the user interrupts. */
static size_t read_log(void *ctx, void *buffer, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct recording *r = ctx;
    for (;;) {
        if (r->request->interrupted != NULL && r->request->interrupted(r->request->ctx)) {
            r->result->end = RECORD_INTERRUPTED;
            return 0;
        }
        size_t got = child_read(&r->child, buffer, capacity);
        if (got != CHILD_QUIET) {
            return got;
        }
    }
}

/* Another callback of the lackey reader's. */
static void thread_starts(void *ctx, uint32_t thread)
{
    record_output_thread_starts(&((struct recording *)ctx)->output, thread);
}

/* Drops what is to be skipped, writes the rest up to the limit. */
static bool write_batch(struct recording *r, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    const struct record_request *request = r->request;
    struct record_result *result = r->result;
    uint64_t skip = request->skip - result->skipped < count ? request->skip - result->skipped : count;
    result->skipped += skip;
    count -= (size_t)skip;
    if (request->limit != 0 && request->limit - result->records <= count) {
        count = (size_t)(request->limit - result->records);
        result->end = RECORD_LIMIT;
    }
    result->records += count;
    if (request->progress != NULL) {
        request->progress(request->ctx, result->records);
    }
    return record_output_add(&r->output, r->lackey.thread, batch + skip, count, err);
}

static bool copy_log(struct recording *r, struct hv_err *err)
{
    struct hv_access batch[BATCH];
    lackey_reader_init(&r->lackey, "the output of valgrind", read_log, r, LACKEY_TAIL_DROP);
    r->lackey.thread_starts = r->request->threads ? thread_starts : NULL;
    while (r->result->end == RECORD_COMMAND_ENDED) {
        size_t got = lackey_next(&r->lackey, batch, BATCH, err);
        if (got == 0) {
            return true;
        }
        if (got == LACKEY_READ_ERROR || !write_batch(r, batch, got, err)) {
            return false;
        }
    }
    return true;
}

/* Ends the program when it is not to go on, and takes its exit status when it has ended by itself. */
static void finish_child(struct recording *r, bool ok)
{
    struct record_result *result = r->result;
    if (!ok || result->end != RECORD_COMMAND_ENDED) {
        child_stop(&r->child);
    }
    child_finish(&r->child);
    if (result->end == RECORD_COMMAND_ENDED) {
        int status = r->child.status;
        result->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        /* With the terminal in the program's hands, Ctrl-C reached it and not us. */
        if (result->signal == SIGINT) {
            result->end = RECORD_INTERRUPTED;
        }
    }
}

/* Why there is nothing to write: the sentence that the writer would give does not know. */
static bool check_records(const struct recording *r, struct hv_err *err)
{
    const struct record_result *result = r->result;
    const char *command = r->request->argv[0];
    if (result->records > 0) {
        return true;
    }
    if (result->skipped > 0) {
        return hv_fail(err, "'%s' made only %" PRIu64 " accesses and all were skipped; skip fewer than that", command,
                       result->skipped);
    }
    if (result->end == RECORD_INTERRUPTED) {
        return hv_fail(err, "interrupted before '%s' made an access, so no trace was written", command);
    }
    return hv_fail(err, "valgrind recorded no access of '%s' (exit status %d), so no trace was written", command,
                   result->exit_status);
}

bool record_run(const struct record_request *request, struct record_result *result, struct hv_err *err)
{
    *result = (struct record_result){ .end = RECORD_COMMAND_ENDED };
    if (request->argv[0] == NULL) {
        return hv_fail(err, "there is no command to record");
    }
    if (!command_exists(request->argv[0])) {
        return hv_fail(err, "cannot run '%s': there is no such program", request->argv[0]);
    }
    struct recording *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return hv_fail(err, "out of memory to record '%s'", request->argv[0]);
    }
    r->request = request;
    r->result = result;
    bool ok = open_output(r, err);
    if (ok) {
        ok = start(r, err);
        if (ok) {
            ok = copy_log(r, err);
            finish_child(r, ok);
        }
        result->traces = r->output.traces;
        if (ok && check_records(r, err)) {
            ok = record_output_close(&r->output, err);
        } else {
            ok = false;
            record_output_abort(&r->output);
        }
    }
    free(r);
    return ok;
}
