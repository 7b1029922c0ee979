/* SPDX-License-Identifier: MIT */
/*
 * Capturing what a test prints, without losing it when the test brings the program down.
 *
 * cmocka survives a segmentation fault. It does not survive abort(), exit(), a sanitizer's report or the _Exit() of
 * HV_ASSERT, and those would take the captured text with them; so each of these ways out prints it first.
 */
#include "gtest_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Present only in a sanitizer build. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/*
 * The one mutable global of the harness: a signal handler has no other way to find the capture. A test may fork, and
 * what its child does is the test's own affair; so the owner is kept too.
 */
static struct {
    bool active;
    bool prepared;
    pid_t owner;
    int file;
    int real_stdout;
    int real_stderr;
    const char *full_name;
} capture;

static void write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written <= 0) {
            return;
        }
        text += written;
        length -= (size_t)written;
    }
}

static void write_string(int fd, const char *text)
{
    write_all(fd, text, strlen(text));
}

/* Async-signal-safe: the captured text, then the line that tells which test ended the program. */
static void print_death(const char *cause)
{
    char block[4096];
    ssize_t length = pread(capture.file, block, sizeof(block), 0);
    /* The first line is cmocka's, which has its own name for the test. */
    const char *line_end = length > 0 ? memchr(block, '\n', (size_t)length) : NULL;
    off_t offset = line_end != NULL ? line_end + 1 - block : 0;
    while ((length = pread(capture.file, block, sizeof(block), offset)) > 0) {
        write_all(capture.real_stdout, block, (size_t)length);
        offset += length;
    }
    write_string(capture.real_stdout, "\n[  FAILED  ] ");
    write_string(capture.real_stdout, capture.full_name);
    write_string(capture.real_stdout, ", which ended the test program by ");
    write_string(capture.real_stdout, cause);
    write_string(capture.real_stdout, "\n");
}

static bool death_is_ours(void)
{
    return capture.active && capture.owner == getpid();
}

static void on_abort(int signal_number)
{
    if (death_is_ours()) {
        print_death("abort()");
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void on_sanitizer_death(void)
{
    if (death_is_ours()) {
        print_death("the sanitizer's report above");
    }
}

static void on_exit_call(void)
{
    if (death_is_ours()) {
        fflush(stdout);
        print_death("a call of exit()");
        _exit(1); /* exit(0) in the middle of a test must not look like success. */
    }
}

/* Test programs are linked with --wrap=_Exit, which sends the calls of _Exit here. Weak: it is absent otherwise. */
_Noreturn extern void __real__Exit(int status) __attribute__((weak));
_Noreturn extern void __wrap__Exit(int status);

void __wrap__Exit(int status)
{
    if (death_is_ours()) {
        print_death("a call of _Exit()");
    }
    __real__Exit(status);
}

static void prepare(void)
{
    if (capture.prepared) {
        return;
    }
    capture.prepared = true;
    atexit(on_exit_call);
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(on_sanitizer_death);
    }
}

void gtest_capture_begin(const char *full_name)
{
    prepare();
    fflush(stdout);
    fflush(stderr);
    capture.owner = getpid();
    capture.full_name = full_name;
    capture.file = memfd_create("test-output", MFD_CLOEXEC);
    capture.real_stdout = dup(STDOUT_FILENO);
    capture.real_stderr = dup(STDERR_FILENO);
    if (capture.file < 0 || capture.real_stdout < 0 || capture.real_stderr < 0 ||
        dup2(capture.file, STDOUT_FILENO) < 0 || dup2(capture.file, STDERR_FILENO) < 0) {
        perror("the test harness cannot capture the output of a test");
        _exit(1);
    }
    capture.active = true;
}

char *gtest_capture_end(void)
{
    fflush(stdout);
    fflush(stderr);
    capture.active = false;
    dup2(capture.real_stdout, STDOUT_FILENO);
    dup2(capture.real_stderr, STDERR_FILENO);
    close(capture.real_stdout);
    close(capture.real_stderr);

    off_t end = lseek(capture.file, 0, SEEK_END);
    size_t length = end > 0 ? (size_t)end : 0;
    char *text = malloc(length + 1);
    if (text == NULL) {
        perror("the test harness cannot read the output of a test");
        _exit(1);
    }
    ssize_t got = pread(capture.file, text, length, 0);
    text[got > 0 ? got : 0] = '\0';
    close(capture.file);
    return text;
}
