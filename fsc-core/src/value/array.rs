//! Dense arrays of numbers.

/// (to come)
#[derive(Clone, Debug, PartialEq)]
pub struct Array;
impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        0
    }
}
