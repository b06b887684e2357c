// The configuration as people set it here: only what differs from the defaults, which is also what is exported.

export const DEFAULTS = {
  false_alarms_per_day: 0.1, learning: 'guarded', accept_after_minutes: 180, near_misses: false,
};

/** The models that a subject with at least three metrics can have over all of them together. */
export const TOGETHER = ['forest', 'half_space_trees', 'pca', 'neighbours', 'local_outlier_factor', 'autoencoder',
  'variational_autoencoder'];

export const FORMATS = ['auto', 'ndjson', 'csv', 'text', 'logfmt', 'syslog', 'access', 'envoy', 'kubernetes', 'otlp',
  'prometheus', 'native-json'];

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isEmpty = (value) => value === undefined || value === null || (isObject(value) && Object.keys(value).length === 0)
  || (Array.isArray(value) && value.length === 0);

/** The document without what says nothing: defaults and empty parts. */
export function lean(config) {
  const { detector = {}, ...others } = config ?? {};
  const kept = {};
  for (const [field, value] of Object.entries(detector)) {
    if (value === DEFAULTS[field]) continue;
    const inner = isObject(value) ? Object.fromEntries(Object.entries(value).filter(([, part]) => !isEmpty(part))) : value;
    if (!isEmpty(inner)) kept[field] = inner;
  }
  return Object.keys(kept).length > 0 ? { ...others, detector: kept } : { ...others };
}

export const budgetOf = (config) => config?.detector?.false_alarms_per_day ?? DEFAULTS.false_alarms_per_day;

/** The same configuration with some fields of the detector set; undefined takes a field out. */
export function withFields(config, fields) {
  const detector = { ...config?.detector, ...fields };
  for (const [field, value] of Object.entries(fields)) if (value === undefined) delete detector[field];
  return lean({ ...config, detector });
}

/** With near misses, so that the budget can be moved without scoring again. They change nothing else. */
export const forTheSlider = (config) => ({ ...config, detector: { ...config?.detector, near_misses: true } });

/** The slider goes from 0.001 to 10 a day in even steps of decades. */
export const LEAST = 0.001;
export const MOST = 10;
export const STEPS = 80;

export const budgetAt = (step) => {
  const exact = LEAST * 10 ** ((step / STEPS) * Math.log10(MOST / LEAST));
  return Number(exact.toPrecision(2));
};
export const stepOf = (budget) => Math.round((Math.log10(budget / LEAST) / Math.log10(MOST / LEAST)) * STEPS);

/** `0.1 a day` as people count: `one in 10 days`. */
export function budgetInWords(budget) {
  if (budget === 1) return 'one a day';
  if (budget > 1) return `${Number(budget.toPrecision(2))} a day`;
  const days = 1 / budget;
  return days < 365 ? `one in ${Number(days.toPrecision(2))} days` : `one in ${Number((days / 365.25).toPrecision(2))} years`;
}
