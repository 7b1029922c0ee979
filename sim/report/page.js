/* SPDX-License-Identifier: MIT */
/* What all pages share: elements, numbers, sections, the choice between light and dark. */
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const svgNamespace = document.getElementById('svg').namespaceURI;

/* --- Elements ---------------------------------------------------------------------------------------------------- */

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith('on')) {
            element.addEventListener(name.slice(2), value);
        } else if (value !== undefined && value !== false) {
            element.setAttribute(name, value === true ? '' : value);
        }
    }
    /* Texts become text nodes: nothing in the data is ever read as HTML. */
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return element;
}

/* An element: h('p', {class: 'note'}, 'text', h('b', {}, 'bold')). An attribute that is false is left out. */
function h(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

/* The same for what is drawn. */
function draw(name, attributes = {}, ...children) {
    return fill(document.createElementNS(svgNamespace, name), attributes, children);
}

/* The first row of a table. */
function headRow(...titles) {
    return h('thead', {}, h('tr', {}, titles.flat().map((title) =>
        title === '' ? h('td') : h('th', {scope: 'col'}, title))));
}

/* What may be wider than the screen scrolls by itself, and by the keys when it has the focus. */
function scrolling(label, ...children) {
    return h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label}, children);
}

/* --- Sections ---------------------------------------------------------------------------------------------------- */

function addSection(id, title, ...children) {
    const heading = h('h2', {id: `${id}-title`}, title);
    const section = h('section', {id, 'aria-labelledby': heading.id}, heading, children);
    document.getElementById('main').append(section);
    document.getElementById('contents').append(h('a', {href: `#${id}`}, title));
    return section;
}

/* --- Numbers ----------------------------------------------------------------------------------------------------- */

/* What people read: 1,234,567 and 0.123457; nothing (a ratio of nothing) is a dash. */
function formatNumber(value, decimals) {
    if (value === null || value === undefined) {
        return '\u2013';
    }
    const options = decimals !== undefined ? {minimumFractionDigits: decimals, maximumFractionDigits: decimals}
        : Number.isInteger(value) ? {maximumFractionDigits: 0} : {maximumSignificantDigits: 6};
    return value.toLocaleString('en-US', options);
}

function formatSize(bytes) {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let unit = 0;
    while (bytes !== 0 && bytes % 1024 === 0 && unit + 1 < units.length) {
        bytes /= 1024;
        unit++;
    }
    return unit === 0 ? String(bytes) : `${bytes} ${units[unit]}`;
}

/* "1 reference", "2 references" */
function count(value, noun) {
    return `${formatNumber(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/* --- Light and dark ---------------------------------------------------------------------------------------------- */

/* Follows the system until the button is used. */
function startTheme() {
    const button = document.getElementById('theme');
    const system = window.matchMedia('(prefers-color-scheme: dark)');
    let chosen = null;
    const apply = () => {
        const dark = chosen !== null ? chosen : system.matches;
        document.documentElement.dataset.theme = dark ? 'dark' : 'light';
        button.textContent = dark ? 'Light' : 'Dark';
        button.setAttribute('aria-label', dark ? 'Change to light colours' : 'Change to dark colours');
    };
    button.addEventListener('click', () => {
        chosen = document.documentElement.dataset.theme !== 'dark';
        apply();
    });
    system.addEventListener('change', apply);
    apply();
}

/* What is folded away on the screen is printed all the same. */
function startPrinting() {
    let opened = [];
    window.addEventListener('beforeprint', () => {
        opened = [...document.querySelectorAll('details:not([open])')];
        opened.forEach((details) => { details.open = true; });
    });
    window.addEventListener('afterprint', () => opened.forEach((details) => { details.open = false; }));
}
