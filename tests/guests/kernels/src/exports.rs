//! What a host calls: it asks for a buffer, fills it, and has a kernel read it.

#![allow(
    unsafe_code,
    reason = "the compiler takes an export for unsafe, since its name could be taken already"
)]

use std::cell::RefCell;

use crate::Mine;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static MINE: RefCell<Mine> = RefCell::default();
}

/// Where the host puts so many bytes of input; valid until it asks again.
#[unsafe(no_mangle)]
extern "C" fn input(bytes: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.resize(bytes, 0);
        input.as_mut_ptr()
    })
}

/// Forgets all templates.
#[unsafe(no_mangle)]
extern "C" fn mine_anew() {
    MINE.set(Mine::default());
}

/// Mines the lines of the input, and tells how many templates there are.
#[unsafe(no_mangle)]
extern "C" fn mine_lines() -> usize {
    INPUT.with_borrow(|input| MINE.with_borrow_mut(|mine| mine.lines(input)))
}
