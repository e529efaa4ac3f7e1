//! Exact, range-checked fixed point: real numbers as elements of Z/2^128.
//!
//! With f fraction bits, x becomes the integer nearest to x·2^f (ties to even), in two's complement. Integers of the ring
//! then add up without any error, so the only error of a sum is the rounding of its terms, at most 2^-(f+1) each:
//!
//! * Nothing wraps: |x|·2^f·n < 2^127 is checked for every number, n parties included, before anything is sent. NaN,
//!   infinities and numbers beyond the range are errors; they are not clamped.
//! * Numbers that are small against 2^-f are rounded to a multiple of it, down to zero; that is no error. −0 becomes +0.
//!
//! [`Fixed::DEFAULT`] has f = 64: half the bits for the integer part, half for the fraction. Sums stay in range up to
//! 2^63 ≈ 9.2·10^18 over all parties (money of whole economies in cents, nanoseconds since 1970), the resolution is
//! 5.4·10^-20, every float of 2^-12 or more, and every integer, is exact, and the relative error of a single term is below
//! 10^-12 down to 2.8·10^-8. Data far away from that must be scaled, or f agreed on, publicly: a scale that depends on
//! the data would leak its magnitude.

/// A fixed-point format: how many of the 128 bits lie behind the point. Public, and equal at every party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    fraction_bits: u32,
}

impl Fixed {
    /// 64 fraction bits; the module's documentation says why.
    pub const DEFAULT: Self = Self { fraction_bits: 64 };

    /// Integers only: no fraction bits, sums to 2^127.
    pub const INTEGER: Self = Self { fraction_bits: 0 };

    /// The most fraction bits there can be: seven bits are left for sign, integer part and number of parties.
    pub const MAX_FRACTION_BITS: u32 = 120;

    /// The format with that many fraction bits.
    pub const fn new(fraction_bits: u32) -> Result<Self, FixedError> {
        if fraction_bits > Self::MAX_FRACTION_BITS {
            return Err(FixedError::FractionBits { given: fraction_bits });
        }
        Ok(Self { fraction_bits })
    }

    /// How many bits lie behind the point.
    pub const fn fraction_bits(self) -> u32 {
        self.fraction_bits
    }

    /// The encoder of one of `parties` parties whose numbers will be added up.
    pub const fn among(self, parties: usize) -> Encoder {
        let parties = if parties == 0 { 1 } else { parties };
        Encoder { fraction_bits: self.fraction_bits, parties, limit: i128::MAX.unsigned_abs() / parties as u128 }
    }

    /// The float nearest to the number that `element` stands for.
    ///
    /// Rounded once. Of a magnitude beyond 64 bits, the highest 64 are converted, with the lowest of them set if anything
    /// below is: 64 bits are rounded to 53, so that bit only breaks ties. Integer to float is correctly rounded, and
    /// multiplying by a power of two, 2^-120 at least, only changes the exponent.
    pub fn decode(self, element: u128) -> f64 {
        let magnitude = (element as i128).unsigned_abs();
        let below = 64 - ((magnitude >> 64) as u64).leading_zeros();
        let sticky = u64::from(magnitude & ((1 << below) - 1) != 0);
        let highest = (magnitude >> below) as u64 | sticky;
        let unsigned = highest as f64 * power_of_two(below as i32 - self.fraction_bits as i32);
        if (element as i128) < 0 { -unsigned } else { unsigned }
    }

    /// The number that `element` stands for, if it is an integer.
    pub const fn decode_integer(self, element: u128) -> Option<i128> {
        let integer = element as i128 >> self.fraction_bits;
        if (integer << self.fraction_bits) as u128 == element { Some(integer) } else { None }
    }
}

impl Default for Fixed {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Encodes one party's numbers, so that the sum over all parties can't leave the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    fraction_bits: u32,
    parties: usize,
    /// The largest magnitude of a term: `parties` of it stay below 2^127.
    limit: u128,
}

impl Encoder {
    /// Encodes a vector of floats.
    pub fn floats(&self, numbers: impl IntoIterator<Item = f64>) -> Result<Vec<u128>, FixedError> {
        let numbers = numbers.into_iter();
        let mut elements = Vec::with_capacity(numbers.size_hint().0);
        for (position, number) in numbers.enumerate() {
            elements.push(self.float(position, number)?);
        }
        Ok(elements)
    }

    /// Encodes a vector of integers.
    pub fn integers(&self, numbers: impl IntoIterator<Item = i128>) -> Result<Vec<u128>, FixedError> {
        numbers.into_iter().enumerate().map(|(position, number)| self.integer(position, number)).collect()
    }

    /// Encodes a float; `position` is for the error.
    pub fn float(&self, position: usize, number: f64) -> Result<u128, FixedError> {
        match magnitude(number, self.fraction_bits) {
            Some(magnitude) if magnitude <= self.limit => Ok(with_sign(magnitude, number.is_sign_negative())),
            _ => Err(self.refusal(position, number.is_finite())),
        }
    }

    /// Encodes an integer, exactly; `position` is for the error.
    pub fn integer(&self, position: usize, number: i128) -> Result<u128, FixedError> {
        if number.unsigned_abs() > self.bound() {
            return Err(self.refusal(position, true));
        }
        Ok((number << self.fraction_bits) as u128)
    }

    /// Begins to sum up a list of this party's own.
    pub const fn sum(self) -> LocalSum {
        LocalSum { encoder: self, total: 0, terms: 0 }
    }

    /// The largest integer that can be encoded.
    pub const fn bound(&self) -> u128 {
        self.limit >> self.fraction_bits
    }

    #[cold]
    fn refusal(&self, position: usize, finite: bool) -> FixedError {
        if finite {
            FixedError::OutOfRange { position, parties: self.parties, bound: self.bound() }
        } else {
            FixedError::NotFinite { position }
        }
    }
}

/// Sums up a party's own numbers in fixed point: the order does not matter, and each term is rounded once.
#[derive(Clone, Copy)]
pub struct LocalSum {
    encoder: Encoder,
    total: i128,
    terms: usize,
}

impl LocalSum {
    /// Adds a float.
    pub fn add_float(&mut self, number: f64) -> Result<(), FixedError> {
        let term = self.encoder.float(self.terms, number)?;
        self.add(term)
    }

    /// Adds an integer.
    pub fn add_integer(&mut self, number: i128) -> Result<(), FixedError> {
        let term = self.encoder.integer(self.terms, number)?;
        self.add(term)
    }

    /// The sum, encoded: the party's own term of the sum over all parties.
    pub fn finish(self) -> Result<u128, FixedError> {
        if self.total.unsigned_abs() > self.encoder.limit {
            return Err(self.refusal());
        }
        Ok(self.total as u128)
    }

    fn add(&mut self, term: u128) -> Result<(), FixedError> {
        self.terms += 1;
        self.total = self.total.checked_add(term as i128).ok_or_else(|| self.refusal())?;
        Ok(())
    }

    #[cold]
    fn refusal(&self) -> FixedError {
        FixedError::SumOutOfRange { terms: self.terms, parties: self.encoder.parties, bound: self.encoder.bound() }
    }
}

/// Why a number can't be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FixedError {
    /// NaN or an infinity.
    #[error("the number at position {position} is not finite")]
    NotFinite {
        /// Its place in the list, from 0.
        position: usize,
    },
    /// The sum over all parties might leave the range.
    #[error("the number at position {position} is out of range: with {parties} parties it may be up to ±{bound}")]
    OutOfRange {
        /// Its place in the list, from 0.
        position: usize,
        /// How many parties there are.
        parties: usize,
        /// The largest integer in range.
        bound: u128,
    },
    /// The numbers are in range, their sum is not.
    #[error("the sum of the first {terms} numbers is out of range: with {parties} parties it may be up to ±{bound}")]
    SumOutOfRange {
        /// How many numbers had been added.
        terms: usize,
        /// How many parties there are.
        parties: usize,
        /// The largest integer in range.
        bound: u128,
    },
    /// There is no such format.
    #[error("{given} fraction bits: there can be at most {}", Fixed::MAX_FRACTION_BITS)]
    FractionBits {
        /// How many were asked for.
        given: u32,
    },
}

/// |number|·2^f, rounded to the nearest integer, ties to even; `None` for 2^127 and more, NaN and infinities.
#[inline]
fn magnitude(number: f64, fraction_bits: u32) -> Option<u128> {
    const FRACTION: u64 = (1 << 52) - 1;
    // binary64: |number| = mantissa · 2^(exponent − 1075); subnormals have exponent 1 and no hidden bit.
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let mantissa = bits & FRACTION | u64::from(exponent != 0) << 52;
    match exponent.max(1) - 1075 + fraction_bits as i32 {
        // The mantissa has 53 bits; 53 + 74 = 127. Exponent 0x7ff, of NaN and infinities, always gives more.
        left @ 0..=74 => Some(u128::from(mantissa) << left),
        left if left > 74 => None,
        // Beyond 63, more shifting changes nothing: the mantissa is less than half of 2^63 already.
        right => Some(rounding_shift(mantissa, right.unsigned_abs().min(63)).into()),
    }
}

/// mantissa / 2^shift to the nearest integer, ties to even; the mantissa has 53 bits, 1 ≤ shift ≤ 63.
fn rounding_shift(mantissa: u64, shift: u32) -> u64 {
    // Half, less one unit if the integer below is even, so that only more than half carries.
    let half = 1 << (shift - 1);
    let odd = mantissa >> shift & 1;
    (mantissa + (half - 1) + odd) >> shift
}

/// The magnitude, at most 2^127 − 1, in two's complement.
fn with_sign(magnitude: u128, negative: bool) -> u128 {
    let mask = u128::from(negative).wrapping_neg();
    (magnitude ^ mask).wrapping_sub(mask)
}

/// 2^exponent, for normal floats.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bits of a float, fraction bits, and the nearest integer to the product, computed with Python's fractions:
    ///
    /// ```python
    /// import random, struct
    /// from fractions import Fraction
    /// random.seed(1)
    /// xs = [0.5, 2**-65, 3*2**-65, -5*2**-65, 2**-64, 1.5*2**-66, 5e-324, -1e-300, 2**-1022, -0.0,
    ///       0.1, -1/3, 1e-12, 123456.789, -1e15, 2**53+2.0, -2.0**60-2.0**8, 9e18/2]
    /// xs += [random.choice([1, -1]) * random.uniform(1, 2) * 2.0**random.randint(-70, 61) for _ in range(30)]
    /// for i, x in enumerate(xs):
    ///     f = [64, 64, 64, 0, 40, 64][i % 6] if i >= 18 else 64
    ///     bits, = struct.unpack("<Q", struct.pack("<d", x))
    ///     print(f"({bits:#018x}, {f}, {round(Fraction(x) * 2**f)}),")  # round(): ties to even
    /// ```
    #[rustfmt::skip]
    #[allow(clippy::unreadable_literal)] // as printed
    const RECORDED: [(u64, u32, i128); 48] = [
        (0x3fe0000000000000, 64, 9223372036854775808),
        (0x3be0000000000000, 64, 0),
        (0x3bf8000000000000, 64, 2),
        (0xbc04000000000000, 64, -2),
        (0x3bf0000000000000, 64, 1),
        (0x3bd8000000000000, 64, 0),
        (0x0000000000000001, 64, 0),
        (0x81a56e1fc2f8f359, 64, 0),
        (0x0010000000000000, 64, 0),
        (0x8000000000000000, 64, 0),
        (0x3fb999999999999a, 64, 1844674407370955264),
        (0xbfd5555555555555, 64, -6148914691236516864),
        (0x3d719799812dea11, 64, 18446744),
        (0x40fe240c9fbe76c9, 64, 2277375790844960640598016),
        (0xc30c6bf526340000, 64, -18446744073709551616000000000000000),
        (0x4340000000000001, 64, 166153499473114521006464029954146304),
        (0xc3b0000000000001, 64, -21267647932558658688827395834130726912),
        (0x43cf399b1438a100, 64, 83010348331692982272000000000000000000),
        (0x3c991b7585b1e2d6, 64, 1607),
        (0xc2c1e2feb8fda9aa, 64, -725570721646072075895864092000256),
        (0xbeea6cecc0c25ced, 64, -232441046766311),
        (0x41c7ce42c80e838f, 0, 798786960),
        (0xbb99b810e7864993, 40, 0),
        (0xbf3442e3d5716db2, 64, -5703045840203186),
        (0x3c0e6c3f32a28623, 64, 4),
        (0x3bb06839eb4c9150, 64, 0),
        (0xc25afbd67e6ee61e, 64, -8551489080101313203547288895488),
        (0x4298712b8a718192, 0, 6718585216096),
        (0xc118d883487756d8, 40, -447581299785709056),
        (0x42ead45f22700411, 64, 4353347702850867386465395136266240),
        (0xc23ed2f89c0b00b2, 64, -2442137277985812635295162564608),
        (0x4042f978d9423a8b, 64, 700035500235789041664),
        (0x439be3edc0aa5706, 64, 9268157367170264793714134598144753664),
        (0xbe981f9c1fa8fa70, 0, 0),
        (0xc3848beab12cd75d, 40, -203483173997285788338989563904),
        (0xbc196c8da1b4e228, 64, -6),
        (0xc203e2434f7cca44, 64, -196920009173685470762484367360),
        (0xc16aa2ca1a58946d, 64, -257606582567508553643327488),
        (0xc3b1622bd6e0bf94, 64, -23106610188475963963124337689451560960),
        (0x41dc74803e53d043, 0, 1909588217),
        (0xbc07d5c8df772d14, 40, 0),
        (0xc1d0b21fba9df792, 64, -20668395155484075494289178624),
        (0x3f32b28fef01256a, 64, 5262880840689002),
        (0x3f4c541012662702, 64, 15947454705585668),
        (0xc1383868a2b009f2, 64, -29280602378056231150419968),
        (0xbbae8e5b4689df00, 0, 0),
        (0xc3cc89da11b6c209, 40, -4522103252450242105823734005760),
        (0x3ed84c81998e0700, 64, 106867483621404),
    ];

    #[test]
    fn floats_encode_as_exact_rationals_do() {
        for (bits, fraction_bits, expected) in RECORDED {
            let encoder = Fixed::new(fraction_bits).unwrap().among(2);
            assert_eq!(
                encoder.float(0, f64::from_bits(bits)).map(|element| element as i128),
                Ok(expected),
                "{bits:#x}"
            );
        }
    }

    #[test]
    fn the_range_is_exactly_half_the_modulus_over_the_parties() {
        for parties in [1, 2, 3, 7, 64] {
            for fixed in [Fixed::INTEGER, Fixed::new(40).unwrap(), Fixed::DEFAULT] {
                let encoder = fixed.among(parties);
                let most = encoder.bound() as i128;
                let sums = encoder.integer(0, most).unwrap().checked_mul(parties as u128).unwrap();
                assert_eq!(fixed.decode_integer(sums), Some(most * parties as i128), "{parties} of it do not wrap");
                assert_eq!(encoder.integer(0, -most).unwrap(), encoder.integer(0, most).unwrap().wrapping_neg());
                let refused = FixedError::OutOfRange { position: 5, parties, bound: encoder.bound() };
                if let Some(more) = most.checked_add(1) {
                    assert_eq!(encoder.integer(5, more), Err(refused));
                }
                assert_eq!(encoder.float(5, 2f64.powi(127)), Err(refused));
            }
        }
    }

    #[test]
    fn huge_and_undefined_numbers_are_refused_by_position() {
        let encoder = Fixed::DEFAULT.among(2);
        let out = |position| FixedError::OutOfRange { position, parties: 2, bound: (1 << 62) - 1 };
        assert_eq!(encoder.floats([1.0, 1e300]), Err(out(1)));
        assert_eq!(encoder.floats([-f64::MAX]), Err(out(0)));
        assert_eq!(encoder.floats([2f64.powi(62)]), Err(out(0)));
        assert!(encoder.floats([2f64.powi(62).next_down()]).is_ok());
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(encoder.floats([0.0, 0.0, number]), Err(FixedError::NotFinite { position: 2 }));
        }
        assert_eq!(Fixed::new(121), Err(FixedError::FractionBits { given: 121 }));
    }

    #[test]
    fn errors_name_the_place_and_the_bound_but_not_the_value() {
        let error = Fixed::DEFAULT.among(3).float(4, 7.5e42).unwrap_err().to_string();
        assert_eq!(
            error,
            "the number at position 4 is out of range: with 3 parties it may be up to ±3074457345618258602"
        );
    }

    #[test]
    fn tiny_numbers_and_negative_zero_become_zero() {
        let encoder = Fixed::DEFAULT.among(2);
        assert_eq!(encoder.floats([1e-300, -1e-300, 5e-324, -0.0]), Ok(vec![0; 4]));
        assert!(Fixed::DEFAULT.decode(0).is_sign_positive());
    }

    #[test]
    fn local_sums_are_exact_where_floats_are_not() {
        let mut sum = Fixed::DEFAULT.among(3).sum();
        for number in [1e16, 1.0, -1e16, 2f64.powi(-64)] {
            sum.add_float(number).unwrap();
        }
        sum.add_integer((1 << 60) + 1).unwrap();
        assert_eq!(sum.finish(), Ok((((1 << 60) + 2) << 64) + 1));
    }

    #[test]
    fn local_sums_do_not_leave_the_range() {
        let encoder = Fixed::DEFAULT.among(2);
        let mut sum = encoder.sum();
        sum.add_float(4e18).unwrap();
        sum.add_float(4e18).unwrap();
        assert_eq!(sum.finish(), Err(FixedError::SumOutOfRange { terms: 2, parties: 2, bound: encoder.bound() }));
        sum.add_float(-4e18).unwrap();
        assert_eq!(sum.finish().map(|total| Fixed::DEFAULT.decode(total)), Ok(4e18), "only the end counts");
        sum.add_float(4e18).unwrap();
        let overflow = FixedError::SumOutOfRange { terms: 5, parties: 2, bound: encoder.bound() };
        assert_eq!(sum.add_float(4e18), Err(overflow), "an accumulator does not wrap");
        let mut sum = encoder.sum();
        sum.add_integer(0).unwrap();
        assert_eq!(sum.add_float(f64::NAN), Err(FixedError::NotFinite { position: 1 }));
    }

    #[test]
    #[allow(clippy::float_cmp)] // exactly that float is the claim
    fn sums_decode_to_the_nearest_float() {
        let fixed = Fixed::DEFAULT;
        assert_eq!(fixed.decode(1), 2f64.powi(-64));
        assert_eq!(fixed.decode(u128::MAX), -(2f64.powi(-64)));
        assert_eq!(fixed.decode(((1 << 53) + 1) << 64), 2f64.powi(53), "a tie goes to the even mantissa");
        assert_eq!(fixed.decode((((1 << 53) + 1) << 64) + 1), 2f64.powi(53) + 2.0, "no tie");
        assert_eq!(fixed.decode(1 << 127), -(2f64.powi(63)));
        assert_eq!(fixed.decode_integer(3 << 63), None);
        assert_eq!(fixed.decode_integer((5u128 << 64).wrapping_neg()), Some(-5));
    }

    proptest! {
        /// x·2^f, its rounding and the conversion are exact in the machine's own arithmetic: another way to the same.
        #[test]
        fn floats_encode_as_hardware_rounds(mantissa in -2.0..2.0f64, exponent in -1074..200, fraction_bits in 0..=120u32) {
            let number = mantissa * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2);
            let scaled = (number * 2f64.powi(fraction_bits as i32)).round_ties_even();
            let encoded = Fixed::new(fraction_bits).unwrap().among(1).float(0, number);
            if scaled.abs() < 2f64.powi(127) {
                prop_assert_eq!(encoded, Ok(scaled as i128 as u128));
            } else {
                prop_assert!(encoded.is_err());
            }
        }

        #[test]
        fn any_bits_of_a_float_are_a_number_near_by_or_an_error(bits: u64) {
            let number = f64::from_bits(bits);
            match Fixed::DEFAULT.among(2).float(0, number) {
                Ok(element) => prop_assert!((Fixed::DEFAULT.decode(element) - number).abs() <= 2f64.powi(-65)),
                Err(FixedError::NotFinite { .. }) => prop_assert!(!number.is_finite()),
                Err(_) => prop_assert!(number.is_finite() && number.abs() >= 2f64.powi(62)),
            }
        }

        /// The compiler's own conversion is correctly rounded, too, but several times as slow.
        #[test]
        fn decoding_rounds_as_the_compiler_does(bits: u128, shift in 0..128u32, fraction_bits in 0..=120u32) {
            let element = (bits as i128 >> shift) as u128;
            let expected = element as i128 as f64 * 2f64.powi(-(fraction_bits as i32));
            prop_assert_eq!(Fixed::new(fraction_bits).unwrap().decode(element).to_bits(), expected.to_bits());
        }

        #[test]
        fn sums_do_not_depend_on_the_order(mut numbers in prop::collection::vec(-1e15..1e15, 0..50)) {
            let total = |numbers: &[f64]| {
                let mut sum = Fixed::DEFAULT.among(64).sum();
                numbers.iter().try_for_each(|number| sum.add_float(*number)).unwrap();
                sum.finish()
            };
            let forward = total(&numbers);
            numbers.reverse();
            prop_assert_eq!(total(&numbers), forward);
        }
    }
}
