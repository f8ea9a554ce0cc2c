//! The shape of the map: what a user may read from it.

use super::*;

fn system(queue: u32, retries: u32) -> System {
    System::new(300.0, Duration::from_secs(1), queue, retries).unwrap()
}

fn outages(seconds: &[u64]) -> Columns {
    Columns::Outages(seconds.iter().copied().map(Duration::from_secs).collect())
}

fn cells(system: System, columns: Columns, load: f64) -> Vec<Recovery> {
    Map::new(system, columns, &[load]).unwrap().rows.remove(0).cells
}

fn seconds(cell: Recovery) -> f64 {
    match cell {
        Recovery::After { seconds, .. } => seconds,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_retries_the_time_is_that_of_working_off_the_backlog() {
    // 150 calls/s for 20 s leave 3,000; they shrink at 150/s until 300 are left, which take a second.
    let time = seconds(cells(system(10_000, 0), outages(&[20]), 0.5)[0]);
    assert!((time - 18.0).abs() < 0.5, "{time}");
}

#[test]
fn the_threshold_is_the_capacity_divided_by_the_attempts() {
    for retries in 1..=4 {
        let system = system(2_000, retries);
        let storm = system.storm_load();
        let [below, above] = [0.9, 1.1].map(|part| cells(system, outages(&[30]), part * storm)[0]);
        assert!(matches!(below, Recovery::After { stuck, .. } if stuck < 0.01), "{retries}: {below:?}");
        assert_eq!(above, Recovery::Never, "{retries}");
    }
}

#[test]
fn a_queue_that_is_worked_off_within_the_timeout_ends_every_outage() {
    let short = system(200, 5);
    assert!(short.keeps_up());
    for load in [0.2, 0.5, 0.9] {
        assert!(seconds(cells(short, outages(&[60]), load)[0]) < 5.0, "{load}");
    }
    let long = system(2_000, 5);
    assert!(!long.keeps_up());
    assert_eq!(cells(long, outages(&[60]), 0.5), [Recovery::Never]);
}

#[test]
fn times_grow_with_load_outage_and_retries() {
    let loads: Vec<_> = [0.1, 0.2, 0.3].map(|load| seconds(cells(system(5_000, 2), outages(&[20]), load)[0])).to_vec();
    let lengths: Vec<_> = cells(system(5_000, 2), outages(&[1, 5, 20, 60]), 0.25).into_iter().map(seconds).collect();
    let columns = Columns::Retries { retries: vec![0, 1, 2, 3], outage: Duration::from_secs(20) };
    let retries: Vec<_> = cells(system(5_000, 9), columns, 0.2).into_iter().map(seconds).collect();
    for times in [loads, lengths, retries] {
        assert!(times.is_sorted() && times[0] < *times.last().unwrap(), "{times:?}");
    }
}

#[test]
fn a_load_that_is_late_without_an_outage_is_an_overload() {
    let columns = || outages(&[1]);
    assert_eq!(cells(system(1_000, 1), columns(), 1.0), [Recovery::Overloaded]);
    // 3 requests within the timeout: at 50 % of the load a fifth of the calls is late.
    let tiny = System::new(3.0, Duration::from_secs(1), 100, 1).unwrap();
    assert_eq!(cells(tiny, columns(), 0.5), [Recovery::Overloaded]);
}

#[test]
fn impossible_systems_are_rejected_with_the_reason() {
    let with = |capacity, seconds, retries| {
        System::new(capacity, Duration::from_secs(seconds), 10, retries).map_err(|error| error.to_string())
    };
    for (system, expected) in [
        (with(0.0, 1, 1), "the capacity must be above 0"),
        (with(f64::NAN, 1, 1), "the capacity must be above 0"),
        (with(1.0, 0, 1), "the timeout must be above 0"),
        (with(1e9, 1, 1), "the server completes more than 10,000,000 requests within the timeout"),
        (with(1.0, 1, 11), "there are more than 10 retries"),
    ] {
        assert_eq!(system.unwrap_err(), expected);
    }
    let error = |columns, load: f64| Map::new(system(1, 1), columns, &[load]).unwrap_err().to_string();
    assert_eq!(error(outages(&[1]), -0.5), "a load must be above 0");
    assert_eq!(error(outages(&[0]), 0.5), "an outage must be above 0");
    let columns = Columns::Retries { retries: vec![99], outage: Duration::from_secs(1) };
    assert_eq!(error(columns, 0.5), "there are more than 10 retries");
}

#[test]
fn extreme_systems_have_a_map() {
    for (capacity, queue, retries) in [(1e7, u32::MAX, 10), (0.001, 0, 10), (1_000.0, 0, 0), (3_000.0, 1_000_000, 3)] {
        let system = System::new(capacity, Duration::from_secs(1), queue, retries).unwrap();
        let columns = Columns::Outages(vec![Duration::from_millis(1), Duration::from_secs(86_400)]);
        for row in Map::new(system, columns, &[0.01, 0.3, 0.99]).unwrap().rows {
            for cell in row.cells {
                if let Recovery::After { seconds, stuck } = cell {
                    assert!(seconds >= 0.0 && (0.0..=0.5).contains(&stuck), "{system:?} {cell:?}");
                }
            }
        }
    }
}

#[test]
fn the_json_names_the_system_and_the_assumptions() {
    let map = Map::new(system(1_000, 1), outages(&[10]), &[0.4, 0.9, 1.0]).unwrap();
    let json = serde_json::to_value(&map).unwrap();
    assert_eq!(
        (json["capacity"].as_f64(), json["queue"].as_u64(), json["outages_s"][0].as_f64()),
        (Some(300.0), Some(1_000), Some(10.0))
    );
    assert!(json["rows"][0]["cells"][0]["seconds"].as_f64().unwrap() > 1.0, "{json}");
    assert_eq!((&json["rows"][1]["cells"][0], &json["rows"][2]["cells"][0]), (&"never".into(), &"overloaded".into()));
    assert_eq!(json["assumptions"].as_array().unwrap().len(), ASSUMPTIONS.len());
}
