/* SPDX-License-Identifier: MIT */
/* Pictures of statistics: where the cycles went, and the grid of the walks. */

/* --- Where the cycles went --------------------------------------------------------------------------------------- */

/* The parts of a point's cycles; what the known parts leave, if anything, is the rest. */
function cycleParts(point) {
    const total = stat('core.cycles', point) || 0;
    const parts = data.cycle_parts.map((part, i) =>
        ({label: part.label, colour: `part-${i}`, cycles: stat(part.stat, point) || 0}));
    const rest = total - parts.reduce((sum, part) => sum + part.cycles, 0);
    return rest > total * 1e-9 ? [...parts, {label: 'the rest', colour: 'part-rest', cycles: rest}] : parts;
}

/* A bar is a picture 1000 wide that is stretched to the place it gets. */
function bar(spoken, pieces) {
    return draw('svg', {class: 'bar', viewBox: '0 0 1000 10', preserveAspectRatio: 'none', role: 'img',
        'aria-label': spoken}, pieces);
}

/* The parts of a point's cycles side by side; together they take this share of the bar. */
function cycleBar(point, shareOfBar) {
    const parts = cycleParts(point).filter((part) => part.cycles > 0);
    const scale = shareOfBar * 1000 / parts.reduce((sum, part) => sum + part.cycles, 0);
    let x = 0;
    const pieces = parts.map((part) => {
        const width = part.cycles * scale;
        x += width;
        return draw('rect', {x: x - width, y: 0, width, height: 10, class: part.colour},
            draw('title', {}, `${part.label}: ${formatNumber(part.cycles)} cycles, ${share(part.cycles, point)}`));
    });
    return bar(parts.map((part) => `${part.label} ${share(part.cycles, point)}`).join(', '), pieces);
}

function share(cycles, point) {
    const total = stat('core.cycles', point);
    return total > 0 ? `${(cycles / total * 100).toFixed(1)} %` : '\u2013';
}

/* What one result spent, part by part. */
function cycleTable(point) {
    const parts = cycleParts(point);
    const most = Math.max(1, ...parts.map((part) => part.cycles));
    const row = (swatch, label, cycles, percent, picture) => h('tr', {}, h('th', {scope: 'row'}, swatch, label),
        h('td', {class: 'number'}, formatNumber(cycles)), h('td', {class: 'number'}, percent),
        h('td', {class: 'wide'}, picture));
    return h('table', {class: 'stack'}, headRow('part', 'cycles', 'share', ''),
        h('tbody', {}, parts.map((part) => row(h('span', {class: `swatch ${part.colour}`}), part.label, part.cycles,
            share(part.cycles, point), bar(part.label, [draw('rect', {x: 0, y: 0, width: part.cycles / most * 1000,
                height: 10, class: part.colour})]))),
        row(null, 'all', stat('core.cycles', point), '', null)));
}

/* A label that had better be broken behind its commas and slashes. */
function breakable(label) {
    return label.split(/(?<=[,/])/).map((piece) => [piece, h('wbr')]);
}

/* One bar a result, so long as an access takes cycles. */
function cycleBars(points) {
    const perAccess = (p) => stat('core.cycles_per_access', p) || 0;
    const most = Math.max(...points.map(perAccess)) || 1;
    const used = new Map(points.flatMap(cycleParts).filter((part) => part.cycles > 0).map((p) => [p.colour, p.label]));
    return [
        h('p', {class: 'legend'}, [...used].sort().map(([colour, label]) =>
            h('span', {}, h('span', {class: `swatch ${colour}`}), label))),
        h('table', {class: 'stack'}, headRow('result', 'cycles per access', ''),
            h('tbody', {}, points.map((p) => h('tr', {}, h('th', {scope: 'row'}, breakable(data.points[p].label)),
                h('td', {class: 'number'}, formatNumber(stat('core.cycles_per_access', p), 2)),
                h('td', {class: 'wide'}, cycleBar(p, perAccess(p) / most)))))),
    ];
}

/* --- The grid of the walks --------------------------------------------------------------------------------------- */

/* The rows and columns that the paging of a point has. */
function gridOf(point) {
    const nested = ['nested', 'agile'].includes(param('paging.mode', point));
    const names = (prefix, levels) => Array.from({length: levels || 4}, (_, i) => `${prefix}${(levels || 4) - i}`);
    return {
        rows: [...names('g', param('paging.guest.levels', point)), ...(nested ? ['data'] : [])],
        columns: [...(nested ? names('h', param('paging.host.levels', point)) : []), 'g'],
    };
}

/* Means over all walks, the warmer the larger. */
function heatTable(caption, what, point) {
    const {rows, columns} = gridOf(point);
    const walks = stat('mmu.walks', point);
    const mean = (row, column) => (stat(`mmu.grid.${row}.${column}.${what}`, point) || 0) / walks;
    const most = Math.max(...rows.flatMap((row) => columns.map((column) => mean(row, column)))) || 1;
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    const cell = (row, column) => {
        const value = mean(row, column);
        return h('td', {class: 'heat', style: `--heat: ${(value / most).toFixed(3)}`},
            `${row}.${column}` === 'data.g' ? '' : value === 0 ? '\u00b7' : value.toFixed(2));
    };
    const sums = columns.map((column) => sum(rows.map((row) => mean(row, column))));
    return h('table', {class: 'heat'}, h('caption', {}, caption),
        headRow('', columns, 'sum'),
        h('tbody', {}, rows.map((row) => h('tr', {}, h('th', {scope: 'row'}, row), columns.map((c) => cell(row, c)),
            h('td', {}, sum(columns.map((c) => mean(row, c))).toFixed(2)))),
        h('tr', {}, h('th', {scope: 'row'}, 'sum'), sums.map((value) => h('td', {}, value.toFixed(2))),
            h('td', {}, sum(sums).toFixed(2)))));
}

function walkGrids(point) {
    if (!(stat('mmu.walks', point) > 0)) {
        return [h('p', {}, 'This result has no page walks.')];
    }
    return [h('div', {class: 'side-by-side'}, heatTable('References per walk', 'refs', point),
        heatTable('Cycles per walk', 'cycles', point))];
}
