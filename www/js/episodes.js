// What a run says, line by line, joined to one entry for each episode, and what would fire under another budget.

import { SEVERITIES } from './words.js';

/** An episode is told apart by its onset and by what is anomalous (docs/verdicts.md). */
export const key = (anomaly) => `${anomaly.timestamp} ${anomaly.fingerprint}`;

const rank = (severity) => SEVERITIES.indexOf(severity);

/** A run's lines; each kind of line is kept within a bound, since inputs may be broken in every row. */
export class Told {
  #episodes = new Map();
  #mostProblems;

  constructor(mostProblems = 200) {
    this.#mostProblems = mostProblems;
    this.problems = [];
    this.problemCount = 0;
    this.notes = [];
    this.sessions = [];
    this.sessionCount = 0;
    this.format = undefined;
  }

  /** Takes one line of NDJSON. Lines about rows are of no interest here. */
  add(line) {
    if (!line || line.startsWith('{"row"')) return;
    const said = JSON.parse(line);
    if (said.problem) {
      this.problemCount += 1;
      if (this.problems.length < this.#mostProblems) this.problems.push(said.problem);
    } else if (said.note !== undefined) {
      if (said.format) this.format = said.format;
      if (this.notes.length < 50) this.notes.push(said);
    } else if (said.session !== undefined) {
      if (!said.anomaly) return;
      this.sessionCount += 1;
      if (this.sessions.length < 200) this.sessions.push(said);
    } else if (said.fingerprint) {
      this.#join(said);
    }
  }

  #join(anomaly) {
    const id = key(anomaly);
    const before = this.#episodes.get(id);
    const tells = [...(before?.tells ?? []), { phase: anomaly.phase, severity: anomaly.severity, peak: anomaly.peak }];
    this.#episodes.set(id, {
      id,
      told: anomaly,
      tells,
      // Which row it began with the onset knows best: later it is worked out from the time.
      row: before?.row,
      near: anomaly.phase === 'near',
    });
  }

  /** Says which row of the input an episode began with. */
  began(id, row) {
    const episode = this.#episodes.get(id);
    if (episode) episode.row = row;
  }

  get episodes() {
    return [...this.#episodes.values()];
  }
}

/** The gravest first: by severity, then by how strange, then by how long. */
export function byWeight(a, b) {
  return rank(b.told.severity) - rank(a.told.severity)
    || b.told.surprise - a.told.surprise
    || b.told.seconds - a.told.seconds
    || Date.parse(a.told.timestamp) - Date.parse(b.told.timestamp);
}

/** The alarm that somebody should look at first. */
export function worst(episodes) {
  return episodes.filter((episode) => !episode.near).sort(byWeight)[0];
}

/**
 * Whether an episode of a run with the budget `scoredWith` would have fired under `budget`. Ten times the budget is a
 * threshold that is one decade lower (docs/report.md). What a person has set, a limit or a pattern, fires always.
 */
export function fires({ told, near }, budget, scoredWith) {
  const parts = told.explanation.contributions;
  if (!near && parts.length > 0 && parts.every((part) => part.model === 'rule' || part.model === 'pattern')) return true;
  return told.surprise >= told.threshold - Math.log10(budget / scoredWith) - 1e-9;
}

/** Near misses tell of budgets up to ten times the one that was scored with. */
export const knownUpTo = (scoredWith) => scoredWith * 10;

/** How many would have fired under each of the budgets. */
export function table(episodes, budgets, scoredWith) {
  return budgets.map((budget) => ({
    budget,
    alarms: budget > knownUpTo(scoredWith) * 1.0001 ? undefined
      : episodes.filter((episode) => fires(episode, budget, scoredWith)).length,
  }));
}

/**
 * Two runs over the same input, side by side. An alarm of the same thing that overlaps in time is the same alarm, though
 * it may have begun a little earlier or later.
 */
export function compare(before, after) {
  const alarms = (list) => list.filter((episode) => !episode.near).sort((a, b) => start(a) - start(b));
  const left = alarms(before);
  const rest = new Set(alarms(after));
  const both = [];
  const gone = [];
  for (const episode of left) {
    const twin = [...rest].find((other) => other.id === episode.id)
      ?? [...rest].find((other) => other.told.fingerprint === episode.told.fingerprint && overlaps(episode, other));
    if (twin) {
      rest.delete(twin);
      both.push([episode, twin]);
    } else {
      gone.push(episode);
    }
  }
  return { gone, both, added: [...rest] };
}

const start = (episode) => Date.parse(episode.told.timestamp);
/** It counts as open until ten minutes after its last event. */
const end = (episode) => start(episode) + (episode.told.seconds + 600) * 1000;
const overlaps = (a, b) => start(a) <= end(b) && start(b) <= end(a);

/** When it was, in ms: onset, last event, and the event that explains it. */
export function when(episode) {
  const from = start(episode);
  return { from, to: from + episode.told.seconds * 1000, peak: Date.parse(episode.told.peak) };
}
