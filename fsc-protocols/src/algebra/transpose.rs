//! Transposition of bit matrices of 128 rows and 128 columns.
//!
//! In place and recursively: the off-diagonal quadrants of a matrix change places, then each quadrant is transposed (Hacker's
//! Delight, 2nd edition, section 7-3). The first step moves words; the others are the same operations on the words of many
//! rows, which compilers turn into vector instructions on every architecture, so nothing here is written for one.

/// The rows and the columns of a matrix.
pub const SIDE: usize = 128;

/// Transposes a matrix: bit i of element j becomes bit j of element i.
pub fn transpose(matrix: &mut [u128; SIDE]) {
    let mut quadrants = [[[0; 64]; 2]; 2];
    for (row, bits) in matrix.iter().enumerate() {
        quadrants[row / 64][0][row % 64] = *bits as u64;
        quadrants[row / 64][1][row % 64] = (bits >> 64) as u64;
    }
    quadrants.iter_mut().flatten().for_each(transpose_words);
    for (row, bits) in matrix.iter_mut().enumerate() {
        let half = row / 64;
        *bits = u128::from(quadrants[0][half][row % 64]) | u128::from(quadrants[1][half][row % 64]) << 64;
    }
}

fn transpose_words(words: &mut [u64; 64]) {
    swap_quadrants::<32>(words, 0x0000_0000_ffff_ffff);
    swap_quadrants::<16>(words, 0x0000_ffff_0000_ffff);
    swap_quadrants::<8>(words, 0x00ff_00ff_00ff_00ff);
    swap_quadrants::<4>(words, 0x0f0f_0f0f_0f0f_0f0f);
    swap_quadrants::<2>(words, 0x3333_3333_3333_3333);
    swap_quadrants::<1>(words, 0x5555_5555_5555_5555);
}

/// In every square of `2 · HALF` rows and columns, swaps the upper right quadrant with the lower left one. The mask has the
/// columns of left quadrants.
fn swap_quadrants<const HALF: usize>(words: &mut [u64; 64], left: u64) {
    for square in words.chunks_exact_mut(2 * HALF) {
        let (upper, lower) = square.split_at_mut(HALF);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let change = (*upper >> HALF ^ *lower) & left;
            *lower ^= change;
            *upper ^= change << HALF;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn rows_become_columns() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for _ in 0..20 {
            let original: [u128; SIDE] = std::array::from_fn(|_| rng.random());
            let mut transposed = original;
            transpose(&mut transposed);
            for (row, bits) in original.iter().enumerate() {
                for (column, other) in transposed.iter().enumerate() {
                    assert_eq!(bits >> column & 1, other >> row & 1, "row {row}, column {column}");
                }
            }
            transpose(&mut transposed);
            assert_eq!(transposed, original);
        }
    }
}
