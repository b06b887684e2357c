// <wp-moved>: what moved most in the window, against the time before it; <wp-templates>: kinds of lines and routes.

import { BASELINE } from './advisor.js';
import { even, widthFor } from './aggregate.js';
import { spark } from './chart.js';
import { el } from './dom.js';
import * as words from './words.js';

const SHOWN = 12;

class Moved extends HTMLElement {
  #engine;
  #asked = 0;

  connectedCallback() {
    this.span = el('span', { class: 'count' });
    this.content = el('div', { class: 'content' });
    this.append(el('div', { class: 'head' }, el('h2', {}, 'What moved most ', this.span)), this.content);
    this.clear();
  }

  set engine(engine) {
    this.#engine = engine;
  }

  clear() {
    this.#asked += 1;
    this.span.textContent = '';
    this.content.replaceChildren(el('p', { class: 'empty' }, 'Choose a window: drag across the timeline, or “Show on timeline” beside an anomaly. All series, routes and kinds of lines are then compared with the time before it.'));
  }

  async show(window) {
    if (!window) {
      this.clear();
      return;
    }
    this.#asked += 1;
    const asked = this.#asked;
    const [from, to] = window;
    let advice;
    try {
      advice = await this.#engine.ask('advise', { from, to });
    } catch {
      return;
    }
    if (asked !== this.#asked) return;
    this.span.textContent = `${words.moment(from).slice(11)} to ${words.moment(to).slice(11)}, against the ${words.duration((from - advice.begin) / 1000)} before`;
    if (advice.found.length + advice.fresh.length === 0) {
      const early = from - advice.begin < (to - from) / BASELINE;
      this.content.replaceChildren(el('p', { class: 'empty' }, early ? 'There is too little time before this window to compare it with.'
        : `Nothing moved: none of ${words.counted(advice.looked, 'curve')} differs from before by more than chance.`));
      return;
    }
    const { found, fresh, looked, moved, first } = advice;
    this.content.replaceChildren(
      el('p', { class: 'note' }, `${moved || 'None'} of ${words.counted(looked, 'curve')} moved by more than chance.`), ...list('What moved', found, first),
      ...(fresh.length > 0 ? [el('h3', {}, 'There for the first time'), ...list('There for the first time', fresh, first)] : []));
  }
}

/** A list of curves with this name, and a button for those that are not shown at once. */
function list(name, curves, first) {
  const row = (one, index) => {
    const value = (number) => (one.about === 'rate' || one.about === 'failed' ? rate(number) : words.quantity(number, one.unit));
    const before = one.t.filter((t) => t < first).length;
    const change = one.before === 0 ? 'new' : one.after === 0 ? 'gone' : times(one.after / one.before);
    return el('li', {},
      el('span', { class: 'rank' }, String(index + 1)),
      el('div', { class: 'name' }, el('strong', {}, words.plain(one.name)), el('span', { class: 'note' }, ` ${ABOUT[one.about](one)}`)),
      spark(one.y, { before, svg: el }),
      el('span', { class: 'num' }, `${value(one.before)} → ${value(one.after)}`),
      el('span', { class: `num change ${one.volume >= 0 ? 'up' : 'down'}` }, `${one.volume >= 0 ? '▲' : '▼'} ${change}`));
  };
  if (curves.length === 0) return [];
  const rows = el('ol', { class: 'moved', 'aria-label': name }, curves.slice(0, SHOWN).map(row));
  if (curves.length <= SHOWN) return [rows];
  const more = el('button', { type: 'button', class: 'link', onclick: () => {
    const others = curves.slice(SHOWN).map((one, index) => row(one, SHOWN + index));
    rows.append(...others);
    // Whoever came with the keyboard goes on where the list does.
    others[0].tabIndex = -1;
    others[0].focus();
    more.remove();
  } }, `Show all ${curves.length}`);
  return [rows, more];
}

const ABOUT = {
  value: ({ subject }) => words.subjectShort(subject),
  rate: ({ kind }) => (kind === 'route' ? 'requests' : 'lines'),
  failed: () => 'failed requests',
  duration: ({ kind }) => (kind === 'route' ? 'duration' : 'value'),
};

function rate(perSecond) {
  if (perSecond === 0) return '0';
  if (perSecond >= 0.5) return `${words.number(perSecond)}/s`;
  return perSecond * 60 >= 0.5 ? `${words.number(perSecond * 60)}/min` : `${words.number(perSecond * 3600)}/h`;
}

const times = (ratio) => {
  if (ratio >= 2) return `× ${words.number(ratio, 2)}`;
  if (ratio > 0 && ratio <= 0.5) return `÷ ${words.number(1 / ratio, 2)}`;
  return `${ratio >= 1 ? '+' : '−'}${words.number(Math.abs(ratio - 1) * 100, 2)} %`;
};

customElements.define('wp-moved', Moved);

/** How many are listed before somebody asks for more. */
const ROWS = 12;

class Templates extends HTMLElement {
  #engine;
  #list;
  #window;
  #most = ROWS;
  #asked = 0;
  #sort = 'count';

  connectedCallback() {
    this.count = el('span', { class: 'count' });
    this.body = el('tbody');
    this.sorter = el('select', { 'aria-label': 'Sorted by', onchange: () => {
      this.#sort = this.sorter.value;
      this.draw();
    } }, [['count', 'most frequent'], ['surprise', 'strangest'], ['failed', 'most failures'], ['rare', 'rarest']].map(([value, text]) => el('option', { value }, text)));
    this.more = el('button', { type: 'button', class: 'link', hidden: true, onclick: () => {
      this.#most = this.#most > ROWS ? ROWS : 300;
      this.draw();
    } });
    this.append(el('div', { class: 'head' }, el('h2', {}, 'Routes and kinds of lines ', this.count), this.sorter),
      el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Routes and kinds of lines' }, el('table', { class: 'templates' }, el('thead', {}, el('tr', {},
        [['', 'kind'], ['What', 'what'], ['Count', 'num'], ['Rate', 'num'], ['Failed', 'num'], ['Mean', 'num'], ['Over time', 'over']].map(([name, kind]) => el('th', { scope: 'col', class: kind }, name || el('span', { class: 'hidden' }, 'Kind'))))), this.body)),
      this.more);
  }

  set engine(engine) {
    this.#engine = engine;
  }

  update(list, window) {
    this.#list = list;
    this.#window = window;
    this.hidden = list.groups.length === 0;
    return this.draw();
  }

  async draw() {
    const list = this.#list;
    if (!list || list.groups.length === 0) return;
    this.#asked += 1;
    const asked = this.#asked;
    const by = { count: (a, b) => b.count - a.count, surprise: (a, b) => b.surprise - a.surprise, failed: (a, b) => b.failed - a.failed,
      rare: (a, b) => a.count - b.count }[this.#sort];
    const groups = [...list.groups].sort(by).slice(0, this.#most);
    let views;
    try {
      views = await this.#engine.ask('tracks', { ids: groups.map(({ id }) => id) });
    } catch {
      return;
    }
    if (asked !== this.#asked) return;
    const [from, to] = this.#window ?? [list.from, list.to];
    const width = widthFor(Math.max(1000, to - from), 60, list.width);
    this.count.textContent = words.count(list.counts.groups);
    this.body.replaceChildren(...groups.map((group, index) => this.#row(group, views[index], from, to, width)));
    this.more.hidden = list.groups.length <= ROWS;
    this.more.textContent = this.#most > ROWS ? 'Show fewer' : `Show ${words.count(Math.min(300, list.groups.length))}`;
  }

  #row(group, view, from, to, width) {
    const { sums } = view ? even(view, 'count', from, to, width) : { sums: [] };
    const span = Math.max(1, (this.#list.to - this.#list.from) / 1000);
    const cell = (kind, ...content) => el('td', { class: kind }, ...content);
    return el('tr', {},
      cell('kind', el('span', { class: 'tag' }, group.kind === 'route' ? 'route' : 'line')),
      el('th', { scope: 'row', class: 'what', title: words.plain(group.text) }, words.plain(group.text)),
      cell('num', words.count(group.count)), cell('num', rate(group.count / span)),
      cell(`num${group.failed > 0 ? ' bad' : ' quiet'}`, group.failed > 0 ? words.count(group.failed) : '0'),
      cell('num', group.values > 0 ? words.quantity(group.mean, 'ms') : ''),
      cell('over', spark([...sums], { width: 132, height: 22, svg: el })));
  }
}

customElements.define('wp-templates', Templates);
