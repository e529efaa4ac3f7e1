//! The bus against its model, as a list of operations.

use arbitrary::{Result, Unstructured};
use fsc_core::sim::bus::{Op, follows_the_model};

/// More than enough to fill every quota several times.
const MOST_OPS: usize = 300;

/// Whatever two principals do, the bus answers as the model does.
pub fn bus(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let ops = std::iter::from_fn(|| if input.is_empty() { None } else { read(&mut input).ok() });
    follows_the_model(ops.take(MOST_OPS));
}

fn read(input: &mut Unstructured<'_>) -> Result<(bool, Op)> {
    let second = input.ratio(1_u8, 2)?;
    let choice = input.int_in_range(0..=11)?;
    let mut below = |bound: usize| input.int_in_range(0..=bound - 1);
    let op = match choice {
        0 => Op::Create,
        1 => Op::Upload { letters: below(900)? },
        2 => Op::Keep { handle: below(64)? },
        3 => Op::Look { handle: below(64)? },
        4 => Op::Attribute { handle: below(64)? },
        5 => Op::Echo { tool: below(64)?, argument: below(64)? },
        6 => Op::EchoText { tool: below(64)?, letters: below(900)? },
        7 => Op::ChainEcho { argument: below(64)? },
        8 => Op::ChainDownload { argument: below(64)? },
        9 => Op::Download { handle: below(64)? },
        10 => Op::Release { handle: below(64)? },
        _ => Op::Wait { seconds: below(400)? as u64 },
    };
    Ok((second, op))
}
