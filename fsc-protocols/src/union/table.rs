//! The invertible Bloom lookup table.

use bytes::Bytes;
use fsc_core::envelope::RunId;
use fsc_core::party::{Party, Passage, Share};
use rand::{Rng, RngExt};

use crate::algebra::{gf128, ring};
use crate::sharing::masks;
use crate::union::Capacity;
use crate::union::block::{Block, Content, Naming};

/// The words of a cell.
const WORDS: usize = 8;

/// R, R · name, R · content in GF(2^128), and a count in Z/2^128: of one block, or summed over several.
pub(super) type Cell = [u128; WORDS];

/// A cell of nothing.
const EMPTY: Cell = [0; WORDS];

/// A table: secret as long as it is one party's, the sum of all parties' once it was opened.
pub(super) struct Table {
    naming: Naming,
    shape: Shape,
    cells: Vec<Cell>,
}

impl Table {
    /// An empty table of a run.
    pub(super) fn new(capacity: Capacity, run: RunId) -> Self {
        Self::shaped(Shape::of(capacity), run)
    }

    /// An empty table of that shape.
    pub(super) fn shaped(shape: Shape, run: RunId) -> Self {
        Self { naming: Naming::of(run), shape, cells: vec![EMPTY; shape.cells()] }
    }

    /// The table of these cells.
    pub(super) fn of(cells: Vec<Cell>, capacity: Capacity, run: RunId) -> Self {
        Self { naming: Naming::of(run), shape: Shape::of(capacity), cells }
    }

    /// The table that travelled as these bytes.
    pub(super) fn from_wire(wire: &[u8], capacity: Capacity, run: RunId) -> Option<Self> {
        (wire.len() == Self::wire_size(capacity)).then(|| Self::of(Masked::read(wire), capacity, run))
    }

    /// The size of a table in bytes.
    pub(super) fn wire_size(capacity: Capacity) -> usize {
        Shape::of(capacity).cells() * size_of::<Cell>()
    }

    /// Adds the blocks of a key, each times a random element.
    pub(super) fn insert_key(&mut self, key: &[u8], count: u64, rng: &mut impl Rng) {
        let contents = self.naming.contents(key);
        let first = contents.len() - 1;
        for (index, content) in contents.into_iter().enumerate() {
            self.insert(content, rng.random(), if index == first { count } else { 0 });
        }
    }

    /// Adds a block times `factor`, `count` times.
    pub(super) fn insert(&mut self, content: Content, factor: u128, count: u64) {
        let (block, words) = self.naming.block(content);
        let cell = cell_of(&block, factor, count);
        for place in self.shape.places(words) {
            add(&mut self.cells[place], &cell);
        }
    }

    /// My share of the sum of all parties' tables.
    pub(super) fn mask(self, party: &mut Party) -> Masked {
        let mut words = self.cells.into_flattened();
        masks::mask(party, &mut words, add, subtract);
        Masked(words)
    }

    /// The blocks and their counts; `None` if they can't be told apart, or are more than there is room for.
    ///
    /// Cell after cell of one block is emptied, with the block's other cells. That is done in waves, so that a wave's
    /// divisions share one inversion.
    pub(super) fn take_apart(self) -> Option<Vec<(Block, u128)>> {
        self.take_apart_with(|cell| cell[WORDS - 1])
    }

    /// The blocks, and what is asked of the cells that hold nothing else.
    fn take_apart_with(mut self, of: fn(&Cell) -> u128) -> Option<Vec<(Block, u128)>> {
        let mut found = Vec::new();
        let mut wave: Vec<usize> = (0..self.cells.len()).collect();
        while !wave.is_empty() {
            let mut inverses: Vec<u128> = wave.iter().map(|place| self.cells[*place][0]).collect();
            gf128::invert_all(&mut inverses);
            let mut changed = Vec::new();
            for (place, inverse) in wave.into_iter().zip(inverses) {
                if let Some((block, places)) = self.single(place, inverse) {
                    let cell = self.cells[place];
                    for place in &places {
                        subtract(&mut self.cells[*place], &cell);
                    }
                    changed.extend(places);
                    found.push((block, of(&cell)));
                }
            }
            // Only bad tables have more, and some of them never end.
            if found.len() > self.shape.blocks {
                return None;
            }
            changed.sort_unstable();
            changed.dedup();
            wave = changed;
        }
        self.cells.iter().all(|cell| *cell == EMPTY).then_some(found)
    }

    /// The block of a cell that holds just one, and all its places. `inverse` is that of the cell's R, unless the cell has
    /// changed since; then its turn comes again.
    fn single(&self, place: usize, inverse: u128) -> Option<(Block, Vec<usize>)> {
        let cell = &self.cells[place];
        if gf128::multiply(cell[0], inverse) != 1 {
            return None;
        }
        let content = std::array::from_fn(|index| gf128::multiply(cell[2 + index], inverse));
        let (block, words) = self.naming.block(content);
        if gf128::multiply(cell[1], inverse) != block.name {
            return None;
        }
        let places = self.shape.places(words);
        places.contains(&place).then_some((block, places))
    }
}

/// One party's share of the sum of all tables. It can be opened, but neither printed nor serialised.
pub(super) struct Masked(Vec<u128>);

impl Share for Masked {
    type Element = Cell;

    fn into_wire(self, _: &Passage) -> Bytes {
        ring::encode(self.0)
    }

    fn of(cells: Vec<Cell>, _: &Passage) -> Self {
        Self(cells.into_flattened())
    }

    fn read(wire: &[u8]) -> Vec<Cell> {
        wire.as_chunks().0.iter().map(cell_from).collect()
    }

    fn add(sum: &mut [Cell], wire: &[u8]) {
        for (sum, cell) in sum.iter_mut().zip(wire.as_chunks().0) {
            add(sum, &cell_from(cell));
        }
    }
}

/// How many cells a table has, and where a block's are.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The blocks that there is room for.
    pub(super) blocks: usize,
    /// g: the parts, in each of which a block has one cell.
    pub(super) parts: usize,
    /// b: the cells of a part.
    pub(super) width: usize,
}

/// g and b for 2^3, 2^4, … 2^18 blocks: the smallest tables for which the bound of the module's documentation is below 2^-40.
const SHAPES: [(usize, usize); 16] = [
    (20, 5),
    (18, 7),
    (14, 12),
    (12, 21),
    (10, 44),
    (9, 82),
    (8, 159),
    (7, 346),
    (7, 633),
    (6, 1450),
    (6, 2657),
    (6, 5299),
    (6, 10_582),
    (5, 23_028),
    (5, 46_200),
    (5, 92_500),
];

impl Shape {
    pub(super) fn of(capacity: Capacity) -> Self {
        let blocks = capacity.blocks();
        let (parts, width) = SHAPES[blocks.ilog2() as usize - 3];
        Self { blocks, parts, width }
    }

    fn cells(self) -> usize {
        self.parts * self.width
    }

    /// The places of the block that these words belong to, one in each part.
    fn places(self, mut words: blake3::OutputReader) -> Vec<usize> {
        let mut place_in = |part: usize| {
            let mut word = [0; 4];
            words.fill(&mut word);
            // A word times the width, over 2^32: even to one in 2^15, for the widest.
            part * self.width + ((u64::from(u32::from_le_bytes(word)) * self.width as u64) >> 32) as usize
        };
        (0..self.parts).map(&mut place_in).collect()
    }
}

fn cell_of(block: &Block, factor: u128, count: u64) -> Cell {
    let mut cell = [factor, gf128::multiply(factor, block.name), 0, 0, 0, 0, 0, count.into()];
    for (word, content) in cell[2..].iter_mut().zip(block.content) {
        *word = gf128::multiply(factor, content);
    }
    cell
}

fn cell_from(bytes: &[u8; size_of::<Cell>()]) -> Cell {
    let words = bytes.as_chunks().0;
    std::array::from_fn(|index| u128::from_le_bytes(words[index]))
}

/// Adds cells.
fn add(sums: &mut [u128], cells: &[u128]) {
    combine(sums, cells, u128::wrapping_add);
}

/// Takes cells away.
fn subtract(sums: &mut [u128], cells: &[u128]) {
    combine(sums, cells, u128::wrapping_sub);
}

fn combine(sums: &mut [u128], cells: &[u128], counts: fn(u128, u128) -> u128) {
    for (sum, cell) in sums.as_chunks_mut::<WORDS>().0.iter_mut().zip(cells.as_chunks::<WORDS>().0) {
        for (sum, word) in sum[..WORDS - 1].iter_mut().zip(cell) {
            *sum ^= word;
        }
        sum[WORDS - 1] = counts(sum[WORDS - 1], cell[WORDS - 1]);
    }
}

#[cfg(test)]
impl Table {
    /// All words of all cells.
    pub(super) fn words(&self) -> impl Iterator<Item = u128> {
        self.cells.iter().flatten().copied()
    }

    /// Each block's R, by the block's name.
    pub(super) fn factors(&self) -> Option<std::collections::BTreeMap<u128, u128>> {
        let copy = Self { cells: self.cells.clone(), ..*self };
        let blocks = copy.take_apart_with(|cell| cell[0])?;
        Some(blocks.into_iter().map(|(block, factor)| (block.name, factor)).collect())
    }
}
