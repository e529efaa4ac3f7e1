//! What must not repeat does not, and mutants in which it does are caught.

use std::cell::RefCell;
use std::collections::HashSet;
use std::marker::PhantomData;

use fsc_core::laws::{ChaCha20Rng, Lawful};
use fsc_core::object::ObjectError;
use fsc_core::protocol::{Adversary, Announced, Corruptions, Protocol, Security, Setup, Submission};
use fsc_core::secret::Secret;
use fsc_core::sim::{self, Faults, simulate_among};
use rand::SeedableRng;

use super::hash::uses::{self, Use};
use super::*;
use crate::algebra::bits::Bits;
use crate::matrix_product::SecureMatrixMultiplication;
use crate::median::SecureMedian;
use crate::minimum_maximum::MinimumMaximum;
use crate::ols::StatisticsRegressionOLSVertical;

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
    /// The key of its hash function's permutation.
    key: u128,
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
    Traces { places, delta, key: pair.sender.hash.key, string: None, message: None }
}

fn of_receiver(places: [usize; 2], pair: &mut Pair) -> Traces {
    let (message, strings) = pair.receiver.extension.extend(&Bits::zeros(64));
    let key = pair.receiver.hash.key;
    Traces { places, delta: None, key, string: Some(strings[0]), message: Some(message) }
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
    let keys: HashSet<_> = traces.iter().map(|trace| trace.key).collect();
    if keys.len() != senders {
        return Err("two runs, pairs or roles have the same permutation");
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
fn nothing_repeats_over_ten_thousand_runs() {
    repeats(&traces::<Shipped>(2, true, 10_000, 1)).unwrap();
}

/// What both parties, or all, hash in a run of a function that makes OTs.
fn hashed<P: Lawful>(parties: usize) -> Vec<Use> {
    let run = |seed| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let params = P::params(&mut rng, parties);
        let inputs = P::inputs(&mut rng, &params, parties);
        let keys = sim::keys(parties, 1);
        acquaint(&keys);
        uses::during(|| {
            let report = simulate_among::<P>(&params, inputs, &keys, seed, Faults::default()).unwrap();
            assert!(report.outcomes.iter().all(Result::is_ok));
        })
    };
    // In some examples a dealer makes all.
    (0..100).map(run).find(|uses| !uses.is_empty()).expect("some examples have no dealer")
}

/// Triples, products and garbled circuits, of a single connection and of many in a run; all among nodes that keep their Δ.
#[test]
fn no_tweak_comes_twice_in_whole_functions() {
    let uses = [
        hashed::<MinimumMaximum>(2),
        hashed::<MinimumMaximum>(3),
        hashed::<SecureMedian>(2),
        hashed::<SecureMatrixMultiplication>(2),
        hashed::<StatisticsRegressionOLSVertical>(2),
        hashed::<StatisticsRegressionOLSVertical>(3),
    ];
    for uses in uses.iter().cloned().chain([uses.concat()]) {
        assert!(!uses::repeat(uses));
    }
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
        Err("two runs, pairs or roles have the same permutation")
    );
    assert_eq!(repeats(&traces::<FixedDelta>(2, true, 2, 1)), Err("two pairs or roles have the same Δ"));
}

/// Both ends of a direction have the same hash function, and the directions have different ones.
#[test]
fn both_ends_hash_alike() {
    let traces = traces::<Shipped>(3, true, 1, 1);
    let hashes: HashSet<_> = traces.iter().map(|trace| (trace.places, trace.key)).collect();
    let functions: HashSet<_> = traces.iter().map(|trace| trace.key).collect();
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
