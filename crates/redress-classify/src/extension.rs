//! Values among the extensions of a request or a response.

use http::Extensions;

/// Returns a value among extensions. Most requests and responses have none: then none of the code of a map is run, which would
/// take a good part of the instruction cache, as often as a success looks for a value.
#[inline(always)]
pub fn extension<T: Send + Sync + 'static>(extensions: &Extensions) -> Option<&T> {
    if extensions.is_empty() { None } else { find(extensions) }
}

#[inline(never)]
fn find<T: Send + Sync + 'static>(extensions: &Extensions) -> Option<&T> {
    extensions.get()
}
