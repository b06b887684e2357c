//! Hard limits that a person sets: a number above its limit is anomalous at once, whatever the models say of it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{Finite, Request, Subject, Value};
use crate::metric::unit;
use crate::order;
use crate::series::MAX_LABEL_BYTES;
use crate::verdict::{Contribution, Expected, Explanation, Kind, Observation, Substitution};

/// The entry for services that have none of their own, and for events that tell no service.
const DEFAULT: &str = "__default__";

/// The label that tells the service of a subject.
const SERVICE: &str = "service";

/// Limits of all services together.
const MOST_LIMITS: usize = 1_000;

/// Limits that are named of one event. A counterfactual that leaves some out would be wrong, so that there is none
/// where there are more.
const MOST_NAMED: usize = 5;

/// Hard limits by service: a service that has an entry uses it and nothing else, every other one uses `__default__`.
///
/// The limit belongs to the good side: only what is above it is anomalous.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Named<Named<Limit>>", into = "BTreeMap<String, BTreeMap<String, f64>>")]
pub struct HardLimits(BTreeMap<String, Named<Limit>>);

/// A number that is above its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit<'a> {
    of: &'a str,
    observed: f64,
    limit: f64,
}

impl HardLimits {
    /// How many limits there are, over all services.
    pub fn len(&self) -> usize {
        self.0.values().map(|limits| limits.0.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An explanation that these limits agree with: what models find usual may be above a limit that a person set, and then
    /// clears nothing.
    pub(crate) fn keep(&self, subject: &Subject<'_>, mut explanation: Explanation) -> Explanation {
        let values = &explanation.counterfactual;
        let numbers = values
            .iter()
            .filter_map(|value| Some((value.of.as_str(), Finite::new(value.value)?)));
        if !self.hits(subject, numbers).is_empty() {
            explanation.counterfactual.clear();
        }
        explanation
    }

    /// The numbers of an event that are above their limits, the farthest above first. It costs a comparison of the
    /// service's name when there are limits, and nothing when there are none.
    pub(crate) fn hits<'a>(
        &self,
        subject: &Subject<'_>,
        numbers: impl IntoIterator<Item = (&'a str, Finite)>,
    ) -> Vec<Hit<'a>> {
        let Some(limits) = self.of(subject) else {
            return Vec::new();
        };
        let mut hits: Vec<Hit<'a>> = numbers
            .into_iter()
            .filter_map(|(of, number)| {
                let (limit, observed) = (limits.0.get(of)?.0, number.value());
                (observed > limit).then_some(Hit { of, observed, limit })
            })
            .collect();
        // Ties are left in the order of the event, so that the order is the same everywhere.
        order::sort_by_key(&mut hits, |hit| order::falling(excess(hit.observed, hit.limit)));
        hits
    }

    /// Takes out what numbers of these names are compared with. An entry stays, empty, since it keeps its service from the
    /// default one.
    pub(crate) fn met<'a>(&mut self, subject: &Subject<'_>, names: impl IntoIterator<Item = &'a str>) {
        if self.0.is_empty() {
            return;
        }
        let service = subject.labels().iter().find(|label| label.name == SERVICE);
        let own = service.map(|service| service.value);
        let entry = own.filter(|own| self.0.contains_key(*own)).unwrap_or(DEFAULT);
        if let Some(limits) = self.0.get_mut(entry).filter(|limits| !limits.0.is_empty()) {
            for name in names {
                limits.0.remove(name);
            }
        }
    }

    /// The limits as `service.field`.
    pub(crate) fn named(&self) -> impl Iterator<Item = String> {
        let limits = self.0.iter();
        limits.flat_map(|(service, limits)| limits.0.keys().map(move |name| format!("{service}.{name}")))
    }

    fn of(&self, subject: &Subject<'_>) -> Option<&Named<Limit>> {
        if self.0.is_empty() {
            return None;
        }
        let service = subject.labels().iter().find(|label| label.name == SERVICE);
        let limits = service
            .and_then(|service| self.0.get(service.value))
            .or_else(|| self.0.get(DEFAULT))?;
        (!limits.0.is_empty()).then_some(limits)
    }
}

/// The numbers of a request that can have a limit. What a log does not tell has none.
pub(crate) fn of_request<'a>(request: &Request<'_>) -> impl Iterator<Item = (&'a str, Finite)> + use<'a> {
    let status = request.status.and_then(|status| Finite::new(f64::from(status)));
    [
        ("response_time", request.duration),
        ("duration_ms", request.duration),
        ("bytes", request.bytes),
        ("status", status),
    ]
    .into_iter()
    .filter_map(|(name, number)| Some((name, number?)))
}

/// How far the first of the hits is above its limit.
pub(crate) fn farthest(hits: &[Hit<'_>]) -> Option<f64> {
    hits.first().map(|hit| excess(hit.observed, hit.limit))
}

/// Whether this is the number that explains the event.
pub(crate) fn is_first(hits: &[Hit<'_>], name: &str) -> bool {
    hits.first().is_some_and(|hit| hit.of == name)
}

/// The values of a row with those that are above their limits brought down to them.
pub(crate) fn at_limits<'a>(values: &[Value<'a>], hits: &[Hit<'_>]) -> Vec<Value<'a>> {
    let lowered = |value: &Value<'a>| {
        let hit = hits.iter().find(|hit| hit.of == value.metric)?;
        Some(Value {
            value: Finite::new(hit.limit)?,
            ..*value
        })
    };
    values.iter().map(|value| lowered(value).unwrap_or(*value)).collect()
}

/// What an event's limits say, before what the models say of it.
///
/// The parts of `models` have to sum to what the models find beyond the threshold; the limits take the rest of
/// `surprise`, in equal parts. `clears` tells whether the event would be fine for the models with every value at its
/// limit; where it would not be, the substitutions of `models` have to do the rest.
pub(crate) fn explain(
    hits: &[Hit<'_>],
    surprise: f64,
    clears: bool,
    models: Option<Explanation>,
) -> (Kind, Explanation) {
    let mut explanation = models.unwrap_or_default();
    let known: f64 = explanation.contributions.iter().map(|part| part.surprise).sum();
    let named = hits.len().min(MOST_NAMED);
    let mut contributions: Vec<Contribution> = hits
        .iter()
        .take(named)
        .map(|hit| Contribution {
            of: hit.of.to_owned(),
            model: "rule".to_owned(),
            surprise: (surprise - known).max(0.0) / named as f64,
            observed: Observation::Number(hit.observed),
            expected: Expected {
                value: Observation::Number(hit.limit),
                low: None,
                high: Some(hit.limit),
            },
            unit: unit(hit.of).map(str::to_owned),
        })
        .collect();
    contributions.append(&mut explanation.contributions);
    explanation.contributions = contributions;
    explanation.counterfactual = counterfactual(hits, clears, &explanation.counterfactual);
    (Kind::Rule, explanation)
}

/// Every value at its limit, or at what the models ask for where that is less.
fn counterfactual(hits: &[Hit<'_>], clears: bool, models: &[Substitution]) -> Vec<Substitution> {
    let limit = |of: &str| hits.iter().find(|hit| hit.of == of).map(|hit| hit.limit);
    let impossible = models
        .iter()
        .any(|other| limit(&other.of).is_some_and(|limit| other.value > limit));
    if hits.len() > MOST_NAMED || !clears && (models.is_empty() || impossible) {
        return Vec::new();
    }
    let models = if clears { &[] } else { models };
    let limits = hits
        .iter()
        .filter(|hit| models.iter().all(|other| other.of != hit.of))
        .map(|hit| Substitution {
            of: hit.of.to_owned(),
            value: hit.limit,
        });
    // The substitution that was brought only as far as is needed stays the last one.
    limits.chain(models.iter().cloned()).collect()
}

/// How far above its limit a number is, as a share of the limit.
pub(crate) fn excess(observed: f64, limit: f64) -> f64 {
    (observed - limit).min(f64::MAX) / limit.abs().max(1e-9)
}

/// A limit: any finite number.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
struct Limit(f64);

impl TryFrom<f64> for Limit {
    type Error = String;

    fn try_from(limit: f64) -> Result<Self, String> {
        if limit.is_finite() {
            Ok(Limit(limit))
        } else {
            Err(format!("{limit} is not a limit: give a finite number"))
        }
    }
}

impl TryFrom<Named<Named<Limit>>> for HardLimits {
    type Error = String;

    fn try_from(services: Named<Named<Limit>>) -> Result<Self, String> {
        let limits = HardLimits(services.0);
        match limits.len() {
            0..=MOST_LIMITS => Ok(limits),
            many => Err(format!(
                "{many} limits over all services are too many: give at most {MOST_LIMITS}"
            )),
        }
    }
}

impl From<HardLimits> for BTreeMap<String, BTreeMap<String, f64>> {
    fn from(limits: HardLimits) -> Self {
        let plain = |limits: Named<Limit>| limits.0.into_iter().map(|(name, limit)| (name, limit.0)).collect();
        limits
            .0
            .into_iter()
            .map(|(service, limits)| (service, plain(limits)))
            .collect()
    }
}

/// Things by name: each name once, and none that nothing can have.
#[derive(Debug, Clone, PartialEq)]
struct Named<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object by name, for example {\"web\": {\"response_time\": 1500}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut named = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.is_empty() {
                return Err(A::Error::custom("a name is empty: name the service or the field"));
            }
            if name.len() > MAX_LABEL_BYTES {
                return Err(A::Error::custom(format_args!(
                    "a name has {} bytes, and a name can have at most {MAX_LABEL_BYTES}: shorten it",
                    name.len()
                )));
            }
            if named.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "`{name}` is there twice: write its limits once"
                )));
            }
            if named.len() == MOST_LIMITS {
                return Err(A::Error::custom(format_args!(
                    "more than {MOST_LIMITS} names are too many: leave some out"
                )));
            }
            let value = map.next_value()?;
            named.insert(name, value);
        }
        Ok(Named(named))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for HardLimits {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HardLimits".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = serde_json::json!({ "minLength": 1, "maxLength": MAX_LABEL_BYTES });
        schemars::json_schema!({
            "description": "Hard limits by service: a service that has an entry uses it and nothing else, every other \
                            one uses `__default__`. At most 1,000 limits in all.",
            "type": "object",
            "propertyNames": names,
            "additionalProperties": {
                "description": "The greatest number of each field that is not anomalous.",
                "type": "object",
                "propertyNames": names,
                "additionalProperties": { "type": "number" },
            },
        })
    }
}

#[cfg(test)]
mod tests;
