//! The selection of an implementation, made at the first call.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::avx2::Avx2;
use crate::{Skip, Skipped, portable};

/// The environment variable that disables AVX2 if it is `off`.
const SWITCH: &str = "REDRESS_SIMD";

/// An implementation that this process can run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Implementation {
    /// Words of eight bytes, on every target.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
}

impl Implementation {
    /// Returns the selected implementation.
    #[inline]
    pub(crate) fn get() -> Self {
        static CHOSEN: OnceLock<Implementation> = OnceLock::new();
        *CHOSEN.get_or_init(Self::choose)
    }

    /// Reads the environment and detects the features, once in a process.
    #[cold]
    fn choose() -> Self {
        if std::env::var_os(SWITCH).is_some_and(|value| value == "off") { Self::Portable } else { Self::best() }
    }

    /// Returns the fastest implementation that the processor has the features for.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn best() -> Self {
        Avx2::detect().map_or(Self::Portable, Self::Avx2)
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) const fn best() -> Self {
        Self::Portable
    }

    /// Skips in a chunk.
    #[inline]
    pub(crate) fn feed(self, skip: &mut Skip, chunk: &[u8]) -> Skipped {
        match self {
            Self::Portable => portable::feed(skip, chunk),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.feed(skip, chunk),
        }
    }

    /// Returns the length of the plain run at the start of a text.
    #[inline]
    pub(crate) fn plain_run(self, text: &[u8]) -> usize {
        match self {
            Self::Portable => portable::plain_run(text),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.plain_run(text),
        }
    }

    /// Returns the name, as [`implementation`](crate::implementation) does.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
        }
    }
}
