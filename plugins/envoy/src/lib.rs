//! Watchpost inside Envoy: a proxy-wasm module that scores every exchange where it happens.
//!
//! One module runs in three ways, which its configuration chooses: as an HTTP filter, as an access logger, and as a
//! singleton service that sees what all workers see. It translates and delegates; the detector decides.

mod batch;
mod checkpoint;
mod clusters;
mod collector;
mod exchange;
mod host;
mod lines;
mod metrics;
mod open;
mod settings;
mod watch;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType};

use settings::{Document, Mode};
use watch::{Watch, say};

/// The exports that the SDK's macro makes.
mod entry {
    #![allow(missing_docs, reason = "the macro documents nothing")]

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|id| Box::new(super::Root { id, instance: None }));
    }}
}

/// What all root contexts of one name share in a VM: there are two of them while a listener is updated.
struct Instance {
    watch: RefCell<Watch>,
    /// The root context that was configured last, which is the one whose clock counts.
    root: Cell<u32>,
}

type Shared = Rc<Instance>;

thread_local! {
    /// The instances of this VM: Envoy makes another root context in the same VM when a listener is updated, and what
    /// was learned goes on in it.
    static INSTANCES: RefCell<Vec<Weak<Instance>>> = const { RefCell::new(Vec::new()) };
    /// The number of this VM.
    static VM: u32 = checkpoint::vm_number();
}

/// The root context: the configuration, the clock, and the requests of an access logger.
struct Root {
    id: u32,
    instance: Option<Shared>,
}

impl Root {
    fn configure(&self, size: usize) -> Result<Shared, String> {
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
        let part = |name| {
            host::property(name)
                .map(|bytes| host::text_of(&bytes).to_owned())
                .unwrap_or_default()
        };
        let settings = &document.envoy;
        let vm = part("plugin_vm_id");
        if let Some(to) = settings.forward_to.as_ref().filter(|to| **to != vm) {
            return Err(format!(
                "configuration: field `envoy.forward_to`: this plugin has the vm_id \"{vm}\" and forwards to \"{to}\": \
                 what they share is kept by vm_id, so give the service and its workers the same one"
            ));
        }
        let service = settings.service.as_deref().unwrap_or_default();
        let name = format!(
            "{}.{}.{:?}.{service}",
            part("plugin_name"),
            part("plugin_root_id"),
            settings.mode
        );
        if settings.mode == Mode::Service {
            host::register_queue(batch::QUEUE)
                .map_err(|error| format!("the queue of the service cannot be registered: {error}"))?;
        }
        host::set_tick_period(watch::TICK).map_err(|error| format!("there is no clock: {error}"))?;
        let before = INSTANCES.with_borrow(|all| {
            let mut known = all.iter().rev().filter_map(Weak::upgrade);
            known.find(|known| known.watch.try_borrow().is_ok_and(|watch| watch.name == name))
        });
        let number = VM.with(|number| *number);
        if let Some(instance) = before {
            if let Ok(mut watch) = instance.watch.try_borrow_mut() {
                let anew = Watch::open(document, name, number, Some(&mut watch))?;
                *watch = anew;
            }
            instance.root.set(self.id);
            return Ok(instance);
        }
        let instance = Rc::new(Instance {
            watch: RefCell::new(Watch::open(document, name, number, None)?),
            root: Cell::new(self.id),
        });
        INSTANCES.with_borrow_mut(|all| {
            all.retain(|known| known.strong_count() > 0);
            all.push(Rc::downgrade(&instance));
        });
        Ok(instance)
    }

    /// Calls the instance. It is never entered twice: what it asks Envoy for does not come back to it.
    fn watch(&self, call: impl FnOnce(&mut Watch)) {
        if let Some(mut watch) = self
            .instance
            .as_ref()
            .and_then(|shared| shared.watch.try_borrow_mut().ok())
        {
            call(&mut watch);
        }
    }
}

const NO_TEXT: &str = "configuration: this is not JSON text: give a `google.protobuf.StringValue` with \
                       `{\"detector\": {…}, \"envoy\": {…}}` as its value, or nothing for the defaults; a `Struct` \
                       arrives here as protobuf";

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _trailers: usize) {
        self.watch(|watch| watch.answered(token, headers, body));
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match self.configure(size) {
            Ok(instance) => {
                self.instance = Some(instance);
                true
            }
            Err(message) => {
                say(LogLevel::Critical, &message);
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if self
            .instance
            .as_ref()
            .is_some_and(|shared| shared.root.get() == self.id)
        {
            self.watch(Watch::tick);
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.watch(|watch| watch.drain(queue));
    }

    /// The access logger has no other context than this.
    fn on_log(&mut self) {
        self.watch(|watch| watch.exchange(host::now(), None));
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream {
            instance: self.instance.clone(),
            began: host::now(),
        }))
    }
}

/// One exchange that passes the HTTP filter.
struct Stream {
    instance: Option<Shared>,
    /// In nanoseconds since 1970: asking the clock twice costs less than asking Envoy for the duration.
    began: i64,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let watch = self.instance.as_ref().and_then(|shared| shared.watch.try_borrow().ok());
        if let Some(watch) = watch
            && let Some(name) = &watch.settings.response_header
        {
            let _ = host::set_header(MapType::HttpResponseHeaders, &name.0, &watch.header());
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if let Some(mut watch) = self
            .instance
            .as_ref()
            .and_then(|shared| shared.watch.try_borrow_mut().ok())
        {
            let now = host::now();
            watch.exchange(now, Some(now.saturating_sub(self.began)));
        }
    }
}
