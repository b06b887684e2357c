// Live pictures: small inputs that the real detector scores in a worker whenever a knob is moved.

import { budgetAt, budgetInWords } from './config.js';
import { Charts } from './chart.js';
import { SHAPES, el } from './dom.js';
import { Engine } from './engine.js';
import { Told, fires, worst } from './episodes.js';
import { ownSeries, random } from './series.js';
import * as words from './words.js';

const $ = (selector) => document.querySelector(selector);
const engine = new Engine();
const START = Date.UTC(2026, 10, 20);
const MINUTE = 60_000;
const ANOMALOUS = 1;

engine.addEventListener('broken', ({ detail }) => $('#error').replaceChildren(el('p', {}, `The detector could not be started: ${detail}`)));

/** Calls made while one is under way are one call afterwards: a slider moves faster than anything is computed. */
function latest(action) {
  let busy = false;
  let again = false;
  return async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      await action();
    } while (again);
    busy = false;
  };
}

/** A metric as CSV, one row a minute. */
function csv(values) {
  const rows = values.map((value, n) => `${new Date(START + n * MINUTE).toISOString().slice(0, 19)}Z,${value.toFixed(2)}`);
  return `timestamp,latency_ms\n${rows.join('\n')}\n`;
}

function noisy(seed, length, level) {
  const next = random(seed);
  return Array.from({ length }, (_, n) => level(n, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())));
}

async function scored(text, config) {
  const { time, surprise, flags, said, status } = await engine.ask('rows', { text, config, input: { year: 2026 } });
  const told = new Told();
  for (const line of said) told.add(line);
  return { time, surprise, flags, status, episodes: told.episodes };
}

/** The two charts of a box over the same time, and the spans that are to be shaded. */
function picture(box) {
  let spans = [];
  let unit;
  let range;
  const charts = new Charts({
    onWindow: (from, to) => charts.zoom(from, to),
    onReset: () => charts.zoom(...range),
    onRead: (element, index, data) => {
      if (index === null || index === undefined || element.dataset.of !== 'value') return;
      box.querySelector('.read').textContent = `${words.moment(data[0][index] * 1000).slice(11, 16)}  ${words.quantity(data[1][index], unit)}`;
    },
  });
  addEventListener('scheme', () => charts.redraw());
  return ({ time, values, surprise, threshold, shaded, of }) => {
    spans = shaded;
    unit = of;
    range = [time[0], time.at(-1)];
    const t = time.map((at) => at / 1000);
    const shade = () => spans[0];
    charts.zoom(...range);
    charts.show(box.querySelector('[data-of="value"]'), { columns: [t, values], height: 120, shade, format: (tick) => words.quantity(tick, unit),
      curves: [{ label: 'value', colour: '--curve', kind: 'line' }] });
    const below = box.querySelector('[data-of="surprise"]');
    if (!below) return;
    charts.show(below, { columns: [t, surprise, t.map(() => threshold)], height: 96, shade, format: (tick) => words.number(tick),
      curves: [{ label: 'surprise', colour: '--high', kind: 'line' }, { label: 'threshold', colour: '--muted', kind: 'line' }] });
  };
}

/** From the first to the last row of each run of anomalous rows, which may have gaps of ten minutes. */
function spansOf({ time, flags }) {
  const spans = [];
  time.forEach((at, index) => {
    if ((flags[index] & ANOMALOUS) === 0) return;
    const last = spans.at(-1);
    if (last && at - last[1] <= 10 * MINUTE) last[1] = at;
    else spans.push([at, at]);
  });
  return spans;
}

function surpriseFigure() {
  const box = $('#figure-surprise');
  const draw = picture(box);
  const update = latest(async () => {
    const odd = Number($('#odd').value);
    const noise = Number($('#noise').value);
    $('#odd-told').textContent = `${odd} ms`;
    $('#noise-told').textContent = `± ${noise} ms`;
    const at = 660;
    const values = noisy(3, 720, (n, normal) => (n === at ? odd : Math.max(0, 45 + noise * normal())));
    const run = await scored(csv(values), {});
    const near = 180;
    const from = 720 - near;
    const threshold = run.episodes[0]?.told.threshold ?? run.status.threshold;
    draw({ time: run.time.slice(from), values: values.slice(from), surprise: run.surprise.slice(from), threshold, of: 'ms',
      shaded: spansOf(run).filter(([begin]) => begin >= run.time[from]) });
    const surprise = run.surprise[at];
    const found = run.episodes.find(({ told }) => Math.abs(Date.parse(told.timestamp) - run.time[at]) < 5 * MINUTE);
    box.querySelector('.verdict').textContent = `Surprise ${words.number(surprise)}: the chance of looking this strange is ${words.odds(surprise)}. ${found
      ? `An alarm: ${words.what(found.told)}, ${words.evidence(found.told)}.` : `No alarm: it would have to reach ${words.number(threshold)}.`}`;
  });
  for (const id of ['#odd', '#noise']) $(id).addEventListener('input', update);
  return update();
}

async function budgetFigure() {
  const box = $('#figure-budget');
  const text = ownSeries();
  const scoredWith = 0.1;
  const run = await scored(text, { detector: { near_misses: true } });
  const values = text.trimEnd().split('\n').slice(1).map((line) => Number(line.split(',')[2]));
  const draw = picture(box);
  draw({ time: run.time, values, shaded: [], of: '1/s' });
  const lane = box.querySelector('.lollipops');
  const show = () => {
    const budget = budgetAt(Number($('#allowed').value));
    $('#allowed-told').textContent = budgetInWords(budget);
    const fired = run.episodes.filter((episode) => fires(episode, budget, scoredWith));
    const shift = -Math.log10(budget / scoredWith);
    const width = lane.clientWidth;
    const height = 120;
    const x = (time) => 56 + ((time - run.time[0]) / (run.time.at(-1) - run.time[0])) * (width - 62);
    // How far each is above the threshold that it met, in decades.
    const above = (told) => Math.max(-1.2, Math.min(3.5, told.surprise - told.threshold));
    const y = (decades) => 14 + ((3.5 - decades) / 4.7) * (height - 28);
    lane.replaceChildren(el('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${fired.length} of ${run.episodes.length} would fire` },
      el('line', { class: 'limit', x1: 56, x2: width - 6, y1: y(shift), y2: y(shift) }),
      run.episodes.map((episode) => {
        const on = fired.includes(episode);
        const [left, top] = [x(Date.parse(episode.told.timestamp)), y(above(episode.told))];
        return el('g', { class: `sign ${episode.told.severity}${on ? '' : ' off near'}` },
          el('line', { x1: left, x2: left, y1: top, y2: height - 6 }),
          el('path', { d: SHAPES[episode.told.severity], transform: `translate(${left - 8} ${top - 8})` }));
      })));
    const first = worst(fired);
    box.querySelector('.verdict').textContent = `${words.counted(fired.length, 'alarm')} in ${words.number(run.status.days)} days.${first ? ` The worst: ${words.what(first.told)} on ${words.moment(first.told.timestamp).slice(5, 16)}.` : ''}${budget > scoredWith * 10.01 ? ' What lies beyond one a day is only known after scoring again.' : ''}`;
  };
  $('#allowed').addEventListener('input', show);
  new ResizeObserver(show).observe(lane);
  show();
}

function learningFigure() {
  const box = $('#figure-learning');
  const draw = picture(box);
  const [begin, end] = [900, 1200];
  const values = noisy(11, 1440, (n, normal) => (n >= begin && n < end ? 70 : 45) + 3 * normal());
  const update = latest(async () => {
    const after = Number($('#after').value);
    const learning = $('#how').value;
    $('#after-told').textContent = words.duration(after * 60);
    $('#after').disabled = learning !== 'guarded';
    // Frozen from the first row on it would know nothing: it learns the quiet part first.
    const run = await scored(csv(values), { detector: { learning: learning === 'frozen' ? 'guarded' : learning, accept_after_minutes: learning === 'frozen' ? 525_600 : after } });
    const from = 720;
    const spans = spansOf(run).filter(([, to]) => to >= run.time[begin] - 5 * MINUTE);
    draw({ time: run.time.slice(from), values: values.slice(from), surprise: run.surprise.slice(from), threshold: run.status.threshold, shaded: spans, of: 'ms' });
    const [first] = spans;
    const told = first ? `The episode lasts ${words.duration((first[1] - first[0]) / 1000)} of five hours` : 'No episode';
    box.querySelector('.verdict').textContent = learning === 'open' ? `${told}: learning from everything, the new level is soon what is usual.`
      : learning === 'frozen' ? `${told}: nothing is ever accepted, so that a change that is meant has to be told.`
        : `${told}: then the new level is accepted. ${spans.length > 1 ? 'Going back is a change, too, and told as one.' : ''}`;
  });
  for (const id of ['#how', '#after']) $(id).addEventListener('input', update);
  return update();
}

await Promise.all([surpriseFigure(), budgetFigure(), learningFigure()]);
document.documentElement.dataset.state = 'done';
