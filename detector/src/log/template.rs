//! Mines templates from log messages, one by one: `took 5 ms` and `took 7 ms` are both `took <*> ms`.
//!
//! After Drain (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017), which
//! groups messages of one length and first words and joins the most similar. Where we differ:
//! - The tokens are finer ([`token`](super::token)): messages of one template agree in everything between their
//!   tokens, not only in length.
//! - A message that differs from an earlier one in nothing but the digits of its values ([`Shape`](super::token::Shape))
//!   is found without being read: most are.
//! - A message equal to a template after masking is found by one hash look-up, and one that only fills the open
//!   positions of a template by one look-up for each *set* of open positions that templates of this skeleton have
//!   (tuple space search, Srinivasan, Suri, Varghese, SIGCOMM 1999). There is no tree to walk.
//! - Similarity weighs what differs. A plain word carries meaning, so that `VM started` and `VM paused` stay apart
//!   until the position has had many words; what stands where values do (after `=`, in brackets) needs less.
//! - How many values a list has, and in which units and how often a value is told, is part of a template only until
//!   it is seen to vary ([`list`]).

mod index;
mod list;
mod sight;
mod similarity;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use xxhash_rust::xxh3::xxh3_64;

use super::parameter::Parameter;
use super::token::{self, MASKED, MAX_TOKENS, Shape, Skeleton, Span, Tokens, WILDCARD};
use index::Index;
use sight::Sights;
use similarity::Join;

/// The templates of the messages seen, at most a fixed number; the least recently seen gives way.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "State")]
pub(crate) struct Templates {
    max: u32,
    /// How many templates were ever made.
    born: u64,
    slots: Vec<Option<Template>>,
    /// Slots given up when templates became equal; the last is used first.
    free: Vec<u32>,
    /// What every message needs is kept apart from what few do.
    sights: Sights,
    /// Identities that are no longer in use, each with the older one that took its place, since they were last asked for.
    absorbed: Vec<(u64, u64)>,
    index: Index,
    shape: Shape,
    scratch: Tokens,
}

/// The slot of a template: valid until that template is evicted or joins another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct TemplateIndex(u32);

impl TemplateIndex {
    /// For tables beside this one: smaller than the greatest number of templates.
    pub(crate) fn slot(self) -> usize {
        self.0 as usize
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    /// Its template.
    pub(crate) index: TemplateIndex,
    /// Whether the template was made for it: what was kept for the slot is of another template.
    pub(crate) new: bool,
    /// Whether the template that was least recently seen had to give way.
    pub(crate) evicted: bool,
}

/// One template.
#[derive(Debug, serde::Serialize, Deserialize)]
struct Template {
    /// The hash of the text that it was made with.
    id: u64,
    /// Orders templates by age.
    born: u64,
    text: String,
    /// Where the tokens are in the text.
    spans: Vec<Span>,
    /// The positions of `<*>`.
    wild: u128,
    /// Those of them that take any token, because literals have differed there; the others take masked ones.
    open: u128,
    /// Whether it is of messages in their loose reading.
    loose: bool,
    #[serde(skip)]
    skeleton: u64,
    #[serde(skip)]
    hashes: Vec<u64>,
}

impl Match {
    /// A template that was found without learning.
    pub(crate) fn known(index: TemplateIndex) -> Self {
        Match {
            index,
            new: false,
            evicted: false,
        }
    }
}

impl Templates {
    /// None yet, and never more than `max` (at least one).
    pub(crate) fn new(max: u32) -> Self {
        Templates {
            max: max.max(1),
            ..Templates::default()
        }
    }

    /// Finds the template of a message and counts it; makes a template, or generalises one, where none fits.
    pub(crate) fn observe(&mut self, message: &str) -> Match {
        let shape = self.shape.of(message);
        if let Some(slot) = shape.and_then(|shape| self.sights.recall(shape)) {
            return self.known(slot);
        }
        self.observe_unshaped(message, shape)
    }

    /// A message of a shape that is not remembered.
    #[inline(never)]
    fn observe_unshaped(&mut self, message: &str, shape: Option<u64>) -> Match {
        let mut tokens = std::mem::take(&mut self.scratch);
        tokens.read(message);
        let matched = match self.fitting(&tokens, message) {
            Some((slot, exact)) => {
                if let Some(shape) = shape {
                    self.sights.remember(shape, slot, exact);
                }
                self.known(slot)
            }
            None => self.observe_unlike(&tokens, message),
        };
        self.scratch = tokens;
        matched
    }

    /// A message that no template fits.
    #[inline(never)]
    fn observe_unlike(&mut self, tokens: &Tokens, message: &str) -> Match {
        if let Some(join) = similarity::join(tokens, message, self) {
            return self.generalise(&join);
        }
        let loose = list::loosen(tokens, message);
        if let Some(join) = loose.as_ref().and_then(|loose| similarity::join(loose, message, self)) {
            return self.generalise(&join);
        }
        match loose.and_then(|loose| self.index.variant(loose.key())) {
            Some(slot) => self.loosen(slot),
            None => self.create(tokens, message),
        }
    }

    /// The template of a message, without learning from it.
    pub(crate) fn find(&self, message: &str) -> Option<TemplateIndex> {
        let mut tokens = Tokens::default();
        tokens.read(message);
        self.fitting(&tokens, message).map(|(slot, _)| TemplateIndex(slot))
    }

    /// The text with `<*>` for what varies; empty for an index that is no longer valid.
    pub(crate) fn text(&self, index: TemplateIndex) -> &str {
        self.template(index.0).map_or("", |t| &t.text)
    }

    /// The identity: a hash of the text that the template was made with, the same on every host.
    pub(crate) fn id(&self, index: TemplateIndex) -> u64 {
        self.sights.id(index.0)
    }

    /// All templates by their identity.
    pub(crate) fn by_identity(&self) -> BTreeMap<u64, TemplateIndex> {
        let slots = self.slots.iter().zip(0..);
        let mut all = BTreeMap::new();
        all.extend(slots.filter_map(|(template, slot)| Some((template.as_ref()?.id, TemplateIndex(slot)))));
        all
    }

    /// What changes when the template is not the one that it was, or its positions are others.
    pub(crate) fn shape(&self, index: TemplateIndex) -> Option<u64> {
        let template = self.template(index.0)?;
        Some(template.id ^ template.skeleton)
    }

    /// The positions of `<*>`.
    pub(crate) fn wild(&self, index: TemplateIndex) -> u128 {
        self.template(index.0).map_or(0, |t| t.wild)
    }

    /// Reads a message as the template does. Returns whether its tokens are in the positions of the template's.
    pub(crate) fn read_as(&self, index: TemplateIndex, message: &str, tokens: &mut Tokens) -> bool {
        let Some(template) = self.template(index.0) else {
            return false;
        };
        tokens.read(message);
        if template.loose {
            match list::loosen(tokens, message) {
                Some(loose) => *tokens = loose,
                None => return false,
            }
        }
        tokens.skeleton == template.skeleton && tokens.tokens.len() == template.spans.len()
    }

    /// What a message of the template has where the template has `<*>`.
    pub(crate) fn parameters<'m>(&self, index: TemplateIndex, message: &'m str) -> Vec<Parameter<'m>> {
        let mut tokens = Tokens::default();
        if !self.read_as(index, message, &mut tokens) {
            return Vec::new();
        }
        let wild = self.wild(index);
        let positions = tokens.tokens.iter().enumerate();
        positions
            .filter(|(position, _)| wild >> position & 1 == 1)
            .map(|(_, token)| Parameter::read(message, token.span))
            .collect()
    }

    /// How many messages the template has had.
    pub(crate) fn count(&self, index: TemplateIndex) -> u64 {
        self.sights.count(index.0)
    }

    /// The identities that messages have lost since this was asked last, each with the one that they have now.
    pub(crate) fn take_absorbed(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.absorbed)
    }

    /// How many templates there are.
    pub(crate) fn len(&self) -> usize {
        self.sights.len()
    }

    fn template(&self, slot: u32) -> Option<&Template> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The template of a message, and whether it is so by its key; or else one that is open where it has something
    /// else, or that is read loosely.
    fn fitting(&self, tokens: &Tokens, message: &str) -> Option<(u32, bool)> {
        let key = tokens.key();
        if let Some(slot) = self.sights.find(key) {
            return Some((slot, true));
        }
        let other = self.opened(tokens, key).or_else(|| {
            let loose = list::loosen(tokens, message)?;
            let key = loose.key();
            self.sights.find(key).or_else(|| self.opened(&loose, key))
        });
        other.map(|slot| (slot, false))
    }

    /// The template that takes a message in its open positions, given the key of the message.
    fn opened(&self, tokens: &Tokens, exact: u64) -> Option<u32> {
        self.index.open_sets(tokens.skeleton).find_map(|open| {
            let key = tokens.opened(exact, open);
            let slot = self.sights.find(key)?;
            // An equal key tells that the same positions are wild or masked, not that they take a literal.
            let template = self.template(slot)?;
            (template.wild & !tokens.masked & !template.open == 0).then_some(slot)
        })
    }

    fn known(&mut self, slot: u32) -> Match {
        self.sights.see(slot);
        Match::known(TemplateIndex(slot))
    }

    fn create(&mut self, tokens: &Tokens, message: &str) -> Match {
        let mut evicted = false;
        if self.len() >= self.max as usize
            && let Some(slot) = self.sights.oldest()
        {
            self.remove(slot);
            evicted = true;
        }
        let mut text = String::new();
        let mut spans = Vec::with_capacity(tokens.tokens.len());
        tokens.write(message, &mut text, &mut spans);
        text.shrink_to_fit();
        self.born += 1;
        let template = Template {
            id: xxh3_64(text.as_bytes()),
            born: self.born,
            text,
            spans,
            wild: tokens.masked,
            open: 0,
            loose: false,
            skeleton: tokens.skeleton,
            hashes: tokens.tokens.iter().map(|token| token.hash).collect(),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // No more slots than `max`, which is a u32.
            (self.slots.len() - 1) as u32
        });
        self.insert(slot, template, 1);
        Match {
            index: TemplateIndex(slot),
            new: true,
            evicted,
        }
    }

    /// Opens positions of a template, and joins to it those that it now covers; the oldest keeps its identity.
    fn generalise(&mut self, join: &Join) -> Match {
        let Some(mut template) = self.remove(join.slot) else {
            // A join names a template that was compared a moment ago; were it gone, any answer would be as good.
            return self.known(join.slot);
        };
        template.open(join.open);
        self.settle(join.slot, template)
    }

    /// Has a template take any number of values where it has a list of them.
    fn loosen(&mut self, slot: u32) -> Match {
        let Some(mut template) = self.remove(slot) else {
            return self.known(slot);
        };
        template.loosen();
        self.settle(slot, template)
    }

    /// Takes back a template that has become more general, with those that it now covers.
    fn settle(&mut self, mut slot: u32, mut template: Template) -> Match {
        let mut count = self.count(TemplateIndex(slot)).saturating_add(1);
        // A reading that was made general may be that of another template, whose lists have another length.
        let other = |key| self.index.variant(key).or_else(|| self.sights.find(key));
        let variant = template.loose_key().and_then(other);
        if let Some(variant) = variant.and_then(|other| self.remove(other).map(|template| (other, template))) {
            let (other, mut absorbed) = variant;
            template.loosen();
            absorbed.loosen();
            count = count.saturating_add(self.count(TemplateIndex(other)));
            self.absorbed.extend(template.absorb(&absorbed, &mut slot, other));
        }
        let hashes = template.hashes.iter().copied();
        let mut covered = self.index.near(template.skeleton, hashes);
        covered.extend(self.sights.find(template.key()));
        for other in covered {
            if !self.template(other).is_some_and(|t| template.covers(t)) {
                continue;
            }
            if let Some(absorbed) = self.remove(other) {
                count = count.saturating_add(self.count(TemplateIndex(other)));
                self.absorbed.extend(template.absorb(&absorbed, &mut slot, other));
            }
        }
        self.free.retain(|&free| free != slot);
        self.insert(slot, template, count);
        Match::known(TemplateIndex(slot))
    }

    fn insert(&mut self, slot: u32, template: Template, count: u64) {
        let (key, general) = (template.key(), template.is_general());
        self.sights.insert(slot, key, template.id, count, general);
        self.index.insert(slot, &template);
        self.slots[slot as usize] = Some(template);
    }

    fn remove(&mut self, slot: u32) -> Option<Template> {
        let template = self.slots.get_mut(slot as usize)?.take()?;
        self.sights.remove(slot, template.key(), template.is_general());
        self.index.remove(slot, &template);
        self.free.push(slot);
        Some(template)
    }
}

impl Template {
    /// What a message must hash to.
    fn key(&self) -> u64 {
        token::key(self.skeleton, self.hashes.iter().copied())
    }

    /// Whether messages with another key can be of it.
    fn is_general(&self) -> bool {
        self.open != 0 || self.loose
    }

    fn is_wild(&self, position: usize) -> bool {
        self.wild >> position & 1 == 1
    }

    /// Works out the hashes from the text.
    fn derive(&mut self) -> Result<(), &'static str> {
        if self.spans.len() > MAX_TOKENS || self.open & !self.wild != 0 {
            return Err("the wildcards of a template are not its tokens");
        }
        let mut skeleton = if self.loose { list::LOOSE } else { Skeleton::default() };
        self.hashes = Vec::with_capacity(self.spans.len());
        let mut from = 0;
        for (position, span) in self.spans.iter().enumerate() {
            let glue = self.text.get(from..usize::from(span.start));
            let token = self.text.get(usize::from(span.start)..usize::from(span.end));
            let (Some(glue), Some(token)) = (glue, token) else {
                return Err("a token is outside of the text of its template");
            };
            from = usize::from(span.end);
            glue.bytes().for_each(|byte| skeleton.glue(byte));
            skeleton.token();
            self.hashes.push(if self.is_wild(position) {
                MASKED
            } else {
                token::hash(token.as_bytes())
            });
        }
        self.text.bytes().skip(from).for_each(|byte| skeleton.glue(byte));
        self.skeleton = skeleton.0;
        Ok(())
    }

    /// Has these positions take any token.
    fn open(&mut self, positions: u128) {
        let mut text = String::with_capacity(self.text.len());
        let mut from = 0;
        for (position, span) in self.spans.iter_mut().enumerate() {
            text.push_str(self.text.get(from..usize::from(span.start)).unwrap_or(""));
            from = usize::from(span.end);
            let start = text.len() as u16;
            if positions >> position & 1 == 1 {
                text.push_str(WILDCARD);
                self.hashes[position] = MASKED;
            } else {
                text.push_str(span.of(&self.text));
            }
            *span = Span {
                start,
                end: text.len() as u16,
            };
        }
        text.push_str(self.text.get(from..).unwrap_or(""));
        text.shrink_to_fit();
        self.text = text;
        self.wild |= positions;
        self.open |= positions;
    }

    /// Takes what another had open; the older of the two gives identity and slot. What identity was given up, and for
    /// which, where one was.
    fn absorb(&mut self, other: &Template, slot: &mut u32, slot_of_other: u32) -> Option<(u64, u64)> {
        self.open |= other.open;
        let mut younger = other.id;
        if other.born < self.born {
            younger = self.id;
            (self.id, self.born) = (other.id, other.born);
            *slot = slot_of_other;
        }
        (younger != self.id).then_some((younger, self.id))
    }

    /// Whether every message of `other` is one of this.
    fn covers(&self, other: &Template) -> bool {
        self.skeleton == other.skeleton
            && self.hashes.len() == other.hashes.len()
            && self.wild & !self.open & !other.wild == 0
            && (0..self.hashes.len()).all(|at| self.is_wild(at) || self.hashes[at] == other.hashes[at])
    }
}

/// As [`State`].
impl Serialize for Templates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts: Vec<_> = (0..self.slots.len())
            .map(|slot| self.sights.count(slot as u32))
            .collect();
        let recency: Vec<_> = self.sights.oldest_first().into_iter().map(|(_, slot)| slot).collect();
        let mut state = serializer.serialize_struct("Templates", 6)?;
        state.serialize_field("max", &self.max)?;
        state.serialize_field("born", &self.born)?;
        state.serialize_field("slots", &self.slots)?;
        state.serialize_field("counts", &counts)?;
        state.serialize_field("free", &self.free)?;
        state.serialize_field("recency", &recency)?;
        state.end()
    }
}

/// What a snapshot of [`Templates`] holds; all else is worked out again.
#[derive(Deserialize)]
#[serde(rename = "Templates")]
struct State {
    max: u32,
    born: u64,
    slots: Vec<Option<Template>>,
    counts: Vec<u64>,
    free: Vec<u32>,
    recency: Vec<u32>,
}

impl TryFrom<State> for Templates {
    type Error = &'static str;

    fn try_from(state: State) -> Result<Self, Self::Error> {
        let mut templates = Templates {
            max: state.max.max(1),
            born: state.born,
            slots: state.slots,
            free: state.free,
            ..Templates::default()
        };
        if templates.slots.len() > templates.max as usize {
            return Err("there are more templates than the bound allows");
        }
        if state.counts.len() != templates.slots.len() {
            return Err("there are not as many counts as templates");
        }
        let mut once = vec![false; templates.slots.len()];
        for &slot in templates.free.iter().chain(&state.recency) {
            match once.get_mut(slot as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err("a slot is named twice, or is none"),
            }
        }
        let free = |slot: &u32| templates.template(*slot).is_none();
        if once.contains(&false) || !templates.free.iter().all(free) {
            return Err("a slot is neither free nor in the order of last sight");
        }
        let live = state.recency.len();
        for slot in state.recency {
            let Some(Some(template)) = templates.slots.get_mut(slot as usize) else {
                return Err("an empty slot is in the order of last sight");
            };
            template.derive()?;
            let count = state.counts.get(slot as usize).copied().unwrap_or(0);
            let (key, general) = (template.key(), template.is_general());
            templates.sights.insert(slot, key, template.id, count, general);
            templates.index.insert(slot, template);
        }
        if templates.sights.len() != live {
            return Err("two templates are equal");
        }
        Ok(templates)
    }
}
