//! The client against our server, against a server without chains, and against servers that die.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::bus::{Principal, Request, Step};
use fsc_core::transport::{Address, Answer, Batch, Life, Origin, Transport, TransportError};
use fsc_core::value::{Arguments, Array, Value};
use fsc_transport::http::{Access, ClientConfig, HttpTransport, Limits, ServerConfig, Tokens};
use fsc_transport::{Carriers, Hub};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::setting::{Running, SOON, Shelf, until};

fn echo(then: impl IntoIterator<Item = Step>) -> Request {
    let create = Step::Create([("protocol".to_owned(), "Echo".into())].into());
    Request::Chain([create, Step::Attribute("f".into())].into_iter().chain(then).collect())
}

fn call(value: Value) -> Step {
    Step::Call(Arguments { args: vec![value, "x".into()], ..Arguments::default() })
}

/// Passes bytes on between clients and `to`, and counts the connections.
async fn counted(to: SocketAddr) -> (Address, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn operations_and_chains_answer() {
    for http2 in [false, true] {
        let server = Running::start().await;
        let transport = HttpTransport::new(ClientConfig { http2, ..ClientConfig::default() });
        let to = server.address();
        let ask = async |steps: Vec<Step>| transport.request(&to, Request::Chain(steps)).await;
        let Answer::List(list) = transport.request(&to, Request::List).await.unwrap() else { panic!("a list") };
        assert_eq!(list[0].entry("protocol"), Some(&"Echo".into()));
        let Answer::Handle(handle) = ask(vec![Step::Upload("text".into())]).await.unwrap() else { panic!("a handle") };
        let downloaded = ask(vec![Step::Use(handle), Step::Download]).await.unwrap();
        assert_eq!(downloaded, Answer::Object("text".into()));
        assert_eq!(ask(vec![Step::Use(handle), Step::Release]).await.unwrap(), Answer::None);
        let refused = ask(vec![Step::Use(handle), Step::Download]).await.unwrap_err();
        assert!(matches!(&refused, TransportError::Refused { failure, .. } if failure.code == 404), "{refused:?}");
        let answer = transport.request(&to, echo([call(1_i64.into()), Step::Download])).await.unwrap();
        assert_eq!(answer, Answer::Object(Value::List(vec![1_i64.into(), "x".into()])));
        assert_eq!(server.shelf.objects(), 0);
    }
}

#[tokio::test]
async fn unknown_object_in_a_chain_is_not_a_server_without_chains() {
    let server = Running::start().await;
    let transport = HttpTransport::default();
    let nobody = Request::Chain(vec![Step::Create([].into()), Step::Attribute("f".into()), Step::Download]);
    let refused = transport.request(&server.address(), nobody).await.unwrap_err();
    assert!(matches!(refused, TransportError::Refused { failure, .. } if failure.code == 404));
    transport.request(&server.address(), echo([call(1_i64.into()), Step::Download])).await.unwrap();
    assert_eq!(server.shelf.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn bulk_arrives_exactly() {
    let server = Running::start().await;
    let transport = HttpTransport::default();
    let numbers = (0..300_000_i32).map(|i| f64::from(i).sqrt()).collect();
    let array = Value::Array(Array::from_f64(numbers).unwrap());
    let stored = transport.request(&server.address(), Request::Chain(vec![Step::Upload(array.clone())])).await;
    let Ok(Answer::Handle(handle)) = stored else { panic!("a handle, not {stored:?}") };
    let download = Request::Chain(vec![Step::Use(handle), Step::Download]);
    assert_eq!(transport.request(&server.address(), download).await.unwrap(), Answer::Object(array));
}

#[tokio::test]
async fn mail_in_pieces_arrives_in_one() {
    for http2 in [false, true] {
        let server = Running::with(ServerConfig::default(), Shelf::with_life(7)).await;
        let transport = HttpTransport::new(ClientConfig { http2, ..ClientConfig::default() });
        let pieces =
            vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from(vec![b'c'; 3 << 20]), Bytes::from_static(b"d")];
        let batch = Batch { pieces };
        let whole = batch.pieces.concat();
        assert_eq!(transport.deliver(&server.address(), batch).await.unwrap(), Life([7; 16]));
        assert_eq!(transport.deliver(&server.address(), Batch::default()).await.unwrap(), Life([7; 16]));
        let mail = server.shelf.mail.lock().unwrap();
        assert_eq!(mail.len(), 2);
        assert!(mail[0].0 == Origin::Loopback && mail[0].1 == whole && mail[1].1.is_empty());
    }
}

#[tokio::test]
async fn connections_are_reused() {
    for http2 in [false, true] {
        let server = Running::start().await;
        let (to, count) = counted(server.at).await;
        let transport = HttpTransport::new(ClientConfig { http2, ..ClientConfig::default() });
        for _ in 0..20 {
            transport.request(&to, Request::List).await.unwrap();
            transport.deliver(&to, Batch { pieces: vec![Bytes::from_static(b"x")] }).await.unwrap();
        }
        assert_eq!(count.load(Ordering::SeqCst), 1, "http2: {http2}");
    }
}

#[tokio::test]
async fn deliveries_are_bounded_and_the_rest_waits() {
    let server = Running::start().await;
    let (to, count) = counted(server.at).await;
    let transport = HttpTransport::new(ClientConfig { connections: 3, ..ClientConfig::default() });
    let deliver = || transport.deliver(&to, Batch { pieces: vec![Bytes::from_static(b"x")] });
    for outcome in futures_util::future::join_all((0..30).map(|_| deliver())).await {
        outcome.unwrap();
    }
    assert!(count.load(Ordering::SeqCst) <= 3);
}

/// Computations wait for one another: if some had to wait for a connection, those that have one could wait for them.
#[tokio::test]
async fn requests_that_wait_do_not_hold_up_others() {
    let server = Running::start().await;
    *server.shelf.pause.lock().unwrap() = Duration::from_hours(1);
    let transport = HttpTransport::new(ClientConfig { connections: 3, ..ClientConfig::default() });
    let to = server.address();
    let upload = || transport.request(&to, Request::Chain(vec![Step::Upload(1_i64.into())]));
    tokio::select! {
        _ = futures_util::future::join_all((0..30).map(|_| upload())) => panic!("none is answered yet"),
        () = until(|| server.shelf.requests.lock().unwrap().len() == 30) => {}
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Running::with(ServerConfig { limits, ..ServerConfig::default() }, Arc::default()).await;
    let transport = HttpTransport::new(ClientConfig { idle: Duration::from_millis(50), ..ClientConfig::default() });
    transport.request(&server.address(), Request::List).await.unwrap();
    let other = HttpTransport::default();
    assert!(other.request(&server.address(), Request::List).await.is_err());
    let admitted = async {
        while other.request(&server.address(), Request::List).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, admitted).await.expect("the first connection is closed in time");
}

#[tokio::test]
async fn connection_that_the_server_closed_meanwhile_costs_nothing() {
    let limits = Limits { idle_patience: Duration::from_millis(30), ..Limits::default() };
    let server = Running::with(ServerConfig { limits, ..ServerConfig::default() }, Arc::default()).await;
    let transport = HttpTransport::default();
    for _ in 0..3 {
        transport.request(&server.address(), Request::Chain(vec![Step::Upload(1_i64.into())])).await.unwrap();
        transport.deliver(&server.address(), Batch::default()).await.unwrap();
        sleep(Duration::from_millis(120)).await;
    }
}

#[tokio::test]
async fn mail_is_sent_again_when_an_idle_connection_dies_under_it() {
    // Answers the first request of each connection, and dies upon the second.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to: Address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = tcp.read(&mut buffer).await;
            let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n0123456789abcdef").await;
            let _ = tcp.read(&mut buffer).await;
        }
    });
    let transport = HttpTransport::default();
    let mail = || Batch { pieces: vec![Bytes::from_static(b"x")] };
    for _ in 0..3 {
        assert_eq!(transport.deliver(&to, mail()).await.unwrap(), Life(*b"0123456789abcdef"));
    }
    transport.deliver(&to, mail()).await.unwrap();
    let upload = Request::Chain(vec![Step::Upload(1_i64.into())]);
    // May have been done: only the caller knows whether to do it again.
    assert!(matches!(transport.request(&to, upload).await, Err(TransportError::Broken { .. })));
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_silence_is_timed_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent: Address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let transport = HttpTransport::new(ClientConfig {
        delivery: Duration::from_millis(100),
        request: Some(Duration::from_millis(100)),
        ..ClientConfig::default()
    });
    assert!(matches!(transport.deliver(&silent, Batch::default()).await, Err(TransportError::TimedOut { .. })));
    assert!(matches!(transport.request(&silent, Request::List).await, Err(TransportError::TimedOut { .. })));
    drop(listener);
    let gone = HttpTransport::default();
    assert!(matches!(gone.request(&silent, Request::List).await, Err(TransportError::Unreachable { .. })));
}

#[tokio::test]
async fn token_is_shown() {
    let access = Access::Tokens(Tokens::new().with("secret", Principal::new("alice")));
    let server = Running::with(ServerConfig { access, ..ServerConfig::default() }, Arc::default()).await;
    let refused = HttpTransport::default().request(&server.address(), Request::List).await.unwrap_err();
    assert!(matches!(refused, TransportError::Refused { failure, .. } if failure.code == 401));
    let config = ClientConfig::default().with_token("secret");
    assert!(!format!("{config:?}").contains("secret"));
    HttpTransport::new(config).request(&server.address(), Request::List).await.unwrap();
}

/// The reference gives everybody the same handle to a top-level object.
#[tokio::test]
async fn what_a_server_without_chains_gives_to_all_is_not_released() {
    let server = Running::start().await;
    let (to, _) = without_chains(server.at, "").await;
    let transport = HttpTransport::default();
    let ask = async |steps: Vec<Step>| transport.request(&to, Request::Chain(steps)).await.unwrap();
    let create = vec![Step::Create([("protocol".to_owned(), "Echo".into())].into())];
    let Answer::Handle(service) = ask(create).await else { panic!("a handle") };
    let Answer::Handle(value) = ask(vec![Step::Upload(1_i64.into())]).await else { panic!("a handle") };
    for handle in [service, value] {
        assert_eq!(ask(vec![Step::Use(handle), Step::Release]).await, Answer::None);
    }
    assert!(transport.request(&to, Request::Chain(vec![Step::Use(value), Step::Download])).await.is_err());
    ask(vec![Step::Use(service), Step::Attribute("f".into())]).await;
}

/// A server that knows the classic operations only, in JSON: a front of `to` that answers `/chain` as others would.
async fn without_chains(to: SocketAddr, answer: &'static str) -> (Address, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let chains = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&chains);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = from.read(&mut buffer).await {
                    let request =
                        String::from_utf8_lossy(&buffer[..read]).replace("application/cbor", "application/xxxx");
                    if request.starts_with("POST /chain") {
                        counter.fetch_add(1, Ordering::SeqCst);
                        from.write_all(answer.as_bytes()).await.unwrap();
                        return;
                    }
                    to.write_all(request.as_bytes()).await.unwrap();
                    let read = to.read(&mut buffer).await.unwrap();
                    from.write_all(&buffer[..read]).await.unwrap();
                }
            });
        }
    });
    (address, chains)
}

#[tokio::test]
async fn server_without_chains_is_asked_step_by_step() {
    let html =
        "HTTP/1.1 404 NOT FOUND\r\ncontent-type: text/html\r\ncontent-length: 9\r\nconnection: close\r\n\r\nNot Found";
    let json = "HTTP/1.1 500 X\r\ncontent-type: application/json\r\ncontent-length: 28\r\nconnection: close\r\n\r\n\
        {\"code\":500,\"message\":\"404\"}";
    for answer in [html, json] {
        let server = Running::start().await;
        let (to, chains) = without_chains(server.at, answer).await;
        let transport = HttpTransport::default();
        for _ in 0..2 {
            let answer = transport.request(&to, echo([call(1_i64.into()), Step::Download])).await.unwrap();
            assert_eq!(answer, Answer::Object(Value::List(vec![1_i64.into(), "x".into()])));
        }
        assert_eq!(chains.load(Ordering::SeqCst), 1, "what the server can't do is remembered");
        assert_eq!(server.shelf.objects(), 2, "all is released but what create answered");
        let nothing = Request::Chain(vec![
            Step::Create([("protocol".to_owned(), "Echo".into())].into()),
            Step::Attribute("nothing".into()),
            call(Value::Null),
        ]);
        assert_eq!(transport.request(&to, nothing).await.unwrap(), Answer::None);
        let Answer::Handle(handle) = transport.request(&to, echo([call("y".into())])).await.unwrap() else { panic!() };
        let rest = Request::Chain(vec![Step::Use(handle), Step::Attribute("x".into()), Step::Download]);
        assert!(matches!(transport.request(&to, rest).await, Err(TransportError::Refused { .. })));
        let download = Request::Chain(vec![Step::Use(handle), Step::Download]);
        assert!(transport.request(&to, download).await.is_ok(), "what the caller holds is not released");
    }
}

#[tokio::test]
async fn killed_server_is_lost() {
    let server = Running::with(ServerConfig::default(), Shelf::with_life(1)).await;
    let (transport, to) = (Arc::new(HttpTransport::default()), server.address());
    let watching = || {
        let (transport, to) = (Arc::clone(&transport), to.clone());
        tokio::spawn(async move { transport.lost(&to, Life([1; 16])).await })
    };
    let watchers = [watching(), watching(), watching()];
    until_knocked(&server, 1).await;
    assert!(watchers.iter().all(|watcher| !watcher.is_finished()));
    server.kill().await;
    for watcher in watchers {
        let error = timeout(SOON, watcher).await.unwrap().unwrap();
        assert!(matches!(error, TransportError::Unreachable { .. }), "{error:?}");
    }
    let error = timeout(SOON, transport.lost(&to, Life([1; 16]))).await.unwrap();
    assert!(matches!(error, TransportError::Unreachable { .. }), "a later watcher learns it anew");
}

#[tokio::test]
async fn restarted_server_is_another_life() {
    let server = Running::with(ServerConfig::default(), Shelf::with_life(1)).await;
    let (at, to, transport) = (server.at, server.address(), HttpTransport::default());
    let mut lost = Box::pin(transport.lost(&to, Life([1; 16])));
    tokio::select! {
        error = &mut lost => panic!("{error:?}"),
        () = until_knocked(&server, 1) => {}
    }
    server.kill().await;
    let _again = Running::with(ServerConfig { listen: at, ..ServerConfig::default() }, Shelf::with_life(2)).await;
    let error = timeout(SOON, lost).await.unwrap();
    assert!(matches!(error, TransportError::Restarted { .. }), "{error:?}");
    assert!(matches!(transport.lost(&to, Life([1; 16])).await, TransportError::Restarted { .. }));
}

#[tokio::test]
async fn server_that_closes_idle_connections_is_not_lost() {
    let limits = Limits { idle_patience: Duration::from_millis(50), ..Limits::default() };
    let server = Running::with(ServerConfig { limits, ..ServerConfig::default() }, Shelf::with_life(1)).await;
    let (transport, to) = (HttpTransport::default(), server.address());
    let mut lost = Box::pin(transport.lost(&to, Life([1; 16])));
    tokio::select! {
        error = &mut lost => panic!("{error:?}"),
        () = until_knocked(&server, 4) => {}
    }
    drop(lost);
    sleep(Duration::from_millis(150)).await;
    let before = server.shelf.mail.lock().unwrap().len();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(server.shelf.mail.lock().unwrap().len(), before, "nobody waits, nobody knocks");
}

/// Completes when somebody who watches the server has asked so many times whether it is there.
async fn until_knocked(server: &Running, times: usize) {
    until(|| server.shelf.mail.lock().unwrap().len() >= times).await;
}

#[tokio::test]
async fn carriers_choose_by_scheme() {
    let server = Running::with(ServerConfig::default(), Shelf::with_life(3)).await;
    let (hub, shelf) = (Hub::new(), Shelf::with_life(4));
    let local = hub.add("a", &shelf).unwrap();
    let carriers = Carriers::new().with("http", HttpTransport::default()).with("local", hub);
    assert_eq!(carriers.deliver(&server.address(), Batch::default()).await.unwrap(), Life([3; 16]));
    assert_eq!(carriers.deliver(&local, Batch::default()).await.unwrap(), Life([4; 16]));
    let other: Address = "serial:ttyUSB0".parse().unwrap();
    assert!(matches!(carriers.deliver(&other, Batch::default()).await, Err(TransportError::NoTransport { .. })));
    assert!(matches!(carriers.lost(&other, Life([0; 16])).await, TransportError::NoTransport { .. }));
}
