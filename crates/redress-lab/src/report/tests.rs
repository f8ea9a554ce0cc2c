//! The page and single charts as wholes.

use super::*;

fn sample() -> String {
    page(&[sample::comparison("first case"), sample::comparison("second case")], "redress lab run --all")
}

/// Returns the elements of a name, each with what is in it.
fn elements<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let (begin, end) = (format!("<{name} "), format!("</{name}>"));
    page.split(&begin).skip(1).map(|rest| rest.split(&end).next().expect("a part")).collect()
}

#[test]
fn each_scenario_has_its_charts_and_tables_and_each_policy_its_marks_in_them() {
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
fn who_is_dominated_and_who_is_best_is_written_and_not_only_coloured() {
    let page = sample();
    let dominated = "dominated by first (goodput, load, p99, recovery), second (goodput, load, p99, recovery)";
    assert_eq!(page.matches(dominated).count(), 2, "the third policy, in both scenarios");
    assert!(page.contains("<li class=\"p2\">first case: third by first ("));
    assert!(page.contains("★</span><b>0\u{202f}s</b><span class=\"unseen\"> (best)</span>"), "the fastest recovery");
    assert!(page.contains("<td class=\"p2\">never</td>"));
}

#[test]
fn every_picture_says_what_it_shows_or_says_nothing_at_all() {
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
fn the_page_names_no_address_and_runs_no_script_but_its_own() {
    let page = sample();
    for address in ["http://", "https://", "src=", "@import", "url(", "<iframe", "onload", "onclick"] {
        assert!(!page.contains(address), "{address}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("content=\"default-src &#39;none&#39;;"));
}

#[test]
fn what_users_write_stays_text() {
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
fn a_large_report_stays_small_enough_to_send_and_the_same_input_gives_the_same_page() {
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
fn a_report_of_nothing_is_a_page_still() {
    assert!(page(&[], "").ends_with("</html>\n"));
}

#[test]
fn a_single_chart_is_a_file_with_a_title_and_colours_for_light_and_dark() {
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
