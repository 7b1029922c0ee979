/* SPDX-License-Identifier: MIT */
/*
 * A table that sorts by its heads and searches.
 *
 * dataTable({caption, columns, rows, hide}): a column has a title, perhaps a help, may be numeric or break anywhere,
 * and may have a function show(value) that makes what is seen of a cell. Rows are arrays of values, which are what is
 * sorted. hide, {label, test}, is a box that leaves out the rows that pass the test; it begins ticked.
 */

/* Numbers by size, texts by their letters (and the numbers in them by size), nothing at the end either way. */
function compareValues(a, b, direction) {
    const none = (v) => v === null || v === undefined;
    if (none(a) || none(b)) {
        return none(a) - none(b);
    }
    const order = typeof a === 'number' && typeof b === 'number' ? a - b
        : String(a).localeCompare(String(b), 'en', {numeric: true});
    return order * direction;
}

function showValue(column, value) {
    return column.show ? column.show(value) : typeof value === 'number' ? formatNumber(value)
        : value === null || value === undefined ? '\u2013' : String(value);
}

/* A row's element, with the text by which it is found. */
function tableRow(columns, values) {
    const cells = columns.map((column, i) =>
        h('td', {class: column.numeric ? 'number' : column.breaks && 'breaks'}, showValue(column, values[i])));
    const element = h('tr', {}, cells);
    return {values, element, text: element.textContent.toLowerCase()};
}

function dataTable({caption, columns, rows, hide}) {
    const lines = rows.map((values) => tableRow(columns, values));
    const body = h('tbody', {}, lines.map((line) => line.element));
    const found = h('output', {class: 'found'});
    const search = h('input', {type: 'search', 'aria-label': `Search in: ${caption}`, placeholder: 'Search',
        oninput: filter});
    const box = hide ? h('input', {type: 'checkbox', checked: true, onchange: filter}) : null;

    function filter() {
        const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        lines.forEach((line) => {
            const left = box && box.checked && hide.test(line.values);
            const fits = !left && words.every((word) => line.text.includes(word));
            line.element.hidden = !fits;
            shown += fits;
        });
        const all = count(lines.length, 'row');
        found.textContent = shown === lines.length ? all : `${formatNumber(shown)} of ${all}`;
    }

    const heads = columns.map((column, i) =>
        h('th', {scope: 'col', class: column.numeric && 'number', title: column.help},
            h('button', {type: 'button', onclick: () => sort(i)}, column.title)));

    /* A first click sorts upwards, a second one downwards. */
    function sort(i) {
        const direction = heads[i].getAttribute('aria-sort') === 'ascending' ? -1 : 1;
        heads.forEach((head) => head.removeAttribute('aria-sort'));
        heads[i].setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
        lines.sort((a, b) => compareValues(a.values[i], b.values[i], direction));
        lines.forEach((line) => body.append(line.element));
    }

    filter();
    return h('div', {class: 'table'},
        h('div', {class: 'controls'}, search, box ? h('label', {}, box, ` ${hide.label}`) : null, found),
        scrolling(caption,
            h('table', {class: 'data'}, h('caption', {}, caption), h('thead', {}, h('tr', {}, heads)), body)));
}
