//! The queue of scripted faults.

use std::num::NonZeroU32;

use http::Method;

use crate::fault::Fault;
use crate::route::Route;
use crate::shared::Shared;

/// Faults in the order in which they were added. A request takes the oldest one whose route matches.
#[derive(Debug, Default)]
pub(crate) struct Queue(Shared<Vec<(Route, Fault)>>);

impl Queue {
    pub(crate) fn push(&self, faults: impl IntoIterator<Item = (Route, Fault)>) {
        self.0.lock().extend(faults);
    }

    /// Takes the fault for one request; the normal answer if none matches.
    pub(crate) fn take(&self, method: &Method, path: &str) -> Fault {
        let mut faults = self.0.lock();
        let Some(index) = faults.iter().position(|(route, _)| route.matches(method, path)) else {
            return Fault::answer();
        };
        let fault = &mut faults[index].1;
        match NonZeroU32::new(fault.times.get() - 1) {
            Some(left) => {
                fault.times = left;
                fault.clone()
            }
            None => faults.remove(index).1,
        }
    }

    /// Returns the number of requests that the remaining faults still apply to.
    pub(crate) fn len(&self) -> usize {
        let faults = self.0.lock();
        faults
            .iter()
            .map(|(_, fault)| usize::try_from(fault.times.get()).unwrap_or(usize::MAX))
            .fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(queue: &Queue, paths: &[&str]) -> Vec<Option<u16>> {
        paths.iter().map(|path| queue.take(&Method::GET, path).status.map(|status| status.as_u16())).collect()
    }

    #[test]
    fn the_oldest_fault_of_a_matching_route_is_taken() {
        let queue = Queue::default();
        queue.push([
            ("GET /a".parse().unwrap(), Fault::error(500)),
            ("*".parse().unwrap(), Fault::error(503)),
            ("GET /a".parse().unwrap(), Fault::error(502)),
        ]);
        assert_eq!(statuses(&queue, &["/b", "/a", "/a", "/a"]), [Some(503), Some(500), Some(502), None]);
    }

    #[test]
    fn a_fault_applies_the_given_number_of_times() {
        let queue = Queue::default();
        queue.push([("*".parse().unwrap(), Fault::error(503).times(2))]);
        assert_eq!(queue.len(), 2);
        assert_eq!(statuses(&queue, &["/", "/", "/"]), [Some(503), Some(503), None]);
        assert_eq!(queue.len(), 0);
    }
}
