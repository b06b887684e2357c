/** The version of the detector. */
export function version(): string;

/**
 * A detector. The usual course: begin() an input, push() its bytes, finish() it, and so on with further inputs;
 * close() at the very end. After each of these said() and names() have what is new.
 */
export class Watchpost {
  free(): void;
  [Symbol.dispose](): void;
  /**
   * @param config what a configuration file holds, `{detector: {…}}`; without it everything is as it is by default
   * @param snapshot from snapshot(), to go on from
   * @throws {Error} that names the field, or says why the snapshot cannot be used
   */
  constructor(config?: Configuration | null, snapshot?: Uint8Array | null);
  /** Begins an input. @throws {Error} that names the field, or says that the input before is not over */
  begin(input?: Input | null): void;
  /** Reads bytes, cut anywhere. @throws {Error} when no input has begun */
  push(bytes: Uint8Array): Columns;
  /** The input is over. @throws {Error} when none has begun */
  finish(): Columns;
  /** Everything is over: episodes and sessions that are still open are told. @throws {Error} when an input is not over */
  close(): void;
  /**
   * The lines that were written since the last call, as UTF-8; each is a JSON object and ends in a line feed. They are
   * the bytes that every other host writes: anomalies, problems, notes, sessions, and verdicts on rows where the input
   * asks for them.
   */
  said(): Uint8Array;
  /** What the indices of columns mean: what is new since the last call, and templates whose text has changed. */
  names(): Names;
  /**
   * The verdict on a row that was flagged and the anomaly that it belongs to, as it was told last; undefined for any
   * other row, and beyond 100,000 flagged ones.
   */
  explain(row: number): Explained | undefined;
  /** The whole state, to go on from later. */
  snapshot(): Uint8Array;
  /** Where the detector stands. */
  status(): Status;
}

/** What a configuration file holds. */
export interface Configuration {
  detector?: Record<string, unknown>;
}

/** How an input is read, what it is for, and what is written about it. */
export interface Input {
  /** "auto" where nothing is said: found out from the first lines. */
  format?: "auto" | "ndjson" | "csv" | "text" | "logfmt" | "syslog" | "access" | "envoy" | "kubernetes" | "otlp" | "prometheus" | "native-json" | (string & {});
  /** "score", or "warm-up": learned from and not scored, without columns. */
  role?: "score" | "warm-up";
  /** "anomalies", "rows" (a line for every row) or "all". */
  emit?: "anomalies" | "rows" | "all";
  /** The file's name. */
  source?: string | null;
  /** How far rows without a time are taken to be apart, in seconds; 60. */
  interval_seconds?: number;
  /** CSV: the columns that form the subject. */
  subject?: string[] | null;
  /** The year of times that name none; 1970. */
  year?: number;
  /** When the input is read, as RFC 3339: times that name no year and would be more than a day after it are of the year before. */
  read_at?: string | null;
  /** What people said of rows of this input, learned from right after the row. */
  answers?: { row: number; label: "fine" | "matters" }[];
}

/** One entry for each event of the call, and the values of these events. Every array is a copy. */
export interface Columns {
  /** The row of the event, counted from 0 over all inputs that were scored. */
  readonly row: Uint32Array;
  /** When it happened, in milliseconds since 1970. */
  readonly time: Float64Array;
  /** −log10 of the probability that normal behaviour looks at least this strange: at least 0. */
  readonly surprise: Float64Array;
  /** 1 anomalous, 2 onset, 4 failed (status 5xx or no response; a line of level error or above), 8 sample, 16 log line, 32 request. */
  readonly flags: Uint8Array;
  /** Index of the subject; 0xFFFFFFFF beyond 10,000 subjects. */
  readonly subject: Uint32Array;
  /** Index of the template or the route; 0xFFFFFFFF where there is none, and beyond 20,000. */
  readonly group: Uint32Array;
  /** Of each value: the index of its event in the arrays above. */
  readonly value_event: Uint32Array;
  /** Of each value: the index of its series. Values beyond 20,000 series are left out. */
  readonly value_series: Uint32Array;
  /** The values, in the unit of their series. */
  readonly value: Float64Array;
}

/** What indices mean. */
export interface Names {
  subjects: { index: number; labels: Record<string, string> }[];
  series: { index: number; subject: number; metric: string; unit?: string }[];
  groups: { index: number; subject: number; kind: "template" | "route"; text: string }[];
}

/** The verdict on a row. */
export interface Explained {
  row: number;
  surprise: number;
  /** 1 − 10^(−surprise). */
  score: number;
  anomaly: boolean;
  onset: boolean;
  /** Where the input's anomalies are written. */
  told?: Anomaly;
}

/** An episode of strange behaviour, as it was told; docs/verdicts.md has every field. */
export interface Anomaly {
  timestamp: string;
  subject: Record<string, string>;
  kind: string;
  anomaly_type: "performance" | "memory" | "error" | "pattern";
  severity: "low" | "medium" | "high" | "critical";
  score: number;
  surprise: number;
  threshold: number;
  phase: "onset" | "worse" | "end" | "open" | "near";
  seconds: number;
  events: number;
  peak: string;
  fingerprint: string;
  row?: number;
  explanation: Explanation;
}

/** Why an event is strange. */
export interface Explanation {
  /** The evidence, strongest first. */
  contributions: {
    of: string;
    model: string;
    surprise: number;
    observed: number | string;
    expected: { value: number | string; low?: number; high?: number };
    unit?: string;
  }[];
  /** The nearest values that would not have been flagged. */
  counterfactual: { of: string; value: number }[];
  template?: string;
  template_lines?: number;
  line?: string;
  patterns?: { name: string; description?: string; severity: string; alarm?: boolean; events: number; about?: string }[];
  features?: Record<string, number>;
}

/** Where a detector stands. */
export interface Status {
  /** Events that were scored. */
  events: number;
  alarms: number;
  /** Event time that was scored, in days. */
  days: number;
  /** The surprise that an event has to reach now. */
  threshold: number;
  series: number;
  templates: number;
  routes: number;
  [further: string]: unknown;
}
