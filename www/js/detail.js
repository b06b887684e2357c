// <wp-detail>: one anomaly, so that somebody who knows nothing of the detector understands what it saw.

import { copy, el, sign, tell } from './dom.js';
import * as words from './words.js';

const PHASES = { onset: 'raised', worse: 'became worse', end: 'ended', open: 'still open at the end of the input', near: 'a near miss' };

class Detail extends HTMLElement {
  #episode;
  #engine;

  connectedCallback() {
    this.append(el('h2', { id: 'detail-title' }, 'Why'), el('p', { class: 'empty' }, 'Choose an anomaly to see why it was flagged.'));
  }

  /** Where raw lines come from. */
  set engine(engine) {
    this.#engine = engine;
  }

  /** Shows an episode; `mark` is what was said of it before: `fine`, `matters` or nothing. */
  show(episode, { mark, isOver } = {}) {
    this.#episode = episode;
    if (!episode) {
      this.replaceChildren();
      this.connectedCallback();
      return;
    }
    const { told, near } = episode;
    const { explanation } = told;
    this.replaceChildren(
      el('div', { class: 'head' }, el('h2', { id: 'detail-title' }, sign(told.severity, near), `${capital(words.what(told))}`),
        el('span', { class: `badge ${told.severity}` }, near ? 'near miss' : told.severity)),
      el('p', { class: 'where' }, words.subject(told.subject) || 'the whole input'),
      el('p', { class: 'sentence' }, words.sentence(told)),
      this.#facts(told),
      ...this.#numbers(explanation, told),
      ...this.#texts(explanation),
      ...this.#contributions(explanation),
      this.#raw(),
      this.#buttons(mark, isOver),
      this.#more(told));
    this.#readLines();
  }

  /** What came of an answer, said where it was given. */
  set outcome(text) {
    if (this.said) this.said.textContent = text;
  }

  #facts(told) {
    const facts = [
      ['When', told.row === undefined ? `${words.moment(told.timestamp)} UTC` : `row ${told.row}`],
      ['Lasted', [words.lasted(told) || 'one moment', words.counted(told.events, 'event')].join(', ')],
      ['Chance', words.chance(told) ? `${words.chance(told)} that normal behaviour looks like this` : 'none: a person has set this'],
      ['Threshold', `surprise ${words.number(told.surprise)}, alarms from ${words.number(told.threshold)}`],
      ['State', PHASES[told.phase] ?? told.phase],
    ];
    return el('dl', { class: 'facts' }, facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
  }

  /** Seen against expected on one scale, and what would have been normal. */
  #numbers({ contributions }, told) {
    const [first] = contributions;
    if (!first || typeof first.observed !== 'number' || typeof first.expected.value !== 'number') return [];
    const normals = words.normals(told);
    const own = normals.find((normal) => normal.of === first.of);
    const { low, high, value } = first.expected;
    const all = [first.observed, value, low, high, own?.value].filter(Number.isFinite);
    const least = Math.min(0, ...all);
    const most = Math.max(...all, least + 1e-9);
    const place = (x) => `${(((x - least) / (most - least)) * 96 + 2).toFixed(2)}`;
    const scale = el('svg', { class: 'scale', viewBox: '0 0 100 12', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      el('line', { x1: 0, x2: 100, y1: 6, y2: 6, class: 'axis' }),
      Number.isFinite(low) && Number.isFinite(high)
        && el('rect', { x: place(low), width: Math.max(0.5, place(high) - place(low)), y: 3.5, height: 5, class: 'range' }),
      el('rect', { x: Number(place(value)) - 0.3, width: 0.6, y: 1, height: 10, class: 'expected' }),
      own && el('rect', { x: Number(place(own.value)) - 0.25, width: 0.5, y: 1, height: 10, class: 'normal' }),
      el('rect', { x: Number(place(first.observed)) - 0.6, width: 1.2, y: 0, height: 12, class: 'seen' }));
    const shown = (label, text, kind) => el('div', { class: kind }, el('dt', {}, label), el('dd', {}, text));
    const isRule = first.model === 'rule';
    const others = normals.filter((normal) => normal.of !== first.of).map((normal) => `${words.plain(normal.of)} ${normal.side} ${normal.told}`);
    const flag = own ? `Would not have been flagged at ${own.told}${own.side === '≤' ? ' or less' : ' or more'}${others.length ? `, with ${others.join(' and ')}` : ''}.`
      : others.length ? `Would not have been flagged with ${others.join(' and ')}.` : '';
    return [el('h3', {}, words.plain(first.of)), scale,
      el('dl', { class: 'against' },
        shown('Seen', words.observation(first.observed, first.unit), 'seen'),
        shown(isRule ? 'Limit' : 'Expected', words.observation(value, first.unit), 'expected'),
        shown('Usual range', Number.isFinite(low) && Number.isFinite(high) ? words.range(low, high, first.unit) : '–', 'range'),
        shown('Normal', own ? `${own.side} ${own.told}` : '–', 'normal')),
      flag && el('p', { class: 'counter' }, flag)].filter(Boolean);
  }

  #texts({ template, template_lines: lines, line, patterns = [] }) {
    const parts = [];
    if (line || template) {
      parts.push(el('h3', {}, lines ? `The line that rose most, ${words.count(lines)} of it` : line ? 'The line' : 'The kind of line'),
        el('pre', { class: 'line' }, words.plain(line ?? template)));
    }
    if (patterns.length > 0) {
      parts.push(el('h3', {}, 'Known patterns in it'),
        el('ul', { class: 'patterns' }, patterns.map((pattern) => el('li', {}, sign(pattern.severity), el('div', {}, el('strong', {}, words.plain(pattern.name)),
          pattern.description && `: ${words.plain(pattern.description)}`, pattern.events > 1 && el('span', { class: 'note' }, ` · ${words.counted(pattern.events, 'event')}`))))));
    }
    return parts;
  }

  #contributions({ contributions }) {
    if (contributions.length === 0) return [];
    const total = contributions.reduce((sum, part) => sum + part.surprise, 0);
    const rows = contributions.map((part) => {
      const share = total > 0 ? part.surprise / total : 0;
      const against = part.model === 'pattern' || words.isAsExpected(part) ? '' : words.expected(part.expected, part.unit);
      return el('tr', {},
        el('th', { scope: 'row' }, words.plain(part.of), el('span', { class: 'note' }, ` ${words.plain(part.model).replaceAll('_', ' ')}`)),
        el('td', { class: 'num' }, words.observation(part.observed, part.unit)),
        el('td', { class: 'num quiet' }, against),
        el('td', { class: 'bar-cell' }, el('svg', { class: 'share', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
          el('rect', { class: 'whole', width: 100, height: 8 }), el('rect', { width: Math.max(1, share * 100), height: 8 })),
        el('span', { class: 'num' }, `${Math.round(share * 100)} %`)));
    });
    return [el('h3', {}, 'What speaks for it'),
      el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'What speaks for it' },
        el('table', { class: 'why' }, el('thead', {}, el('tr', {}, ['Of, and which look', 'Seen', 'Expected', 'Share'].map((name) => el('th', { scope: 'col' }, name)))),
          el('tbody', {}, rows)))];
  }

  #raw() {
    this.rawTitle = el('h3', {}, 'Around it in the input');
    this.lines = el('div', { class: 'lines', tabindex: 0, role: 'region', 'aria-label': 'Lines of the input around the anomaly' }, el('p', { class: 'note' }, '…'));
    return el('div', {}, this.rawTitle, this.lines);
  }

  async #readLines() {
    const episode = this.#episode;
    const box = this.lines;
    const why = (text) => box.replaceChildren(el('p', { class: 'note' }, text));
    if (episode.row === undefined) {
      why(episode.near ? 'Near misses are not followed to their rows.'
        : 'No single row stands for this: it was noticed in time, not in a line.');
      return;
    }
    try {
      const { lines, marked, seconds, why: reason } = await this.#engine.ask('lines', { episode: episode.id, row: episode.row, around: 5 });
      if (this.#episode !== episode) return;
      if (reason) {
        why(reason);
        return;
      }
      const list = lines.map(({ line, text }) => el('li', { class: line === marked ? 'marked' : undefined, 'aria-current': line === marked ? 'true' : undefined },
        el('span', { class: 'number' }, words.count(line + 1)), el('code', {}, words.plain(text))));
      box.replaceChildren(el('ol', {}, list));
      if (seconds) {
        this.rawTitle.after(el('p', { class: 'note' }, marked === undefined ? 'Judged over a window; these are the lines at its end.'
          : `Judged over a window of ${words.duration(seconds)}; the marked line is one of those in it that speak for it.`));
      }
      const current = box.querySelector('.marked');
      if (current) box.scrollTop = current.offsetTop - box.clientHeight / 2;
    } catch (error) {
      why(`The lines cannot be read: ${error.message}`);
    }
  }

  #buttons(mark, isOver) {
    const { told, row } = this.#episode;
    const can = row !== undefined && isOver;
    const button = (label, name) => el('button', { type: 'button', 'aria-pressed': String(mark === name), disabled: !can,
      title: can ? undefined : isOver ? 'There is no row to answer about.' : 'When the input has been read',
      onclick: () => tell(this, 'answer', { id: this.#episode.id, label: mark === name ? undefined : name }) }, label);
    this.said = el('p', { class: 'note' });
    return el('div', {}, el('div', { class: 'buttons' },
      button('This is fine', 'fine'), button('This matters', 'matters'),
      el('span', { class: 'grow' }),
      el('button', { type: 'button', onclick: () => tell(this, 'zoomto', this.#episode.id) }, 'Show on timeline'),
      el('button', { type: 'button', onclick: (event) => copy(JSON.stringify(told, null, 2), event.currentTarget) }, 'Copy JSON')), this.said);
  }

  #more({ explanation: { features = {} }, fingerprint, anomaly_type: type }) {
    const rows = Object.entries(features).map(([name, value]) => el('tr', {}, el('th', { scope: 'row' }, words.plain(name).replaceAll('_', ' ')), el('td', { class: 'num' }, words.number(value))));
    return el('details', { class: 'more' }, el('summary', {}, 'More numbers'),
      el('table', {}, el('tbody', {}, rows, el('tr', {}, el('th', { scope: 'row' }, 'type'), el('td', {}, type)),
        el('tr', {}, el('th', { scope: 'row' }, 'fingerprint'), el('td', {}, el('code', {}, fingerprint))))));
  }
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

customElements.define('wp-detail', Detail);
