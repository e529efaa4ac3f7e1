//! What must not repeat does not, and mutants in which it does are caught.

use std::cell::RefCell;
use std::collections::HashSet;
use std::marker::PhantomData;

use fsc_core::laws::ChaCha20Rng;
use fsc_core::object::ObjectError;
use fsc_core::protocol::{Adversary, Announced, Corruptions, Protocol, Security, Setup, Submission};
use fsc_core::secret::Secret;
use fsc_core::sim::{self, Faults, simulate_among};
use rand::SeedableRng;

use super::*;
use crate::algebra::bits::Bits;

mod transfer;

/// How a party's OTs differ from what is shipped.
trait Mutation: Send + Sync + 'static {
    fn mutate(party: &mut Party, pairs: &mut Pairs);
}

/// Not at all.
struct Shipped;

impl Mutation for Shipped {
    fn mutate(_: &mut Party, _: &mut Pairs) {}
}

/// Streams and hash functions are derived of what is kept alone, not of the run.
struct WithoutRun;

impl Mutation for WithoutRun {
    fn mutate(party: &mut Party, pairs: &mut Pairs) {
        let runs = party.others().map(|other| (other, Zeroizing::new([0; 32]))).collect();
        *pairs = Pairs::start(party, &runs);
    }
}

/// Everything is fresh, but Δ, which is the same everywhere.
struct FixedDelta;

const FIXED: u128 = 0x5555_5555_5555_5555_5555_5555_5555_5555;

impl Mutation for FixedDelta {
    fn mutate(party: &mut Party, pairs: &mut Pairs) {
        let deal = |sender| softspoken::deal_with(FIXED, &mut ChaCha20Rng::from_seed([sender; 32]));
        for other in party.others() {
            let run = party.mask_key(other);
            let pair = pairs.with(other);
            pair.sender.extension = deal(party.me() as u8).0.start(&run);
            pair.receiver.extension = deal(other as u8).1.start(&run);
        }
    }
}

/// What one party uses towards another one in one connection.
struct Traces {
    /// The sender of OTs, and their receiver.
    places: [usize; 2],
    /// Its sender's.
    delta: Option<u128>,
    /// Of zero, with the first tweak: another one, if the permutation is another one.
    hash: u128,
    /// Its receiver's first string: another one, if the streams are others.
    string: Option<u128>,
    /// What its receiver sends for choices that are all zero.
    message: Option<Bytes>,
}

thread_local! {
    static TRACES: RefCell<Vec<Traces>> = const { RefCell::new(Vec::new()) };
}

/// Connects many times in one run, and leaves traces.
struct Connect<M>(PhantomData<M>);

impl<M: Mutation> Protocol for Connect<M> {
    const NAME: &'static str = "Connect";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[],
        paper: "Roy, SoftSpokenOT, Crypto 2022",
    };
    type Params = usize;
    type Input = ();
    type Output = ();

    fn admit(_: Submission) -> Result<(usize, ()), ObjectError> {
        Ok((1, ()))
    }

    fn cost(_: &usize, _: &Announced) -> Cost {
        Cost::default()
    }

    async fn run(party: &mut Party, times: usize, _: Secret<()>) -> Result<(), ProtocolError> {
        for _ in 0..times {
            let mut fork = party.fork("connection");
            let mut pairs = Pairs::connect(&mut fork).await?;
            M::mutate(&mut fork, &mut pairs);
            let me = fork.me();
            for other in fork.others() {
                let traces = [of_sender([me, other], pairs.with(other)), of_receiver([other, me], pairs.with(other))];
                TRACES.with_borrow_mut(|all| all.extend(traces));
            }
        }
        Ok(())
    }
}

fn of_sender(places: [usize; 2], pair: &mut Pair) -> Traces {
    let delta = Some(pair.sender.extension.delta());
    Traces { places, delta, hash: hash_of_zero(&pair.sender.hash), string: None, message: None }
}

fn of_receiver(places: [usize; 2], pair: &mut Pair) -> Traces {
    let hash = hash_of_zero(&pair.receiver.hash);
    let (message, strings) = pair.receiver.extension.extend(&Bits::zeros(64));
    Traces { places, delta: None, hash, string: Some(strings[0]), message: Some(message) }
}

fn hash_of_zero(hash: &Hash) -> u128 {
    let mut zero = [0];
    hash.strings(0, 0, &mut zero);
    zero[0]
}

/// The traces of so many runs among the same nodes, of so many connections each.
fn traces<M: Mutation>(parties: usize, met: bool, runs: u64, times: usize) -> Vec<Traces> {
    TRACES.take();
    let keys = sim::keys(parties, 1);
    if met {
        acquaint(&keys);
    }
    for seed in 0..runs {
        let report = simulate_among::<Connect<M>>(&times, vec![(); parties], &keys, seed, Faults::default()).unwrap();
        assert!(report.outcomes.iter().all(Result::is_ok));
    }
    TRACES.take()
}

/// What repeats that must not, or does not repeat though it must.
fn repeats(traces: &[Traces]) -> Result<(), &'static str> {
    let of_senders = || traces.iter().filter_map(|trace| Some((trace.places, trace.delta?)));
    let directions: HashSet<_> = traces.iter().map(|trace| trace.places).collect();
    let deltas: HashSet<_> = of_senders().collect();
    let different: HashSet<_> = deltas.iter().map(|(_, delta)| delta).collect();
    if deltas.len() != directions.len() {
        return Err("Δ is another one in another run");
    }
    if different.len() != directions.len() {
        return Err("two pairs or roles have the same Δ");
    }
    // With Δ kept, a tweak is fresh in a run if the permutation that it goes into is.
    let senders = traces.iter().filter(|trace| trace.delta.is_some()).count();
    let tweaked: HashSet<_> = traces.iter().filter_map(|trace| Some((trace.delta?, trace.hash))).collect();
    if tweaked.len() != senders {
        return Err("a tweak comes twice with the same Δ and permutation");
    }
    let strings: HashSet<_> = traces.iter().filter_map(|trace| trace.string).collect();
    let messages: HashSet<_> = traces.iter().filter_map(|trace| trace.message.as_ref()).collect();
    if [strings.len(), messages.len()] != [traces.len() - senders; 2] {
        return Err("streams repeat");
    }
    Ok(())
}

#[test]
fn nothing_repeats_over_ten_thousand_connections() {
    repeats(&traces::<Shipped>(2, true, 200, 50)).unwrap();
}

#[test]
fn strangers_choose_a_delta_for_each_pair_and_role_and_keep_it() {
    let traces = traces::<Shipped>(3, false, 2, 2);
    assert_eq!(traces.len(), 2 * 2 * 3 * 2 * 2);
    repeats(&traces).unwrap();
}

#[test]
fn mutants_are_caught() {
    assert_eq!(
        repeats(&traces::<WithoutRun>(2, true, 2, 1)),
        Err("a tweak comes twice with the same Δ and permutation")
    );
    assert_eq!(repeats(&traces::<FixedDelta>(2, true, 2, 1)), Err("two pairs or roles have the same Δ"));
}

/// Both ends of a direction have the same hash function, and the directions have different ones.
#[test]
fn both_ends_hash_alike() {
    let traces = traces::<Shipped>(3, true, 1, 1);
    let hashes: HashSet<_> = traces.iter().map(|trace| (trace.places, trace.hash)).collect();
    let functions: HashSet<_> = traces.iter().map(|trace| trace.hash).collect();
    assert_eq!((hashes.len(), functions.len()), (6, 6));
}

/// Nodes that have met in one run, and others in another, meet who is left.
#[test]
fn acquaintances_and_strangers_mix() {
    let keys = sim::keys(3, 1);
    let run = |parties: usize, seed| {
        simulate_among::<Connect<Shipped>>(&1, vec![(); parties], &keys[..parties], seed, Faults::default()).unwrap()
    };
    let (two, three) = (run(2, 1), run(3, 2));
    assert_eq!(two.costs, [Pairs::meeting_cost(1); 2]);
    assert_eq!(three.costs, [Pairs::meeting_cost(1), Pairs::meeting_cost(1), Pairs::meeting_cost(2)]);
    assert_eq!(run(3, 3).costs, [Cost::default(); 3]);
}

#[test]
fn first_messages_of_another_length_name_who_sent_them() {
    for length in [0, 31, SENDER_MESSAGE, SENDER_MESSAGE + RECEIVER_MESSAGE - 1, SENDER_MESSAGE + RECEIVER_MESSAGE + 1]
    {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let run = [1; 32];
        let meeting = Meeting {
            other: 4,
            run: &run,
            me: 0,
            delta: Zeroizing::new(7),
            sender: base::Sender::new(&mut rng),
            receiver: base::Receiver::new(context(4, 0, &run), 7, &mut rng),
        };
        let error = meeting.heard(&vec![0; length]).err().expect("an error");
        assert_eq!(error.culprits(), [4], "{length}");
    }
}
