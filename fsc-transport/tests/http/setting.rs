//! What the tests share: a small node, a server for it, and a client that sends whatever bytes it is given.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response, Step};
use fsc_core::object::{Object, Stored};
use fsc_core::transport::{Address, Handler, Life, Origin};
use fsc_core::value::{Arguments, Handle, Limits, Value, json};
use fsc_transport::http::{Server, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A node that stores values, and has a top-level object that answers with its arguments.
#[derive(Default)]
pub(crate) struct Shelf {
    objects: Mutex<BTreeMap<Handle, (Principal, Thing)>>,
    pub(crate) requests: Mutex<Vec<Request>>,
    pub(crate) mail: Mutex<Vec<(Origin, Bytes)>>,
    pub(crate) life: AtomicU8,
    pub(crate) pause: Mutex<Duration>,
    /// Takes no mail from anywhere.
    pub(crate) closed: AtomicBool,
}

/// An object on the shelf.
#[derive(Clone)]
enum Thing {
    Echo,
    Attribute(String),
    Value(Value),
}

impl Shelf {
    pub(crate) fn with_life(life: u8) -> Arc<Self> {
        Arc::new(Self { life: life.into(), ..Self::default() })
    }

    pub(crate) fn objects(&self) -> usize {
        self.objects.lock().unwrap().len()
    }

    fn step(&self, principal: &Principal, thing: Option<Thing>, step: Step) -> Result<Option<Thing>, Failure> {
        Ok(Some(match (thing, step) {
            (None, Step::Create(wanted)) if wanted.get("protocol") == Some(&"Echo".into()) => Thing::Echo,
            (None, Step::Create(_)) => return Err(Failure::new(404, "no such object")),
            (None, Step::Upload(value)) => Thing::Value(value),
            (None, Step::Use(handle)) => {
                let objects = self.objects.lock().unwrap();
                let found = objects.get(&handle).filter(|(owner, _)| owner == principal);
                found.ok_or_else(|| Failure::new(404, "unknown handle"))?.1.clone()
            }
            (Some(_), Step::Attribute(name)) if name.starts_with('_') => return Err(Failure::new(403, "private")),
            (Some(Thing::Echo), Step::Attribute(name)) => Thing::Attribute(name),
            (Some(Thing::Attribute(name)), Step::Call(_)) if name == "nothing" => return Ok(None),
            (Some(Thing::Attribute(_) | Thing::Echo), Step::Call(Arguments { args, kwargs })) => {
                Thing::Value(if kwargs.is_empty() { args.into() } else { kwargs.into() })
            }
            (Some(thing), Step::Download) => thing,
            _ => return Err(Failure::new(400, "the steps do not fit")),
        }))
    }
}

#[async_trait]
impl Handler for Shelf {
    async fn request(&self, principal: &Principal, request: Request) -> Result<Response, Failure> {
        self.requests.lock().unwrap().push(request.clone());
        let pause = *self.pause.lock().unwrap();
        sleep(pause).await;
        let Request::Chain(steps) = request else { return Ok(Response::List(self.list())) };
        let (mut thing, mut used) = (None, None);
        let (mut downloads, mut called) = (false, false);
        for step in steps {
            if let Step::Use(handle) = step {
                used = Some(handle);
            }
            if let (Step::Release, Some(handle), Some(_)) = (&step, used, &thing) {
                self.objects.lock().unwrap().remove(&handle);
                return Ok(Response::None);
            }
            downloads |= step == Step::Download;
            called |= matches!(step, Step::Call(_));
            thing = self.step(principal, thing, step)?;
        }
        match thing {
            Some(Thing::Value(value)) if downloads => Ok(Response::Object(Arc::new(Stored(value)))),
            Some(_) if downloads => Ok(Response::Object(Arc::new(Closed))),
            Some(thing) => {
                let handle = Handle::from_random(fsc_core::clock::random());
                self.objects.lock().unwrap().insert(handle, (principal.clone(), thing));
                Ok(Response::Handle(handle))
            }
            None if called => Ok(Response::None),
            None => Err(Failure::new(400, "an empty chain")),
        }
    }

    fn admits(&self, _: Origin) -> Result<(), Failure> {
        if self.closed.load(Ordering::SeqCst) { Err(Failure::new(403, "no mail from there")) } else { Ok(()) }
    }

    async fn collect(&self, _: Origin, asking: Bytes) -> Result<Bytes, Failure> {
        Ok(asking)
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        if batch.starts_with(b"bad") {
            return Err(Failure::new(400, "not mail"));
        }
        self.mail.lock().unwrap().push((origin, batch));
        Ok(Life([self.life.load(Ordering::SeqCst); 16]))
    }

    fn list(&self) -> Arc<Vec<Value>> {
        Arc::new(vec![Value::map([("namespace", "test"), ("protocol", "Echo")])])
    }
}

struct Closed;

impl Object for Closed {
    fn kind(&self) -> &'static str {
        "closed object"
    }
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) at: SocketAddr,
    pub(crate) shelf: Arc<Shelf>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(ServerConfig::default(), Arc::default()).await
    }

    pub(crate) async fn with(config: ServerConfig, shelf: Arc<Shelf>) -> Self {
        let server = Server::bind(config, Arc::clone(&shelf) as _).await.unwrap();
        let at = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async move { drop(stopped.await) }));
        Self { at, shelf, stop: Some(stop), task }
    }

    pub(crate) fn address(&self) -> Address {
        format!("http://{}", self.at).parse().unwrap()
    }

    pub(crate) async fn connect(&self) -> Raw {
        let tcp = TcpStream::connect(self.at).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Raw { tcp, ahead: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Heard {
        self.connect().await.ask(request.as_bytes()).await
    }

    /// Asks the server to stop, without waiting.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Ends the server as a killed process would: at once, connections included.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// A connection that sends whatever bytes it is given.
pub(crate) struct Raw {
    pub(crate) tcp: TcpStream,
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) async fn ask(&mut self, bytes: &[u8]) -> Heard {
        // A server may refuse, and stop reading, before it has everything.
        let _ = timeout(SOON, self.tcp.write_all(bytes)).await.expect("the server reads");
        self.hear().await.expect("an answer")
    }

    /// The next answer; `None` if the connection ends before one.
    pub(crate) async fn hear(&mut self) -> Option<Heard> {
        let end = loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.ahead.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            self.chunks().await?
        } else {
            self.exactly(headers.get("content-length").map_or(0, |length| length.parse().unwrap())).await?
        };
        Some(Heard { status, headers, body })
    }

    /// Whether the server closes the connection, soon.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.more().await.is_none()
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            while find(&self.ahead, b"\r\n").is_none() {
                self.more().await?;
            }
            let end = find(&self.ahead, b"\r\n").unwrap();
            let line: Vec<u8> = self.ahead.drain(..end + 2).collect();
            let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            body.extend(self.exactly(length).await?);
            self.exactly(2).await?;
            if length == 0 {
                return Some(body);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < length {
            self.more().await?;
        }
        Some(self.ahead.drain(..length).collect())
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 16 << 10];
        let read = timeout(SOON, self.tcp.read(&mut buffer)).await.expect("the server says something or closes");
        let read = read.ok().filter(|read| *read > 0)?;
        self.ahead.extend_from_slice(&buffer[..read]);
        Some(())
    }
}

impl Heard {
    pub(crate) fn json(&self) -> Value {
        json::parse(&self.body, &Limits::default()).unwrap()
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.json().entry(key).and_then(Value::as_text).unwrap().to_owned()
    }

    /// Asserts that this is a well-formed error of that status.
    pub(crate) fn assert_error(&self, status: u16, what: &str) {
        assert_eq!(self.status, status, "{what}: {}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.json().entry("code").and_then(Value::as_usize), Some(status.into()), "{what}");
        assert!(!self.text("message").is_empty(), "{what}");
        assert_eq!(self.headers["access-control-allow-origin"], "*", "{what}");
    }
}

/// Completes when `so` is the case, which must be soon.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(SOON, waiting).await.expect("it comes to that");
}

/// A request with a JSON body, if one is given.
pub(crate) fn request(method: &str, path: &str, body: &str) -> String {
    with_headers(method, path, "content-type: application/json\r\n", body)
}

pub(crate) fn with_headers(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
