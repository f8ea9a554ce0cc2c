//! The legend: the policies of all comparisons, each with one colour and one dash pattern for the whole
//! page.

use crate::compare::{Comparison, PolicyInfo};

/// The policies of a report and their places in the legend.
#[derive(Debug)]
pub(super) struct Legend {
    /// Each policy once, in order of first appearance.
    pub(super) policies: Vec<PolicyInfo>,
    /// For each comparison, the index into `policies` of each of its policies.
    pub(super) slots: Vec<Vec<usize>>,
}

/// The number of colours in the style sheet.
pub(super) const COLOURS: usize = 8;

/// Dash patterns as lengths of dash and gap. Combined with the colours they distinguish 48 policies.
const DASHES: [&str; 6] = ["none", "7 3", "2 2.5", "9 3 2 3", "4 2", "12 3 2 3 2 3"];

impl Legend {
    pub(super) fn from_comparisons(comparisons: &[Comparison]) -> Self {
        let mut policies: Vec<PolicyInfo> = Vec::new();
        let mut slots = Vec::new();
        for comparison in comparisons {
            let mut taken = Vec::new();
            for policy in &comparison.policies {
                // Two equal policies of one comparison keep separate places.
                let known = (0..policies.len()).find(|slot| policies[*slot] == *policy && !taken.contains(slot));
                let slot = known.unwrap_or(policies.len());
                if known.is_none() {
                    policies.push(policy.clone());
                }
                taken.push(slot);
            }
            slots.push(taken);
        }
        Self { policies, slots }
    }
}

/// Returns the CSS class of a policy.
pub(super) fn class(slot: usize) -> String {
    format!("p{slot}")
}

/// Returns the CSS rule for the colour and dash pattern of a policy.
pub(super) fn line_rule(slot: usize) -> String {
    let (colour, round) = (slot % COLOURS, slot / COLOURS);
    let dash = DASHES[(colour + round) % DASHES.len()];
    format!(".p{slot}{{--c:var(--k{colour});--d:{dash}}}\n")
}

/// Returns the CSS rules that hide a policy when it is switched off, and highlight its lines when the
/// pointer is on its switch or its row.
pub(super) fn toggle_rules(slot: usize) -> String {
    format!(
        ":root[data-off~=p{slot}] main .p{slot}{{display:none}}\n\
         :root:has(button[data-policy=p{slot}][aria-pressed=true]:is(:hover,:focus-visible)) .line:not(.p{slot}),\
         section:has(tr.p{slot}:hover) .line:not(.p{slot}){{opacity:.15}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_policy_has_one_place_in_all_comparisons_and_equal_policies_of_one_have_two() {
        let [first, mut second] = [sample::comparison("a"), sample::comparison("b")];
        second.policies.swap(0, 1);
        second.policies[2] = second.policies[1].clone();
        let legend = Legend::from_comparisons(&[first, second]);
        assert_eq!(legend.slots, [vec![0, 1, 2], vec![1, 0, 3]]);
        assert_eq!(legend.policies.len(), 4);
    }

    #[test]
    fn no_two_policies_share_both_colour_and_dash() {
        let rules: Vec<_> = (0..48).map(|slot| line_rule(slot).split_once('{').expect("a rule").1.to_owned()).collect();
        for (nth, rule) in rules.iter().enumerate() {
            assert!(!rules[..nth].contains(rule), "{nth}: {rule}");
        }
    }
}
