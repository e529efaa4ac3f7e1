//! Ports that come and go, are shared or in use, and what is said of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fsc_core::bus::Request;
use fsc_core::transport::{Address, Answer, Assurance, Batch, Life, Transport, TransportError};
use fsc_core::value::{Array, Value};
use fsc_transport::serial::{LineConfig, SerialTransport};
use futures_util::future::join;
use serial2_tokio::SerialPort;
use tokio::io::duplex;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::node::{Node, echo};
use crate::stage::{Socket, config};

/// Two transports at the ends of a pipe, with a node at the second, and the address of the second for the first.
fn piped(far: LineConfig) -> (SerialTransport, SerialTransport, Arc<Node>, Address) {
    let (one, other) = duplex(1 << 16);
    let (first, second) = (SerialTransport::new(config()), SerialTransport::new(config()));
    let node = Node::new(1);
    second.serve(&node);
    second.attach("first", other, None, far).unwrap();
    let at = first.attach("second", one, None, config()).unwrap();
    (first, second, node, at)
}

/// A path of this test's own.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("fsc-{}-{name}", std::process::id()))
}

fn serial(path: &std::path::Path, options: &str) -> Address {
    format!("serial:{}{options}", path.display()).parse().unwrap()
}

fn why(outcome: Result<Answer, TransportError>) -> String {
    match outcome {
        Err(TransportError::Unreachable { why, .. }) => why,
        other => panic!("not unreachable: {other:?}"),
    }
}

#[tokio::test]
async fn both_ends_of_a_line_may_ask() {
    let (first, second, _node, at) = piped(config());
    let other = Node::new(2);
    first.serve(&other);
    let (there, back) =
        join(first.request(&at, echo(1)), async { second.request(&"serial:first".parse().unwrap(), echo(2)).await })
            .await;
    assert_eq!(there.unwrap(), Answer::Object(Value::Int(1)));
    assert_eq!(back.unwrap(), Answer::Object(Value::Int(2)));
    assert_eq!(*other.asked.lock().unwrap(), [Value::Int(2)]);
    assert_eq!(first.assurance(&at), Assurance::None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_unplugged_and_plugged_in_again_loses_and_repeats_nothing() {
    let sockets = [Socket::default(), Socket::default()];
    let plug = |sockets: &[Socket; 2]| {
        let (one, other) = SerialPort::pair().unwrap();
        let (a, b) = duplex(1 << 14);
        // Pulling out ends both streams at once.
        let carry = tokio::spawn(async move {
            let (mut one, mut a) = (one, a);
            let _ = tokio::io::copy_bidirectional(&mut one, &mut a).await;
        });
        sockets[0].plug(other);
        sockets[1].plug(b);
        carry
    };
    let node = Node::new(1);
    let ends = [SerialTransport::new(config()), SerialTransport::new(config())];
    ends[1].serve(&node);
    let patient = || LineConfig { patience: Duration::from_secs(30), ..config() };
    let at = ends[0].attach_opener("there", sockets[0].clone(), None, patient()).unwrap();
    ends[1].attach_opener("back", sockets[1].clone(), None, patient()).unwrap();
    let mut carrier = plug(&sockets);
    let bulk: Bytes = (0..20_000_000_usize).map(|index| (index * 31 % 251) as u8).collect();
    let plugging = async {
        for _ in 0..4 {
            sleep(Duration::from_millis(150)).await;
            carrier.abort();
            sleep(Duration::from_millis(100)).await;
            carrier = plug(&sockets);
        }
    };
    let delivery = ends[0].deliver(&at, Batch { pieces: vec![bulk.clone()] });
    let (delivered, ()) = join(delivery, plugging).await;
    delivered.unwrap();
    assert!(*node.mail.lock().unwrap() == [bulk]);
    let statistics = ends[0].statistics(&at).unwrap();
    assert!(statistics.repeats > 0, "it was unplugged when all was over: {statistics:?}");
}

#[tokio::test]
async fn a_port_that_is_not_there_is_said_at_once() {
    let transport = SerialTransport::new(LineConfig::default());
    let at: Address = "serial:/dev/ttyNOSUCHPORT".parse().unwrap();
    let said = why(timeout(Duration::from_secs(2), transport.request(&at, Request::List)).await.unwrap());
    assert!(said.ends_with("is the adapter plugged in?"), "{said}");
}

#[tokio::test]
async fn what_is_no_port_is_said_at_once() {
    let transport = SerialTransport::new(LineConfig::default());
    for path in ["/dev/null", "/etc/passwd", "/"] {
        let at: Address = format!("serial:{path}?mtu=64").parse().unwrap();
        why(timeout(Duration::from_secs(2), transport.request(&at, Request::List)).await.unwrap());
    }
}

#[tokio::test]
async fn two_addresses_of_one_port_share_it_or_are_told() {
    let alias = path("alias");
    let _ = std::fs::remove_file(&alias);
    std::os::unix::fs::symlink("/dev/null", &alias).unwrap();
    let transport = SerialTransport::new(config());
    transport.open(&serial("/dev/null".as_ref(), "?baud=9600"), config()).unwrap();
    let said = why(transport.request(&serial(&alias, "?baud=115200"), Request::List).await);
    assert_eq!(said, "it is open as serial:/dev/null?baud=9600 already: use one address, or the same options");
    transport.open(&serial(&alias, "?baud=9600"), config()).unwrap();
    let other = LineConfig { principal: None, ..config() };
    let error = transport.open(&serial(&alias, "?baud=9600"), other).unwrap_err().to_string();
    assert!(error.ends_with("use one address, or the same configuration"), "{error}");
    std::fs::remove_file(&alias).unwrap();
}

#[tokio::test]
async fn a_port_that_another_program_uses_is_left_alone() {
    let other = std::fs::File::open("/dev/zero").unwrap();
    other.lock().unwrap();
    let at: Address = "serial:/dev/zero".parse().unwrap();
    let said = why(SerialTransport::new(config()).request(&at, Request::List).await);
    assert_eq!(said, "the port is in use: which other program uses it?");
}

#[tokio::test]
async fn other_addresses_have_no_transport_here() {
    let transport = SerialTransport::default();
    let at = "http://localhost".parse().unwrap();
    let error = transport.request(&at, Request::List).await.unwrap_err();
    assert_eq!(error, TransportError::NoTransport { to: at });
    let said = why(transport.request(&"serial:/dev/x?parity=odd".parse().unwrap(), Request::List).await);
    assert_eq!(said, "unknown option parity: there are baud, mtu and flow");
}

#[tokio::test]
async fn requests_of_nobody_in_particular_are_refused() {
    let (first, _second, node, at) = piped(LineConfig { principal: None, ..config() });
    let error = first.request(&at, echo(1)).await.unwrap_err();
    let TransportError::Refused { failure, .. } = error else { panic!("{error}") };
    assert_eq!(failure.code, 403);
    assert!(failure.message.contains("names no principal"), "{failure}");
    assert!(node.asked.lock().unwrap().is_empty());
    first.deliver(&at, Batch::default()).await.unwrap();
}

#[tokio::test]
async fn arrays_stay_dense_and_mail_is_sent_as_it_is() {
    let (first, _second, node, at) = piped(config());
    let out = || first.statistics(&at).map_or(0, |statistics| statistics.bytes_out);
    let numbers: Vec<f64> = (0..100_000).map(|number| f64::from(number) / 7.0).collect();
    let array = Value::Array(Array::from_f64(numbers).unwrap());
    assert_eq!(first.request(&at, echo(array.clone())).await.unwrap(), Answer::Object(array));
    let request = out();
    assert!((800_000..820_000).contains(&request), "{request} bytes for 800,000 of numbers");
    let mail = Bytes::from(vec![0; 1_000_000]);
    first.deliver(&at, Batch { pieces: vec![mail.clone()] }).await.unwrap();
    assert!((1_000_000..1_020_000).contains(&(out() - request)), "{} bytes for 1,000,000 of mail", out() - request);
    assert_eq!(*node.mail.lock().unwrap(), [mail]);
}

#[tokio::test]
async fn a_long_request_that_is_refused_is_not_sent_for_nothing() {
    let (first, _second, _node, at) = piped(LineConfig { principal: None, ..config() });
    let error = first.request(&at, echo("x".repeat(30_000_000).as_str())).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { ref failure, .. } if failure.code == 403), "{error}");
    let statistics = first.statistics(&at).unwrap();
    assert!(statistics.bytes_out < 10_000_000, "{statistics:?}");
}

#[tokio::test]
async fn an_end_without_a_node_says_so() {
    let (first, _second, node, at) = piped(config());
    drop(node);
    let error = first.deliver(&at, Batch::default()).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { ref failure, .. } if failure.code == 503), "{error}");
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_given_up_at_the_other_end() {
    let (first, _second, node, at) = piped(config());
    let waiting = timeout(Duration::from_millis(300), first.request(&at, echo("wait"))).await;
    assert!(waiting.is_err());
    timeout(Duration::from_secs(2), async {
        while Arc::strong_count(&node.pending) > 1 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(node.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_whose_handler_panics_fails() {
    let (first, _second, _node, at) = piped(config());
    let error = first.request(&at, echo("panic")).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused { ref failure, .. } if failure.code == 500), "{error}");
    assert_eq!(first.request(&at, echo(1)).await.unwrap(), Answer::Object(Value::Int(1)));
}

/// The port goes with the node, and comes back with the next, in the moment before somebody asks.
#[tokio::test]
async fn an_end_that_said_goodbye_and_came_back_is_another() {
    let first = SerialTransport::new(LineConfig { reopen: Duration::from_millis(100), ..config() });
    let socket = Socket::default();
    let at = first.attach_opener("there", socket.clone(), None, config()).unwrap();
    for life in 1..5 {
        let (near, far) = SerialPort::pair().unwrap();
        socket.plug(near);
        let (second, node) = (SerialTransport::new(config()), Node::new(life));
        second.serve(&node);
        second.attach("back", far, None, config()).unwrap();
        assert_eq!(first.deliver(&at, Batch::default()).await.unwrap(), Life([life; 16]));
        drop(second);
        // Its farewell comes, and then nothing.
        sleep(Duration::from_millis(if life % 2 == 0 { 0 } else { 30 })).await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_takes_its_line_with_it() {
    let (one, other) = duplex(1 << 10);
    let transport = SerialTransport::new(config());
    let at = transport.attach("end", one, None, config()).unwrap();
    drop(other);
    // Whether reading or writing finds out first, is chance.
    let first = why(timeout(Duration::from_secs(1), transport.request(&at, Request::List)).await.unwrap());
    sleep(Duration::from_millis(50)).await;
    let later = why(timeout(Duration::from_secs(1), transport.request(&at, Request::List)).await.unwrap());
    assert_eq!(first, later);
}

#[tokio::test]
async fn a_line_whose_runtime_has_ended_leaves_nobody_waiting() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let transport = SerialTransport::new(LineConfig { patience: Duration::from_mins(10), ..config() });
    let (one, _other) = duplex(1 << 10);
    let context = runtime.enter();
    let at = transport.attach("end", one, None, config()).unwrap();
    drop(context);
    let end = async {
        sleep(Duration::from_millis(100)).await;
        runtime.shutdown_background();
    };
    let (asked, ()) = timeout(Duration::from_secs(2), join(transport.request(&at, Request::List), end)).await.unwrap();
    assert!(asked.is_err());
    assert!(timeout(Duration::from_secs(2), transport.request(&at, Request::List)).await.unwrap().is_err());
}

#[tokio::test]
async fn a_line_that_is_closed_fails_at_both_ends_at_once() {
    let (first, second, _node, at) = piped(LineConfig { patience: Duration::from_mins(10), ..config() });
    let close = async {
        sleep(Duration::from_millis(100)).await;
        drop(second);
    };
    let (asked, ()) = timeout(Duration::from_secs(2), join(first.request(&at, echo("wait")), close)).await.unwrap();
    assert_eq!(
        asked.unwrap_err(),
        TransportError::Broken { to: at, why: "the other end has closed the line".to_owned() }
    );
}

#[tokio::test]
async fn a_serial_server_is_reached_by_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at: Address = format!("serial:tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (first, second) = (SerialTransport::new(config()), SerialTransport::new(config()));
    let node = Node::new(1);
    second.serve(&node);
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        second.attach("first", stream, None, config()).unwrap();
    };
    let (answer, ()) = join(first.request(&at, echo(1)), serve).await;
    assert_eq!(answer.unwrap(), Answer::Object(Value::Int(1)));
    let statistics = first.statistics(&at).unwrap();
    assert!(statistics.frames_in > 0 && statistics.garbage == 0, "{statistics:?}");
}

#[tokio::test]
async fn clients_choose_no_ports_where_the_operator_does() {
    let transport = SerialTransport::default().only_opened();
    let said = why(transport.request(&"serial:/dev/null".parse().unwrap(), Request::List).await);
    assert!(said.contains("operator opens all lines"), "{said}");
    let (one, _other) = duplex(64);
    let at = transport.attach("named", one, None, config()).unwrap();
    assert!(timeout(Duration::from_millis(50), transport.request(&at, Request::List)).await.is_err());
}

#[tokio::test]
async fn a_serial_server_that_is_not_there_is_said_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at: Address = format!("serial:tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    why(timeout(Duration::from_secs(2), SerialTransport::default().request(&at, Request::List)).await.unwrap());
}
