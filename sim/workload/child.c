/* SPDX-License-Identifier: MIT */
#include "workload/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 100
#define GRACE_MS 2000
#define DRAIN_BYTES 65536u

static void close_end(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

bool child_pipe_open(struct child_pipe *ends, struct hv_err *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return hv_fail(err, "cannot make a pipe: %s", strerror(errno));
    }
    ends->read_fd = fds[0];
    ends->write_fd = fds[1];
    return true;
}

void child_pipe_close(struct child_pipe *ends)
{
    close_end(&ends->read_fd);
    close_end(&ends->write_fd);
}

/*
 * Makes group the terminal's foreground. Whoever asks from the background would be stopped by SIGTTOU, hence the
 * mask. A terminal that has gone away meanwhile is no matter.
 */
static void give_terminal(pid_t group)
{
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGTTOU);
    sigprocmask(SIG_BLOCK, &block, &old);
    (void)tcsetpgrp(STDIN_FILENO, group);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* Between fork and exec: returns only by _exit, with the reason written to report_fd. */
static _Noreturn void become(const struct child_pipe *ends, char *const *argv, bool terminal, int report_fd)
{
    setpgid(0, 0);
    if (terminal) {
        give_terminal(getpgrp());
    }
    fcntl(ends->write_fd, F_SETFD, 0);
    execvp(argv[0], argv);
    int error = errno;
    ssize_t wrote = write(report_fd, &error, sizeof(error));
    _exit(wrote == (ssize_t)sizeof(error) ? 127 : 126);
}

/* The errno with which the new process could not start its program, or 0: exec closes the pipe without a word. */
static int start_error(int fd)
{
    int error = 0;
    ssize_t got;
    do {
        got = read(fd, &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(error) ? error : 0;
}

bool child_start(struct child *c, struct child_pipe *ends, char *const *argv, int *error)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        *error = errno;
        child_pipe_close(ends);
        return false;
    }
    *c = (struct child){ .fd = ends->read_fd };
    c->terminal = tcgetpgrp(STDIN_FILENO) == getpgrp();
    c->pid = fork();
    if (c->pid == 0) {
        become(ends, argv, c->terminal, report[1]);
    }
    *error = c->pid < 0 ? errno : 0;
    close(report[1]);
    ends->read_fd = -1;
    child_pipe_close(ends);
    if (c->pid > 0) {
        /* Here and in the child: whichever comes first, the group exists before it is used. */
        setpgid(c->pid, c->pid);
        *error = start_error(report[0]);
        if (*error != 0) {
            child_finish(c);
        }
    } else {
        close_end(&c->fd);
    }
    close(report[0]);
    return *error == 0;
}

/* Looks, without waiting, what became of the child. It is not reaped, so that its group keeps its number. */
static void look(struct child *c)
{
    siginfo_t info = { 0 };
    if (c->exited || waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        return;
    }
    c->exited = info.si_pid == c->pid;
}

size_t child_read(struct child *c, void *buffer, size_t capacity)
{
    struct pollfd ready = { .fd = c->fd, .events = POLLIN };
    int readable = poll(&ready, 1, c->exited ? 0 : QUIET_MS);
    if (readable < 0) {
        return CHILD_QUIET;
    }
    if (readable == 0) {
        /* Whatever the child has forked may hold the pipe open for ever; the child's own end is what counts. */
        if (c->exited) {
            return 0;
        }
        look(c);
        return CHILD_QUIET;
    }
    ssize_t got = read(c->fd, buffer, capacity);
    return got < 0 ? CHILD_QUIET : (size_t)got;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A writer with a full pipe could not end, so what it still says is read and dropped. */
void child_stop(struct child *c)
{
    char dropped[DRAIN_BYTES];
    kill(-c->pid, SIGTERM);
    kill(-c->pid, SIGCONT);
    for (long end = now_ms() + GRACE_MS; !c->exited && now_ms() < end;) {
        if (child_read(c, dropped, sizeof(dropped)) == 0) {
            struct timespec moment = { .tv_nsec = 1000000 };
            nanosleep(&moment, NULL);
        }
        look(c);
    }
    kill(-c->pid, SIGKILL);
}

void child_finish(struct child *c)
{
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR) {
        /* A signal that is not the child's end. */
    }
    c->exited = true;
    if (c->terminal) {
        give_terminal(getpgrp());
    }
    close_end(&c->fd);
}
