//! Our transports under the suite that every transport must pass; serial lines are in `serial/conformance.rs`.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fsc_core::clock::Runtime;
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

    fn runtime(&self) -> &dyn Runtime {
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

    use fsc_transport::http::{ClientConfig, HttpTransport, Server, ServerConfig};
    use tokio::task::JoinHandle;

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
        servers: Mutex<HashMap<Address, JoinHandle<()>>>,
    }

    impl OverHttp {
        fn new(http2: bool) -> Self {
            let config = ClientConfig { http2, ..ClientConfig::default() };
            Self { transport: HttpTransport::new(config), runtime: TokioRuntime::new(), servers: Mutex::default() }
        }
    }

    #[async_trait]
    impl Stage for OverHttp {
        fn transport(&self) -> &dyn Transport {
            &self.transport
        }

        fn runtime(&self) -> &dyn Runtime {
            &self.runtime
        }

        async fn start(&self, at: Option<&Address>, handler: Arc<dyn Handler>) -> Address {
            let mut config = ServerConfig::default();
            if let Some(at) = at {
                config.listen = at.as_str().trim_start_matches("http://").parse().unwrap();
            }
            let server = Server::bind(config, handler).await.unwrap();
            let address = server.address();
            self.servers.lock().unwrap().insert(address.clone(), tokio::spawn(server.run(pending())));
            address
        }

        async fn stop(&self, address: &Address) {
            let server = self.servers.lock().unwrap().remove(address).expect("it runs");
            server.abort();
            assert!(server.await.is_err_and(|error| error.is_cancelled()));
        }
    }
}
