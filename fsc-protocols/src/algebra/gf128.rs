//! The field GF(2^128): polynomials over GF(2) modulo x^128 + x^7 + x^2 + x + 1, the polynomial of GCM (NIST SP 800-38D,
//! section 6.3).
//!
//! An element is a `u128` whose bit i is the coefficient of x^i (GCM writes them in the opposite order). Adding is XOR, and
//! every element is its own negative.
//!
//! Nothing branches on an element or looks it up in a table, so that these functions take constant time wherever 64-bit
//! integer multiplication does.

/// The reduced part of the polynomial: x^128 = x^7 + x^2 + x + 1.
const REDUCTION: [u32; 4] = [0, 1, 2, 7];

/// Every fifth bit, from bit 0 to 4 on.
const COMBS: [u128; 5] = {
    let mut combs = [0; 5];
    let mut bit = 0;
    while bit < 128 {
        combs[bit % 5] |= 1 << bit;
        bit += 1;
    }
    combs
};

/// The product.
pub fn multiply(a: u128, b: u128) -> u128 {
    // Karatsuba: three products of halves instead of four.
    let ([a_low, a_high], [b_low, b_high]) = (halves(a), halves(b));
    let (low, high) = (carryless(a_low, b_low), carryless(a_high, b_high));
    let middle = carryless(a_low ^ a_high, b_low ^ b_high) ^ low ^ high;
    reduce(low ^ middle << 64, high ^ middle >> 64)
}

/// The inverse; zero for zero.
///
/// a^-1 = a^(2^128 − 2). Itoh and Tsujii, "A fast algorithm for computing multiplicative inverses in GF(2^m)" (1988):
/// with e(n) = a^(2^n − 1), e(2n + 1) = (e(n)^(2^n) · e(n))² · a, and 127 = 2 · 63 + 1 = … is reached from 1.
pub fn invert(a: u128) -> u128 {
    let (mut power, mut n) = (a, 1);
    while n < 127 {
        power = multiply(square_often(power, n), power);
        power = multiply(square_often(power, 1), a);
        n = 2 * n + 1;
    }
    square_often(power, 1)
}

/// Inverts all elements, at the price of three products each and one inversion (Montgomery's trick); zeros stay zero.
pub fn invert_all(elements: &mut [u128]) {
    let mut product = 1;
    let mut before = Vec::with_capacity(elements.len());
    for element in elements.iter() {
        before.push(product);
        product = multiply(product, one_for_zero(*element));
    }
    let mut inverse = invert(product);
    for (element, before) in elements.iter_mut().zip(before).rev() {
        let inverse_of_this = multiply(inverse, before);
        inverse = multiply(inverse, one_for_zero(*element));
        *element = inverse_of_this & nonzero(*element);
    }
}

/// All ones, or all zeros for zero.
fn nonzero(element: u128) -> u128 {
    ((element | element.wrapping_neg()) >> 127).wrapping_neg()
}

fn one_for_zero(element: u128) -> u128 {
    element | !nonzero(element) & 1
}

fn square_often(element: u128, times: u32) -> u128 {
    (0..times).fold(element, |element, _| multiply(element, element))
}

fn halves(element: u128) -> [u64; 2] {
    [element as u64, (element >> 64) as u64]
}

/// The product of polynomials of degree 63.
///
/// Of bits that are five apart, at most 13 products meet in one place, and their number fits into the five bits up to the
/// next place: an integer product has, in every fifth bit, the parity that is asked for.
fn carryless(a: u64, b: u64) -> u128 {
    let combed = |word: u64| COMBS.map(|comb| word & comb as u64);
    let (a, b) = (combed(a), combed(b));
    let at = |place: usize| {
        let products = (0..5).map(|i| u128::from(a[i]) * u128::from(b[(place + 5 - i) % 5]));
        products.fold(0, |sum, product| sum ^ product) & COMBS[place]
    };
    at(0) | at(1) | at(2) | at(3) | at(4)
}

/// low + high · x^128, modulo the polynomial.
fn reduce(low: u128, high: u128) -> u128 {
    let beyond = REDUCTION.iter().fold(0, |sum, shift| sum ^ high.checked_shr(128 - shift).unwrap_or_default());
    let fold = |term: u128| REDUCTION.iter().fold(0, |sum, shift| sum ^ term << shift);
    low ^ fold(high) ^ fold(beyond)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bit by bit, as one would on paper.
    fn by_hand(a: u128, b: u128) -> u128 {
        (0..128).rev().fold(0, |sum: u128, bit| {
            let doubled = (sum << 1) ^ ((sum >> 127) * 0x87);
            doubled ^ (a * (b >> bit & 1))
        })
    }

    /// NIST's test case 2 for GCM: H · C, in its order of bits.
    #[test]
    fn a_product_is_that_of_gcm() {
        let h = 0x66e9_4bd4_ef8a_2c3b_884c_fa59_ca34_2b2e_u128.reverse_bits();
        let c = 0x0388_dace_60b6_a392_f328_c2b9_71b2_fe78_u128.reverse_bits();
        assert_eq!(multiply(h, c).reverse_bits(), 0x5e2e_c746_9170_6288_2c85_b068_5353_deb7);
    }

    #[test]
    fn extremes_multiply() {
        for a in [0, 1, 2, 1 << 63, 1 << 64, 1 << 127, u128::MAX, COMBS[0], COMBS[4]] {
            for b in [0, 1, 2, 0x87, 1 << 127, u128::MAX, COMBS[0], COMBS[2]] {
                assert_eq!(multiply(a, b), by_hand(a, b), "{a:x} times {b:x}");
            }
        }
        assert_eq!(multiply(1 << 127, 2), 0x87);
    }

    #[test]
    fn zero_has_no_inverse() {
        assert_eq!(invert(0), 0);
        let mut elements = [0, 1, 0, 7, 0];
        invert_all(&mut elements);
        assert_eq!(elements, [0, 1, 0, invert(7), 0]);
    }

    proptest! {
        #[test]
        fn products_are_those_by_hand(a: u128, b: u128) {
            prop_assert_eq!(multiply(a, b), by_hand(a, b));
        }

        #[test]
        fn it_is_a_field(a: u128, b: u128, c: u128) {
            prop_assert_eq!(multiply(a, b), multiply(b, a));
            prop_assert_eq!(multiply(a, multiply(b, c)), multiply(multiply(a, b), c));
            prop_assert_eq!(multiply(a, b ^ c), multiply(a, b) ^ multiply(a, c));
            prop_assert_eq!(multiply(a, 1), a);
            prop_assert_eq!(multiply(a, invert(a)), u128::from(a != 0));
        }

        #[test]
        fn all_are_inverted_as_each(mut elements: Vec<u128>) {
            let each: Vec<u128> = elements.iter().map(|element| invert(*element)).collect();
            invert_all(&mut elements);
            prop_assert_eq!(elements, each);
        }
    }
}
