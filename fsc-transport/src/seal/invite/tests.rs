//! Invitations over a line on which everything can be heard, changed and said.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::super::tests::{Clock, Node, id, key};
use super::super::{ForwardLimits, Peers, Seal};
use super::*;
use crate::Hub;

const HOST: u8 = 1;
const GUEST: u8 = 2;

/// What a host knows of one invitation.
#[derive(Default)]
struct Book {
    open: Mutex<HashMap<Lookup, Psk>>,
    guests: Mutex<Vec<Guest>>,
    heard: Mutex<Vec<bool>>,
    verdict: Mutex<Option<Verdict>>,
}

impl Invitations for Book {
    fn find(&self, lookup: Lookup) -> Option<Psk> {
        self.open.lock().unwrap().get(&lookup).cloned()
    }

    fn revoke(&self, lookup: Lookup) {
        self.open.lock().unwrap().remove(&lookup);
    }

    fn claim(&self, lookup: Lookup, guest: &Guest) -> bool {
        let was_open = self.open.lock().unwrap().remove(&lookup).is_some();
        self.guests.lock().unwrap().extend(was_open.then(|| guest.clone()));
        was_open
    }

    fn hear(&self, _: Lookup, agrees: bool) {
        self.heard.lock().unwrap().push(agrees);
    }

    fn verdict(&self, _: Lookup) -> Option<Verdict> {
        *self.verdict.lock().unwrap()
    }
}

/// A host, and the line to it.
struct Line {
    book: Arc<Book>,
    seal: Seal,
    clock: Clock,
    host: Arc<dyn Handler>,
    said: Mutex<Vec<Bytes>>,
    /// Changes what is said and answered, in turn.
    tamper: Option<Tamper>,
}

type Tamper = Box<dyn Fn(usize, Bytes) -> Bytes + Send + Sync>;

impl Line {
    fn new() -> Self {
        let (clock, book) = (Clock::new(), Arc::<Book>::default());
        let seal = Seal::new(key(HOST), Arc::<Peers>::default(), Hub::new(), clock.clone(), ForwardLimits::default());
        let host = seal.receive(book.clone(), seal.open(Node::new()));
        Self { book, seal, clock, host, said: Mutex::default(), tamper: None }
    }

    fn invite(&self) -> Code {
        let code = Code::draw(&"http://host:1".parse().unwrap()).unwrap();
        self.book.open.lock().unwrap().insert(code.lookup(), code.psk());
        code
    }

    async fn ask(&self, question: Bytes) -> Result<Bytes, Failure> {
        self.host.collect(Origin::Remote, question).await
    }

    fn passed(&self, packet: Bytes) -> Bytes {
        let mut said = self.said.lock().unwrap();
        let packet = self.tamper.as_ref().map_or(packet.clone(), |tamper| tamper(said.len(), packet));
        said.push(packet.clone());
        packet
    }

    fn said(&self, at: usize) -> Bytes {
        self.said.lock().unwrap()[at].clone()
    }
}

#[async_trait]
impl Transport for Line {
    async fn request(&self, to: &Address, _: Request) -> Result<fsc_core::transport::Answer, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn deliver(&self, to: &Address, _: fsc_core::transport::Batch) -> Result<Life, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn lost(&self, to: &Address, _: Life) -> TransportError {
        TransportError::NoTransport { to: to.clone() }
    }

    async fn collect(&self, to: &Address, asking: Bytes) -> Result<Bytes, TransportError> {
        let answer = self.ask(self.passed(asking)).await;
        let answer = answer.map_err(|failure| TransportError::Refused { to: to.clone(), failure })?;
        Ok(self.passed(answer))
    }

    fn assurance(&self, _: &Address) -> fsc_core::transport::Assurance {
        fsc_core::transport::Assurance::None
    }
}

fn refusal<T>(result: Result<T, JoinError>) -> u16 {
    match result {
        Err(JoinError::Transport(TransportError::Refused { failure, .. })) => failure.code,
        Err(error) => panic!("not refused there: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

async fn joined(line: &Line, code: &Code) -> Result<Joined, JoinError> {
    join(line, &key(GUEST), code, None).await
}

#[tokio::test]
async fn both_sides_learn_the_keys_and_see_the_same_words() {
    for address in [None, Some("http://guest:2".parse::<Address>().unwrap())] {
        let line = Line::new();
        let guest = join(&line, &key(GUEST), &line.invite(), address.as_ref()).await.unwrap();
        assert_eq!(guest.host(), id(HOST));
        let seen = line.book.guests.lock().unwrap().clone();
        assert_eq!(seen, [Guest { id: id(GUEST), address, words: guest.words() }]);
        for heard in &*line.said.lock().unwrap() {
            for name in [HOST, GUEST] {
                assert!(!heard.windows(32).any(|bytes| bytes == id(name).as_bytes()), "keys travel sealed");
            }
        }
    }
}

#[tokio::test]
async fn words_differ_from_one_invitation_to_another() {
    let line = Line::new();
    let words =
        [joined(&line, &line.invite()).await.unwrap().words(), joined(&line, &line.invite()).await.unwrap().words()];
    assert_ne!(words[0], words[1]);
}

#[tokio::test]
async fn an_invitation_is_used_once() {
    let line = Line::new();
    let code = line.invite();
    joined(&line, &code).await.unwrap();
    assert_eq!(refusal(joined(&line, &code).await), 404);
    assert_eq!(line.book.guests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn who_began_by_the_same_invitation_comes_too_late() {
    let line = Line::new();
    let code = line.invite();
    let (late, first) = Joiner::begin(&key(3), code.lookup(), &code.psk()).unwrap();
    let (_, third) = late.read(line.ask(first).await.unwrap(), None).unwrap();
    joined(&line, &code).await.unwrap();
    assert_eq!(line.ask(third).await.unwrap_err().code, 410);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_five_of_them_void_the_invitation() {
    let line = Line::new();
    let (code, other) = (line.invite(), Code::draw(&"http://host:1".parse().unwrap()).unwrap());
    assert_eq!(refusal(joined(&line, &other).await), 404, "another token names another invitation");
    for attempt in 1..=MOST_FAILURES {
        assert!(line.book.find(code.lookup()).is_some(), "{attempt}");
        let (_, first) = Joiner::begin(&key(GUEST), code.lookup(), &other.psk()).unwrap();
        assert_eq!(line.ask(first).await.unwrap_err().code, 403);
    }
    assert!(line.book.find(code.lookup()).is_none());
    assert_eq!(refusal(joined(&line, &code).await), 404);
}

#[tokio::test]
async fn changed_messages_count_as_attempts_and_leave_the_genuine_ones_valid() {
    let line = Line::new();
    let code = line.invite();
    let (guest, first) = Joiner::begin(&key(GUEST), code.lookup(), &code.psk()).unwrap();
    let (guest, third) = guest.read(line.ask(first).await.unwrap(), None).unwrap();
    let mut changed = third.to_vec();
    changed[20] ^= 1;
    for _ in 1..MOST_FAILURES {
        assert_eq!(line.ask(changed.clone().into()).await.unwrap_err().code, 403);
    }
    guest.read(line.ask(third).await.unwrap()).unwrap();
    assert_eq!(line.book.guests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn guesses_of_invitations_are_paced_and_do_not_keep_out_who_has_one() {
    let line = Line::new();
    let other = Code::draw(&"http://host:1".parse().unwrap()).unwrap();
    let mut codes = Vec::new();
    for _ in 0..30 {
        codes.push(refusal(joined(&line, &other).await));
    }
    assert!(codes.iter().filter(|code| **code == 429).count() >= 15, "{codes:?}");
    joined(&line, &line.invite()).await.unwrap();
}

#[tokio::test]
async fn replayed_and_reflected_messages_come_to_nothing() {
    let line = Line::new();
    let code = line.invite();
    let (guest, first) = Joiner::begin(&key(GUEST), code.lookup(), &code.psk()).unwrap();
    let mut seconds = Vec::new();
    for _ in 0..3 {
        seconds.push(line.ask(first.clone()).await.unwrap());
    }
    assert!(seconds[0] != seconds[1] && seconds[1] != seconds[2], "a replay gets answers that are of no use");
    let (guest, third) = guest.read(seconds.pop().unwrap(), None).unwrap();
    let fourth = line.ask(third.clone()).await.unwrap();
    assert_eq!(line.ask(third).await.unwrap_err().code, 410);
    for own in [seconds[0].clone(), fourth.clone()] {
        assert!(line.ask(own).await.is_err(), "reflected");
    }
    let (other, _) = Joiner::begin(&key(GUEST), code.lookup(), &code.psk()).unwrap();
    assert!(other.read(first, None).is_err(), "its own message");
    guest.read(fourth).unwrap();
}

#[tokio::test]
async fn handshakes_and_people_have_so_much_time() {
    let line = Line::new();
    let (code, other) = (line.invite(), line.invite());
    let mut guest = joined(&line, &other).await.unwrap();
    let (late, first) = Joiner::begin(&key(GUEST), code.lookup(), &code.psk()).unwrap();
    let (_, third) = late.read(line.ask(first).await.unwrap(), None).unwrap();
    line.clock.pass(1);
    assert_eq!(line.ask(third).await.unwrap_err().code, 410);
    guest.ask(&line, other.address(), true).await.unwrap();
    line.clock.pass(11);
    assert_eq!(refusal(guest.ask(&line, other.address(), true).await), 410);
}

#[tokio::test]
async fn the_verdict_is_yes_if_both_say_so() {
    for (agrees, verdict, expected) in [
        (true, None, None),
        (true, Some(Verdict::Agreed), Some(Verdict::Agreed)),
        (true, Some(Verdict::Declined), Some(Verdict::Declined)),
        (false, Some(Verdict::Agreed), Some(Verdict::Declined)),
    ] {
        let line = Line::new();
        let code = line.invite();
        let mut guest = joined(&line, &code).await.unwrap();
        assert_eq!(guest.ask(&line, code.address(), agrees).await.unwrap().filter(|_| agrees), None);
        *line.book.verdict.lock().unwrap() = verdict;
        assert_eq!(guest.ask(&line, code.address(), agrees).await.unwrap(), expected);
        assert_eq!(*line.book.heard.lock().unwrap(), [agrees; 2]);
        // What the guest has said can't be said again by others.
        assert_eq!(line.ask(line.said(4)).await.unwrap_err().code, 412);
    }
}

#[tokio::test]
async fn who_sits_between_and_has_the_code_is_told_by_the_words() {
    let line = Line::new();
    let code = line.invite();
    let between = key(9);
    // It plays the host to the guest,
    let (guest, first) = Joiner::begin(&key(GUEST), code.lookup(), &code.psk()).unwrap();
    let Packet { header, body } = Packet::decode(first).unwrap();
    let (mut host, second) = Host::hear(&between, code.lookup(), &code.psk(), header, &body[8..], 7).unwrap();
    let (guest, third) = guest.read(second, None).unwrap();
    let introduced = host.read(&Packet::decode(third).unwrap()).unwrap();
    let (_, fourth, _) = host.finish(introduced).unwrap();
    let guest = guest.read(fourth).unwrap();
    // and the guest to the host.
    join(&line, &between, &code, None).await.unwrap();
    assert_ne!(line.book.guests.lock().unwrap()[0].words, guest.words);
}

#[test]
fn a_host_can_not_choose_its_nonce_late() {
    let code = Code::draw(&"http://host:1".parse().unwrap()).unwrap();
    let (guest, first) = Joiner::begin(&key(GUEST), code.lookup(), &code.psk()).unwrap();
    let Packet { header, body } = Packet::decode(first).unwrap();
    let (mut host, second) = Host::hear(&key(HOST), code.lookup(), &code.psk(), header, &body[8..], 7).unwrap();
    let (guest, third) = guest.read(second, None).unwrap();
    let introduced = host.read(&Packet::decode(third).unwrap()).unwrap();
    let (_, fourth, _) = host.with_nonce([9; 32]).finish(introduced).unwrap();
    assert!(guest.read(fourth).is_err());
}

#[tokio::test]
async fn a_node_does_not_join_itself() {
    let line = Line::new();
    let error = join(&line, &key(HOST), &line.invite(), None).await.err().unwrap();
    assert!(error.to_string().contains("itself"), "{error}");
}

#[tokio::test]
async fn what_is_no_invitation_reaches_the_node_behind() {
    let line = Line::new();
    assert_eq!(line.ask(Bytes::from_static(b"\x02\x03")).await.unwrap_err().code, 400);
    assert_eq!(line.seal.counts().malformed, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_flipped_bit_is_noticed(message in 0usize..4, flip: prop::sample::Index) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut line = Line::new();
            line.tamper = Some(Box::new(move |at, packet| {
                let (mut changed, bit) = (packet.to_vec(), flip.index(8 * packet.len()));
                changed[bit / 8] ^= u8::from(at == message) << (bit % 8);
                changed.into()
            }));
            let outcome = joined(&line, &line.invite()).await;
            assert!(outcome.is_err());
            // Who changes the very last message can keep the guest from learning the words, and no more.
            assert_eq!(line.book.guests.lock().unwrap().len(), usize::from(message == 3));
        });
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(kind in 4u8..=9, bytes in proptest::collection::vec(any::<u8>(), 0..200), known: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _context = runtime.enter();
        let line = Line::new();
        let code = line.invite();
        let lookup = if known { &code.lookup().0[..] } else { &[] };
        let packet: Bytes = [&[2, kind, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0][..], lookup, &bytes].concat().into();
        prop_assert!(line.ask(packet.clone()).now_or_never().expect("it does not wait").is_err());
        let (guest, _) = Joiner::begin(&key(GUEST), code.lookup(), &code.psk()).unwrap();
        prop_assert!(guest.read(packet, None).is_err());
    }
}
