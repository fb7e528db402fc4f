//! Whoever the others are: one honest peer is enough.

use std::time::Duration;

use proptest::prelude::*;
use quorate_types::Height;

use crate::{
    chain::peer,
    world::{Character, LIES, World},
};

fn character() -> impl Strategy<Value = Character> {
    prop_oneof![
        Just(Character::Honest),
        Just(Character::Slow),
        Just(Character::Silent),
        Just(Character::Boaster),
        Just(Character::Withholder),
        Just(Character::Garbage),
        prop::sample::select(&LIES[..]).prop_map(Character::Lies),
        Just(Character::Stingy),
        Just(Character::Flooder),
        Just(Character::Unreachable),
        Just(Character::Malformed),
        Just(Character::Flapping),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Each effect is checked by the world: in order, proved, on the head, within every bound.
    #[test]
    fn one_honest_peer_is_enough(
        seed: u64,
        target in 1_u64..=180,
        honest_place in 0_u8..8,
        others in prop::collection::vec(character(), 0..8),
        decided_meanwhile in 0_usize..3,
    ) {
        let honest = peer(honest_place);
        let others = others.into_iter().zip(10_u8..).map(|(it, number)| (peer(number), it));
        let peers: Vec<_> = others.chain([(honest, Character::Honest)]).collect();
        let mut world = World::new(seed, Height(target), peers.clone());
        if decided_meanwhile > 0 {
            let half = Height(target / 2);
            world.run_until(Duration::from_secs(600), |world| world.head >= half);
            for _ in 0..decided_meanwhile {
                world.decide();
            }
        }
        let end = world.tip;
        world.run_until(Duration::from_secs(600), |world| world.head == end);
        let honest_ones = peers.iter().filter(|(_, it)| {
            !matches!(it, Character::Garbage | Character::Lies(_) | Character::Flooder | Character::Malformed)
        });
        for (peer, character) in honest_ones {
            prop_assert!(world.punished(*peer).is_empty(), "{character:?} was punished");
        }
        prop_assert!(world.diverged.is_none());
    }
}
