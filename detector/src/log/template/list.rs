//! How a message reads when it does not matter how many values it lists, in which units, or how they are restated.
//!
//! `sent 733 bytes, lasting <1 sec` and `sent 4552 bytes (4.44 KB), lasting 00:12` are one message of a program: what
//! differs is only how a value is written. Read *loosely*, a run of values is one: values with a separator between them
//! (`1, 22, 3`, `host:80`), a value with its unit, with a sign of comparison before it, and with the same value said
//! again in parentheses behind it. A template is read so only once two messages differ in nothing else: as long as all
//! lists have one length, the length is part of the template.

use super::Template;
use crate::log::parameter::is_unit;
use crate::log::token::{CLASS, MASKED, SPACE, STEP, Skeleton, Span, Token, Tokens, WILDCARD, key, limit};

/// Tokens from `first` on, which are one in the loose reading.
struct Group {
    first: usize,
    span: Span,
    run: bool,
}

/// What a loose skeleton begins with, so that it is never that of an exact one.
pub(super) const LOOSE: Skeleton = Skeleton(STEP);

/// Reads a message loosely; `None` when it has no values, or nothing else.
pub(super) fn loosen(tokens: &Tokens, message: &str) -> Option<Tokens> {
    if tokens.masked == 0 || tokens.masked.count_ones() as usize == tokens.tokens.len() {
        return None;
    }
    let text = message.get(..limit(message))?;
    let spans: Vec<_> = tokens.tokens.iter().map(|token| token.span).collect();
    let mut loose = Tokens::default();
    let mut skeleton = LOOSE;
    let mut from = 0;
    for group in groups(text, &spans, tokens.masked) {
        skeleton.between(text.get(from..usize::from(group.span.start))?, from == 0);
        skeleton.token();
        from = usize::from(group.span.end);
        let hash = if group.run {
            MASKED
        } else {
            tokens.tokens.get(group.first)?.hash
        };
        loose.masked |= u128::from(group.run) << loose.tokens.len();
        loose.tokens.push(Token { span: group.span, hash });
    }
    skeleton.between(text.get(from..)?.trim_end(), from == 0);
    loose.skeleton = skeleton.0;
    Some(loose)
}

impl Template {
    /// The key that it would have in the loose reading; `None` where it is read so already, or has no values, or
    /// nothing else.
    pub(super) fn loose_key(&self) -> Option<u64> {
        if self.loose {
            return None;
        }
        let values = self.wild & !self.open;
        if values == 0 || self.wild.count_ones() as usize == self.spans.len() {
            return None;
        }
        let mut skeleton = LOOSE;
        let mut hashes = Vec::with_capacity(self.spans.len());
        let mut from = 0;
        for group in groups(&self.text, &self.spans, values) {
            skeleton.between(self.text.get(from..usize::from(group.span.start))?, from == 0);
            skeleton.token();
            from = usize::from(group.span.end);
            hashes.push(if group.run {
                MASKED
            } else {
                *self.hashes.get(group.first)?
            });
        }
        skeleton.between(self.text.get(from..)?, from == 0);
        Some(key(skeleton.0, hashes.into_iter()))
    }

    /// The same template, read loosely from now on.
    pub(super) fn loosen(&mut self) {
        if self.loose {
            return;
        }
        let mut loose = Template {
            loose: true,
            text: String::with_capacity(self.text.len()),
            spans: Vec::new(),
            hashes: Vec::new(),
            wild: 0,
            open: 0,
            skeleton: 0,
            ..*self
        };
        let mut skeleton = LOOSE;
        let mut from = 0;
        for group in groups(&self.text, &self.spans, self.wild & !self.open) {
            let glue = self.text.get(from..usize::from(group.span.start)).unwrap_or("");
            skeleton.between(glue, from == 0);
            skeleton.token();
            from = usize::from(group.span.end);
            loose.text.push_str(glue);
            let start = loose.text.len() as u16;
            let position = loose.spans.len();
            if group.run {
                loose.text.push_str(WILDCARD);
                loose.hashes.push(MASKED);
                loose.wild |= 1 << position;
            } else {
                loose.text.push_str(group.span.of(&self.text));
                loose
                    .hashes
                    .push(self.hashes.get(group.first).copied().unwrap_or(MASKED));
                loose.wild |= (self.wild >> group.first & 1) << position;
                loose.open |= (self.open >> group.first & 1) << position;
            }
            loose.spans.push(Span {
                start,
                end: loose.text.len() as u16,
            });
        }
        let glue = self.text.get(from..).unwrap_or("");
        skeleton.between(glue, from == 0);
        loose.text.push_str(glue);
        loose.text.shrink_to_fit();
        loose.skeleton = skeleton.0;
        *self = loose;
    }
}

/// The tokens of `text` in groups, given the positions of the values among them.
fn groups(text: &str, spans: &[Span], values: u128) -> Vec<Group> {
    let value = |at: usize| at < spans.len() && values >> at & 1 == 1;
    let start = |at: usize| spans.get(at).map_or(text.len(), |span| usize::from(span.start));
    let end = |at: usize| spans.get(at).map_or(text.len(), |span| usize::from(span.end));
    // What stands between a token and the next.
    let between = |at: usize| text.get(end(at)..start(at + 1)).unwrap_or("");
    // The last token of a value: its unit, if it has one.
    let with_unit = |at: usize| {
        let unit = spans.get(at + 1).map_or("", |span| span.of(text));
        let unit = !value(at + 1) && is_blank(between(at)) && !between(at).is_empty() && is_unit(unit);
        at + usize::from(unit)
    };
    let mut groups = Vec::with_capacity(spans.len());
    let mut at = 0;
    while at < spans.len() {
        let first = at;
        if !value(first) {
            groups.push(Group {
                first,
                span: spans[first],
                run: false,
            });
            at += 1;
            continue;
        }
        let mut last = with_unit(first);
        let mut to = end(last);
        loop {
            let glue = text.get(to..start(last + 1)).unwrap_or("");
            if !value(last + 1) {
                break;
            }
            let next = with_unit(last + 1);
            let after = text.get(end(next)..start(next + 1)).unwrap_or("");
            if glue.trim_start() == "(" {
                if !after.starts_with(')') {
                    break;
                }
                last = next;
                to = end(next) + 1;
            } else if is_separator(glue) {
                last = next;
                to = end(next);
            } else {
                break;
            }
        }
        let before = groups.last().map_or(0, |group: &Group| usize::from(group.span.end));
        let glue = text.get(before..start(first)).unwrap_or("");
        let compared = glue.ends_with([' ', '<', '>', '~'])
            && glue.trim_end_matches(['<', '>', '~']).ends_with(' ')
            && !text.get(to..).unwrap_or("").starts_with('>');
        let sign = if compared {
            glue.len() - glue.trim_end_matches(['<', '>', '~']).len()
        } else {
            0
        };
        groups.push(Group {
            first,
            // No message is read beyond what fits.
            span: Span {
                start: (start(first) - sign) as u16,
                end: to as u16,
            },
            run: true,
        });
        at = last + 1;
    }
    groups
}

fn is_blank(glue: &str) -> bool {
    glue.bytes().all(|byte| CLASS[usize::from(byte)] == SPACE)
}

/// Whether values with this between them are a list.
fn is_separator(glue: &str) -> bool {
    let mut marks = glue.bytes().filter(|byte| CLASS[usize::from(*byte)] != SPACE);
    match (marks.next(), marks.next()) {
        (None, _) => true,
        (Some(mark), None) => matches!(mark, b',' | b';' | b'|' | b'/' | b':' | b'@' | b'#'),
        _ => false,
    }
}
