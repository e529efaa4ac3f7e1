//! What a line may do to its bytes, on real pseudo-terminals: two pairs, and somebody between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fsc_core::transport::{Address, Answer, Batch, Life, Transport, TransportError};
use fsc_core::value::Value;
use fsc_transport::serial::{LineConfig, SerialTransport};
use futures_util::future::{join, join_all, join3};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serial2_tokio::SerialPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

use crate::node::{Node, echo};
use crate::stage::{Socket, config};

/// What happens to bytes: to each bit, each byte, each piece of up to 512 bytes.
#[derive(Clone, Copy, Default)]
struct Harm {
    flip: f64,
    lose: f64,
    insert: f64,
    drop: f64,
    repeat: f64,
}

/// A line between two transports.
struct Line {
    ends: [End; 2],
    is_cut: Arc<AtomicBool>,
    carriers: [JoinHandle<()>; 2],
    /// Where the first end is plugged in.
    socket: Socket,
}

type End = (SerialTransport, Address, Arc<Node>);

fn end(life: u8, attach: impl FnOnce(&SerialTransport) -> Address) -> End {
    let (transport, node) = (SerialTransport::new(patient()), Node::new(life));
    transport.serve(&node);
    let at = attach(&transport);
    (transport, at, node)
}

fn patient() -> LineConfig {
    LineConfig { patience: Duration::from_secs(30), mtu: Some(512), ..config() }
}

impl Line {
    fn new(harm: Harm) -> Self {
        let ((near, a), (b, far)) = (SerialPort::pair().unwrap(), SerialPort::pair().unwrap());
        let is_cut = Arc::new(AtomicBool::new(false));
        let ((a_in, a_out), (b_in, b_out)) = (tokio::io::split(a), tokio::io::split(b));
        let carriers = [
            tokio::spawn(carry(a_in, b_out, harm, Arc::clone(&is_cut), 1)),
            tokio::spawn(carry(b_in, a_out, harm, Arc::clone(&is_cut), 2)),
        ];
        let socket = Socket::default();
        socket.plug(near);
        let first = end(1, |transport| transport.attach_opener("near", socket.clone(), None, patient()).unwrap());
        let second = end(2, |transport| transport.attach("far", far, None, patient()).unwrap());
        Self { ends: [first, second], is_cut, carriers, socket }
    }

    async fn ask(&self, end: usize, value: Value) -> Result<Answer, TransportError> {
        let (transport, at, _) = &self.ends[end];
        transport.request(at, echo(value)).await
    }
}

/// Carries bytes one way, more or less.
async fn carry(
    mut from: ReadHalf<SerialPort>,
    mut to: WriteHalf<SerialPort>,
    harm: Harm,
    cut: Arc<AtomicBool>,
    seed: u64,
) {
    let (mut rng, mut piece) = (ChaCha8Rng::seed_from_u64(seed), [0; 512]);
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        if cut.load(Ordering::SeqCst) || rng.random_bool(harm.drop) {
            continue;
        }
        let mut bytes = Vec::new();
        for byte in &piece[..count] {
            if rng.random_bool(harm.insert) {
                bytes.push(rng.random());
            }
            if !rng.random_bool(harm.lose) {
                let is_hit = rng.random_bool(harm.flip * 8.0);
                bytes.push(if is_hit { byte ^ 1 << rng.random_range(0..8) } else { *byte });
            }
        }
        let times = if rng.random_bool(harm.repeat) { 2 } else { 1 };
        for _ in 0..times {
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}

async fn ten_megabytes_arrive(harm: Harm) {
    let line = Line::new(harm);
    let bulk: Bytes = (0..10_000_000_usize).map(|index| (index * 31 % 251) as u8).collect();
    let (transport, at, _) = &line.ends[0];
    let begin = Instant::now();
    transport.deliver(at, Batch { pieces: vec![bulk.clone()] }).await.unwrap();
    assert!(*line.ends[1].2.mail.lock().unwrap() == [bulk], "after {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_survive_bit_flips_on_a_pty() {
    ten_megabytes_arrive(Harm { flip: 1e-4, ..Harm::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_survive_lost_inserted_and_repeated_bytes_on_a_pty() {
    ten_megabytes_arrive(Harm { lose: 1e-5, insert: 1e-5, repeat: 0.02, ..Harm::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_answered_once_on_a_pty_that_loses_a_third() {
    let line = Line::new(Harm { flip: 1e-4, lose: 1e-4, insert: 1e-4, drop: 0.3, repeat: 0.1 });
    let values = |end: usize| {
        (0..60_usize).map(move |number| Value::from(format!("{end} {number} {}", "x".repeat(number * 50))))
    };
    let asks = (0..2).flat_map(|end| values(end).map(move |value| (end, value)));
    let asks = asks.map(|(end, value)| {
        let line = &line;
        async move { assert_eq!(line.ask(end, value.clone()).await.unwrap(), Answer::Object(value)) }
    });
    join_all(asks).await;
    for end in 0..2 {
        let mut asked: Vec<_> =
            line.ends[1 - end].2.asked.lock().unwrap().iter().map(|it| it.as_text().unwrap().to_owned()).collect();
        asked.sort();
        let mut expected: Vec<_> = values(end).map(|it| it.as_text().unwrap().to_owned()).collect();
        expected.sort();
        assert_eq!(asked, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pty_that_is_cut_for_five_seconds_goes_on_within_a_second() {
    let line = Line::new(Harm::default());
    line.ask(0, Value::from("before")).await.unwrap();
    line.is_cut.store(true, Ordering::SeqCst);
    let asks = join_all((0..10).map(|number| line.ask(number % 2, Value::from(number))));
    let mend = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        line.is_cut.store(false, Ordering::SeqCst);
        Instant::now()
    };
    let (answers, mended) = join(asks, mend).await;
    assert!(mended.elapsed() < Duration::from_secs(1), "{:?}", mended.elapsed());
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), Answer::Object(Value::from(number)));
    }
    assert_eq!(line.ends.iter().map(|(.., node)| node.asked.lock().unwrap().len()).sum::<usize>(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restarted_end_was_asked_fails_promptly() {
    let line = Line::new(Harm::default());
    let (transport, at, _) = &line.ends[0];
    let life = Life([2; 16]);
    assert_eq!(transport.deliver(at, Batch::default()).await.unwrap(), life);
    let restart = async {
        while line.ends[1].2.asked.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The old end goes without a word, and its line with it; a new one comes.
        let (near, far) = SerialPort::pair().unwrap();
        line.socket.plug(near);
        line.carriers.iter().for_each(JoinHandle::abort);
        (end(3, |transport| transport.attach("far", far, None, patient()).unwrap()), Instant::now())
    };
    let (failed, lost, (successor, since)) = join3(line.ask(0, "wait".into()), transport.lost(at, life), restart).await;
    assert_eq!(failed.unwrap_err(), TransportError::Restarted { to: at.clone() });
    assert_eq!(lost, TransportError::Restarted { to: at.clone() });
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert!(successor.2.asked.lock().unwrap().is_empty());
    assert_eq!(transport.deliver(at, Batch::default()).await.unwrap(), Life([3; 16]));
}
