// The page's side of the worker: questions as promises, a run as a promise with events, and a new worker when one dies.

/** What went wrong in a run, in words. `trapped`: the detector itself failed. */
export class RunFailed extends Error {
  constructor({ message, trapped = false, unreadable = false }) {
    super(message);
    this.trapped = trapped;
    this.unreadable = unreadable;
  }
}

export class Engine extends EventTarget {
  #worker;
  #waiting = new Map();
  #next = 1;
  #updates = new Map();

  constructor() {
    super();
    this.#start();
  }

  #start() {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }) => this.#heard(data));
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#died(event.message || 'the worker could not be started');
    });
    this.#worker = worker;
  }

  #heard(data) {
    if (data.event === 'update') {
      this.#updates.get(data.run)?.(data);
    } else if (data.event === 'broken') {
      this.dispatchEvent(new CustomEvent('broken', { detail: data.message }));
    } else if (data.event === 'ready') {
      this.dispatchEvent(new CustomEvent('ready'));
    } else {
      const { resolve, reject } = this.#waiting.get(data.id) ?? {};
      this.#waiting.delete(data.id);
      if (data.error) {
        reject?.(new RunFailed(data.error));
        if (data.error.trapped) this.restart(data.error.message);
      } else {
        resolve?.(data.value);
      }
    }
  }

  #died(message) {
    this.restart(message);
    this.dispatchEvent(new CustomEvent('broken', { detail: message }));
  }

  /** Ends the worker and whatever it does, and starts another one. */
  restart(why = 'it was started anew') {
    this.#worker.terminate();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#updates.clear();
    for (const { reject } of waiting) reject(new RunFailed({ message: why, trapped: true }));
    this.#start();
  }

  ask(op, about = {}) {
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, op, ...about });
    });
  }

  /**
   * Scores a blob. `kept`: its curves, lines and state can be asked for afterwards; otherwise only what it says counts.
   * `onUpdate` gets `{bytes, total, rows, lines, onsets, list}` some five times a second.
   */
  async score({ blob, name, config, input, kept, onUpdate }) {
    const id = this.#next;
    this.#updates.set(id, onUpdate);
    try {
      return await this.ask('score', { blob, name, config, input, kept });
    } finally {
      this.#updates.delete(id);
    }
  }

  /** Stops the run. One that does not listen within a second is ended with its worker. */
  cancel() {
    const heard = this.ask('cancel').catch(() => {});
    const late = new Promise((resolve) => setTimeout(resolve, 1000, 'late'));
    Promise.race([heard, late]).then((outcome) => {
      if (outcome === 'late') this.restart('cancelled');
    });
  }
}
