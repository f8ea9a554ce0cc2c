//! The service: a request waits for its turn, the response tells how the upstream feels.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use redress_classify::{BoxError, Error};
use tokio::time::Instant;
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::layer::Settings;
use crate::limiter::send_by_all;
use crate::lot::Place;
use crate::scope::Target;
use crate::turn::{Patience, Turn};

/// Holds requests back while their upstream cools down, and keeps to its limits.
///
/// # The request
/// goes down as it is, when neither its scope nor its partition is parked and all limits that cover it allow it.
/// One whose turn would come too late is not sent at all. One that had to wait carries its
/// [`Deadline`](redress_classify::Deadline), if it has one, in its extensions, so that no layer below counts anew.
///
/// # The response
/// comes up as it is. A rate limit parks the requests of the same partition, or those of its [scope](crate#scopes) alone:
/// until the server's hint, or else for as long as the vendor publishes. A 503 with a hint parks those of the partition. Nothing else does: not a rate limit without any time, not
/// a failed connection, not an attempt that was cut. A success opens nothing. It parks the calls of its scope if it states one of
/// the hints that its dialect declares for successes ([`SuccessHint`](redress_classify::SuccessHint)), and nobody otherwise:
/// `RateLimit` fields on successes, which say how much is left, are not looked at.
///
/// Those that are parked are let through one by one after the hint, within half of it or 30 s, the shorter of the two, and
/// no more of them at once than the server copes with, as the [release](crate#the-release) finds out. A later hint parks
/// them further, a sooner one changes nothing. Nobody is parked for more than an hour by one hint, be it
/// as long as it may, lest a mistaken one shut a client out for good: then the next caller finds out.
///
/// # How it differs from tower's `RateLimit`
/// That one has one window for all requests of a service, keeps its caller from being ready, and can let nearly two windows'
/// worth pass in the span of one. This one counts by route and host, lets a caller be cancelled, and knows about hints.
///
/// # Errors
/// [`is_paced`](Error::is_paced) when a call's turn would come after its deadline, or after the longest wait. Nothing was
/// sent, and [`retry_at`](Error::retry_at) says when its turn would come, as far away as that may be. A call that was parked
/// and gets no place in the release in time fails so when its patience is over; when a place would have come nobody knows,
/// so that it says: after the spread of that release once more, in which a crowd is meant to be gone.
/// [`is_deadline`](Error::is_deadline) when it is its turn and the deadline has passed all the same: while the machine
/// slept, or while the service below got ready again; nothing cuts that short from here. Else that of the service below.
///
/// # Panics
/// The future, when it is polled again after it was ready.
///
/// # Cancel safety
/// Dropping the future drops the request below, or its place in the queue or in a release: the next in line takes the
/// place, and nothing is counted against a limit that was not handed down.
#[derive(Clone, Debug)]
pub struct Pace<S> {
    inner: S,
    settings: Arc<Settings>,
}

/// How a request goes on.
enum Admission {
    Send(Option<Box<Place>>),
    Wait(Box<Turn>),
    Refuse(Error),
}

impl<S> Pace<S> {
    pub(crate) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }

    /// Finds out whether it is the turn of a request, and takes it. With the gate open and no limit for it, that is one
    /// atomic load.
    fn admit<B>(&self, request: &Request<B>, target: &Target) -> Admission {
        let settings = &self.settings;
        if settings.limiters.is_empty() && settings.lot.is_empty() {
            return Admission::Send(None);
        }
        let mut limiters = settings.limiters(request);
        let all = limiters.clone();
        let (first, second) = (limiters.next(), limiters.next());
        if first.is_none() && settings.lot.is_empty() {
            return Admission::Send(None);
        }
        let now = Instant::now();
        let count = || match (first, second) {
            (Some(only), None) => only.send(&target.partition, now),
            _ => send_by_all(all.clone(), &target.partition, now),
        };
        if let Some(mut place) = settings.lot.pass(target, now)
            && count()
        {
            if let Some(place) = &mut place {
                place.send(now);
            }
            return Admission::Send(place);
        }
        match Turn::begin(settings, target, all.cloned().collect(), Patience::of(settings, request, now)) {
            Ok(turn) => Admission::Wait(Box::new(turn)),
            Err(error) => Admission::Refuse(error),
        }
    }
}

impl<S, B, R> Service<Request<B>> for Pace<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let target = self.settings.target(&request);
        match self.admit(&request, &target) {
            // This uses the service that `poll_ready` readied.
            Admission::Send(place) => ResponseFuture::send(self.inner.call(request), &self.settings, target, place),
            Admission::Wait(turn) => {
                // The readied service may hold a permit that others need. It is dropped before the wait, and a clone, which
                // is not ready, gets ready afterwards.
                let unready = self.inner.clone();
                drop(mem::replace(&mut self.inner, unready.clone()));
                ResponseFuture::wait(*turn, unready, request, &self.settings, target)
            }
            Admission::Refuse(error) => ResponseFuture::fail(error, &self.settings, target),
        }
    }
}
