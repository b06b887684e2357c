//! Which lines belong to the record above them: stack traces, indented lines, and messages of several lines.
//!
//! Where a record begins with a time, whatever comes without one continues it, as long as such lines are the
//! exception in the input. Where it does not, only what is certain to be part of a trace does.
//!
//! | language | what is recognised |
//! |---|---|
//! | Java, Kotlin, Scala | `\tat c.shop.Cart.pay(Cart.java:7)`, `Caused by:`, `Suppressed:`, `... 17 more` |
//! | Python | `Traceback (most recent call last):` to the line of the exception, chained ones, too |
//! | Go | `panic:` and `fatal error:` with the blocks of their goroutines |
//! | Node | `    at pay (/app/cart.js:7:1)`, the excerpt above it |
//! | Ruby | `\tfrom cart.rb:7:in`, `cart.rb:7:in` |
//! | .NET | `   at Shop.Cart.Pay()`, `--- End of …`; the second line of its console's format |
//! | PHP, Rust | `Stack trace:` with `#0 …`; `thread 'main' panicked at` with what follows |
//! | java.util.logging | the level and the message on the second line |

#[cfg(test)]
mod tests;

use super::level;
use crate::event::Level;

/// What may follow the lines that a record has so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expects {
    /// Nothing in particular.
    #[default]
    Nothing,
    /// Frames of a stack, whatever is indented, and causes.
    Frames,
    /// The frames of Python, and then the line of the exception.
    Python,
    /// Another exception of Python in the chain.
    PythonChain,
    /// Blocks of goroutines.
    Go,
    /// The message of a panic of Rust.
    Rust,
    /// The source line and the error of Node.
    Node,
    /// The level and the message of java.util.logging.
    Java,
}

/// What is known of the record that a line may continue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Above {
    /// Whether it begins with a time.
    pub(super) stamped: bool,
    /// Whether it claims a level.
    pub(super) leveled: bool,
    pub(super) expects: Expects,
    /// Whether blank lines are between it and the line.
    pub(super) blank: bool,
}

/// Where a line belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// It is the first of a record.
    Apart,
    /// It continues the record above it.
    Above(Expects),
    /// It does if the record above begins with a time, and there is little of the kind.
    Perhaps,
}

/// Where a line belongs that does not begin with a time.
pub(super) fn belongs(line: &str, above: Above) -> Belongs {
    let text = line.trim_start();
    let indented = text.len() < line.len();
    let with = Belongs::Above;
    match above.expects {
        Expects::Go if indented || of_goroutine(text) => return with(Expects::Go),
        Expects::Python if !above.blank => {
            return with(if indented {
                Expects::Python
            } else {
                Expects::PythonChain
            });
        }
        Expects::PythonChain if is_chain(text) => return with(Expects::PythonChain),
        Expects::PythonChain if above.blank && text.starts_with(TRACEBACK) => return with(Expects::Python),
        Expects::Rust if !above.blank => return with(Expects::Frames),
        Expects::Node if indented || text == "}" || is_exception(text) || text.starts_with("Node.js v") => {
            return with(Expects::Node);
        }
        Expects::Java if !above.blank => return with(Expects::Nothing),
        Expects::Frames if indented || text == "}" || is_numbered_frame(text) || is_note(text) => {
            return with(Expects::Frames);
        }
        _ => {}
    }
    if above.blank {
        // Tomcat leaves a line blank between what failed and why.
        let is_why = above.stamped && text.len() == line.len() && is_exception(text) && text.contains('.');
        return if is_why { with(Expects::Frames) } else { Belongs::Apart };
    }
    if is_frame(text, indented) {
        return with(Expects::Frames);
    }
    let rooted = above.stamped || above.leveled;
    if text.starts_with(TRACEBACK) {
        // What is chained to a trace says so before.
        return if rooted && above.expects != Expects::PythonChain {
            with(Expects::Python)
        } else {
            Belongs::Apart
        };
    }
    if indented {
        return if above.stamped {
            with(above.expects)
        } else {
            Belongs::Apart
        };
    }
    if begins(line) {
        return Belongs::Apart;
    }
    if rooted {
        if text.starts_with("goroutine ") && of_goroutine(text) {
            return with(Expects::Go);
        }
        if is_exception(text) || text.starts_with("Stack trace:") || is_ruby(text) {
            return with(Expects::Frames);
        }
    }
    if above.stamped {
        Belongs::Perhaps
    } else {
        Belongs::Apart
    }
}

/// What the first line of a record leads to expect.
pub(super) fn opened_by(line: &str, stamped: bool) -> Expects {
    if line.ends_with(':') {
        if line.ends_with(TRACEBACK) {
            return Expects::Python;
        } else if line.ends_with("Stack trace:") {
            return Expects::Frames;
        }
    }
    if stamped {
        let is_java = line.as_bytes().first().is_some_and(u8::is_ascii_uppercase) && is_java_util_logging(line);
        return if is_java { Expects::Java } else { Expects::Nothing };
    }
    if line.starts_with("panic: ") || line.starts_with("fatal error: ") {
        Expects::Go
    } else if is_panic_of_rust(line) {
        if line.ends_with(':') {
            Expects::Rust
        } else {
            Expects::Frames
        }
    } else if is_source(line) {
        Expects::Node
    } else if level::of_dotnet(line).is_some() || is_exception(line) || is_uncaught(line) {
        Expects::Frames
    } else {
        Expects::Nothing
    }
}

/// How bad a record is that states no level and is a failure that nobody caught, or holds a trace.
pub(super) fn failure(text: &str, record: Above) -> Option<Level> {
    let is_trace = matches!(
        record.expects,
        Expects::Frames | Expects::Python | Expects::PythonChain | Expects::Go | Expects::Node
    );
    if !is_trace {
        return None;
    }
    if text.starts_with("panic: ") || text.starts_with("fatal error: ") || is_panic_of_rust(text) {
        return Some(Level::Fatal);
    }
    let has_trace =
        is_uncaught(text.split('\n').next().unwrap_or(text)) || memchr::memchr(b'\n', text.as_bytes()).is_some();
    has_trace.then_some(Level::Error)
}

const TRACEBACK: &str = "Traceback (most recent call last):";

/// A line without a time that is a record nevertheless.
fn begins(line: &str) -> bool {
    is_of_journal(line)
        || level::behind_program(line).is_some()
        || line.starts_with("panic: ")
        || line.starts_with("fatal error: ")
        || is_uncaught(line)
        || is_panic_of_rust(line)
        || is_source(line)
        || (line.starts_with("{\"") && line.ends_with('}'))
        || level::of_dotnet(line).is_some()
        || level::find(line, false).is_some()
}

/// `-- Boot 3f2a9c… --`: what journalctl says between entries.
fn is_of_journal(line: &str) -> bool {
    line.starts_with("-- ") && line.ends_with(" --")
}

fn is_panic_of_rust(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}

fn is_uncaught(line: &str) -> bool {
    line.starts_with("Exception in thread ")
        || line.starts_with("Unhandled exception. ")
        // `cart.rb:7:in 'pay': no cart (KeyError)`.
        || (line.ends_with("Error)") || line.ends_with("Exception)")) && is_ruby(line)
}

/// `Nov 20, 2026 9:00:00 AM c.shop.Cart pay`.
fn is_java_util_logging(line: &str) -> bool {
    let near = line.as_bytes().get(12..28).unwrap_or_default();
    near.windows(4).any(|half| matches!(half, b" AM " | b" PM "))
}

/// What is a frame of a stack, or a cause, wherever it stands.
fn is_frame(text: &str, indented: bool) -> bool {
    if indented {
        if let Some(place) = text.strip_prefix("at ") {
            return place.contains(['(', '/', '.', '<']);
        }
        return is_omission(text)
            || (text.starts_with("File \"") && text.contains("\", line "))
            || (text.starts_with("from ") && text.contains(".rb:"))
            || text.starts_with("Suppressed: ")
            || text.starts_with("Caused by: ")
            || text.starts_with("--- End of inner exception");
    }
    text.starts_with("Caused by: ") || text.starts_with("--- End of stack trace") || is_omission(text)
}

/// `... 17 more`.
fn is_omission(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("... ") else {
        return false;
    };
    let mut words = rest.split(' ');
    let is_number = words
        .next()
        .is_some_and(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()));
    is_number && matches!(words.next(), Some("more" | "common"))
}

/// `#0 /app/cart.php(7): pay()`.
fn is_numbered_frame(text: &str) -> bool {
    text.starts_with("Stack trace:")
        || text
            .strip_prefix('#')
            .and_then(|rest| rest.split(' ').next())
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `c.shop.CartException: empty` or `ValueError: empty`: a name that says so at its end.
fn is_exception(text: &str) -> bool {
    const LONGEST: usize = 200;
    let near = text.as_bytes().get(..LONGEST).unwrap_or(text.as_bytes());
    let length = near
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'))
        .count();
    let Some((name, rest)) = text.split_at_checked(length) else {
        return false;
    };
    let is_named = ["Exception", "Error", "Throwable", "Failure"]
        .iter()
        .any(|end| name.ends_with(end));
    is_named && (rest.is_empty() || rest.starts_with(": ") || rest.starts_with(" [") || rest == ":")
}

fn is_chain(text: &str) -> bool {
    text.starts_with("During handling of the above exception") || text.starts_with("The above exception was the direct")
}

/// `cart.rb:7:in 'pay'`.
fn is_ruby(text: &str) -> bool {
    const FAR: usize = 300;
    let near = text.as_bytes().get(..FAR).unwrap_or(text.as_bytes());
    let place = memchr::memmem::find(near, b".rb:").and_then(|at| near.get(at..));
    place.is_some_and(|place| memchr::memmem::find(place, b":in ").is_some())
}

/// `/app/cart.js:7` or `node:internal/modules/cjs/loader:936`: where Node shows the source.
fn is_source(line: &str) -> bool {
    if !line.starts_with(['/', 'n', 'f']) {
        return false;
    }
    let Some((path, number)) = line.rsplit_once(':') else {
        return false;
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_path = path.starts_with("node:") || path.starts_with("file:///") || path.starts_with('/');
    is_number && is_path && !path.contains(' ')
}

/// Not indented, and still of a panic of Go: a goroutine, the call of a function, who created it.
fn of_goroutine(text: &str) -> bool {
    if text.starts_with("goroutine ") {
        return text.ends_with("]:");
    }
    if text.starts_with("created by ")
        || text.starts_with("exit status ")
        || text.starts_with("[signal ")
        || text.starts_with("runtime stack:")
        || text.starts_with("[recovered]")
        || text.starts_with("...additional frames elided...")
    {
        return true;
    }
    let is_call = text.ends_with(')') && text.split('(').next().is_some_and(|name| !name.contains(' '));
    is_call && (text.contains('.') || text.starts_with("panic("))
}

/// What Rust says below the message of a panic.
fn is_note(text: &str) -> bool {
    text.starts_with("note: run with ") || text.starts_with("stack backtrace:")
}
