//! The map as an HTML page: a table whose cells are coloured by the time to recover.

use std::fmt::Write as _;

use super::{ASSUMPTIONS, Columns, Map, Recovery};

/// The style of the page. Each colour has a text beside it, so that none carries a meaning alone.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f23;--ground:#fff;--line:#c9d1d9;--c0:#dff3e4;--c1:#f4f0c6;--c2:#f8d9b0;--c3:#f3b7a4;--never:#8f1d1d}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--ground:#14181c;--line:#3a424a;--c0:#173a25;--c1:#403c12;--c2:#53370f;--c3:#5c2618;--never:#b3261e}}
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:var(--ink);background:var(--ground)}
.wide{overflow-x:auto}table{border-collapse:collapse}caption{text-align:left;padding-bottom:.5rem}
th,td{border:1px solid var(--line);padding:.3rem .6rem;text-align:right;white-space:nowrap}
.c0{background:var(--c0)}.c1{background:var(--c1)}.c2{background:var(--c2)}.c3{background:var(--c3)}
.never{background:var(--never);color:#fff}.overloaded{background:repeating-linear-gradient(45deg,var(--line) 0 2px,transparent 2px 8px)}";

/// Returns the page: the system, the map, the legend and the assumptions, without scripts and external resources.
///
/// # Examples
/// ```
/// use redress_lab::map::{Columns, Map, System, page};
/// use std::time::Duration;
///
/// let system = System::new(300.0, Duration::from_secs(1), 1_000, 1)?;
/// let map = Map::new(system, Columns::Outages(vec![Duration::from_secs(10)]), &[0.4, 0.9])?;
/// assert!(page(&map).contains("<td class=\"never\">never</td>"));
/// # Ok::<(), redress_lab::map::InvalidSystem>(())
/// ```
#[must_use]
pub fn page(map: &Map) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Does an outage end by itself?</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n\
         <h1>Does an outage end by itself?</h1>\n"
    );
    table(&mut page, map);
    page.push_str(
        "<p>A cell is the expected time from the end of the outage until at least 95 % of new calls are answered in time. \
         A share in brackets is the probability that the server stays down instead. <b>never</b>: that probability is \
         above one half. <b>overloaded</b>: more than 5 % of the calls time out without an outage.</p>\n\
         <h2>Assumptions</h2>\n<ul>\n",
    );
    for assumption in ASSUMPTIONS {
        writeln!(page, "<li>{assumption}</li>").expect("a string takes any text");
    }
    page.push_str("</ul>\n</body>\n</html>\n");
    page
}

/// Writes the table. Each text is a number, a word of this file or a duration, so that none needs escapes.
fn table(page: &mut String, map: &Map) {
    write!(page, "<div class=\"wide\"><table>\n<caption>{}</caption>\n<tr><th>load</th><th>calls/s</th>", map.about())
        .expect("a string takes any text");
    for head in map.columns.heads() {
        write!(page, "<th>{head}</th>").expect("a string takes any text");
    }
    page.push_str("</tr>\n");
    for row in &map.rows {
        let rate = row.load * map.system.capacity();
        write!(page, "<tr><th>{}</th><th>{}</th>", row.percent(), short(rate)).expect("a string takes any text");
        for cell in &row.cells {
            write!(page, "<td class=\"{}\">{cell}</td>", cell.class()).expect("a string takes any text");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

impl Map {
    /// Returns the system and the outage in one sentence.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::map::{Columns, Map, System};
    /// use std::time::Duration;
    ///
    /// let system = System::new(300.0, Duration::from_secs(1), 1_000, 1)?;
    /// let map = Map::new(system, Columns::Outages(vec![Duration::from_secs(10)]), &[0.4])?;
    /// assert_eq!(map.about(), "300 requests/s, attempt timeout 1s, a queue of 1000, 1 retry; by load and outage");
    /// # Ok::<(), redress_lab::map::InvalidSystem>(())
    /// ```
    #[must_use]
    pub fn about(&self) -> String {
        let system = &self.system;
        let server = format!(
            "{} requests/s, attempt timeout {}, a queue of {}",
            short(system.capacity()),
            humantime::format_duration(system.timeout()),
            system.queue()
        );
        match &self.columns {
            Columns::Outages(_) if system.retries() == 1 => format!("{server}, 1 retry; by load and outage"),
            Columns::Outages(_) => format!("{server}, {} retries; by load and outage", system.retries()),
            Columns::Retries { outage, .. } => {
                format!("{server}, an outage of {}; by load and retries", humantime::format_duration(*outage))
            }
        }
    }
}

impl super::Row {
    /// Returns the load in percent.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::map::Row;
    ///
    /// assert_eq!(Row { load: 0.375, cells: vec![] }.percent(), "37.5 %");
    /// ```
    #[must_use]
    pub fn percent(&self) -> String {
        format!("{} %", short(self.load * 100.0))
    }
}

impl Recovery {
    /// Returns the class of the cell: green within 10 s, yellow within a minute, orange within 10 minutes, else red.
    const fn class(self) -> &'static str {
        match self {
            Self::After { seconds, .. } if seconds <= 10.0 => "c0",
            Self::After { seconds, .. } if seconds <= 60.0 => "c1",
            Self::After { seconds, .. } if seconds <= 600.0 => "c2",
            Self::After { .. } => "c3",
            Self::Never => "never",
            Self::Overloaded => "overloaded",
        }
    }
}

/// Writes the cell as in the table of the program: `12 s`, `3 min (7 %)`, `never`.
impl std::fmt::Display for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::After { seconds, stuck } => {
                match seconds {
                    time if time < 0.05 => f.write_str("0 s")?,
                    time if time < 120.0 => write!(f, "{} s", short(time))?,
                    time if time < 7_200.0 => write!(f, "{} min", short(time / 60.0))?,
                    time => write!(f, "{} h", short(time / 3_600.0))?,
                }
                if stuck >= 0.01 { write!(f, " ({:.0} %)", stuck * 100.0) } else { Ok(()) }
            }
            Self::Never => f.write_str("never"),
            Self::Overloaded => f.write_str("overloaded"),
        }
    }
}

/// Returns a number with two or more significant digits.
fn short(value: f64) -> String {
    let text = if value >= 9.95 && (value - value.round()).abs() < 0.05 || value >= 99.5 {
        format!("{value:.0}")
    } else if value >= 0.1 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_units_and_the_probability_to_stay_down() {
        let after = |seconds, stuck| Recovery::After { seconds, stuck }.to_string();
        assert_eq!(after(0.01, 0.0), "0 s");
        assert_eq!(after(3.12, 0.004), "3.1 s");
        assert_eq!(after(59.96, 0.07), "60 s (7 %)");
        assert_eq!((after(180.0, 0.0), after(9_000.0, 0.0)), ("3 min".to_owned(), "2.5 h".to_owned()));
        assert_eq!(
            (Recovery::Never.to_string(), Recovery::Overloaded.to_string()),
            ("never".into(), "overloaded".into())
        );
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.0, "0"), (0.002, "0.002"), (0.5, "0.5"), (37.5, "37.5"), (300.0, "300"), (1_234.6, "1235")]
        {
            assert_eq!(short(value), text);
        }
    }
}
