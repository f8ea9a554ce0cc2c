//! The full redress stack as a policy.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use rand::{RngExt as _, SeedableRng as _};
use redress::{BackoffLayer, BoxError, Budget, Clock, Jitter, PaceLayer, RedressLayer, Schedule};
use serde::{Deserialize, Serialize};
use tower::{Layer as _, ServiceExt as _};

use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::scenario::duration;
use crate::streams::Random;
use crate::transport::ORIGIN;

/// The full stack of redress: [`RedressLayer`] over the modelled network.
///
/// Backoff, Pace, Refresh and Classify run as in an application, with the scenario's deadline and
/// attempt timeout, a virtual clock, and random numbers from the seed. Credentials are configured if
/// the scenario has tokens.
#[derive(Clone, Debug)]
pub struct RedressStack {
    settings: StackSettings,
}

/// Settings of the redress stack, as a TOML file. A key that is missing keeps redress's default.
///
/// # Examples
/// ```
/// use redress_lab::policies::StackSettings;
///
/// let settings: StackSettings = toml::from_str(r#"
///     name = "patient"
///     max_attempts = 5
///     budget = 100
///     transient = { base = "100ms", cap = "10s" }
/// "#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StackSettings {
    /// The name in tables and charts. `redress lab` uses the name of the file if it is empty.
    pub name: String,
    /// The maximum number of attempts, including the first. A file may have the former name of the key, `attempts`.
    #[serde(alias = "attempts")]
    pub max_attempts: Option<NonZeroU32>,
    /// The jitter of the waits: `full`, `equal`, `decorrelated` or `none`.
    pub jitter: Option<JitterName>,
    /// The backoff after transient failures.
    pub transient: Option<ScheduleSettings>,
    /// The backoff after throttling without a hint.
    pub throttled: Option<ScheduleSettings>,
    /// The longest hint that is honoured; a longer one ends the call.
    #[serde(with = "duration::option")]
    pub max_retry_after: Option<Duration>,
    /// The capacity of the retry budget in tokens, or `false` for no budget.
    pub budget: Option<BudgetSetting>,
    /// Whether calls are hedged: [`BackoffLayer::hedge`]. Default: `false`.
    pub hedge: Option<bool>,
    /// Whether rate limits published by the dialect are kept. Default: `true`.
    pub limits: Option<bool>,
    /// Whether the processes of a scenario share cool-downs, limits and budgets through a store:
    /// [`RedressLayer::share`]. Default: `false`. A call to the store takes 2 ms, and no token is shared.
    pub share: Option<bool>,
}

/// An exponential backoff schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSettings {
    /// The first wait.
    #[serde(with = "duration")]
    pub base: Duration,
    /// The factor between two waits. Default: 2.
    #[serde(default = "two")]
    pub factor: NonZeroU32,
    /// The longest wait.
    #[serde(with = "duration")]
    pub cap: Duration,
}

/// The retry budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum BudgetSetting {
    /// A budget with this capacity in tokens.
    Tokens(u32),
    /// `true` for the default budget, `false` for none.
    Is(bool),
}

/// The kind of jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JitterName {
    /// [`Jitter::Full`].
    Full,
    /// [`Jitter::Equal`].
    Equal,
    /// [`Jitter::Decorrelated`].
    Decorrelated,
    /// [`Jitter::None`].
    None,
}

const fn two() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}

impl RedressStack {
    /// Creates the policy with redress's defaults.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Policy;
    /// use redress_lab::policies::RedressStack;
    ///
    /// let policy = RedressStack::new();
    /// assert_eq!(policy.name(), "redress");
    /// assert!(policy.about().ends_with("RedressLayer with its defaults"));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::from_settings(StackSettings { name: "redress".to_owned(), ..StackSettings::default() })
    }

    /// Creates the policy with these settings.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Policy;
    /// use redress_lab::policies::{RedressStack, StackSettings};
    ///
    /// let settings: StackSettings = toml::from_str("name = 'single'\nmax_attempts = 1").unwrap();
    /// let policy = RedressStack::from_settings(settings);
    /// assert_eq!(policy.name(), "single");
    /// assert!(!policy.retries());
    /// assert!(policy.about().ends_with("max_attempts 1"));
    /// ```
    #[must_use]
    pub const fn from_settings(settings: StackSettings) -> Self {
        Self { settings }
    }
}

/// Returns the stack that hedges.
pub(super) fn hedging() -> RedressStack {
    let settings = StackSettings { hedge: Some(true), name: "redress-hedge".to_owned(), ..StackSettings::default() };
    RedressStack::from_settings(settings)
}

/// Returns the stack whose processes share.
pub(super) fn sharing() -> RedressStack {
    let settings = StackSettings { share: Some(true), name: "redress-shared".to_owned(), ..StackSettings::default() };
    RedressStack::from_settings(settings)
}

/// Returns the default stack, and one stack for each setting of the standard comparison.
pub(super) fn variants() -> impl Iterator<Item = RedressStack> {
    let set = |name: &str| StackSettings { name: name.to_owned(), ..StackSettings::default() };
    let variants = [
        StackSettings { jitter: Some(JitterName::Equal), ..set("redress-equal") },
        StackSettings { jitter: Some(JitterName::None), ..set("redress-no-jitter") },
        StackSettings { budget: Some(BudgetSetting::Is(false)), ..set("redress-no-budget") },
        StackSettings { max_attempts: NonZeroU32::new(5), ..set("redress-5-attempts") },
    ];
    std::iter::once(RedressStack::new()).chain(variants.map(RedressStack::from_settings))
}

impl Default for RedressStack {
    fn default() -> Self {
        Self::new()
    }
}

impl StackSettings {
    fn backoff(&self, mut layer: BackoffLayer) -> BackoffLayer {
        if let Some(attempts) = self.max_attempts {
            layer = layer.max_attempts(attempts);
        }
        if let Some(jitter) = self.jitter {
            layer = layer.jitter(jitter.into());
        }
        if let Some(wait) = self.transient {
            layer = layer.transient_backoff(wait.into());
        }
        if let Some(wait) = self.throttled {
            layer = layer.throttling_backoff(wait.into());
        }
        if let Some(longest) = self.max_retry_after {
            layer = layer.max_retry_after(longest);
        }
        if self.hedge == Some(true) {
            layer = layer.hedge();
        }
        match self.budget {
            None | Some(BudgetSetting::Is(true)) => layer,
            Some(BudgetSetting::Is(false)) => layer.without_budget(),
            Some(BudgetSetting::Tokens(tokens)) => layer.budget(Budget::with_capacity(tokens)),
        }
    }

    fn pace(&self, layer: PaceLayer) -> PaceLayer {
        if self.limits == Some(false) { layer.without_limits() } else { layer }
    }
}

impl Policy for RedressStack {
    fn name(&self) -> &str {
        if self.settings.name.is_empty() { "redress, own settings" } else { &self.settings.name }
    }

    fn about(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let settings = StackSettings { name: String::new(), ..self.settings.clone() };
        if settings == StackSettings::default() {
            return format!("redress {version}: RedressLayer with its defaults");
        }
        format!("redress {version}: RedressLayer with {settings}")
    }

    fn retries(&self) -> bool {
        let is_empty = self.settings.budget == Some(BudgetSetting::Tokens(0));
        self.settings.max_attempts.is_none_or(|attempts| attempts.get() > 1) && !is_empty
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let clock = Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let mut layer = RedressLayer::new(context.dialect.clone())
            .clock(clock)
            .backoff(|backoff| self.settings.backoff(backoff).random(random(context.seed)))
            .pace(|pace| self.settings.pace(pace).random(random(context.seed.wrapping_add(1 << 32))));
        if self.settings.share == Some(true) {
            layer = layer.share(context.store.clone(), "lab");
        }
        if let Some(credentials) = context.network().and_then(|network| network.credentials()) {
            let origin = ORIGIN.parse().expect("a legal origin");
            layer = layer.credentials(credentials, origin);
        }
        layer = match context.attempt_timeout {
            Some(timeout) => layer.attempt_timeout(timeout),
            None => layer.without_attempt_timeout(),
        };
        // A deadline of the stack would also end the calls that have none.
        if !context.has_calls_without_deadline() {
            layer = layer.deadline(context.deadline);
        }
        let service = layer.layer(context.raw_transport());
        let boxed = service.map_response(|response| response.map(|body| body.map_err(BoxError::from).boxed_unsync()));
        BoxClient::new(boxed.map_err(BoxError::from))
    }
}

impl std::fmt::Display for StackSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let written = serde_json::to_value(self).map_err(|_| std::fmt::Error)?;
        let set = written.as_object().into_iter().flatten().filter(|(name, value)| !value.is_null() && *name != "name");
        let words: Vec<_> = set.map(|(name, value)| format!("{name} {value}").replace('"', "")).collect();
        f.write_str(&words.join(", "))
    }
}

impl From<ScheduleSettings> for Schedule {
    fn from(wait: ScheduleSettings) -> Self {
        Self { base: wait.base, factor: wait.factor, cap: wait.cap }
    }
}

impl From<JitterName> for Jitter {
    fn from(name: JitterName) -> Self {
        match name {
            JitterName::Full => Self::Full,
            JitterName::Equal => Self::Equal,
            JitterName::Decorrelated => Self::Decorrelated,
            JitterName::None => Self::None,
        }
    }
}

/// Returns a seeded source of random numbers for a layer.
pub(crate) fn random(seed: u64) -> impl Fn() -> u32 + Send + Sync + 'static {
    let source = Mutex::new(Random::seed_from_u64(seed));
    move || source.lock().unwrap_or_else(PoisonError::into_inner).random()
}
