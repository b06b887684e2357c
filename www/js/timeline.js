// <wp-timeline>: a lane with the anomalies, and below it the curves, all over the same time and with one window.

import { asRate, even, joined, widthFor } from './aggregate.js';
import { Charts } from './chart.js';
import { RunFailed } from './engine.js';
import { byWeight, when } from './episodes.js';
import { SHAPES, el, tell } from './dom.js';
import * as words from './words.js';

const LEFT = 56;
const RIGHT = 6;
const ROW = 15;
/** More signs than that are a smear, and cost. */
const MOST_SIGNS = 500;
const HEIGHT = 104;
/** Where there are fewer charts, kinds of lines have room. */
const FEWEST = 3;

class Timeline extends HTMLElement {
  #engine;
  #list;
  #range;
  #window;
  #episodes = [];
  #selected;
  #byHand = false;
  #more = 4;
  #service = '';
  #blocks = new Map();
  #width = 0;
  #waits = false;
  /** Which input is shown: what was asked for another one comes too late. */
  #input = 0;
  #drawing = false;
  #again = false;

  connectedCallback() {
    this.charts = new Charts({
      onWindow: (from, to) => this.#setWindow(from, to),
      onReset: () => this.reset(),
      onRead: (element, index, data) => this.#read(element, index, data),
    });
    this.span = el('span', { class: 'count' });
    this.resetButton = el('button', { type: 'button', disabled: true, onclick: () => this.reset() }, 'Reset');
    this.filter = el('select', { 'aria-label': 'Series of', class: 'unseen', onchange: () => {
      this.#service = this.filter.value;
      this.#more = 4;
      this.draw();
    } });
    this.lane = el('div', { class: 'lane', tabindex: 0, role: 'group',
      'aria-label': 'Timeline. Arrow keys move the window, plus and minus change it, Escape shows everything.' });
    this.list = el('div', { class: 'charts' });
    this.moreButton = el('button', { type: 'button', class: 'more-series', hidden: true, onclick: () => {
      this.#more += 6;
      this.draw();
    } });
    this.append(
      el('div', { class: 'head' }, el('h2', {}, 'Timeline ', this.span), this.filter,
        el('span', { class: 'hint note' }, 'drag to choose a window'), this.resetButton),
      el('div', { class: 'legend note', 'aria-hidden': 'true' }, words.SEVERITIES.toReversed().map((severity) => el('span', {},
        el('svg', { class: `sign ${severity}`, viewBox: '0 0 16 16' }, el('path', { d: SHAPES[severity] })), severity)),
      el('span', {}, ['high', 'medium', 'low'].map((severity) => el('svg', { class: `sign ${severity} near`, viewBox: '0 0 16 16' }, el('path', { d: SHAPES[severity] }))), 'hollow: near miss')),
      this.lane, this.list, this.moreButton);
    this.addEventListener('keydown', (event) => this.#key(event));
    // Asking for a width in the middle of changes makes the browser lay everything out at once: it is told instead.
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#soon();
    }).observe(this.lane);
    addEventListener('scheme', () => this.charts.redraw());
  }

  set engine(engine) {
    this.#engine = engine;
  }

  clear() {
    this.#input += 1;
    this.#list = undefined;
    this.#window = undefined;
    this.#range = undefined;
    this.#selected = undefined;
    this.#service = '';
    this.#more = 4;
    this.resetButton.disabled = true;
    this.span.textContent = '';
    for (const { chart } of this.#blocks.values()) this.charts.drop(chart);
    this.#blocks.clear();
    this.list.replaceChildren();
    this.filter.replaceChildren();
  }

  /** What there is to show; drawn as soon as the worker has answered. */
  update(list) {
    if (!Number.isFinite(list.from)) return;
    this.#list = list;
    this.#range = [list.from, Math.max(list.to, list.from + 1000)];
    this.#services();
    this.draw();
  }

  /** The episodes of the lane; `dim` are near misses that would not fire. */
  set episodes(episodes) {
    this.#episodes = episodes;
    this.#soon();
  }

  /** Marks an episode. Its curves are brought up when it was chosen `byHand`: nothing else may move charts around. */
  select(episode, byHand) {
    if (this.#selected === episode && this.#byHand === byHand) return;
    this.#byHand = byHand;
    const isOther = this.#selected?.id !== episode?.id || byHand;
    this.#selected = episode;
    this.#soon();
    if (this.#list && isOther) this.draw();
  }

  get window() {
    return this.#window;
  }

  /** Shows an episode with as much time around it as helps to see it. */
  zoomTo(episode) {
    const { from, to } = when(episode);
    const around = Math.max(to - from, (this.#range[1] - this.#range[0]) / 60, 20 * this.#list.width);
    // What moved is asked of the time of the anomaly itself, and not of what is shown around it.
    const least = 3 * this.#list.width;
    this.#setWindow(Math.max(this.#range[0], from - 2 * around), Math.min(this.#range[1], to + 2 * around), [from, Math.max(to, from + least)]);
  }

  reset() {
    this.#setWindow(undefined);
  }

  #setWindow(from, to, about) {
    if (!this.#range) return;
    const before = this.#window;
    const least = Math.max(1000, this.#list.width * 4);
    if (from === undefined) this.#window = undefined;
    else {
      const middle = (from + to) / 2;
      const half = Math.max((to - from) / 2, least / 2);
      this.#window = [middle - half, middle + half];
    }
    this.resetButton.disabled = !this.#window;
    if (before === this.#window) return;
    this.draw();
    tell(this, 'window', { window: this.#window, about: about ?? this.#window });
  }

  #key(event) {
    const [from, to] = this.#window ?? this.#range ?? [];
    if (from === undefined || event.target.matches('select, button')) return;
    const span = to - from;
    if (event.key === 'Escape') this.reset();
    else if (event.target !== this.lane) return;
    else if (event.key === 'ArrowLeft' && this.#window) this.#move(-span / 4);
    else if (event.key === 'ArrowRight' && this.#window) this.#move(span / 4);
    else if (event.key === '+' || event.key === '=') this.#setWindow(from + span / 4, to - span / 4);
    else if (event.key === '-') {
      if (span * 2 >= this.#range[1] - this.#range[0]) this.reset();
      else this.#setWindow(from - span / 2, to + span / 2);
    } else return;
    event.preventDefault();
  }

  #move(by) {
    const [low, high] = this.#range;
    const [from, to] = this.#window;
    const moved = Math.max(low - from, Math.min(high - to, by));
    if (moved !== 0) this.#setWindow(from + moved, to + moved);
  }

  #services() {
    const names = [...new Set(this.#list.series.map(({ subject }) => words.subjectShort(subject)))].sort();
    const wanted = ['', ...names].slice(0, 200);
    if (this.filter.options.length === wanted.length) return;
    this.filter.replaceChildren(...wanted.map((name) => el('option', { value: name }, name || 'All series, the strangest first')));
    this.filter.value = this.#service;
    this.filter.classList.toggle('unseen', names.length < 2);
  }

  /** Draws what is shown now. A call while one is under way makes one more afterwards. */
  async draw() {
    if (!this.#list) return;
    if (this.#drawing) {
      this.#again = true;
      return;
    }
    this.#drawing = true;
    try {
      do {
        this.#again = false;
        const input = this.#input;
        const plan = this.#plan();
        const views = await this.#engine.ask('tracks', { ids: [...new Set(plan.map(({ id }) => id))] });
        if (input !== this.#input) continue;
        const byId = new Map(views.filter(Boolean).map((view) => [view.id, view]));
        await this.#render(plan.filter(({ id }) => byId.has(id)), byId);
      } while (this.#again && this.#list);
    } catch (error) {
      if (!(error instanceof RunFailed)) throw error;
      // The worker was ended: the page says so elsewhere.
    } finally {
      this.#drawing = false;
    }
  }

  /** Which charts, in which order. */
  #plan() {
    const { totals, series, groups } = this.#list;
    const plan = [];
    if (totals.requests.count > 0) {
      plan.push({ key: 'requests', id: 'requests', of: 'rate', title: 'Requests', failed: 'failed' });
      plan.push({ key: 'duration', id: 'requests', of: 'value', title: 'Duration of requests', unit: 'ms' });
    }
    if (totals.lines.count > 0) plan.push({ key: 'lines', id: 'lines', of: 'rate', title: 'Log lines', failed: 'errors' });
    const wanted = this.#ranked(series).filter(({ subject }) => !this.#service || words.subjectShort(subject) === this.#service);
    const most = totals.requests.count > 0 && !this.#service ? Math.max(2, this.#more - 2) : this.#more;
    for (const one of wanted.slice(0, most)) {
      plan.push({ key: one.id, id: one.id, of: 'value', title: one.metric, where: words.subjectShort(one.subject), unit: one.unit });
    }
    const left = wanted.length - most;
    this.moreButton.hidden = left <= 0;
    this.moreButton.textContent = `Show more of ${words.count(left)} other series`;
    // The curves of what is chosen come first and take the place of others, so that nothing below moves when another
    // anomaly is chosen.
    const others = groups.filter(({ kind }) => kind === 'template').sort((a, b) => b.surprise - a.surprise);
    if (!this.#service) plan.push(...others.slice(0, Math.max(0, FEWEST - plan.length)).map((group) => templateOf(group)));
    const room = Math.max(plan.length, totals.lines.count + totals.requests.count > 0 ? 2 : 1);
    this.list.style.setProperty('--charts', String(room));
    const seen = new Set();
    return [...this.#focus(series, groups), ...plan].filter(({ id, of }) => !seen.has(id + of) && seen.add(id + of)).slice(0, room);
  }

  /** Series that anomalies are about come first. */
  #ranked(series) {
    const weight = new Map();
    for (const { told } of this.#episodes) {
      for (const part of told.explanation.contributions) {
        const name = `${part.of}\n${JSON.stringify(told.subject)}`;
        weight.set(name, Math.max(weight.get(name) ?? 0, told.surprise * (words.SEVERITIES.indexOf(told.severity) + 1)));
      }
    }
    const of = (one) => weight.get(`${one.metric}\n${JSON.stringify(one.subject)}`) ?? 0;
    // Of what requests carry there is a chart already, and each of them bears the verdict on its whole site.
    const isOfRequests = ({ metric, subject }) => this.#list.totals.requests.count > 0 && Object.keys(subject).length === 0
      && (metric === 'duration_ms' || metric === 'bytes');
    return series.map((one) => [isOfRequests(one) ? -1 : of(one), one]).sort((a, b) => b[0] - a[0]).map(([, one]) => one);
  }

  /** The curves of the chosen anomaly: its metric, its template or its route. */
  #focus(series, groups) {
    const told = this.#byHand ? this.#selected?.told : undefined;
    if (!told) return [];
    const subject = JSON.stringify(told.subject);
    const [part] = told.explanation.contributions;
    const one = series.find(({ metric, subject: own }) => metric === part?.of && JSON.stringify(own) === subject);
    if (one) return [{ key: 'focus', id: one.id, of: 'value', title: one.metric, where: words.subjectShort(one.subject), unit: one.unit, focus: true }];
    const { template } = told.explanation;
    const own = template && groups.find((group) => group.kind === 'template' && group.text === template);
    if (own) return [{ ...templateOf(own), key: 'focus', focus: true }];
    const { route, method } = told.subject;
    if (!route) return [];
    const names = [`${method} ${route}`, route];
    const found = groups.find((group) => group.kind === 'route' && names.includes(group.text));
    if (!found) return [];
    const rate = { key: 'focus', id: found.id, of: 'rate', title: found.text, where: 'requests of this route', focus: true, failed: 'failed' };
    const time = { key: 'focus2', id: found.id, of: 'value', title: found.text, where: 'duration on this route', unit: 'ms', focus: true };
    return ['latency', 'latency_spread'].includes(told.kind) ? [time, rate] : [rate, time];
  }

  async #render(plan, views) {
    const input = this.#input;
    const [from, to] = this.#window ?? this.#range;
    this.span.textContent = `${words.moment(from).slice(0, 16)} to ${sameDay(from, to) ? words.moment(to).slice(11, 16) : words.moment(to).slice(0, 16)} UTC, ${words.duration((to - from) / 1000)}`;
    // Every chart is drawn once, with its new curves.
    this.charts.window = [from / 1000, to / 1000];
    const kept = new Set(plan.map(({ key }) => key));
    for (const [key, block] of this.#blocks) {
      if (kept.has(key)) continue;
      this.charts.drop(block.chart);
      block.element.remove();
      this.#blocks.delete(key);
    }
    let last;
    for (const part of plan) {
      // Charts are the dearest thing on this page: all of them in one go would be felt.
      if (last) await new Promise((resolve) => setTimeout(resolve));
      if (input !== this.#input) return;
      let block = this.#blocks.get(part.key);
      if (!block) {
        block = this.#block();
        this.#blocks.set(part.key, block);
      }
      // Moving an element that is in its place would take the focus and the cursor away.
      const place = last ? last.nextSibling : this.list.firstChild;
      if (block.element !== place) this.list.insertBefore(block.element, place);
      last = block.element;
      this.#fill(block, part, views.get(part.id), from, to);
    }
    this.#soon();
  }

  #block() {
    const title = el('span', { class: 'title' });
    const read = el('output', { class: 'read' });
    const chart = el('div', { class: 'plot' });
    return { title, read, chart, element: el('figure', { class: 'chart' }, el('figcaption', {}, title, read), chart) };
  }

  #fill(block, part, view, from, to) {
    block.element.classList.toggle('focus', Boolean(part.focus));
    block.title.replaceChildren(el('strong', {}, words.plain(part.title)), part.where ? ` ${part.where}` : '');
    block.title.title = `${part.title} ${part.where ?? ''}`;
    const pixels = Math.max(200, this.#width - LEFT);
    const shade = () => {
      if (!this.#selected) return undefined;
      const { from: begin, to: end } = when(this.#selected);
      return [begin, end];
    };
    // The curves around the window are kept, so that nothing ends at its edge.
    const [low, high] = [Math.max(this.#range[0], from - (to - from)), Math.min(this.#range[1], to + (to - from))];
    if (part.of === 'rate') {
      const width = widthFor(to - from, Math.min(600, pixels / 1.7), view.width, gapOf(view));
      const unit = unitOf(view, width);
      const all = even(view, 'count', low, high, width);
      const failed = even(view, 'failed', low, high, width);
      leavePartial(all, failed, this.#range[1], width);
      const per = (sums) => Float64Array.from(sums, (sum) => (sum / width) * unit.ms);
      block.describe = (index, data) => `${words.number(data[1][index])}${unit.text}${data[2][index] > 0 ? `, ${words.number(data[2][index])}${unit.text} ${part.failed}` : ''}`;
      this.charts.show(block.chart, {
        width: this.#width, columns: [all.t.map((t) => t / 1000), per(all.sums), per(failed.sums)], height: HEIGHT, shade,
        format: (tick) => `${words.number(tick)}${unit.text}`,
        curves: [{ label: part.title, colour: '--curve', kind: 'line' }, { label: part.failed, colour: '--failed', kind: 'bars' }],
      });
      return;
    }
    const width = widthFor(to - from, Math.max(200, Math.min(1200, pixels)), view.width);
    const rate = asRate(part.title, view);
    const unit = rate ? '1/s' : part.unit;
    const { t, mean, min, max } = joined(rate ?? view, low, high, width);
    const banded = max.some((value, index) => value !== min[index]);
    block.describe = (index, data) => `${words.quantity(data[1][index], unit)}${banded ? `, ${words.range(data[3][index], data[2][index], unit)}` : ''}`;
    this.charts.show(block.chart, {
      width: this.#width, columns: [t.map((at) => at / 1000), mean, max, min], height: HEIGHT, shade,
      format: (tick) => words.quantity(tick, unit),
      curves: [{ label: part.title, colour: '--curve', kind: 'line' }, { label: 'most', colour: '--band', kind: 'edge', of: [2, 3] },
        { label: 'least', colour: '--band', kind: 'edge' }],
    });
  }

  #read(element, index, data) {
    const block = [...this.#blocks.values()].find(({ chart }) => chart === element);
    if (!block) return;
    const at = index === null || index === undefined ? undefined : data[0][index];
    block.read.textContent = at === undefined || data[1][index] === null ? '' : `${words.moment(at * 1000).slice(11)}  ${block.describe(index, data)}`;
  }

  /** Once before the next frame, however often it is asked for. */
  #soon() {
    if (this.#waits) return;
    this.#waits = true;
    requestAnimationFrame(() => {
      this.#waits = false;
      this.#drawLane();
    });
  }

  /** One row for each severity, so that the graver ones are not only of another colour. */
  #drawLane() {
    const width = this.#width;
    const height = ROW * 4 + 4;
    if (!this.#range || width === 0) {
      this.lane.replaceChildren();
      return;
    }
    const [from, to] = this.#window ?? this.#range;
    const x = (time) => LEFT + ((time - from) / (to - from)) * (width - LEFT - RIGHT);
    const shown = [...this.#episodes].sort(byWeight).slice(0, MOST_SIGNS).reverse();
    const rowOf = (severity) => 3 - words.SEVERITIES.indexOf(severity);
    const lines = [0, 1, 2, 3].map((row) => el('line', { x1: LEFT, x2: width - RIGHT, y1: row * ROW + ROW / 2 + 2, y2: row * ROW + ROW / 2 + 2 }));
    const signs = shown.flatMap((episode) => {
      const span = when(episode);
      if (span.to < from || span.from > to) return [];
      const y = rowOf(episode.told.severity) * ROW + 2;
      const left = Math.max(LEFT, x(span.from));
      const right = Math.min(width - RIGHT, x(span.to));
      const isSelected = episode.id === this.#selected?.id;
      const group = el('g', { class: `sign ${episode.told.severity}${episode.near ? ' near' : ''}${isSelected ? ' selected' : ''}`, dataset: { id: episode.id } },
        right - left > 3 && el('rect', { x: left, y: y + ROW / 2 - 1.5, width: right - left, height: 3, class: 'extent' }),
        span.from >= from && el('path', { d: SHAPES[episode.told.severity], transform: `translate(${(left - 7).toFixed(1)} ${y}) scale(.86)` }));
      const name = document.createElementNS('http://www.w3.org/2000/svg', 'title');
      name.textContent = `${words.moment(span.from)} ${words.what(episode.told)}, ${words.subjectShort(episode.told.subject)}`;
      group.append(name);
      group.addEventListener('click', () => tell(this, 'choose', { id: episode.id, byHand: true }));
      return [[isSelected, group]];
    }).sort((a, b) => a[0] - b[0]).map(([, group]) => group);
    this.lane.replaceChildren(el('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' }, el('g', { class: 'rows' }, lines), signs));
  }
}

/** The last bucket is left out where the input ends within it: its rate would seem to fall, or the failures to end. */
function leavePartial(all, failed, end, width) {
  const last = all.t.length - 1;
  const isPartial = last >= 3 && all.t[last] <= end && all.t[last] + width > end;
  if (!isPartial || all.sums[last] >= all.sums[last - 1] || failed.sums[last] > failed.sums[last - 1]) return;
  all.t = all.t.subarray(0, last);
  all.sums = all.sums.subarray(0, last);
  failed.sums = failed.sums.subarray(0, last);
}

const templateOf = ({ id, text }) => ({ key: id, id, of: 'rate', title: text, where: 'this kind of line', failed: 'errors' });

const sameDay = (a, b) => words.moment(a).slice(0, 10) === words.moment(b).slice(0, 10);

/** How far apart the events of a curve usually are: narrower buckets would only show that. */
function gapOf(view) {
  const n = view.t.length;
  return n > 1 ? ((view.t[n - 1] - view.t[0]) / n) * 2 : 0;
}

/** Rates are told by the second, the minute or the hour, whichever gives numbers that people can say. */
function unitOf(view, width) {
  const n = view.t.length;
  const span = n > 1 ? view.t[n - 1] - view.t[0] + view.width : width;
  const perSecond = view.count.reduce((sum, count) => sum + count, 0) / (span / 1000);
  if (perSecond >= 0.5) return { ms: 1000, text: '/s' };
  return perSecond * 60 >= 0.5 ? { ms: 60_000, text: '/min' } : { ms: 3_600_000, text: '/h' };
}

customElements.define('wp-timeline', Timeline);
