/* SPDX-License-Identifier: MIT */
/*
 * A translation to step through: the grid of guest steps and host levels, beside what walk_parts.js says about a step.
 *
 * A step is a number: 0 is before the walk, N the reference N. Buttons, cells, keys and the fragment of the address
 * (#walk=17, and #walk=17&view=2 for the second of several translations) all end in show().
 */

/* --- The grid ---------------------------------------------------------------------------------------------------- */

function gridNames(walk) {
    const numbers = (prefix, levels) => Array.from({length: levels}, (_, i) => `${prefix}${levels - i}`);
    const nested = walk.host_levels !== undefined;
    return {
        rows: [...numbers('g', walk.guest_levels), ...(nested ? ['data'] : [])],
        columns: [...(nested ? numbers('h', walk.host_levels) : []), 'g'],
    };
}

/* A cell that can be stepped to, one that a cache saved, the data page, or nothing. */
function gridCell(walk, row, column, explorer) {
    const name = `${row}.${column}`;
    const reference = walk.references.filter((r) => r.cell === name).pop();
    if (reference) {
        const button = h('button', {type: 'button', class: `cell source-${reference.answered_by}`,
            'aria-label': `Reference ${reference.number}, ${name}: ${sourceNames[reference.answered_by]}, ` +
                count(reference.cycles, 'cycle'),
            onclick: () => explorer.show(reference.number)},
            h('b', {}, String(reference.number)), h('span', {}, `${reference.answered_by} ${reference.cycles}`));
        explorer.cells.push({button, number: reference.number});
        return h('td', {}, button);
    }
    if (name === 'data.g') {
        explorer.pageCell = h('td', {class: 'page-cell'}, h('span', {}, walk.result ? 'data page' : 'fault'));
        return explorer.pageCell;
    }
    const saver = walk.saved[name];
    return h('td', {class: saver && 'saved'}, saver ? h('span', {}, 'saved by', h('br'), saver) : '');
}

function gridTable(walk, explorer) {
    const {rows, columns} = gridNames(walk);
    return h('table', {class: 'grid'},
        h('caption', {}, 'Rows are guest steps, columns host levels; g is the guest\u2019s own entry.'),
        headRow('', columns),
        h('tbody', {}, rows.map((row) => h('tr', {}, h('th', {scope: 'row'}, row),
            columns.map((column) => gridCell(walk, row, column, explorer))))));
}

function legend(walk) {
    const used = Object.keys(sourceNames).filter((s) => walk.references.some((r) => r.answered_by === s));
    const entry = (style, name, meaning) => h('span', {}, h('span', {class: `source ${style}`}, name), ` ${meaning}`);
    return h('p', {class: 'legend'}, used.map((s) => entry(`source-${s}`, s, sourceNames[s])),
        Object.keys(walk.saved).length > 0 ? entry('saved', 'saved', 'not made, thanks to a cache') : null);
}

/* --- Stepping ---------------------------------------------------------------------------------------------------- */

/* Each look-up belongs to the reference that it was made for: the next in time, or the last. */
function placeLookups(walk) {
    walk.lookups.forEach((lookup) => {
        const next = walk.references.find((r) => r.start_cycle >= lookup.start_cycle + lookup.cycles);
        lookup.before = next ? next.number : walk.references.length;
    });
}

function statusOf(walk, step) {
    const reference = walk.references[step - 1];
    const total = count(walk.totals.cycles, 'cycle');
    if (!reference) {
        return `Before the walk: ${count(walk.references.length, 'reference')} and ${total} to come`;
    }
    const cycles = reference.start_cycle + reference.cycles + (reference.flags_cycles || 0) - walk.start_cycle;
    return `Reference ${step} of ${walk.references.length}; ${formatNumber(cycles)} of ${total} so far` +
        (step === walk.references.length ? ', the walk is over' : '');
}

/* Marks the cells up to a step; the cell of the step itself is the grid's one stop of the Tab key. */
function markCells(explorer, step) {
    const focused = explorer.cells.some((cell) => cell.button === document.activeElement);
    explorer.cells.forEach(({button, number}) => {
        const now = number === step;
        button.classList.toggle('later', number > step);
        button.classList.toggle('now', now);
        button.setAttribute('aria-current', now ? 'step' : 'false');
        button.tabIndex = now || (step === 0 && number === 1) ? 0 : -1;
        if (now && focused) {
            button.focus();
        }
    });
    if (explorer.pageCell) {
        explorer.pageCell.classList.toggle('reached', step === explorer.last());
    }
}

/* What is beside the grid: at the end the data page, and always the reference. */
function describeStep(walk, step) {
    const reference = walk.references[step - 1];
    return [step === walk.references.length ? (walk.result ? describeResult(walk) : describeFault(walk)) : null,
        reference ? describeReference(walk, reference) : describeBefore(walk)].flat(Infinity).filter(Boolean);
}

/*
 * The explorer of some translations ("views"): element is to be placed, show(step) and choose(view, step) move. With
 * `everywhere`, the keys work wherever the focus is.
 */
function walkExplorer(views, everywhere) {
    const places = Object.fromEntries(['note', 'status', 'time', 'grid', 'detail', 'list'].map((name) =>
        [name, h('div', {class: name})]));
    const explorer = {
        cells: [], pageCell: null, step: 0, view: 0, places,
        walk: () => views[explorer.view].walk,
        last: () => explorer.walk().references.length,
    };
    const targets = {
        First: () => 0, Previous: () => explorer.step - 1, Next: () => explorer.step + 1, Last: explorer.last,
    };
    const buttons = Object.entries(targets).map(([name, target]) =>
        h('button', {type: 'button', onclick: () => explorer.show(target())}, name));
    const chooser = h('select', {onchange: () => explorer.choose(chooser.selectedIndex, 0)},
        views.map((view) => h('option', {}, view.title)));
    places.status.setAttribute('aria-live', 'polite');
    explorer.element = h('div', {class: 'walk', role: 'group', 'aria-label': 'A page walk, step by step'},
        h('div', {class: 'controls'}, views.length > 1 ? h('label', {}, 'Translation ', chooser) : null, buttons,
            h('span', {class: 'keys'}, 'or the arrow keys, Home and End')),
        places.note, places.status, places.time,
        h('div', {class: 'columns'}, h('div', {}, places.grid), places.detail), places.list);

    /* Draws what depends on the translation, then the step. */
    explorer.choose = (view, step, quiet) => {
        explorer.view = chooser.selectedIndex = Math.min(Math.max(view, 0), views.length - 1);
        explorer.cells = [];
        explorer.pageCell = null;
        placeLookups(explorer.walk());
        places.note.replaceChildren(h('p', {}, views[explorer.view].note));
        places.grid.replaceChildren(gridTable(explorer.walk(), explorer), legend(explorer.walk()));
        places.list.replaceChildren(referenceList(explorer.walk()));
        explorer.show(step, quiet);
    };

    /* Moves to a step, or as near as there is one; a quiet move leaves the address of the page alone. */
    explorer.show = (step, quiet) => {
        explorer.step = Math.min(Math.max(step, 0), explorer.last());
        markCells(explorer, explorer.step);
        /* Not `disabled`, which would take the focus away from whoever clicked to the end. */
        buttons.forEach((button, i) =>
            button.setAttribute('aria-disabled', explorer.step === (i < 2 ? 0 : explorer.last())));
        places.status.textContent = statusOf(explorer.walk(), explorer.step);
        places.time.replaceChildren(timeBar(explorer.walk(), explorer.step));
        places.detail.replaceChildren(...describeStep(explorer.walk(), explorer.step));
        explorer.element.dataset.step = explorer.step;
        if (!quiet) {
            const view = explorer.view > 0 ? `&view=${explorer.view + 1}` : '';
            history.replaceState(null, '', `#walk=${explorer.step}${view}`);
        }
    };

    explorer.choose(0, 0, true);
    startKeys(explorer, everywhere);
    return explorer;
}

/* --- Keys and the address of the page ---------------------------------------------------------------------------- */

/* Left and right are a reference back and on, up and down a row of the grid. */
function startKeys(explorer, everywhere) {
    const moves = {
        ArrowLeft: () => explorer.step - 1, ArrowRight: () => explorer.step + 1,
        ArrowUp: () => rowAway(explorer.walk(), explorer.step, -1),
        ArrowDown: () => rowAway(explorer.walk(), explorer.step, 1),
        Home: () => 0, End: explorer.last,
    };
    (everywhere ? document : explorer.element).addEventListener('keydown', (event) => {
        const elsewhere = event.target.closest && event.target.closest('select, input, summary, .scroll');
        if (moves[event.key] && !elsewhere && !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey) {
            event.preventDefault();
            explorer.show(moves[event.key]());
        }
    });
}

/* The reference in the same column of the next (1) or previous (-1) row that has one there. */
function rowAway(walk, step, direction) {
    const here = walk.references[step - 1];
    if (!here) {
        return direction > 0 ? 1 : 0;
    }
    const column = here.cell.split('.')[1];
    const others = walk.references.filter((r) => r.cell.split('.')[1] === column && (r.number - step) * direction > 0);
    return others.length === 0 ? step : others[direction > 0 ? 0 : others.length - 1].number;
}

/* Goes where the fragment of the address says, now and whenever it changes. */
function followFragment(explorer, scroll) {
    const follow = () => {
        const match = /^#walk=(\d{1,6})(?:&view=(\d{1,6}))?$/.exec(location.hash);
        if (match) {
            explorer.choose(Number(match[2] || 1) - 1, Number(match[1]), true);
            if (scroll) {
                explorer.element.scrollIntoView();
            }
        }
    };
    window.addEventListener('hashchange', follow);
    follow();
}

/* --- The page of `hvsim walk` ------------------------------------------------------------------------------------ */

function addWalkPage() {
    const explorer = walkExplorer(data.walks, true);
    document.getElementById('contents').remove();
    document.getElementById('main').append(explorer.element);
    followFragment(explorer, false);
}
