/* SPDX-License-Identifier: MIT */
/* The first signal is a request, the second ends the process. In a child, because signals outlive a test. */
#include "gtest.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"

/* Sends `count` signals to a child that notes requests; returns its status. */
static int run_child(int number, int count)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(number, SIG_DFL);
        interrupt_install();
        if (interrupt_requested()) {
            _Exit(1);
        }
        for (int i = 0; i < count; i++) {
            raise(number);
        }
        _Exit(interrupt_requested() ? 3 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void no_signal_is_no_request(void **state)
{
    (void)state;
    int status = run_child(SIGINT, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

static void the_first_signal_is_a_request(void **state)
{
    (void)state;
    static const int numbers[] = { SIGINT, SIGTERM };
    for (size_t i = 0; i < 2; i++) {
        int status = run_child(numbers[i], 1);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 3);
    }
}

static void the_second_one_kills(void **state)
{
    (void)state;
    int status = run_child(SIGINT, 2);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

GTEST_MAIN("Interrupt", cmocka_unit_test(no_signal_is_no_request), cmocka_unit_test(the_first_signal_is_a_request),
           cmocka_unit_test(the_second_one_kills))
