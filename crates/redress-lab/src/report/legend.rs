//! Who takes part: the policies of all comparisons, each with one colour and one dash wherever it is drawn.

use crate::compare::{Comparison, PolicyInfo};

/// The policies of a report.
#[derive(Debug)]
pub(super) struct Legend {
    /// Each of them once, in the order in which they come first.
    pub(super) policies: Vec<PolicyInfo>,
    /// For each comparison and each of its policies: which one of `policies` it is.
    pub(super) slots: Vec<Vec<usize>>,
}

/// How many colours there are; the style sheet names them.
pub(super) const COLOURS: usize = 8;

/// Lengths of dash and gap. Together with the colours they tell 48 policies apart.
const DASHES: [&str; 6] = ["none", "7 3", "2 2.5", "9 3 2 3", "4 2", "12 3 2 3 2 3"];

impl Legend {
    pub(super) fn of(comparisons: &[Comparison]) -> Self {
        let mut policies: Vec<PolicyInfo> = Vec::new();
        let mut slots = Vec::new();
        for comparison in comparisons {
            let mut taken = Vec::new();
            for policy in &comparison.policies {
                // Two of one comparison are two, even if nothing tells them apart.
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

/// Returns the class of everything that belongs to a policy.
pub(super) fn class(slot: usize) -> String {
    format!("p{slot}")
}

/// Returns the rule that gives a policy its colour and dash.
pub(super) fn line_rule(slot: usize) -> String {
    let (colour, round) = (slot % COLOURS, slot / COLOURS);
    let dash = DASHES[(colour + round) % DASHES.len()];
    format!(".p{slot}{{--c:var(--k{colour});--d:{dash}}}\n")
}

/// Returns the rules that hide a policy that is switched off, and put its lines in front of the others when one points at it.
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
    fn a_policy_is_the_same_one_in_every_comparison_and_two_of_a_name_stay_two() {
        let [first, mut second] = [sample::comparison("a"), sample::comparison("b")];
        second.policies.swap(0, 1);
        second.policies[2] = second.policies[1].clone();
        let legend = Legend::of(&[first, second]);
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
