//! The tails of Student's t distribution.

/// The probability that |T| exceeds |t|, for T of Student's t distribution with that many degrees of freedom.
///
/// It is I_x(ν/2, 1/2) at x = ν/(ν + t²), the regularised incomplete beta function (Abramowitz and Stegun, 26.7.1). The relative
/// error is below 10^-10 for up to 10^6 degrees of freedom.
#[allow(clippy::many_single_char_names)] // the handbook's letters
pub fn two_sided(t: f64, degrees: f64) -> f64 {
    let (a, b) = (degrees / 2.0, 0.5);
    let ratio = t * t / degrees;
    if ratio.is_infinite() || ratio == 0.0 {
        return f64::from(u8::from(ratio == 0.0));
    }
    let (x, y) = (1.0 / (1.0 + ratio), ratio / (1.0 + ratio));
    // x^a·y^b / B(a, b), of which a large power is taken of a number next to 1.
    let front = (ln_gamma_ratio(a) - 0.5 * std::f64::consts::PI.ln() - a * ratio.ln_1p() + b * y.ln()).exp();
    // The fraction converges fast on one side of the mean, and the symmetry brings us there.
    if x < (a + 1.0) / (a + b + 2.0) { front * fraction(a, b, x) / a } else { 1.0 - front * fraction(b, a, y) / b }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8), by Lentz' algorithm.
#[allow(clippy::many_single_char_names)] // the handbook's letters
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let at_least = |number: f64| if number.abs() < TINY { TINY } else { number };
    let mut c = 1.0;
    let mut d = 1.0 / at_least(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for index in 1..10_000 {
        let m = f64::from(index);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for coefficient in [even, odd] {
            d = 1.0 / at_least(1.0 + coefficient * d);
            c = at_least(1.0 + coefficient / c);
            value *= c * d;
        }
        if (value - before).abs() <= f64::EPSILON * value.abs() {
            break;
        }
    }
    value
}

/// ln Γ(a + ½) − ln Γ(a) for a > 0, by Stirling's series (Abramowitz and Stegun, 6.1.40), term by term, after the argument was
/// raised to where it converges.
fn ln_gamma_ratio(a: f64) -> f64 {
    let (mut a, mut lowered) = (a, 1.0);
    while a < 15.0 {
        lowered *= a / (a + 0.5);
        a += 1.0;
    }
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let rest = |x: f64| series.iter().rev().fold(0.0, |sum, coefficient| sum / (x * x) + coefficient) / x;
    a * (0.5 / a).ln_1p() + 0.5 * a.ln() - 0.5 + rest(a + 0.5) - rest(a) + f64::ln(lowered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// t, degrees of freedom, and the probability in 60 digits, by `../ols/vectors.py`.
    #[rustfmt::skip]
    #[allow(clippy::unreadable_literal, clippy::excessive_precision)] // as they were computed
    const TAILS: [(f64, f64, f64); 56] = [
        (0.001, 1.0, 9.9936338043983888e-1),
        (0.001, 2.0, 9.9929289339559008e-1),
        (0.001, 5.0, 9.9924078677219765e-1),
        (0.001, 9.0, 9.9922393032597327e-1),
        (0.001, 30.0, 9.9920873576648509e-1),
        (0.001, 1000.0, 9.9920231501845273e-1),
        (0.001, 1_000_000.0, 9.9920211577164909e-1),
        (0.5, 1.0, 7.0483276469913345e-1),
        (0.5, 2.0, 6.6666666666666667e-1),
        (0.5, 5.0, 6.3829887164092901e-1),
        (0.5, 9.0, 6.2907129982602648e-1),
        (0.5, 30.0, 6.2072300488512729e-1),
        (0.5, 1000.0, 6.1718508083387481e-1),
        (0.5, 1_000_000.0, 6.1707518747237139e-1),
        (1.0, 1.0, 5.0e-1),
        (1.0, 2.0, 4.2264973081037424e-1),
        (1.0, 5.0, 3.6321746764912263e-1),
        (1.0, 9.0, 3.4343639613791351e-1),
        (1.0, 30.0, 3.2530861542602989e-1),
        (1.0, 1000.0, 3.1755241808467231e-1),
        (1.0, 1_000_000.0, 3.1731074983357813e-1),
        (2.0, 1.0, 2.9516723530086655e-1),
        (2.0, 2.0, 1.8350341907227397e-1),
        (2.0, 5.0, 1.0193947882985836e-1),
        (2.0, 9.0, 7.6552823770701041e-2),
        (2.0, 30.0, 5.4625044962983104e-2),
        (2.0, 1000.0, 4.577034649325164e-2),
        (2.0, 1_000_000.0, 4.5500533851319208e-2),
        (3.5, 1.0, 1.771710655658095e-1),
        (3.5, 2.0, 7.2827350054469335e-2),
        (3.5, 5.0, 1.7284431785293355e-2),
        (3.5, 9.0, 6.7235157630589563e-3),
        (3.5, 30.0, 1.4768074376442531e-3),
        (3.5, 1000.0, 4.8577434596783224e-4),
        (3.5, 1_000_000.0, 4.6527839368103497e-4),
        (12.0, 1.0, 5.2929352119179751e-2),
        (12.0, 2.0, 6.8729336771584601e-3),
        (12.0, 5.0, 7.0894925171615227e-5),
        (12.0, 9.0, 7.699886222985652e-7),
        (12.0, 30.0, 5.5801854151992561e-13),
        (12.0, 1000.0, 4.3240573867745275e-31),
        (12.0, 1_000_000.0, 3.5716851247650898e-33),
        (40.0, 1.0, 1.5912179824051627e-2),
        (40.0, 2.0, 6.2441467218474064e-4),
        (40.0, 5.0, 1.8411962171772954e-7),
        (40.0, 9.0, 1.8982998449339826e-11),
        (40.0, 30.0, 1.3726045194406403e-27),
        (40.0, 1000.0, 1.0478852155173361e-209),
        (40.0, 1_000_000.0, 0.0),
        (100_000.0, 1.0, 6.3661977234636068e-6),
        (100_000.0, 2.0, 9.9999999985e-11),
        (100_000.0, 5.0, 1.8980334470788649e-24),
        (100_000.0, 9.0, 5.0917940554669758e-42),
        (100_000.0, 30.0, 2.072906840146629e-129),
        (100_000.0, 1000.0, 0.0),
        (100_000.0, 1_000_000.0, 0.0),
    ];

    #[test]
    fn tails_are_those_of_a_computation_in_sixty_digits() {
        for (t, degrees, expected) in TAILS {
            for found in [two_sided(t, degrees), two_sided(-t, degrees)] {
                let error = (found - expected).abs();
                assert!(error <= 1e-10 * expected, "t = {t}, {degrees} degrees: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn the_middle_and_the_ends_are_certain() {
        assert_eq!(two_sided(0.0, 3.0), 1.0);
        assert_eq!(two_sided(f64::MAX, 3.0), 0.0);
    }
}
