#!/bin/bash
# SPDX-License-Identifier: MIT
# A program of four threads becomes four traces, each with the accesses that its thread made.
source tests/cli/lib.bash
command -v valgrind >/dev/null || exit 77
cd "$work" || exit 1

# Thread i walks i+1 times over a region of its own, storing to 4096 longs each time.
cat >threads.c <<'C'
#include <pthread.h>

enum { THREADS = 4, LONGS = 4096 };
static volatile long region[THREADS][LONGS] __attribute__((aligned(4096)));

static void *walk(void *number)
{
    long self = (long)number;
    for (long pass = 0; pass <= self; pass++) {
        for (long i = 0; i < LONGS; i++) {
            region[self][i] = i;
        }
    }
    return 0;
}

int main(void)
{
    pthread_t thread[THREADS];
    for (long i = 1; i < THREADS; i++) {
        if (pthread_create(&thread[i], 0, walk, (void *)i) != 0) {
            return 1;
        }
    }
    walk(0);
    for (long i = 1; i < THREADS; i++) {
        pthread_join(thread[i], 0);
    }
    return 0;
}
C
gcc -O1 -pthread threads.c -o threads || fail "the program does not compile"

expect_code 0 "$HVSIM" record --threads -o t.hvt -- ./threads
grep -Eq '^hvsim: recorded [0-9]+ accesses into 4 traces t-\{core\}.hvt, \{core\} from 0 to 3, [0-9.]+ MiB$' err ||
    fail "record said: $(<err)"
expect_equal "the files" "t-0.hvt t-1.hvt t-2.hvt t-3.hvt" "$(ls t*.hvt | xargs)"

# stores FILE: how many pages were stored to in whole passes of 512 stores of 8 bytes, and in how many: "PAGES PASSES".
stores() {
    "$HVSIM" trace convert "$1" "$1.lackey" 2>/dev/null
    awk -F'[ ,]+' '$2 == "S" && $4 == 8 { count[substr($3, 1, length($3) - 3)]++ }
        END { for (page in count) if (count[page] % 512 == 0) pages[count[page] / 512]++
              for (passes in pages) print pages[passes], passes }' "$1.lackey"
}
# Threads are numbered by their first access; the main thread is the first, the others begin in any order.
expect_equal "the main thread's walk" "8 1" "$(stores t-0.hvt)"
expect_equal "the other threads' walks" "8 2 8 3 8 4" \
    "$(for i in 1 2 3; do stores "t-$i.hvt"; done | sort | xargs)"

# A limit is one of all threads together, and {core} names the traces where the user wants the number.
expect_code 0 "$HVSIM" record --threads --limit 1e5 -o 'core{core}.hvt' -- ./threads
sum=0
for file in core[0-9].hvt; do
    sum=$((sum + $("$HVSIM" trace info "$file" --format json | jq .records)))
done
expect_equal "the limit" 100000 "$sum"
