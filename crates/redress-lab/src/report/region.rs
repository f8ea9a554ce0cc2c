//! The map of a scenario's server: at which loads its outage does not end by itself, by the number of retries.
//!
//! The retries of the map follow at once and without a budget. So the column of a policy is the one that says what its waits,
//! its budget or its line prevent.

use super::markup::Markup;
use super::number::{brief, count, rate};
use super::tables::table;
use crate::map::{ASSUMPTIONS, Columns, Map, Recovery, Row, System};
use crate::scenario::{FaultKind, FaultSpec, Scenario, ServerSpec, ServiceTime};

/// The loads of the rows in percent of the capacity, beside that of the scenario.
const LOADS: [u32; 7] = [20, 40, 50, 60, 70, 80, 90];
/// The numbers of retries in the columns: up to those of the policies with five attempts.
const RETRIES: [u32; 5] = [0, 1, 2, 3, 4];

/// Writes the map, folded, if the scenario has the server and the outage that the model knows.
pub(super) fn region(markup: &mut Markup, scenario: &Scenario) {
    let Some((map, own)) = map_of(scenario) else { return };
    let Columns::Retries { retries, outage } = &map.columns else { return };
    let queue = match &scenario.server {
        ServerSpec::Fifo { queue: Some(queue), .. } => format!("a queue of {}", count(f64::from(*queue))),
        _ => "a queue without a bound".to_owned(),
    };
    let (outage, timeout) = (humantime::format_duration(*outage), humantime::format_duration(map.system.timeout()));
    markup.element("details", &[], |markup| {
        markup.text_element("summary", &[], "Map: at which loads does this outage end by itself?");
        markup.text_element(
            "p",
            &[],
            format_args!(
                "The expected time from the end of an outage of {outage} until 95 % of new calls are answered in time, for {} \
                 requests/s, an attempt timeout of {timeout} and {queue}, if each call is repeated at once. A share in brackets \
                 is the probability that the server stays down instead; never: that probability is above one half; overloaded: \
                 more than 5 % of the calls time out without an outage.",
                rate(map.system.capacity())
            ),
        );
        table(markup, &format!("Map of {}", scenario.label()), "figures", |markup| {
            markup.element("thead", &[], |markup| {
                markup.element("tr", &[], |markup| {
                    markup.text_element("th", &[("scope", &"col")], "Load");
                    for retries in retries {
                        let name = if *retries == 1 { "1 retry".to_owned() } else { format!("{retries} retries") };
                        markup.text_element("th", &[("scope", &"col")], name);
                    }
                });
            });
            markup.element("tbody", &[], |markup| map.rows.iter().for_each(|row| line(markup, row, own)));
        });
        markup.text_element("p", &[("class", &"cut")], format_args!("Assumptions: {}", ASSUMPTIONS.join(" ")));
    });
}

/// Writes the row of a load. That of the scenario is named.
fn line(markup: &mut Markup, row: &Row, own: f64) {
    markup.element("tr", &[], |markup| {
        let note = if row.load == own { ", this scenario" } else { "" };
        let load = brief(row.load * 100.0, 1);
        markup.text_element("th", &[("scope", &"row")], format_args!("{load}\u{202f}%{note}"));
        for cell in &row.cells {
            markup.text_element("td", &[("class", &tint(*cell))], cell);
        }
    });
}

/// Returns the class of a cell: the longer the time, the stronger the tint.
const fn tint(cell: Recovery) -> &'static str {
    match cell {
        Recovery::After { seconds, .. } if seconds <= 10.0 => "",
        Recovery::After { seconds, .. } if seconds <= 60.0 => "low3",
        Recovery::After { seconds, .. } if seconds <= 600.0 => "low2",
        Recovery::After { .. } => "low1",
        Recovery::Never | Recovery::Overloaded => "low0",
    }
}

/// Returns the map, and the load of the scenario in it.
///
/// The model knows one queue, open arrivals at one rate, a timeout, and an outage in which the server does nothing and keeps
/// its requests: a fault of kind `hold` that hits all of them, without other faults.
fn map_of(scenario: &Scenario) -> Option<(Map, f64)> {
    let (clients, [fault]) = (&scenario.clients, &scenario.fault[..]) else { return None };
    let ServerSpec::Fifo { rate, queue, service, .. } = &scenario.server else { return None };
    let is_known = clients.layers == 1
        && clients.wave.is_empty()
        && clients.burst.is_empty()
        && scenario.limit.is_none()
        && scenario.quota.is_none()
        && !matches!(service, ServiceTime::Bimodal { .. })
        && holds_all(fault);
    let (outage, timeout) = fault.length.zip(clients.attempt_timeout).filter(|_| is_known)?;
    let capacity = rate / scenario.mean_work();
    let own = clients.rate? / capacity;
    let mut loads: Vec<_> = LOADS.iter().map(|percent| f64::from(*percent) / 100.0).chain([own]).collect();
    loads.sort_by(f64::total_cmp);
    loads.dedup();
    let system = System::new(capacity, timeout, queue.unwrap_or(u32::MAX), 0).ok()?;
    let columns = Columns::Retries { retries: RETRIES.to_vec(), outage };
    Some((Map::new(system, columns, &loads).ok()?, own))
}

/// Returns `true` for a fault that occurs once, in which the server keeps all requests and does nothing.
fn holds_all(fault: &FaultSpec) -> bool {
    let is_whole = fault.share >= 1.0 && fault.shard.is_none() && fault.route.is_none();
    fault.kind == FaultKind::Hold && is_whole && fault.every.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> Scenario {
        let scenario = crate::scenarios().into_iter().find(|scenario| scenario.name == name);
        scenario.expect("a shipped scenario")
    }

    #[test]
    fn the_map_shows_the_load_of_the_scenario_and_that_retries_keep_its_server_down() {
        let (map, own) = map_of(&shipped("black-hole")).expect("a server that holds its requests");
        assert_eq!((map.system.capacity(), map.system.timeout().as_secs(), own), (300.0, 1, 0.93));
        let row = map.rows.iter().find(|row| row.load == own).expect("the row of the scenario");
        assert!(matches!(row.cells[0], Recovery::After { seconds, .. } if seconds > 60.0), "{row:?}");
        assert_eq!(row.cells[1..], [Recovery::Never; 4]);

        let mut markup = Markup::default();
        region(&mut markup, &shipped("black-hole"));
        let page = markup.into_string();
        assert!(page.contains("an outage of 10s") && page.contains("a queue without a bound"), "{page}");
        assert!(page.contains("<th scope=\"row\">93\u{202f}%, this scenario</th>"), "{page}");
        assert_eq!(page.matches("<td").count(), 8 * 5);
    }

    #[test]
    fn a_scenario_beyond_the_model_has_no_map() {
        let held = shipped("black-hole");
        assert!(map_of(&held).is_some());
        for name in ["flapping", "slow-brown-out", "call-burst", "three-layers", "row-contention", "shard-down"] {
            assert!(map_of(&shipped(name)).is_none(), "{name}");
        }
        for (name, change) in [
            ("without a timeout", (|it| it.clients.attempt_timeout = None) as fn(&mut Scenario)),
            ("in a closed loop", |it| it.clients.rate = None),
            ("in part", |it| it.fault[0].share = 0.5),
            ("again and again", |it| it.fault[0].every = Some(it.length)),
            ("with another fault", |it| it.fault.push(it.fault[0].clone())),
        ] {
            let mut scenario = held.clone();
            change(&mut scenario);
            assert!(map_of(&scenario).is_none(), "{name}");
        }
    }
}
