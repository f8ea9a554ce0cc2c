//! A fleet of clients without shared state.

use std::num::NonZeroU32;
use std::sync::Arc;

use http::Request;
use rand::{RngExt as _, SeedableRng as _};
use tower::{ServiceExt as _, service_fn};

use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::streams::Random;
use crate::transport::CallId;

/// A policy in many independent clients. Each call goes to a random one of them.
///
/// Budgets and circuit breakers that live in a client see its own calls only. With more clients, each
/// of them knows less, and the sum of their budgets grows.
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::{Deposit, Fleet, Reference, Rule};
/// use redress_lab::{Policy, Run, Scenario, run};
/// use std::num::NonZeroU32;
///
/// let scenario: Scenario = r#"
///     name = "down"
///     length = "20s"
///     clients = { rate = 20.0 }
///     server = { kind = "fifo", rate = 1000.0 }
///     fault = [{ kind = "answer", from = "0s", for = "1m" }]
/// "#
/// .parse()?;
/// let retries = |policy: &dyn Policy| {
///     let outcome = run(Run { scenario: &scenario, policy, seed: 1 }, |_share| {});
///     outcome.attempts - outcome.calls
/// };
/// let number = |number| NonZeroU32::new(number).unwrap();
/// let bucket = Rule::Bucket { tokens: 5.0, deposit: 0.0, on: Deposit::Call };
/// let single = Reference::new("bucket", number(3), bucket);
/// assert_eq!(retries(&single), 4);
/// assert_eq!(retries(&Fleet::new(single, number(10))), 40, "each client has a full bucket");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fleet<P> {
    policy: P,
    clients: NonZeroU32,
    name: String,
}

impl<P: Policy> Fleet<P> {
    /// Creates a fleet with this number of clients.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Policy;
    /// use redress_lab::policies::NoRetry;
    /// use redress_lab::policies::reference::Fleet;
    /// use std::num::NonZeroU32;
    ///
    /// let fleet = Fleet::new(NoRetry, NonZeroU32::new(10).unwrap());
    /// assert_eq!(fleet.name(), "none in 10 clients");
    /// ```
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
            // Derived from the call's id, so that all attempts of a call use the same client.
            let nth = Random::seed_from_u64(salt ^ call).random_range(0..clients.len());
            clients[nth].clone().oneshot(request)
        }))
    }
}
