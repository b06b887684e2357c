//! What a regular expression cannot match without: texts of which one stands in every match, and how large it is.
//!
//! With them a line is given to an expression only where one of its texts was found, which costs all expressions
//! together one look at the line (Cox, "Regular expression matching with a trigram index", 2012, has the rules for
//! putting the parts of an expression together). What this reader of expressions does not know has no such texts; it
//! refuses nothing, which is left to the library that runs the expression.

use std::iter::Peekable;
use std::str::Chars;

/// What is known of an expression before it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Texts in lower case of which each match holds one, in either case; `None` when there are none to name.
    pub(super) literals: Option<Vec<String>>,
    /// The texts are all that there is to match, and their case means nothing: finding one is a match.
    pub(super) whole: bool,
    /// How many characters the expression has to look for, with what is repeated counted as often as it is.
    pub(super) steps: u64,
}

/// A text shorter than this is found too often to save anything.
pub(super) const LEAST_LITERAL: usize = 4;
/// So many texts stand for one expression at most, each of at most so many bytes.
const MOST_LITERALS: usize = 48;
const LONGEST_LITERAL: usize = 48;
/// Groups in groups: the library refuses more as well.
pub(super) const MOST_NESTED: u32 = 20;

/// Reads an expression as `regex-lite` does.
pub(super) fn shape(expression: &str) -> Shape {
    let mut reader = Reader {
        rest: expression.chars().peekable(),
        looks: false,
        unknown: false,
    };
    let part = reader.alternatives(0);
    let known = !reader.unknown && reader.rest.peek().is_none();
    let whole = known && !reader.looks && expression.starts_with("(?i)");
    let exact = part.exact.as_deref().and_then(usable);
    Shape {
        whole: whole && exact.is_some(),
        literals: known.then(|| exact.or(part.need)).flatten(),
        steps: part.steps,
    }
}

/// A part of an expression.
struct Part {
    /// All that it can match, where that is little.
    exact: Option<Vec<String>>,
    /// Texts of which one is in all that it can match.
    need: Option<Vec<String>>,
    steps: u64,
}

impl Part {
    fn exact(texts: Vec<String>, steps: u64) -> Self {
        Part {
            exact: Some(texts),
            need: None,
            steps,
        }
    }

    /// One character of many.
    fn any(steps: u64) -> Self {
        Part {
            exact: None,
            need: None,
            steps,
        }
    }

    fn needed(&self) -> Option<Vec<String>> {
        self.exact.as_deref().and_then(usable).or_else(|| self.need.clone())
    }
}

/// The texts, where all of them are long enough to be looked for.
fn usable(texts: &[String]) -> Option<Vec<String>> {
    let long = !texts.is_empty() && texts.iter().all(|text| text.len() >= LEAST_LITERAL);
    long.then(|| texts.to_vec())
}

/// Of two ways to know a match the one whose shortest text is longer.
fn better(a: Option<Vec<String>>, b: Option<Vec<String>>) -> Option<Vec<String>> {
    let shortest = |texts: &Option<Vec<String>>| {
        texts
            .as_ref()
            .and_then(|texts| texts.iter().map(String::len).min())
            .unwrap_or(0)
    };
    if shortest(&b) > shortest(&a) { b } else { a }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    /// It looks around: at the ends of words or lines, which is more than a text.
    looks: bool,
    /// There is something that is not known here.
    unknown: bool,
}

impl Reader<'_> {
    fn alternatives(&mut self, depth: u32) -> Part {
        let mut parts = vec![self.sequence(depth)];
        while self.rest.next_if_eq(&'|').is_some() {
            parts.push(self.sequence(depth));
        }
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return only;
        }
        let steps = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.steps));
        let together = |of: &dyn Fn(&Part) -> Option<Vec<String>>| {
            let mut texts = Vec::new();
            for part in &parts {
                for text in of(part)? {
                    if !texts.contains(&text) {
                        texts.push(text);
                    }
                }
            }
            (texts.len() <= MOST_LITERALS).then_some(texts)
        };
        Part {
            exact: together(&|part| part.exact.clone()),
            need: together(&Part::needed),
            steps,
        }
    }

    fn sequence(&mut self, depth: u32) -> Part {
        let mut run = vec![String::new()];
        let mut need = None;
        let mut exact = true;
        let mut steps = 0_u64;
        while let Some(next) = self.rest.peek() {
            if matches!(next, '|' | ')') || self.unknown {
                break;
            }
            let part = self.repeated(depth);
            steps = steps.saturating_add(part.steps);
            match &part.exact {
                Some(texts) if fits(&run, texts) => run = crossed(&run, texts),
                Some(texts) => {
                    exact = false;
                    need = better(need, usable(&run));
                    run.clone_from(texts);
                }
                None => {
                    exact = false;
                    need = better(better(need, usable(&run)), part.need);
                    run = vec![String::new()];
                }
            }
        }
        if exact {
            return Part::exact(run, steps);
        }
        Part {
            exact: None,
            need: better(need, usable(&run)),
            steps,
        }
    }

    fn repeated(&mut self, depth: u32) -> Part {
        let mut part = self.one(depth);
        loop {
            let (least, most) = match self.rest.peek() {
                Some('?') => (0, 1),
                Some('*') => (0, 2),
                Some('+') => (1, 2),
                Some('{') => match self.counted() {
                    Some(times) => times,
                    None => return part,
                },
                _ => return part,
            };
            // The closing brace of a count has been read as well.
            self.rest.next_if(|c| matches!(c, '?' | '*' | '+'));
            // Lazy: the same texts, in another order.
            self.rest.next_if_eq(&'?');
            let steps = part.steps.saturating_mul(most.max(1));
            part = match (least, most, part.exact.take()) {
                (1, 1, exact) => Part { exact, ..part },
                (0, 1, Some(mut texts)) => {
                    if !texts.iter().any(String::is_empty) {
                        texts.push(String::new());
                    }
                    Part::exact(texts, steps)
                }
                (0, ..) => Part::any(steps),
                (_, _, exact) => Part {
                    need: exact.as_deref().and_then(usable).or(part.need),
                    exact: None,
                    steps,
                },
            };
        }
    }

    /// `{3}`, `{3,}` or `{3,5}`, up to its closing brace. A count that is something else is not known here.
    fn counted(&mut self) -> Option<(u64, u64)> {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('}') => break,
                Some(c) if text.len() < 32 => text.push(c),
                _ => {
                    self.unknown = true;
                    return None;
                }
            }
        }
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let times = match text.split_once(',') {
            None => number(&text).map(|times| (times, times)),
            Some((least, "")) => number(least).map(|least| (least, least.saturating_add(1))),
            Some((least, most)) => number(least).zip(number(most)),
        };
        self.unknown |= times.is_none();
        times
    }

    fn one(&mut self, depth: u32) -> Part {
        match self.rest.next() {
            None => Part::exact(vec![String::new()], 0),
            Some('.') => Part::any(1),
            Some('^' | '$') => self.look(),
            Some('[') => self.class(),
            Some('(') => self.group(depth),
            Some('\\') => self.escaped(),
            Some(c) => literal(c),
        }
    }

    fn look(&mut self) -> Part {
        self.looks = true;
        Part::exact(vec![String::new()], 1)
    }

    fn escaped(&mut self) -> Part {
        match self.rest.next() {
            Some('d' | 'D' | 'w' | 'W' | 's' | 'S') => Part::any(1),
            Some('b' | 'B' | 'A' | 'z' | '<' | '>') => {
                // `\b{start}` is a look as well, and no count.
                self.unknown |= self.rest.peek() == Some(&'{');
                self.look()
            }
            Some('n') => literal('\n'),
            Some('t') => literal('\t'),
            Some('r') => literal('\r'),
            Some(c) if !c.is_ascii_alphanumeric() => literal(c),
            _ => {
                self.unknown = true;
                Part::any(1)
            }
        }
    }

    fn group(&mut self, depth: u32) -> Part {
        if depth >= MOST_NESTED {
            self.unknown = true;
            return Part::any(1);
        }
        if self.rest.next_if_eq(&'?').is_some() {
            let named = self.rest.next_if_eq(&'P').is_some();
            if self.rest.next_if_eq(&'<').is_some() {
                while self.rest.next_if(|c| *c != '>').is_some() {}
                self.rest.next();
            } else if named {
                self.unknown = true;
            } else {
                loop {
                    match self.rest.next() {
                        Some('i' | 's' | 'm' | 'U' | 'R') => {}
                        // Case may mean something again.
                        Some('-') => self.looks = true,
                        // Flags for what follows are no group.
                        Some(')') => return Part::exact(vec![String::new()], 0),
                        Some(':') => break,
                        // With `x` spaces mean nothing.
                        _ => {
                            self.unknown = true;
                            return Part::any(1);
                        }
                    }
                }
            }
        }
        let part = self.alternatives(depth + 1);
        self.unknown |= self.rest.next() != Some(')');
        part
    }

    /// A set of characters. `[Oo]` is one letter whose case means nothing here; others are not listed.
    fn class(&mut self) -> Part {
        let mut listed = self.rest.next_if_eq(&'^').is_none();
        let mut texts: Vec<String> = Vec::new();
        let mut first = true;
        loop {
            let c = match self.rest.next() {
                None => {
                    self.unknown = true;
                    break;
                }
                Some(']') if !first => break,
                Some('[') => {
                    // A named set such as [:alpha:], or a set within a set.
                    self.unknown |= self.rest.peek() != Some(&':');
                    while self.rest.next_if(|c| *c != ']').is_some() {}
                    self.rest.next();
                    listed = false;
                    'x'
                }
                Some('\\') => match self.rest.next() {
                    Some(c) if !c.is_ascii_alphanumeric() => c,
                    _ => {
                        listed = false;
                        'x'
                    }
                },
                Some('-' | '&' | '~') => {
                    listed = false;
                    'x'
                }
                Some(c) => c,
            };
            first = false;
            let text = c.to_ascii_lowercase().to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        if listed && texts.len() <= 4 {
            Part::exact(texts, 1)
        } else {
            Part::any(1)
        }
    }
}

fn literal(c: char) -> Part {
    Part::exact(vec![c.to_ascii_lowercase().to_string()], 1)
}

fn fits(run: &[String], texts: &[String]) -> bool {
    let longest = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    run.len() * texts.len() <= MOST_LITERALS && longest(run) + longest(texts) <= LONGEST_LITERAL
}

fn crossed(run: &[String], texts: &[String]) -> Vec<String> {
    let mut crossed: Vec<String> = Vec::with_capacity(run.len() * texts.len());
    for start in run {
        for end in texts {
            let text = format!("{start}{end}");
            if !crossed.contains(&text) {
                crossed.push(text);
            }
        }
    }
    crossed
}
