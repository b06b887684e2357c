// <wp-export>: what is taken along, for a host that runs it: files, module and steps.

import { TARGETS, csv, exported } from './exports.js';
import { copy, el, save, tell } from './dom.js';
import { fileSize } from './words.js';

class Export extends HTMLElement {
  #engine;
  #about = { config: {}, service: 'app', episodes: () => [], input: 'app.log' };
  #state;
  #made;

  connectedCallback() {
    this.target = el('select', { id: 'export-target', onchange: () => this.render() }, Object.entries(TARGETS).map(([value, name]) => el('option', { value }, name)));
    this.learned = el('input', { type: 'checkbox', id: 'export-learned', disabled: true, onchange: () => this.#learn() });
    this.learnedLabel = el('span', {}, 'with what was learned here');
    this.text = el('pre', { id: 'export-text', tabindex: 0, 'aria-label': 'The file' });
    this.files = el('ul', { class: 'files' });
    this.steps = el('ol', { class: 'steps' });
    this.download = el('button', { type: 'button', class: 'primary', id: 'export-download', onclick: () => this.#save() }, 'Download');
    this.fileName = el('code');
    const data = (label, id, action) => el('button', { type: 'button', id, onclick: action }, label);
    this.withData = el('input', { type: 'checkbox', id: 'link-data', disabled: true });
    this.withDataLabel = el('span', {}, 'with the data');
    this.link = data('Copy link', 'copy-link', (event) => tell(this, 'link', { button: event.currentTarget, withData: this.withData.checked }));
    this.append(
      el('div', { class: 'head' }, el('h2', {}, 'Take it along'), el('label', { class: 'field', for: 'export-target' }, el('span', { class: 'hidden' }, 'For'), this.target)),
      el('p', { class: 'note' }, 'The same detector, where your data is: complete files, with these settings.'),
      el('div', { class: 'buttons' }, this.download, this.fileName, el('button', { type: 'button', onclick: (event) => copy(this.text.textContent, event.currentTarget) }, 'Copy'),
        el('label', { class: 'check' }, this.learned, this.learnedLabel)),
      this.text, el('div', { class: 'two' }, el('div', {}, el('h3', {}, 'Files'), this.files), el('div', {}, el('h3', {}, 'Steps'), this.steps)),
      el('h3', {}, 'Verdicts and link'),
      el('div', { class: 'buttons' },
        data('Verdicts as NDJSON', 'save-ndjson', async () => save('verdicts.ndjson', await this.#engine.ask('verdicts'))),
        data('Alarms as CSV', 'save-csv', () => save('alarms.csv', csv(this.#about.episodes()), 'text/csv')),
        this.link, el('label', { class: 'check' }, this.withData, this.withDataLabel)),
      el('p', { class: 'note' }, 'The link carries the configuration behind its “#”, which browsers send nowhere; the data only when you tick it.'));
    this.render();
  }

  set engine(engine) {
    this.#engine = engine;
  }

  /** What is known: `{config, service, input, episodes, isOver, canCarry}`. */
  update(about) {
    this.#about = { ...this.#about, ...about };
    this.learned.disabled = !about.isOver;
    if (!about.isOver || about.isNew) {
      this.#state = undefined;
      this.learned.checked = false;
      this.ariaBusy = null;
      this.learnedLabel.textContent = 'with what was learned here';
    }
    this.withData.disabled = !about.canCarry;
    if (!about.canCarry) this.withData.checked = false;
    this.withDataLabel.textContent = about.canCarry ? 'with the data' : 'with the data (too large for a link)';
    this.render();
  }

  async #learn() {
    const asked = this.learned.checked;
    // A large state takes a while, and what is shown until then is replaced.
    if (asked) this.ariaBusy = 'true';
    const state = asked ? await this.#engine.ask('snapshot').catch(() => undefined) : undefined;
    // It may have been unticked meanwhile, which has been shown then.
    if (asked !== this.learned.checked) return;
    this.#state = state;
    this.ariaBusy = null;
    this.learnedLabel.textContent = state ? `with what was learned here, ${fileSize(state.length)}` : 'with what was learned here';
    this.render();
  }

  render() {
    this.#made = exported(this.target.value, { ...this.#about, state: this.#state });
    const { file, text, files, module, steps } = this.#made;
    this.text.textContent = text;
    this.fileName.textContent = file;
    this.files.replaceChildren(
      ...files.map(({ name, text: content, bytes, about }) => el('li', {}, el('button', { type: 'button', class: 'link', onclick: () => save(name, content ?? bytes, 'application/octet-stream') }, name),
        el('span', { class: 'note' }, ` ${about}, ${fileSize((content ?? bytes).length)}`))),
      el('li', {}, el('a', { href: module, download: '' }, module.split('/').pop()), el('span', { class: 'note' }, ' the detector as a module')));
    this.steps.replaceChildren(...steps.map((step) => (typeof step === 'string' ? el('li', {}, step) : el('li', { class: 'code' }, el('pre', {}, step.code)))));
  }

  #save() {
    save(this.#made.file, this.#made.text);
  }
}

customElements.define('wp-export', Export);
