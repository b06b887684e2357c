// <wp-settings>: what needs scoring again, <wp-compare>: two runs over the same input, <wp-problems>: what could not be read.

import { DEFAULTS, FORMATS, TOGETHER, lean, withFields } from './config.js';
import { compare } from './episodes.js';
import { el, sign, tell } from './dom.js';
import * as words from './words.js';

let made = 0;

/** Fields for the part of a configuration that people set here; the rest of a document is kept and can be written as JSON. */
class Fields {
  #config = {};
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
    made += 1;
    const id = (name) => `set-${name}-${made}`;
    const field = (name, label, control, note) => {
      control.id = id(name);
      return el('div', { class: 'setting' }, el('label', { for: id(name) }, label), control, note && el('span', { class: 'note' }, note));
    };
    const changed = () => this.#read();
    this.budget = el('input', { type: 'number', min: 0.000001, max: 1000, step: 'any', onchange: changed });
    this.learning = el('select', { onchange: changed }, [['guarded', 'guarded: a tenth of what is strange'], ['open', 'open: everything alike'], ['frozen', 'frozen: nothing']]
      .map(([value, text]) => el('option', { value }, text)));
    this.accept = el('input', { type: 'number', min: 1, max: 525600, step: 1, onchange: changed });
    this.models = el('div', { class: 'checks' }, TOGETHER.map((name) => el('label', {}, el('input', { type: 'checkbox', value: name, onchange: changed }), name.replaceAll('_', ' '))));
    this.json = el('textarea', { rows: 5, spellcheck: 'false', class: 'code', onchange: () => this.#readJson() });
    this.mistake = el('p', { class: 'mistake', role: 'alert' });
    this.element = el('div', { class: 'fields' },
      field('budget', 'False alarms a day', this.budget),
      field('learning', 'Learns', this.learning),
      field('accept', 'Accepts a new level after (min)', this.accept),
      el('fieldset', { class: 'setting' }, el('legend', {}, 'Models over three or more metrics together'), this.models),
      el('details', { class: 'setting' }, el('summary', {}, 'As JSON: rules, patterns, bounds'), (() => {
        this.json.id = id('json');
        return el('div', {}, el('label', { class: 'note', for: id('json') }, 'Configuration, only what differs from the defaults'), this.json);
      })()),
      this.mistake);
  }

  get config() {
    return this.#config;
  }

  set config(config) {
    this.#config = lean(config);
    const { detector = {} } = this.#config;
    this.budget.value = detector.false_alarms_per_day ?? DEFAULTS.false_alarms_per_day;
    this.learning.value = detector.learning ?? DEFAULTS.learning;
    this.accept.value = detector.accept_after_minutes ?? DEFAULTS.accept_after_minutes;
    for (const box of this.models.querySelectorAll('input')) box.checked = detector.models?.together?.includes(box.value) ?? false;
    this.json.value = JSON.stringify(this.#config, null, 2);
    this.mistake.textContent = '';
  }

  #read() {
    const together = [...this.models.querySelectorAll('input:checked')].map(({ value }) => value);
    this.config = withFields(this.#config, {
      false_alarms_per_day: Number(this.budget.value) || DEFAULTS.false_alarms_per_day, learning: this.learning.value,
      accept_after_minutes: Number(this.accept.value) || DEFAULTS.accept_after_minutes,
      models: { ...this.#config.detector?.models, together },
    });
    this.#onChange?.(this.#config);
  }

  #readJson() {
    try {
      this.config = JSON.parse(this.json.value || '{}');
      this.#onChange?.(this.#config);
    } catch (error) {
      this.mistake.textContent = `This is no JSON: ${error.message}`;
    }
  }
}

class Settings extends HTMLElement {
  connectedCallback() {
    this.fields = new Fields(() => this.#changed());
    this.format = el('select', { id: 'format', onchange: () => this.#changed() }, FORMATS.map((name) => el('option', { value: name }, name === 'auto' ? 'found out by itself' : name)));
    this.year = el('input', { id: 'year', type: 'number', min: 1970, max: 2262, step: 1, onchange: () => this.#changed() });
    this.interval = el('input', { id: 'interval', type: 'number', min: 0.001, step: 'any', value: 60, onchange: () => this.#changed() });
    this.button = el('button', { type: 'button', class: 'primary', disabled: true, onclick: () => tell(this, 'rescore') }, 'Score again');
    this.note = el('p', { class: 'note' }, 'These change what is learned, so the input has to be scored again. It takes as long as the first time.');
    this.append(el('div', { class: 'head' }, el('h2', {}, 'Settings'), this.button), this.note, this.fields.element,
      el('h3', {}, 'How the input is read'),
      el('div', { class: 'fields' },
        el('div', { class: 'setting' }, el('label', { for: 'format' }, 'Format'), this.format),
        el('div', { class: 'setting' }, el('label', { for: 'year' }, 'Year of times without one'), this.year),
        el('div', { class: 'setting' }, el('label', { for: 'interval' }, 'Seconds between rows without a time'), this.interval)));
    this.year.value = String(new Date().getFullYear());
    this.fields.config = {};
  }

  #changed() {
    this.button.textContent = 'Score again with these';
    tell(this, 'settings');
  }

  get config() {
    return this.fields.config;
  }

  set config(config) {
    this.fields.config = config;
  }

  get input() {
    return { format: this.format.value, year: Number(this.year.value) || 1970, interval_seconds: Number(this.interval.value) || 60 };
  }

  /** When the input is read, for times without a year; who gives another year than this one means it. */
  get readAt() {
    const now = new Date();
    return this.input.year === now.getFullYear() ? now.toISOString() : null;
  }

  set input({ format = 'auto', year = new Date().getFullYear(), interval_seconds: interval = 60 } = {}) {
    this.format.value = FORMATS.includes(format) ? format : 'auto';
    this.year.value = String(year);
    this.interval.value = String(interval);
  }

  set ready(is) {
    this.button.disabled = !is;
    if (is) this.button.textContent = 'Score again';
  }
}

customElements.define('wp-settings', Settings);

const PILES = ['gone', 'both', 'added'];

class Compare extends HTMLElement {
  connectedCallback() {
    this.fields = new Fields();
    this.button = el('button', { type: 'button', class: 'primary', disabled: true, onclick: () => tell(this, 'compare', { config: this.fields.config }) }, 'Score with B');
    this.about = el('p', { class: 'note' }, 'The same input is scored once more with configuration B, and both are shown side by side. A is what you see above.');
    this.result = el('div', { class: 'piles', 'aria-live': 'polite' });
    this.append(el('div', { class: 'head' }, el('h2', {}, 'Compare'), this.button), this.about,
      el('details', {}, el('summary', {}, 'Configuration B'), this.fields.element), this.result);
    this.fields.config = { detector: { false_alarms_per_day: 1 } };
  }

  set ready(is) {
    this.button.disabled = !is;
  }

  clear() {
    this.result.replaceChildren();
  }

  waiting(text) {
    this.result.replaceChildren(el('p', { class: 'note' }, text));
  }

  /** Shows two runs; `names` says what A and B are. Returns what differs in a sentence. */
  show(before, after, names, adopt) {
    const piles = compare(before, after);
    const changes = piles.both.filter(([a, b]) => a.told.severity !== b.told.severity || Math.abs(a.told.surprise - b.told.surprise) > 0.1);
    const outcome = piles.gone.length + piles.added.length === 0 ? (changes.length ? `The same alarms, ${changes.length} of them told differently.` : 'The same alarms.')
      : `${piles.gone.length} vanish, ${piles.added.length} ${piles.added.length === 1 ? 'is' : 'are'} new.`;
    const head = el('p', {}, el('strong', {}, `${names.a}: ${words.counted(piles.gone.length + piles.both.length, 'alarm')}. ${names.b}: ${words.count(piles.added.length + piles.both.length)}. `), outcome,
      names.hint && el('span', { class: 'note' }, ` ${names.hint}`));
    const entry = (episode, twin) => el('li', {}, sign(episode.told.severity), el('button', { type: 'button', class: 'link', onclick: () => tell(this, 'choose', { id: episode.id, byHand: true }) },
      `${words.moment(episode.told.timestamp).slice(5, 16)} ${words.what(episode.told)}`), el('span', { class: 'note' }, ` ${words.subjectShort(episode.told.subject)}`),
    twin && twin.told.severity !== episode.told.severity && el('span', { class: 'note' }, `, then ${twin.told.severity}`));
    const lists = { gone: piles.gone.map((episode) => entry(episode)), both: piles.both.map(([a, b]) => entry(a, b)), added: piles.added.map((episode) => entry(episode)) };
    this.result.replaceChildren(head, el('div', { class: 'three' }, PILES.map((name) => el('div', {},
      el('h3', {}, { gone: names.onlyA, both: 'In both', added: names.onlyB }[name], ' ', el('span', { class: 'count' }, String(lists[name].length))),
      lists[name].length ? el('ul', { tabindex: 0, 'aria-label': { gone: names.onlyA, both: 'In both', added: names.onlyB }[name] }, lists[name].slice(0, 200)) : el('p', { class: 'note' }, 'none')))),
    ...(adopt ? [el('button', { type: 'button', onclick: adopt }, `Go on with ${names.b}`)] : []));
    return outcome;
  }
}

customElements.define('wp-compare', Compare);

/** Notes are those of every host; what is an option of the command line is a field of the settings here. */
const hereNotThere = (note) => note.replace('; --interval sets', '; “Seconds between rows without a time” in the settings sets')
  .replace('; --year sets', '; “Year of times without one” in the settings sets');

class Problems extends HTMLElement {
  connectedCallback() {
    this.hidden = true;
  }

  show({ problems, problemCount, notes }) {
    const told = notes.filter((note) => note.note);
    this.hidden = problemCount + told.length === 0;
    if (this.hidden) return;
    const rows = problems.slice(0, 100).map(({ line, field, message }) => el('tr', {}, el('td', { class: 'num' }, words.count(line)),
      el('td', {}, field ? words.plain(field) : ''), el('td', {}, words.plain(message))));
    this.replaceChildren(
      el('div', { class: 'head' }, el('h2', {}, 'How it was read ', problemCount > 0 && el('span', { class: 'count bad' }, words.counted(problemCount, 'problem')))),
      el('ul', { class: 'notes' }, told.slice(0, 20).map(({ note }) => el('li', {}, words.plain(hereNotThere(note))))),
      ...(rows.length ? [el('p', { class: 'note' }, 'These rows were left out; all others were scored.'),
        el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Rows that could not be read' },
          el('table', { id: 'problems' }, el('thead', {}, el('tr', {}, ['Line', 'Field', 'What is wrong'].map((name) => el('th', { scope: 'col' }, name)))), el('tbody', {}, rows))),
        problemCount > rows.length && el('p', { class: 'note' }, `… and ${words.count(problemCount - rows.length)} more`)].filter(Boolean) : []));
  }
}

customElements.define('wp-problems', Problems);
