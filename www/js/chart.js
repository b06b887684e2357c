// A thin adapter of uPlot: curves over time in the colours of the page, with one cursor and one window for all charts.

import uPlot from '../vendor/uplot.js';

// A chart asks for its colours many times whenever it is drawn, and to compute them is dear.
const styles = new Map();
const style = (name) => {
  if (!styles.has(name)) styles.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return styles.get(name);
};
const TICK = 56;

/** All charts that are shown together: they share the cursor and the window. */
export class Charts {
  #charts = new Map();
  #sync = uPlot.sync(`charts-${Math.random()}`);
  #onWindow;
  #onReset;
  #onRead;
  window;

  constructor({ onWindow, onReset, onRead }) {
    this.#onWindow = onWindow;
    this.#onReset = onReset;
    this.#onRead = onRead;
    // Colours are read when something is drawn.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
  }

  redraw() {
    styles.clear();
    for (const { plot } of this.#charts.values()) plot.redraw(false, true);
  }

  /**
   * Shows curves in an element: `columns` is [t in s, …y], `curves` says of each y `{label, colour: '--name', kind: 'line' |
   * 'bars' | 'band', of: [low, high]}`, `shade` returns the span [from, to] in ms that is to be marked.
   */
  show(element, { columns, curves, format, shade, height, width = element.clientWidth }) {
    const shape = JSON.stringify([curves, height]);
    const known = this.#charts.get(element);
    if (known && known.shape === shape) {
      known.format = format;
      known.plot.setData(columns, false);
      this.#scale(known.plot);
      return;
    }
    this.drop(element);
    const entry = { shape, format, plot: undefined };
    const plot = new uPlot(this.#options(element, entry, curves, shade, [width, height]), columns, element);
    entry.plot = plot;
    this.#charts.set(element, entry);
    this.#scale(plot);
    entry.observer = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width > 0 && Math.abs(contentRect.width - plot.width) > 1) plot.setSize({ width: contentRect.width, height });
    });
    entry.observer.observe(element);
  }

  drop(element) {
    const entry = this.#charts.get(element);
    if (!entry) return;
    entry.observer?.disconnect();
    entry.plot.destroy();
    this.#charts.delete(element);
  }

  /** Shows this window in ms, or `[from, to]` of everything. */
  zoom(from, to) {
    this.window = [from / 1000, to / 1000];
    for (const { plot } of this.#charts.values()) this.#scale(plot);
  }

  #scale(plot) {
    if (this.window) plot.setScale('x', { min: this.window[0], max: this.window[1] });
  }

  #options(element, entry, curves, shade, [width, height]) {
    const axis = { stroke: () => style('--muted'), grid: { stroke: () => style('--grid'), width: 1 }, ticks: { show: false },
      font: `11px ${style('--font')}` };
    const bars = uPlot.paths.bars({ size: [0.9, 40] });
    return {
      width: Math.max(120, width), height, ms: 1e-3,
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), 'Etc/UTC'),
      padding: [6, 6, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: this.#sync.key, setSeries: false }, y: false, points: { size: 5 },
        drag: { x: true, y: false, setScale: false, dist: 4 },
        bind: { dblclick: () => () => (this.#onReset(), null) },
      },
      select: { show: true },
      scales: { x: { time: true }, y: { range: (_, low, high) => bounds(low, high) } },
      axes: [
        { ...axis, size: 22, space: 76, values: (_, ticks, __, ___, step) => ticks.map((tick) => clock(tick, step)) },
        { ...axis, size: TICK, space: 28, values: (_, ticks) => ticks.map((tick) => entry.format(tick)) },
      ],
      series: [{}, ...curves.map(({ label, colour, kind }) => {
        const stroke = () => style(colour);
        if (kind === 'bars') return { label, stroke, fill: stroke, width: 0, paths: bars, points: { show: false } };
        if (kind === 'edge') return { label, stroke: () => 'transparent', width: 0, points: { show: false }, spanGaps: true };
        return { label, stroke, width: 1.4, spanGaps: true, points: { show: (u, _, first, last) => last - first < 40, size: 4, fill: stroke } };
      })],
      bands: curves.flatMap(({ kind, of, colour }) => (kind === 'edge' && of ? [{ series: of, fill: () => style(colour) }] : [])),
      hooks: {
        drawClear: [(plot) => {
          const span = shade();
          if (!span) return;
          const at = (time) => plot.valToPos(time / 1000, 'x', true);
          const { left, width, top, height: tall } = plot.bbox;
          const from = Math.max(left, at(span[0]));
          const to = Math.min(left + width, Math.max(at(span[1]), at(span[0]) + 3));
          if (to <= from) return;
          plot.ctx.fillStyle = style('--shade');
          plot.ctx.fillRect(from, top, to - from, tall);
        }],
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          const from = plot.posToVal(left, 'x') * 1000;
          const to = plot.posToVal(left + width, 'x') * 1000;
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          this.#onWindow(from, to);
        }],
        setCursor: [(plot) => this.#onRead(element, plot.cursor.idx, plot.data)],
      },
    };
  }
}

/** Times as they are told everywhere on the page: UTC, 24 hours, the day where it matters. */
function clock(seconds, step) {
  const text = new Date(seconds * 1000).toISOString();
  if (step >= 86_400) return text.slice(0, 10);
  if (text.slice(11, 19) === '00:00:00') return text.slice(5, 10);
  if (step >= 60) return text.slice(11, 16);
  return step >= 1 ? text.slice(11, 19) : text.slice(17, 23);
}

/** A little air above, and 0 as the floor unless values are far from it. */
function bounds(low, high) {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  if (low === high) return low === 0 ? [0, 1] : [Math.min(0, low * 1.2), Math.max(0, high * 1.2)];
  const air = (high - low) * 0.08;
  if (low >= 0 && low < (high - low) * 1.5) return [0, high + air];
  return [low - air, high + air];
}

/** A small curve without axes, as SVG: `before` of the points are drawn in a quieter colour. */
export function spark(values, { width = 120, height = 24, before = 0, svg }) {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(0, ...finite);
  const high = Math.max(...finite, low + 1e-12);
  const x = (index) => (values.length > 1 ? (index / (values.length - 1)) * (width - 2) + 1 : width / 2);
  const y = (value) => height - 1.5 - ((value - low) / (high - low)) * (height - 3);
  const path = (from, to) => {
    let text = '';
    for (let index = from; index < to; index += 1) {
      if (Number.isFinite(values[index])) text += `${text ? 'L' : 'M'}${x(index).toFixed(1)} ${y(values[index]).toFixed(1)}`;
    }
    return text;
  };
  return svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true', preserveAspectRatio: 'none' },
    svg('path', { class: 'quiet', d: path(0, Math.min(values.length, before + 1)) || 'M0 0' }),
    svg('path', { d: path(before, values.length) || 'M0 0' }));
}
