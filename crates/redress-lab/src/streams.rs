//! Seeded random number streams, one per use.
//!
//! A policy that draws more numbers than another one must not change the arrivals or the service times.
//! Separate streams are the standard technique for that (Law, *Simulation Modeling and Analysis*).

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

/// The random number generator of the lab. It is a named algorithm, so a seed gives the same numbers in
/// every version of `rand`.
pub type Random = Xoshiro256PlusPlus;

/// The use of a random number stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Arrival times and methods of calls: the same for every policy.
    Arrivals,
    /// Service times, and the requests that a fault hits.
    Server,
    /// Jitter of the policy.
    Policy,
    /// Network delays.
    Network,
}

/// Returns the stream of a seed for one use.
///
/// # Examples
/// ```
/// use rand::RngExt;
/// use redress_lab::{Stream, stream};
///
/// let draw = |seed, use_of| stream(seed, use_of).random::<u64>();
/// assert_eq!(draw(1, Stream::Server), draw(1, Stream::Server));
/// assert_ne!(draw(1, Stream::Server), draw(1, Stream::Policy));
/// ```
#[must_use]
pub fn stream(seed: u64, stream: Stream) -> Random {
    // The seeds come from a generator themselves, so streams of neighbouring seeds are unrelated.
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
    fn streams_are_reproducible_and_independent() {
        let draw = |seed, which| stream(seed, which).random::<u64>();
        assert_eq!(draw(1, Stream::Server), draw(1, Stream::Server));
        assert_ne!(draw(1, Stream::Server), draw(1, Stream::Policy));
        assert_ne!(draw(1, Stream::Server), draw(2, Stream::Server));
    }
}
