//! The style sheets of the page and of single charts: one set of variables, with values for light and
//! dark.

use super::legend::{self, Legend};

const LIGHT: &str = include_str!("style/light.css");
const DARK: &str = include_str!("style/dark.css");
const CHART: &str = include_str!("style/chart.css");
const PAGE: &str = include_str!("style/page.css");

/// Returns the style sheet of the page. It follows the system's colour scheme until the reader chooses
/// one, and prints in light colours. `sizes` is the number of switches for numbers of processes.
pub(super) fn page(legend: &Legend, sizes: usize) -> String {
    let slots: String =
        (0..legend.policies.len()).map(|slot| legend::line_rule(slot) + &legend::toggle_rules(slot)).collect();
    let sizes: String = (0..sizes).map(|nth| format!(":root[data-off~=c{nth}] .c{nth}{{display:none}}\n")).collect();
    format!(
        ":root{{{LIGHT}}}\n@media screen{{\n:root[data-theme=dark]{{color-scheme:dark;{DARK}}}\n:root[data-theme=light]{{color-scheme:light}}\n\
         @media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{DARK}}}}}\n}}\n{PAGE}{CHART}{slots}{sizes}"
    )
}

/// Returns the style sheet of a single chart with this number of policies.
pub(super) fn chart(policies: usize) -> String {
    let slots: String = (0..policies).map(legend::line_rule).collect();
    format!(
        "svg{{{LIGHT}font:12px system-ui,sans-serif}}\n@media (prefers-color-scheme:dark){{svg{{{DARK}}}}}\n\
         {CHART}text.name{{font-size:15px;font-weight:600;fill:var(--ink)}}text.who{{font-size:12px;fill:var(--ink)}}\n{slots}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::legend::COLOURS;

    /// Returns the contrast ratio of two colours by the Web Content Accessibility Guidelines.
    fn contrast(one: &str, other: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| {
                let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("six digits");
                let value = f64::from(value) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn lines_and_text_have_enough_contrast_in_both_colour_schemes() {
        for (style, card) in [(LIGHT, "#ffffff"), (DARK, "#181d22")] {
            let colour = |name: &str| {
                let value = style.split_once(&format!("--{name}:")).expect(name).1;
                value.split_once(';').expect("an end").0.to_owned()
            };
            let ground = colour("ground");
            for nth in 0..COLOURS {
                let line = colour(&format!("k{nth}"));
                assert!(contrast(&line, card) >= 3.0 && contrast(&line, &ground) >= 3.0, "k{nth} {line}");
            }
            for name in ["ink", "soft", "accent", "bad"] {
                assert!(contrast(&colour(name), card) >= 4.5 && contrast(&colour(name), &ground) >= 4.5, "{name}");
            }
            for nth in 0..4 {
                assert!(contrast(&colour("soft"), &colour(&format!("low{nth}"))) >= 4.5, "low{nth}");
            }
        }
    }
}
