//! Holds the budgets, keyed and not, against sums counted in `i128`.

use std::collections::BTreeMap;

use http::Request;
use redress_backoff::{Budget, Budgets, Reservation};

/// Of one key, what was done to its bucket.
#[derive(Default)]
struct Sums {
    reserved: i128,
    spent: i128,
    refilled: i128,
}

impl Sums {
    fn level(&self, capacity: u32) -> i128 {
        i128::from(capacity) + self.refilled - self.spent - self.reserved
    }
}

/// A reservation that was neither spent nor dropped yet.
struct Open {
    key: u8,
    cost: u32,
    reservation: Reservation,
}

/// Runs a list of operations. The first byte says whether there is one budget or one for each key, the next four are the
/// capacity; then each operation is five bytes: what, of which key, and how many tokens in three bytes, the last of which
/// shifts the others.
///
/// # Panics
/// When a bucket has another level than the sums, one below nothing or beyond its capacity, or when a reservation is made
/// that the level does not bear, or refused though it does.
pub fn check(data: &[u8]) {
    let Some((&[kind, a, b, c, d], ops)) = data.split_first_chunk() else { return };
    let capacity = u32::from_le_bytes([a, b, c, d]);
    let keyed = kind & 1 == 1;
    let budgets = if keyed {
        Budgets::keyed(capacity, |uri, _, _| uri.path().into())
    } else {
        Budgets::from(Budget::with_capacity(capacity))
    };
    let mut requests: BTreeMap<u8, Request<()>> = BTreeMap::new();
    let mut sums: BTreeMap<u8, Sums> = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    for op in ops.chunks_exact(5).take(512) {
        let (what, key) = (op[0], if keyed { op[1] } else { 0 });
        let tokens = u32::from(u16::from_le_bytes([op[2], op[3]])) << (op[4] % 17);
        let request = requests.entry(key).or_insert_with(|| Request::get(format!("/{key}")).body(()).expect("a path"));
        let budget = budgets.for_request(request);
        let sum = sums.entry(key).or_default();
        match what % 4 {
            0 => {
                let reservation = budget.reserve(tokens);
                assert_eq!(reservation.is_some(), sum.level(capacity) >= i128::from(tokens), "all or none");
                if let Some(reservation) = reservation {
                    sum.reserved += i128::from(tokens);
                    open.push(Open { key, cost: tokens, reservation });
                }
            }
            1 => {
                budget.refill(tokens);
                sum.refilled += i128::from(tokens).min(sum.spent - sum.refilled);
            }
            end if !open.is_empty() => {
                let Open { key, cost, reservation } = open.swap_remove(usize::from(op[1]) % open.len());
                let sum = sums.entry(key).or_default();
                sum.reserved -= i128::from(cost);
                if end == 2 {
                    assert_eq!(reservation.spend(), cost);
                    sum.spent += i128::from(cost);
                } else {
                    drop(reservation);
                }
            }
            _ => {}
        }
        let level = i128::from(budget.level());
        assert!((0..=i128::from(capacity)).contains(&level), "{level} of {capacity}");
        assert_eq!(Some(level), sums.get(&key).map(|sum| sum.level(capacity)), "{budget:?}");
    }
    for (key, sum) in &sums {
        assert_eq!(i128::from(budgets.for_request(&requests[key]).level()), sum.level(capacity));
    }
    open.clear();
    for (key, sum) in &sums {
        let level = i128::from(budgets.for_request(&requests[key]).level());
        assert_eq!(level + sum.spent - sum.refilled, i128::from(capacity), "nothing is lost and nothing made");
    }
}
