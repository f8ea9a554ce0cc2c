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
mod operations;
mod payments;
mod platforms;

use std::sync::OnceLock;

use ai::{ANTHROPIC, COHERE, GEMINI, HUGGINGFACE, MISTRAL, OPENAI, OPENROUTER};
pub use ai::{anthropic, cohere, gemini, huggingface, mistral, openai, openrouter};
use business::{AIRTABLE, ASANA, ATLASSIAN, DOCUSIGN, HUBSPOT, INTERCOM, MONDAY, QUICKBOOKS, XERO, ZOOM};
pub use business::{airtable, asana, atlassian, docusign, hubspot, intercom, monday, quickbooks, xero, zoom};
use cloud::{AWS_JSON, AWS_XML, AZURE, CLOUDFLARE, ELASTICSEARCH, GOOGLE, HASURA, KUBERNETES, MICROSOFT_GRAPH, OKTA};
pub use cloud::{
    aws_json, aws_xml, azure, cloudflare, elasticsearch, google, hasura, kubernetes, microsoft_graph, okta,
};
use formats::{CONNECT, GENERIC, GRAPHQL, GRPC, JSONAPI, JSONRPC, OAUTH2, ODATA, PROBLEM, TWIRP};
pub use formats::{connect, generic, graphql, grpc, jsonapi, jsonrpc, oauth2, odata, problem, twirp};
use frameworks::{ASPNET, DRF, FASTAPI, HAPI, LARAVEL, NEST, POSTGREST, RAILS, SPRING};
pub use frameworks::{aspnet, drf, fastapi, hapi, laravel, nest, postgrest, rails, spring};
use identity::{
    IDENFY, JUMIO, MALESLAB, ONFIDO, PERSONA, RANEX, SHUFTI, SUMSUB, TRULIOO, VERIDIA, VERIFF, VERILOCK, VLENS,
};
pub use identity::{
    idenfy, jumio, maleslab, onfido, persona, ranex, shufti, sumsub, trulioo, veridia, veriff, verilock, vlens,
};
use mail::{MAILGUN, SENDGRID};
pub use mail::{mailgun, sendgrid};
use media::{REDDIT, SPOTIFY, TWITCH, X};
pub use media::{reddit, spotify, twitch, x};
use operations::{DATADOG, DIGITALOCEAN, DOCKER_REGISTRY, DROPBOX, FIGMA, PAGERDUTY, VERCEL};
pub use operations::{datadog, digitalocean, docker_registry, dropbox, figma, pagerduty, vercel};
use payments::{ADYEN, AMAZON_SP, PAYPAL, PLAID, SQUARE, STRIPE};
pub use payments::{adyen, amazon_sp, paypal, plaid, square, stripe};
use platforms::{
    DISCORD, FACEBOOK, GITHUB, GITLAB, LINEAR, NOTION, SALESFORCE, SHOPIFY, SLACK, STACKEXCHANGE, TELEGRAM, TWILIO,
    ZENDESK,
};
pub use platforms::{
    discord, facebook, github, gitlab, linear, notion, salesforce, shopify, slack, stackexchange, telegram, twilio,
    zendesk,
};

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

/// The names of all shipped dialects, sorted.
pub const NAMES: &[&str] = &[
    "adyen",
    "airtable",
    "amazon-sp",
    "anthropic",
    "asana",
    "aspnet",
    "atlassian",
    "aws-json",
    "aws-xml",
    "azure",
    "cloudflare",
    "cohere",
    "connect",
    "datadog",
    "digitalocean",
    "discord",
    "docker-registry",
    "docusign",
    "drf",
    "dropbox",
    "elasticsearch",
    "facebook",
    "fastapi",
    "figma",
    "gemini",
    "generic",
    "github",
    "gitlab",
    "google",
    "graphql",
    "grpc",
    "hapi",
    "hasura",
    "hubspot",
    "huggingface",
    "idenfy",
    "intercom",
    "jsonapi",
    "jsonrpc",
    "jumio",
    "kubernetes",
    "laravel",
    "linear",
    "mailgun",
    "maleslab",
    "microsoft-graph",
    "mistral",
    "monday",
    "nest",
    "notion",
    "oauth2",
    "odata",
    "okta",
    "onfido",
    "openai",
    "openrouter",
    "pagerduty",
    "paypal",
    "persona",
    "plaid",
    "postgrest",
    "problem",
    "quickbooks",
    "rails",
    "ranex",
    "reddit",
    "salesforce",
    "sendgrid",
    "shopify",
    "shufti",
    "slack",
    "spotify",
    "spring",
    "square",
    "stackexchange",
    "stripe",
    "sumsub",
    "telegram",
    "trulioo",
    "twilio",
    "twirp",
    "twitch",
    "vercel",
    "veridia",
    "veriff",
    "verilock",
    "vlens",
    "x",
    "xero",
    "zendesk",
    "zoom",
];

/// The dialects, in the order of [`NAMES`].
static ALL: [&Shipped; NAMES.len()] = [
    &ADYEN,
    &AIRTABLE,
    &AMAZON_SP,
    &ANTHROPIC,
    &ASANA,
    &ASPNET,
    &ATLASSIAN,
    &AWS_JSON,
    &AWS_XML,
    &AZURE,
    &CLOUDFLARE,
    &COHERE,
    &CONNECT,
    &DATADOG,
    &DIGITALOCEAN,
    &DISCORD,
    &DOCKER_REGISTRY,
    &DOCUSIGN,
    &DRF,
    &DROPBOX,
    &ELASTICSEARCH,
    &FACEBOOK,
    &FASTAPI,
    &FIGMA,
    &GEMINI,
    &GENERIC,
    &GITHUB,
    &GITLAB,
    &GOOGLE,
    &GRAPHQL,
    &GRPC,
    &HAPI,
    &HASURA,
    &HUBSPOT,
    &HUGGINGFACE,
    &IDENFY,
    &INTERCOM,
    &JSONAPI,
    &JSONRPC,
    &JUMIO,
    &KUBERNETES,
    &LARAVEL,
    &LINEAR,
    &MAILGUN,
    &MALESLAB,
    &MICROSOFT_GRAPH,
    &MISTRAL,
    &MONDAY,
    &NEST,
    &NOTION,
    &OAUTH2,
    &ODATA,
    &OKTA,
    &ONFIDO,
    &OPENAI,
    &OPENROUTER,
    &PAGERDUTY,
    &PAYPAL,
    &PERSONA,
    &PLAID,
    &POSTGREST,
    &PROBLEM,
    &QUICKBOOKS,
    &RAILS,
    &RANEX,
    &REDDIT,
    &SALESFORCE,
    &SENDGRID,
    &SHOPIFY,
    &SHUFTI,
    &SLACK,
    &SPOTIFY,
    &SPRING,
    &SQUARE,
    &STACKEXCHANGE,
    &STRIPE,
    &SUMSUB,
    &TELEGRAM,
    &TRULIOO,
    &TWILIO,
    &TWIRP,
    &TWITCH,
    &VERCEL,
    &VERIDIA,
    &VERIFF,
    &VERILOCK,
    &VLENS,
    &X,
    &XERO,
    &ZENDESK,
    &ZOOM,
];

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
