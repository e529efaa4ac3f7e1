//! How shared numbers are rounded, as in every step of a regression, and mutants of it: what they get wrong, and what they show.

use std::marker::PhantomData;

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, Prepared, Protocol, ProtocolError, Security, Submission, prepare};
use fsc_core::secret::Secret;
use fsc_core::sim::{Faults, simulate};
use fsc_protocols::algebra::ring::{self, Ring, U256, shifted_right};
use fsc_protocols::linear::product::zeros;
use fsc_protocols::linear::solve::masked::{Masked, Masks, Rounding};
use fsc_protocols::ols::StatisticsRegressionOLSVertical;
use fsc_protocols::sharing::additive::Additive;

use crate::coalition::told_apart;
use crate::examples::Secret as Hidden;
use crate::suppression::numbers;

/// As a regression rounds, with less to spare.
const ROUNDING: Rounding = Rounding { shift: 60, limit: 20 };

/// λ.
const STATISTICAL: u32 = 40;

/// A way to take bits off shared numbers. The right one, and wrong ones.
trait Way: Send + Sync + 'static {
    fn round(
        party: &mut Party,
        everybody: &[usize],
        share: Vec<U256>,
    ) -> impl Future<Output = Result<Masked, ProtocolError>> + Send;
}

/// What is shipped.
struct Shipped;

impl Way for Shipped {
    async fn round(party: &mut Party, everybody: &[usize], share: Vec<U256>) -> Result<Masked, ProtocolError> {
        let masks = Masks::draw(party, vec![ROUNDING; share.len()], STATISTICAL);
        masks.round(party, everybody, share).await
    }
}

/// Mutant: every party takes bits off its own share, the last one rounding the other way, as is sound for two parties and small
/// numbers. Of three, it is wrong nearly half of the time, by a part of the modulus.
struct Locally;

impl Way for Locally {
    async fn round(party: &mut Party, everybody: &[usize], share: Vec<U256>) -> Result<Masked, ProtocolError> {
        let is_last = everybody.last() == Some(&party.me());
        let truncated = |number: U256| shifted_right(number, ROUNDING.shift);
        let mine = |number: &U256| if is_last { truncated(number.negated()).negated() } else { truncated(*number) };
        Ok(Masked { public: vec![U256::ZERO; share.len()], mine: share.iter().map(mine).collect() })
    }
}

/// Mutant: what is opened is shared afresh, but not masked.
struct WithoutMasks;

impl Way for WithoutMasks {
    async fn round(party: &mut Party, everybody: &[usize], mut share: Vec<U256>) -> Result<Masked, ProtocolError> {
        let fresh = zeros(party, everybody, share.len());
        ring::add_assign(&mut share, &fresh);
        let opened = party.open(Additive::new(share)).await?;
        let public: Vec<U256> = opened.into_iter().map(|number| shifted_right(number, ROUNDING.shift)).collect();
        Ok(Masked { mine: vec![U256::ZERO; public.len()], public })
    }
}

/// Adds up all parties' numbers, and shows the sums, rounded in that way.
struct Sums<W>(PhantomData<W>);

impl<W: Way> Protocol for Sums<W> {
    const NAME: &'static str = "Sums";
    const VERSION: u16 = 1;
    const SECURITY: Security = StatisticsRegressionOLSVertical::SECURITY;
    type Params = ();
    type Input = Vec<i128>;
    type Output = Vec<f64>;

    fn admit(_: Submission) -> Result<((), Vec<i128>), ObjectError> {
        Err(ObjectError::argument("data", "it is not for clients"))
    }

    fn cost((): &(), _: &Announced) -> Cost {
        Cost::default()
    }

    async fn run(party: &mut Party, (): (), input: Secret<Vec<i128>>) -> Result<Vec<f64>, ProtocolError> {
        let everybody: Vec<usize> = (0..party.parties()).collect();
        let mine: Vec<U256> = input.into_inner().into_iter().map(U256::of).collect();
        let mut share = zeros(party, &everybody, mine.len());
        ring::add_assign(&mut share, &mine);
        let rounded = W::round(party, &everybody, share).await?;
        let mut share = zeros(party, &everybody, mine.len());
        ring::add_assign(&mut share, &rounded.share(party.me() == 0));
        let sums = party.open(Additive::new(share)).await?;
        Ok(sums.into_iter().map(|sum| sum.to_f64(0)).collect())
    }
}

/// How many of a thousand sums come out wrong: further off than by one for each party.
fn mistakes<W: Way>(parties: usize) -> usize {
    let number = |place: usize, index: i128| (index - 500) << (50 + place as u32);
    let inputs: Vec<Vec<i128>> =
        (0..parties).map(|place| (0..1000).map(|index| number(place, index)).collect()).collect();
    let exact = (0..1000).map(|index| inputs.iter().map(|input| input[index]).sum::<i128>() as f64 * 2_f64.powi(-60));
    let exact: Vec<f64> = exact.collect();
    let report = simulate::<Sums<W>>(&(), inputs, 1, Faults::default()).unwrap();
    let mut found = Vec::new();
    numbers(report.outcomes[0].as_ref().unwrap().entry("result").unwrap(), &mut found);
    assert_eq!(found.len(), exact.len());
    found.iter().zip(exact).filter(|(found, exact)| (**found - exact).abs() > parties as f64).count()
}

#[test]
fn local_truncation_is_wrong_for_three_parties_and_masked_rounding_for_no_number_of_them() {
    assert_eq!([2, 3, 4, 5].map(mistakes::<Shipped>), [0; 4]);
    assert_eq!(mistakes::<Locally>(2), 0);
    assert!(mistakes::<Locally>(3) > 300, "the mutant went unnoticed");
}

/// Sums that are the same when rounded; what is below differs at the honest party.
fn parts<W: Way>(version: usize) -> Vec<Prepared> {
    let below = [0x1234_5678, 0xfe_dcba_9876][version];
    let input = |place: i128| vec![(5 << 60) + if place == 0 { below } else { place }];
    (0..3).map(|place| prepare::<Sums<W>>((), Secret::new(input(place))).unwrap()).collect()
}

#[test]
fn rounding_without_masks_is_caught() {
    assert_eq!(told_apart(&[1, 2], parts::<Shipped>, None), None);
    assert!(told_apart(&[1, 2], parts::<Shipped>, Some(Hidden::Draws)).is_some(), "masks were given away unnoticed");
    assert!(told_apart(&[1, 2], parts::<WithoutMasks>, None).is_some(), "the mutant went unnoticed");
}
