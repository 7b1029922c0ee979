/* SPDX-License-Identifier: MIT */
/* What is said about a step of a translation: what is read, why, who answers, and what the entry means bit by bit. */

/* --- Words ------------------------------------------------------------------------------------------------------- */

const sourceNames = {L1: 'L1 cache', L2: 'L2 cache', LLC: 'last-level cache', DRAM: 'DRAM', PWC: 'page-walk cache'};

function nameOfGva(walk) {
    return walk.mode !== 'native' ? 'Guest-virtual address' : 'Virtual address';
}

/* Whether the table of a level is the guest's own, and not a hypervisor's shadow or that of a machine without one. */
function isGuestsOwn(walk, level) {
    return walk.own_level !== undefined && level <= walk.own_level;
}

/* What a reference is for: one sentence. */
function purposeOf(walk, reference) {
    const [row] = reference.cell.split('.');
    const level = row.slice(1);
    if (reference.dimension === 'guest') {
        const shadow = walk.mode === 'shadow' || walk.mode === 'agile' ? 'shadow\u2019s ' : '';
        return `The ${isGuestsOwn(walk, reference.level) ? 'guest\u2019s own ' : shadow}level-${level} entry is read.`;
    }
    const what = row === 'data' ? 'the data page lies' : `the guest's level-${level} entry lies`;
    return `Host level ${reference.level}, on the way to find where ${what} in host memory: at gPA ` +
        `${reference.translates_gpa || 'unknown'}, says the guest.`;
}

/* What the entry says: "table at hPA 0x1000". */
function entrySays(walk, reference) {
    const entry = reference.entry;
    const space = reference.dimension === 'guest' && isGuestsOwn(walk, reference.level) ? 'gPA' : 'hPA';
    return entry.frame ? `${entry.meaning} at ${space} ${entry.frame}` : entry.meaning;
}

function lookupSays(lookup) {
    const where = lookup.gpa ? `for gPA ${lookup.gpa}` : `: the table of ${lookup.cell} is at hPA ${lookup.table_hpa}`;
    return `${lookup.structure} ${lookup.hit ? 'hit' : 'miss'}${lookup.gpa ? ' ' : ''}${where}` +
        (lookup.hit ? `; ${count(lookup.saved, 'reference')} saved` : '');
}

/* --- Parts of the picture ---------------------------------------------------------------------------------------- */

/* An address in the pieces that index the tables; the piece of level `active` is the one in use. */
function addressTable(name, address, levels, active) {
    const value = BigInt(address);
    const pieces = [];
    for (let level = levels; level >= 1; level--) {
        const low = 12 + 9 * (level - 1);
        const index = Number(value >> BigInt(low) & 511n);
        pieces.push({title: `level ${level}`, bits: `${low + 8}:${low}`, binary: index.toString(2).padStart(9, '0'),
            index, active: level === active});
    }
    const offset = Number(value & 4095n);
    pieces.push({title: 'offset', bits: '11:0', binary: offset.toString(2).padStart(12, '0'),
        index: `0x${offset.toString(16)}`, active: active === 0});
    const row = (title, pick) => h('tr', {}, h('th', {scope: 'row'}, title),
        pieces.map((piece) => h('td', {class: piece.active && 'active'}, String(pick(piece)))));
    return scrolling(`${name} in pieces`,
        h('table', {class: 'address'}, h('caption', {}, `${name} ${address}`),
            h('thead', {}, h('tr', {}, h('td'), pieces.map((piece) =>
                h('th', {scope: 'col', class: piece.active && 'active'}, piece.title)))),
            h('tbody', {}, row('bits', (p) => p.bits), row('binary', (p) => p.binary), row('index', (p) => p.index))));
}

/* The bits of an entry: all 64, then field by field, the highest first as a number is written. */
function entryTable(reference) {
    const frame = reference.entry.frame;
    const bits = BigInt(reference.entry.value).toString(2).padStart(64, '0').match(/..../g);
    const row = (field) => h('tr', {class: field.name === 'ignored' && 'ignored'}, h('td', {}, field.bits),
        h('td', {}, field.name), h('td', {}, fieldValue(field)),
        h('td', {}, field.meaning, field.name === 'address' && frame ? `: ${frame}` : ''));
    return scrolling('The entry bit by bit',
        h('table', {class: 'entry'},
            h('caption', {}, `Entry ${reference.entry.value}`, h('span', {class: 'bits'},
                `${bits.slice(0, 8).join(' ')}\n${bits.slice(8).join(' ')}`)),
            headRow('bits', 'name', 'value', 'meaning'),
            h('tbody', {}, [...reference.fields].reverse().map(row))));
}

/* In binary, but for the long ones. */
function fieldValue(field) {
    const [high, low = high] = field.bits.split(':').map(Number);
    return high - low < 16 ? BigInt(field.value).toString(2).padStart(high - low + 1, '0') : field.value;
}

/* The time of the whole translation, one piece a reference; what has passed is in colour. */
function timeBar(walk, step) {
    const total = Math.max(1, walk.totals.cycles);
    const pieces = walk.references.map((r) => draw('rect', {
        x: r.start_cycle - walk.start_cycle, y: 0, width: Math.max(r.cycles, total / 400), height: 10,
        class: `source-${r.answered_by}${r.number > step ? ' later' : r.number === step ? ' now' : ''}`,
    }, draw('title', {}, `reference ${r.number}: ${r.cycles} cycles, ${sourceNames[r.answered_by]}`)));
    return draw('svg', {class: 'time', viewBox: `0 0 ${total} 10`, preserveAspectRatio: 'none', role: 'img',
        'aria-label': 'The cycles of the references, one after the other'}, pieces);
}

/* --- What is said about a step ----------------------------------------------------------------------------------- */

function describeBefore(walk) {
    const tlbs = walk.tlb.map((tlb) => `${tlb.level} TLB ${tlb.hit ? 'hit' : 'miss'}`).join(', ');
    const hit = walk.tlb.some((tlb) => tlb.hit);
    const {references, saved, without_caches: whole} = walk.totals;
    const plan = hit ? 'the translation is known, and no page table is read'
        : `${count(references, 'reference')} to make` + (saved > 0 ? `; caches save ${saved} of ${whole}` : '');
    return [
        h('h3', {}, 'Before the walk'),
        h('p', {}, `A ${walk.access} of ${walk.gva}, ${walk.mode} paging. ${tlbs ? `${tlbs}: ` : ''}${plan}.`),
        addressTable(nameOfGva(walk), walk.gva, walk.guest_levels, -1),
    ];
}

function describeReference(walk, reference) {
    const host = reference.dimension === 'host';
    const lookups = walk.lookups.filter((l) => l.before === reference.number);
    const address = host ? reference.translates_gpa : walk.gva;
    const name = host ? 'Guest-physical address' : nameOfGva(walk);
    return [
        h('h3', {}, `Reference ${reference.number} of ${walk.references.length}: ${reference.cell}`),
        lookups.map((lookup) => h('p', {class: 'lookup'}, `${lookupSays(lookup)}.`)),
        h('p', {}, purposeOf(walk, reference)),
        address ? addressTable(name, address, host ? walk.host_levels : walk.guest_levels, reference.level) : null,
        h('dl', {},
            h('dt', {}, 'reads'), h('dd', {}, h('code', {}, `hPA ${reference.hpa}`),
                `, entry ${reference.index} of its table`),
            h('dt', {}, 'answered by'), h('dd', {},
                h('span', {class: `source source-${reference.answered_by}`}, reference.answered_by),
                ` ${sourceNames[reference.answered_by]}, in ${count(reference.cycles, 'cycle')}`),
            h('dt', {}, 'which says'), h('dd', {}, h('code', {}, entrySays(walk, reference)),
                reference.flags_set ? `; the walker then sets flags ${reference.flags_set} in it, in ` +
                    count(reference.flags_cycles, 'cycle') : '')),
        entryTable(reference),
    ];
}

/* A fact with its value; those without one are left out. */
function facts(pairs) {
    return h('dl', {}, pairs.filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

function describeResult(walk) {
    const result = walk.result;
    const last = walk.references[walk.references.length - 1];
    const sizes = result.host_page_size ? ` (guest ${result.guest_page_size}, host ${result.host_page_size})` : '';
    const bytes = {'4k': 12n, '2m': 21n, '1g': 30n}[result.page_size];
    const offset = BigInt(result.hpa) & (1n << bytes) - 1n;
    const start = `0x${(BigInt(result.hpa) - offset).toString(16)}`;
    return h('div', {class: 'data-page', id: 'data-page'}, h('h3', {}, 'The data page'), facts([
        ['gVA', h('code', {}, walk.gva)],
        ['gPA', last && last.translates_gpa ? h('code', {}, last.translates_gpa) : undefined],
        ['hPA', h('code', {}, result.hpa)],
        ['page', `${result.page_size}${sizes}, from hPA ${start} on; the byte is at offset 0x${offset.toString(16)}`],
        ['rights', [result.writable ? 'writable' : 'read-only', result.executable ? 'executable' : 'no execute',
            result.user ? 'user' : 'supervisor'].join(', ')],
        ['memory type', result.memory_type],
        ['cost', `${count(walk.totals.references, 'reference')}, ${count(walk.totals.cycles, 'cycle')}`],
    ]));
}

function describeFault(walk) {
    const fault = walk.fault;
    return h('div', {class: 'data-page', id: 'data-page'}, h('h3', {}, `The walk ends: ${fault.kind}`), facts([
        ['at', fault.level > 0 ? `level ${fault.level} of the ${fault.dimension}'s tables` : undefined],
        ['gPA', fault.gpa ? h('code', {}, fault.gpa) : undefined],
        ['code', h('code', {}, fault.error_code)],
        ...fault.bits.map((bit) => [bit.name, `${bit.set ? 1 : 0}: ${bit.meaning}`]),
        ['then', fault.resolved_by ? `${fault.resolved_by} maps the page in ${count(fault.resolved_cycles, 'cycle')}`
            : undefined],
    ]));
}

/* All references in a table: to search, to print, and for those who would rather read it. */
function referenceList(walk) {
    const heads = ['#', 'cell', 'entry at hPA', 'entry', 'which says', 'from', 'cycles'];
    return h('details', {class: 'scroll'}, h('summary', {}, 'All references in a table'),
        h('table', {class: 'references'}, headRow(heads),
            h('tbody', {}, walk.references.map((r) => h('tr', {}, [r.number, r.cell, r.hpa, r.entry.value,
                entrySays(walk, r), r.answered_by, r.cycles].map((text) => h('td', {}, String(text))))))));
}
