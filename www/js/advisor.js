// What moved most in a window, against the time before it.
//
// The idea is that of Netdata's metric correlations: the window is compared with four times its length before it, by the
// two-sample Kolmogorov-Smirnov test (Massey, "The Kolmogorov-Smirnov Test for Goodness of Fit", JASA 46, 1951), which asks
// nothing of the distribution, and by how far the average has moved ("volume"). Netdata offers the one or the other; here
// the test says what moved at all, and distance times volume which of it moved most: by the test alone, memory that has
// crept up by a hundredth comes before a route of which half fails. And values are compared, not their differences from one
// point to the next, since a new level is what people look for.
//
// What is mostly not there (a kind of line, failures) hardly changes a distribution: of it is asked in how many points it
// is there at all, by Fisher's exact test ("The Logic of Inductive Inference", JRSS 98, 1935), for which a burst within one
// point counts once. Kinds that were never there before are told however few they are.

import { even } from './aggregate.js';

/** The time before the window is so many times as long. */
export const BASELINE = 4;

/** Curves are compared in so many points of the window: as Netdata does, no more than tell something. */
const POINTS = 60;

/** The greatest distance between the two empirical distributions, 0 to 1. */
export function distance(a, b) {
  const left = Float64Array.from(a).sort();
  const right = Float64Array.from(b).sort();
  let [i, j, most] = [0, 0, 0];
  while (i < left.length && j < right.length) {
    const value = Math.min(left[i], right[j]);
    while (i < left.length && left[i] <= value) i += 1;
    while (j < right.length && right[j] <= value) j += 1;
    most = Math.max(most, Math.abs(i / left.length - j / right.length));
  }
  return most;
}

/**
 * The chance of at least this distance when nothing has changed: Kolmogorov's limit distribution, with the correction for
 * small samples of Stephens (1970). As log10, since what moved most lies far below what a float can tell from 0.
 */
export function logChance(d, n, m) {
  if (!(d > 0)) return 0;
  const size = Math.sqrt((n * m) / (n + m));
  const lambda = (size + 0.12 + 0.11 / size) * d;
  // Below this the sum converges slowly, and nothing is strange.
  if (lambda < 0.3) return 0;
  // The first term leads: 2·exp(−2λ²); the others are taken as a factor.
  let factor = 0;
  for (let k = 1; k <= 20; k += 1) factor += (k % 2 ? 1 : -1) * Math.exp(-2 * (k * k - 1) * lambda * lambda);
  return Math.min(0, (Math.log(2 * factor) - 2 * lambda * lambda) / Math.LN10);
}

/**
 * The chance, as log10, of being there in at least so many of the `n` points of the window, when being there in `before` of
 * `m` points and `after` of `n` is a matter of where the window lies (the upper tail of the hypergeometric distribution).
 */
export function logChanceMore(after, n, before, m) {
  const there = after + before;
  const logBinomial = (of, taken) => logFactorial(of) - logFactorial(taken) - logFactorial(of - taken);
  let ratio = 0;
  const most = Math.min(n, there);
  const first = logBinomial(n, after) + logBinomial(m, before);
  for (let k = after; k <= most; k += 1) ratio += Math.exp(logBinomial(n, k) + logBinomial(m, there - k) - first);
  return Math.min(0, (first + Math.log(ratio) - logBinomial(n + m, there)) / Math.LN10);
}

const LOG_FACTORIALS = [0];

function logFactorial(n) {
  while (LOG_FACTORIALS.length <= n) LOG_FACTORIALS.push(LOG_FACTORIALS.at(-1) + Math.log(LOG_FACTORIALS.length));
  return LOG_FACTORIALS[n];
}

/** The chance that something is there in so many points more, or so many fewer, as log10. */
function logChanceThere(before, after) {
  const there = (values) => values.filter((value) => value > 0).length;
  const [was, is] = [there(before), there(after)];
  const more = logChanceMore(is, after.length, was, before.length);
  const fewer = logChanceMore(was, before.length, is, after.length);
  return Math.min(more, fewer) + Math.log10(2);
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

const average = (values) => sum(values) / values.length;

/**
 * How a curve moved: `{d, logChance, before, after, volume}`, or nothing where there is too little to compare. Volume is
 * the change of the average as a share of the greater of the two, −1 to 1.
 */
export function moved(before, after) {
  if (before.length < 4 || after.length < 3) return undefined;
  const d = distance(before, after);
  const [was, is] = [average(before), average(after)];
  const greater = Math.max(Math.abs(was), Math.abs(is));
  return { d, logChance: logChance(d, before.length, after.length), before: was, after: is,
    volume: greater > 0 ? (is - was) / greater : 0 };
}

/** Values of a view within [from, to). */
function points({ about, view }, from, to, width) {
  if (about === 'rate' || about === 'failed') {
    const { t, sums } = even(view, about === 'rate' ? 'count' : 'failed', from, to - 1, width);
    return { t: [...t], y: [...sums].map((sum) => sum / (width / 1000)) };
  }
  const t = [];
  const y = [];
  for (let index = 0; index < view.t.length; index += 1) {
    if (view.t[index] < from || view.t[index] >= to || !(view.values[index] > 0)) continue;
    t.push(view.t[index]);
    y.push(view.mean[index]);
  }
  return { t, y };
}

/**
 * Ranks curves by how much they moved in the window, in ms: `{found, fresh, begin, first, looked, moved}`, of which `found`
 * are the first of those that `moved`, and `first` is where the window begins among the points. What cannot be told from chance is left out: with as many
 * curves as there are, one in a thousand each. `fresh` are the others that are there for the first time, the strangest
 * first; only where the time before the window is as long as the window, since in the beginning everything is new.
 */
export function advise(curves, { from, to, start, width }, most = 100) {
  const length = to - from;
  const step = Math.max(width, Math.ceil(length / POINTS / width) * width);
  // An anomaly begins within a point, which is of the window as a whole.
  const first = Math.floor(from / step) * step;
  const begin = Math.max(start, from - BASELINE * length);
  const found = [];
  const fresh = [];
  let looked = 0;
  for (const curve of curves) {
    const before = points(curve, begin, first, step);
    const after = points(curve, first, to, step);
    const change = moved(before.y, after.y);
    if (!change) continue;
    looked += 1;
    const counts = curve.about === 'rate' || curve.about === 'failed';
    // Two questions are asked of counts.
    if (counts) change.logChance = Math.min(0, Math.min(change.logChance, logChanceThere(before.y, after.y)) + Math.log10(2));
    const { view } = curve;
    const isFresh = curve.about === 'rate' && start <= first - length && view.t[0] >= first && view.t[0] < to;
    if (change.logChance > -3 && !isFresh) continue;
    const told = {
      about: curve.about, name: curve.name, unit: curve.unit, subject: curve.subject, kind: curve.kind, id: view.id,
      ...change, t: before.t.concat(after.t), y: before.y.concat(after.y),
    };
    if (change.logChance <= -3) found.push(told);
    else fresh.push({ ...told, surprise: Math.max(...view.surprise), count: sum(view.count) });
  }
  fresh.sort((a, b) => b.surprise - a.surprise || b.count - a.count);
  const weight = (one) => one.d * Math.abs(one.volume);
  found.sort((a, b) => weight(b) - weight(a) || a.logChance - b.logChance);
  return { begin, first, looked, moved: found.length, found: found.slice(0, most), fresh: fresh.slice(0, most) };
}
