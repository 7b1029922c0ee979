-- SPDX-License-Identifier: MIT
-- A shop's database of 17 MB: 250,000 items, and 100,000 orders that name items in random order. A linear congruential
-- generator instead of random() makes the same database every time.
PRAGMA page_size = 65536; -- the largest: a lookup that searches a page by bisection touches several 4 KiB pages of it
PRAGMA journal_mode = OFF;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price INTEGER);
CREATE TABLE ordered (item INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
    INSERT INTO item SELECT i, printf('item %08d of the catalogue, %s', i, hex(i * 7919)), i % 1000 FROM n;
WITH RECURSIVE n(i, x) AS
    (SELECT 1, 12345 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) & 2147483647 FROM n WHERE i < 100000)
    INSERT INTO ordered SELECT 1 + (x >> 7) % 250000 FROM n;
