-- SPDX-License-Identifier: MIT
-- What all orders cost together: 100,000 lookups in the B-tree of items, each at a random place. The file is mapped
-- into memory, so a lookup reads its pages where they lie instead of copying them.
PRAGMA mmap_size = 268435456;
SELECT sum(price) FROM ordered CROSS JOIN item ON item.id = ordered.item;
