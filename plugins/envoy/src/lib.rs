//! Watchpost inside Envoy: a proxy-wasm module that scores every exchange where it happens.
//!
//! One module runs in three ways, which its configuration chooses: as an HTTP filter, as an access logger, and as a
//! singleton service that sees what all workers see. It translates and delegates; the detector decides.

mod batch;
mod checkpoint;
mod collector;
mod exchange;
mod host;
mod metrics;
mod open;
mod settings;
mod watch;

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType};

use settings::{Document, Mode};
use watch::{Watch, say};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

type Shared = Rc<RefCell<Watch>>;

thread_local! {
    /// The instances of this VM: Envoy makes another root context in the same VM when a listener is updated, and what
    /// was learned goes on in it.
    static INSTANCES: RefCell<Vec<Weak<RefCell<Watch>>>> = const { RefCell::new(Vec::new()) };
    /// The number of this VM.
    static VM: u32 = checkpoint::vm_number();
}

/// The root context: the configuration, the clock, and the requests of an access logger.
#[derive(Default)]
struct Root {
    watch: Option<Shared>,
}

impl Root {
    fn configure(&self, size: usize) -> Result<Watch, String> {
        let bytes = if size == 0 {
            host::Bytes::default()
        } else {
            host::buffer(BufferType::PluginConfiguration, size)
                .map_err(|error| format!("Envoy does not give the configuration: {error}"))?
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| NO_TEXT.to_owned())?;
        let document: Document = if text.trim().is_empty() {
            Document::default()
        } else if text.trim_start().starts_with('{') {
            watchpost_detector::parse_document(text).map_err(|error| format!("configuration: {error}"))?
        } else {
            return Err(NO_TEXT.to_owned());
        };
        let part = |name| host::property(name).map(|bytes| host::text_of(&bytes).to_owned()).unwrap_or_default();
        let name = format!("{}.{}", part("plugin_name"), part("plugin_root_id"));
        let before = INSTANCES.with_borrow(|all| {
            let mut known = all.iter().rev().filter_map(Weak::upgrade);
            known.find(|watch| watch.try_borrow().is_ok_and(|watch| watch.name == name))
        });
        let before = before.as_ref().and_then(|watch| watch.try_borrow().ok());
        Watch::open(document, name, VM.with(|number| *number), before.as_deref())
    }
}

const NO_TEXT: &str = "configuration: this is not JSON text: give a `google.protobuf.StringValue` with \
                       `{\"detector\": {…}, \"envoy\": {…}}` as its value, or nothing for the defaults; a `Struct` \
                       arrives here as protobuf";

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _trailers: usize) {
        if let Some(mut watch) = self.watch.as_ref().and_then(|watch| watch.try_borrow_mut().ok()) {
            watch.answered(token, headers, body);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let watch = match self.configure(size) {
            Ok(watch) => watch,
            Err(message) => {
                say(LogLevel::Critical, &message);
                return false;
            }
        };
        if watch.settings.mode == Mode::Service
            && let Err(error) = host::register_queue(batch::QUEUE)
        {
            say(LogLevel::Critical, &format!("the queue of the service cannot be registered: {error}"));
            return false;
        }
        if let Err(error) = host::set_tick_period(watch::TICK) {
            say(LogLevel::Critical, &format!("there is no clock: {error}"));
            return false;
        }
        let watch = Rc::new(RefCell::new(watch));
        INSTANCES.with_borrow_mut(|all| {
            all.retain(|known| known.strong_count() > 0);
            all.push(Rc::downgrade(&watch));
        });
        self.watch = Some(watch);
        true
    }

    fn on_tick(&mut self) {
        if let Some(mut watch) = self.watch.as_ref().and_then(|watch| watch.try_borrow_mut().ok()) {
            watch.tick();
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        if let Some(mut watch) = self.watch.as_ref().and_then(|watch| watch.try_borrow_mut().ok()) {
            watch.drain(queue);
        }
    }

    /// The access logger has no other context than this.
    fn on_log(&mut self) {
        if let Some(mut watch) = self.watch.as_ref().and_then(|watch| watch.try_borrow_mut().ok()) {
            watch.exchange(None);
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream {
            watch: self.watch.clone(),
            began: host::now(),
            asked: None,
        }))
    }
}

/// One exchange that passes the HTTP filter.
struct Stream {
    watch: Option<Shared>,
    /// In nanoseconds since 1970: asking the clock twice costs less than asking Envoy for the duration.
    began: i64,
    /// Method and path, which the header of the response needs and cannot be asked for later.
    asked: Option<(String, String)>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let watch = self.watch.as_ref().and_then(|watch| watch.try_borrow().ok());
        if watch.is_some_and(|watch| watch.settings.response_header.is_some())
            && let Ok(headers) = host::headers(MapType::HttpRequestHeaders)
        {
            let [method, path] = headers.find([":method", ":path"]);
            self.asked = Some((method.unwrap_or_default().to_owned(), path.unwrap_or_default().to_owned()));
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some((method, path)) = &self.asked
            && let Some(watch) = self.watch.as_ref().and_then(|watch| watch.try_borrow().ok())
            && let Some(name) = &watch.settings.response_header
        {
            let value = watch.header(method, path);
            let _ = host::set_header(MapType::HttpResponseHeaders, &name.0, &value);
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if let Some(mut watch) = self.watch.as_ref().and_then(|watch| watch.try_borrow_mut().ok()) {
            let nanos = host::now().saturating_sub(self.began);
            watch.exchange(Some(nanos));
        }
    }
}
