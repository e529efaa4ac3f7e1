//! A node that notes what it is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response, Step};
use fsc_core::object::Stored;
use fsc_core::transport::{Handler, Life, Origin};
use fsc_core::value::Value;

/// Gives back what it is asked, and keeps it.
pub(crate) struct Node {
    life: Life,
    pub(crate) asked: Mutex<Vec<Value>>,
    pub(crate) mail: Mutex<Vec<Bytes>>,
    /// Requests that were begun and have come to no end.
    pub(crate) pending: Arc<()>,
}

impl Node {
    pub(crate) fn new(life: u8) -> Arc<Self> {
        let (asked, mail, pending) = Default::default();
        Arc::new(Self { life: Life([life; 16]), asked, mail, pending })
    }
}

/// A request that a [`Node`] answers with `value`.
pub(crate) fn echo(value: impl Into<Value>) -> Request {
    Request::Chain(vec![Step::Upload(value.into()), Step::Download])
}

#[async_trait]
impl Handler for Node {
    async fn request(&self, _: &Principal, request: Request) -> Result<Response, Failure> {
        let Request::Chain(mut steps) = request else { return Ok(Response::List(self.list())) };
        let Some(Step::Upload(value)) = steps.drain(..).next() else {
            return Err(Failure::new(400, "nothing to echo"));
        };
        self.asked.lock().unwrap().push(value.clone());
        if value == Value::from("wait") {
            let _pending = Arc::clone(&self.pending);
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
        assert!(value != Value::from("panic"), "as it was asked");
        Ok(Response::Object(Arc::new(Stored(value))))
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        assert_eq!(origin, Origin::Remote);
        self.mail.lock().unwrap().push(batch);
        Ok(self.life)
    }

    fn list(&self) -> Arc<Vec<Value>> {
        Arc::default()
    }
}
