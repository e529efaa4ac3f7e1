//! The bus against the model of [`crate::sim::bus`], with random lists of operations.

use proptest::prelude::*;

use crate::sim::bus::{Op, follows_the_model};

fn op() -> impl Strategy<Value = Op> {
    let handle = || 0..64_usize;
    let letters = || 0..900_usize;
    prop_oneof![
        Just(Op::Create),
        letters().prop_map(|letters| Op::Upload { letters }),
        handle().prop_map(|handle| Op::Keep { handle }),
        handle().prop_map(|handle| Op::Look { handle }),
        handle().prop_map(|handle| Op::Attribute { handle }),
        (handle(), handle()).prop_map(|(tool, argument)| Op::Echo { tool, argument }),
        (handle(), letters()).prop_map(|(tool, letters)| Op::EchoText { tool, letters }),
        handle().prop_map(|argument| Op::ChainEcho { argument }),
        handle().prop_map(|argument| Op::ChainDownload { argument }),
        handle().prop_map(|handle| Op::Download { handle }),
        handle().prop_map(|handle| Op::Release { handle }),
        (0..400_u64).prop_map(|seconds| Op::Wait { seconds }),
    ]
}

proptest! {
    #[test]
    fn the_bus_does_what_the_model_says(ops in prop::collection::vec((any::<bool>(), op()), 1..120)) {
        follows_the_model(ops);
    }
}
