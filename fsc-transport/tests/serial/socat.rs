//! Two processes at the ends of a line that a third one, `socat`, makes of two pseudo-terminals.
//!
//! ```text
//!   this process                                        the asking process: this program again
//!   claims ── Remote ══ serial:tcp://127.0.0.1 ═════════ Deputy ── SerialTransport
//!   node ──── SerialTransport ── pty ── socat ── pty ────────────────────┘
//! ```

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response, Step, codec};
use fsc_core::clock::Runtime;
use fsc_core::conformance::Stage;
use fsc_core::object::Stored;
use fsc_core::transport::{Address, Answer, Assurance, Batch, Handler, Life, Origin, Transport, TransportError};
use fsc_core::value::Value;
use fsc_transport::TokioRuntime;
use fsc_transport::serial::{LineConfig, SerialTransport};

use crate::stage::{OnPtys, Served, config};

/// Where the asking process is told what to do.
const ORDERS: &str = "FSC_SERIAL_ORDERS";

/// Pseudo-terminals are faster than this, and it keeps the suite's ten megabytes short.
const BAUD: u32 = 100_000_000;

/// The stage between processes; one within this process if there is no `socat`, unless `FSC_REQUIRE_TOOLS` is set.
pub(crate) fn stage() -> Box<dyn Stage> {
    if Command::new("socat").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok() {
        return Box::new(OverSocat::new());
    }
    assert!(std::env::var_os("FSC_REQUIRE_TOOLS").is_none(), "socat is missing, and FSC_REQUIRE_TOOLS is set");
    // Past the harness, which keeps what tests print to itself if they succeed.
    let _ =
        writeln!(std::io::stderr(), "socat is missing: NOT tested between processes, but on pseudo-terminals of one");
    Box::new(OnPtys::new())
}

struct OverSocat {
    folder: PathBuf,
    /// `socat` and the asking process.
    processes: Vec<Child>,
    remote: Remote,
    runtime: TokioRuntime,
    served: Mutex<Option<Served>>,
}

impl OverSocat {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("fsc-serial-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let pty = |name| format!("pty,raw,echo=0,link={}", folder.join(name).display());
        let socat = Command::new("socat").args([pty("asks"), pty("serves")]).spawn().unwrap();
        let begin = Instant::now();
        while !(folder.join("asks").exists() && folder.join("serves").exists()) {
            assert!(begin.elapsed() < Duration::from_secs(10), "socat makes no pseudo-terminals");
            std::thread::sleep(Duration::from_millis(5));
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let deputy = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "socat::the_asking_process", "--nocapture", "--test-threads=1"])
            .env(ORDERS, listener.local_addr().unwrap().to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let transport = SerialTransport::new(LineConfig::default());
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let deputy_at = transport.attach("deputy", stream, None, LineConfig::default()).unwrap();
        let remote = Remote { transport, deputy_at };
        Self { folder, processes: vec![socat, deputy], remote, runtime: TokioRuntime::new(), served: Mutex::default() }
    }

    fn address(&self, end: &str) -> Address {
        format!("serial:{}?baud={BAUD}", self.folder.join(end).display()).parse().unwrap()
    }
}

impl Drop for OverSocat {
    fn drop(&mut self) {
        if let Some(served) = self.served.lock().unwrap().take() {
            served.die();
        }
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[async_trait]
impl Stage for OverSocat {
    fn transport(&self) -> &dyn Transport {
        &self.remote
    }

    fn runtime(&self) -> &dyn Runtime {
        &self.runtime
    }

    async fn start(&self, at: Option<&Address>, handler: Arc<dyn Handler>) -> Address {
        let asks = self.address("asks");
        assert!(at.is_none_or(|at| *at == asks));
        let serves = self.address("serves");
        let served = Served::new(handler, |transport| transport.open(&serves, config()).unwrap());
        assert!(self.served.lock().unwrap().replace(served).is_none());
        asks
    }

    async fn stop(&self, _: &Address) {
        let served = self.served.lock().unwrap().take().expect("it runs");
        served.die();
    }
}

/// A transport in another process.
struct Remote {
    transport: SerialTransport,
    deputy_at: Address,
}

impl Remote {
    /// Lets the deputy do it.
    async fn order(&self, what: &str, to: &Address, with: Value) -> Result<Value, TransportError> {
        let order = Value::map([("do", Value::from(what)), ("to", to.as_str().into()), ("with", with)]);
        let steps = vec![Step::Upload(order), Step::Download];
        match self.transport.request(&self.deputy_at, Request::Chain(steps)).await? {
            Answer::Object(outcome) => outcome_of(&outcome, to),
            other => panic!("the deputy answered {other:?}"),
        }
    }
}

#[async_trait]
impl Transport for Remote {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        let with = match &request {
            Request::List => Value::Null,
            Request::Chain(steps) => codec::chain_to_value(steps),
        };
        Ok(codec::answer(self.order("request", to, with).await?).unwrap())
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let life = self.order("deliver", to, Value::Bytes(batch.pieces.concat().into())).await?;
        Ok(life_of(&life))
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        self.order("watch", to, Value::Bytes(life.0.to_vec().into())).await.unwrap_err()
    }

    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::None
    }
}

/// What the deputy was told, and has done.
fn outcome_of(outcome: &Value, to: &Address) -> Result<Value, TransportError> {
    let (to, text) = (to.clone(), |key: &str| outcome.entry(key).and_then(Value::as_text).map(str::to_owned));
    if let Some(value) = outcome.entry("ok") {
        return Ok(value.clone());
    }
    if let Some(failure) = outcome.entry("refused") {
        return Err(TransportError::Refused { to, failure: codec::failure(failure.clone()).unwrap() });
    }
    match (text("unreachable"), text("broken"), text("restarted")) {
        (Some(why), _, _) => Err(TransportError::Unreachable { to, why }),
        (_, Some(why), _) => Err(TransportError::Broken { to, why }),
        (_, _, Some(_)) => Err(TransportError::Restarted { to }),
        _ => Err(TransportError::Garbled { to, why: format!("{outcome:?}") }),
    }
}

fn told(outcome: Result<Value, TransportError>) -> Value {
    match outcome {
        Ok(value) => Value::map([("ok", value)]),
        Err(TransportError::Refused { failure, .. }) => Value::map([("refused", codec::failure_to_value(&failure))]),
        Err(TransportError::Unreachable { why, .. }) => Value::map([("unreachable", why.as_str())]),
        Err(TransportError::Broken { why, .. }) => Value::map([("broken", why.as_str())]),
        Err(TransportError::Restarted { .. }) => Value::map([("restarted", "")]),
        Err(other) => Value::map([("other", other.to_string().as_str())]),
    }
}

fn life_of(value: &Value) -> Life {
    let Value::Bytes(bytes) = value else { panic!("no life") };
    Life(bytes[..].try_into().unwrap())
}

/// What acts for the claims in the asking process.
struct Deputy(SerialTransport);

#[async_trait]
impl Handler for Deputy {
    async fn request(&self, _: &Principal, request: Request) -> Result<Response, Failure> {
        let Request::Chain(steps) = request else { return Err(Failure::new(400, "no order")) };
        let Some(Step::Upload(order)) = steps.first() else { return Err(Failure::new(400, "no order")) };
        let to: Address = order.entry("to").and_then(Value::as_text).unwrap().parse().unwrap();
        let with = order.entry("with").unwrap().clone();
        let outcome = match (order.entry("do").and_then(Value::as_text), with) {
            (Some("request"), Value::Null) => {
                self.0.request(&to, Request::List).await.map(|it| codec::answer_to_value(&it))
            }
            (Some("request"), chain) => {
                let request = Request::Chain(codec::chain(chain)?);
                self.0.request(&to, request).await.map(|it| codec::answer_to_value(&it))
            }
            (Some("deliver"), Value::Bytes(batch)) => {
                let life = self.0.deliver(&to, Batch { pieces: vec![batch] }).await;
                life.map(|life| Value::Bytes(life.0.to_vec().into()))
            }
            (Some("watch"), life) => Err(self.0.lost(&to, life_of(&life)).await),
            _ => return Err(Failure::new(400, "no such order")),
        };
        Ok(Response::Object(Arc::new(Stored(told(outcome)))))
    }

    fn mail(&self, _: Origin, _: Bytes) -> Result<Life, Failure> {
        Ok(Life([9; 16]))
    }

    fn list(&self) -> Arc<Vec<Value>> {
        Arc::default()
    }
}

/// What [`OverSocat`] starts, and nothing if nobody has; ends when the claims do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_asking_process() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Address = format!("serial:tcp://{orders}").parse().unwrap();
    let deputy = Arc::new(Deputy(SerialTransport::new(config())));
    let transport = SerialTransport::new(LineConfig::default());
    transport.serve(&deputy);
    transport.open(&orders, config()).unwrap();
    let _ = transport.lost(&orders, Life([0; 16])).await;
}
