//! Connects a call of the lab to a crate with its own request and response types.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use redress::BoxError;
use tower::ServiceExt as _;

use crate::policy::BoxClient;
use crate::transport::LabBody;

/// A call whose request and response stay in the lab: the other crate sees the status only, and
/// decides.
pub(super) struct Exchange {
    service: BoxClient,
    request: Request<Full<Bytes>>,
    /// The response of the last attempt.
    last: Mutex<Option<Response<LabBody>>>,
}

impl Exchange {
    /// Begins a call.
    pub(super) const fn new(service: BoxClient, request: Request<Full<Bytes>>) -> Self {
        Self { service, request, last: Mutex::new(None) }
    }

    /// Returns the request of the call.
    pub(super) const fn request(&self) -> &Request<Full<Bytes>> {
        &self.request
    }

    /// Sends the request, keeps the response, and returns its status.
    pub(super) async fn attempt(&self) -> Result<StatusCode, BoxError> {
        self.keep(None);
        let response = self.service.clone().oneshot(self.request.clone()).await?;
        let status = response.status();
        self.keep(Some(response));
        Ok(status)
    }

    /// Takes the response of the last attempt.
    pub(super) fn response(&self) -> Option<Response<LabBody>> {
        self.keep(None)
    }

    /// Replaces the response of the last attempt, and returns it.
    fn keep(&self, response: Option<Response<LabBody>>) -> Option<Response<LabBody>> {
        std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), response)
    }
}
