//! Many clients, each of which knows only of its own calls.

use std::num::NonZeroU32;
use std::sync::Arc;

use http::Request;
use rand::{RngExt as _, SeedableRng as _};
use tower::{ServiceExt as _, service_fn};

use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::streams::Random;
use crate::transport::CallId;

/// A policy in many clients that share nothing: each call is made by one of them, drawn at random.
///
/// Budgets and breakers that live in a client see only its own calls: the more clients there are, the less each knows.
#[derive(Clone, Debug)]
pub struct Fleet<P> {
    policy: P,
    clients: NonZeroU32,
    name: String,
}

impl<P: Policy> Fleet<P> {
    /// Puts a policy into so many clients.
    #[must_use]
    pub fn new(policy: P, clients: NonZeroU32) -> Self {
        let name = format!("{} in {clients} clients", policy.name());
        Self { policy, clients, name }
    }
}

impl<P: Policy> Policy for Fleet<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        format!("{}, in {} clients that share nothing", self.policy.about(), self.clients)
    }

    fn retries(&self) -> bool {
        self.policy.retries()
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let mut seeds = Random::seed_from_u64(context.seed);
        let clients: Arc<[BoxClient]> = (0..self.clients.get())
            .map(|_| self.policy.client(&PolicyContext { seed: seeds.random(), ..context.clone() }))
            .collect();
        let salt: u64 = seeds.random();
        BoxClient::new(service_fn(move |request: Request<_>| {
            let CallId(call) = request.extensions().get().copied().unwrap_or(CallId(0));
            // Drawn from the call's number: the attempts of a call that comes again stay with its client.
            let nth = Random::seed_from_u64(salt ^ call).random_range(0..clients.len());
            clients[nth].clone().oneshot(request)
        }))
    }
}
