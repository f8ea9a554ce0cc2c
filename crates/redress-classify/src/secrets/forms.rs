//! The forms in which a server may quote a secret.

use zeroize::Zeroizing;

use super::escapes::Decoded;
use super::pattern::Pattern;
use super::{MAX_ROUNDS, MIN_DERIVED, MIN_LENGTH, Secrets};

/// The maximum number of parameters of one header value that are searched for on their own.
const MAX_PARAMETERS: usize = 32;

impl Secrets {
    /// Adds the forms of one header value, or of one member of a login body.
    pub(super) fn add_value(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        self.add_parameters(value);
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let space = value.iter().position(|byte| !is_token(byte)).filter(|at| value[*at] == b' ');
        let Some(space) = space else { return self.add(value, true) };
        let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
        self.add(value, false);
        self.add(rest, true);
        if scheme.eq_ignore_ascii_case(b"basic")
            && let Some(pair) = base64(rest)
        {
            self.add(&pair, true);
            if let Some(colon) = pair.iter().position(|byte| *byte == b':') {
                self.add(&pair[..colon], true);
                self.add(&pair[colon + 1..], true);
            }
        }
    }

    /// Adds the value behind each `=`, as in cookies and in schemes with parameters (RFC 9110 section 11.4).
    fn add_parameters(&mut self, value: &[u8]) {
        for part in value.split(|byte| matches!(byte, b';' | b',')).take(MAX_PARAMETERS) {
            let Some(equals) = part.iter().position(|byte| *byte == b'=') else { continue };
            let parameter = part[equals + 1..].trim_ascii();
            let quoted = parameter.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            self.add(quoted.unwrap_or(parameter), true);
        }
    }

    /// Adds a form as it is and with its own escapes resolved, since the text may resolve them.
    fn add(&mut self, form: &[u8], has_secret_beginning: bool) {
        if form.len() < MIN_LENGTH {
            return;
        }
        let mut layer = Decoded::raw(form);
        for _ in 0..MAX_ROUNDS {
            let bytes = layer.bytes();
            // The end of the form and the text behind it may read as one escape.
            for bytes in [Some(bytes), layer.before_open_end()].into_iter().flatten() {
                let is_known = |pattern: &Pattern| pattern.bytes.eq_ignore_ascii_case(bytes);
                if bytes.len() >= MIN_DERIVED && !self.patterns.iter().any(is_known) {
                    self.patterns.push(Pattern::new(bytes, has_secret_beginning));
                    self.pairs.add(bytes);
                }
            }
            match layer.decode(false) {
                Some(decoded) => layer = decoded,
                None => break,
            }
        }
    }
}

/// Decodes base64 of either alphabet (RFC 4648), with or without padding.
fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let mut out = Zeroizing::new(Vec::with_capacity(end));
    let (mut bits, mut count) = (0_u32, 0);
    for byte in &text[..end] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(digit)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default());
        }
    }
    Some(out)
}
