/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/param.h"
#include "cli/cli.h"

static int cmd_help(int argc, char **argv);

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cmd_run, "run a workload on a machine and say what it cost"},
    {"walk", cmd_walk, "translate one address, step by step"},
    {"mrc", cmd_mrc, "miss-ratio curve: the misses of a TLB of every size, in one pass"},
    {"sweep", cmd_sweep, "run an experiment at every combination of some parameters' values, and plot it"},
    {"figures", cmd_figures, "repeat published results, and say whether they come out"},
    {"diff", cmd_diff, "say which statistics moved between two results, and by how much"},
    {"report", cmd_report, "make one page of HTML of the results in a directory"},
    {"record", cmd_record, "record the memory accesses of a real program"},
    {"trace", cmd_trace, "say what is in a trace, or convert it"},
    {"check", cmd_check, "validate a configuration, workload or sweep file"},
    {"lint", cmd_lint, "say which checks of a VM entry a VMCS fails"},
    {"params", cmd_params, "the reference of parameters"},
    {"stats", cmd_stats, "the reference of statistics"},
    {"list", cmd_list, "the files that hvsim ships, the tables of VMX"},
    {"help", cmd_help, "this help, or that of a command"},
};

int cli_fail(const struct hv_err *err)
{
    return cli_mistake("%s", err->text);
}

int cli_mistake(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("hvsim: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return HV_EXIT_USER;
}

static void print_help(void)
{
    fputs("Usage: hvsim COMMAND [ARGUMENT...]\n\n"
          "hvsim simulates virtualization hardware cycle by cycle: what does a two-dimensional page walk cost, and\n"
          "where do its cycles go? `hvsim run skylake` is a first answer.\n\n", stdout);
    for (size_t i = 0; i < HV_ARRAY_LEN(commands); i++) {
        printf("  %-8s  %s\n", commands[i].name, commands[i].help);
    }
    fputs("\n`hvsim help COMMAND` says what a command takes; `hvsim --version` which hvsim this is.\n", stdout);
}

static int fail_unknown(const char *name)
{
    const char *names[HV_ARRAY_LEN(commands)];
    for (size_t i = 0; i < HV_ARRAY_LEN(commands); i++) {
        names[i] = commands[i].name;
    }
    const char *nearest = nearest_name(name, names, HV_ARRAY_LEN(names));
    if (nearest != NULL) {
        return cli_mistake("unknown command \"%.80s\"; did you mean \"%s\"?", name, nearest);
    }
    return cli_mistake("unknown command \"%.80s\"; hvsim --help lists the known ones", name);
}

static int dispatch(int argc, char **argv)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(commands); i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            return commands[i].run(argc, argv);
        }
    }
    return fail_unknown(argv[0]);
}

static int cmd_help(int argc, char **argv)
{
    char help[] = "--help";
    if (argc < 2 || argv[1][0] == '-' || strcmp(argv[1], "help") == 0) {
        print_help();
        return HV_EXIT_OK;
    }
    char *asked[] = {argv[1], help, NULL};
    return dispatch(2, asked);
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        return cli_mistake("a command is missing; hvsim --help lists them");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return HV_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("hvsim %s (%s)\n", cli_version, cli_commit);
        return HV_EXIT_OK;
    }
    if (argv[1][0] == '-') {
        return cli_mistake("unknown option \"%.80s\"; a command comes first, and hvsim --help lists them", argv[1]);
    }
    return dispatch(argc - 1, argv + 1);
}

/* A file that is opened while stdin, stdout or stderr is closed would take its number, and what is printed. */
static void occupy_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            /* The wrong way round, so that using it still fails. */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

/* A result that did not reach stdout is a failure; a reader that has seen enough (`| head`) is none. */
static int finish_stdout(int code)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (failed) { /* the reason is lost, so the last byte tries again */
        (void)(fputc('\n', stdout) != EOF && fflush(stdout) == 0);
    }
    failed = fclose(stdout) != 0 || failed;
    if (!failed || errno == EPIPE) {
        return code;
    }
    return cli_mistake("cannot write the result to standard output: %s",
                       errno != 0 ? strerror(errno) : "a write failed");
}

int main(int argc, char **argv)
{
    occupy_standard_files();
    return finish_stdout(run_command(argc, argv));
}
