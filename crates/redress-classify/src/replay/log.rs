//! What the copies of a body share: the body itself, and what was read of it.

use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// A body, and all that was read of it as long as that is not too much.
pub(super) struct Log<B> {
    source: Source<B>,
    /// Every piece that was read; empty once the log was let go.
    pieces: Vec<Piece>,
    /// Whether every piece that was read is in the log.
    kept: bool,
    /// How many pieces were read, and how many bytes were in them.
    read: usize,
    bytes: u64,
    /// How many bytes the pieces of the log hold, trailers included, and how many they may.
    held: usize,
    limit: usize,
    /// What is still to be read.
    rest: SizeHint,
    copies: usize,
    /// Whether a copy found the body taken, and waits to hear of it.
    missed: bool,
    next_id: u64,
}

/// The body under the copies.
enum Source<B> {
    /// It waits to be polled.
    Idle(Pin<Box<B>>),
    /// A copy polls it; no lock is held meanwhile.
    Taken,
    /// All of it was read.
    Ended,
    /// It failed, or panicked.
    Broken,
}

/// A frame that can be given more than once.
#[derive(Clone)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

/// What a copy finds at its position.
pub(super) enum Found<B> {
    Piece(Piece),
    /// The body itself, to be polled and put back.
    Body(Pin<Box<B>>),
    Taken,
    End,
    Broken,
    LetGo,
}

/// How a poll of the body ended.
pub(super) enum Polled {
    Pending,
    /// An empty frame, or one of a kind that cannot be given twice.
    Passing {
        is_data: bool,
    },
    Piece(Piece),
    End,
    Broken,
}

/// What to drop when the lock is free again, since dropping a body or its bytes runs its owner's code.
pub(super) type Leftover<B> = (Vec<Piece>, Option<Pin<Box<B>>>);

/// Pieces may be so many, beside one for every 64 bytes of the limit.
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
            rest,
            copies: 1,
            missed: false,
            next_id: 1,
        }
    }
}

impl<B> Log<B> {
    /// Counts another copy, and returns its id; `None` when it could not have the whole body.
    pub(super) fn add_copy(&mut self) -> Option<u64> {
        let id = self.is_whole().then_some(self.next_id)?;
        self.next_id += 1;
        self.copies += 1;
        Some(id)
    }

    pub(super) const fn remove_copy(&mut self) {
        self.copies -= 1;
    }

    /// Whether a copy at the start could have all of the body.
    pub(super) const fn is_whole(&self) -> bool {
        self.kept && !matches!(self.source, Source::Broken)
    }

    pub(super) const fn read(&self) -> usize {
        self.read
    }

    /// Looks for what comes next at a position; a body that is found is taken.
    pub(super) fn find(&mut self, position: usize) -> Found<B> {
        if position < self.read {
            let piece = if self.kept { self.pieces.get(position) } else { None };
            return piece.cloned().map_or(Found::LetGo, Found::Piece);
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
            Source::Broken => {
                self.source = Source::Broken;
                Found::Broken
            }
        }
    }

    /// Puts the body back after a poll, and notes what came of it. `rest` is `None` when the body is at its end.
    ///
    /// Returns what to drop, and whether the other copies must be woken.
    pub(super) fn put_back(
        &mut self,
        body: Option<Pin<Box<B>>>,
        polled: Polled,
        rest: Option<SizeHint>,
    ) -> (Leftover<B>, bool) {
        let missed = std::mem::take(&mut self.missed);
        let wake = missed || !matches!(polled, Polled::Pending);
        let broken = matches!(polled, Polled::Broken);
        let dropped = match polled {
            Polled::Piece(piece) => self.push(piece),
            Polled::Passing { is_data: false } => self.let_go(),
            Polled::Passing { is_data: true } | Polled::Pending | Polled::End | Polled::Broken => Vec::new(),
        };
        let (source, ended) = match (broken, rest, body) {
            (false, Some(hint), Some(body)) => {
                self.rest = hint;
                (Source::Idle(body), None)
            }
            (broken, _, body) => {
                self.rest = SizeHint::with_exact(0);
                (if broken { Source::Broken } else { Source::Ended }, body)
            }
        };
        self.source = source;
        ((dropped, ended), wake)
    }

    /// Keeps a piece while some other copy may want it and there is room; else lets the whole log go.
    fn push(&mut self, piece: Piece) -> Vec<Piece> {
        let size = piece.size();
        self.bytes = self.bytes.saturating_add(piece.data_len());
        let held = self.held.saturating_add(size);
        let is_small = held <= self.limit && self.pieces.len() < SPARE_PIECES + self.limit / 64;
        if self.kept && self.copies > 1 && is_small {
            self.read += 1;
            self.held = held;
            self.pieces.push(piece);
            return Vec::new();
        }
        self.let_go()
    }

    fn let_go(&mut self) -> Vec<Piece> {
        self.read += 1;
        self.kept = false;
        self.held = 0;
        std::mem::take(&mut self.pieces)
    }

    pub(super) fn is_end(&self, position: usize) -> bool {
        position == self.read && matches!(self.source, Source::Ended)
    }

    /// Returns how much a copy has still to give that has given so much; of one that will fail nobody knows.
    pub(super) fn size_hint(&self, position: usize, given: u64) -> SizeHint {
        let fails = (position < self.read && !self.kept) || matches!(self.source, Source::Broken);
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

    /// Returns how many bytes the log holds.
    pub(super) const fn held(&self) -> usize {
        self.held
    }
}

impl Piece {
    /// Takes the copy of a frame that is kept; `None` of an empty one, or of one that is neither data nor trailers.
    pub(super) fn of(frame: &Frame<Bytes>) -> Option<Self> {
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
