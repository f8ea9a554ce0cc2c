//! The dialects that come with the crate.
//!
//! Each is a TOML file under `dialects/`, compiled on first use.

use std::sync::OnceLock;

use crate::dialect::Dialect;

/// The names of all shipped dialects, sorted.
pub const NAMES: &[&str] = &[
    "adyen",
    "anthropic",
    "aws-json",
    "aws-xml",
    "azure",
    "cloudflare",
    "connect",
    "discord",
    "drf",
    "elasticsearch",
    "facebook",
    "fastapi",
    "gemini",
    "generic",
    "github",
    "gitlab",
    "google",
    "graphql",
    "hasura",
    "idenfy",
    "jsonapi",
    "jsonrpc",
    "kubernetes",
    "laravel",
    "linear",
    "maleslab",
    "microsoft-graph",
    "mistral",
    "notion",
    "oauth2",
    "odata",
    "okta",
    "onfido",
    "openai",
    "openrouter",
    "paypal",
    "persona",
    "plaid",
    "problem",
    "ranex",
    "salesforce",
    "shopify",
    "slack",
    "spring",
    "stackexchange",
    "stripe",
    "sumsub",
    "telegram",
    "twilio",
    "twirp",
    "veridia",
    "verilock",
    "vlens",
    "zendesk",
];

const FILES: [&str; NAMES.len()] = [
    include_str!("../dialects/adyen.toml"),
    include_str!("../dialects/anthropic.toml"),
    include_str!("../dialects/aws-json.toml"),
    include_str!("../dialects/aws-xml.toml"),
    include_str!("../dialects/azure.toml"),
    include_str!("../dialects/cloudflare.toml"),
    include_str!("../dialects/connect.toml"),
    include_str!("../dialects/discord.toml"),
    include_str!("../dialects/drf.toml"),
    include_str!("../dialects/elasticsearch.toml"),
    include_str!("../dialects/facebook.toml"),
    include_str!("../dialects/fastapi.toml"),
    include_str!("../dialects/gemini.toml"),
    include_str!("../dialects/generic.toml"),
    include_str!("../dialects/github.toml"),
    include_str!("../dialects/gitlab.toml"),
    include_str!("../dialects/google.toml"),
    include_str!("../dialects/graphql.toml"),
    include_str!("../dialects/hasura.toml"),
    include_str!("../dialects/idenfy.toml"),
    include_str!("../dialects/jsonapi.toml"),
    include_str!("../dialects/jsonrpc.toml"),
    include_str!("../dialects/kubernetes.toml"),
    include_str!("../dialects/laravel.toml"),
    include_str!("../dialects/linear.toml"),
    include_str!("../dialects/maleslab.toml"),
    include_str!("../dialects/microsoft-graph.toml"),
    include_str!("../dialects/mistral.toml"),
    include_str!("../dialects/notion.toml"),
    include_str!("../dialects/oauth2.toml"),
    include_str!("../dialects/odata.toml"),
    include_str!("../dialects/okta.toml"),
    include_str!("../dialects/onfido.toml"),
    include_str!("../dialects/openai.toml"),
    include_str!("../dialects/openrouter.toml"),
    include_str!("../dialects/paypal.toml"),
    include_str!("../dialects/persona.toml"),
    include_str!("../dialects/plaid.toml"),
    include_str!("../dialects/problem.toml"),
    include_str!("../dialects/ranex.toml"),
    include_str!("../dialects/salesforce.toml"),
    include_str!("../dialects/shopify.toml"),
    include_str!("../dialects/slack.toml"),
    include_str!("../dialects/spring.toml"),
    include_str!("../dialects/stackexchange.toml"),
    include_str!("../dialects/stripe.toml"),
    include_str!("../dialects/sumsub.toml"),
    include_str!("../dialects/telegram.toml"),
    include_str!("../dialects/twilio.toml"),
    include_str!("../dialects/twirp.toml"),
    include_str!("../dialects/veridia.toml"),
    include_str!("../dialects/verilock.toml"),
    include_str!("../dialects/vlens.toml"),
    include_str!("../dialects/zendesk.toml"),
];

static COMPILED: [OnceLock<Dialect>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];

/// Returns the dialect of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<Dialect> {
    NAMES.binary_search(&name).ok().map(shipped)
}

/// Returns the TOML file of the dialect of that name, with the sources of its facts in the comment on top.
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
    NAMES.binary_search(&name).ok().map(|nth| FILES[nth])
}

/// Returns all shipped dialects, sorted by name.
#[must_use]
pub fn all() -> Vec<Dialect> {
    (0..NAMES.len()).map(shipped).collect()
}

/// Returns the dialect for an API of which nothing is known: the status decides, and the body is read by the places where
/// most APIs put their words. No success is ever an error by its body.
#[must_use]
pub fn generic() -> Dialect {
    named("generic")
}

/// Returns the dialect of Maleslab: `success: false` or the status signals, `error.code` is the code.
#[must_use]
pub fn maleslab() -> Dialect {
    named("maleslab")
}

/// Returns the dialect of Ranex: the status is all there is, besides a message.
#[must_use]
pub fn ranex() -> Dialect {
    named("ranex")
}

/// Returns the dialect of Veridia: the string `error` decides, on whatever error status it comes.
#[must_use]
pub fn veridia() -> Dialect {
    named("veridia")
}

/// Returns the dialect of Verilock: the status decides, the wait may stand in the body.
#[must_use]
pub fn verilock() -> Dialect {
    named("verilock")
}

/// Returns the dialect of Vlens: `error_code` decides, on a 200 too.
///
/// Vlens publishes two of its codes. Add those that your tenant sends, its "token expired" above all:
/// [`Dialect::with_code`] or [`Dialect::extend`]. Until then a 401 is what makes a refresh happen.
#[must_use]
pub fn vlens() -> Dialect {
    named("vlens")
}

fn named(name: &str) -> Dialect {
    by_name(name).expect("a test asks for each")
}

fn shipped(nth: usize) -> Dialect {
    let compile = || {
        let file = format!("dialects/{}.toml", NAMES[nth]);
        Dialect::from_toml(&file, FILES[nth]).expect("a test reads every shipped file")
    };
    COMPILED[nth].get_or_init(compile).clone()
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
        let named = [generic(), maleslab(), ranex(), veridia(), verilock(), vlens()];
        let expected = ["generic", "maleslab", "ranex", "veridia", "verilock", "vlens"];
        assert_eq!(named.each_ref().map(Dialect::name), expected);
    }
}
