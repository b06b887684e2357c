//! Watchpost in a browser tab, in Node and wherever JavaScript runs: a class around the detector. Bytes go in, cut
//! anywhere; columns come out, one entry an event, and the lines that every other host writes.
//!
//! It translates and delegates. What its functions are for stands in `types.d.ts`, which is what its users read.

mod columns;
mod episodes;
mod names;

use js_sys::{JSON, Object, Uint8Array};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};
use watchpost_detector::{Input, Scorer, Seen};

use columns::Columns;
use episodes::Episodes;
use names::Names;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// The version of the detector.
#[wasm_bindgen(skip_typescript)]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// A detector, and what a page wants to know of what it saw.
#[wasm_bindgen(skip_typescript)]
#[derive(Debug)]
pub struct Watchpost {
    scorer: Scorer,
    /// An input has begun and is not over.
    reading: bool,
    said: Vec<u8>,
    view: View,
}

/// What is kept of what was seen.
#[derive(Debug, Default)]
struct View {
    columns: Columns,
    names: Names,
    episodes: Episodes,
}

impl View {
    fn see(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Told { anomaly, line } => self.episodes.tell(anomaly, line),
            Seen::Event {
                row,
                event,
                verdict,
                group,
            } => {
                self.columns.add(row, event, verdict, group, &mut self.names);
                self.episodes.see(row, event, verdict, group);
            }
        }
    }
}

#[wasm_bindgen]
impl Watchpost {
    /// A detector that has seen nothing, or that goes on from a snapshot.
    ///
    /// # Errors
    /// An `Error` that names the field of the configuration, or says why the snapshot cannot be used.
    #[wasm_bindgen(constructor, skip_typescript)]
    pub fn new(config: &JsValue, snapshot: Option<Vec<u8>>) -> Result<Watchpost, JsValue> {
        let document = if is_nothing(config) {
            String::new()
        } else {
            text(config)?
        };
        Ok(Watchpost {
            scorer: Scorer::open(&document, snapshot.as_deref()).map_err(error)?,
            reading: false,
            said: Vec::new(),
            view: View::default(),
        })
    }

    /// Begins an input.
    ///
    /// # Errors
    /// An `Error` that names the field of the description, or says that the input before is not over.
    #[wasm_bindgen(skip_typescript)]
    pub fn begin(&mut self, input: &JsValue) -> Result<(), JsValue> {
        if self.reading {
            return Err(error("the input before is not over: call finish() first"));
        }
        let described = Object::new();
        js_sys::Reflect::set(&described, &"format".into(), &"auto".into())?;
        if !is_nothing(input) {
            if !input.is_object() {
                return Err(error(
                    "the description of an input is an object, for example {format: \"csv\"}",
                ));
            }
            Object::assign(&described, input.unchecked_ref());
        }
        self.scorer.begin(Input::from_json(&text(&described)?).map_err(error)?);
        self.reading = true;
        Ok(())
    }

    /// Reads bytes, cut anywhere.
    ///
    /// # Errors
    /// When no input has begun.
    #[wasm_bindgen(skip_typescript)]
    pub fn push(&mut self, bytes: &[u8]) -> Result<Object, JsValue> {
        self.require_input()?;
        let Watchpost { scorer, said, view, .. } = self;
        scorer.push_seen(bytes, said, &mut |seen| view.see(seen));
        view.columns.take()
    }

    /// The input is over.
    ///
    /// # Errors
    /// When no input has begun.
    #[wasm_bindgen(skip_typescript)]
    pub fn finish(&mut self) -> Result<Object, JsValue> {
        self.require_input()?;
        self.reading = false;
        let Watchpost { scorer, said, view, .. } = self;
        scorer.finish_seen(said, &mut |seen| view.see(seen));
        view.columns.take()
    }

    /// Everything is over.
    ///
    /// # Errors
    /// When the last input is not over.
    #[wasm_bindgen(skip_typescript)]
    pub fn close(&mut self) -> Result<(), JsValue> {
        if self.reading {
            return Err(error("the input is not over: call finish() first"));
        }
        let Watchpost { scorer, said, view, .. } = self;
        scorer.close_seen(said, &mut |seen| view.see(seen));
        Ok(())
    }

    /// The lines that were written since the last call.
    #[wasm_bindgen(skip_typescript)]
    pub fn said(&mut self) -> Uint8Array {
        let said = Uint8Array::from(self.said.as_slice());
        self.said.clear();
        said
    }

    /// What the indices of columns mean, as far as it is new.
    ///
    /// # Errors
    /// None of our own: what JavaScript throws.
    #[wasm_bindgen(skip_typescript)]
    pub fn names(&mut self) -> Result<JsValue, JsValue> {
        object(&self.view.names.take())
    }

    /// The verdict on a row, and the anomaly that it belongs to.
    ///
    /// # Errors
    /// None of our own: what JavaScript throws.
    #[wasm_bindgen(skip_typescript)]
    pub fn explain(&self, row: f64) -> Result<JsValue, JsValue> {
        match self.view.episodes.explain(row) {
            Some(explained) => JSON::parse(&explained),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The whole state, to go on from later.
    #[wasm_bindgen(skip_typescript)]
    pub fn snapshot(&self) -> Uint8Array {
        Uint8Array::from(self.scorer.snapshot().as_slice())
    }

    /// Where the detector stands.
    ///
    /// # Errors
    /// None of our own: what JavaScript throws.
    #[wasm_bindgen(skip_typescript)]
    pub fn status(&self) -> Result<JsValue, JsValue> {
        object(&self.scorer.status())
    }

    fn require_input(&self) -> Result<(), JsValue> {
        if self.reading {
            Ok(())
        } else {
            Err(error("no input has begun: call begin() first"))
        }
    }
}

fn is_nothing(value: &JsValue) -> bool {
    value.is_null() || value.is_undefined()
}

/// A value as JSON: what the detector reads, so that its messages name the field.
fn text(value: &JsValue) -> Result<String, JsValue> {
    let text = JSON::stringify(value)?;
    // Of a function there is no JSON.
    let text = text
        .as_string()
        .ok_or_else(|| error("this cannot be written as JSON"))?;
    Ok(text)
}

/// As JSON would be read: objects and not maps, numbers and not big integers.
fn object<T: Serialize>(value: &T) -> Result<JsValue, JsValue> {
    Ok(value.serialize(&Serializer::json_compatible())?)
}

fn error(message: impl ToString) -> JsValue {
    JsError::new(&message.to_string()).into()
}
