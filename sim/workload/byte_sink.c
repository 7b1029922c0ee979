/* SPDX-License-Identifier: MIT */
#define ZLIB_CONST /* next_in points to const data */
#include "workload/byte_sink.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/atomic_file.h"
#include "base/types.h"

#define OUT_BYTES 65536u
#define GZIP_WINDOW_BITS (15 + 16) /* zlib's way to ask for a gzip header */
#define GZIP_LEVEL 6
#define GZIP_MEMORY_LEVEL 8
#define XZ_PRESET 3
#define ZSTD_LEVEL 3

struct byte_sink {
    struct atomic_file file;
    enum byte_coding coding;
    z_stream gzip;
    lzma_stream xz;
    ZSTD_CCtx *zstd;
    unsigned char out[OUT_BYTES];
};

static const struct {
    const char *extension;
    enum byte_coding coding;
} codings[] = { { ".gz", BYTES_GZIP }, { ".xz", BYTES_XZ }, { ".zst", BYTES_ZSTD } };

enum byte_coding byte_coding_of(const char *path, size_t *bytes)
{
    *bytes = strlen(path);
    for (size_t i = 0; i < HV_ARRAY_LEN(codings); i++) {
        size_t length = strlen(codings[i].extension);
        if (*bytes > length && strcmp(path + *bytes - length, codings[i].extension) == 0) {
            *bytes -= length;
            return codings[i].coding;
        }
    }
    return BYTES_PLAIN;
}

static void sink_free(struct byte_sink *sink)
{
    deflateEnd(&sink->gzip);
    lzma_end(&sink->xz);
    ZSTD_freeCCtx(sink->zstd);
    free(sink);
}

static bool write_failed(const struct byte_sink *sink, int error, struct hv_err *err)
{
    return hv_fail(err, "cannot write %s: %s", sink->file.path, strerror(error));
}

static bool write_out(struct byte_sink *sink, const void *data, size_t bytes, struct hv_err *err)
{
    return fwrite(data, 1, bytes, sink->file.out) == bytes || write_failed(sink, errno, err);
}

static bool start_coding(struct byte_sink *sink, struct hv_err *err)
{
    bool ok = true;
    if (sink->coding == BYTES_GZIP) {
        ok = deflateInit2(&sink->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                          Z_DEFAULT_STRATEGY) == Z_OK;
    } else if (sink->coding == BYTES_XZ) {
        ok = lzma_easy_encoder(&sink->xz, XZ_PRESET, LZMA_CHECK_CRC64) == LZMA_OK;
    } else if (sink->coding == BYTES_ZSTD) {
        sink->zstd = ZSTD_createCCtx();
        ok = sink->zstd != NULL && !ZSTD_isError(ZSTD_CCtx_setParameter(sink->zstd, ZSTD_c_compressionLevel,
                                                                       ZSTD_LEVEL));
    }
    return ok || write_failed(sink, ENOMEM, err);
}

struct byte_sink *byte_sink_open(const char *path, enum byte_coding coding, struct hv_err *err)
{
    struct byte_sink *sink = calloc(1, sizeof(*sink));
    if (sink == NULL) {
        hv_fail(err, "out of memory to write %s", path);
        return NULL;
    }
    sink->coding = coding;
    sink->xz = (lzma_stream)LZMA_STREAM_INIT;
    if (!atomic_file_open(&sink->file, path, err)) {
        sink_free(sink);
        return NULL;
    }
    if (!start_coding(sink, err)) {
        byte_sink_abort(sink);
        return NULL;
    }
    return sink;
}

static bool write_gzip(struct byte_sink *sink, const void *data, size_t bytes, bool finish, struct hv_err *err)
{
    z_stream *z = &sink->gzip;
    z->next_in = data;
    z->avail_in = (uInt)bytes;
    do {
        z->next_out = sink->out;
        z->avail_out = OUT_BYTES;
        deflate(z, finish ? Z_FINISH : Z_NO_FLUSH);
        if (!write_out(sink, sink->out, OUT_BYTES - z->avail_out, err)) {
            return false;
        }
    } while (z->avail_out == 0);
    return true;
}

static bool write_xz(struct byte_sink *sink, const void *data, size_t bytes, bool finish, struct hv_err *err)
{
    lzma_stream *z = &sink->xz;
    z->next_in = data;
    z->avail_in = bytes;
    do {
        z->next_out = sink->out;
        z->avail_out = OUT_BYTES;
        lzma_ret result = lzma_code(z, finish ? LZMA_FINISH : LZMA_RUN);
        if (result != LZMA_OK && result != LZMA_STREAM_END && result != LZMA_BUF_ERROR) {
            return write_failed(sink, ENOMEM, err);
        }
        if (!write_out(sink, sink->out, OUT_BYTES - z->avail_out, err)) {
            return false;
        }
    } while (z->avail_out == 0);
    return true;
}

static bool write_zstd(struct byte_sink *sink, const void *data, size_t bytes, bool finish, struct hv_err *err)
{
    ZSTD_inBuffer in = { data, bytes, 0 };
    size_t left;
    do {
        ZSTD_outBuffer out = { sink->out, OUT_BYTES, 0 };
        left = ZSTD_compressStream2(sink->zstd, &out, &in, finish ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            return write_failed(sink, ENOMEM, err);
        }
        if (!write_out(sink, sink->out, out.pos, err)) {
            return false;
        }
    } while (in.pos < in.size || (finish && left > 0));
    return true;
}

static bool sink_put(struct byte_sink *sink, const void *data, size_t bytes, bool finish, struct hv_err *err)
{
    switch (sink->coding) {
    case BYTES_GZIP:
        return write_gzip(sink, data, bytes, finish, err);
    case BYTES_XZ:
        return write_xz(sink, data, bytes, finish, err);
    case BYTES_ZSTD:
        return write_zstd(sink, data, bytes, finish, err);
    case BYTES_PLAIN:
        break;
    }
    return write_out(sink, data, bytes, err);
}

bool byte_sink_write(struct byte_sink *sink, const void *data, size_t bytes, struct hv_err *err)
{
    return sink_put(sink, data, bytes, false, err);
}

bool byte_sink_rewrite(struct byte_sink *sink, uint64_t offset, const void *data, size_t bytes, struct hv_err *err)
{
    HV_ASSERT(sink->coding == BYTES_PLAIN, "what is compressed cannot be rewritten");
    if (fseeko(sink->file.out, (off_t)offset, SEEK_SET) != 0) {
        return write_failed(sink, errno, err);
    }
    bool ok = write_out(sink, data, bytes, err);
    return ok && (fseeko(sink->file.out, 0, SEEK_END) == 0 || write_failed(sink, errno, err));
}

bool byte_sink_commit(struct byte_sink *sink, struct hv_err *err)
{
    if (!sink_put(sink, "", 0, true, err)) {
        byte_sink_abort(sink);
        return false;
    }
    bool ok = atomic_file_commit(&sink->file, err);
    sink_free(sink);
    return ok;
}

void byte_sink_abort(struct byte_sink *sink)
{
    atomic_file_abort(&sink->file);
    sink_free(sink);
}
