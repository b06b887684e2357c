//! A JSON value laid out flat, in one buffer that is used again: fields may come in any order and are looked up,
//! without an allocation for each of them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The value, depth first. A list or an object is followed by what is in it, of an object each name before its value.
#[derive(Debug, Default)]
pub(super) struct Tape<'a> {
    nodes: Vec<Node<'a>>,
    unescaped: String,
}

/// The memory of a [`Tape`], to be used again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    nodes: Vec<Node<'static>>,
    unescaped: String,
}

#[derive(Debug, Clone, Copy)]
enum Node<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
    /// A string with escapes: where it stands in the buffer of unescaped ones.
    Unescaped(usize, usize),
    /// Up to this node.
    List(usize),
    Object(usize),
}

/// A value on a tape.
#[derive(Clone, Copy)]
pub(super) struct Value<'t, 'a> {
    tape: &'t Tape<'a>,
    at: usize,
}

impl<'a> Tape<'a> {
    pub(super) fn new(buffers: Buffers) -> Self {
        Tape {
            nodes: buffers.nodes,
            unescaped: buffers.unescaped,
        }
    }

    pub(super) fn into_buffers(self) -> Buffers {
        let mut unescaped = self.unescaped;
        unescaped.clear();
        Buffers {
            nodes: super::recycle(self.nodes),
            unescaped,
        }
    }

    /// Reads a text that is one JSON value.
    pub(super) fn read(&mut self, text: &'a str) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_str(text);
        Write(self).deserialize(&mut json)?;
        json.end()
    }

    /// The whole value.
    pub(super) fn root(&self) -> Value<'_, 'a> {
        Value { tape: self, at: 0 }
    }
}

impl<'t, 'a> Value<'t, 'a> {
    fn node(self) -> Node<'a> {
        self.tape.nodes.get(self.at).copied().unwrap_or(Node::Null)
    }

    /// The field of this name in camel case; the source may write it in snake case.
    pub(super) fn get(self, name: &str) -> Option<Value<'t, 'a>> {
        self.fields()
            .find(|(written, _)| is_name(written, name))
            .map(|(_, value)| value)
            .filter(|value| !matches!(value.node(), Node::Null))
    }

    /// The fields of an object; nothing of anything else.
    pub(super) fn fields(self) -> impl Iterator<Item = (&'t str, Value<'t, 'a>)> {
        let end = match self.node() {
            Node::Object(end) => end,
            _ => 0,
        };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let name = Value { at, ..self };
            let value = Value { at: at + 1, ..self };
            at = value.next();
            Some((name.text().unwrap_or_default(), value))
        })
    }

    /// The items of a list; nothing of anything else.
    pub(super) fn items(self) -> impl Iterator<Item = Value<'t, 'a>> {
        let end = match self.node() {
            Node::List(end) => end,
            _ => 0,
        };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let item = Value { at, ..self };
            at = item.next();
            Some(item)
        })
    }

    /// The items of the list in this field.
    pub(super) fn list(self, name: &str) -> impl Iterator<Item = Value<'t, 'a>> {
        self.get(name).into_iter().flat_map(Value::items)
    }

    pub(super) fn text(self) -> Option<&'t str> {
        match self.node() {
            Node::Text(text) => Some(text),
            Node::Unescaped(start, end) => self.tape.unescaped.get(start..end),
            _ => None,
        }
    }

    pub(super) fn bool(self) -> Option<bool> {
        match self.node() {
            Node::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// A whole number; those of 64 bits are written as strings.
    pub(super) fn integer(self) -> Option<i64> {
        match self.node() {
            Node::Integer(number) => Some(number),
            Node::Number(number) if number.abs() < 9e18 => Some(number as i64),
            _ => self.text()?.trim().parse().ok(),
        }
    }

    /// A number, which is written as a string where JSON has none: `"NaN"`, `"Infinity"`.
    pub(super) fn number(self) -> Option<f64> {
        match self.node() {
            Node::Integer(number) => Some(number as f64),
            Node::Number(number) => Some(number),
            _ => self.text()?.trim().parse().ok(),
        }
    }

    /// In words, for a message.
    pub(super) fn shown(self) -> String {
        match self.node() {
            Node::Null => "null".to_owned(),
            Node::Bool(value) => value.to_string(),
            Node::Integer(number) => number.to_string(),
            Node::Number(number) => number.to_string(),
            Node::Text(_) | Node::Unescaped(..) => super::quote(self.text().unwrap_or_default()),
            Node::List(_) => "a list".to_owned(),
            Node::Object(_) => "an object".to_owned(),
        }
    }

    fn next(self) -> usize {
        match self.node() {
            // Never backwards, so that every walk ends.
            Node::List(end) | Node::Object(end) => end.max(self.at + 1),
            _ => self.at + 1,
        }
    }
}

fn is_name(written: &str, name: &str) -> bool {
    if written.len() == name.len() {
        return written == name;
    }
    written.contains('_')
        && written
            .bytes()
            .filter(|byte| *byte != b'_')
            .eq(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// Appends a value to the tape.
struct Write<'t, 'a>(&'t mut Tape<'a>);

impl<'a> DeserializeSeed<'a> for Write<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Write<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.push(Node::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.push(Node::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.push(Node::Integer(number));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.push(i64::try_from(number).map_or(Node::Number(number as f64), Node::Integer));
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.push(Node::Number(number));
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<(), E> {
        self.push(Node::Text(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let start = self.0.unescaped.len();
        self.0.unescaped.push_str(text);
        let end = self.0.unescaped.len();
        self.push(Node::Unescaped(start, end));
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<(), S::Error> {
        let Write(tape) = self;
        let at = tape.open();
        while list.next_element_seed(Write(tape))?.is_some() {}
        tape.close(at, Node::List);
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let Write(tape) = self;
        let at = tape.open();
        while map.next_key_seed(Write(tape))?.is_some() {
            map.next_value_seed(Write(tape))?;
        }
        tape.close(at, Node::Object);
        Ok(())
    }
}

impl<'a> Write<'_, 'a> {
    fn push(self, node: Node<'a>) {
        self.0.nodes.push(node);
    }
}

impl<'a> Tape<'a> {
    fn open(&mut self) -> usize {
        self.nodes.push(Node::Null);
        self.nodes.len() - 1
    }

    /// The list or the object that was opened here has come to its end.
    fn close(&mut self, at: usize, node: fn(usize) -> Node<'a>) {
        let end = self.nodes.len();
        if let Some(opened) = self.nodes.get_mut(at) {
            *opened = node(end);
        }
    }
}
