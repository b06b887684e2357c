// <wp-anomalies>: the episodes as a table that is sorted, moved through by keyboard, and narrowed by the budget.

import { byWeight, fires, knownUpTo } from './episodes.js';
import { STEPS, budgetAt, budgetInWords, stepOf } from './config.js';
import { el, sign, tell } from './dom.js';
import * as words from './words.js';

/** More rows than people read; the rest is counted. */
const MOST = 400;

const rank = (episode) => words.SEVERITIES.indexOf(episode.told.severity);
const COLUMNS = [
  { name: 'severity', title: 'Severity', by: (a, b) => byWeight(a, b) },
  { name: 'when', title: 'When (UTC)', by: (a, b) => Date.parse(a.told.timestamp) - Date.parse(b.told.timestamp) },
  { name: 'what', title: 'What', by: (a, b) => words.whatOf(a.told).localeCompare(words.whatOf(b.told)) || rank(b) - rank(a) },
  { name: 'subject', title: 'Where', by: (a, b) => words.subject(a.told.subject).localeCompare(words.subject(b.told.subject)) || rank(b) - rank(a) },
  { name: 'lasted', title: 'Lasted', numeric: true, by: (a, b) => b.told.seconds - a.told.seconds },
  { name: 'events', title: 'Events', numeric: true, by: (a, b) => b.told.events - a.told.events },
  { name: 'chance', title: 'Chance', by: (a, b) => b.told.surprise - a.told.surprise },
];

class Anomalies extends HTMLElement {
  #episodes = [];
  #shown = [];
  #selected;
  #sort = { name: 'severity', turned: false };
  #budget = 0.1;
  #scoredWith = 0.1;
  #window;
  #isOver = false;
  #isRead = false;

  connectedCallback() {
    this.count = el('span', { class: 'count' });
    this.slider = el('input', { type: 'range', id: 'budget', min: 0, max: STEPS, step: 1, value: stepOf(0.1) });
    this.told = el('output', { class: 'told', for: 'budget' });
    this.effect = el('p', { class: 'note effect' });
    this.slider.addEventListener('input', () => this.#setBudget(budgetAt(Number(this.slider.value))));
    this.head = el('tr', {}, COLUMNS.map((column) => el('th', { scope: 'col', class: column.name, dataset: { column: column.name } },
      el('button', { type: 'button', onclick: () => this.#sortBy(column.name) }, column.title, el('span', { class: 'arrow', 'aria-hidden': 'true' })))));
    this.body = el('tbody');
    this.empty = el('p', { class: 'empty' });
    this.table = el('table', { id: 'anomalies', 'aria-label': 'Anomalies', role: 'grid' }, el('thead', {}, this.head), this.body);
    this.sessions = el('div', { class: 'sessions' });
    this.append(
      el('div', { class: 'head' }, el('h2', {}, 'Anomalies ', this.count),
        el('div', { class: 'budget' }, el('label', { for: 'budget' }, 'False alarms allowed'), this.slider, this.told)),
      this.effect,
      el('div', { class: 'scroll' }, this.table), this.empty, this.sessions);
    this.body.addEventListener('keydown', (event) => this.#key(event));
    this.body.addEventListener('click', (event) => {
      const row = event.target.closest('tr');
      if (row) this.#choose(row.dataset.id, { byHand: true });
    });
  }

  /** Shows what a run has told so far; the budget is the one it was scored with unless another one is asked for. */
  show({ episodes, sessions = [], sessionCount = 0, scoredWith, budget, isOver, isRead }) {
    this.#episodes = episodes;
    this.#scoredWith = scoredWith;
    this.#budget = budget ?? scoredWith;
    this.#isOver = isOver;
    this.#isRead = isRead;
    this.slider.value = String(stepOf(this.#budget));
    this.#render();
    this.#renderSessions(sessions, sessionCount);
  }

  get shown() {
    return this.#shown;
  }

  get budget() {
    return this.#budget;
  }

  /** Only what falls into this window, in ms, is listed; nothing shows all. */
  set window(window) {
    this.#window = window;
    this.#render();
  }

  /** Marks an episode without telling anybody. */
  set selected(id) {
    this.#selected = id;
    for (const row of this.body.rows) this.#mark(row);
  }

  #mark(row) {
    const is = row.dataset.id === this.#selected;
    row.setAttribute('aria-selected', String(is));
    row.tabIndex = is || (!this.#isListed(this.#selected) && row === this.body.rows[0]) ? 0 : -1;
  }

  #isListed(id) {
    return this.#shown.some((episode) => episode.id === id);
  }

  #setBudget(budget) {
    this.#budget = budget;
    this.#render();
    tell(this, 'budget', budget);
  }

  #sortBy(name) {
    this.#sort = { name, turned: this.#sort.name === name && !this.#sort.turned };
    this.#render();
  }

  #render() {
    const fired = this.#episodes.filter((episode) => fires(episode, this.#budget, this.#scoredWith));
    const within = this.#window
      ? fired.filter((episode) => {
        const from = Date.parse(episode.told.timestamp);
        return from <= this.#window[1] && from + episode.told.seconds * 1000 >= this.#window[0];
      }) : fired;
    const { by } = COLUMNS.find((column) => column.name === this.#sort.name);
    within.sort((a, b) => (this.#sort.turned ? by(b, a) : by(a, b)));
    this.#shown = within.slice(0, MOST);
    for (const cell of this.head.cells) {
      const is = cell.dataset.column === this.#sort.name;
      cell.setAttribute('aria-sort', is ? (this.#sort.turned ? 'descending' : 'ascending') : 'none');
    }
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
    const rows = this.#shown.map((episode) => this.#row(episode));
    this.body.replaceChildren(...rows);
    for (const row of rows) this.#mark(row);
    if (focused) rows.find((row) => row.dataset.id === focused)?.focus();
    this.#say(fired, within);
  }

  #row({ id, told, near }) {
    const rare = words.chanceShort(told);
    const cell = (name, ...content) => el('td', { class: name }, ...content);
    return el('tr', { dataset: { id }, class: near ? 'near' : undefined },
      cell('severity', sign(told.severity, near), el('span', {}, near ? `${told.severity}, near miss` : told.severity)),
      cell('when', ...(told.row === undefined ? [el('span', { class: 'date' }, words.moment(told.timestamp).slice(0, 11)), words.moment(told.timestamp).slice(11)] : [`row ${told.row}`])),
      cell('what', words.whatOf(told)),
      cell('subject', words.subjectShort(told.subject)),
      cell('lasted', words.lasted(told) || '–'),
      cell('events', words.count(told.events)),
      cell('chance', rare || 'set by hand'));
  }

  #say(fired, within) {
    this.count.textContent = words.count(within.length);
    this.told.textContent = budgetInWords(this.#budget);
    const was = this.#episodes.filter((episode) => !episode.near).length;
    const parts = [];
    if (this.#budget > knownUpTo(this.#scoredWith) * 1.0001) {
      parts.push(`What lies beyond ${budgetInWords(knownUpTo(this.#scoredWith))} is only known after scoring again.`);
    } else if (this.#budget !== this.#scoredWith) {
      parts.push(`${words.counted(fired.length, 'alarm')} would fire; ${was} with ${budgetInWords(this.#scoredWith)}, as it was scored.`);
    } else {
      parts.push('Move it to see at once what would fire with another budget.');
    }
    if (this.#window && within.length < fired.length) parts.push(`${within.length} of ${fired.length} are in the window.`);
    if (within.length > MOST) parts.push(`The first ${MOST} are listed.`);
    this.effect.textContent = parts.join(' ');
    this.empty.textContent = within.length > 0 ? '' : !this.#isOver ? 'Nothing strange so far.'
      : this.#window ? 'Nothing strange in this window.'
        : !this.#isRead ? 'None of it could be read, so nothing was scored.'
          : 'Nothing is strange here. A larger budget of false alarms shows what came close.';
    this.empty.hidden = within.length > 0;
    this.table.classList.toggle('is-empty', within.length === 0);
  }

  #renderSessions(sessions, count) {
    this.sessions.replaceChildren();
    if (count === 0) return;
    const strangest = [...sessions].sort((a, b) => b.surprise - a.surprise).slice(0, 20);
    this.sessions.append(el('h3', {}, `Strange sessions `, el('span', { class: 'count' }, words.count(count))),
      el('ul', {}, strangest.map((session) => el('li', {},
        el('code', {}, words.plain(session.session)), ` chance ${words.odds(session.surprise)}, ${words.counted(session.lines, 'line')}`,
        session.evidence?.[0] && el('span', { class: 'note' }, ` · ${session.evidence[0].kind.replaceAll('_', ' ')}: ${words.plain(session.evidence[0].template ?? '')}`)))));
  }

  #choose(id, { byHand }) {
    this.selected = id;
    tell(this, 'choose', { id, byHand });
  }

  #key(event) {
    const row = event.target.closest('tr');
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...this.body.rows];
    const at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const next = rows[Math.max(0, Math.min(rows.length - 1, to))];
      row.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#choose(row.dataset.id, { byHand: true });
    }
  }
}

customElements.define('wp-anomalies', Anomalies);
