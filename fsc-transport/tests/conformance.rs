//! Our transports under the suite that every transport must pass; serial lines are in `serial/conformance.rs`.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fsc_core::clock;
use fsc_core::conformance::Stage;
use fsc_core::transport::{Address, Handler, Transport};
use fsc_transport::{Hub, TokioRuntime};

mod local {
    fsc_core::transport_conformance!(
        #[tokio::test]
        super::InProcess::new()
    );
}

struct InProcess {
    hub: Hub,
    runtime: TokioRuntime,
    /// The hub does not keep nodes alive.
    nodes: Mutex<Vec<Arc<Arc<dyn Handler>>>>,
}

impl InProcess {
    fn new() -> Self {
        Self { hub: Hub::new(), runtime: TokioRuntime::new(), nodes: Mutex::default() }
    }
}

#[async_trait]
impl Stage for InProcess {
    fn transport(&self) -> &dyn Transport {
        &self.hub
    }

    fn runtime(&self) -> &dyn clock::Runtime {
        &self.runtime
    }

    async fn start(&self, at: Option<&Address>, handler: Arc<dyn Handler>) -> Address {
        let name = at.map_or("node", |at| at.as_str().trim_start_matches("local:"));
        let handler = Arc::new(handler);
        let address = self.hub.add(name, &handler).unwrap();
        self.nodes.lock().unwrap().push(handler);
        address
    }

    async fn stop(&self, address: &Address) {
        self.hub.remove(address);
    }
}

#[cfg(feature = "http")]
mod http {
    use std::collections::HashMap;
    use std::future::pending;
    use std::thread;
    use std::time::Duration;

    use fsc_transport::http::{ClientConfig, HttpTransport, Server, ServerConfig};
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    mod http1 {
        fsc_core::transport_conformance!(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            super::OverHttp::new(false)
        );
    }

    mod http2 {
        fsc_core::transport_conformance!(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            super::OverHttp::new(true)
        );
    }

    struct OverHttp {
        transport: HttpTransport,
        runtime: TokioRuntime,
        /// Each server has a runtime of its own, which ends with it: then no connection of it is left.
        servers: Mutex<HashMap<Address, Runtime>>,
    }

    impl OverHttp {
        fn new(http2: bool) -> Self {
            let config = ClientConfig { http2, ..ClientConfig::default() };
            Self { transport: HttpTransport::new(config), runtime: TokioRuntime::new(), servers: Mutex::default() }
        }
    }

    impl Drop for OverHttp {
        fn drop(&mut self) {
            let servers = std::mem::take(&mut *self.servers.lock().unwrap());
            servers.into_values().for_each(Runtime::shutdown_background);
        }
    }

    #[async_trait]
    impl Stage for OverHttp {
        fn transport(&self) -> &dyn Transport {
            &self.transport
        }

        fn runtime(&self) -> &dyn clock::Runtime {
            &self.runtime
        }

        async fn start(&self, at: Option<&Address>, handler: Arc<dyn Handler>) -> Address {
            let mut config = ServerConfig::default();
            if let Some(at) = at {
                config.listen = at.as_str().trim_start_matches("http://").parse().unwrap();
            }
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let server = runtime.spawn(Server::bind(config, handler)).await.unwrap().unwrap();
            let address = server.address();
            runtime.spawn(server.run(pending()));
            self.servers.lock().unwrap().insert(address.clone(), runtime);
            address
        }

        async fn stop(&self, address: &Address) {
            let runtime = self.servers.lock().unwrap().remove(address).expect("it runs");
            // Runtimes end on threads of their own.
            thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5))).join().unwrap();
        }
    }

    #[cfg(feature = "seal")]
    mod sealed {
        use fsc_core::bus::{Failure, Principal, Request, Response};
        use fsc_core::identity::NodeKey;
        use fsc_core::transport::{Life, Origin};
        use fsc_core::value::Value;
        use fsc_transport::seal::{ForwardLimits, Peer, Peers, Seal};

        use super::*;

        fsc_core::transport_conformance!(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            Sealed::new().await
        );

        /// Sealed mail over HTTP, from a node that listens, too: handshakes are answered there.
        struct Sealed {
            under: OverHttp,
            asking: (NodeKey, Address, Seal),
        }

        impl Sealed {
            async fn new() -> Self {
                let under = OverHttp::new(false);
                let key = NodeKey::generate();
                let peers = Arc::new(Peers::new([], false));
                let seal = seal(&key, Arc::clone(&peers));
                let address = under.start(None, seal.open(Arc::new(Nobody))).await;
                Self { under, asking: (key, address, seal) }
            }
        }

        fn seal(key: &NodeKey, peers: Arc<Peers>) -> Seal {
            Seal::new(key.clone(), peers, HttpTransport::default(), TokioRuntime::new(), ForwardLimits::default())
        }

        #[async_trait]
        impl Stage for Sealed {
            fn transport(&self) -> &dyn Transport {
                &self.asking.2
            }

            fn runtime(&self) -> &dyn clock::Runtime {
                &self.under.runtime
            }

            async fn start(&self, at: Option<&Address>, handler: Arc<dyn Handler>) -> Address {
                let (asking, back, _) = &self.asking;
                let key = NodeKey::from_bytes(&[7; 32]);
                let seal = seal(&key, Arc::new(Peers::new([Peer::at(asking.id(), back.clone())], true)));
                let place = self.under.start(at.and_then(Address::place).as_ref(), seal.open(handler)).await;
                format!("{place}#{}", key.id()).parse().unwrap()
            }

            async fn stop(&self, address: &Address) {
                self.under.stop(&address.place().unwrap()).await;
            }
        }

        /// A node that nobody asks for anything.
        struct Nobody;

        #[async_trait]
        impl Handler for Nobody {
            async fn request(&self, _: &Principal, _: Request) -> Result<Response, Failure> {
                Ok(Response::None)
            }

            fn mail(&self, _: Origin, _: bytes::Bytes) -> Result<Life, Failure> {
                Ok(Life([9; 16]))
            }

            fn list(&self) -> Arc<Vec<Value>> {
                Arc::default()
            }
        }
    }
}
