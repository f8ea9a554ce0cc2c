//! The dialects that the crate ships, one function for each.
//!
//! Each dialect is a TOML file in the folder `dialects`, compiled at the first
//! use. A program that calls the functions of the dialects that it needs links
//! their files only. [`by_name`], [`toml()`] and [`all`] link every file, and so
//! do [`Dialect::from_toml`], [`Dialect::from_toml_with`] and
//! [`Dialect::lint`], since a file may extend any of them.
//!
//! The documentation of each function lists the codes that the dialect knows;
//! [`Dialect::codes`] returns them.
//!
//! # Examples
//! ```
//! use redress_envelope::{Class, dialects};
//!
//! let github = dialects::github();
//! assert_eq!(github.code("RATE_LIMITED").map(|code| code.class), Some(Class::RateLimited));
//! assert!(github.codes().any(|code| code.code == "missing_field"));
//! assert_eq!(dialects::by_name("github").map(|found| found.name().to_owned()), Some("github".to_owned()));
//! ```

mod ai;
mod business;
mod cloud;
mod formats;
mod frameworks;
mod identity;
mod mail;
mod media;
mod names;
mod operations;
mod payments;
mod platforms;

use std::sync::OnceLock;

pub use ai::{anthropic, cohere, gemini, huggingface, mistral, openai, openrouter};
pub use business::{airtable, asana, atlassian, docusign, hubspot, intercom, monday, quickbooks, xero, zoom};
pub use cloud::{
    auth0, aws_json, aws_xml, azure, cloudflare, elasticsearch, google, hasura, kubernetes, microsoft_graph, okta,
};
pub use formats::{connect, generic, graphql, grpc, jsonapi, jsonrpc, oauth2, odata, problem, twirp};
pub use frameworks::{aspnet, drf, fastapi, hapi, laravel, nest, postgrest, rails, spring};
pub use identity::{
    idenfy, jumio, maleslab, onfido, persona, ranex, shufti, sumsub, trulioo, veridia, veriff, verilock, vlens,
};
pub use mail::{klaviyo, mailchimp, mailgun, postmark, resend, sendgrid};
pub use media::{reddit, spotify, twitch, x};
pub use names::NAMES;
pub use operations::{
    box_com, contentful, datadog, digitalocean, docker_registry, dropbox, figma, heroku, pagerduty, sentry, vercel,
};
pub use payments::{adyen, amazon_sp, gocardless, paypal, plaid, square, stripe};
pub use platforms::{
    discord, facebook, github, gitlab, linear, notion, salesforce, shopify, slack, stackexchange, telegram, twilio,
    zendesk,
};

// The dialects that others extend, and the list.
use cloud::GOOGLE;
use formats::{GRAPHQL, JSONAPI, OAUTH2, PROBLEM};
use frameworks::DRF;
use names::ALL;

use crate::dialect::Dialect;

/// A shipped dialect, compiled at the first use.
#[derive(Debug)]
struct Shipped {
    name: &'static str,
    toml: &'static str,
    /// The dialect that the file extends.
    base: Option<&'static Self>,
    compiled: OnceLock<Dialect>,
}

/// Returns the dialect of this name, or `None` if no shipped dialect has it.
///
/// # Examples
/// ```
/// use redress_envelope::dialects;
///
/// assert!(dialects::by_name("aws-json").is_some() && dialects::by_name("acme").is_none());
/// ```
#[must_use]
pub fn by_name(name: &str) -> Option<Dialect> {
    find(name).map(Shipped::dialect)
}

/// Returns the TOML file of the dialect of this name. The comment at its top
/// names the sources of its facts.
///
/// # Examples
/// ```
/// use redress_envelope::dialects;
///
/// assert!(dialects::toml("ranex").is_some_and(|toml| toml.contains("name = \"ranex\"")));
/// assert_eq!(dialects::toml("acme"), None);
/// ```
#[must_use]
pub fn toml(name: &str) -> Option<&'static str> {
    find(name).map(|shipped| shipped.toml)
}

/// Returns all shipped dialects, sorted by name.
///
/// # Examples
/// ```
/// use redress_envelope::dialects;
///
/// assert_eq!(dialects::all().len(), dialects::NAMES.len());
/// ```
#[must_use]
pub fn all() -> Vec<Dialect> {
    ALL.iter().map(|shipped| shipped.dialect()).collect()
}

fn find(name: &str) -> Option<&'static Shipped> {
    NAMES.binary_search(&name).ok().map(|nth| ALL[nth])
}

impl Shipped {
    const fn new(name: &'static str, toml: &'static str) -> Self {
        Self { name, toml, base: None, compiled: OnceLock::new() }
    }

    const fn extending(mut self, base: &'static Self) -> Self {
        self.base = Some(base);
        self
    }

    fn dialect(&self) -> Dialect {
        let compile = || {
            let base = self.base.map(Self::dialect);
            Dialect::from_shipped(&format!("dialects/{}.toml", self.name), self.toml, base.as_ref())
        };
        self.compiled.get_or_init(|| compile().expect("a test compiles each shipped file")).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_is_found_by_its_own_name() {
        assert!(NAMES.is_sorted());
        for (name, dialect) in NAMES.iter().zip(all()) {
            assert_eq!((dialect.name(), by_name(name).is_some()), (*name, true));
        }
    }
}
