/* SPDX-License-Identifier: MIT */
#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many bytes of path are its directory, final slash included. */
static int directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (int)(slash - path) + 1;
}

/* Creates DIR/.NAME.PID.N.tmp for the first free N: an earlier run with the same PID may have been killed. */
static int open_temporary(struct atomic_file *file)
{
    int directory = directory_length(file->path);
    for (unsigned n = 0; n < 1000; n++) {
        int length = snprintf(file->temporary, sizeof(file->temporary), "%.*s.%s.%ld.%u.tmp", directory, file->path,
                              file->path + directory, (long)getpid(), n);
        if (length < 0 || (size_t)length >= sizeof(file->temporary)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST) {
            return descriptor;
        }
    }
    return -1;
}

enum { BUFFER_BYTES = 1 << 18 };

bool atomic_file_open(struct atomic_file *file, const char *path, struct hv_err *err)
{
    *file = (struct atomic_file){ 0 };
    struct stat old;
    if (strlen(path) >= sizeof(file->path)) {
        return hv_fail(err, "cannot write %s: %s", path, strerror(ENAMETOOLONG));
    }
    strcpy(file->path, path);
    /* A rename would replace a device such as /dev/null by a file. */
    if (stat(path, &old) == 0 && !S_ISREG(old.st_mode)) {
        return hv_fail(err, "cannot write %s: it exists and is not a regular file", path);
    }
    int descriptor = open_temporary(file);
    if (descriptor < 0) {
        return hv_fail(err, "cannot write %s: %s", path, strerror(errno));
    }
    file->out = fdopen(descriptor, "w");
    HV_ASSERT(file->out != NULL, "out of memory for a stream");
    /* A result fits the buffer, so what it is that fails shows when it is committed, and not in a forgotten write. */
    file->buffer = malloc(BUFFER_BYTES);
    HV_ASSERT(file->buffer != NULL, "out of memory for a stream");
    setvbuf(file->out, file->buffer, _IOFBF, BUFFER_BYTES);
    return true;
}

/* The rename itself is safe on disk once the directory is; where that cannot be done, it is merely less sure. */
static void sync_directory(const struct atomic_file *file)
{
    char directory[PATH_MAX];
    int length = directory_length(file->path);
    snprintf(directory, sizeof(directory), "%.*s", length == 0 ? 1 : length, length == 0 ? "." : file->path);
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
}

/* Brings everything to the disk; returns 0 or the errno of what failed. */
static int flush_to_disk(FILE *out)
{
    errno = 0;
    bool failed = fflush(out) != 0 || fsync(fileno(out)) != 0;
    int error = errno;
    if (failed) {
        return error;
    }
    /* An earlier write failed although this flush did not: what it lost is lost. */
    return ferror(out) ? EIO : 0;
}

bool atomic_file_commit(struct atomic_file *file, struct hv_err *err)
{
    int error = flush_to_disk(file->out);
    if (fclose(file->out) != 0 && error == 0) {
        error = errno;
    }
    free(file->buffer);
    file->out = NULL;
    if (error == 0 && rename(file->temporary, file->path) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(file->temporary);
        return hv_fail(err, "cannot write %s: %s", file->path, strerror(error));
    }
    sync_directory(file);
    return true;
}

void atomic_file_abort(struct atomic_file *file)
{
    if (file->out != NULL) {
        fclose(file->out);
        free(file->buffer);
        unlink(file->temporary);
        file->out = NULL;
    }
}

/* Makes one directory, which may exist. */
static bool create_one(const char *path, struct hv_err *err)
{
    if (mkdir(path, 0777) == 0) {
        return true;
    }
    int error = errno;
    struct stat there;
    if (stat(path, &there) == 0) {
        return S_ISDIR(there.st_mode) || hv_fail(err, "cannot create directory %s: it exists as a file", path);
    }
    return hv_fail(err, "cannot create directory %s: %s", path, strerror(error));
}

bool dir_create(const char *path, struct hv_err *err)
{
    char part[PATH_MAX];
    if (strlen(path) >= sizeof(part)) {
        return hv_fail(err, "cannot create directory %s: %s", path, strerror(ENAMETOOLONG));
    }
    strcpy(part, path);
    for (char *slash = strchr(part + (part[0] == '/'), '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!create_one(part, err)) {
            return false;
        }
        *slash = '/';
    }
    return create_one(part, err);
}
