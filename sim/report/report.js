/* SPDX-License-Identifier: MIT */
/* The sections of a report. */

const MAX_BARS = 200;
const statByName = new Map((data.stats || []).map((row) => [row.name, row]));
const paramByName = new Map((data.config || []).map((row) => [row.name, row]));

/* A row has one value for all points, or a list of values. */
function valueAt(row, point) {
    return row === undefined ? null : row.values ? row.values[point] : row.value;
}

function stat(name, point) {
    return valueAt(statByName.get(name), point);
}

function param(name, point) {
    return valueAt(paramByName.get(name), point);
}

/* A parameter's value as a user would write it. */
function showParam(row, value) {
    if (Array.isArray(value)) {
        return `[${value.join(', ')}]`;
    }
    if (row && row.type === 'size' && typeof value === 'number') {
        return formatSize(value);
    }
    return value === null || value === undefined ? '\u2013' : value === '' ? '""' : String(value);
}

/* --- Choosing a point -------------------------------------------------------------------------------------------- */

/* Something that shows one point: build(point) makes it, and again whenever another one is chosen anywhere. */
const pointViews = [];
let chosenPoint = 0;

function choosePoint(point) {
    chosenPoint = point;
    pointViews.forEach((view) => view());
}

function ofPoint(build) {
    const place = h('div');
    const chooser = h('select', {onchange: () => choosePoint(chooser.selectedIndex)},
        data.points.map((point) => h('option', {}, point.label)));
    pointViews.push(() => {
        chooser.selectedIndex = chosenPoint;
        place.replaceChildren(...build(chosenPoint));
    });
    const choice = h('p', {class: 'controls choice'}, h('label', {}, 'Result ', chooser));
    return [data.points.length > 1 ? choice : null, place];
}

/* --- Summary and key figures ------------------------------------------------------------------------------------- */

function addSummary() {
    addSection('summary', 'Summary', h('p', {class: 'summary'}, data.summary.replace(/ %/g, '\u00a0%')),
        data.left_out.length > 0 ? h('div', {class: 'warning', role: 'note'}, h('p', {}, 'Left out:'),
            h('ul', {}, data.left_out.map((sentence) => h('li', {}, sentence)))) : null);
}

function showFigure(figure, value) {
    return value === null || value === undefined ? '\u2013'
        : formatNumber(value * figure.scale, figure.decimals) + figure.unit;
}

function addKeyFigures() {
    addSection('figures', 'Key figures', h('dl', {class: 'cards'}, data.key_figures.map((figure) =>
        h('div', {title: (statByName.get(figure.stat) || {}).help}, h('dt', {}, figure.label),
            h('dd', {}, showFigure(figure, stat(figure.stat, 0)))))));
}

/* --- Several results --------------------------------------------------------------------------------------------- */

/* Whether a statistic is there at all, and not a ratio of nothing everywhere. */
function hasValues(figure) {
    return data.points.some((_, p) => typeof stat(figure.stat, p) === 'number');
}

/* Puts the points of a sweep in the order of its axes, the first of which changes slowest. */
function sortPoints() {
    const order = data.points.map((_, p) => p).sort((a, b) => data.axes.reduce((found, axis) =>
        found || compareValues(axis.values[a], axis.values[b], 1), 0));
    const sorted = (values) => order.map((p) => values[p]);
    data.points = sorted(data.points);
    [...data.axes, ...data.stats, ...data.config].filter((row) => row.values).forEach((row) => {
        row.values = sorted(row.values);
    });
    data.walk_of = order.indexOf(data.walk_of);
}

/* A table of the points: what tells them apart, the key figures, and any statistics that are asked for. */
function addResults() {
    const asked = [];
    const place = h('div');
    const shown = new Set(data.key_figures.map((figure) => figure.stat));
    const others = data.stats.filter((row) => row.values && !shown.has(row.name));
    const chooser = h('select', {onchange: () => {
        asked.push(others[chooser.selectedIndex - 1]);
        chooser.selectedIndex = 0;
        build();
    }}, h('option', {}, '\u2026'), others.map((row) => h('option', {}, row.name)));

    function build() {
        const axes = data.axes.map((axis) => {
            const row = paramByName.get(axis.name);
            return {title: axis.name, help: row && row.help, numeric: axis.values.every((v) => typeof v === 'number'),
                show: (value) => showParam(row, value), values: axis.values};
        });
        const figures = data.key_figures.filter(hasValues).map((figure) => ({
            title: figure.label, help: statByName.get(figure.stat).help, numeric: true,
            show: (value) => showFigure(figure, value), values: data.points.map((_, p) => stat(figure.stat, p))}));
        const more = asked.map((row) => ({title: row.name, help: row.help, numeric: true, values: row.values}));
        const labels = {title: 'result', breaks: true,
            values: data.points.map((point) => point.label + (point.complete ? '' : ' (partial)'))};
        const columns = [...(axes.length > 0 ? axes : [labels]), ...figures, ...more];
        place.replaceChildren(dataTable({caption: 'All results', columns,
            rows: data.points.map((_, p) => columns.map((column) => column.values[p]))}));
    }

    build();
    addSection('results', 'Results', h('p', {class: 'controls'}, h('label', {}, 'Add a statistic ', chooser)), place);
}

/* A number of a table of comma-separated values may be an address or a size, so it gets no commas. */
function showField(value) {
    return typeof value === 'number' ? String(Number(value.toPrecision(6))) : value ?? '\u2013';
}

/* A table that lay beside the results. */
function fileTable(table) {
    const numeric = table.columns.map((_, i) => table.rows.every((row) => !Number.isNaN(Number(row[i]))));
    const value = (text, i) => numeric[i] ? (text === '' ? null : Number(text)) : text;
    return dataTable({caption: table.name, rows: table.rows.map((row) => row.map(value)),
        columns: table.columns.map((title, i) => ({title, numeric: numeric[i], show: showField}))});
}

function addTables() {
    if (data.tables.length > 0) {
        addSection('tables', 'Tables of sweeps', data.tables.map(fileTable));
    }
}

function addPlots() {
    if (data.plots.length > 0) {
        addSection('plots', 'Plots', data.plots.map((plot) => h('figure', {},
            h('img', {src: `data:image/svg+xml;base64,${plot.svg}`,
                alt: `The plot ${plot.name}; its figures are in the tables`}),
            h('figcaption', {}, plot.name))));
    }
}

/* --- Where the cycles went, the walks ---------------------------------------------------------------------------- */

function addCycles() {
    if (data.points.length === 1) {
        addSection('cycles', 'Where the cycles went', cycleBar(0, 1), cycleTable(0));
        return;
    }
    const points = data.points.map((_, p) => p).slice(0, MAX_BARS);
    const all = count(data.points.length, 'result');
    addSection('cycles', 'Where the cycles went',
        data.points.length > MAX_BARS ? h('p', {}, `The first ${MAX_BARS} of ${all}.`) : null, cycleBars(points));
}

function addWalks() {
    addSection('grid', 'Page walks', h('p', {}, 'Means over all walks. Rows are guest steps, columns host levels; ' +
        'g is the guest\u2019s own entry.'), ofPoint(walkGrids));
    if (data.walks.length === 0) {
        addSection('walk', 'A walk, step by step', h('p', {}, `This machine cannot be built here: ${data.no_walks}.`));
        return null;
    }
    const explorer = walkExplorer(data.walks, false);
    addSection('walk', 'A walk, step by step', data.points.length > 1
        ? h('p', {}, `On the machine of ${data.points[data.walk_of].label}.`) : null, explorer.element);
    return explorer;
}

/* --- Every statistic, every parameter ---------------------------------------------------------------------------- */

/* The unit and the help of a row. */
function words(row) {
    return [row.unit || '', row.help || 'unknown to the hvsim that wrote this report'];
}

/* The least and the greatest of a row's numbers. */
function extent(row) {
    const numbers = row.values ? row.values.filter((v) => v !== null) : [row.value];
    return [numbers.reduce((a, b) => b < a ? b : a, numbers[0]), numbers.reduce((a, b) => b > a ? b : a, numbers[0])];
}

function statTable(point) {
    const several = data.points.length > 1;
    const columns = [{title: 'statistic'}, {title: several ? 'this result' : 'value', numeric: true},
        ...(several ? [{title: 'least of all', numeric: true}, {title: 'most of all', numeric: true}] : []),
        {title: 'unit'}, {title: 'what it is'}];
    const rows = data.stats.map((row) =>
        [row.name, valueAt(row, point), ...(several ? extent(row) : []), ...words(row)]);
    const isNothing = (row) => row.slice(1, several ? 4 : 2).every((value) => !value);
    return [dataTable({caption: 'Statistics', columns, rows,
        hide: {label: 'leave out what is 0 or nothing', test: isNothing}})];
}

function addStatistics() {
    addSection('statistics', 'All statistics', ofPoint(statTable));
}

function differsFromDefault(row) {
    return row.values !== undefined || JSON.stringify(row.value) !== JSON.stringify(row.default);
}

/* The values of a row, the first few of many. */
function showValues(row) {
    if (!row.values) {
        return showParam(row, row.value);
    }
    const texts = [...new Set(row.values.map((value) => showParam(row, value)))];
    return texts.slice(0, 8).join(', ') + (texts.length > 8 ? `, and ${texts.length - 8} more` : '');
}

function paramTable(caption, rows) {
    return dataTable({caption, columns: [{title: 'parameter'}, {title: 'value', breaks: true},
        {title: 'default', breaks: true}, {title: 'unit'},
        {title: 'what it is'}],
    rows: rows.map((row) => [row.name, showValues(row), showParam(row, row.default), ...words(row)])});
}

function addConfiguration() {
    const different = data.config.filter(differsFromDefault);
    const rest = data.config.filter((row) => !differsFromDefault(row));
    addSection('configuration', 'Configuration',
        different.length > 0 ? paramTable('Differs from the defaults', different)
            : h('p', {}, 'All parameters are at their defaults.'),
        rest.length > 0 ? h('details', {}, h('summary', {}, `${count(rest.length, 'parameter')} at the defaults`),
            paramTable('At the defaults', rest)) : null);
}

function addVersions() {
    const versions = [...new Set(data.points.map((point) => point.hvsim))];
    document.getElementById('footer').append(`The results are of hvsim ${versions.join(', ')}. `);
}

/* --- All of it --------------------------------------------------------------------------------------------------- */

function addReport() {
    if (data.swept) {
        sortPoints();
    }
    addSummary();
    if (data.points.length === 1) {
        addKeyFigures();
        addPlots();
    } else {
        addPlots();
        addResults();
    }
    addTables();
    addCycles();
    const explorer = addWalks();
    addStatistics();
    addConfiguration();
    addVersions();
    choosePoint(data.walk_of);
    if (explorer) {
        followFragment(explorer, true);
    }
}
