//! The state that the clones of a `ReplayBody` share: the inner body, and the pieces that were read from it.

use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// The inner body, and the pieces read from it while they fit the limit.
pub(super) struct Log<B> {
    source: Source<B>,
    /// Every piece that was read; empty once the pieces were discarded.
    pieces: Vec<Piece>,
    /// Whether every piece that was read is in `pieces`.
    kept: bool,
    /// The number of pieces read so far.
    read: usize,
    /// The number of data bytes read so far.
    bytes: u64,
    /// The size of `pieces` in bytes, trailers included.
    held: usize,
    /// The maximum of `held`, unless the body is in memory.
    limit: usize,
    /// Whether the body counts as being in memory: its length is known, and no poll was pending so far.
    in_memory: bool,
    /// The size hint of the unread part.
    rest: SizeHint,
    /// The number of live clones.
    clones: usize,
    /// Whether a clone found the body taken and waits for it.
    missed: bool,
    next_id: u64,
}

/// The inner body.
enum Source<B> {
    /// No clone polls it.
    Idle(Pin<Box<B>>),
    /// A clone polls it, without holding the lock.
    Taken,
    /// It was read to its end.
    Ended,
    /// It failed or panicked.
    Failed,
}

/// A frame that can be given to several clones.
#[derive(Clone)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

/// The state at the position of a clone.
pub(super) enum Found<B> {
    Piece(Piece),
    /// The body itself, to be polled and put back.
    Body(Pin<Box<B>>),
    Taken,
    End,
    Failed,
    /// The piece at this position is no longer kept.
    Discarded,
}

/// The result of a poll of the inner body.
pub(super) enum Polled {
    Pending,
    /// A frame that is given to one clone only: an empty one, or one that is neither data nor trailers.
    Unlogged {
        is_data: bool,
    },
    Piece(Piece),
    End,
    Failed,
}

/// Values to drop after the lock is released, since their destructors run user code.
pub(super) type Dropped<B> = (Vec<Piece>, Option<Pin<Box<B>>>);

/// The maximum number of pieces, beside one for every 64 bytes of the limit.
const SPARE_PIECES: usize = 1_024;

impl<B: http_body::Body> Log<B> {
    pub(super) fn new(body: B, limit: usize) -> Self {
        let rest = body.size_hint();
        let source = if body.is_end_stream() { Source::Ended } else { Source::Idle(Box::pin(body)) };
        Self {
            source,
            pieces: Vec::new(),
            kept: true,
            read: 0,
            bytes: 0,
            held: 0,
            limit,
            in_memory: false,
            rest,
            clones: 1,
            missed: false,
            next_id: 1,
        }
    }
}

impl<B> Log<B> {
    /// Lifts the limit while the body counts as being in memory.
    pub(super) fn lift_limit_in_memory(mut self) -> Self {
        self.in_memory = self.rest.exact().is_some();
        self
    }

    /// Adds a clone and returns its id, or `None` if it could not give the whole body.
    pub(super) fn add_clone(&mut self) -> Option<u64> {
        let id = self.is_whole().then_some(self.next_id)?;
        self.next_id += 1;
        self.clones += 1;
        Some(id)
    }

    pub(super) const fn remove_clone(&mut self) {
        self.clones -= 1;
    }

    /// Returns `true` if a clone at the start could give the whole body.
    pub(super) const fn is_whole(&self) -> bool {
        self.kept && !matches!(self.source, Source::Failed)
    }

    /// Returns the number of pieces read so far.
    pub(super) const fn read(&self) -> usize {
        self.read
    }

    /// Returns the state at a position. [`Found::Body`] takes the inner body out of the log.
    pub(super) fn find(&mut self, position: usize) -> Found<B> {
        if position < self.read {
            let piece = if self.kept { self.pieces.get(position) } else { None };
            return piece.cloned().map_or(Found::Discarded, Found::Piece);
        }
        match std::mem::replace(&mut self.source, Source::Taken) {
            Source::Idle(body) => Found::Body(body),
            Source::Taken => {
                self.missed = true;
                Found::Taken
            }
            Source::Ended => {
                self.source = Source::Ended;
                Found::End
            }
            Source::Failed => {
                self.source = Source::Failed;
                Found::Failed
            }
        }
    }

    /// Puts the inner body back after a poll and records the result. `rest` is `None` at the end of the body.
    ///
    /// Returns the values to drop, and whether the other clones must be woken.
    pub(super) fn put_back(
        &mut self,
        body: Option<Pin<Box<B>>>,
        polled: Polled,
        rest: Option<SizeHint>,
    ) -> (Dropped<B>, bool) {
        let missed = std::mem::take(&mut self.missed);
        let wake = missed || !matches!(polled, Polled::Pending);
        let failed = matches!(polled, Polled::Failed);
        let dropped = match polled {
            Polled::Piece(piece) => self.push(piece),
            Polled::Unlogged { is_data: false } => self.discard(),
            Polled::Pending => self.apply_limit(),
            Polled::Unlogged { is_data: true } | Polled::End | Polled::Failed => Vec::new(),
        };
        let (source, ended) = match (failed, rest, body) {
            (false, Some(hint), Some(body)) => {
                self.rest = hint;
                (Source::Idle(body), None)
            }
            (failed, _, body) => {
                self.rest = SizeHint::with_exact(0);
                (if failed { Source::Failed } else { Source::Ended }, body)
            }
        };
        self.source = source;
        ((dropped, ended), wake)
    }

    /// Keeps a piece if another clone may need it and it fits the limit; discards all pieces otherwise.
    fn push(&mut self, piece: Piece) -> Vec<Piece> {
        let size = piece.size();
        self.bytes = self.bytes.saturating_add(piece.data_len());
        let held = self.held.saturating_add(size);
        let fits = self.in_memory || self.is_within_limit(held, self.pieces.len() + 1);
        if self.kept && self.clones > 1 && fits {
            self.read += 1;
            self.held = held;
            self.pieces.push(piece);
            return Vec::new();
        }
        self.discard()
    }

    const fn is_within_limit(&self, held: usize, pieces: usize) -> bool {
        held <= self.limit && pieces <= SPARE_PIECES + self.limit / 64
    }

    /// Applies the limit to a body that is not in memory after all.
    fn apply_limit(&mut self) -> Vec<Piece> {
        self.in_memory = false;
        if self.is_within_limit(self.held, self.pieces.len()) { Vec::new() } else { self.forget() }
    }

    /// Counts a piece that is not kept, so that none is.
    fn discard(&mut self) -> Vec<Piece> {
        self.read += 1;
        self.forget()
    }

    fn forget(&mut self) -> Vec<Piece> {
        self.kept = false;
        self.held = 0;
        std::mem::take(&mut self.pieces)
    }

    pub(super) fn is_end(&self, position: usize) -> bool {
        position == self.read && matches!(self.source, Source::Ended)
    }

    /// Returns the size hint of a clone that has given `given` bytes; unknown for a clone that will fail.
    pub(super) fn size_hint(&self, position: usize, given: u64) -> SizeHint {
        let fails = (position < self.read && !self.kept) || matches!(self.source, Source::Failed);
        if fails {
            return SizeHint::default();
        }
        let logged = self.bytes - given;
        let mut hint = SizeHint::new();
        hint.set_lower(self.rest.lower().saturating_add(logged));
        if let Some(upper) = self.rest.upper().and_then(|upper| upper.checked_add(logged)) {
            hint.set_upper(upper);
        }
        hint
    }

    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the size of the kept pieces in bytes.
    pub(super) const fn held(&self) -> usize {
        self.held
    }
}

impl Piece {
    /// Returns the piece of a frame, or `None` if it is empty, or neither data nor trailers.
    pub(super) fn from_frame(frame: &Frame<Bytes>) -> Option<Self> {
        match frame.data_ref() {
            Some(data) => (!data.is_empty()).then(|| Self::Data(data.clone())),
            None => frame.trailers_ref().map(|trailers| Self::Trailers(Box::new(trailers.clone()))),
        }
    }

    pub(super) fn into_frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(*trailers),
        }
    }

    pub(super) fn data_len(&self) -> u64 {
        match self {
            Self::Data(data) => data.len() as u64,
            Self::Trailers(_) => 0,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => {
                trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
            }
        }
    }
}
