//! Which service a line is of, where no structured field says it (seed 001's service identification). Only what
//! names the writer of a line counts; a message that mentions a service is none of it.
//!
//! | where | how it is written | service |
//! |---|---|---|
//! | a field | `service=cart`, `service.name=`, `service_name=`, `svc=`, `app=`, `app_name=`, `application=` | `cart` |
//! | a field, when there is none of these | `pod=cart-7f9c5d8b6-x2x4z`, `pod_name=` | `cart` |
//! | Spring | `--- [cart-service] [nio-8080-exec-1]`, `[cart-service,5f1e…,9a3b…]` | `cart-service` |
//! | brackets | `[cart-service]` before the message | `cart-service` |
//! | logger | `cart-service:`, `cart-service -` before the message, `cart-service ERROR` | `cart-service` |
//! | pod | `cart-7f9c5d8b6-x2x4z ERROR`, `cart-7f9c5d8b6-x2x4z:` | `cart` |
//! | kubectl, stern | `[pod/cart-7f9c5d8b6-x2x4z/app]`, `cart-7f9c5d8b6-x2x4z app` | `cart` |
//! | logger, one word | `time - orders - INFO - `, `CRITICAL:orders:`, `WARN -- orders: `, `\| WARN \| orders \| `, `[time] [WARN] orders - `, `[info     ] done [orders]` | `orders` |
//! | a program before a level | `nginx: [emerg]` | `nginx` |
//! | docker compose | `cart-1  \|`, `shop_cart_1  \|` | `cart` |
//! | syslog, journald | the program | |
//!
//! In brackets and as a logger a name counts only when it says that it is one of a service: it ends in `-service`,
//! `_service`, `-svc`, `-api`, `-gateway`, `-server`, `-backend` or `-frontend`. Threads and classes do not. Where a
//! layout has a place for the logger, any name of one word counts that is not the name of a well-known library.

#[cfg(test)]
mod tests;

const LONGEST: usize = 64;

/// What names of services end in.
const ENDS: [&str; 7] = ["service", "svc", "api", "gateway", "server", "backend", "frontend"];

/// The name that a pod got from its deployment, stateful set, daemon set or job.
pub(super) fn of_pod(pod: &str) -> &str {
    let Some((owner, last)) = pod.rsplit_once('-') else {
        return pod;
    };
    if is_number(last) {
        return owner;
    }
    if let Some((deployment, middle)) = owner.rsplit_once('-')
        && is_random(last)
        && (is_template_hash(middle) || (middle.len() >= 8 && is_number(middle)))
        && !deployment.is_empty()
    {
        return deployment;
    }
    let is_suffix = last.len() == 5 && last.bytes().all(|byte| SAFE.contains(&byte));
    if is_suffix { owner } else { pod }
}

/// Whether a word is the name of a pod of a deployment, with both of its hashes.
pub(super) fn is_pod_of_deployment(word: &str) -> bool {
    word.rsplit_once('-').is_some_and(|(owner, last)| {
        is_random(last) && owner.rsplit_once('-').is_some_and(|(_, hash)| is_template_hash(hash))
    })
}

/// Whether the name of a container is one that any has, so that its pod's tells more.
pub(super) fn says_nothing(container: &str) -> bool {
    matches!(
        container,
        "app" | "main" | "server" | "container" | "web" | "application"
    )
}

/// The service of a container of docker compose: `cart-1`; its first version wrote `cart_1`, or `shop_cart_1` with the
/// project, whose name has no `_`.
pub(super) fn of_compose(container: &str) -> &str {
    match container.rsplit_once(['-', '_']) {
        Some((name, number)) if !name.is_empty() && is_number(number) => {
            let is_old = container.as_bytes().get(name.len()) == Some(&b'_');
            match name.split_once('_') {
                // `payment_service_1` is no `service` of a project called `payment`.
                Some((_project, service)) if is_old && !service.is_empty() && !ENDS.contains(&service) => service,
                _ => name,
            }
        }
        _ => container,
    }
}

/// What the text after a time says about its service.
pub(super) fn of_text(text: &str) -> Option<&str> {
    of_field(text).or_else(|| of_spring(text)).or_else(|| of_start(text))
}

/// What Kubernetes makes random names of: no vowels, so that there are no words.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

fn is_random(text: &str) -> bool {
    text.len() == 5
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

fn is_template_hash(text: &str) -> bool {
    (6..=10).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `service=cart` or `app="cart"`.
fn of_field(text: &str) -> Option<&str> {
    const FAR: usize = 256;
    let near = text.as_bytes().get(..FAR).unwrap_or(text.as_bytes());
    let mut of_pod = None;
    for at in memchr::memchr_iter(b'=', near) {
        let before = near.get(..at).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b'[' | b'{' | b'(' | b'"');
        let key = before.iter().rev().position(is_end).map_or(0, |length| at - length);
        let is_service = match before.get(key..).unwrap_or_default() {
            key @ [b's' | b'a', ..] => matches!(
                key,
                b"service" | b"app" | b"service.name" | b"service_name" | b"svc" | b"app_name" | b"application"
            ),
            b"pod" | b"pod_name" | b"k8s.pod.name" => false,
            _ => continue,
        };
        let is_pod = !is_service && before.get(key).is_some_and(|byte| matches!(byte, b'p' | b'k'));
        if !is_service && !is_pod {
            continue;
        }
        let Some(value) = text.get(at + 1..).and_then(value) else {
            continue;
        };
        if is_service {
            return Some(value);
        }
        of_pod = Some(self::of_pod(value));
    }
    of_pod
}

fn value(text: &str) -> Option<&str> {
    let value = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.0,
        None => text.split([' ', '\t', ',', ';', ']', '}', ')']).next()?,
    };
    (!matches!(value, "" | "-") && value.len() <= LONGEST).then_some(value)
}

/// Spring Boot's name of the application: in brackets of its own before the thread's, or with a trace.
fn of_spring(text: &str) -> Option<&str> {
    const FAR: usize = 120;
    const TRACE_FAR: usize = 40;
    let near = text.as_bytes().get(..FAR).unwrap_or(text.as_bytes());
    for at in memchr::memchr_iter(b'[', near) {
        let is_after_dashes = near.get(..at).unwrap_or_default().ends_with(b" --- ");
        if !is_after_dashes && at > TRACE_FAR {
            continue;
        }
        let (inside, rest) = text.get(at + 1..)?.split_once(']')?;
        if is_after_dashes {
            let is_apart = rest.starts_with(" [") && is_name(inside) && !is_thread(inside);
            return is_apart.then_some(inside);
        }
        if let Some((name, rest)) = inside.split_once(',')
            && let Some((trace, span)) = rest.split_once(',')
            && is_name(name)
            && is_hex(trace)
            && is_hex(span.split(',').next().unwrap_or(span))
        {
            return Some(name);
        }
    }
    None
}

fn is_hex(text: &str) -> bool {
    text.trim().bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// `nio-8080-exec-1`, `main`, `pool-1-thread-3`: what a thread is called.
fn is_thread(name: &str) -> bool {
    let is_numbered = name.rsplit_once(['-', '#']).is_some_and(|(_, last)| is_number(last));
    is_numbered
        || matches!(name, "main" | "scheduler" | "background-preinit" | "restartedMain")
        || name.contains("exec")
}

/// What the part before a level is called when it is a logger's name, of one word: `orders - INFO - started`, as Python's
/// logging is often set up.
pub(super) fn before_level(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once(' ')?;
    let rest = rest.strip_prefix("- ")?;
    let (level, rest) = rest.split_once(' ')?;
    let is_level = level.bytes().all(|byte| byte.is_ascii_uppercase()) && rest.starts_with("- ");
    (is_level && super::text::level::find(level, false).is_some() && is_logger(name)).then_some(name)
}

/// The same behind a level: `CRITICAL:billing:no database` (Python's default), `WARN -- billing: ` (Ruby),
/// `| WARN | billing | `, and `[WARN] billing - ` behind a time in brackets (log4js).
pub(super) fn behind_level<'a>(level: &str, text: &'a str, is_bracketed: bool) -> Option<&'a str> {
    // structlog fills up the level to nine signs, and writes the logger behind the event.
    if level.len() == 11 && level.ends_with(']') {
        let (_, rest) = text.split_once(" [")?;
        let (name, _) = rest.split_once(']')?;
        return is_logger(name).then_some(name);
    }
    let (name, after) = if level.ends_with(':') && !text.starts_with(' ') {
        text.split_once(':')?
    } else {
        let text = text.trim_start();
        if let Some(rest) = text.strip_prefix("-- ") {
            rest.split_once(": ")?
        } else if let Some(rest) = text.strip_prefix("| ") {
            rest.split_once(" | ")?
        } else if is_bracketed && level.ends_with(']') {
            text.split_once(" - ")?
        } else {
            return None;
        }
    };
    (is_logger(name.trim_end()) && !after.is_empty()).then_some(name.trim_end())
}

/// Whether a logger's name is one of a program, not of a module (`shop.pricing`), a class, or a library.
fn is_logger(name: &str) -> bool {
    const OTHERS: [&str; 27] = [
        "root",
        "main",
        "app",
        "default",
        "server",
        "log",
        "logger",
        "console",
        "werkzeug",
        "asyncio",
        "urllib3",
        "uvicorn",
        "gunicorn",
        "celery",
        "flask",
        "django",
        "sqlalchemy",
        "httpx",
        "requests",
        "tornado",
        "aiohttp",
        "kafka",
        "boto3",
        "botocore",
        "paramiko",
        "matplotlib",
        "py4j",
    ];
    name.len() >= 3 && is_name(name) && !name.contains('.') && !OTHERS.contains(&name)
}

/// A name of a service among the first words: in brackets, before `:`, ` - ` or ` | `, or before a level.
fn of_start(text: &str) -> Option<&str> {
    const WORDS: usize = 3;
    let mut rest = text.trim_ascii_start();
    for _ in 0..WORDS {
        let end = rest.bytes().position(|byte| matches!(byte, b' ' | b'\t'))?;
        let (word, after) = match rest.strip_prefix('[') {
            Some(inside) => inside.split_once(']')?,
            None => rest.split_at_checked(end)?,
        };
        let after = after.trim_ascii_start();
        if rest.starts_with('[') {
            if says_service(word) {
                return Some(word);
            }
            rest = after;
            continue;
        }
        let name = word.strip_suffix(':').unwrap_or(word);
        let is_pod = is_pod_of_deployment(name);
        if is_pod || says_service(name) {
            let is_logger = name.len() < word.len()
                || after.starts_with(['-', '|', '['])
                || super::text::level::find(after, false).is_some();
            let service = if is_pod { self::of_pod(name) } else { name };
            return is_logger.then_some(service);
        }
        // Prose has begun, and whatever comes in it is mentioned.
        if word.bytes().all(|byte| byte.is_ascii_alphabetic()) && word.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        rest = after;
    }
    None
}

/// Whether a name says of itself that it is one of a service.
pub(super) fn says_service(name: &str) -> bool {
    let Some(at) = memchr::memrchr2(b'-', b'_', name.as_bytes()) else {
        return false;
    };
    at > 0 && is_name(name) && name.get(at + 1..).is_some_and(|last| ENDS.contains(&last))
}

fn is_name(name: &str) -> bool {
    name.len() <= LONGEST
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.'))
}
