//! The noise of the figures by which policies are compared: the same policy, with other random numbers
//! of its own.
//!
//! `cargo test --release -p redress-lab --test noise -- --ignored --nocapture` prints the largest
//! differences over the shipped scenarios, five seeds each. It runs for minutes.

use std::num::NonZeroU32;

use redress_lab::compare::Metric;
use redress_lab::policies::RedressStack;
use redress_lab::{BoxClient, Comparison, Policy, PolicyContext, scenarios};

/// A policy with random numbers of its own.
struct Reseeded(RedressStack);

impl Policy for Reseeded {
    fn name(&self) -> &'static str {
        "reseeded"
    }

    fn about(&self) -> String {
        self.0.about()
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let mut context = context.clone();
        context.seed = context.seed.wrapping_mul(31).wrapping_add(7);
        self.0.client(&context)
    }
}

#[test]
#[ignore = "it runs for minutes"]
fn the_same_policy_does_not_dominate_itself() {
    let policies: [Box<dyn Policy>; 2] = [Box::new(RedressStack::new()), Box::new(Reseeded(RedressStack::new()))];
    let mut dominated = Vec::new();
    for clients in [1, 100] {
        let mut worst = Metric::ALL.map(|_| (0.0, String::new()));
        for mut scenario in scenarios() {
            scenario.clients.clients = NonZeroU32::new(clients).expect("a number above 0");
            let [one, other] = Comparison::run(&scenario, &policies, &[1, 2, 3, 4, 5], |_| {})
                .summaries()
                .try_into()
                .expect("one for each policy");
            for (figure, worst) in Metric::ALL.into_iter().zip(&mut worst) {
                let apart = f64::max(one.behind(&other, figure), other.behind(&one, figure));
                if apart > worst.0 {
                    *worst = (apart, scenario.name.clone());
                }
            }
            for (one, other) in [(&one, &other), (&other, &one)] {
                let figures = one.dominated_by(other);
                if !figures.is_empty() {
                    dominated.push((scenario.label(), figures));
                }
            }
        }
        for (figure, (apart, scenario)) in Metric::ALL.iter().zip(&worst) {
            println!(
                "{clients:>4} clients, {:<8} at most {apart:>6.2} {:<6} apart, in {scenario}",
                figure.name(),
                figure.unit()
            );
        }
    }
    assert!(dominated.is_empty(), "{dominated:?}");
}
