//! Guests that mean harm, or are simply not what they should be. Each must become an error that says which
//! limit or which part of the ABI it was, and the host must score on as if nothing had been.

use watchpost::engine::{Choice, Engine, EngineError, Limit};
use watchpost::guest::{Guest, Limits, Module};
use watchpost_detector::Input;
use watchpost_detector::wire::Format;
use watchpost_tests::score;

/// Little memory, so that the tests that fill it are quick.
const LIMITS: Limits = Limits {
    fuel: true,
    memory_bytes: 16 << 20,
};

const BAD_TIMES: &str = "time,cpu\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,2\nnot a time,3\n";

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    let error = push(&Hostile {
        push: "(loop $for_ever (br $for_ever)) unreachable",
        ..Hostile::default()
    });
    assert_eq!(
        error,
        EngineError::Limit {
            limit: Limit::Fuel,
            call: "push"
        }
    );
}

#[test]
fn copying_memory_for_ever_runs_out_of_fuel() {
    let body = "(loop $for_ever
        (memory.copy (i32.const 0) (i32.const 32768) (i32.const 32768))
        (br $for_ever)) unreachable";
    let error = push(&Hostile {
        push: body,
        ..Hostile::default()
    });
    assert_eq!(
        error,
        EngineError::Limit {
            limit: Limit::Fuel,
            call: "push"
        }
    );
}

#[test]
fn growth_without_end_meets_the_memory_limit() {
    let body = "(loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let error = push(&Hostile {
        push: body,
        ..Hostile::default()
    });
    assert_eq!(
        error,
        EngineError::Limit {
            limit: Limit::Memory { bytes: 16 << 20 },
            call: "push"
        }
    );
    assert!(error.to_string().contains("more memory than its limit"), "{error}");
}

#[test]
fn a_guest_that_is_born_too_big_meets_the_memory_limit() {
    let error = open(&Hostile {
        pages: 257,
        ..Hostile::default()
    })
    .unwrap_err();
    assert_eq!(
        error,
        EngineError::Limit {
            limit: Limit::Memory { bytes: 16 << 20 },
            call: "instantiate"
        }
    );
}

#[test]
fn a_guest_that_never_starts_runs_out_of_fuel() {
    let start = "(func $start (loop $for_ever (br $for_ever))) (start $start)";
    let error = open(&Hostile {
        extra: start,
        ..Hostile::default()
    })
    .unwrap_err();
    assert_eq!(
        error,
        EngineError::Limit {
            limit: Limit::Fuel,
            call: "instantiate"
        }
    );
}

#[test]
fn a_trap_is_a_value_and_the_instance_is_not_entered_again() {
    let mut engine = open(&Hostile {
        push: "unreachable",
        ..Hostile::default()
    })
    .unwrap();
    let mut out = Vec::new();
    let first = engine.push(b"x", &mut out).unwrap_err();
    assert!(
        matches!(&first, EngineError::Trap { call: "push", message } if message.contains("unreachable")),
        "{first:?}"
    );
    assert_eq!(engine.finish(&mut out).unwrap_err(), first);
    assert_eq!(engine.snapshot().unwrap_err(), first);
    the_host_is_well();
}

#[test]
fn recursion_without_end_is_a_trap() {
    let extra = "(func $deeper (param i32) (result i32) (i32.add (call $deeper (local.get 0)) (i32.const 1)))";
    let error = push(&Hostile {
        push: "(call $deeper (i32.const 0))",
        extra,
        ..Hostile::default()
    });
    assert!(matches!(error, EngineError::Trap { call: "push", .. }), "{error:?}");
}

#[test]
fn a_pointer_out_of_bounds_is_a_trap() {
    let body = "(i32.store (i32.const 16) (i32.const 0x7fffffff))
        (i32.store (i32.const 20) (i32.const 0x7fffffff)) (i32.const 16)";
    let error = push(&Hostile {
        push: body,
        ..Hostile::default()
    });
    assert!(matches!(error, EngineError::Trap { call: "push", .. }), "{error:?}");
}

#[test]
fn a_status_that_is_not_one_is_told() {
    let error = open(&Hostile::default()).unwrap().status().unwrap_err();
    assert!(
        matches!(&error, EngineError::Abi(message) if message.contains("status")),
        "{error:?}"
    );
}

#[test]
fn a_component_of_another_shape_is_named() {
    let missing = Hostile {
        without: "tick",
        ..Hostile::default()
    }
    .component();
    refuse(
        &missing,
        |error| matches!(error, EngineError::Abi(message) if message.contains("function tick")),
    );
    let wrong = Hostile {
        tick_type: "u32",
        ..Hostile::default()
    }
    .component();
    refuse(
        &wrong,
        |error| matches!(error, EngineError::Abi(message) if message.contains("tick")),
    );
    let importing = wat::parse_str(r#"(component (import "wasi:random/random@0.2.0" (instance)))"#).unwrap();
    refuse(
        &importing,
        |error| matches!(error, EngineError::Abi(message) if message.contains("wasi:random")),
    );
    let empty = wat::parse_str("(component)").unwrap();
    refuse(
        &empty,
        |error| matches!(error, EngineError::Abi(message) if message.contains("configure, restore")),
    );
    let core = wat::parse_str("(module)").unwrap();
    refuse(
        &core,
        |error| matches!(error, EngineError::Abi(message) if message.contains("core wasm module")),
    );
}

#[test]
fn what_is_not_wasm_does_not_load() {
    let component = Hostile::default().component();
    for bytes in [
        &component[..component.len() / 2],
        &component[..component.len() - 1],
        &component[..6],
        b"",
        b"(component)",
        b"time,cpu\n2026-01-01T00:00:00Z,1\n",
    ] {
        refuse(bytes, |error| matches!(error, EngineError::Load(_)));
    }
    let nowhere = Choice::File("does/not/exist.wasm".into());
    let error = Engine::open(&nowhere, LIMITS, "", None).unwrap_err();
    assert!(error.to_string().contains("does/not/exist.wasm"), "{error}");
}

#[test]
fn what_the_engine_refuses_is_told_apart() {
    for choice in [Choice::Wasm, Choice::Native] {
        let error = Engine::open(&choice, LIMITS, r#"{"detector": {"colour": 1}}"#, None).unwrap_err();
        assert!(
            matches!(&error, EngineError::Config(message) if message.contains("colour")),
            "{error:?}"
        );
        let error = Engine::open(&choice, LIMITS, "", Some(b"not a snapshot")).unwrap_err();
        assert!(matches!(error, EngineError::Snapshot(_)), "{error:?}");
    }
}

/// A guest of the right shape that does nothing, but for what is set here.
struct Hostile {
    pages: u32,
    push: &'static str,
    extra: &'static str,
    tick_type: &'static str,
    without: &'static str,
}

impl Default for Hostile {
    fn default() -> Self {
        Hostile {
            pages: 1,
            push: "(i32.const 0)",
            extra: "",
            tick_type: "s64",
            without: "",
        }
    }
}

impl Hostile {
    /// A result area of zeros is an empty list, an empty string and an `ok`.
    fn component(&self) -> Vec<u8> {
        let tick_core = if self.tick_type == "s64" { "i64" } else { "i32" };
        let result = "(result (result (error string)))";
        let lines = "(result (list u8))";
        let functions = [
            ("configure", "i32 i32", "(param \"config\" string)".to_owned(), result),
            (
                "restore",
                "i32 i32 i32 i32",
                "(param \"config\" string) (param \"snapshot\" (list u8))".to_owned(),
                result,
            ),
            ("begin", "i32 i32", "(param \"input\" string)".to_owned(), result),
            ("push", "i32 i32", "(param \"chunk\" (list u8))".to_owned(), lines),
            ("flush", "", String::new(), lines),
            ("finish", "", String::new(), lines),
            ("close", "", String::new(), lines),
            (
                "tick",
                tick_core,
                format!("(param \"now-nanos\" {})", self.tick_type),
                lines,
            ),
            ("snapshot", "", String::new(), lines),
            ("status", "", String::new(), "(result string)"),
        ];
        let mut core = String::new();
        let mut lifts = String::new();
        for (name, core_params, params, result) in functions.iter().filter(|function| function.0 != self.without) {
            let body = if *name == "push" { self.push } else { "(i32.const 0)" };
            core += &format!("(func (export \"{name}\") (param {core_params}) (result i32) {body})\n");
            lifts += &format!(
                "(func (export \"{name}\") {params} {result} (canon lift (core func $guest \"{name}\")
                    (memory $guest \"memory\") (realloc (func $guest \"realloc\"))))\n"
            );
        }
        let text = format!(
            "(component
                (core module $module
                    (memory (export \"memory\") {pages})
                    (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                    {extra}
                    {core})
                (core instance $guest (instantiate $module))
                {lifts})",
            pages = self.pages,
            extra = self.extra,
        );
        wat::parse_str(text).unwrap()
    }
}

fn open(hostile: &Hostile) -> Result<Engine, EngineError> {
    let module = Module::load(&hostile.component(), LIMITS)?;
    Guest::open(&module, "", None).map(|guest| Engine::Wasm(Box::new(guest)))
}

fn push(hostile: &Hostile) -> EngineError {
    let mut out = Vec::new();
    let error = open(hostile).unwrap().push(b"one line\n", &mut out).unwrap_err();
    the_host_is_well();
    error
}

fn refuse(bytes: &[u8], expected: impl Fn(&EngineError) -> bool) {
    let error = Module::load(bytes, LIMITS).map(|_| ()).unwrap_err();
    assert!(expected(&error), "{error:?}");
    the_host_is_well();
}

/// The built-in engine reads an input and says the same as the native detector.
fn the_host_is_well() {
    let input = Input {
        emit: watchpost_detector::Emit::All,
        ..Input::new(Format::Csv)
    };
    let run = |choice| {
        let mut engine = Engine::open(&choice, Limits::default(), "", None).unwrap();
        score(&mut engine, &input, BAD_TIMES.as_bytes(), usize::MAX).unwrap()
    };
    let lines = run(Choice::Wasm);
    assert!(!lines.is_empty());
    assert_eq!(lines, run(Choice::Native));
}
