/* SPDX-License-Identifier: MIT */
#include "workload/byte_source.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define IN_BYTES 65536u
#define GZIP_WINDOW_BITS (15 + 16) /* zlib's way to expect a gzip header */
#define XZ_MEMORY_BYTES (UINT64_C(1) << 30)

struct byte_source {
    int fd;
    char *path;
    bool ended; /* the file's end was read */
    size_t (*read)(struct byte_source *s, void *buffer, size_t capacity, struct hv_err *err);
    z_stream gzip;
    lzma_stream xz;
    ZSTD_DCtx *zstd;
    bool inside;     /* a compressed frame has begun and not ended */
    size_t pos, end; /* what is left of in */
    unsigned char in[IN_BYTES];
};

static size_t fail(const struct byte_source *s, const char *what, struct hv_err *err)
{
    hv_fail(err, "cannot read '%s': %s", s->path, what);
    return BYTE_SOURCE_ERROR;
}

/* Refills an empty input buffer; false on an error of the system. */
static bool fill(struct byte_source *s, struct hv_err *err)
{
    while (s->pos == s->end && !s->ended) {
        ssize_t got = read(s->fd, s->in, IN_BYTES);
        if (got < 0 && errno != EINTR) {
            fail(s, strerror(errno), err);
            return false;
        }
        if (got >= 0) {
            s->ended = got == 0;
            s->pos = 0;
            s->end = (size_t)got;
        }
    }
    return true;
}

static size_t read_plain(struct byte_source *s, void *buffer, size_t capacity, struct hv_err *err)
{
    if (!fill(s, err)) {
        return BYTE_SOURCE_ERROR;
    }
    size_t bytes = s->end - s->pos < capacity ? s->end - s->pos : capacity;
    memcpy(buffer, s->in + s->pos, bytes);
    s->pos += bytes;
    return bytes;
}

/* A gzip file may be several members one after the other. */
static size_t read_gzip(struct byte_source *s, void *buffer, size_t capacity, struct hv_err *err)
{
    z_stream *z = &s->gzip;
    z->next_out = buffer;
    z->avail_out = (uInt)capacity;
    while (z->avail_out == capacity) {
        if (!fill(s, err)) {
            return BYTE_SOURCE_ERROR;
        }
        if (s->ended) {
            return s->inside ? fail(s, "the gzip data ends too early", err) : 0;
        }
        z->next_in = s->in + s->pos;
        z->avail_in = (uInt)(s->end - s->pos);
        s->inside = true;
        int result = inflate(z, Z_NO_FLUSH);
        s->pos = s->end - z->avail_in;
        if (result == Z_STREAM_END) {
            s->inside = false;
            inflateReset(z);
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            return fail(s, "the gzip data is damaged", err);
        }
    }
    return capacity - z->avail_out;
}

static size_t read_xz(struct byte_source *s, void *buffer, size_t capacity, struct hv_err *err)
{
    lzma_stream *z = &s->xz;
    z->next_out = buffer;
    z->avail_out = capacity;
    while (z->avail_out == capacity) {
        if (!fill(s, err)) {
            return BYTE_SOURCE_ERROR;
        }
        z->next_in = s->in + s->pos;
        z->avail_in = s->end - s->pos;
        lzma_ret result = lzma_code(z, s->ended ? LZMA_FINISH : LZMA_RUN);
        s->pos = s->end - z->avail_in;
        if (result == LZMA_STREAM_END) {
            break;
        }
        if (result == LZMA_BUF_ERROR && s->ended) {
            return fail(s, "the xz data ends too early", err);
        }
        if (result != LZMA_OK && result != LZMA_BUF_ERROR) {
            return fail(s, result == LZMA_MEMLIMIT_ERROR ? "the xz data needs more than 1 GiB of memory"
                                                         : "the xz data is damaged", err);
        }
    }
    return capacity - z->avail_out;
}

static size_t read_zstd(struct byte_source *s, void *buffer, size_t capacity, struct hv_err *err)
{
    ZSTD_outBuffer out = { buffer, capacity, 0 };
    while (out.pos == 0) {
        if (!fill(s, err)) {
            return BYTE_SOURCE_ERROR;
        }
        ZSTD_inBuffer in = { s->in, s->end, s->pos };
        size_t before = in.pos;
        size_t left = s->ended && !s->inside ? 0 : ZSTD_decompressStream(s->zstd, &out, &in);
        s->pos = in.pos;
        if (ZSTD_isError(left)) {
            return fail(s, "the zstd data is damaged", err);
        }
        s->inside = left != 0;
        if (s->ended && out.pos == 0 && in.pos == before) {
            return s->inside ? fail(s, "the zstd data ends too early", err) : 0;
        }
    }
    return out.pos;
}

static bool begins_with(const struct byte_source *s, const char *magic, size_t bytes)
{
    return s->end >= bytes && memcmp(s->in, magic, bytes) == 0;
}

static bool start_decoding(struct byte_source *s, struct hv_err *err)
{
    bool ok = true;
    s->read = read_plain;
    if (begins_with(s, "\x1f\x8b", 2)) {
        s->read = read_gzip;
        ok = inflateInit2(&s->gzip, GZIP_WINDOW_BITS) == Z_OK;
    } else if (begins_with(s, "\xfd" "7zXZ\0", 6)) {
        s->read = read_xz;
        ok = lzma_stream_decoder(&s->xz, XZ_MEMORY_BYTES, LZMA_CONCATENATED) == LZMA_OK;
    } else if (begins_with(s, "\x28\xb5\x2f\xfd", 4)) {
        s->read = read_zstd;
        s->zstd = ZSTD_createDCtx();
        ok = s->zstd != NULL;
    }
    if (!ok) {
        fail(s, "out of memory", err);
    }
    return ok;
}

struct byte_source *byte_source_open(const char *path, struct hv_err *err)
{
    struct byte_source *s = calloc(1, sizeof(*s));
    if (s == NULL || (s->path = strdup(path)) == NULL) {
        free(s);
        hv_fail(err, "out of memory to read '%s'", path);
        return NULL;
    }
    s->xz = (lzma_stream)LZMA_STREAM_INIT;
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) {
        fail(s, strerror(errno), err);
        byte_source_close(s);
        return NULL;
    }
    if (!fill(s, err) || !start_decoding(s, err)) {
        byte_source_close(s);
        return NULL;
    }
    return s;
}

void byte_source_close(struct byte_source *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    inflateEnd(&s->gzip);
    lzma_end(&s->xz);
    ZSTD_freeDCtx(s->zstd);
    free(s->path);
    free(s);
}

size_t byte_source_read(void *source, void *buffer, size_t capacity, struct hv_err *err)
{
    struct byte_source *s = source;
    return s->read(s, buffer, capacity, err);
}
