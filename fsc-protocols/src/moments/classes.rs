//! Numbers that statistics lose digits of, in classes, at two or three parties, of which some may have none.

use proptest::prelude::*;

/// Numbers of one class; each class by itself.
type Numbers = BoxedStrategy<f64>;

/// One number of any class.
fn number() -> Numbers {
    classes().prop_flat_map(|class| class).boxed()
}

/// The classes: large means, mixed magnitudes, ties, zeros of both signs, decimals.
fn classes() -> impl Strategy<Value = Numbers> {
    let magnitude = || (-6.0..12.0).prop_map(|exponent: f64| 10_f64.powf(exponent));
    let signed = (magnitude(), any::<bool>()).prop_map(|(number, minus)| if minus { -number } else { number });
    prop::sample::select(vec![
        (1e9 - 1.0..1e9 + 1.0).boxed(),
        (-1e9 - 1.0..-1e9 + 1.0).boxed(),
        magnitude().boxed(),
        signed.boxed(),
        prop::sample::select(vec![-2.5, 0.1, 0.1, 3.0]).boxed(),
        prop::sample::select(vec![0.0, -0.0, 1.0, -1e-6]).boxed(),
        (-1000..1000_i32).prop_map(|number| f64::from(number) / 1000.0).boxed(),
    ])
}

/// Items at several parties, up to eight at each, and one in all at least.
fn parties<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<Vec<T>>> {
    let several = prop::collection::vec(prop::collection::vec(item, 0..9), 2..=3);
    several.prop_filter("nobody has any", |parties| parties.iter().any(|party| !party.is_empty()))
}

/// One item, at one of several parties.
fn single<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<Vec<T>>> {
    (2..=3_usize, any::<prop::sample::Index>(), item).prop_map(|(parties, place, item)| {
        let mut all: Vec<Vec<T>> = (0..parties).map(|_| Vec::new()).collect();
        place.get_mut(&mut all[..]).push(item);
        all
    })
}

/// Columns, constants and single numbers among them.
pub(crate) fn columns() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop_oneof![
        6 => classes().prop_flat_map(parties),
        1 => number().prop_flat_map(|number| parties(Just(number))),
        1 => single(number()),
    ]
}

/// Pairs of any two classes, or on a line, or with one side constant, or a single one.
pub(crate) fn pairs() -> impl Strategy<Value = Vec<Vec<(f64, f64)>>> {
    let on_a_line = |x: Numbers| x.prop_map(|x| (x, 2.0 * x + 3.0));
    prop_oneof![
        6 => (classes(), classes()).prop_flat_map(parties),
        2 => classes().prop_flat_map(move |x| parties(on_a_line(x))),
        1 => (number(), classes()).prop_flat_map(|(x, y)| parties((Just(x), y))),
        1 => (classes(), number()).prop_flat_map(|(x, y)| parties((x, Just(y)))),
        1 => single((number(), number())),
    ]
}
