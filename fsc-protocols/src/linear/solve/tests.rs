use super::*;

#[test]
fn a_triangle_holds_every_pair_once() {
    let mut places: Vec<usize> =
        (0..5).flat_map(|row| (row..5).map(move |column| in_triangle(5, row, column))).collect();
    places.sort_unstable();
    assert_eq!(places, (0..15).collect::<Vec<_>>());
    assert_eq!(in_triangle(5, 3, 1), in_triangle(5, 1, 3));
}
