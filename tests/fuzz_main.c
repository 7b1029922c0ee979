/* SPDX-License-Identifier: MIT */
/*
 * A small deterministic mutational fuzzer: the main of every fuzz_*.c, which defines LLVMFuzzerTestOneInput. The same
 * seed and corpus try the same inputs on every machine, so that what CI finds can be found again.
 *
 *   fuzz_x [--runs N] [--seed S] [FILE|DIRECTORY]...
 *
 * First the corpus is tried as it is, then N mutations of it. `--runs 0 FILE` replays one input. The input that kills
 * the program is left in build-fuzz/crash-x.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Present only in a sanitizer build. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

#define INPUT_BYTES_MAX ((size_t)64 * 1024)
#define CRASH_FOLDER "build-fuzz"

struct bytes {
    uint8_t *data;
    size_t size;
};

struct fuzzer {
    struct bytes *corpus;
    size_t corpus_count;
    struct bytes *tokens; /* the words and numbers of the corpus, pointing into it */
    size_t token_count;
    uint64_t random;
    struct bytes input; /* what is being tried; room for INPUT_BYTES_MAX */
};

/* What a signal handler needs to save the input; a handler has no argument to find it by. */
static struct {
    const uint8_t *data;
    size_t size;
    char path[256];
    char program[256];
} current;

static void *checked(void *memory)
{
    if (memory == NULL) {
        perror("the fuzzer");
        exit(2);
    }
    return memory;
}

/* ---- Saving the input that kills ---- */

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) {
        _exit(1);
    }
}

/* Async-signal-safe. */
static void save_input(void)
{
    int file = open(current.path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, current.data, current.size) != (ssize_t)current.size) {
        say("fuzz: the input could not be saved to ");
        say(current.path);
    } else {
        say("fuzz: saved the input; replay it with: ");
        say(current.program);
        say(" --runs 0 ");
        say(current.path);
    }
    say("\n");
}

static void on_signal(int number)
{
    save_input();
    signal(number, SIG_DFL);
    raise(number);
}

/*
 * The sanitizers report memory errors themselves and then call back; abort, and an interrupt of an input that never
 * ends, arrive as signals.
 */
static void catch_deaths(const char *program)
{
    const char *name = strrchr(program, '/');
    name = name != NULL ? name + 1 : program;
    name += strncmp(name, "fuzz_", 5) == 0 ? 5 : 0;
    snprintf(current.path, sizeof(current.path), CRASH_FOLDER "/crash-%s", name);
    snprintf(current.program, sizeof(current.program), "%s", program);
    mkdir(CRASH_FOLDER, 0777);
    signal(SIGABRT, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(save_input);
    } else {
        signal(SIGSEGV, on_signal);
        signal(SIGBUS, on_signal);
        signal(SIGFPE, on_signal);
        signal(SIGILL, on_signal);
    }
}

/* ---- The corpus ---- */

static void corpus_add(struct fuzzer *fuzzer, struct bytes entry)
{
    fuzzer->corpus = checked(realloc(fuzzer->corpus, (fuzzer->corpus_count + 1) * sizeof(*fuzzer->corpus)));
    fuzzer->corpus[fuzzer->corpus_count++] = entry;
}

static void corpus_add_file(struct fuzzer *fuzzer, const char *path)
{
    struct bytes entry = {.data = checked(malloc(INPUT_BYTES_MAX))};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    entry.size = fread(entry.data, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    /* The exact size, so that the address sanitizer sees a read beyond the end. */
    entry.data = checked(realloc(entry.data, entry.size + 1));
    corpus_add(fuzzer, entry);
}

static void corpus_add_directory(struct fuzzer *fuzzer, const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    if (count < 0) {
        perror(path);
        exit(2);
    }
    for (int i = 0; i < count; i++) {
        char *file = checked(malloc(strlen(path) + strlen(names[i]->d_name) + 2));
        sprintf(file, "%s/%s", path, names[i]->d_name);
        struct stat status;
        if (stat(file, &status) == 0 && S_ISREG(status.st_mode)) {
            corpus_add_file(fuzzer, file);
        }
        free(file);
        free(names[i]);
    }
    free(names);
}

static void corpus_add_path(struct fuzzer *fuzzer, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        corpus_add_directory(fuzzer, path);
    } else {
        corpus_add_file(fuzzer, path);
    }
}

static bool is_word(uint8_t byte)
{
    return isalnum(byte) || byte == '_' || byte == '.';
}

static void tokens_collect(struct fuzzer *fuzzer)
{
    for (size_t c = 0; c < fuzzer->corpus_count; c++) {
        const struct bytes entry = fuzzer->corpus[c];
        for (size_t start = 0, end; start < entry.size; start = end + 1) {
            for (end = start; end < entry.size && is_word(entry.data[end]);) {
                end++;
            }
            if (end > start) {
                size_t count = fuzzer->token_count + 1;
                fuzzer->tokens = checked(realloc(fuzzer->tokens, count * sizeof(*fuzzer->tokens)));
                fuzzer->tokens[fuzzer->token_count++] = (struct bytes){entry.data + start, end - start};
            }
        }
    }
}

/* ---- Mutations ---- */

/* splitmix64: tiny, and the same on every machine. */
static uint64_t random_next(struct fuzzer *fuzzer)
{
    uint64_t z = fuzzer->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In 0 .. limit - 1; 0 for a limit of 0. */
static size_t random_below(struct fuzzer *fuzzer, size_t limit)
{
    return limit > 0 ? (size_t)(random_next(fuzzer) % limit) : 0;
}

/* Replaces `removed` bytes at `at` by the given ones, as far as there is room. */
static void input_splice(struct fuzzer *fuzzer, size_t at, size_t removed, struct bytes inserted)
{
    struct bytes *input = &fuzzer->input;
    removed = removed < input->size - at ? removed : input->size - at;
    size_t kept = input->size - removed;
    size_t added = inserted.size < INPUT_BYTES_MAX - kept ? inserted.size : INPUT_BYTES_MAX - kept;
    memmove(input->data + at + added, input->data + at + removed, kept - at);
    memcpy(input->data + at, inserted.data, added);
    input->size = kept + added;
}

static void flip_bit(struct fuzzer *fuzzer)
{
    if (fuzzer->input.size > 0) {
        size_t at = random_below(fuzzer, fuzzer->input.size);
        fuzzer->input.data[at] ^= (uint8_t)(1u << random_below(fuzzer, 8));
    }
}

static void insert_bytes(struct fuzzer *fuzzer)
{
    uint8_t noise[8];
    for (size_t i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t)random_next(fuzzer);
    }
    size_t at = random_below(fuzzer, fuzzer->input.size + 1);
    input_splice(fuzzer, at, 0, (struct bytes){noise, 1 + random_below(fuzzer, sizeof(noise))});
}

static void delete_bytes(struct fuzzer *fuzzer)
{
    size_t at = random_below(fuzzer, fuzzer->input.size + 1);
    size_t longest = random_below(fuzzer, 4) == 0 ? fuzzer->input.size : 8;
    input_splice(fuzzer, at, 1 + random_below(fuzzer, longest), (struct bytes){fuzzer->input.data, 0});
}

/* Duplicates a piece of the input elsewhere in it. */
static void duplicate_bytes(struct fuzzer *fuzzer)
{
    uint8_t piece[256];
    size_t from = random_below(fuzzer, fuzzer->input.size);
    size_t size = random_below(fuzzer, fuzzer->input.size - from + 1);
    size = size < sizeof(piece) ? size : sizeof(piece);
    memcpy(piece, fuzzer->input.data + from, size);
    input_splice(fuzzer, random_below(fuzzer, fuzzer->input.size + 1), 0, (struct bytes){piece, size});
}

/* The values at which code that handles integers goes wrong, in binary of one to eight bytes and in text. */
static void put_integer(struct fuzzer *fuzzer)
{
    static const uint64_t edges[] = {
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0x100,
        0xfff,
        0x1000,
        0x7fff,
        0x8000,
        0xffff,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7fffffffffff,
        0x800000000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        UINT64_MAX,
    };
    uint64_t value = edges[random_below(fuzzer, sizeof(edges) / sizeof(edges[0]))];
    size_t at = random_below(fuzzer, fuzzer->input.size + 1);
    uint8_t buffer[32];
    if (random_below(fuzzer, 2) == 0) {
        size_t size = (size_t)1 << random_below(fuzzer, 4);
        memcpy(buffer, &value, sizeof(value));
        input_splice(fuzzer, at, size, (struct bytes){buffer, size});
    } else {
        char text[32];
        int size = 0;
        switch (random_below(fuzzer, 3)) {
        case 0: size = snprintf(text, sizeof(text), "%lld", (long long)value); break;
        case 1: size = snprintf(text, sizeof(text), "%llu", (unsigned long long)value); break;
        default: size = snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value); break;
        }
        memcpy(buffer, text, (size_t)size);
        input_splice(fuzzer, at, random_below(fuzzer, 4), (struct bytes){buffer, (size_t)size});
    }
}

static void put_token(struct fuzzer *fuzzer)
{
    if (fuzzer->token_count > 0) {
        struct bytes token = fuzzer->tokens[random_below(fuzzer, fuzzer->token_count)];
        size_t at = random_below(fuzzer, fuzzer->input.size + 1);
        input_splice(fuzzer, at, random_below(fuzzer, 2) * token.size, token);
    }
}

/* The head of the input, and the tail of another corpus entry. */
static void cross_over(struct fuzzer *fuzzer)
{
    struct bytes other = fuzzer->corpus[random_below(fuzzer, fuzzer->corpus_count)];
    size_t from = random_below(fuzzer, other.size + 1);
    size_t at = random_below(fuzzer, fuzzer->input.size + 1);
    input_splice(fuzzer, at, fuzzer->input.size, (struct bytes){other.data + from, other.size - from});
}

static void (*const mutations[])(struct fuzzer *fuzzer) = {
    flip_bit, insert_bytes, delete_bytes, duplicate_bytes, put_integer, put_token, cross_over,
};

/* A corpus entry with one to eight mutations on top of each other. */
static void input_make(struct fuzzer *fuzzer)
{
    struct bytes entry = fuzzer->corpus[random_below(fuzzer, fuzzer->corpus_count)];
    memcpy(fuzzer->input.data, entry.data, entry.size);
    fuzzer->input.size = entry.size;
    for (size_t count = 1 + random_below(fuzzer, 8); count > 0; count--) {
        mutations[random_below(fuzzer, sizeof(mutations) / sizeof(mutations[0]))](fuzzer);
    }
}

/* ---- The run ---- */

/* The target gets a block of exactly the input's size, so that the address sanitizer sees every read beyond it. */
static void input_try(struct bytes input)
{
    uint8_t *exact = checked(malloc(input.size > 0 ? input.size : 1));
    memcpy(exact, input.data, input.size);
    current.data = exact;
    current.size = input.size;
    LLVMFuzzerTestOneInput(exact, input.size);
    current.size = 0;
    free(exact);
}

static void fuzz(struct fuzzer *fuzzer, uint64_t runs)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    time_t shown = time(NULL);
    for (size_t i = 0; i < fuzzer->corpus_count; i++) {
        input_try(fuzzer->corpus[i]);
    }
    for (uint64_t run = 0; run < runs; run++) {
        input_make(fuzzer);
        input_try(fuzzer->input);
        if (terminal && run % 256 == 0 && time(NULL) != shown) {
            shown = time(NULL);
            fprintf(stderr, "\r%llu of %llu runs", (unsigned long long)run, (unsigned long long)runs);
        }
    }
    if (terminal) {
        fprintf(stderr, "\r\033[K");
    }
    printf("%zu corpus entries, %llu mutations\n", fuzzer->corpus_count, (unsigned long long)runs);
}

static uint64_t number_parse(const char *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = text != NULL ? strtoull(text, &end, 0) : 0;
    if (text == NULL || end == text || *end != '\0' || errno != 0 || text[0] == '-') {
        fprintf(stderr, "%s wants a number, not \"%s\".\n", option, text != NULL ? text : "");
        exit(2);
    }
    return value;
}

static void fuzzer_fini(struct fuzzer *fuzzer)
{
    for (size_t i = 0; i < fuzzer->corpus_count; i++) {
        free(fuzzer->corpus[i].data);
    }
    free(fuzzer->corpus);
    free(fuzzer->tokens);
    free(fuzzer->input.data);
}

int main(int argc, char **argv)
{
    uint64_t runs = 1000000;
    struct fuzzer fuzzer = {.random = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0) {
            runs = number_parse("--runs", argv[++i]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            fuzzer.random = number_parse("--seed", argv[++i]);
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "usage: %s [--runs N] [--seed S] [FILE|DIRECTORY]...\n", argv[0]);
            return 2;
        } else {
            corpus_add_path(&fuzzer, argv[i]);
        }
    }
    if (fuzzer.corpus_count == 0) {
        corpus_add(&fuzzer, (struct bytes){checked(calloc(1, 1)), 0});
    }
    tokens_collect(&fuzzer);
    fuzzer.input.data = checked(malloc(INPUT_BYTES_MAX));
    catch_deaths(argv[0]);
    fuzz(&fuzzer, runs);
    fuzzer_fini(&fuzzer);
    return 0;
}
