//! The polynomials of the iteration, which follow from what is public.

/// Bits behind the point of a.
pub const SCALE: u32 = 16;

/// Where all eigenvalues are accepted, the trace of E is half of 2^-TRACE at most when it is looked at.
pub const TRACE: u32 = 9;

/// The steps after which 2^-TRACE has become nothing: (2^-9)^(2^3).
const LAST_STEPS: usize = 3;

/// a of each step, and how far numbers may grow.
pub struct Schedule {
    /// a, in units of 2^-[`SCALE`].
    pub scales: Vec<u32>,
    /// After so many steps, every eigenvalue of α·∏a(I + E) is 2^growth at most, whatever those of M are.
    pub growth: Vec<u32>,
}

impl Schedule {
    /// For that many columns, whose M has eigenvalues from 1/`condition` to 2^`halvings`.
    pub fn new(columns: usize, halvings: u32, condition: u32) -> Self {
        let alpha = 1.0 / f64::from(1_u32 << halvings);
        // The accepted eigenvalues of E are from −reach to reach; `largest` is that of α·∏a(I + E), which doubles with a = 1.
        let (mut reach, mut largest) = (1.0 - alpha / f64::from(condition), alpha);
        let mut schedule = Self { scales: Vec::new(), growth: vec![0] };
        let unit = f64::from(1_u32 << SCALE);
        while columns as f64 * reach > 0.5_f64.powi(TRACE as i32 + 1) {
            let scale = (unit * 2.0 / (2.0 - reach * reach)).floor();
            let a = scale / unit;
            reach = (a * reach * reach - (a - 1.0)).max(a - 1.0);
            largest *= 2.0 * a;
            schedule.scales.push(scale as u32);
            schedule.growth.push(crate::linear::scaling::exponent(&[largest.max(0.5)]) as u32);
        }
        // What was accepted does not grow any more: E is next to nothing, and so is a − 1.
        let growth = schedule.growth.last().copied().unwrap_or_default();
        schedule.scales.extend([1 << SCALE; LAST_STEPS]);
        schedule.growth.extend([growth; LAST_STEPS]);
        schedule
    }

    /// The number of steps.
    pub fn steps(&self) -> usize {
        self.scales.len()
    }

    /// After how many of them the trace is looked at.
    pub fn steps_before_check(&self) -> usize {
        self.steps() - LAST_STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E of the eigenvalue λ of M after some steps, and what α·∏a(1 + E) is then.
    fn eigenvalues(schedule: &Schedule, steps: usize, alpha: f64, lambda: f64) -> (f64, f64) {
        schedule.scales[..steps].iter().fold((1.0 - alpha * lambda, alpha), |(e, inverse), scale| {
            let a = f64::from(*scale) / f64::from(1_u32 << SCALE);
            (a * e * e - (a - 1.0), a * (inverse + e * inverse))
        })
    }

    #[test]
    fn accepted_eigenvalues_are_inverted_and_others_noticed() {
        for (columns, halvings, condition) in [(2, 1, 1), (2, 1, 16), (10, 1, 1_000_000), (32, 5, 1 << 20)] {
            let schedule = Schedule::new(columns, halvings, condition);
            let (alpha, blocks) = (0.5_f64.powi(halvings as i32), 2_f64.powi(halvings as i32));
            let least = 1.0 / f64::from(condition);
            let bound = 0.5_f64.powi(TRACE as i32 + 1) / columns as f64;
            for index in 0..=1000 {
                let lambda = least * (blocks / least).powf(f64::from(index) / 1000.0);
                let (e, _) = eigenvalues(&schedule, schedule.steps_before_check(), alpha, lambda);
                assert!(e.abs() <= bound * 1.001, "{lambda}: {e}");
                let (_, inverse) = eigenvalues(&schedule, schedule.steps(), alpha, lambda);
                assert!((inverse * lambda - 1.0).abs() < 1e-6, "{lambda}: {inverse}");
            }
            for lambda in [0.0, least / 4.0, least / 2.0] {
                let (e, inverse) = eigenvalues(&schedule, schedule.steps_before_check(), alpha, lambda);
                assert!(condition == 1 || e > 2.0 * 0.5_f64.powi(TRACE as i32), "{lambda}: {e}");
                assert!(inverse <= 2_f64.powi(schedule.growth[schedule.steps_before_check()] as i32));
            }
        }
    }

    #[test]
    fn a_condition_of_a_million_takes_seventeen_steps() {
        assert_eq!(Schedule::new(10, 1, 1_000_000).steps(), 17);
    }
}
