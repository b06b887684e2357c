//! The engine: the detector as a component without imports. It translates and delegates; every function
//! is documented in `wit/engine.wit`.

use std::cell::RefCell;

use watchpost_detector::{Config, Detector, Input, Scorer, Timestamp};

mod abi {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::all,
        reason = "generated from the WIT, where the documentation is"
    )]

    wit_bindgen::generate!({ path: "wit", world: "engine" });

    use super::Engine;
    export!(Engine);
}

thread_local! {
    /// The one detector of this instance. Free functions over one state keep the component free of
    /// imports: a WIT resource would need an intrinsic of the host's.
    static SCORER: RefCell<Option<Scorer>> = const { RefCell::new(None) };
}

struct Engine;

impl abi::Guest for Engine {
    fn configure(config: String) -> Result<(), String> {
        open(&config, None)
    }

    fn restore(config: String, snapshot: Vec<u8>) -> Result<(), String> {
        open(&config, Some(&snapshot))
    }

    fn begin(input: String) -> Result<(), String> {
        let input = Input::from_json(&input).map_err(|error| error.to_string())?;
        scorer(|scorer| scorer.begin(input));
        Ok(())
    }

    fn push(chunk: Vec<u8>) -> Vec<u8> {
        lines(|scorer, out| scorer.push(&chunk, out))
    }

    fn flush() -> Vec<u8> {
        lines(Scorer::flush)
    }

    fn finish() -> Vec<u8> {
        lines(Scorer::finish)
    }

    fn close() -> Vec<u8> {
        lines(Scorer::close)
    }

    fn tick(now_nanos: i64) -> Vec<u8> {
        lines(|scorer, out| scorer.tick(Timestamp::from_nanos(now_nanos), out))
    }

    fn snapshot() -> Vec<u8> {
        scorer(|scorer| scorer.snapshot())
    }

    fn status() -> String {
        // A status is plain numbers, which JSON can always hold; the host reports an empty one as foreign.
        scorer(|scorer| serde_json::to_string(&scorer.status())).unwrap_or_default()
    }
}

fn open(config: &str, snapshot: Option<&[u8]>) -> Result<(), String> {
    let opened = Scorer::open(config, snapshot).map_err(|error| error.to_string())?;
    SCORER.set(Some(opened));
    Ok(())
}

fn lines(call: impl FnOnce(&mut Scorer, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    scorer(|scorer| call(scorer, &mut out));
    out
}

/// Calls the detector of this instance; one that was never configured is made with the defaults.
fn scorer<T>(call: impl FnOnce(&mut Scorer) -> T) -> T {
    SCORER.with_borrow_mut(|scorer| call(scorer.get_or_insert_with(|| Scorer::new(Detector::new(Config::default())))))
}
