//! When a message that fits no template is one of a known template all the same.

use super::{Template, Templates};
use crate::log::token::{MASKED, MAX_TOKENS, Token, Tokens, WILDCARD};

/// What a differing plain word costs, in equal words; a differing value costs one, which is Drain's threshold of one
/// half. Three equal words hold a message together when one of four changes.
const WORD: u32 = 3;

/// So many words in one position, all else being equal, are a parameter, wherever they stand. Verbs and states of
/// one thing are fewer.
const MANY: u8 = 8;

/// A template that is to open some of its positions for a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Join {
    pub(super) slot: u32,
    pub(super) open: u128,
}

/// The template that a message joins: the most similar of those that are similar enough, the oldest of equals.
pub(super) fn join(tokens: &Tokens, message: &str, templates: &Templates) -> Option<Join> {
    let mut best: Option<(Rank, Join)> = None;
    let mut words = [0_u8; MAX_TOKENS];
    let hashes = tokens.tokens.iter().map(|token| token.hash);
    for slot in templates.index.near(tokens.skeleton, hashes) {
        let Some(template) = templates.template(slot) else {
            continue;
        };
        let Some(difference) = Difference::of(tokens, message, template) else {
            continue;
        };
        let mut similar = !difference.named && difference.equal >= difference.cost;
        if !similar && difference.positions.count_ones() == 1 && difference.equal > 0 {
            let words = &mut words[difference.positions.trailing_zeros() as usize];
            // The message itself has one more.
            *words += 1;
            similar = *words + 1 >= MANY;
        }
        let rank = Rank {
            cost: difference.cost,
            born: template.born,
        };
        if similar && best.is_none_or(|(other, _)| rank < other) {
            let open = difference.positions;
            best = Some((rank, Join { slot, open }));
        }
    }
    best.map(|(_, join)| join)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    cost: u32,
    born: u64,
}

/// In what a message and a template of the same skeleton differ.
struct Difference {
    positions: u128,
    /// Equal literals.
    equal: u32,
    /// How many equal literals the differing ones call for.
    cost: u32,
    /// Whether a name differs, which only many names can outweigh.
    named: bool,
}

impl Difference {
    /// None when more differs than could ever be joined.
    fn of(tokens: &Tokens, message: &str, template: &Template) -> Option<Self> {
        let count = tokens.tokens.len();
        if count != template.hashes.len() {
            return None;
        }
        let mut difference = Difference {
            positions: 0,
            equal: 0,
            cost: 0,
            named: false,
        };
        for (position, (token, &hash)) in tokens.tokens.iter().zip(&template.hashes).enumerate() {
            if token.hash == hash {
                difference.equal += u32::from(hash != MASKED);
                continue;
            }
            if template.open >> position & 1 == 1 {
                continue;
            }
            difference.positions |= 1 << position;
            match Role::of(token, message, template, position, position + 1 == count) {
                Role::Value => difference.cost += 1,
                Role::Word => difference.cost += WORD,
                Role::Name => difference.named = true,
            }
        }
        let single = difference.positions.count_ones() == 1;
        let similar = !difference.named && difference.equal >= difference.cost;
        (single || similar).then_some(difference)
    }
}

/// What two differing tokens are.
enum Role {
    /// Values by their place (`key=`, in brackets or quotes), or by their form: neither is a plain word.
    Value,
    /// Plain words, which may be what a user called something.
    Word,
    /// What tells one message of a program from another: its constants and capitalised words, its keys, the first
    /// thing it says, and a plain word that it ends with.
    Name,
}

impl Role {
    fn of(token: &Token, message: &str, template: &Template, position: usize, last: bool) -> Role {
        let Some(&span) = template.spans.get(position) else {
            return Role::Name;
        };
        let ours = span.of(&template.text);
        let literal = token.hash != MASKED && !template.is_wild(position);
        let theirs = if token.hash == MASKED {
            WILDCARD
        } else {
            token.span.of(message)
        };
        let (before, after) = template.text.split_at(usize::from(span.start));
        let key = after[ours.len()..].trim_start().starts_with('=');
        if literal && (key || is_capital(ours) && is_capital(theirs)) {
            return Role::Name;
        }
        let held = before.ends_with(['=', ':', '(', '[', '{', '<', '"', '\'', '@', '#']);
        let plain = is_plain(ours) || is_plain(theirs);
        if held {
            Role::Value
        } else if position == 0 && literal || last && plain {
            Role::Name
        } else if plain {
            Role::Word
        } else {
            Role::Value
        }
    }
}

/// Letters with hyphens (`read-only`), or a constant.
fn is_plain(token: &str) -> bool {
    is_capital(token)
        || token
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || !b.is_ascii() || b == b'-')
}

/// The name of a constant (`NOT_FOUND`, `GET`), or a word that is spelt like a name (`Started`).
fn is_capital(token: &str) -> bool {
    let mut bytes = token.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && token.len() > 1
        && (bytes.clone().all(|b| b.is_ascii_uppercase() || b == b'_') || bytes.all(|b| b.is_ascii_lowercase()))
}
