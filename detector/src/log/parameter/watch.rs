//! Which parameters of a template are measurements, to be watched like metrics.

use serde::{Deserialize, Serialize};

use super::{Parameter, ParameterValue};
use crate::event::{Finite, Value};
use crate::feature::{is_one_of, parts};
use crate::log::{TemplateIndex, Templates, token::Tokens};
use crate::metric::is_counter;
use crate::wire::quantity::split_unit;

/// How many lines of a template show which of its parameters are measurements.
const TRIAL: u32 = 30;

/// Where the trial shows none, another begins after so many times as many lines.
const AGAIN: u32 = 8;

/// How many parameters of a template are watched, and how many are tried.
const MOST: usize = 4;
const MOST_TRIED: usize = 16;

/// What is kept of a parameter's name, in bytes.
const MOST_OF_A_NAME: usize = 48;

/// A name that ends in one of these is of a number that is not measured but given: more or less of it means nothing.
const NOT_MEASURED: [&str; 28] = [
    "id", "ids", "pid", "ppid", "uid", "euid", "gid", "tid", "port", "seq", "sequence", "code", "status", "errno",
    "version", "line", "level", "type", "flags", "flag", "flg", "index", "idx", "address", "addr", "state", "mode",
    "priority",
];

/// What is known of the parameters of every template, by its slot.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Watches {
    watches: Vec<Option<Box<Watch>>>,
    #[serde(skip)]
    scratch: Tokens,
}

/// The parameters of one template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// Tells whether the template is still the one that this was found out about.
    shape: u64,
    /// Lines seen in the trial; before it, lines that are left out are counted up to zero.
    seen: i64,
    /// How many were left out before this trial.
    waited: u32,
    /// In the trial those that may be measurements, afterwards those that are.
    measures: Vec<Measure>,
}

/// A parameter that may be a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Measure {
    position: u8,
    /// The name of the metric, which ends in the unit of its values.
    metric: String,
    /// Whether the line tells a unit with the value.
    united: bool,
    /// What was seen in the trial.
    tried: Vec<f64>,
}

impl Watches {
    /// Lends what is known of a template until it is [given back](Watches::give_back).
    pub(crate) fn lend(&mut self, index: TemplateIndex, templates: &Templates) -> Option<Box<Watch>> {
        let shape = templates.shape(index)?;
        let slot = index.slot();
        if slot >= self.watches.len() {
            self.watches.resize(slot + 1, None);
        }
        let watch = self.watches.get_mut(slot)?.take();
        Some(watch.filter(|watch| watch.shape == shape).unwrap_or_else(|| {
            Box::new(Watch {
                shape,
                seen: 0,
                waited: 0,
                measures: Vec::new(),
            })
        }))
    }

    pub(crate) fn give_back(&mut self, index: TemplateIndex, watch: Box<Watch>) {
        if let Some(slot) = self.watches.get_mut(index.slot()) {
            *slot = Some(watch);
        }
    }

    /// The measurements that a line of the template holds, by name.
    pub(crate) fn values<'w>(
        &mut self,
        watch: &'w mut Watch,
        index: TemplateIndex,
        templates: &Templates,
        message: &str,
        learns: bool,
    ) -> Vec<Value<'w>> {
        let trial = watch.seen < i64::from(TRIAL);
        if trial && !learns {
            return Vec::new();
        }
        if watch.seen < 0 {
            watch.seen += 1;
            return Vec::new();
        }
        let tokens = &mut self.scratch;
        if !templates.read_as(index, message, tokens) {
            return Vec::new();
        }
        if trial {
            watch.try_out(templates.wild(index), tokens, message);
            return Vec::new();
        }
        let read = |measure: &'w Measure| {
            let (value, _) = measure.read(tokens, message)?;
            let value = Finite::new(value)?;
            Some(Value {
                metric: &measure.metric,
                value,
            })
        };
        watch.measures.iter().filter_map(read).collect()
    }
}

impl Watch {
    fn try_out(&mut self, wild: u128, tokens: &Tokens, message: &str) {
        if self.seen == 0 {
            self.measures = candidates(wild, tokens, message);
        }
        self.seen += 1;
        for measure in &mut self.measures {
            if let Some((value, united)) = measure.read(tokens, message)
                && united == measure.united
            {
                measure.tried.push(value);
            }
        }
        if self.seen < i64::from(TRIAL) {
            return;
        }
        self.measures.retain(Measure::is_measurement);
        self.measures.truncate(MOST);
        for at in 0..self.measures.len() {
            let (before, rest) = self.measures.split_at_mut(at);
            if let Some(measure) = rest.first_mut() {
                measure.tried = Vec::new();
                if before.iter().any(|other| other.metric == measure.metric) {
                    measure.metric = format!("{}_{}", at + 1, measure.metric);
                }
            }
        }
        if self.measures.is_empty() {
            // What was constant, or not yet there, may be measured later.
            self.waited = self.waited.saturating_add(TRIAL).saturating_mul(AGAIN);
            self.seen = -i64::from(self.waited);
        }
    }
}

/// The parameters of the template's first line that may be measurements by their form and name.
fn candidates(wild: u128, tokens: &Tokens, message: &str) -> Vec<Measure> {
    let mut measures = Vec::new();
    for (position, token) in tokens.tokens.iter().enumerate() {
        if measures.len() == MOST_TRIED {
            break;
        }
        if wild >> position & 1 == 0 {
            continue;
        }
        let parameter = Parameter::measured(message, token.span);
        let metric = match (parameter.value.measured(), parameter.value.counted()) {
            (Some((_, unit)), _) => with_unit(parameter.name, unit),
            (_, Some(_)) if Parameter::is_keyed(message, token.span) => match parameter.name {
                Some(name) if !parts(name).last().is_some_and(|part| is_one_of(part, &NOT_MEASURED)) => {
                    shortened(name).to_owned()
                }
                _ => continue,
            },
            _ => continue,
        };
        // Of a sum it is the rate that is watched; a line tells the sum when it is finished.
        if !is_counter(&metric) {
            measures.push(Measure {
                position: position as u8,
                metric,
                united: parameter.value.measured().is_some(),
                tried: Vec::new(),
            });
        }
    }
    measures
}

impl Measure {
    /// The number that a line has here, and whether it tells a unit.
    fn read(&self, tokens: &Tokens, message: &str) -> Option<(f64, bool)> {
        let token = tokens.tokens.get(usize::from(self.position))?;
        let (_, value) = ParameterValue::measured_in(message, token.span);
        let value = value?;
        value
            .measured()
            .map(|(value, _)| (value, true))
            .or(value.counted().map(|value| (value, false)))
    }

    /// Whether the values of the trial are those of something that is measured.
    fn is_measurement(&self) -> bool {
        // Nine lines in ten have it.
        if 10 * self.tried.len() < 9 * TRIAL as usize {
            return false;
        }
        let steps = self.tried.len() as u32 - 1;
        let rises = self.tried.windows(2).filter(|pair| pair[1] > pair[0]).count() as u32;
        // What only grows counts, or is the time.
        if 10 * rises >= 9 * steps {
            return false;
        }
        let mut values = self.tried.clone();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        if self.united || split_unit(&self.metric).is_some() {
            // What is always the same is a setting.
            return values.len() > 1;
        }
        // Great whole numbers that never come twice are identities; two values only are a switch.
        let whole = values.iter().all(|value| value % 1.0 == 0.0);
        let great = values.iter().all(|value| *value >= 10_000.0 || *value <= -10_000.0);
        values.len() > 2 && !(whole && great && values.len() == self.tried.len())
    }
}

/// The name of a metric that ends in its unit.
fn with_unit(name: Option<&str>, unit: &str) -> String {
    match name {
        // The value is in this unit, whatever unit the name tells of the number as it is written.
        Some(name) => format!("{}_{unit}", shortened(split_unit(name).map_or(name, |(name, _)| name))),
        None => match unit {
            "ms" => "duration_ms".to_owned(),
            "bytes" => "size_bytes".to_owned(),
            _ => format!("share_{unit}"),
        },
    }
}

fn shortened(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MOST_OF_A_NAME)).unwrap_or(name)
}
