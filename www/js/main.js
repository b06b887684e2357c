// The page: takes an input, has it scored, and lets the parts know what there is to show.

import './anomalies.js';
import './detail.js';
import './export.js';
import './moved.js';
import './settings.js';
import './timeline.js';
import { budgetOf, forTheSlider, lean } from './config.js';
import { el, copy } from './dom.js';
import { Engine } from './engine.js';
import { Told, fires, worst } from './episodes.js';
import * as link from './link.js';
import { ownSeries } from './series.js';
import { look } from './source.js';
import * as words from './words.js';

const $ = (selector) => document.querySelector(selector);
const root = document.documentElement;
const parts = {
  timeline: $('wp-timeline'), anomalies: $('wp-anomalies'), detail: $('wp-detail'), moved: $('wp-moved'), templates: $('wp-templates'),
  settings: $('wp-settings'), compare: $('wp-compare'), export: $('wp-export'), problems: $('wp-problems'),
};
const engine = new Engine();
for (const part of ['timeline', 'detail', 'moved', 'templates', 'export']) parts[part].engine = engine;

/** Links carry data up to this size: about a hundred kilobytes of text once it is packed. */
const CARRIED = 1_000_000;
const OWN = { name: 'own-series', title: 'Two weeks of a service: a spike, a new level, a stuck metric', own: true };
/** Cases that show something to somebody who looks for the first time. */
const PICKS = { recording: undefined, 'own-series': undefined, 'text-error-burst': 'A log with a burst of errors', 'ndjson-sessions': 'Log lines of sessions, some of which go astray' };
const emit = new URLSearchParams(location.search).get('emit') === 'all' ? 'all' : 'anomalies';

/** What is being looked at; `answers` are by episode, with the row that they are about. */
const page = { input: undefined, told: new Told(), list: undefined, selected: undefined, isOver: false, budget: undefined, scoredWith: 0.1, answers: new Map(), given: 0, run: 0 };
let cases = [];

function state(name) {
  root.dataset.state = name;
  $('#cancel').disabled = name !== 'reading';
  // What is below is not there before there is something to show.
  const hasWork = name !== 'idle' && (page.list !== undefined || page.told.episodes.length > 0 || page.canMend);
  root.classList.toggle('has-work', hasWork);
  root.classList.toggle('mending', Boolean(page.canMend));
  // Everything at once would be one long layout; the rest is below the fold.
  if (hasWork) setTimeout(() => root.classList.add('has-rest'), 200);
}

function fail(message) {
  $('#error').replaceChildren(el('p', {}, message));
}

/** Why an input cannot be read at all, as far as its beginning tells. */
async function refused({ blob }) {
  try {
    look(new Uint8Array(await blob.slice(0, 4096).arrayBuffer()));
    return undefined;
  } catch ({ message }) {
    return message;
  }
}

/** Scores an input from its beginning. `about`: `{blob, name, case}`. */
async function start(about, { keepsSettings = false } = {}) {
  // Whoever drops the wrong file does not lose what is shown.
  page.given += 1;
  const { given } = page;
  const why = page.list && await refused(about);
  if (given !== page.given) return;
  if (why) {
    fail(`${about.name}: ${why} What was read before it is still shown.`);
    return;
  }
  if (about.isFile) $('#case').value = '';
  page.run += 1;
  const run = page.run;
  if (root.dataset.state === 'reading') engine.restart('another input was given');
  page.input = about;
  page.told = new Told();
  page.list = undefined;
  page.result = undefined;
  page.selected = undefined;
  page.isOver = false;
  page.canMend = false;
  page.picked = false;
  page.answers.clear();
  if (!keepsSettings && about.input) parts.settings.input = about.input;
  // What the slider asked “what if” of one input is no setting of the next one.
  if (!keepsSettings && page.slid && budgetOf(parts.settings.config) === page.slid.to) setBudget(page.slid.before);
  page.slid = undefined;
  const config = lean(parts.settings.config);
  page.config = config;
  page.scoredWith = budgetOf(config);
  page.budget = page.scoredWith;
  $('#error').replaceChildren();
  parts.timeline.clear();
  parts.moved.clear();
  parts.compare.clear();
  parts.detail.show(undefined);
  parts.settings.ready = false;
  parts.compare.ready = false;
  parts.anomalies.window = undefined;
  parts.problems.show(page.told);
  show();
  $('#summary').replaceChildren();
  window.watchpost.timings = { dropped: performance.now(), firstVerdict: undefined, done: undefined, bytes: 0, rows: 0 };
  const { timings } = window.watchpost;
  root.classList.remove('choosing');
  state('reading');
  $('#status').textContent = `Reading ${about.name} …`;
  $('#progress').value = 0;
  try {
    const result = await engine.score({
      blob: about.blob, name: about.name, config: forScoring(config), kept: true,
      input: { ...parts.settings.input, read_at: parts.settings.readAt, emit, source: about.isFile ? about.name : null, ...(about.only ?? {}) },
      onUpdate: (news) => run === page.run && update(news, about),
    });
    if (run !== page.run) return;
    Object.assign(timings, { done: performance.now(), bytes: result.bytes, rows: result.rows });
    page.result = result;
    page.isOver = true;
    show();
    finish(result, about, timings);
  } catch (error) {
    if (run !== page.run) return;
    if (error.trapped && error.message === 'cancelled') {
      $('#status').textContent = 'Cancelled.';
      state('cancelled');
      return;
    }
    fail(error.unreadable ? error.message
      : error.trapped ? `The detector stopped at this input (${error.message}). It was started anew: other inputs can be scored. Please report this.`
        : error.message);
    // What is wrong with a configuration can be mended where it was written.
    page.canMend = !error.unreadable && !error.trapped;
    parts.settings.ready = page.canMend;
    $('#status').textContent = `${about.name} was not scored.`;
    $('#progress').value = 0;
    state('failed');
  }
}

/** The digest of `?emit=all` is compared with other hosts, which tell no near misses unless they are asked to. */
const forScoring = (config) => (emit === 'all' ? config : forTheSlider(config));

function update(news, about) {
  const { timings } = window.watchpost;
  for (const line of news.lines) page.told.add(line);
  for (const [id, row] of news.onsets) page.told.began(id, row);
  page.told.problemCount = news.problems;
  Object.assign(timings, { bytes: news.bytes, rows: news.rows });
  if (timings.firstVerdict === undefined && news.rows > 0) timings.firstVerdict = performance.now();
  if (news.list) page.list = news.list;
  const share = news.total > 0 ? news.read / news.total : 1;
  $('#progress').value = Math.min(1, share);
  if (root.dataset.state === 'reading') {
    $('#status').textContent = `${about.name}: ${words.count(news.rows)} rows, ${words.fileSize(news.read)} of ${words.fileSize(news.total)}, ${anomalies(alarms().length)} so far`;
    state('reading');
    if (news.list) summary();
  }
  show(news.lines.length > 0 || news.onsets.length > 0, Boolean(news.list));
}

const anomalies = (count) => `${words.count(count)} ${count === 1 ? 'anomaly' : 'anomalies'}`;
const alarms = () => page.told.episodes.filter((episode) => fires(episode, page.budget, page.scoredWith));

/** Everything that follows from what was told so far: whether something has been told since the last time, and whether there are curves. */
function show(isNew = true, hasCurves = true) {
  if (isNew || page.isOver) showTold();
  if (page.list && hasCurves) {
    parts.timeline.update(page.list);
    if (page.isOver) setTimeout(() => page.list && parts.templates.update(page.list, parts.timeline.window));
  }
}

function showTold() {
  const { episodes, sessions, sessionCount } = page.told;
  parts.anomalies.show({ episodes, sessions, sessionCount, scoredWith: page.scoredWith, budget: page.budget, isOver: page.isOver, isRead: !nothingRead() });
  parts.timeline.episodes = episodes.filter((episode) => episode.near || fires(episode, page.budget, page.scoredWith));
  parts.problems.show(page.told);
  const first = worst(alarms());
  // Until somebody chooses, the gravest so far is explained.
  if (!page.picked && first && (first.id !== page.selected || page.isOver)) select(first.id);
  else if (page.isOver && page.selected) select(page.selected);
}

function finish(result, about, timings) {
  const seconds = (timings.done - timings.dropped) / 1000;
  $('#progress').value = 1;
  if (result.cancelled) {
    $('#status').textContent = `Cancelled after ${words.count(result.rows)} rows; what was read is shown.`;
    state('cancelled');
  } else {
    $('#status').textContent = `${about.name}: ${words.counted(result.rows, 'row')}, ${words.fileSize(result.bytes)} in ${words.quantity(seconds, 's')}, ${anomalies(alarms().length)}`;
    if (result.broken) fail(result.broken);
    state('done');
    if (nothingRead()) {
      fail(page.told.problemCount > 0 ? 'None of the rows could be read; what is wrong with them is listed below.' : 'There was nothing to score in it.');
    }
  }
  summary(result);
  parts.settings.ready = true;
  parts.compare.ready = true;
  parts.export.update({ config: page.config, service: service(), input: about.isFile ? about.name : 'app.log', isOver: true, isNew: true,
    episodes: () => alarms(), canCarry: about.blob.size <= CARRIED && !about.case });
}

/** Rows that could not be read are counted as rows, but nothing of them has a time. */
const nothingRead = () => !Number.isFinite(page.list?.from);

function summary(result) {
  const list = alarms();
  const first = worst(list);
  const { from, to, counts, totals } = page.list ?? { counts: {}, totals: {} };
  const by = words.SEVERITIES.toReversed().map((severity) => [severity, list.filter(({ told }) => told.severity === severity).length]).filter(([, count]) => count > 0);
  const figure = (value, label) => el('div', { class: 'figure' }, el('dt', {}, label), el('dd', {}, value));
  const kinds = [[totals.requests?.count, 'requests'], [totals.lines?.count, 'log lines'], [totals.samples?.count, 'rows of metrics']].filter(([count]) => count > 0);
  $('#summary').replaceChildren(
    el('p', { class: 'headline' }, first
      ? [list.length === 1 ? 'One anomaly: ' : `${anomalies(list.length)}. The worst: `, el('button', { type: 'button', class: 'link', onclick: () => choose(first.id, true) }, `${words.whatOf(first.told)}, ${words.subjectShort(first.told.subject)}`), ` at ${words.moment(first.told.timestamp).slice(11)}.`]
      : !page.isOver ? 'Nothing strange so far.' : page.told.sessionCount > 0 ? `No anomaly in time, but ${words.counted(page.told.sessionCount, 'strange session')}.`
        : result?.rows && !nothingRead() ? 'Nothing strange was found.' : ''),
    el('dl', { class: 'figures' }, by.map(([severity, count]) => figure(String(count), severity)),
      kinds.map(([count, name]) => figure(words.count(count), name)),
      Number.isFinite(from) && figure(words.duration((to - from) / 1000), 'covered'), counts?.series > 0 && figure(words.count(counts.series), 'series')));
}

/** The service that most anomalies are about, as a name for what is exported. */
function service() {
  const counts = new Map();
  for (const { told } of page.told.episodes) {
    const name = told.subject.service ?? told.subject.upstream;
    if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'app';
}

const find = (id) => page.told.episodes.find((episode) => episode.id === id);

function select(id) {
  const episode = find(id);
  const before = page.selected;
  page.selected = id;
  parts.anomalies.selected = id;
  parts.timeline.select(episode, page.picked);
  // Drawing it anew for nothing would be announced again.
  const version = episode && `${id} ${episode.told.phase} ${episode.told.events} ${episode.row} ${page.isOver} ${page.answers.get(id)?.label}`;
  if (before === id && version === page.shownVersion) return;
  page.shownVersion = version;
  parts.detail.show(episode, { mark: page.answers.get(id)?.label, isOver: page.isOver });
}

function choose(id, byHand) {
  if (!find(id)) return;
  if (byHand) page.picked = true;
  select(id);
  const detail = $('#detail');
  if (byHand && detail.getBoundingClientRect().top > innerHeight * 0.8) detail.scrollIntoView({ block: 'start', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
}

/** Scores the same input once more, beside what is shown; what came of it, in a sentence. */
async function beside(config, answers, names, adopt) {
  const { run } = page;
  const told = new Told();
  const size = words.fileSize(page.input.blob.size);
  parts.compare.waiting(`Scoring ${size} again …`);
  parts.compare.ready = false;
  parts.settings.ready = false;
  state('reading');
  let outcome;
  try {
    const result = await engine.score({ blob: page.input.blob, name: page.input.name, config, kept: false,
      input: { ...parts.settings.input, read_at: parts.settings.readAt, source: page.input.isFile ? page.input.name : null, ...page.input.only, emit: 'anomalies',
        answers: [...(page.input.only?.answers ?? []), ...answers].sort((a, b) => a.row - b.row) },
      onUpdate: ({ lines, read, total }) => {
        for (const line of lines) told.add(line);
        $('#progress').value = total ? read / total : 1;
      } });
    if (result.cancelled) outcome = 'Cancelled.';
    else if (run === page.run) return parts.compare.show(page.told.episodes, told.episodes, names, adopt);
  } catch (error) {
    outcome = error.trapped ? 'The detector stopped.' : error.message;
  } finally {
    // Another input may have been given meanwhile.
    if (run === page.run) {
      parts.compare.ready = true;
      parts.settings.ready = true;
      state('done');
    }
  }
  if (run === page.run) parts.compare.waiting(outcome);
  return outcome;
}

const answered = () => [...page.answers.values()].sort((a, b) => a.row - b.row);

async function answer({ id, label }) {
  const episode = find(id);
  if (!episode || episode.row === undefined) return;
  const about = { fingerprint: episode.told.fingerprint, row: episode.row };
  if (label) page.answers.set(id, { row: await engine.ask('rowOf', about).catch(() => episode.row), label });
  else page.answers.delete(id);
  select(id);
  if (page.answers.size === 0) {
    parts.compare.clear();
    return;
  }
  parts.detail.outcome = 'Scoring again with this answer …';
  const count = words.counted(page.answers.size, 'answer');
  const outcome = await beside(page.config, answered(), { a: 'Before', b: `With ${count}`, onlyA: 'Vanishes', onlyB: 'New',
    hint: 'An answer weighs two decades of surprise, and counts from its row on.' });
  if (page.selected === id && page.answers.get(id)?.label === label) parts.detail.outcome = `With ${count}: ${outcome} “Compare” lists them.${label ? ' Another press takes the answer back.' : ''}`;
}

async function openCase(name) {
  const found = cases.find((one) => one.name === name);
  if (!found) return;
  $('#case').value = name;
  if (found.own) {
    start({ blob: new Blob([ownSeries()]), name: 'own-series.csv', case: name, input: {} });
    return;
  }
  try {
    const response = await fetch(found.file);
    if (!response.ok) throw new Error(`the server says ${response.status}`);
    const { format = 'auto', year = 1970, interval_seconds = 60, ...only } = found.input ?? {};
    delete only.emit;
    if (!page.fromLink) {
      parts.settings.config = found.config ?? {};
      page.slid = undefined;
    }
    page.fromLink = false;
    start({ blob: await response.blob(), name: found.file.split('/').pop(), case: name, only, input: { format, year, interval_seconds } });
  } catch (error) {
    fail(`The case “${found.title ?? name}” could not be fetched: ${error.message}. Cases are not part of what works offline.`);
    state('failed');
  }
}

async function loadCases() {
  try {
    cases = await (await fetch('cases/index.json')).json();
  } catch {
    cases = [];
  }
  cases.splice(cases[0]?.name === 'recording' ? 1 : 0, 0, OWN);
  $('#case').append(...cases.map(({ name, title }) => el('option', { value: name }, title ?? name)));
  const picks = cases.filter(({ name }) => name in PICKS);
  $('#picks').replaceChildren(...picks.map(({ name, title, bytes }) => el('li', {}, el('button', { type: 'button', onclick: () => openCase(name) },
    el('strong', {}, PICKS[name] ?? title ?? name), el('span', { class: 'note' }, bytes ? words.fileSize(bytes) : 'made here')))));
}

function takeFile(file) {
  if (file) start({ blob: file, name: file.name, isFile: true, input: {} });
}

function takeInputs() {
  $('#file').addEventListener('change', (event) => {
    takeFile(event.target.files[0]);
    event.target.value = '';
  });
  $('#score').addEventListener('click', () => start({ blob: new Blob([$('#paste').value]), name: 'what was pasted', input: {} }));
  $('#case').addEventListener('change', (event) => event.target.value && openCase(event.target.value));
  $('#cancel').addEventListener('click', () => engine.cancel());
  $('#other').addEventListener('click', () => {
    root.classList.toggle('choosing');
    if (root.classList.contains('choosing') || root.dataset.state === 'idle') {
      scrollTo({ top: 0 });
      $('#paste').focus();
    }
  });
  for (const name of ['dragover', 'dragleave', 'drop']) {
    addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      root.classList.toggle('dragging', name === 'dragover');
      if (name === 'drop') takeFile(event.dataTransfer.files[0]);
    });
  }
  addEventListener('paste', (event) => {
    if (event.target.closest('textarea, input')) return;
    const file = event.clipboardData.files[0];
    const text = event.clipboardData.getData('text/plain');
    if (file) takeFile(file);
    else if (text) start({ blob: new Blob([text]), name: 'what was pasted', input: {} });
  });
}

function setBudget(budget) {
  const { config } = parts.settings;
  parts.settings.config = { ...config, detector: { ...config.detector, false_alarms_per_day: budget } };
}

function listen() {
  addEventListener('choose', ({ detail }) => choose(detail.id, detail.byHand));
  addEventListener('budget', ({ detail }) => {
    page.budget = detail;
    parts.timeline.episodes = page.told.episodes.filter((episode) => episode.near || fires(episode, detail, page.scoredWith));
    if (page.isOver) summary(page.result);
    const config = lean({ ...page.config, detector: { ...page.config?.detector, false_alarms_per_day: detail } });
    parts.export.update({ ...(page.isOver && { isOver: true, canCarry: page.input.blob.size <= CARRIED && !page.input.case }), config });
    page.slid = { before: page.slid?.before ?? budgetOf(parts.settings.config), to: detail };
    setBudget(detail);
  });
  addEventListener('window', ({ detail }) => {
    parts.anomalies.window = detail.window;
    parts.moved.show(detail.about);
    if (page.list) parts.templates.update(page.list, detail.window);
  });
  addEventListener('zoomto', ({ detail }) => {
    const episode = find(detail);
    if (!episode) return;
    parts.timeline.zoomTo(episode);
    if (parts.timeline.getBoundingClientRect().bottom < 0) parts.timeline.scrollIntoView({ block: 'start' });
  });
  addEventListener('answer', ({ detail }) => answer(detail));
  addEventListener('rescore', () => page.input && start(page.input, { keepsSettings: true }));
  addEventListener('compare', ({ detail }) => beside(detail.config, answered(), { a: 'A', b: 'B', onlyA: 'Only in A', onlyB: 'Only in B' }, () => {
    parts.settings.config = detail.config;
    start(page.input, { keepsSettings: true });
  }));
  addEventListener('link', async ({ detail: { button, withData } }) => {
    const content = { config: lean(parts.settings.config), input: parts.settings.input, case: page.input?.case };
    if (withData) content.data = { name: page.input.name, text: await page.input.blob.text() };
    const fragment = await link.encode(content);
    if (fragment.length > link.LONGEST) {
      fail(`The link would have ${words.count(fragment.length)} characters, which many programs cut off: leave the data out.`);
      return;
    }
    history.replaceState(null, '', `#${fragment}`);
    copy(location.href, button);
  });
  engine.addEventListener('ready', () => {
    if (root.dataset.state === 'idle') $('#status').textContent = 'Ready.';
  });
  engine.addEventListener('broken', ({ detail }) => {
    if (root.dataset.state === 'idle') $('#status').textContent = '';
    fail(`The detector could not be started: ${detail}`);
  });
}

/** What a link holds is taken over: settings, and the case or the data. */
async function followLink() {
  let content;
  try {
    content = await link.decode(location.hash);
  } catch (error) {
    fail(`This link cannot be used: ${error.message}.`);
    return;
  }
  if (!content) return;
  if (content.config && typeof content.config === 'object') {
    parts.settings.config = content.config;
    page.slid = undefined;
  }
  if (content.input && typeof content.input === 'object') parts.settings.input = content.input;
  if (typeof content.data?.text === 'string') start({ blob: new Blob([content.data.text]), name: String(content.data.name ?? 'from the link') }, { keepsSettings: true });
  else if (content.case) {
    page.fromLink = true;
    openCase(content.case);
  }
}

async function workOffline() {
  if (!('serviceWorker' in navigator)) return;
  try {
    const registration = await navigator.serviceWorker.register('sw.js', { updateViaCache: 'none' });
    const offer = (worker) => {
      if (!worker || !navigator.serviceWorker.controller) return;
      const news = $('#news');
      news.hidden = false;
      news.replaceChildren('A new version is there. ', el('button', { type: 'button', onclick: () => {
        navigator.serviceWorker.addEventListener('controllerchange', () => location.reload());
        worker.postMessage('take over');
      } }, 'Reload'));
    };
    offer(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker.addEventListener('statechange', () => worker.state === 'installed' && offer(worker));
    });
    // Browsers look for themselves at some time after a visit; without a network there is nothing to be found.
    registration.update().catch(() => {});
  } catch { /* Without a service worker it works as long as the server does. */ }
}

window.watchpost = { timings: {}, digest: () => engine.ask('digest') };
takeInputs();
listen();
state('idle');
await loadCases();
await followLink();
addEventListener('hashchange', followLink);
workOffline();
