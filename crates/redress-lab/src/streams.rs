//! Seeded random numbers, one stream for each use, so that what one part draws moves nothing in another.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

/// The lab's source of random numbers. A named generator, so that a seed means the same in every version.
pub type Random = Xoshiro256PlusPlus;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// When calls arrive, and what they ask for: the same for every policy.
    Arrivals,
    /// What the server draws: service times, who is hit by a fault.
    Server,
    /// What the policy draws: jitter.
    Policy,
    /// How long the network takes.
    Network,
}

/// Returns the stream of a seed.
#[must_use]
pub fn stream(seed: u64, stream: Stream) -> Random {
    // Numbers of the seed's own sequence: streams of neighbouring seeds have nothing in common.
    let mut seeds = Random::seed_from_u64(seed);
    let [arrivals, server, policy, network]: [u64; 4] = seeds.random();
    Random::seed_from_u64(match stream {
        Stream::Arrivals => arrivals,
        Stream::Server => server,
        Stream::Policy => policy,
        Stream::Network => network,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_the_same_numbers_again_and_others_for_another_use() {
        let draw = |seed, which| stream(seed, which).random::<u64>();
        assert_eq!(draw(1, Stream::Server), draw(1, Stream::Server));
        assert_ne!(draw(1, Stream::Server), draw(1, Stream::Policy));
        assert_ne!(draw(1, Stream::Server), draw(2, Stream::Server));
    }
}
