/* SPDX-License-Identifier: MIT */
/*
 * A program that writes to a pipe of ours while its stdin, stdout and stderr stay the user's.
 *
 * It runs in a process group of its own, so that all it starts can be ended with it. When we are in the terminal's
 * foreground, the group takes our place there, so that it may read the terminal and gets its Ctrl-C. (Ctrl-Z does
 * nothing then: valgrind, for which this is made, does not stop.)
 */
#ifndef HV_WORKLOAD_CHILD_H
#define HV_WORKLOAD_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct child {
    pid_t pid;     /* also of its process group */
    int fd;        /* our end of the pipe */
    bool terminal; /* its group has the terminal */
    bool exited;
    int status;    /* as waitpid gives it, once it has exited */
};

/* The pipe of a child that is going to be started. */
struct child_pipe {
    int read_fd, write_fd; /* the child finds its end under the number write_fd */
};

bool child_pipe_open(struct child_pipe *ends, struct hv_err *err);
void child_pipe_close(struct child_pipe *ends);

/* Takes over the pipe. When argv[0] cannot be started, returns false and leaves why in *error, an errno. */
bool child_start(struct child *c, struct child_pipe *ends, char *const *argv, int *error);

#define CHILD_QUIET ((size_t)-1) /* nothing was written for a moment: look whether to go on, and ask again */

/* The next 1..capacity bytes of the pipe; 0 when it was closed or the child has exited and it is empty. */
size_t child_read(struct child *c, void *buffer, size_t capacity);

/* Ends the whole group: asks it to, and after a grace of two seconds kills what is left. */
void child_stop(struct child *c);

/* Waits until the child has exited, takes the terminal back and closes the pipe. */
void child_finish(struct child *c);

#endif
