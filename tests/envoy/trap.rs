//! The module with a trap in it: after so many calls of one of its functions it fails, as a bug in it would.

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Error, Reencode};
use wasm_encoder::{BlockType, CodeSection, ConstExpr, Function, GlobalSection, GlobalType, Module, ValType};
use wasmparser::{ExternalKind, FunctionBody, Parser, Payload, TypeRef};

/// The same module, except that the call number `calls` of an exported function traps, and every later one: a global
/// counts them, and is new in every VM.
pub(super) fn with_trap(module: &[u8], export: &str, calls: u32) -> Vec<u8> {
    let found = Found::in_module(module, export);
    let mut trap = Trap {
        target: found.body,
        counter: found.globals,
        at: 0,
        calls,
        counted: false,
    };
    let mut changed = Module::new();
    trap.parse_core_module(&mut changed, Parser::new(0), module)
        .expect("what a compiler made can be written again");
    assert!(trap.counted, "the module has no globals to add one to");
    let changed = changed.finish();
    wasmparser::validate(&changed).expect("the changed module is a module");
    changed
}

/// Where the function is, and how many globals there are already.
struct Found {
    body: u32,
    globals: u32,
}

impl Found {
    fn in_module(module: &[u8], export: &str) -> Found {
        let (mut imported, mut globals, mut function) = (0, 0, None);
        for payload in Parser::new(0).parse_all(module) {
            match payload.expect("the module is one") {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import.expect("an import").ty {
                            TypeRef::Func(_) => imported += 1,
                            TypeRef::Global(_) => globals += 1,
                            _ => {}
                        }
                    }
                }
                Payload::GlobalSection(section) => globals += section.count(),
                Payload::ExportSection(section) => {
                    for item in section {
                        let item = item.expect("an export");
                        if item.kind == ExternalKind::Func && item.name == export {
                            function = Some(item.index);
                        }
                    }
                }
                _ => {}
            }
        }
        let function: u32 = function.unwrap_or_else(|| panic!("the module exports no {export}"));
        Found {
            body: function - imported,
            globals,
        }
    }
}

struct Trap {
    target: u32,
    counter: u32,
    /// The body that comes next.
    at: u32,
    calls: u32,
    counted: bool,
}

impl Reencode for Trap {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        reencode::utils::parse_global_section(self, globals, section)?;
        let counter = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        globals.global(counter, &ConstExpr::i32_const(0));
        self.counted = true;
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error<Infallible>> {
        let at = self.at;
        self.at += 1;
        if at != self.target {
            return reencode::utils::parse_function_body(self, code, body);
        }
        let mut function: Function = self.new_function_with_parsed_locals(&body)?;
        function
            .instructions()
            .global_get(self.counter)
            .i32_const(1)
            .i32_add()
            .global_set(self.counter)
            .global_get(self.counter)
            .i32_const(i32::try_from(self.calls).expect("not so many calls"))
            .i32_ge_u()
            .if_(BlockType::Empty)
            .unreachable()
            .end();
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let instruction = self.parse_instruction(&mut operators)?;
            function.instruction(&instruction);
        }
        code.function(&function);
        Ok(())
    }
}

#[test]
fn the_function_counts_and_then_traps() {
    let module = wat::parse_str(
        r#"(module
            (import "env" "f" (func $f (param i32)))
            (global $g (mut i32) (i32.const 7))
            (func $other)
            (func (export "proxy_on_log") (param i32) (local i64)
                (call $f (local.get 0)) (global.set $g (i32.const 1))))"#,
    );
    let module = module.expect("this is wasm");
    let changed = with_trap(&module, "proxy_on_log", 3);
    assert!(changed.len() > module.len());
    let bodies: Vec<usize> = Parser::new(0)
        .parse_all(&changed)
        .filter_map(|payload| match payload {
            Ok(Payload::CodeSectionEntry(body)) => Some(body.get_operators_reader().ok()?.into_iter().count()),
            _ => None,
        })
        .collect();
    assert_eq!(bodies, [1, 15]);
}
