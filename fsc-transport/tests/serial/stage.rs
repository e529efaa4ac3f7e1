//! Lines on pairs of pseudo-terminals, and nodes at their other ends that come and go.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fsc_core::bus::Principal;
use fsc_core::clock::Runtime;
use fsc_core::conformance::Stage;
use fsc_core::transport::{Address, Handler, Transport};
use fsc_transport::TokioRuntime;
use fsc_transport::serial::{LineConfig, Opener, SerialTransport, Stream};
use serial2_tokio::SerialPort;

/// Patience that fits the suite's.
pub(crate) fn config() -> LineConfig {
    LineConfig {
        principal: Some(Principal::new("line")),
        patience: Duration::from_secs(2),
        keep_alive: Duration::from_millis(500),
        reopen: Duration::from_millis(20),
        ..LineConfig::default()
    }
}

/// Where a stream can be plugged in, and pulled out.
#[derive(Clone, Default)]
pub(crate) struct Socket(Arc<Mutex<Option<Box<dyn Stream>>>>);

impl Socket {
    pub(crate) fn plug(&self, stream: impl Stream) {
        *self.0.lock().unwrap() = Some(Box::new(stream));
    }
}

#[async_trait]
impl Opener for Socket {
    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        self.0.lock().unwrap().take().ok_or_else(|| io::Error::other("nothing is plugged in"))
    }
}

/// A node that serves the other end of a line, in a runtime of its own, which dies with it.
pub(crate) struct Served {
    runtime: tokio::runtime::Runtime,
    _handler: Arc<Arc<dyn Handler>>,
    transport: SerialTransport,
}

impl Served {
    pub(crate) fn new(handler: Arc<dyn Handler>, open: impl FnOnce(&SerialTransport)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (transport, handler) = (SerialTransport::new(config()), Arc::new(handler));
        transport.serve(&handler);
        let context = runtime.enter();
        open(&transport);
        drop(context);
        Self { runtime, _handler: handler, transport }
    }

    /// Ends without a word.
    pub(crate) fn die(self) {
        let Self { runtime, transport, .. } = self;
        // Runtimes end on threads of their own; the transport comes after, so that nobody can send its farewell.
        std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5))).join().unwrap();
        drop(transport);
    }
}

/// Each line is a pair of pseudo-terminals. A node that stops takes the pair with it.
pub(crate) struct OnPtys {
    client: SerialTransport,
    runtime: TokioRuntime,
    ends: Mutex<HashMap<Address, (Socket, Option<Served>)>>,
}

impl OnPtys {
    pub(crate) fn new() -> Self {
        let client = SerialTransport::new(config());
        Self { client, runtime: TokioRuntime::new(), ends: Mutex::default() }
    }
}

#[async_trait]
impl Stage for OnPtys {
    fn transport(&self) -> &dyn Transport {
        &self.client
    }

    fn runtime(&self) -> &dyn Runtime {
        &self.runtime
    }

    async fn start(&self, at: Option<&Address>, handler: Arc<dyn Handler>) -> Address {
        let mut ends = self.ends.lock().unwrap();
        let (near, far) = SerialPort::pair().unwrap();
        let served = Served::new(handler, |transport| drop(transport.attach("far", far, None, config()).unwrap()));
        if let Some(at) = at {
            let (socket, end) = ends.get_mut(at).unwrap();
            socket.plug(near);
            *end = Some(served);
            return at.clone();
        }
        let socket = Socket::default();
        socket.plug(near);
        let name = format!("near{}", ends.len());
        let address = self.client.attach_opener(&name, socket.clone(), None, config()).unwrap();
        ends.insert(address.clone(), (socket, Some(served)));
        address
    }

    async fn stop(&self, address: &Address) {
        let served = self.ends.lock().unwrap().get_mut(address).and_then(|(_, served)| served.take()).expect("it runs");
        served.die();
    }
}

impl Drop for OnPtys {
    fn drop(&mut self) {
        let ends = std::mem::take(&mut *self.ends.lock().unwrap());
        ends.into_values().filter_map(|(_, served)| served).for_each(Served::die);
    }
}
