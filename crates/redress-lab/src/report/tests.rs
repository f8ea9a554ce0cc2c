//! Tests of the whole page and of whole charts.

use super::*;

fn sample() -> String {
    page(&[sample::comparison("first case"), sample::comparison("second case")], "redress lab run --all")
}

/// Returns the elements of a name, each with its content.
fn elements<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let (begin, end) = (format!("<{name} "), format!("</{name}>"));
    page.split(&begin).skip(1).map(|rest| rest.split(&end).next().expect("a part")).collect()
}

#[test]
fn the_page_has_all_charts_and_tables_of_each_scenario_and_policy() {
    let page = sample();
    let scenarios = elements(&page, "section").into_iter().filter(|it| it.contains("class=\"scenario\""));
    let scenarios: Vec<_> = scenarios.collect();
    assert_eq!(scenarios.len(), 2);
    for (nth, scenario) in scenarios.into_iter().enumerate() {
        let name = ["first case", "second case"][nth];
        assert!(scenario.contains(&format!(">{name}</h3>")) && scenario.contains(&format!("about {name}")));
        assert_eq!(elements(scenario, "figure").len() + scenario.matches("<figure>").count(), 3);
        for slot in 0..3 {
            let lines = format!("class=\"line p{slot}\"");
            assert_eq!(scenario.matches(&lines).count(), 2, "load and goodput; what is offered is one line for all");
            assert_eq!(scenario.matches(&format!("<tr class=\"p{slot}\">")).count(), 2);
        }
        assert_eq!(scenario.matches("class=\"line all\"").count(), 1);
        assert_eq!(page.matches(&format!("href=\"#scenario-{}\"", nth + 1)).count(), 3, "contents and two matrices");
    }
    for (slot, name) in ["first", "second", "third"].into_iter().enumerate() {
        assert_eq!(page.matches(&format!("data-policy=\"p{slot}\" data-name=\"{name}\"")).count(), 1);
        assert!(page.contains(&format!("<dd>settings of {name}</dd>")));
        assert!(page.contains(&format!(":root[data-off~=p{slot}] main .p{slot}{{display:none}}")));
    }
    assert!(page.contains("<code>redress lab run --all</code>") && page.contains("Seeds: 1, 2."));
}

#[test]
fn dominated_and_best_policies_are_marked_by_text_and_not_by_colour_alone() {
    let page = sample();
    let dominated = "dominated by first (goodput, load, p99, recovery), second (goodput, load, p99, recovery)";
    assert_eq!(page.matches(dominated).count(), 2, "the third policy, in both scenarios");
    assert!(page.contains("<li class=\"p2\">first case: third by first ("));
    assert!(page.contains("★</span><b>0\u{202f}s</b><span class=\"unseen\"> (best)</span>"), "the fastest recovery");
    assert!(page.contains("<td class=\"p2\">never</td>"));
}

#[test]
fn a_switch_for_each_number_of_processes_hides_its_rows_and_sections() {
    assert!(!sample().contains("data-size=\"c"), "all have the same number");
    let mut fleet = sample::comparison("first case");
    fleet.scenario.clients.clients = std::num::NonZeroU32::new(100).expect("above 0");
    let page = page(&[sample::comparison("first case"), fleet], "");
    for (nth, (name, title)) in
        [("1 client", "first case"), ("100 clients", "first case, 100 clients")].iter().enumerate()
    {
        assert_eq!(page.matches(&format!("data-size=\"c{nth}\" data-name=\"{name}\"")).count(), 1);
        assert!(page.contains(&format!(":root[data-off~=c{nth}] .c{nth}{{display:none}}")));
        assert_eq!(page.matches(&format!("class=\"scenario c{nth}\"")).count(), 1);
        assert_eq!(page.matches(&format!("<tr class=\"c{nth}\">")).count(), 2, "two matrices");
        assert!(page.contains(&format!(">{title}</h3>")));
    }
    assert!(page.contains("100 processes that share nothing") && page.contains(">100 clients</a>"));
    assert!(page.contains("1 scenario with 1 and 100 clients, 3 policies"));
    let many = super::page(&vec![sample::comparison("t"); UNFOLDED + 1], "");
    assert!(many.contains("<details><summary>All scenarios</summary>") && !page.contains("All scenarios"));
}

#[test]
fn every_image_has_a_title_and_description_or_is_hidden_from_screen_readers() {
    let page = sample();
    let pictures = elements(&page, "svg");
    assert!(pictures.len() > 12);
    for picture in pictures {
        let tag = picture.split('>').next().expect("a tag");
        let is_silent = tag.contains("aria-hidden=\"true\"");
        assert!(is_silent || tag.contains("role=\"img\"") && picture.contains("</title>"), "{tag}");
        assert_eq!(tag.contains("aria-describedby"), picture.contains("</desc>"), "{tag}");
    }
    let goodput = "third: 6 on average, at most 8 at 0 s, 8 in the last tenth.";
    assert!(page.contains("Faults: 20 to 25 s. first: ") && page.contains(goodput), "the numbers that matter");
}

#[test]
fn the_page_loads_no_external_resource_and_runs_one_script() {
    let page = sample();
    for address in ["http://", "https://", "src=", "@import", "url(", "<iframe", "onload", "onclick"] {
        assert!(!page.contains(address), "{address}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("content=\"default-src &#39;none&#39;;"));
}

#[test]
fn user_input_is_escaped() {
    let evil = "</script><script>alert('\"&')</script>";
    let mut comparison = sample::comparison("t");
    comparison.scenario.name = evil.to_owned();
    comparison.scenario.about = evil.to_owned();
    comparison.scenario.dialect = evil.to_owned();
    comparison.policies[1].name = evil.to_owned();
    comparison.policies[1].about = evil.to_owned();
    for outcome in &mut comparison.outcomes[2..4] {
        outcome.policy = evil.to_owned();
    }
    let svg = chart(&comparison, Series::Goodput);
    let page = page(&[comparison], evil);
    for written in [&page, &svg] {
        assert!(!written.contains("alert('") && written.contains("&lt;script&gt;alert(&#39;&quot;&amp;&#39;)"));
    }
    assert_eq!((page.matches("<script").count(), svg.matches("<script").count()), (1, 0));
}

#[test]
fn a_large_report_stays_below_3_megabytes_and_is_deterministic() {
    let long = |nth: usize| {
        let mut comparison = sample::comparison(&format!("case {nth}"));
        comparison.policies = (0..10)
            .map(|nth| crate::compare::PolicyInfo { name: format!("policy {nth}"), ..comparison.policies[0].clone() })
            .collect();
        let outcome = comparison.outcomes[0].clone();
        comparison.outcomes = (0..20_u64)
            .map(|run| {
                let mut outcome = outcome.clone();
                outcome.policy = format!("policy {}", run / 2);
                outcome.seconds = (0..3_600_u64)
                    .map(|at| crate::outcome::Second {
                        offered: 300 + (at * 7_919 + run) % 97,
                        load: 300 + (at * 104_729 + run) % 997,
                        goodput: (at * 1_299_709 + run) % 307,
                        kept: 0,
                    })
                    .collect();
                outcome
            })
            .collect();
        comparison
    };
    let comparisons: Vec<_> = (0..12).map(long).collect();
    let first = page(&comparisons, "");
    assert!(first.len() < 3_000_000, "{} bytes", first.len());
    assert_eq!(first, page(&comparisons, ""));
}

#[test]
fn an_empty_report_is_a_valid_page() {
    assert!(page(&[], "").ends_with("</html>\n"));
}

#[test]
fn a_single_chart_has_a_title_a_legend_and_both_colour_schemes() {
    let svg = chart(&sample::comparison("a case"), Series::Load);
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox"));
    assert!(svg.contains("<title id=\"title\">Load at the server over time: a case</title>"));
    assert!(svg.contains("second: 11 on average, at most 11 at 0 s, 11 in the last tenth."));
    assert!(svg.contains("prefers-color-scheme:dark"));
    for (slot, name) in ["first", "second", "third"].into_iter().enumerate() {
        assert_eq!(svg.matches(&format!("class=\"line p{slot}\"")).count(), 2, "a curve and its sample");
        assert!(svg.contains(&format!(">{name}</text>")));
    }
    assert_eq!(svg.matches("://").count(), 1, "no address but the name of the language");
}
