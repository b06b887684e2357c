//! From what a configuration says to what finds lines, or to what is wrong with it.

use std::collections::BTreeMap;

use regex_lite::{Regex, RegexBuilder};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::compiled::{Part, Patterns, Rule, Selector, Test};
use super::filter::Filter;
use super::fuzzy::{Phrase, parts};
use super::literal::{self, MOST_NESTED};
use super::{Fuzzy, Lines, Pattern, Sequence, When, library};

/// A regular expression may be so long, in bytes, and may look for so many characters, with what is repeated counted as
/// often as it is: it may take so many steps for each byte of a line.
const LONGEST_EXPRESSION: usize = 1_000;
const MOST_STEPS: u64 = 2_000;
/// What the library may need for an expression; `MOST_STEPS` is the limit that is met first, the same on every target.
const MOST_MEMORY: usize = 4 << 20;

/// Makes rules of patterns. What several of them look for is looked for once.
pub(super) struct Compiler<'a> {
    own: BTreeMap<&'a str, &'a Pattern>,
    sources: Vec<Lines>,
    selectors: Vec<Selector>,
    literals: Vec<(usize, String)>,
    always: Vec<usize>,
}

/// Where something is in a configuration.
#[derive(Clone, Copy)]
struct Place<'a> {
    pattern: &'a str,
    field: &'a str,
}

impl Place<'_> {
    fn wrong(self, message: impl std::fmt::Display) -> String {
        format!("pattern `{}`, field `{}`: {message}", self.pattern, self.field)
    }
}

impl When {
    /// Whether it is about the lines of another pattern.
    pub(super) fn refers(&self) -> bool {
        let is_other = |lines: &Lines| matches!(lines, Lines::Pattern(_));
        match self {
            When::Regex(_) | When::Fuzzy(_) | When::Surprise(_) => false,
            When::Sequence(sequence) => is_other(&sequence.first) || is_other(&sequence.then),
            When::Spike(spike) => is_other(&spike.of),
            When::Rate(rate) => is_other(&rate.of),
            When::Growth(growth) => is_other(&growth.of),
            When::Periodic(periodic) => is_other(&periodic.of),
            When::Absence(absence) => is_other(&absence.of),
        }
    }
}

impl<'a> Compiler<'a> {
    pub(super) fn new(own: &'a [Pattern]) -> Self {
        let mut by_name = BTreeMap::new();
        by_name.extend(own.iter().map(|pattern| (pattern.name.as_str(), pattern)));
        Compiler {
            own: by_name,
            sources: Vec::new(),
            selectors: Vec::new(),
            literals: Vec::new(),
            always: Vec::new(),
        }
    }

    pub(super) fn all(mut self, patterns: impl Iterator<Item = (Pattern, bool)>) -> Result<Patterns, String> {
        let mut rules = Vec::new();
        let mut surprising = Vec::new();
        for (index, (pattern, library)) in patterns.enumerate() {
            self.rule(index, &pattern)?;
            if let When::Surprise(_) = pattern.when {
                surprising.push(index);
            }
            let id = xxh3_64(pattern.name.as_str().as_bytes());
            let what = format!("{:?}", pattern.when);
            rules.push(Rule {
                id,
                track: xxh3_64_with_seed(what.as_bytes(), id),
                pattern,
                library,
            });
        }
        let literals = self.literals.iter().map(|(selector, text)| (*selector, text.as_str()));
        Ok(Patterns {
            rules,
            filter: Filter::new(literals),
            selectors: self.selectors,
            always: self.always,
            surprising,
        })
    }

    fn rule(&mut self, index: usize, pattern: &Pattern) -> Result<(), String> {
        let name = pattern.name.as_str();
        let at = |field| Place { pattern: name, field };
        match &pattern.when {
            When::Regex(expression) => self.lines(
                index,
                Part::Only,
                &Lines::Regex(expression.clone()),
                at("when.regex"),
                &[],
            ),
            When::Fuzzy(fuzzy) => self.lines(index, Part::Only, &Lines::Fuzzy(fuzzy.clone()), at("when.fuzzy"), &[]),
            When::Surprise(_) => Ok(()),
            When::Sequence(Sequence { first, then, by, .. }) => {
                self.lines(index, Part::First, first, at("when.sequence.first"), &[by.group()])?;
                self.lines(index, Part::Then, then, at("when.sequence.then"), &[by.group()])
            }
            When::Spike(spike) => self.lines(index, Part::Only, &spike.of, at("when.spike.of"), &[spike.by.group()]),
            When::Rate(rate) => self.lines(index, Part::Only, &rate.of, at("when.rate.of"), &[rate.by.group()]),
            When::Growth(growth) => {
                let groups = [
                    growth.by.group(),
                    growth.value.as_ref().map(|group| ("value", group.as_str())),
                ];
                self.lines(index, Part::Only, &growth.of, at("when.growth.of"), &groups)
            }
            When::Periodic(periodic) => self.lines(
                index,
                Part::Only,
                &periodic.of,
                at("when.periodic.of"),
                &[periodic.by.group()],
            ),
            When::Absence(absence) => self.lines(
                index,
                Part::Only,
                &absence.of,
                at("when.absence.of"),
                &[absence.by.group()],
            ),
        }
    }

    /// The lines of a rule, which have to have these groups.
    fn lines(
        &mut self,
        rule: usize,
        part: Part,
        lines: &Lines,
        place: Place<'_>,
        groups: &[Option<(&str, &str)>],
    ) -> Result<(), String> {
        let lines = self.resolved(lines, place)?;
        let index = match self.sources.iter().position(|source| *source == lines) {
            Some(index) => index,
            None => self.selector(lines, place)?,
        };
        let Some(selector) = self.selectors.get_mut(index) else {
            return Ok(());
        };
        for (field, group) in groups.iter().flatten() {
            let has = match &selector.test {
                Test::Expression(expression) => expression.capture_names().flatten().any(|name| name == *group),
                Test::Texts | Test::Phrase(_) => false,
            };
            if !has {
                return Err(place.wrong(format_args!(
                    "`{field}` names the group `{group}`, which is not there: write (?<{group}>…) around it in the \
                     regular expression"
                )));
            }
        }
        selector.users.push((rule, part));
        Ok(())
    }

    /// Lines that another pattern finds are what that one looks for.
    fn resolved(&self, lines: &Lines, place: Place<'_>) -> Result<Lines, String> {
        let Lines::Pattern(name) = lines else {
            return Ok(lines.clone());
        };
        let name = name.as_str();
        let when = match self.own.get(name) {
            Some(pattern) => Some(pattern.when.clone()),
            None => library::named(name).map(|entry| When::Regex(entry.regex.to_owned())),
        };
        match when {
            Some(When::Regex(expression)) => Ok(Lines::Regex(expression)),
            Some(When::Fuzzy(fuzzy)) => Ok(Lines::Fuzzy(fuzzy)),
            Some(_) => Err(place.wrong(format_args!(
                "the pattern `{name}` is about more than one line: name one of the kind `regex` or `fuzzy`"
            ))),
            None => {
                let mut known: Vec<&str> = library::names().collect();
                known.extend(self.own.keys());
                let meant = library::meant(name, &known);
                Err(place.wrong(format_args!(
                    "there is no pattern `{name}`: {meant}name one of `rules` or of the library, which `watchpost \
                     config patterns` lists"
                )))
            }
        }
    }

    fn selector(&mut self, lines: Lines, place: Place<'_>) -> Result<usize, String> {
        let index = self.selectors.len();
        let (test, literals) = match &lines {
            Lines::Regex(text) => {
                let shape = literal::shape(text);
                // What the library says is tested; there is no need to make expressions of it that are not run.
                let trusted = shape.whole && library::is_of_library(text);
                let expression = if trusted {
                    None
                } else {
                    Some(expression(text, &shape, place)?)
                };
                let test = match expression {
                    Some(expression) if !shape.whole || expression.captures_len() > 1 => Test::Expression(expression),
                    _ => Test::Texts,
                };
                (test, shape.literals)
            }
            Lines::Fuzzy(fuzzy) => {
                let phrase = phrase(fuzzy, place)?;
                let literals = phrase.literals(&fuzzy.phrase);
                (Test::Phrase(phrase), literals)
            }
            Lines::Pattern(_) => return Err(place.wrong("this is not a pattern of lines")),
        };
        match literals {
            Some(literals) => self.literals.extend(literals.into_iter().map(|text| (index, text))),
            None => self.always.push(index),
        }
        self.selectors.push(Selector {
            test,
            users: Vec::new(),
        });
        self.sources.push(lines);
        Ok(index)
    }
}

/// A regular expression, if it is not too large.
fn expression(text: &str, shape: &literal::Shape, place: Place<'_>) -> Result<Regex, String> {
    if text.len() > LONGEST_EXPRESSION {
        return Err(place.wrong(format_args!(
            "the regular expression has {} bytes, and one can have at most {LONGEST_EXPRESSION}: shorten it, or make \
             two patterns of it",
            text.len()
        )));
    }
    if shape.steps > MOST_STEPS {
        return Err(place.wrong(format_args!(
            "the regular expression looks for {} characters, with what is repeated counted as often as it is, and one \
             can look for at most {MOST_STEPS}: repeat less",
            shape.steps
        )));
    }
    let expression = RegexBuilder::new(text)
        .nest_limit(MOST_NESTED)
        .size_limit(MOST_MEMORY)
        .build()
        .map_err(|error| {
            place.wrong(format_args!(
                "this is no regular expression that can be used ({error}): see the syntax of the crate regex-lite; \
                 groups can be nested {MOST_NESTED} deep"
            ))
        })?;
    if expression.is_match("") {
        return Err(place.wrong(
            "the regular expression is found in an empty text, and so in every line: write what has to be there",
        ));
    }
    Ok(expression)
}

fn phrase(fuzzy: &Fuzzy, place: Place<'_>) -> Result<Phrase, String> {
    let Fuzzy {
        phrase,
        distance,
        similarity,
    } = fuzzy;
    if !(4..=64).contains(&phrase.len()) {
        return Err(place.wrong(format_args!(
            "the phrase has {} bytes: give it from 4 to 64",
            phrase.len()
        )));
    }
    match (distance, similarity) {
        (Some(_), Some(_)) => Err(place.wrong("there are both `distance` and `similarity`: leave one out")),
        (_, Some(_)) if parts(phrase).next().is_none() => {
            Err(place.wrong("the phrase has no word, so that no share of them can be there: write words"))
        }
        (_, Some(similarity)) => Ok(Phrase::worded(phrase, similarity.value())),
        (distance, None) => {
            let most = phrase.len() as u32 / 4;
            let distance = distance.unwrap_or(phrase.len() as u32 / 8);
            if distance > most {
                return Err(place.wrong(format_args!(
                    "a distance of {distance} is more than a quarter of the phrase, and would find nearly anything: \
                     give at most {most}"
                )));
            }
            Ok(Phrase::spelled(phrase, distance))
        }
    }
}
